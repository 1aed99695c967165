"""Networks: cards, files, architectures, engines and training. Only this room knows Keras."""

"""Everything that knows Keras: cards, stores, architectures, engines and training."""

"""Training a network on fine images."""

"""Helpers for readers, public for those of other packages too."""

"""The steps of the method: array in, array out. No step imports another."""

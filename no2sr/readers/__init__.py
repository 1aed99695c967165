"""Readers: one module a product or format, each turning a file into a grid or a swath."""

"""Readers: one module for each product or format, which turns a file into a grid or a swath."""

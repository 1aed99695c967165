"""Satellite pixels: their corners, their exact overlap with a grid, and gridding."""

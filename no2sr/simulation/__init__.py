"""Simulated landscapes, scenes and orbits, and the degrading of fine images."""

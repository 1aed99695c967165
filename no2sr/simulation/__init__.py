"""Simulated landscapes, scenes and orbits, and the degradation of fine images."""

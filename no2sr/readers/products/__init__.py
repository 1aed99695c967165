"""Readers of products: Sentinel-5P, TEMPO, GEMS, OMI and others."""

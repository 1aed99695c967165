"""Readers of general formats: CF NetCDF, GeoTIFF, Zarr and others."""

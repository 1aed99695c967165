"""The ground floor: errors, names, units, grids, layers, provenance and atomic writing."""

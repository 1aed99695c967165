"""Facts about the Earth, and the box type."""

from __future__ import annotations

import math

__all__ = ["EARTH_RADIUS", "KM_PER_DEGREE", "Box"]

EARTH_RADIUS = 6371.0  # km, mean radius
KM_PER_DEGREE = EARTH_RADIUS * math.pi / 180  # along a meridian

Box = tuple[float, float, float, float]  # west, south, east, north

"""Hostile georeferences: each is read where it lies, or refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from catalogue import Case, Map, Refused, named, try_case
from makers import BOUNDS, LATITUDE, LONGITUDE, PLACE, cf_grid, column, column_at, tiff
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint

from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UTM = Affine(5000, 0, 400000, 0, -5000, 3200000)
POLAR = Affine(25000, 0, -400000, 0, -25000, -600000)
FEET = Affine(20000, 0, 900000, 0, -20000, 300000)


def _at(crs: str) -> Callable[[Any, Any], Any]:
    """Return the column as a function of places in a CRS."""
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)

    def values(x: Any, y: Any) -> Any:
        return column_at(*to_degrees.transform(*np.broadcast_arrays(x, y)))

    return values


def _bounds(place: Affine, ny: int = 8, nx: int = 10) -> tuple[float, float, float, float]:
    return place.c, place.f + ny * place.e, place.c + nx * place.a, place.f


def _projected(place: Affine, crs: str, **settings: Any) -> Callable[[Path], Path]:
    """Return a writer of a GeoTIFF in a projection."""
    x = place.c + place.a * (np.arange(10) + 0.5)
    y = place.f + place.e * (np.arange(8) + 0.5)
    values = _at(crs)(x[None, :], y[:, None])
    return lambda d: tiff(d / "p.tif", values=values, transform=place, crs=crs, **settings)


def _projected_nc(d: Path, *, crs: str, place: Affine, unit: str = "m", by: float = 1) -> Path:
    """Write a projected CF grid whose axes are in a unit."""
    x = place.c + place.a * (np.arange(10) + 0.5)
    y = place.f + place.e * (np.arange(8) + 0.5)
    return cf_grid(
        d / "p.nc",
        values=_at(crs)(x[None, :], y[:, None]),
        dims=("y", "x"),
        coords={
            "y": ("y", y / by, {"standard_name": "projection_y_coordinate", "units": unit}),
            "x": ("x", x / by, {"standard_name": "projection_x_coordinate", "units": unit}),
        },
        attrs={"units": "umol m-2", "grid_mapping": "crs"},
        extra={"crs": ((), 0, CRS(crs).to_cf())},
    )


def _mapped(d: Path, mapping: dict[str, Any], **settings: Any) -> Path:
    """Write a grid in degrees with a grid mapping."""
    return cf_grid(
        d / "m.nc",
        attrs={"units": "umol m-2", "grid_mapping": "crs"},
        extra={"crs": ((), 0, mapping)},
        **settings,
    )


def _axes(y_unit: str, x_unit: str) -> Callable[[Path], Path]:
    """Return a writer of a grid whose axes say nothing but a unit."""
    return lambda d: cf_grid(
        d / "a.nc",
        dims=("y", "x"),
        coords={"y": ("y", LATITUDE, {"units": y_unit}), "x": ("x", LONGITUDE, {"units": x_unit})},
    )


def _rotated_pole(d: Path) -> Path:
    names = {"rlat": "grid_latitude", "rlon": "grid_longitude"}
    return cf_grid(
        d / "r.nc",
        dims=("rlat", "rlon"),
        coords={
            key: (key, axis, {"standard_name": names[key], "units": "degrees"})
            for key, axis in (("rlat", LATITUDE), ("rlon", LONGITUDE))
        },
    )


def _with_bounds(d: Path) -> Path:
    """Write axes that name the south-west corners of cells, and bounds that say so."""
    corners = LATITUDE - 0.25, LONGITUDE - 0.25
    return cf_grid(
        d / "corner.nc",
        values=column(),
        coords={
            "latitude": ("latitude", corners[0], {"units": "degrees_north", "bounds": "lat_bnds"}),
            "longitude": ("longitude", corners[1], {"units": "degrees_east", "bounds": "lon_bnds"}),
        },
        extra={
            "lat_bnds": (("latitude", "nv"), np.stack([corners[0], corners[0] + 0.5], axis=1)),
            "lon_bnds": (("longitude", "nv"), np.stack([corners[1], corners[1] + 0.5], axis=1)),
        },
    )


def _point(d: Path) -> Path:
    """Write a raster whose values are said to belong to points."""
    path = tiff(d / "point.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    return path


def _control_points(d: Path) -> Path:
    path = d / "gcps.tif"
    points = [GroundControlPoint(r, c, 76 + c, 30 - r) for r, c in ((0, 0), (0, 9), (7, 0), (7, 9))]
    with rasterio.open(
        path, "w", driver="GTiff", width=10, height=8, count=1, dtype="float32", crs="EPSG:4326",
        gcps=points,
    ) as file:  # fmt: skip
        file.write(column().astype("float32"), 1)
        file.update_tags(1, units="umol m-2")
    return path


def _globe(west: float, **settings: Any) -> Callable[[Path], Path]:
    """Return a writer of a globe of 10 degree cells that begins somewhere."""
    latitude, longitude = 85 - 10.0 * np.arange(18), west + 5 + 10.0 * np.arange(36)
    return lambda d: cf_grid(d / "globe.nc", latitude=latitude, longitude=longitude, **settings)


def _east_of(west: float, *, labels: Callable[[Any], Any] = np.asarray) -> Callable[[Path], Path]:
    """Return a writer of a grid of ten half degrees from a longitude on."""
    longitude = west + 0.25 + 0.5 * np.arange(10)
    return lambda d: cf_grid(
        d / "east.nc", longitude=labels(longitude), values=column(LATITUDE, longitude)
    )


CASES = [
    # no place at all
    Case(
        name="raster without CRS",
        make=lambda d: tiff(d / "r.tif", crs=None),
        outcome=Refused(error=errors.MissingCRSError, says="has no CRS.*gdal_edit"),
    ),
    Case(
        name="raster without transform",
        make=lambda d: tiff(d / "r.tif", crs=None, transform=None),
        outcome=Refused(error=errors.MissingCRSError, says="has no CRS"),
    ),
    Case(
        name="raster with a CRS but no transform",
        make=lambda d: tiff(d / "r.tif", transform=None),
        outcome=Refused(error=errors.MissingCRSError, says="its place is unknown"),
    ),
    Case(
        name="raster with control points only",
        make=_control_points,  # they form a regular grid
        outcome=Map(bounds=(76, 22, 86, 30), values=column()),
    ),
    Case(
        name="axes in metres without CRS",
        make=_axes("m", "m"),
        outcome=Refused(error=errors.MissingCRSError, says="no usable CRS"),
    ),
    Case(
        name="axes in radians without CRS",
        make=_axes("rad", "rad"),
        outcome=Refused(error=errors.MissingCRSError, says="no usable CRS"),
    ),
    Case(
        name="axes without unit or name",
        make=lambda d: cf_grid(
            d / "a.nc", dims=("a", "b"), coords={"a": ("a", LATITUDE), "b": ("b", LONGITUDE)}
        ),
        outcome=Refused(error=errors.DimensionError, says="has no latitude or y"),
    ),
    Case(
        name="CRS that is nonsense",
        make=lambda d: _mapped(d, {"crs_wkt": "GEOGCS[oops"}),
        outcome=Refused(error=errors.MissingCRSError, says="no usable CRS"),
    ),
    Case(
        name="grid mapping that is not there",
        make=lambda d: cf_grid(d / "m.nc", attrs={"units": "umol m-2", "grid_mapping": "absent"}),
        outcome=Map(),
    ),
    Case(name="degrees without grid mapping", make=lambda d: cf_grid(d / "g.nc"), outcome=Map()),
    # rotated
    Case(
        name="rotated raster",
        make=lambda d: tiff(d / "r.tif", transform=PLACE @ Affine.rotation(10)),
        outcome=Refused(error=errors.IrregularGridError, says="is rotated"),
    ),
    Case(
        name="sheared raster",
        make=lambda d: tiff(d / "r.tif", transform=Affine(0.5, 0.1, 76, 0, -0.5, 30)),
        outcome=Refused(error=errors.IrregularGridError, says="is rotated"),
    ),
    Case(
        name="rotated pole",
        make=_rotated_pole,
        outcome=Refused(error=errors.IrregularGridError, says="rotated"),
    ),
    # directions and registration
    Case(
        name="south-up raster",
        make=lambda d: tiff(
            d / "r.tif", values=column()[::-1], transform=Affine(0.5, 0, 76, 0, 0.5, 26)
        ),
        outcome=Map(),
    ),
    Case(
        name="mirrored raster",
        make=lambda d: tiff(
            d / "r.tif", values=column()[:, ::-1], transform=Affine(-0.5, 0, 81, 0, -0.5, 30)
        ),
        outcome=Map(),
    ),
    Case(
        name="south first and east first",
        make=lambda d: cf_grid(d / "g.nc", latitude=LATITUDE[::-1], longitude=LONGITUDE[::-1]),
        outcome=Map(),
    ),
    Case(
        name="longitude before latitude",
        make=lambda d: cf_grid(d / "g.nc", values=column().T, dims=("longitude", "latitude")),
        outcome=Map(),
    ),
    Case(name="raster of points", make=_point, outcome=Map()),
    Case(name="half-pixel registration with bounds", make=_with_bounds, outcome=Map()),
    # longitudes
    Case(
        name="longitudes 0 to 360",
        make=_east_of(-75, labels=lambda x: x % 360),
        outcome=Map(bounds=(-75, 26, -70, 30)),
    ),
    Case(
        name="longitudes a turn too far",
        make=_east_of(76, labels=lambda x: x + 720),
        outcome=Map(),
    ),
    Case(name="globe from 0", make=_globe(0), outcome=Map(bounds=(-180, -90, 180, 90))),
    Case(name="globe from 180 W", make=_globe(-180), outcome=Map(bounds=(-180, -90, 180, 90))),
    Case(
        name="antimeridian with labels that jump",
        make=_east_of(178, labels=lambda x: (x + 180) % 360 - 180),
        outcome=Map(bounds=(178, 26, 183, 30)),
    ),
    Case(
        name="antimeridian with labels that run on",
        make=_east_of(178),
        outcome=Map(bounds=(178, 26, 183, 30)),
    ),
    Case(
        name="raster across the antimeridian",
        make=lambda d: tiff(
            d / "r.tif",
            values=column(LATITUDE, 178.25 + 0.5 * np.arange(10)),
            transform=Affine(0.5, 0, 178, 0, -0.5, 30),
        ),
        outcome=Map(bounds=(178, 26, 183, 30)),
    ),
    Case(
        name="closing column repeated",
        make=lambda d: cf_grid(
            d / "g.nc", latitude=85 - 10.0 * np.arange(18), longitude=10.0 * np.arange(37)
        ),
        outcome=Refused(error=errors.IrregularGridError, says="repeated columns"),
    ),
    Case(
        name="twice around the globe",
        make=lambda d: cf_grid(
            d / "g.nc", latitude=85 - 10.0 * np.arange(18), longitude=10.0 * np.arange(72)
        ),
        outcome=Refused(error=errors.IrregularGridError, says="covers 720 degrees"),
    ),
    # latitudes
    Case(
        name="latitudes beyond the pole",
        make=lambda d: cf_grid(d / "g.nc", latitude=93.25 - 0.5 * np.arange(8)),
        outcome=Refused(error=errors.IrregularGridError, says="which is not a latitude"),
    ),
    Case(
        name="centres on the poles",
        make=lambda d: cf_grid(
            d / "g.nc", latitude=90 - 10.0 * np.arange(19), longitude=5 + 10.0 * np.arange(36)
        ),
        outcome=Map(bounds=(-180, -85, 180, 85), warns=("2 rows of 36 pixels were cut off",)),
    ),
    # projections and their units
    Case(
        name="metres",
        make=_projected(UTM, "EPSG:32644"),
        outcome=Map(bounds=_bounds(UTM), crs="EPSG:32644", values=_at("EPSG:32644")),
    ),
    Case(
        name="polar stereographic raster",
        make=_projected(POLAR, "EPSG:3413"),
        outcome=Map(bounds=_bounds(POLAR), crs="EPSG:3413", values=_at("EPSG:3413")),
    ),
    Case(
        name="polar stereographic over the pole",
        make=_projected(Affine(25000, 0, -125000, 0, -25000, 100000), "EPSG:3413"),
        outcome=Map(
            bounds=(-125000, -100000, 125000, 100000), crs="EPSG:3413", values=_at("EPSG:3413")
        ),
    ),
    Case(
        name="polar stereographic NetCDF",
        make=lambda d: _projected_nc(d, crs="EPSG:3413", place=POLAR),
        outcome=Map(bounds=_bounds(POLAR), crs="EPSG:3413", values=_at("EPSG:3413")),
    ),
    Case(
        name="kilometres",
        make=lambda d: _projected_nc(d, crs="EPSG:32644", place=UTM, unit="km", by=1000),
        outcome=Map(bounds=_bounds(UTM), crs="EPSG:32644", values=_at("EPSG:32644")),
    ),
    Case(
        name="feet",
        make=_projected(FEET, "EPSG:2263"),
        outcome=Map(bounds=_bounds(FEET), crs="EPSG:2263", values=_at("EPSG:2263")),
    ),
    Case(
        name="axes in feet under a CRS in metres",
        make=lambda d: _projected_nc(d, crs="EPSG:32644", place=UTM, unit="ft", by=0.3048),
        outcome=Refused(error=errors.UnitsError, says="not in m or km"),
    ),
    Case(
        name="scan angles of a geostationary imager",
        make=lambda d: _projected_nc(
            d,
            crs="+proj=geos +h=35785831 +lon_0=128.2 +sweep=y",
            place=Affine(5000, 0, 400000, 0, -5000, 3200000),
            unit="rad",
            by=35785831,
        ),
        outcome=Refused(error=errors.UnitsError, says="scan angles"),
    ),
    Case(
        name="degrees under a projection",
        make=lambda d: _mapped(d, CRS("EPSG:32644").to_cf()),
        outcome=Refused(error=errors.UnitsError, says="degrees but the CRS is"),
    ),
    Case(
        name="another datum",
        make=lambda d: tiff(d / "r.tif", crs="EPSG:4267"),
        outcome=Map(crs="EPSG:4267"),
    ),
    Case(
        name="a CRS with heights",
        make=lambda d: tiff(d / "r.tif", crs="EPSG:4979"),
        outcome=Map(crs="EPSG:4979"),
    ),
    # cells
    Case(
        name="cells that are not square",
        make=lambda d: tiff(
            d / "r.tif",
            values=column(29.75 - 0.5 * np.arange(8), 76.05 + 0.1 * np.arange(10)),
            transform=Affine(0.1, 0, 76, 0, -0.5, 30),
        ),
        outcome=Map(bounds=(76, 26, 77, 30)),
    ),
    Case(
        name="single row",
        make=lambda d: tiff(d / "r.tif", values=column()[:1]),
        outcome=Refused(error=errors.ImageError, says=r"at least 2 cells"),
    ),
    Case(
        name="single column",
        make=lambda d: cf_grid(d / "g.nc", longitude=LONGITUDE[:1]),
        outcome=Refused(error=errors.ImageError, says=r"at least 2 cells"),
    ),
    Case(
        name="single cell",
        make=lambda d: tiff(d / "r.tif", values=column()[:1, :1]),
        outcome=Refused(error=errors.ImageError, says=r"at least 2 cells"),
    ),
    Case(
        name="three rows",
        make=lambda d: cf_grid(d / "g.nc", latitude=LATITUDE[:3]),
        outcome=Refused(error=errors.TooSmallError, says="3 x 10 cells.* at least 4 are needed"),
    ),
    Case(
        name="uneven axis",
        make=lambda d: cf_grid(d / "g.nc", latitude=30 - np.array([0, 1, 2, 4, 8, 12, 13, 14.0])),
        outcome=Refused(error=errors.IrregularGridError, says="not regular"),
    ),
    Case(
        name="unsorted axis",
        make=lambda d: cf_grid(d / "g.nc", longitude=LONGITUDE[[0, 2, 1, 3, 4, 5, 6, 7, 8, 9]]),
        outcome=Refused(error=errors.IrregularGridError, says="not regular"),
    ),
    Case(
        name="repeated coordinate",
        make=lambda d: cf_grid(d / "g.nc", longitude=LONGITUDE[[0, 1, 2, 3, 4, 4, 6, 7, 8, 9]]),
        outcome=Refused(error=errors.IrregularGridError, says="not regular"),
    ),
    Case(
        name="axis of equal values",
        make=lambda d: cf_grid(d / "g.nc", longitude=np.full(10, 76.25)),
        outcome=Refused(error=errors.IrregularGridError, says="not regular"),
    ),
    Case(
        name="missing coordinate",
        make=lambda d: cf_grid(
            d / "g.nc", longitude=np.where(np.arange(10) == 4, np.nan, LONGITUDE), values=column()
        ),
        outcome=Refused(error=errors.IrregularGridError, says="centres missing|not regular"),
    ),
    Case(
        name="infinite coordinate",
        make=lambda d: cf_grid(
            d / "g.nc", longitude=np.where(np.arange(10) == 9, np.inf, LONGITUDE), values=column()
        ),
        outcome=Refused(error=errors.IrregularGridError, says="not regular"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_georeference(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


def test_the_reference_grid_is_what_the_cases_take_it_for():
    assert (LONGITUDE[0] - 0.25, LATITUDE[-1] - 0.25, LONGITUDE[-1] + 0.25, 30) == BOUNDS

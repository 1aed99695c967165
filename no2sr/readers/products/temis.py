"""KNMI TEMIS monthly means in fixed-width text, ``no2_YYYYMM.asc`` (TROPOMI).

Recognised by ``lat=`` lines below at most ten lines of header. The values of a latitude are fields
of exactly four characters without separators, so ``-9991234`` is two of them; ``-999`` is missing.
The unit is 1e13 molecules cm-2. Rows go from south to north, and columns around the globe from
180 W. The month is only in the name of the file. The format is not ESRI ASCII. The monthly means
are already screened. Source: TEMIS tropospheric NO2 product page (KNMI) and two independent
parsers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.errors import FileUnreadableError, MissingVariableError
from no2sr.core.times import date_scene
from no2sr.readers.kit.coverage import month_in
from no2sr.readers.kit.files import read_beginning

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Temis"]

VARIABLE = "tropospheric_NO2"
WIDTH, MISSING = 4, -999
HEADER = 10  # lines at most; the files have four
_ROW = re.compile(r"\s*lat\s*=\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*", re.IGNORECASE)


class Temis:
    """Reader of the fixed-width text files of TEMIS."""

    name = "temis"
    product = "KNMI TEMIS monthly NO2 grid (fixed-width text)"

    def recognises(self, path: Path) -> bool:
        """Tell whether a line ``lat=`` follows a short header of text."""
        lines = read_beginning(path, 2048).split(b"\n")[: HEADER + 1]
        return any(_ROW.fullmatch(line.decode("latin-1").rstrip()) for line in lines)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the grid.

        Raises
        ------
        FileUnreadableError
            If a row is incomplete, or does not consist of numbers.
        MissingVariableError
            If another variable than the only one was named.
        """
        if options.variable not in (None, VARIABLE):
            raise MissingVariableError(
                f"{path.name} has no variable {options.variable!r}, only {VARIABLE} "
                "[1e13 molecules cm-2]; leave variable= out"
            )
        rows = _rows(path)
        values = np.stack([row for _, row in rows])
        latitude = np.array([latitude for latitude, _ in rows])
        step = 360 / values.shape[1]
        longitude = -180 + step * (np.arange(values.shape[1]) + 0.5)
        grid = xr.Dataset(
            {
                VARIABLE: (
                    ("latitude", "longitude"),
                    np.where(values == MISSING, np.nan, values),
                    {"units": "1e13 molecules cm-2"},
                )
            },
            coords={
                "latitude": ("latitude", latitude, {"units": "degrees_north"}),
                "longitude": ("longitude", longitude, {"units": "degrees_east"}),
            },
            attrs={"source": f"KNMI TEMIS ({path.name})"},
        )
        return date_scene(grid, month_in(path.name))


def _rows(path: Path) -> list[tuple[float, NDArray[np.float64]]]:
    """Read the latitude and the values of every row."""
    rows: list[tuple[float, list[str]]] = []
    for line in path.read_text(encoding="latin-1").splitlines():
        start = _ROW.fullmatch(line)
        if start:
            rows.append((float(start[1]), []))
        elif rows:
            rows[-1][1].append(line)
    fields = [(latitude, _fields(lines, latitude, path)) for latitude, lines in rows]
    sizes = {row.size for _, row in fields}
    if len(sizes) != 1 or len(fields) < 2 or 0 in sizes:
        raise FileUnreadableError(
            f"{path.name} has {len(fields)} rows of {sorted(sizes)} values, not of equal length; "
            "it may be truncated: download it again"
        )
    return fields


def _fields(lines: list[str], latitude: float, path: Path) -> NDArray[np.float64]:
    """Parse the numbers in the lines of a row."""
    try:
        joined = "".join(line.rstrip() for line in lines).encode("latin-1")
        return np.frombuffer(joined, f"S{WIDTH}").astype("float64")
    except ValueError as broken:
        raise FileUnreadableError(
            f"{path.name} has fields at lat={latitude:g} that are not numbers of {WIDTH} "
            f"characters ({broken}); it may be truncated: download it again"
        ) from broken


READER = Temis()

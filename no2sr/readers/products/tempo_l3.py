"""TEMPO level 3 NO2 grids (V03, V04): axes in the root, variables in groups.

Recognised by the group ``product`` beside 1-D ``latitude`` and ``longitude`` in the root. Cells of
0.02 degree are means of level 2 pixels by area, without a quality mask. The screens of level 2 are
therefore applied to the cells: flag 0, cloud fraction up to 0.2, solar zenith angle below 70
degrees, as far as the file has these variables; `limits` changes the limits. A scan has about
640 MB, so only the requested box is read. The groups of such a file have no coordinates. Source:
TEMPO level 2 and 3 trace gas user guide (SAO).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from no2sr.core.columns import choose, list_fields
from no2sr.core.errors import MissingVariableError
from no2sr.core.image import regular_axis
from no2sr.core.layers import TOTAL, layer_name
from no2sr.readers.kit.netcdf import fields_in, find, is_netcdf, open_netcdf
from no2sr.readers.kit.screens import apply_limits, find_failing
from no2sr.readers.products.tempo_l2 import CRITERIA, origin

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.core.columns import Field
    from no2sr.core.earth import Box
    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "TempoLevel3"]

COLUMN = "product/vertical_column_troposphere"
AXES = ("latitude", "longitude")
MARGIN = 1.5  # cells; a cell touches a box up to half a cell from its centre


class TempoLevel3:
    """Reader of TEMPO level 3 files."""

    name = "tempo_l3"
    product = "TEMPO level 3 NO2 grid"
    criteria = CRITERIA

    def recognises(self, path: Path) -> bool:
        """Tell whether the file has the group ``product``, and 1-D axes in the root."""
        if not is_netcdf(path):
            return False
        with open_netcdf(path) as file:
            axes = [find(file, name) for name in AXES]
            return "product" in file.groups and all(a is not None and a.ndim == 1 for a in axes)

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the column on the axes of the root, and screen its cells.

        Raises
        ------
        MissingVariableError
            If there is no tropospheric column; the message lists the variables.
        """
        with open_netcdf(path) as file:
            fields = [field for field in fields_in(file) if len(field.dims) > 1]
            attrs = origin(file, path)
            if options.variable is None and find(file, COLUMN) is None:
                raise MissingVariableError(
                    f"{path.name} has no tropospheric NO2 column ({COLUMN}), only "
                    f"{list_fields(fields)}; to use one of these, name it with variable="
                )
        field = choose(fields, variable=options.variable or COLUMN, source=path.name)
        grid, screening = _screen(path, field, fields, options)
        return grid.assign_attrs(attrs | {"screening": screening})


def _screen(
    path: Path, field: Field, fields: list[Field], options: ReadOptions
) -> tuple[xr.Dataset, str]:
    """Read a field, screen its cells, and describe the screens."""
    tree = xr.open_datatree(
        path.absolute(), engine="netcdf4", decode_times=False, chunks=options.chunks
    )
    root = tree.to_dataset()
    cells = {name: _window(root[name], name, options.bbox) for name in AXES}
    there = {f.path: tree[f.path].isel(cells, missing_dims="ignore") for f in fields}
    bad, screening = find_failing(apply_limits(CRITERIA, options.limits), there.get)
    column = there[field.path] if bad is None else there[field.path].where(~bad)
    grid = column.rename(field.name).to_dataset()
    error = there.get(f"{field.path}_uncertainty")
    if error is not None:
        grid[layer_name(field.name, TOTAL)] = error if bad is None else error.where(~bad)
    grid.set_close(tree.close)
    return grid, screening


def _window(axis: xr.DataArray, name: str, box: Box | None) -> slice:
    """Find the cells of an axis that a box may touch, because a scan is large."""
    if box is None:
        return slice(None)
    first, step = regular_axis(axis.values, name)
    centres = first + step * np.arange(axis.size, dtype=np.float64)
    west, south, east, north = box
    turn = 360 * round(((centres[0] + centres[-1]) - (west + east)) / 720)
    low, high = (south, north) if name == "latitude" else (west + turn, east + turn)
    margin = MARGIN * abs(step)
    inside = np.flatnonzero((centres > low - margin) & (centres < high + margin))
    if inside.size < 2:  # outside, which the caller refuses
        return slice(None)
    return slice(int(inside[0]), int(inside[-1]) + 1)


READER = TempoLevel3()

"""Open a file, and the one that was made of it, on the same cells."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from no2sr.cli.guard import guarded

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = ["opened"]


def opened(path: Path, fine: Path | None = None, **reading: Any) -> list[xr.DataArray]:
    """Open one image, or two of which the second tells the region of the first.

    Parameters
    ----------
    path, fine : Path
    **reading
        Options of `no2sr.cli.options.interpreting` and ``region``; they hold for `path`,
        and the time for both where both have several.

    Returns
    -------
    list of DataArray
    """
    import no2sr
    from no2sr.core.door import choose_variable
    from no2sr.core.errors import OversampledWarning, RefinedInputWarning
    from no2sr.core.grid import bounds_of
    from no2sr.core.image import is_geographic

    reading["unit"] = reading.pop("unit_in")
    if fine is None:
        return [choose_variable(guarded(no2sr.open_no2, path, **reading))]
    with warnings.catch_warnings():
        for known in (OversampledWarning, RefinedInputWarning):  # that is what is looked at
            warnings.simplefilter("ignore", known)
        second = choose_variable(guarded(no2sr.open_no2, fine))
        if second.sizes.get("time", 1) > 1 and reading["time"] is not None:
            second = choose_variable(guarded(no2sr.open_no2, fine, time=reading["time"]))
        if reading["bbox"] is None and is_geographic(second):
            reading["bbox"] = bounds_of(second)
        return [choose_variable(guarded(no2sr.open_no2, path, **reading)), second]

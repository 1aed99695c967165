"""What `downscale` does not carry is named once, and what only describes the grid is not."""

import warnings

import numpy as np
import pytest
import xarray as xr

import no2sr


def _scene(**others):
    values = np.linspace(1e-5, 9e-5, 80, dtype=np.float32).reshape(8, 10)
    axes = {"lat": 50 - 0.1 * np.arange(8), "lon": 4 + 0.1 * np.arange(10)}
    attrs = {"units": "mol m-2", "cell_measures": "area: size"}
    column = {"no2": (("lat", "lon"), values, attrs)}
    return xr.Dataset({**column, **others}, axes)


def _field(*before, dims=(), unit="1", value=1):
    values = np.full((*before, 8, 10), value, np.float32)
    return (*dims, "lat", "lon"), values, {"units": unit}


KERNEL = {"averaging_kernel": _field(3, dims=("layer",)), "air_mass_factor": _field()}


def test_other_variables_of_the_grid_are_named_once():
    scene = _scene(**KERNEL, pressure=("layer", np.arange(3.0)))
    with pytest.warns(no2sr.No2srWarning) as caught:
        fine = no2sr.downscale(scene, scale=2, model="nearest", variable="no2")
    (warning,) = [one for one in caught if one.category is no2sr.No2srWarning]
    text = str(warning.message)
    assert "(averaging_kernel, air_mass_factor)" in text
    assert warning.filename == __file__
    assert set(fine.data_vars) == {"no2"}


def test_lazy_ones_are_named_too_and_long_lists_are_cut():
    scene = _scene(**{f"field_{number}": _field() for number in range(9)}).chunk()
    with pytest.warns(no2sr.No2srWarning, match=r"field_0, .*field_5, \.\.\.\)"):
        no2sr.downscale(scene, scale=2, model="nearest", variable="no2")


def test_companions_axes_and_the_grid_itself_are_not_named():
    bounds = ("lat", "lon", "corner"), np.zeros((8, 10, 4))
    scene = _scene(
        no2_uncertainty=_field(unit="mol m-2", value=1e-6),
        coverage=_field(),
        count=_field(),
        size=_field(unit="m2"),
        corners=bounds,
        crs=((), 0),
    )
    scene["lat"].attrs["bounds"] = "corners"
    with warnings.catch_warnings():
        warnings.simplefilter("error", no2sr.No2srWarning)
        no2sr.downscale(scene, scale=2, model="nearest", variable="no2")
        no2sr.downscale(_scene(**KERNEL)["no2"], scale=2, model="nearest")

"""Functions and objects of users as methods, and what is said of those that are none."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr

import no2sr
from no2sr.core.errors import DimensionError, ModelError, SettingsError
from no2sr.downscaling.method import Estimate, Method
from no2sr.downscaling.tally import Tally
from no2sr.simulation.scenes import scene
from no2sr.steps.gaps import fill_gaps


def repeat(coarse, scale):
    """Repeat every cell; gaps stay."""
    return np.kron(coarse, np.ones((scale, scale)))


class Own:
    """A method of a user, with all members."""

    name, scale, halo, reach, facts, states_uncertainty = "own", 4, 0, 0, {"model": "own"}, False

    def __call__(self, block):
        """Repeat every cell."""
        return Estimate(repeat(block.values, 4).astype(np.float32), None, Tally.of(block.values))


@pytest.fixture
def image():
    """Return an image with a gap."""
    made = scene((24, 24), seed=0)
    return made.copy(data=np.where(np.arange(24 * 24).reshape(24, 24) == 80, np.nan, made.values))


@pytest.mark.parametrize(
    "model", [repeat, partial(repeat), Own()], ids=["def", "partial", "object"]
)
def test_functions_and_objects_are_methods(image, model):
    fine = no2sr.downscale(image, scale=4, model=model)
    np.testing.assert_array_equal(fine.values, repeat(image.values, 4).astype(np.float32))
    assert fine.attrs["no2sr_model"] in {"repeat", "partial", "own"}


def test_a_function_cannot_change_its_input(image):
    def destroy(coarse, scale):
        whole = repeat(coarse, scale)
        coarse[:] = 0
        return whole

    fine = no2sr.downscale(image, scale=4, model=destroy)
    assert int(fine.isnull().sum()) == 16


@pytest.mark.parametrize(
    ("function", "error", "message"),  # a function takes the coarse array and the scale
    [
        (lambda coarse: coarse, SettingsError, r"cannot be called as <lambda>\(coarse, scale\)"),
        (
            lambda coarse, scale: coarse[scale, scale, scale],
            ModelError,
            r"shape \(24, 24\) \(IndexError: too many",
        ),
        (
            lambda coarse, scale: coarse * scale,
            DimensionError,
            r"\(24, 24\) where \(96, 96\) was needed",
        ),
        (
            lambda coarse, scale: {scale: coarse},
            ModelError,
            "returned values of type object; return real",
        ),
        (lambda coarse, scale: 1j * repeat(coarse, scale), ModelError, "of type complex128"),
        (
            lambda coarse, scale: repeat(coarse, scale) + coarse.sum(),
            ModelError,
            "NaN or infinity in 9200 fine cells that are observed; fill gaps before",
        ),
    ],
)
def test_functions_that_fail_are_named(image, function, error, message):
    with pytest.raises(error, match=message):
        no2sr.downscale(image, scale=4, model=function)


def test_gaps_are_filled_as_the_message_advises(image):
    def sharpen(coarse, scale):
        filled = fill_gaps(coarse, 8)
        return repeat(filled, scale) + filled.sum() * 0

    assert int(no2sr.downscale(image, scale=4, model=sharpen).isnull().sum()) == 16


@pytest.mark.parametrize("model", [5, True, [1], {}, b"srcnn", np.zeros(3), Own, type, object()])
def test_what_is_no_method_is_named(image, model):
    with pytest.raises(SettingsError, match="is no method; give the name of one, a path, a Model"):
        no2sr.downscale(image, scale=4, model=model)
    with pytest.raises(SettingsError, match="is no method"):
        no2sr.evaluate(image, methods={"mine": model})


def test_networks_of_other_libraries_are_named(image):
    import keras

    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3)])
    with pytest.raises(
        SettingsError, match=r"a Sequential of keras, .* no2sr\.load_model\(network"
    ):
        no2sr.downscale(image, scale=4, model=network)
    module = type("Net", (), {"__module__": "torch.nn.modules", "__call__": repeat})
    with pytest.raises(
        SettingsError, match=r"a Net of torch, without a card; .*torch\.onnx\.export"
    ):
        no2sr.downscale(image, scale=4, model=module())


def test_an_incomplete_method_is_named(image):
    class Short:
        name, scale, halo = "short", 4, 2

        def __call__(self, block):
            return block

    assert not isinstance(Short(), Method)
    with pytest.raises(SettingsError, match="method short lacks reach, facts, states_uncertainty"):
        no2sr.downscale(image, scale=4, model=Short())


def test_evaluate_takes_methods_in_any_usual_form():
    reference = scene((48, 48), seed=1)
    one = no2sr.evaluate(reference, methods=repeat)
    assert list(one.index) == ["repeat"]
    several = no2sr.evaluate(
        reference, methods=[repeat, "nearest", no2sr.load_model("srcnn", scale=4)]
    )
    assert list(several.index) == ["repeat", "nearest", "srcnn"]
    assert several.loc["repeat", "rmse"] == several.loc["nearest", "rmse"] == one["rmse"].item()
    assert list(no2sr.evaluate(reference, methods="nearest").index) == ["nearest"]
    with pytest.raises(SettingsError, match="two methods are called srcnn; name it once"):
        no2sr.evaluate(reference, methods=["srcnn", "srcnn"])
    with pytest.raises(SettingsError, match="methods is empty"):
        no2sr.evaluate(reference, methods=[])
    with pytest.raises(SettingsError, match="the label of a method is 1"):
        no2sr.evaluate(reference, methods={1: "nearest"})


def test_evaluate_takes_what_downscale_takes():
    reference = scene((48, 48), seed=1)
    plain = xr.DataArray(
        reference.values[::-1],
        dims=("lat", "lon"),
        coords={"lat": reference["y"].values[::-1], "lon": reference["x"].values},
        attrs={"units": "mol m-2"},
    )
    wanted = no2sr.evaluate(reference, methods=["nearest"])
    found = no2sr.evaluate(plain, methods=["nearest"])
    np.testing.assert_allclose(found["rmse"], wanted["rmse"], rtol=1e-5)
    with pytest.raises(DimensionError, match="got a str instead of an xarray"):
        no2sr.evaluate("map.nc", methods=["nearest"])
    with pytest.raises(DimensionError, match="got a int instead of an xarray"):
        no2sr.evaluate(5, methods=["nearest"])

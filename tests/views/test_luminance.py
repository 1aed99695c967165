"""Luminance: MATLAB's formula, networks on whole planes, and no mixing with data."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr

from no2sr.core.errors import CardMismatchError, DimensionError, SettingsError
from no2sr.downscaling.method import Block, Method
from no2sr.downscaling.pipeline import downscale
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.registry import build_network
from no2sr.steps.luminance import WHITE, luminance_of
from no2sr.steps.resample import upsample
from no2sr.views.luminance import LuminanceMethod, enlarge_luminance


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(3).integers(0, 256, (30, 41, 3), dtype=np.uint8)


def _model(weights_of=1.0, **facts):
    """Return a small network with random weights, biases included."""
    import keras

    keras.utils.set_random_seed(4)
    network = build_network("srcnn", scale=3, filters=(6, 4))
    rng = np.random.default_rng(4)
    weights = [weights_of * (w + rng.normal(0, 0.02, w.shape)) for w in network.get_weights()]
    weights[-1] += 0.3 * weights_of  # so that few values need clipping
    network.set_weights(weights)
    facts = {"domain": "luminance"} | facts
    return Model(
        card=ModelCard(network="srcnn", scale=3, radius=7, shrink=6, **facts), network=network
    )


def test_luminance_is_that_of_bt_601(picture):
    # Black is 16, white 16 + 65.481 + 128.553 + 24.966 = 235.
    ends = luminance_of(np.array([[[0, 0, 0], [255, 255, 255]]]))
    np.testing.assert_allclose(ends, [[16, 235]], atol=1e-5)
    np.testing.assert_allclose(luminance_of(picture), rgb2ycbcr(picture)[..., 0], atol=1e-4)


def test_a_plane_is_luminance_already():
    plane = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(luminance_of(plane), plane)
    with pytest.raises(DimensionError, match=r"shape \(3, 4, 2\); give luminance \(y, x\), or"):
        luminance_of(np.zeros((3, 4, 2)))


def test_a_network_that_adds_nothing_leaves_the_bicubic_picture(picture):
    plane = luminance_of(picture)
    found = enlarge_luminance(plane, _model(weights_of=0.0))
    np.testing.assert_allclose(found, np.clip(upsample(plane, 3), 0, 255), atol=1e-4)


def test_a_network_that_gives_the_whole_picture_is_not_added(picture):
    plane = luminance_of(picture)
    added = enlarge_luminance(plane, _model()) / WHITE
    whole = enlarge_luminance(plane, _model(predicts="image")) / WHITE
    both = np.clip(upsample(plane, 3) / WHITE + whole, 0, 1)
    inside = (whole > 0) & (whole < 1)  # elsewhere it was clipped
    assert inside.mean() > 0.2
    np.testing.assert_allclose(added[inside], both[inside], atol=1e-5)


@pytest.mark.parametrize("tile", [16, 37, 1000])
def test_tiles_change_nothing(picture, tile):
    plane = luminance_of(picture)
    block = Block(values=plane, areas=np.ones(3 * len(plane)))
    whole, tiled = (LuminanceMethod(model=_model(), tile=side)(block) for side in (1000, tile))
    np.testing.assert_allclose(tiled.values, whole.values, rtol=0, atol=1e-6 * WHITE)


def test_the_picture_path_is_a_method_like_any_other(picture):
    method = LuminanceMethod(model=_model())
    assert isinstance(method, Method)
    assert (method.name, method.scale, method.facts) == ("luminance", 3, {"model": "luminance"})
    plane = luminance_of(picture)
    whole = enlarge_luminance(plane, _model())
    plane[4, 7] = np.nan
    estimate = method(Block(values=plane, areas=np.ones(3 * len(plane))))
    gaps = np.isnan(estimate.values)
    assert gaps.sum() == gaps[12:15, 21:24].sum() == 9
    assert (estimate.tally.cells, estimate.tally.valid) == (plane.size, plane.size - 1)
    near = np.abs(np.where(gaps, 0, estimate.values - whole)) > 1e-3 * WHITE
    rows, columns = np.nonzero(near)
    assert rows.size
    reach = 3 * 2 * _model().card.margin + 1
    assert max(abs(rows - 13).max(), abs(columns - 22).max()) <= reach


def test_shaving_leaves_what_a_larger_picture_would_have_given(picture):
    plane = luminance_of(picture)
    whole = enlarge_luminance(plane, _model())
    shaved = enlarge_luminance(plane, _model(), edges="shave")
    np.testing.assert_array_equal(shaved, whole[7:-7, 7:-7])


def test_values_stay_grey_levels():
    plane = np.zeros((12, 12), np.float32)
    plane[:, 6:] = 255  # bicubic interpolation overshoots at such an edge
    found = enlarge_luminance(plane, _model(weights_of=0.0))
    assert found.min() == 0
    assert found.max() == 255


def test_what_cannot_be_enlarged_is_refused():
    with pytest.raises(CardMismatchError, match="for columns, not for luminance"):
        enlarge_luminance(np.zeros((9, 9)), _model(domain="column"))
    with pytest.raises(SettingsError, match="edges is 'cut'; choose 'pad' or 'shave'"):
        enlarge_luminance(np.zeros((9, 9)), _model(), edges="cut")


@pytest.mark.parametrize("predicts", ["correction", "image"])
def test_columns_are_downscaled_around_grey_and_conserved(grid, predicts):
    model = _model(predicts=predicts)
    fine = downscale(grid, scale=3, model=model)["tropospheric_NO2_column"]
    assert fine.attrs["no2sr_closure_max"] < 1e-6
    doubled = grid * 2 + 1e-5  # keeps attributes
    twice = downscale(doubled, scale=3, model=model)["tropospheric_NO2_column"]
    np.testing.assert_allclose(twice, fine * 2 + 1e-5, rtol=0, atol=1e-5 * float(fine.std()) * 10)


def test_a_network_that_gives_back_what_it_sees_corrects_nothing(grid):
    # 9-3-5 kernels with a one in the middle hand the picture, which is never negative, on.
    model = _model(predicts="image")
    weights = [0 * w for w in model.network.get_weights()]
    weights[0][4, 4, 0, 0] = weights[2][1, 1, 0, 0] = weights[4][2, 2, 0, 0] = 1
    model.network.set_weights(weights)
    nothing = _model(weights_of=0.0)
    one, other = (
        downscale(grid, scale=3, model=m)["tropospheric_NO2_column"] for m in (model, nothing)
    )
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * float(one.std()))


def test_the_plane_is_not_modified(picture):
    plane = luminance_of(picture)
    before = plane.copy()
    enlarge_luminance(plane, _model())
    np.testing.assert_array_equal(plane, before)

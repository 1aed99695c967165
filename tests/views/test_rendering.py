"""Pictures: colours of the ramp, places kept, no way back to data."""

from __future__ import annotations

import numpy as np
import pytest
import rioxarray
import xarray as xr
from affine import Affine
from PIL import Image

import no2sr
from no2sr.core.colours import GAP, PICTURE, ramp
from no2sr.core.door import enter
from no2sr.core.errors import CardMismatchError, DimensionError, NoValidPixelsError, SettingsError
from no2sr.core.grid import georeference, transform_of
from no2sr.networks.card import Model, ModelCard
from no2sr.networks.registry import build_network
from no2sr.networks.store import available_models, load_model
from no2sr.steps.luminance import luminance_of
from no2sr.steps.resample import resize, upsample
from no2sr.views.luminance import enlarge_luminance
from no2sr.views.rendering import draw_legend, enhance, render


@pytest.fixture
def image(grid):
    return enter(grid)


@pytest.fixture(scope="module")
def model():
    """Return a small network for luminance at scale 3 with random weights."""
    import keras

    keras.utils.set_random_seed(4)
    network = build_network("srcnn", scale=3, filters=(6, 4))
    card = ModelCard(network="srcnn", scale=3, radius=7, shrink=6, domain="luminance")
    return Model(card=card, network=network)


@pytest.fixture
def idle(model):
    """Return the same network with weights of 0: it adds nothing to bicubic."""
    import keras

    network = keras.models.clone_model(model.network)
    network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    return Model(card=model.card, network=network)


def _picture(shape=(20, 24), *, bands=3, seed=0, crs="EPSG:32643", transform=None):
    values = np.random.default_rng(seed).integers(0, 256, (bands, *shape), dtype=np.uint8)
    picture = xr.DataArray(values, dims=("band", "y", "x"))
    place = transform or Affine(3000, 0, 400_000, 0, -2500, 3_100_000)
    return georeference(picture, place, crs)


def test_values_get_the_colours_of_the_ramp(image):
    low, high = 0, 200
    picture = render(image, limits=(low, high))
    assert picture.dims == ("band", "y", "x")
    assert list(picture["band"].values) == ["red", "green", "blue", "alpha"]
    assert picture.dtype == np.uint8
    for y, x in ((0, 0), (9, 12), (19, 5)):
        share = (1e6 * float(image[y, x]) - low) / (high - low)
        expected = ramp()[int(np.clip(256 * share, 0, 255))]
        np.testing.assert_array_equal(picture.values[:3, y, x], expected)
    xr.testing.assert_equal(picture["x"], image["x"])
    assert picture.rio.crs == image.rio.crs
    assert picture.rio.transform() == image.rio.transform()


def test_gaps_are_transparent_and_alpha_comes_only_with_gaps(image):
    picture = render(image)
    np.testing.assert_array_equal(picture.sel(band="alpha") == 0, np.isnan(image.values))
    assert (picture.values[:, 4, 3] == 0).all()
    whole = render(image.fillna(0))
    assert list(whole["band"].values) == ["red", "green", "blue"]


@pytest.mark.parametrize("name", ["viridis", "magma", "cividis_r"])
def test_what_lies_beyond_the_limits_has_the_colour_of_the_end(image, name):
    picture = render(image, limits=(20, 60), ramp=name)
    seen = np.isfinite(image.values)
    for beyond, end in ((1e6 * image.values >= 60, -1), (1e6 * image.values < 20, 0)):
        shown = np.moveaxis(picture.values[:3], 0, -1)[beyond & seen]
        assert (shown == ramp(name)[end]).all()


def test_no_colour_of_a_value_is_the_grey_of_gaps():
    assert not any(
        (ramp(name) == GAP).all(axis=1).any() for name in ("magma", "viridis", "cividis")
    )


def test_bad_requests_are_refused(image):
    with pytest.raises(SettingsError, match="the lower one first"):
        render(image, limits=(5, 5))
    with pytest.raises(SettingsError, match="'jet'"):
        render(image, ramp="jet")
    with pytest.raises(DimensionError, match="time="):
        render(xr.concat([image, image], "time"))
    with pytest.raises(NoValidPixelsError):
        render(image.where(False))


def test_picture_is_no_data_ever_again(image):
    picture = render(image)
    assert "NO2" in picture.attrs[PICTURE]
    band = picture.isel(band=0, drop=True).astype("float32").assign_attrs(units="mol m-2")
    for refused in (picture, band):
        with pytest.raises(DimensionError, match="picture"):
            no2sr.downscale(refused, scale=2)


def test_legend_shows_the_ends_of_the_ramp_and_lies_nowhere(image):
    legend = draw_legend(render(image, limits=(-10, 150), ramp="viridis"))
    bar = np.moveaxis(legend.values, 0, -1)[25]
    shown = bar[(bar != 255).any(axis=1)]
    assert np.abs(shown[3].astype(int) - ramp("viridis")[1]).max() <= 4
    assert np.abs(shown[-4].astype(int) - ramp("viridis")[-2]).max() <= 4
    assert "x" not in legend.coords
    with pytest.raises(DimensionError, match="what render returned"):
        draw_legend(_picture())


def test_luminance_takes_the_network_and_chroma_does_not(model):
    picture = _picture()
    fine = enhance(picture, scale=3, model=model)
    assert fine.shape == (3, 60, 72)
    # ITU-R BT.601 over the full range, as OpenCV documents it, written out.
    red, green, blue = picture.values.astype(np.float32)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    luminance = enlarge_luminance(luma, model)
    cr, cb = (upsample(0.713 * (red - luma), 3), upsample(0.564 * (blue - luma), 3))
    wanted = [
        luminance + 1.403 * cr,
        luminance - 0.714 * cr - 0.344 * cb,
        luminance + 1.773 * cb,
    ]
    wanted = np.clip(wanted, 0, 255)
    assert np.abs(fine.values - wanted).max() < 1.5  # a rounding, and three digits of the formula
    assert np.abs(luminance - upsample(luma, 3)).max() > 1  # the network did something


def test_a_network_that_adds_nothing_leaves_bicubic_colours(idle):
    # A smooth picture: neither 8-bit chroma nor clipping may move it by more than roundings.
    ramps = np.linspace(60, 190, 24)
    values = np.stack(
        [np.tile(ramps, (20, 1)), np.tile(ramps[::-1], (20, 1)), np.full((20, 24), 99)]
    )
    picture = xr.DataArray(np.rint(values).astype(np.uint8), dims=("band", "y", "x"))
    fine = enhance(picture, scale=3, model=idle)
    for band in range(3):
        wanted = upsample(picture.values[band].astype(np.float32), 3)
        assert np.abs(fine.values[band] - wanted).max() <= 3
    assert "x" not in fine.coords


@pytest.mark.parametrize("edges", ["pad", "shave"])
@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32643", Affine(3000, 0, 400_000, 0, -2500, 3_100_000)),
        ("EPSG:4326", Affine(0.1, 0, 76, 0, -0.1, 29.5)),
        ("EPSG:4326", Affine(0.1, 0, 76, 0, 0.1, 27.5)),  # south up
        (None, Affine(0.1, 0, 76, 0, -0.1, 29.5)),
    ],
)
def test_the_transform_follows_exactly(model, edges, crs, transform):
    picture = _picture(crs=crs, transform=transform)
    fine = enhance(picture, scale=3, model=model, edges=edges)
    cut = 7 if edges == "shave" else 0
    assert fine.shape[1:] == (60 - 2 * cut, 72 - 2 * cut)
    t = transform_of(fine)
    np.testing.assert_allclose((t.a, t.e), (transform.a / 3, transform.e / 3), rtol=1e-12)
    corner = transform @ (cut / 3, cut / 3)
    np.testing.assert_allclose((t.c, t.f), corner, rtol=0, atol=1e-9 * abs(transform.a))
    assert fine.rio.crs == picture.rio.crs


def test_shaved_picture_is_the_middle_of_the_padded_one(model):
    picture = _picture(bands=4)
    padded = enhance(picture, scale=3, model=model)
    shaved = enhance(picture, scale=3, model=model, edges="shave")
    np.testing.assert_array_equal(shaved.values, padded.values[:, 7:-7, 7:-7])


def test_alpha_is_kept_and_hidden_colours_do_not_bleed(model):
    picture = _picture(bands=4)
    picture.values[3] = 255
    picture.values[3, 5:12, 6:14] = 0
    fine = enhance(picture, scale=3, model=model)
    alpha = fine.values[3]
    assert (alpha[18:33, 21:39] == 0).all()
    assert (alpha[:9] == 255).all()
    assert (fine.values[:3, alpha == 0] == 0).all()
    other = picture.copy(deep=True)
    other.values[:3, 5:12, 6:14] = 255 - other.values[:3, 5:12, 6:14]
    np.testing.assert_array_equal(enhance(other, scale=3, model=model).values, fine.values)


def test_enhanced_pictures_say_what_they_are(model, image):
    fine = enhance(render(image), scale=3, model=model)
    assert fine.attrs[PICTURE].endswith("colours magma_r; enlarged 3 times by luminance")
    assert "NO2" in fine.attrs[PICTURE]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(lambda p: p[0], id="one plane"),
        pytest.param(lambda p: p[:2], id="two bands"),
        pytest.param(lambda p: p.astype("float32"), id="float"),
        pytest.param(lambda p: p.rename(y="lat"), id="other dims"),
    ],
)
def test_what_is_no_picture_is_refused(model, bad):
    with pytest.raises(DimensionError, match=r"4 bands of uint8.*measured values to downscale"):
        enhance(bad(_picture()), scale=3, model=model)


def test_models_of_other_scales_or_for_columns_are_refused(model):
    with pytest.raises(CardMismatchError, match="scale 3, not 2"):
        enhance(_picture(), scale=2, model=model)
    with pytest.raises(CardMismatchError, match="not for luminance"):
        enhance(_picture(), scale=4, model="srcnn")
    with pytest.raises(SettingsError, match="edges"):
        enhance(_picture(), scale=3, model=model, edges="crop")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_rendered_files_go_through_enhance(model, image, tmp_path, suffix):
    path = no2sr.write(render(image), tmp_path / f"map{suffix}")
    opened = rioxarray.open_rasterio(path)
    opened.close()
    fine = enhance(opened, scale=3, model=model)
    np.testing.assert_allclose(fine.rio.bounds(), image.rio.bounds(), atol=1e-9)


@pytest.mark.real_data
def test_published_weights_sharpen_colour_pictures(real_data):
    # The authors' network gains 2.36 dB over bicubic on the luminance of Set5 at scale 3
    # (32.75 against 30.39); the way through 8-bit YCrCb, which a picture takes, may cost 0.3 of it.
    model = load_model(real_data / "weights" / "srcnn_955_x3.mat", scale=3)
    gains = []
    for path in sorted((real_data / "sr" / "Set5").iterdir()):
        whole = np.asarray(Image.open(path).convert("RGB"))
        wanted = whole[: whole.shape[0] // 3 * 3, : whole.shape[1] // 3 * 3]
        shape = wanted.shape[0] // 3, wanted.shape[1] // 3
        planes = [plane.astype(np.float32) for plane in np.moveaxis(wanted, -1, 0)]
        coarse = np.stack([np.clip(np.rint(resize(plane, shape)), 0, 255) for plane in planes])
        picture = xr.DataArray(coarse.astype(np.uint8), dims=("band", "y", "x"))
        found = np.moveaxis(enhance(picture, scale=3, model=model).values, 0, -1)
        plain = np.stack([np.clip(np.rint(upsample(plane, 3)), 0, 255) for plane in coarse], -1)
        gains.append(_psnr(found, wanted) - _psnr(plain, wanted))
    assert len(gains) == 5
    assert min(gains) > 0
    assert np.mean(gains) > 2.36 - 0.3


def _psnr(found, wanted):
    """Return the peak signal-to-noise ratio of the luminance inside a border of 3 pixels."""
    errors = (luminance_of(found) - luminance_of(wanted))[3:-3, 3:-3]
    return 10 * np.log10(255**2 / np.mean(errors.astype(float) ** 2))


SHIPPED = [card.scale for card in available_models() if card.name == "luminance"]


@pytest.mark.parametrize("scale", SHIPPED)
def test_shipped_weights_beat_bicubic_on_a_rendered_map(scale):
    # Plumes with sharp rims, rendered fine, then averaged: what enhance is to find again.
    y, x = np.mgrid[0:120, 0:144]
    column = 1e-5 + sum(
        1e-4 / (1 + np.exp((np.hypot(y - top, (x - left) / 2) - 9) / 0.4))
        for top, left in ((25, 30), (60, 90), (95, 40), (30, 120))
    )
    image = xr.DataArray(column.astype(np.float32), dims=("y", "x"), attrs={"units": "mol m-2"})
    image = georeference(image, Affine(0.01, 0, 76, 0, -0.01, 29), "EPSG:4326")
    wanted = render(image, limits=(0, 120))
    planes = wanted.values.astype(np.float32)
    shape = 120 // scale, 144 // scale
    coarse = np.rint(np.clip([resize(plane, shape) for plane in planes], 0, 255)).astype(np.uint8)
    fine = enhance(xr.DataArray(coarse, dims=("band", "y", "x")), scale=scale)
    plain = np.rint(np.clip([upsample(plane, scale) for plane in coarse], 0, 255))
    found, bicubic, truth = (np.moveaxis(v, 0, -1) for v in (fine.values, plain, wanted.values))
    assert _psnr(found, truth) > _psnr(bicubic, truth) + 1

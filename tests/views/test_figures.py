"""Figures show what was compared, in one colour scale."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from no2sr.core.errors import MissingDependencyError, OutputExistsError
from no2sr.core.grid import georeference
from no2sr.evaluation.comparison import compare
from no2sr.views import figures

METHODS = ("nearest", "bicubic", "pycnophylactic")


def _image(spread, *, seed):
    values = np.random.default_rng(seed).gamma(2, spread, (48, 64)).astype(np.float32)
    values[:8, :8] = np.nan
    image = xr.DataArray(values, dims=("y", "x"), attrs={"units": "mol m-2"})
    return georeference(image, Affine(0.1, 0, 75, 0, -0.1, 30), "EPSG:4326")


@pytest.fixture(scope="module")
def comparison():
    images = [_image(1e-5, seed=0), _image(5e-5, seed=1), _image(2e-5, seed=2)]
    return compare(images, scale=4, methods=METHODS)


def _panels(figure):
    return {axis.get_title(): axis.images[0] for axis in figure.axes if axis.images}


def test_maps_show_the_scene_of_most_contrast_in_one_scale(comparison):
    panels = _panels(figures.draw_maps(comparison))
    assert list(panels) == ["reference", "coarse", *METHODS]
    assert len({panel.get_clim() for panel in panels.values()}) == 1
    assert len({tuple(panel.get_extent()) for panel in panels.values()}) == 1
    shown = comparison.scenes[1]
    for title, values in [("reference", shown.reference), ("coarse", shown.coarse)]:
        found = np.ma.filled(panels[title].get_array(), np.nan)
        np.testing.assert_allclose(found, 1e6 * values, rtol=1e-6)
    np.testing.assert_allclose(panels["reference"].get_extent(), (75, 81.4, 25.2, 30))


def test_errors_are_white_where_there_are_none(comparison):
    panels = _panels(figures.draw_errors(comparison))
    assert list(panels) == list(METHODS)
    low, high = next(iter(panels.values())).get_clim()
    assert low == -high
    shown = comparison.scenes[1]
    found = np.ma.filled(panels["nearest"].get_array(), np.nan)
    expected = 1e6 * (shown.estimates["nearest"] - shown.reference)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_spectra_name_every_method_and_tell_networks_apart(comparison):
    left, right = figures.draw_spectra(comparison).axes
    assert [line.get_label() for line in left.lines[:4]] == ["reference", *METHODS]
    assert {line.get_linestyle() for line in right.lines[:3]} == {"--"}
    for line in left.lines[:4]:
        assert np.isfinite(line.get_ydata()).all()


def test_saved_figures_are_complete_and_replace_nothing_unasked(comparison, tmp_path):
    folder = tmp_path / "new" / "figures"
    paths = figures.save_figures(comparison, folder)
    assert sorted(folder.iterdir()) == sorted(paths)
    first = [path.read_bytes() for path in paths]
    assert all(data.startswith(b"\x89PNG") for data in first)
    with pytest.raises(OutputExistsError, match="overwrite"):
        figures.save_figures(comparison, folder)
    figures.save_figures(comparison, folder, overwrite=True)
    assert [path.read_bytes() for path in paths] == first


def test_without_matplotlib_one_is_told_what_to_install(comparison, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'no2sr\[plot\]'"):
        figures.save_figures(comparison, tmp_path / "figures")
    assert not list(tmp_path.iterdir())

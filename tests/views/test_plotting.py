"""Figures of files say what they show: units, places, gaps, one scale for what is compared."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from matplotlib.backends.backend_agg import FigureCanvasAgg
from opening import open_column

import no2sr
from no2sr.core.colours import robust_limits
from no2sr.core.door import enter
from no2sr.core.errors import (
    DimensionError,
    MissingDependencyError,
    MissingVariableError,
    NoValidPixelsError,
    SettingsError,
)
from no2sr.core.grid import georeference, refine
from no2sr.core.layers import TOTAL, assemble_scene, layer_name
from no2sr.views import figures, plotting
from no2sr.views.cartography import degree_text
from no2sr.writers.layers import enter_layer


@pytest.fixture
def coarse(grid):
    return enter(grid)


@pytest.fixture
def fine(coarse):
    values = refine(coarse, 4)
    ripples = 1e-5 * np.sin(np.arange(values.sizes["x"]) * np.pi / 2 + np.pi / 4)
    return values + ripples.astype(np.float32)


def _maps(figure):
    return [axis for axis in figure.axes if axis.images]


def _shown(axis):
    return np.ma.filled(axis.images[0].get_array().astype(float), np.nan)


def test_a_map_shows_values_gaps_and_place(grid, coarse):
    figure = plotting.plot_map(grid)
    (axis,) = _maps(figure)
    np.testing.assert_allclose(_shown(axis), 1e6 * coarse.values, rtol=1e-6)
    np.testing.assert_allclose(axis.images[0].get_extent(), (76, 78, 27.1, 29.5))
    assert axis.images[0].get_clim() == pytest.approx(robust_limits(1e6 * coarse.values))
    assert "µmol m⁻²" in figure.axes[-1].get_ylabel()
    figure.canvas.draw()
    assert "77°E" in [label.get_text() for label in axis.get_xticklabels()]
    assert "28.5°N" in [label.get_text() for label in axis.get_yticklabels()]
    # 2 degrees at 28.3 N are 196 km; a bar of at most a quarter is 20 km, or 49 rounded down.
    assert [text.get_text() for text in axis.texts] == ["20 km"]
    # A degree of latitude is drawn 1 / cos(28.3 degrees) times as long as one of longitude.
    assert axis.get_aspect() == pytest.approx(1 / np.cos(np.deg2rad(28.3)))


def test_gaps_have_the_colour_of_no_value(grid):
    figure = plotting.plot_map(grid)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axis,) = _maps(figure)
    # The centre of the gap: rows 3..5 of 0.1 degree below 29.5 N, columns 2..4 from 76 E.
    x, y = axis.transData.transform((76.35, 29.05))
    picture = np.asarray(canvas.buffer_rgba())
    grey = picture[picture.shape[0] - 1 - int(y), int(x), :3].astype(int)
    assert np.ptp(grey) == 0
    assert 120 < grey[0] <= 204


def test_projected_maps_tell_their_coordinates(coarse):
    transform = Affine(5000, 0, 300_000, 0, -5000, 3_200_000)
    figure = plotting.plot_map(georeference(coarse, transform, "EPSG:32643"), limits=(0, 150))
    (axis,) = _maps(figure)
    assert axis.get_xlabel() == "easting / km"
    assert axis.get_aspect() == 1
    assert axis.images[0].get_clim() == (0, 150)
    assert [text.get_text() for text in axis.texts] == ["20 km"]  # 20 cells are 100 km
    figure.canvas.draw()
    assert "3200" in [label.get_text() for label in axis.get_yticklabels()]


@pytest.mark.parametrize(
    ("value", "letters", "text"),
    [(77, "EW", "77°E"), (-0.5, "EW", "0.5°W"), (181, "EW", "179°W"), (0, "NS", "0°")],
)
def test_degrees_have_their_hemisphere(value, letters, text):
    assert degree_text(value, letters) == text


def test_before_and_after_share_colours_and_zoom(coarse, fine):
    figure = plotting.plot_before_after(coarse, fine)
    before, after = _maps(figure)
    assert (before.get_title(), after.get_title()) == ("before", "after")
    assert before.images[0].get_clim() == after.images[0].get_clim()
    np.testing.assert_allclose(_shown(after), 1e6 * fine.values, rtol=1e-6)
    (first,), (second,) = before.child_axes, after.child_axes
    assert first.get_xlim() == second.get_xlim()
    assert second.images[0].get_clim() == before.images[0].get_clim()
    # The larger plume of the fixture stands at 28.6 N, 77.2 E.
    assert first.get_xlim()[0] < 77.2 < first.get_xlim()[1]
    assert first.get_ylim()[0] < 28.6 < first.get_ylim()[1]
    assert not any(
        axis.child_axes for axis in _maps(plotting.plot_before_after(coarse, fine, zoom=False))
    )


@pytest.mark.parametrize("flip", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_inset_hides_neither_what_it_shows_nor_the_bar(coarse, flip):
    turned = coarse.copy(data=coarse.values[:: flip[0], :: flip[1]])
    figure = plotting.plot_before_after(turned, refine(turned, 2))
    figure.canvas.draw()
    axis = _maps(figure)[1]
    inset = axis.child_axes[0].get_position()
    (left, right), (low, high) = axis.child_axes[0].get_xlim(), axis.child_axes[0].get_ylim()
    to_figure = axis.transData + figure.transFigure.inverted()
    window = to_figure.transform([[left, low], [right, high]])
    apart = (
        window[0, 0] >= inset.x1
        or window[1, 0] <= inset.x0
        or window[0, 1] >= inset.y1
        or window[1, 1] <= inset.y0
    )
    assert apart
    bar = axis.texts[0].get_window_extent().transformed(figure.transFigure.inverted())
    assert not bar.overlaps(inset)


def test_difference_is_what_was_added(coarse, fine):
    figure = plotting.plot_difference(coarse, fine)
    (axis,) = _maps(figure)
    expected = 1e6 * (fine.values - refine(coarse, 4).values)
    np.testing.assert_allclose(_shown(axis), expected, atol=1e-3)
    low, high = axis.images[0].get_clim()
    assert low == -high < 0
    assert "µmol m⁻²" in figure.axes[-1].get_ylabel()
    plotting.plot_difference(coarse, refine(coarse, 2))  # nothing was added: no error


def test_histogram_counts_every_cell(coarse, fine):
    figure = plotting.plot_histogram(coarse, fine)
    (axis,), (legend,) = figure.axes, figure.legends
    assert "µmol m⁻²" in axis.get_xlabel()
    told = [text.get_text() for text in legend.get_texts()]
    figure.canvas.draw()
    assert not legend.get_window_extent().overlaps(axis.get_window_extent())  # it hides no curve
    assert any(f"before: mean {1e6 * np.nanmean(coarse.values):.3g}" in text for text in told)
    for steps in axis.patches:  # an outline of bars: its heights add up to all cells
        heights = steps.get_xy()[1:-1:2, 1]
        assert heights.sum() == pytest.approx(100, rel=1e-6)
    assert len(plotting.plot_histogram(coarse).axes[0].patches) == 1


def test_spectra_tell_the_wave_that_was_put_in(coarse):
    noise = np.random.default_rng(0).normal(0, 1e-8, coarse.shape).astype(np.float32)
    flat = coarse.copy(data=noise)
    waves = 1e-5 * np.sin(2 * np.pi * np.arange(80) / 4).astype(np.float32)
    axis = plotting.plot_spectra(flat, refine(flat, 4) + waves).axes[0]
    _bicubic, after, limit = axis.lines
    assert after.get_xdata()[np.argmax(after.get_ydata())] == pytest.approx(4)
    assert limit.get_xdata()[0] == 8  # twice the coarse cell
    assert "µmol" in axis.get_ylabel()


def test_spectra_need_a_square_without_gap(grid):
    small = enter(grid).isel(x=slice(0, 6))
    with pytest.raises(NoValidPixelsError, match="larger or fuller region"):
        plotting.plot_spectra(small, refine(small, 4))


def test_several_times_bad_limits_and_unknown_ramps_are_refused(coarse):
    import xarray as xr

    with pytest.raises(DimensionError, match="time="):
        plotting.plot_map(xr.concat([coarse, coarse], "time"))
    with pytest.raises(SettingsError, match="the lower one first"):
        plotting.plot_map(coarse, limits=(3, 1))
    with pytest.raises(SettingsError, match="'jet'"):
        plotting.plot_map(coarse, ramp="jet")


def test_without_matplotlib_one_is_told_what_to_install(coarse, monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'no2sr\[plot\]'"):
        plotting.plot_map(coarse)


def test_figures_need_no_display(coarse, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    for suffix, first in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")):
        path = tmp_path / f"map{suffix}"
        plotting.plot_map(coarse).savefig(path)
        assert path.read_bytes().startswith(first)


def _with_uncertainty(fine):
    sigma = abs(fine).drop_attrs(deep=False) * np.float32(0.2) + np.float32(1e-6)
    return assemble_scene(fine, {TOTAL: sigma})


def test_the_uncertainty_has_a_panel_and_colours_of_its_own(coarse, fine):
    scene = _with_uncertainty(fine.assign_attrs(coarse.attrs))
    for figure, count in (
        (plotting.plot_map(scene, uncertainty=True), 2),
        (plotting.plot_before_after(coarse, scene, uncertainty=True), 3),
    ):
        *columns, sigma = _maps(figure)
        assert len(columns) == count - 1
        assert sigma.get_title() == "uncertainty (one standard deviation)"
        np.testing.assert_allclose(
            _shown(sigma), 1e6 * scene[layer_name(fine.name, TOTAL)].values, rtol=1e-5
        )
        low, high = sigma.images[0].get_clim()
        assert (low, high) != columns[0].images[0].get_clim()
        assert sigma.images[0].get_cmap().name == "cividis_r"
        first, second = (axis.get_ylabel() for axis in figure.axes[-2:])
        assert second.startswith("uncertainty of ")
        assert second.removeprefix("uncertainty of ") == first


def test_an_uncertainty_that_is_not_there_is_named(coarse):
    with pytest.raises(MissingVariableError, match="no layer 'uncertainty'"):
        plotting.plot_map(coarse, uncertainty=True)


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_command_draws_the_uncertainty_stored_with_a_file(
    no2sr_command, grid_file, tmp_path, suffix
):
    fine = no2sr.downscale(no2sr.open_no2(grid_file), scale=4)
    stored = no2sr.write(_with_uncertainty(enter_layer(fine)), tmp_path / f"fine{suffix}")
    for files in ([stored], [grid_file, stored]):
        out = tmp_path / f"{len(files)}.png"
        done = no2sr_command("plot", *files, out, "--uncertainty", "--dpi", 40)
        assert (done.code, done.errors) == (0, [])
    refused = no2sr_command("plot", grid_file, tmp_path / "no.png", "--uncertainty")
    assert refused.code == 1
    assert "uncertainty" in refused.errors[0]
    refused = no2sr_command(
        "plot", grid_file, tmp_path / "no.png", "--uncertainty", "--kind", "histogram"
    )
    assert refused.code == 2
    assert "--uncertainty goes with map or before-after only" in refused.err


@pytest.fixture
def fine_file(grid_file, tmp_path):
    path = tmp_path / "fine.tif"
    no2sr.write(no2sr.downscale(open_column(grid_file), scale=4), path)
    return path


# A smoothness curve needs a reconstruction: tests/downscaling/reconstruction/test_command.py.
@pytest.mark.parametrize("kind", [kind for kind in plotting.KINDS if kind != "smoothness"])
def test_command_draws_every_kind(no2sr_command, grid_file, fine_file, tmp_path, kind):
    out = tmp_path / "new" / f"{kind}.png"
    files = [grid_file, fine_file][: plotting.KINDS[kind][2]]
    done = no2sr_command("plot", *files, out, "--kind", kind, "--dpi", 40)
    assert (done.code, done.errors, done.out) == (0, [], f"{out}\n")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    refused = no2sr_command("plot", *files, out, "--kind", kind)
    assert refused.code == 1
    assert "--overwrite" in refused.err


def test_command_takes_a_time_of_both(no2sr_command, grid, tmp_path):
    import xarray as xr

    times = np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[ns]")
    days = xr.concat([grid, 2 * grid], xr.Variable("time", times)).assign_attrs(grid.attrs)
    coarse, out = tmp_path / "days.nc", tmp_path / "both.png"
    days.to_netcdf(coarse)
    fine = no2sr.write(no2sr.downscale(open_column(coarse), scale=2), tmp_path / "fine.nc")
    refused = no2sr_command("plot", coarse, fine, out)
    assert refused.code == 1
    assert "2 times and one can be shown; choose one with --time" in refused.err
    done = no2sr_command("plot", coarse, fine, out, "--time", "2024-01-02", "--dpi", 40)
    assert (done.code, done.errors) == (0, [])


def test_command_knows_its_kinds():
    from no2sr.cli import context, plot
    from no2sr.core.colours import RAMPS

    assert tuple(plotting.KINDS) == plot.KINDS
    assert context.RAMPS == RAMPS


@pytest.mark.parametrize(
    ("files", "args", "words"),
    [
        (1, ["--kind", "difference"], "--kind difference takes IN and FINE; 1 files were given"),
        (2, ["--kind", "map"], "--kind map takes IN alone"),
    ],
)
def test_command_refuses_the_wrong_number_of_files(
    no2sr_command, grid_file, fine_file, tmp_path, files, args, words
):
    refused = no2sr_command("plot", *[grid_file, fine_file][:files], tmp_path / "a.png", *args)
    assert refused.code == 2
    assert words in refused.err


def test_command_refuses_other_suffixes(no2sr_command, grid_file, tmp_path):
    refused = no2sr_command("plot", grid_file, tmp_path / "map.gif")
    assert refused.code == 2
    assert ".png .pdf .svg" in refused.err


def test_command_refuses_a_fine_file_of_another_input(no2sr_command, fine_file, grid, tmp_path):
    other = tmp_path / "other.nc"
    grid.assign_coords(longitude=grid.longitude + 0.03).to_netcdf(other)
    refused = no2sr_command("plot", other, fine_file, tmp_path / "both.png")
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert "give its own input" in refused.err
    assert not (tmp_path / "both.png").exists()

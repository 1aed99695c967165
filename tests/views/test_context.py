"""Outlines and coastlines lie where they belong, on axes of matplotlib and of cartopy."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from shapely.geometry import LineString, Point, box

from no2sr.core.door import enter
from no2sr.core.errors import MissingCRSError, MissingDependencyError, SettingsError
from no2sr.core.grid import bounds_of, regular_grid
from no2sr.views import context
from no2sr.views.plotting import plot_before_after, plot_map


@pytest.fixture
def sicily():
    """Return a map of Sicily and Malta, whose coasts are known."""
    image = regular_grid((12, 35.5, 16, 39), 0.05).rename("no2").assign_attrs(units="mol m-2")
    image.values[:] = np.linspace(1e-5, 5e-5, image.sizes["x"])
    return image


def _lines(axis):
    found = [drawn for drawn in axis.collections if isinstance(drawn, LineCollection)]
    return [line for drawn in found for line in drawn.get_segments()]


def test_outlines_are_put_into_the_crs_of_the_map(grid):
    shapes = [box(76.5, 27.5, 77, 28), LineString([(77, 28), (90, 28)]), Point(77.5, 29), None]
    overlay = gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326").to_crs("EPSG:32643")
    figure = plot_map(grid)
    (axis,) = [axis for axis in figure.axes if axis.images]
    view = axis.get_xlim(), axis.get_ylim()
    context.add_overlay(figure, grid, overlay)
    square, line = _lines(axis)
    np.testing.assert_allclose(square.min(axis=0), (76.5, 27.5), atol=1e-6)
    np.testing.assert_allclose(square.max(axis=0), (77, 28), atol=1e-6)
    # What lies beyond the map is cut off.
    assert line[:, 0].max() == pytest.approx(bounds_of(enter(grid))[2], abs=1e-3)
    np.testing.assert_allclose(axis.lines[-1].get_xydata(), [[77.5, 29]], atol=1e-6)
    assert (axis.get_xlim(), axis.get_ylim()) == view


def test_all_maps_of_a_figure_get_the_outlines(grid):
    figure = plot_before_after(enter(grid), enter(grid), zoom=False)
    overlay = gpd.GeoDataFrame(geometry=[box(76.5, 27.5, 77, 28)], crs="EPSG:4326")
    context.add_overlay(figure, grid, overlay)
    assert [len(_lines(axis)) for axis in figure.axes if axis.images] == [1, 1]
    with pytest.raises(MissingCRSError, match="states no CRS"):
        context.add_overlay(figure, grid, overlay.set_crs(None, allow_override=True))


def test_coastlines_lie_where_the_coast_is(sicily):
    figure = plot_map(sicily)
    axis = figure.axes[0]
    context.add_coastlines(figure, sicily)
    points = np.concatenate(_lines(axis))
    for place in (
        (15.14, 36.67),
        (12.43, 37.80),
        (14.52, 35.90),
    ):  # Capo Passero, Marsala, Valletta
        assert np.hypot(*(points - place).T).min() < 0.08
    inland = (14.0, 37.5)
    assert np.hypot(*(points - inland).T).min() > 0.3
    west, south, east, north = bounds_of(sicily)
    assert (points >= (west, south)).all()
    assert (points <= (east, north)).all()


def test_coastlines_follow_a_projection_and_the_antimeridian(sicily):
    projected = sicily.rio.reproject("EPSG:32633", resolution=5000, nodata=np.nan).rename("no2")
    figure = plot_map(projected)
    context.add_coastlines(figure, projected)
    points = np.concatenate(_lines(figure.axes[0]))
    # Capo Passero in UTM zone 33.
    assert np.hypot(*(points - (512_500, 4_058_200)).T).min() < 9000
    fiji = regular_grid((175, -20, 185, -15), 0.1).rename("no2").assign_attrs(units="mol m-2")
    fiji.values[:] = np.arange(100) * 1e-6
    figure = plot_map(fiji)
    context.add_coastlines(figure, fiji)
    points = np.concatenate(_lines(figure.axes[0]))
    assert np.hypot(*(points - (180.0, -16.8)).T).min() < 0.3  # Taveuni


def test_maps_on_axes_of_cartopy(sicily):
    crs = pytest.importorskip("cartopy.crs")
    figure = Figure()
    axis = figure.add_subplot(projection=crs.LambertConformal(14, 37))
    assert plot_map(sicily, ax=axis, limits=(0, 60)) is figure
    context.add_coastlines(axis, sicily)
    (mesh,) = [drawn for drawn in axis.collections if not isinstance(drawn, LineCollection)]
    assert mesh.get_clim() == (0, 60)
    assert mesh.get_array().size == sicily.size
    corner = axis.projection.transform_point(12, 35.5, crs.PlateCarree())
    np.testing.assert_allclose(axis.dataLim.get_points()[0], corner, atol=30e3)


def test_maps_on_axes_of_ones_own(sicily):
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis in (left, right):
        assert plot_map(sicily, ax=axis, title="own", limits=(0, 60)) is figure
    assert [axis.get_title() for axis in (left, right)] == ["own", "own"]
    assert left.images[0].get_clim() == (0, 60)
    assert len(figure.axes) == 4  # each with a colour bar
    with pytest.raises(SettingsError, match="one axes shows one map"):
        plot_map(sicily, ax=left, uncertainty=True)


@pytest.mark.parametrize("region", [(77, 28, 77.3, 31), (70, 28, 79, 28.5), (77, 28, 77.04, 28.04)])
def test_labels_do_not_collide(region):
    image = regular_grid(region, 0.01).rename("no2").assign_attrs(units="mol m-2")
    image.values[:] = np.arange(image.sizes["x"]) * 1e-7
    figure = plot_map(image, title="the tropospheric vertical column of nitrogen dioxide in 2023")
    figure.canvas.draw()
    axis = figure.axes[0]
    for side in (axis.xaxis, axis.yaxis):
        shown = [label for label in side.get_ticklabels() if label.get_text()]
        assert len(shown) >= 2
        boxes = [label.get_window_extent() for label in shown]
        assert not any(one.overlaps(two) for one, two in pairwise(boxes))
    inside = figure.bbox
    for text in (axis.title, *axis.texts):
        extent = text.get_window_extent()
        assert inside.x0 <= extent.x0
        assert extent.x1 <= inside.x1


def test_a_missing_package_is_named(sicily, monkeypatch):
    monkeypatch.setattr(context, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'no2sr\[maps\]'"):
        context.add_coastlines(Figure(), sicily)

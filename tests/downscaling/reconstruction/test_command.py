"""``no2sr reconstruct`` and `no2sr.reconstruct` on files."""

from __future__ import annotations

import json

import pytest
import rasterio
import xarray as xr
from click.testing import CliRunner
from skies import BOX

import no2sr
from no2sr.cli import main
from no2sr.cli.reconstruct import _lift_after_reading
from no2sr.core.errors import MissingVariableError
from no2sr.downscaling.reconstruction import system
from no2sr.downscaling.reconstruction.layers import COLUMN
from no2sr.views.charts import plot_smoothness
from no2sr.writers.layers import column_name


def _run(*arguments):
    box = [str(edge) for edge in BOX]
    given = ["reconstruct", *map(str, arguments), "--bbox", *box, "--resolution", "0.03"]
    return CliRunner().invoke(main, [*given, "--no-guard"], catch_exceptions=False)


def test_a_folder_becomes_one_file_with_all_layers(folder, tmp_path):
    done = _run(folder, tmp_path / "map.nc")
    assert done.exit_code == 0, done.output
    with xr.open_dataset(tmp_path / "map.nc") as scene:
        assert set(scene.data_vars) == {
            "crs",
            COLUMN,
            f"{COLUMN}_uncertainty",
            "count",
            "resolution",
            "time_bnds",
        }
        assert scene[COLUMN].attrs["units"] == "mol m-2"
        assert "overpass-009.nc" in scene.attrs["source"]
        assert scene.attrs["no2sr_overpasses"] == 10
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]


def test_rasters_are_one_file_a_layer(folder, tmp_path):
    done = _run(folder, tmp_path / "map.tif", "--no-style", "--no-uncertainty")
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"map.tif", "map_count.tif"}


@pytest.mark.parametrize("name", ["map.nc", "map.tif", "map.zarr"])
def test_the_record_names_the_files_and_their_times(folder, tmp_path, name):
    assert _run(folder, tmp_path / name, "--no-uncertainty").exit_code == 0
    if name.endswith(".tif"):
        with rasterio.open(tmp_path / name) as file:
            told = file.tags()
    else:
        with xr.open_dataset(tmp_path / name) as file:
            told = file.attrs
    assert told["source"] == "; ".join(f"overpass-{seed:03}.nc" for seed in range(10))
    days = told["no2sr_overpass_times"].split("; ")
    # Of each overpass the pixels in the region count, which begin some seconds later.
    assert [day[:16] for day in days] == [f"2020-01-{day:02}T11:00" for day in range(1, 11)]
    assert told["no2sr_time_coverage_start"] == days[0]
    assert days[-1] < told["no2sr_time_coverage_end"] < "2020-01-10T12"
    scene = no2sr.open_no2(tmp_path / name)
    assert [str(edge)[:10] for edge in scene["time_bnds"].values] == ["2020-01-01", "2020-01-10"]
    assert scene[column_name(scene)].attrs["no2sr_time_coverage_start"] == days[0]


def test_what_exists_is_not_replaced(folder, tmp_path):
    (tmp_path / "map.nc").touch()
    done = _run(folder, tmp_path / "map.nc")
    assert done.exit_code == 1
    assert "--overwrite" in done.output


def test_grids_are_refused(folder, tmp_path):
    no2sr.write(no2sr.open_no2(folder / "overpass-000.nc", resolution=0.1), tmp_path / "grid.nc")
    done = _run(tmp_path / "grid.nc", tmp_path / "map.nc")
    assert done.exit_code == 1
    assert "is already a grid; open it" in done.output
    assert not (tmp_path / "map.nc").exists()


def test_a_smoothness_that_is_none_is_refused(folder, tmp_path):
    done = _run(folder, tmp_path / "map.nc", "--smoothness", "fast")
    assert done.exit_code == 2
    assert "give auto, or a number of km2" in done.output


def test_progress_counts_files_and_then_blocks(folder):
    steps: list[tuple[int, int]] = []
    scene = no2sr.reconstruct(
        folder,
        bbox=BOX,
        resolution=0.03,
        uncertainty=False,
        progress=lambda *step: steps.append(step),
    )
    assert steps[0] == (0, 10)
    assert steps[-2:] == [(0, 1), (1, 1)]
    assert scene[COLUMN].notnull().all()


def test_the_limit_of_reading_does_not_return_with_the_blocks(monkeypatch):
    """The guard limits its child anew with each step it hears of; solving may take longer."""
    calls = []
    monkeypatch.setattr("no2sr.cli.limits.lift_limit", lambda: calls.append("lift"))
    step = _lift_after_reading(lambda *step: calls.append(step))
    for done, total in [(0, 2), (1, 2), (2, 2), (0, 3)]:
        step(done, total)
    assert calls == [(0, 2), (1, 2), (2, 2), "lift", (0, 3), "lift"]


def test_nothing_is_written_without_convergence(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(system, "ITERATIONS", 1)
    done = _run(folder, tmp_path / "map.nc")
    assert done.exit_code == 1
    assert "did not converge: after 1 steps the relative residual is" in done.output
    assert not list(tmp_path.glob("map*"))


@pytest.mark.parametrize("name", ["map.nc", "map.tif"])
def test_the_smoothness_curve_is_drawn_from_the_file(folder, tmp_path, name):
    _run(folder, tmp_path / name, "--no-uncertainty")
    figure = plot_smoothness(no2sr.open_no2(tmp_path / name))
    (axis,) = figure.axes
    tried, misfit = axis.lines[0].get_data()
    assert len(tried) > 3
    assert misfit.min() == pytest.approx(1)
    assert axis.lines[1].get_xdata()[0] > 0
    files = [str(tmp_path / name), str(tmp_path / "curve.png")]
    done = CliRunner().invoke(main, ["plot", *files, "--kind", "smoothness"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_an_image_without_a_curve_is_refused(grid):
    with pytest.raises(MissingVariableError, match="no smoothness curve; give an output"):
        plot_smoothness(grid)


@pytest.mark.parametrize(("files", "command"), [(10, "reconstruct"), (9, "downscale")])
def test_info_counts_the_overpasses_of_a_region(folder, tmp_path, files, command):
    for path in sorted(folder.iterdir())[:files]:
        (tmp_path / path.name).symlink_to(path)
    box = [str(edge) for edge in BOX]
    done = CliRunner().invoke(main, ["info", str(tmp_path), "--json", "--bbox", *box])
    advice = json.loads(done.stdout)["overpasses"]
    assert (advice["files"], advice["covering"], advice["command"]) == (files, files, command)


def test_info_says_that_no_overpass_covers_a_region(folder):
    done = CliRunner().invoke(main, ["info", str(folder), "--bbox", "80", "20", "81", "21"])
    assert "0 of 10 cover the box" in done.stdout
    assert "no overpass has a valid pixel in the box" in done.stdout

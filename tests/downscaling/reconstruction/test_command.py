"""``no2sr reconstruct`` and `no2sr.reconstruct` on files."""

from __future__ import annotations

import netCDF4
import pytest
import xarray as xr
from click.testing import CliRunner
from skies import BOX, fly_over

import no2sr
from no2sr.cli import main
from no2sr.downscaling.reconstruction.layers import COLUMN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of ten overpasses in the form of HARP."""
    folder = tmp_path_factory.mktemp("overpasses")
    for seed in range(10):
        swath = fly_over(seed)
        with netCDF4.Dataset(folder / swath.attrs["source"], "w") as file:
            file.Conventions = "HARP-1.0"
            file.createDimension("time", swath["column"].size)
            file.createDimension("independent_4", 4)
            column = file.createVariable(COLUMN, "f4", ("time",))
            column[:], column.units = swath["column"].values.ravel(), "mol/m^2"
            for axis, unit in (("latitude", "degree_north"), ("longitude", "degree_east")):
                corners = swath[f"{axis}_bounds"].values.reshape(-1, 4)
                for name, dims, values in (
                    (axis, ("time",), corners.mean(axis=1)),
                    (f"{axis}_bounds", ("time", "independent_4"), corners),
                ):
                    variable = file.createVariable(name, "f8", dims)
                    variable[:], variable.units = values, unit
    return folder


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
        }
        assert scene[COLUMN].attrs["units"] == "mol m-2"
        assert "overpass-009.nc" in scene.attrs["source"]
        assert scene.attrs["no2sr_overpasses"] == 10
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]


def test_rasters_are_one_file_a_layer(folder, tmp_path):
    done = _run(folder, tmp_path / "map.tif", "--no-style", "--no-uncertainty")
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"map.tif", "map_count.tif"}


def test_what_exists_is_not_replaced(folder, tmp_path):
    (tmp_path / "map.nc").touch()
    done = _run(folder, tmp_path / "map.nc")
    assert done.exit_code == 1
    assert "--overwrite" in done.output


def test_grids_are_refused(folder, tmp_path):
    no2sr.write(no2sr.open_no2(folder / "overpass-000.nc", resolution=0.1), tmp_path / "grid.nc")
    done = _run(tmp_path / "grid.nc", tmp_path / "map.nc")
    assert done.exit_code == 1
    assert "is a grid already, expected swaths" in done.output
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

"""Bad and odd inputs, each with one clear line; work that was killed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skies import BOX, fly_over

from no2sr.core.errors import (
    ConvergenceError,
    NoValidPixelsError,
    OversampledWarning,
    SettingsError,
)
from no2sr.downscaling.reconstruction import blocks, system
from no2sr.downscaling.reconstruction.entry import Settings, reconstruct_swaths
from no2sr.downscaling.reconstruction.layers import COLUMN


def test_one_overpass_works_and_is_said_to_be_smoothed_only(swaths, settings):
    with pytest.warns(UserWarning, match="only smoothed; use ten or more"):
        scene = reconstruct_swaths(swaths[:1], bbox=BOX, settings=settings)
    assert scene[COLUMN].notnull().all()
    assert scene[COLUMN].attrs["no2sr_smoothness_chosen"] == "by held-out pixels"


def test_overpasses_elsewhere_are_refused(swaths, settings):
    with pytest.raises(NoValidPixelsError, match=r"of 12 overpass\(es\), none .* choose another"):
        reconstruct_swaths(swaths, bbox=(80, 20, 81, 21), settings=settings)


def test_corners_are_built_from_centres_and_it_is_said(swaths, settings, caplog):
    caplog.set_level("INFO", "no2sr")
    centred = [
        s.drop_vars(["latitude_bounds", "longitude_bounds"]).assign_coords(
            latitude=s["latitude_bounds"].mean("corner"),
            longitude=s["longitude_bounds"].mean("corner"),
        )
        for s in swaths
    ]
    scene = reconstruct_swaths(centred, bbox=BOX, settings=settings)
    exact = reconstruct_swaths(swaths, bbox=BOX, settings=settings)
    assert "corners of 12 swath(s) built" in scene[COLUMN].attrs["history"]
    assert "corners of 12 swath(s) built" in caplog.text
    assert np.abs(scene[COLUMN] - exact[COLUMN]).max() < 1e-6


def test_cells_finer_than_footprints_can_tell_are_warned_of(swaths):
    tiny = (10.2, 45.35, 10.26, 45.4)
    with pytest.warns(OversampledWarning, match=r"resolve .* km at best"):
        reconstruct_swaths(
            swaths, bbox=tiny, settings=Settings(resolution=0.002, margin=0.16, smoothness=1.0)
        )


def test_no_convergence_is_an_error_with_the_residual(swaths, settings, monkeypatch):
    monkeypatch.setattr(system, "ITERATIONS", 1)
    with pytest.raises(ConvergenceError, match=r"after 1 steps the relative residual .* above"):
        reconstruct_swaths(swaths, bbox=BOX, settings=settings)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"smoothness": -1}, "give a positive number of km2, or 'auto'"),
        ({"smoothness": "much"}, "give a positive number of km2, or 'auto'"),
        ({"resolution": 0}, r"degrees from 0\.0001 to 1"),
        ({"response": "box"}, "quadrilateral, super-gaussian"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, said):
    with pytest.raises(SettingsError, match=said):
        Settings(**wrong)


def test_a_region_of_a_few_cells_is_refused(swaths, settings):
    with pytest.raises(SettingsError, match="at least 4 along each side"):
        reconstruct_swaths(swaths, bbox=(10, 45, 10.05, 45.5), settings=settings)


def test_a_killed_run_goes_on(swaths, settings, tmp_path, monkeypatch):
    cut = replace(settings, block=0.3)
    whole = reconstruct_swaths(swaths, bbox=BOX, settings=cut)
    solved, solve = [], blocks.solve_block

    def killed(overpasses, grid, *rest):
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(grid)
        return solve(overpasses, grid, *rest)

    monkeypatch.setattr(blocks, "solve_block", killed)
    with pytest.raises(KeyboardInterrupt):
        reconstruct_swaths(swaths, bbox=BOX, settings=cut, work=tmp_path / "work")
    monkeypatch.setattr(blocks, "solve_block", lambda *a: solved.append(a[1]) or solve(*a))
    resumed = reconstruct_swaths(swaths, bbox=BOX, settings=cut, work=tmp_path / "work")
    assert len(solved) == 4
    assert resumed.identical(whole)


def test_unfinished_work_on_something_else_is_not_taken(swaths, settings, tmp_path):
    work = tmp_path / "work"
    reconstruct_swaths(swaths, bbox=BOX, settings=settings, work=work)
    other = [fly_over(seed) for seed in range(20, 32)]
    fresh = reconstruct_swaths(other, bbox=BOX, settings=settings)
    assert reconstruct_swaths(other, bbox=BOX, settings=settings, work=work).identical(fresh)

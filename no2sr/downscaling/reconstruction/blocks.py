"""Large regions block by block: cut with a margin, solved one at a time, blended.

The grid of the whole region is cut into cores; each is solved with a margin around it. Half of the
margin is blended with the neighbours, so that no seam is left, and the outer half is dropped. What
was tuned, the noise of the ensemble and the lattice of the probes are those of the whole region, so
that the size of the blocks hardly changes a result. Memory is that of one block, beside the layers;
each worker holds one.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from no2sr.downscaling.reconstruction.records import Grid
from no2sr.downscaling.reconstruction.solving import LEAST_SHARE, final_pass, observe
from no2sr.downscaling.reconstruction.uncertainty import draw_members, probe_resolution, spread_of
from no2sr.downscaling.run import call_in_order
from no2sr.swaths.overlap import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from no2sr.downscaling.reconstruction.finished import Folder
    from no2sr.downscaling.reconstruction.records import Overpass, Settings, Tuning
    from no2sr.downscaling.run import Workers

    Floats = NDArray[np.float64]
    Layers = dict[str, Floats]
    Near = Callable[[tuple[float, float, float, float]], list[Overpass]]

__all__ = ["blend_blocks", "cut_blocks", "margin_cells", "solve_block", "solve_blocks"]

REACH = 5.0  # km from the nearest cell that a pixel touches; beyond, the map is a gap


def cut_blocks(whole: Grid, settings: Settings) -> list[Grid]:
    """Return the grids of the blocks, margins included, in rows from the north-west."""
    side = max(round(settings.block / settings.resolution), 8)
    margin = margin_cells(settings)
    pieces = [_cut(n, side) for n in whole.shape]
    return [
        _part(whole, (top - margin, bottom + margin), (left - margin, right + margin))
        for top, bottom in pieces[0]
        for left, right in pieces[1]
    ]


def margin_cells(settings: Settings) -> int:
    """Return the width of the margin in cells, an even number."""
    return 2 * math.ceil(settings.margin / settings.resolution / 2)


def _cut(cells: int, side: int) -> list[tuple[int, int]]:
    """Cut an axis into pieces that are equal but for one cell."""
    count = max(round(cells / side), 1)
    edges = [round(i * cells / count) for i in range(count + 1)]
    return list(pairwise(edges))


def _part(whole: Grid, rows: tuple[int, int], columns: tuple[int, int]) -> Grid:
    frame = whole.frame
    return Grid(
        Frame(
            frame.west + columns[0] * frame.spacing,
            frame.north - rows[0] * frame.spacing,
            frame.spacing,
        ),
        (rows[1] - rows[0], columns[1] - columns[0]),
        (rows[0], columns[0]),
    )


def solve_block(
    overpasses: list[Overpass], grid: Grid, settings: Settings, tuning: Tuning
) -> Layers | None:
    """Solve one block, margin included.

    Parameters
    ----------
    overpasses : list of Overpass
        The pixels near it.
    grid : Grid
    settings : Settings
    tuning : Tuning

    Returns
    -------
    dict of str to array, (y, x), or None
        The layers of `no2sr.downscaling.reconstruction.layers.LAYERS` in mol m-2, 1 and km; None if
        no pixel lies in the block.

    Raises
    ------
    ConvergenceError
        If the equations cannot be solved well enough.
    """
    observed = observe(overpasses, grid, settings.response)
    if observed is None:
        return None
    observations = observed.scale(tuning.typical, tuning.level)
    system = final_pass(tuning, observations)
    layers = {"column": system.solve() * tuning.typical + tuning.level}
    if settings.uncertainty:
        spread = spread_of(grid, draw_members(system))
        layers["uncertainty"] = spread * (tuning.typical * tuning.widening)
    shares = observations.seen
    count = np.bincount(shares.indices[shares.data > LEAST_SHARE], minlength=grid.size)
    layers["count"] = count.astype(np.float64)
    if settings.uncertainty:
        layers["resolution"] = probe_resolution(system)
    shaped = {name: values.reshape(grid.shape) for name, values in layers.items()}
    away = distance_transform_edt(shaped["count"] == 0, sampling=grid.steps)
    for name in shaped.keys() - {"count"}:
        shaped[name] = np.where(away <= REACH, shaped[name], np.nan)
    return shaped


def _ramp(start: int, stop: int, cells: int, margin: int) -> Floats:
    """Return the weights of a block along an axis: 1 inside, falling across the inner margin."""
    place = np.arange(start, stop) + 0.5
    half = margin // 2
    rising = np.ones(place.size)
    if start + margin > 0:  # not at the edge of the region
        rising = np.clip((place - start - half) / (2 * half), 0, 1)
    falling = np.ones(place.size)
    if stop - margin < cells:
        falling = np.clip((stop - half - place) / (2 * half), 0, 1)
    return np.minimum(rising, falling)


def solve_blocks(
    near: Near,
    whole: Grid,
    settings: Settings,
    tuning: Tuning,
    *,
    folder: Folder | None = None,
    workers: Workers | None = None,
) -> Iterator[tuple[Grid, Layers]]:
    """Solve the blocks of a region, in rows from the north-west.

    Parameters
    ----------
    near : callable
        Returns the overpasses with the pixels that touch a box.
    whole : Grid
    settings : Settings
    tuning : Tuning
    folder : Folder, optional
        Where finished blocks are kept, and taken from.
    workers : Workers, optional
        Where blocks are solved; by default in this process, one after the other.

    Yields
    ------
    grid : Grid
    layers : dict of str to array, (y, x)
        Empty if no pixel lies in the block.
    """
    blocks = list(enumerate(cut_blocks(whole, settings)))
    finished = {n for n, _ in blocks if folder is not None and folder.holds(n)}
    calls = (
        (n, solve_block, (near(grid.box), grid, settings, tuning))
        for n, grid in blocks
        if n not in finished
    )
    results = (
        ((n, function(*given)) for n, function, given in calls)
        if workers is None
        else call_in_order(calls, workers)
    )
    for n, grid in blocks:
        if folder is not None and n in finished:
            yield grid, folder.recall(n)
            continue
        _, solved = next(results)
        if folder is not None:
            folder.keep(n, solved or {})
        yield grid, solved or {}


def blend_blocks(
    solved: Iterable[tuple[Grid, Layers]],
    whole: Grid,
    settings: Settings,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Blend the blocks of a region.

    Parameters
    ----------
    solved : iterable of (Grid, dict of str to array)
        As from `solve_blocks`.
    whole : Grid
    settings : Settings
    progress : callable, optional
        Called with the number of blocks done and the number there are.

    Returns
    -------
    dict of str to array, (y, x)
    """
    total = len(cut_blocks(whole, settings))
    sums: Layers = {}
    weights: Layers = {}
    report = progress or (lambda *_: None)
    report(0, total)
    for done, (grid, layers) in enumerate(solved, start=1):
        _blend(layers, grid, whole, margin_cells(settings), into=(sums, weights))
        report(done, total)
    return {name: _divide(sums[name], weights[name], name) for name in sums}


def _blend(
    layers: Layers,
    grid: Grid,
    whole: Grid,
    margin: int,
    *,
    into: tuple[Layers, Layers],
) -> None:
    """Add a block to the weighted sums of the whole region."""
    starts, cells = grid.corner, whole.shape
    ramps = [
        _ramp(start, start + n, m, margin)
        for start, n, m in zip(starts, grid.shape, cells, strict=True)
    ]
    inside = [
        slice(max(-start, 0), min(m - start, n))
        for start, n, m in zip(starts, grid.shape, cells, strict=True)
    ]
    target = tuple(
        slice(start + s.start, start + s.stop) for start, s in zip(starts, inside, strict=True)
    )
    weight = np.outer(*ramps)[tuple(inside)]
    for name, values in layers.items():
        total = into[0].setdefault(name, np.zeros(cells))
        weights = into[1].setdefault(name, np.zeros(cells))
        part = values[tuple(inside)]
        known = np.isfinite(part)
        total[target] += np.where(known, weight * np.where(known, part, 0), 0)
        weights[target] += weight * known


def _divide(total: Floats, weight: Floats, name: str) -> NDArray[np.float32]:
    mean = np.full(total.shape, np.nan)
    np.divide(total, weight, out=mean, where=weight > 1e-9)
    return (np.rint(np.nan_to_num(mean)) if name == "count" else mean).astype(np.float32)

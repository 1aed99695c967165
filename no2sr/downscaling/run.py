"""The one loop over blocks: in memory, by window, in threads and on a cluster.

Blocks are made finer by several workers at once and handed back in order.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from no2sr.downscaling.blocks import Strips
from no2sr.downscaling.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from no2sr.downscaling.blocks import Canvas
    from no2sr.downscaling.method import Estimate, Method
    from no2sr.steps.tiles import Tile

__all__ = ["Collected", "Done", "Workers", "call_in_order", "collect", "lend_workers", "run"]

Key = TypeVar("Key")
Result = TypeVar("Result")


class Done(NamedTuple):
    """A block made finer: its layer, its place among the coarse cells, and the estimate."""

    layer: int
    place: Tile
    estimate: Estimate


class Collected(NamedTuple):
    """The estimates of all blocks, put together.

    Attributes
    ----------
    values : array, (layers, scale * y, scale * x), float32
    uncertainty : array like `values`, or None
    tally : Tally
    """

    values: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None
    tally: Tally


class Workers(NamedTuple):
    """What blocks are made finer on, and how many at once."""

    executor: Executor
    threads: int


@contextmanager
def lend_workers(workers: Workers | None) -> Iterator[Workers]:
    """Lend the workers given, or a thread for each core."""
    if workers is not None:
        yield workers
        return
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as executor:
        yield Workers(executor, threads)


def run(strips: Strips, workers: Workers, *, first: int = 0) -> Iterator[Done]:
    """Make blocks finer, and yield them in order.

    Parameters
    ----------
    strips : Strips
    workers : Workers
    first : int
        Number of the strip to begin with.

    Yields
    ------
    Done
    """
    calls = (
        ((layer, place), strips.method, (block,)) for layer, place, block in strips.blocks(first)
    )
    for (layer, place), estimate in call_in_order(calls, workers):
        yield Done(layer, place, estimate)


def call_in_order(
    calls: Iterable[tuple[Key, Callable[..., Result], tuple[Any, ...]]], workers: Workers
) -> Iterator[tuple[Key, Result]]:
    """Make calls on workers, and yield the results in the order of the calls.

    Parameters
    ----------
    calls : iterable of (key, function, arguments)
        Taken as workers become free, so that few of them are in memory.
    workers : Workers

    Yields
    ------
    (key, result)
    """
    waiting: deque[tuple[Key, Future[Result]]] = deque()
    try:
        for key, function, arguments in calls:
            waiting.append((key, workers.executor.submit(function, *arguments)))
            if len(waiting) >= 2 * workers.threads:
                yield _await(*waiting.popleft())
        while waiting:
            yield _await(*waiting.popleft())
    finally:
        for _, future in waiting:
            future.cancel()


def _await(key: Key, future: Future[Result]) -> tuple[Key, Result]:
    return key, future.result()


def collect(
    canvas: Canvas,
    method: Method,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Collected:
    """Make a canvas finer in memory.

    Parameters
    ----------
    canvas : Canvas
    method : Method
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of fine pixels.

    Returns
    -------
    Collected
    """
    strips = Strips(canvas, method)
    fine = np.empty(strips.shape, dtype=np.float32)
    spread: NDArray[np.float32] | None = None
    tally, done = Tally(), 0
    with lend_workers(None) as workers:
        for layer, place, estimate in run(strips, workers):
            window = place.refine(method.scale).window
            fine[layer][window] = estimate.values
            if estimate.uncertainty is not None:
                spread = np.empty_like(fine) if spread is None else spread
                spread[layer][window] = estimate.uncertainty
            tally = tally.merge(estimate.tally)
            done += estimate.values.size
            if progress is not None:
                progress(done, fine.size)
    return Collected(fine, spread, tally)

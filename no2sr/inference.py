"""A network over one block of any size, at full speed.

A block is a coarse array with a halo. It is filled, normalised and enlarged, and the network adds
its correction tile by tile: small tiles keep the working set in the cache and the memory flat, and
because every tile sees its whole receptive field, tiled and whole results are the same.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np

from no2sr.errors import MissingDependencyError, SettingsError
from no2sr.gaps import fill_gaps
from no2sr.networks import load_keras
from no2sr.networks.onnx_form import FOLD, to_onnx
from no2sr.networks.store import ONNX_FILE
from no2sr.normalise import Normaliser, denormalise, local_statistics, normalise
from no2sr.resample import KERNEL_REACH, upsample
from no2sr.tiles import Tile, cut_tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from no2sr.networks import Model, ModelCard

__all__ = ["Engine", "Prepared", "make_engine", "super_resolve", "trim"]

# Fine pixels along a tile: throughput is flat from 128 up, memory is not.
TILE = 256
# What networks for pictures, where white is 1, see for one local spread of a column: normalised
# values, at most 9 with the usual window, then stay between black and white.
GREY_STEP = 0.05


class Engine(Protocol):
    """Run a network on one image; called by several threads at once."""

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(y, x)`` to the correction, whose outer ``card.rim`` pixels are to be cut."""


class Prepared:
    """A coarse block made ready for networks: gaps filled, neighbourhoods measured.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        NaN in gaps, halo included.
    card : ModelCard
    """

    def __init__(self, coarse: NDArray[np.floating], card: ModelCard) -> None:
        self.card = card
        self.filled = fill_gaps(np.asarray(coarse, dtype=np.float32), card.margin)
        found = local_statistics(coarse, card.window)
        self.statistics = Normaliser(
            mean=fill_gaps(found.mean, card.extension),
            spread=fill_gaps(found.spread, card.extension),
        )

    def network_input(self, tile: Tile) -> NDArray[np.float32]:
        """Return the normalised image on the network's grid, a radius wider than the tile.

        No cell lies farther than ``sqrt(n - 1)`` spreads from the mean of the n cells of its own
        window (Samuelson's inequality), so values beyond the side of the window are cut off: they
        arise where a window has next to no spread, and the network knows nothing of them.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.

        Returns
        -------
        array, (y, x)
        """
        card = self.card
        if card.grid == "fine":
            values, by = self.fine_window(tile, rim=card.radius)
        else:
            window = tile.grown(card.radius).window
            values = self.filled[window]
            by = Normaliser(
                mean=self.statistics.mean[window], spread=self.statistics.spread[window]
            )
        return np.clip(normalise(values, by), -card.window, card.window)

    def fine_window(self, tile: Tile, *, rim: int = 0) -> tuple[NDArray[np.float32], Normaliser]:
        """Return the upsampled image and its normaliser over a tile and a rim around it.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.
        rim : int
            In fine pixels.

        Returns
        -------
        upsampled : array, (scale * rows + 2 rim, scale * columns + 2 rim)
        by : Normaliser
            Of the same shape.
        """
        scale = self.card.scale
        reach = -(-rim // scale) + KERNEL_REACH["bicubic"]
        window = tile.grown(reach).window
        offset = reach * scale - rim

        def fine(field: NDArray[np.float32], method: str) -> NDArray[np.float32]:
            enlarged = upsample(field[window], scale, method=method)
            ny, nx = enlarged.shape
            return enlarged[offset : ny - offset, offset : nx - offset]

        by = Normaliser(
            mean=fine(self.statistics.mean, "bilinear"),
            spread=fine(self.statistics.spread, "bilinear"),
        )
        return fine(self.filled, "bicubic"), by


def super_resolve(
    coarse: NDArray[np.floating],
    card: ModelCard,
    engine: Engine,
    *,
    tile: int = TILE,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Enlarge a block: bicubic plus the network's correction, not yet conserved.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        The block with ``card.halo`` cells around it; NaN in gaps.
    card : ModelCard
    engine : Engine
    tile : int
        Side of the network's tiles in fine pixels. It changes speed and memory, never the result.
    progress : callable, optional
        Called as ``progress(pixels_done, pixels_in_all)``.

    Returns
    -------
    array, (scale * y, scale * x), float32
        Finite everywhere, gaps filled.
    """
    prepared = Prepared(coarse, card)
    scale, halo = card.scale, card.halo
    shape = (coarse.shape[0] - 2 * halo, coarse.shape[1] - 2 * halo)
    fine = np.empty((shape[0] * scale, shape[1] * scale), dtype=np.float32)

    def work(part: Tile) -> int:
        window = part.refined(scale).window
        fine[window] = _estimate(prepared, part.moved(halo), engine)
        return fine[window].size

    done = 0
    # A tile a core: what numpy does with one overlaps with what the network does with another.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for size in pool.map(work, cut_tiles(shape, max(1, tile // scale))):
            done += size
            if progress is not None:
                progress(done, fine.size)
    return fine


def _estimate(prepared: Prepared, tile: Tile, engine: Engine) -> NDArray[np.float32]:
    """Return the fine pixels of one tile."""
    upsampled, by = prepared.fine_window(tile)
    card = prepared.card
    correction = trim(_corrected(prepared.network_input(tile), card, engine), card.rim)
    estimate = denormalise(normalise(upsampled, by) + correction, by)
    return np.where(by.spread > 0, estimate, upsampled)


def _corrected(image: NDArray[np.float32], card: ModelCard, engine: Engine) -> NDArray[np.float32]:
    """Return the correction of a normalised image; a network for pictures sees it around grey."""
    if card.domain == "column":
        return engine(image)
    grey = 0.5 + GREY_STEP * image
    found = engine(grey)
    return (found - trim(grey, card.shrink) if card.predicts == "image" else found) / GREY_STEP


def trim(values: NDArray[np.float32], rim: int) -> NDArray[np.float32]:
    """Cut `rim` pixels off every side."""
    return values[rim : values.shape[0] - rim, rim : values.shape[1] - rim]


def make_engine(model: Model, *, name: str = "onnxruntime") -> Engine:
    """Return what runs a model.

    Parameters
    ----------
    model : Model
    name : {"onnxruntime", "tensorflow"}
        The default, and the reference. Both agree to 2e-6 on normalised images.

    Raises
    ------
    SettingsError
        If there is no such engine.
    MissingDependencyError
        If it is not installed.
    """
    makers = {"onnxruntime": _onnx_engine, "tensorflow": _keras_engine}
    if name not in makers:
        raise SettingsError(f"engine is {name!r}, expected one of {', '.join(makers)}")
    return makers[name](model)


def _onnx_engine(model: Model) -> Engine:
    """Run the ONNX form; a folded last layer wants outputs in multiples of 4."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "onnxruntime is not installed, and it runs the networks; "
            "install it with: pip install onnxruntime"
        ) from error
    onnxruntime.set_default_logger_severity(3)
    # Bytes, not a path: a graph that points to outside files cannot reach them.
    graph = (
        to_onnx(model.network) if model.folder is None else (model.folder / ONNX_FILE).read_bytes()
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # `super_resolve` keeps the cores busy with tiles
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    card = model.card
    grow, multiple = (card.scale, 1) if card.grid == "coarse" else (1, FOLD)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = (grow * (size - 2 * card.shrink) for size in image.shape)
        padded = np.pad(image, [(0, -rows % multiple), (0, -columns % multiple)])[None, :, :, None]
        result: NDArray[np.float32] = session.run(None, {"image": padded})[0]
        return result[0, :rows, :columns, 0]

    return run


def _keras_engine(model: Model) -> Engine:
    """Run the Keras network itself."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    network = load_keras(model)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = image[None, :, :, None]
        return np.asarray(keras.ops.convert_to_numpy(network(batch, training=False)))[0, :, :, 0]

    return run

"""The whole step from a coarse block to its fine values: what every kind of run is made of.

The same function serves images in memory, dask, files worked on by window, and the processes of a
cluster. It needs no other data than a block with its halo, so where the blocks are cut changes
nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import numpy as np

from no2sr.downscaling.tally import Tally
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import super_resolve
from no2sr.networks.store import found_here
from no2sr.steps.conserve import closure, conserve
from no2sr.steps.gaps import restore_gaps

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import Engine
    from no2sr.steps.conserve import Kind

__all__ = ["Kernel", "Refined"]

# Engines that this process has made: loading a network takes longer than a block.
_ENGINES: dict[Hashable, Engine] = {}
_MOST_ENGINES = 4
# Networks without files, by identity, and the names that they go by in every process.
_NAMES: dict[int, tuple[Any, str]] = {}
_LOCK = Lock()


class Refined(NamedTuple):
    """A block made finer.

    Attributes
    ----------
    values : array, (scale * y, scale * x), float32
        Conserved, NaN in gaps.
    tally : Tally
        Of the coarse cells, with the largest residual of conservation.
    """

    values: NDArray[np.float32]
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Make a block finer.

    Attributes
    ----------
    model : Model
    conserve : {"additive", "multiplicative"}
    engine, precision : str
        As for `no2sr.networks.engines.make.make_engine`.
    name : str
        Tells its model from any other, here and in the processes that it is sent to.
    """

    model: Model = field(repr=False)
    conserve: Kind = "additive"
    engine: str = "onnxruntime"
    precision: str = "float32"
    name: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the name once: an identity would be another one after pickling."""
        object.__setattr__(self, "name", _name(self.model))

    def __call__(self, block: NDArray[np.floating], areas: NDArray[np.float64]) -> Refined:
        """Fill, enlarge, conserve, and put the gaps back.

        Parameters
        ----------
        block : array, (y + 2 halo, x + 2 halo)
            Cells with ``card.halo`` more on every side; NaN in gaps.
        areas : array, (scale * y,)
            Relative areas of the cells of each fine row.

        Returns
        -------
        Refined
        """
        card = self.model.card
        halo, scale = card.halo, card.scale
        coarse = np.asarray(block[halo:-halo, halo:-halo], dtype=np.float32)
        valid = np.isfinite(coarse)
        if not valid.any():
            fine = np.full([size * scale for size in coarse.shape], np.nan, dtype=np.float32)
            return Refined(fine, Tally.of(coarse))
        estimate = super_resolve(block, card, self.load())
        whole = conserve(estimate, coarse, areas, kind=self.conserve)
        residual = np.abs(closure(whole, coarse, areas)[valid]).max()
        fine = whole if valid.all() else restore_gaps(whole, valid, scale=scale)
        return Refined(fine, Tally.of(coarse, residual=float(residual)))

    def __dask_tokenize__(self) -> tuple[Hashable, ...]:
        """Return what tells one kernel from another."""
        return self.name, self.conserve, self.engine, self.precision

    def load(self) -> Engine:
        """Return the engine, made once a process."""
        network, _, *how = self.__dask_tokenize__()
        key = (network, *how)
        with _LOCK:
            if key not in _ENGINES:
                while len(_ENGINES) >= _MOST_ENGINES:
                    del _ENGINES[next(iter(_ENGINES))]
                model = found_here(self.model)
                made = make_engine(model, name=self.engine, precision=self.precision)
                _ENGINES[key] = made
            return _ENGINES[key]


def _name(model: Model) -> str:
    """Return the checksum of a model with files, or a name that one in memory keeps for a while."""
    if model.card.files:
        return hashlib.sha256(model.card.to_json().encode()).hexdigest()
    network = model.build or model.network
    with _LOCK:
        name: str
        held, name = _NAMES.pop(id(network), (network, uuid4().hex))
        _NAMES[id(network)] = held, name  # held, for an id is free after its object
        while len(_NAMES) > _MOST_ENGINES:
            del _NAMES[next(iter(_NAMES))]
    return name

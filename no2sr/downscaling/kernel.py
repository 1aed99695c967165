"""A network as a method: the whole step from a coarse block to its fine values.

It needs no other data than a block with its halo, so where the blocks are cut changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from no2sr.downscaling.method import Estimate
from no2sr.downscaling.tally import Tally
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import super_resolve
from no2sr.networks.store import found_here
from no2sr.steps.conserve import closure, conserve
from no2sr.steps.gaps import restore_gaps

if TYPE_CHECKING:
    from collections.abc import Hashable

    from no2sr.downscaling.method import Block
    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import Engine
    from no2sr.steps.conserve import Kind

__all__ = ["NetworkMethod"]

# Engines that this process has made: loading a network takes longer than a block.
_ENGINES: dict[Hashable, Engine] = {}
_MOST_ENGINES = 4
# Networks without files, by identity, and the keys that they go by in every process.
_KEYS: dict[int, tuple[Any, str]] = {}
_LOCK = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMethod:
    """Make blocks finer with a network.

    Attributes
    ----------
    model : Model
    conserve : {"additive", "multiplicative"}
    engine, precision : str
        As for `no2sr.networks.engines.make.make_engine`.
    key : str
        Identifies its model, here and in the processes that it is sent to.
    """

    model: Model = field(repr=False)
    conserve: Kind = "additive"
    engine: str = "onnxruntime"
    precision: str = "float32"
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the key once: an identity would be another one after pickling."""
        object.__setattr__(self, "key", _key_of(self.model))

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.model.card.name

    @property
    def scale(self) -> int:
        """Fine cells along each side of a coarse one."""
        return self.model.card.scale

    @property
    def halo(self) -> int:
        """Coarse cells beyond a block that its result can depend on."""
        return self.model.card.halo

    @property
    def facts(self) -> dict[str, str | float]:
        """What outputs record of the method."""
        card = self.model.card
        return {"model": card.name, "model_sha256": card.checksum, "conserve": self.conserve}

    @property
    def states_uncertainty(self) -> bool:
        """Whether its estimates carry an uncertainty."""
        return False

    def __call__(self, block: Block) -> Estimate:
        """Fill, enlarge, conserve, and put the gaps back.

        Parameters
        ----------
        block : Block

        Returns
        -------
        Estimate
        """
        halo, scale = self.halo, self.scale
        coarse = np.asarray(block.values[halo:-halo, halo:-halo], dtype=np.float32)
        valid = np.isfinite(coarse)
        if not valid.any():
            fine = np.full([size * scale for size in coarse.shape], np.nan, dtype=np.float32)
            return Estimate(fine, None, Tally.of(coarse))
        estimate = super_resolve(block.values, self.model.card, self.load())
        whole = conserve(estimate, coarse, block.areas, kind=self.conserve)
        residual = np.abs(closure(whole, coarse, block.areas)[valid]).max()
        fine = whole if valid.all() else restore_gaps(whole, valid, scale=scale)
        return Estimate(fine, None, Tally.of(coarse, residual=float(residual)))

    @property
    def identity(self) -> tuple[Hashable, ...]:
        """All that its results depend on."""
        return self.key, self.conserve, self.engine, self.precision

    def __dask_tokenize__(self) -> tuple[Hashable, ...]:
        """Return a hashable identity for this method."""
        return self.identity

    def load(self) -> Engine:
        """Return the engine, which each process makes once."""
        key = (self.key, self.engine, self.precision)
        with _LOCK:
            if key not in _ENGINES:
                while len(_ENGINES) >= _MOST_ENGINES:
                    del _ENGINES[next(iter(_ENGINES))]
                model = found_here(self.model)
                made = make_engine(model, name=self.engine, precision=self.precision)
                _ENGINES[key] = made
            return _ENGINES[key]


def _key_of(model: Model) -> str:
    """Return the checksum of a model with files, or a key that one in memory keeps for a while."""
    if model.card.files:
        return hashlib.sha256(model.card.to_json().encode()).hexdigest()
    network = model.build or model.network
    with _LOCK:
        key: str
        held, key = _KEYS.pop(id(network), (network, uuid4().hex))
        _KEYS[id(network)] = held, key  # held, for an id is free after its object
        while len(_KEYS) > _MOST_ENGINES:
            del _KEYS[next(iter(_KEYS))]
    return key

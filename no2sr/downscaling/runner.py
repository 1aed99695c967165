"""A model that every process loads once: what methods are made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from no2sr.networks.engines.make import make_engine
from no2sr.networks.store import find_here

if TYPE_CHECKING:
    from collections.abc import Hashable

    from no2sr.networks.card import Model, ModelCard
    from no2sr.networks.engines.port import Engine, EngineName, Precision

__all__ = ["Runner"]

# Engines that this process has made: loading a network takes longer than a block.
_ENGINES: dict[Hashable, Engine] = {}
_MOST_ENGINES = 8
# Networks without files, by identity, and the keys that they go by in every process.
_KEYS: dict[int, tuple[Any, str]] = {}
_LOCK = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A model and what runs it.

    Attributes
    ----------
    model : Model
    engine, precision : str
        As for `no2sr.networks.engines.make.make_engine`.
    key : str
        Identifies the model, here and in the processes that it is sent to.
    """

    model: Model = field(repr=False)
    engine: EngineName = "onnxruntime"
    precision: Precision = "float32"
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the key once: an identity would be another one after pickling."""
        object.__setattr__(self, "key", _key_of(self.model))

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.model.card

    @property
    def identity(self) -> tuple[str, str, str]:
        """All that its results depend on."""
        return self.key, self.engine, self.precision

    def __dask_tokenize__(self) -> tuple[str, str, str]:
        """Return a hashable identity for this runner."""
        return self.identity

    def load(self) -> Engine:
        """Return the engine, which each process makes once."""
        with _LOCK:
            if self.identity not in _ENGINES:
                while len(_ENGINES) >= _MOST_ENGINES:
                    del _ENGINES[next(iter(_ENGINES))]
                model = find_here(self.model)
                made = make_engine(model, name=self.engine, precision=self.precision)
                _ENGINES[self.identity] = made
            return _ENGINES[self.identity]


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

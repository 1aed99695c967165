"""Models from elsewhere: a Keras network or a Keras or ONNX file, and a card that says what it is.

The network is tried when it is loaded, so that a card that does not fit is found at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from no2sr.core.errors import CardMismatchError, ModelError
from no2sr.networks.card import Grid, Model, ModelCard
from no2sr.networks.causes import state_cause
from no2sr.networks.engines.keras_engine import keras_engine
from no2sr.networks.engines.onnx_engine import onnx_engine
from no2sr.networks.keras_files import read_keras
from no2sr.networks.receptive_field import footprint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from no2sr.networks.engines.port import Engine

    Card = ModelCard | Mapping[str, Any]

__all__ = ["EXPORT", "FOREIGN", "is_from", "load_foreign", "name_kind"]

FOREIGN = {".keras", ".onnx"}
# How a network of PyTorch becomes a model.
EXPORT = (
    "write the network with torch.onnx.export(..., external_data=False) and load the .onnx file "
    "with no2sr.load_model(..., card=...)"
)
_SPARE = 8  # pixels that the trial sees beyond the stated radius
# A changed pixel may change outputs beyond the radius by this share of its greatest effect.
_UNSEEN = 1e-5


def is_from(library: str, thing: object) -> bool:
    """Tell whether an object is of a class of a library, without importing that library."""
    return any(home.__module__.partition(".")[0] == library for home in type(thing).__mro__)


def name_kind(thing: object) -> str:
    """Name the kind of an object that was given as a model, for a message."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    return f"the object {thing!r:.60} of type {type(thing).__name__}"


def load_foreign(source: Any, card: Card | None, scale: int | None) -> Model:
    """Load a network with a card.

    Parameters
    ----------
    source : Path or keras.Model
        A ``.keras`` or ``.onnx`` file, or a network in memory.
    card : ModelCard or mapping
        At least the ``scale``. What a mapping leaves out is found out: ``grid`` by trial,
        ``radius`` and ``shrink`` from the layers of a Keras network. An ONNX file needs these two
        stated.
    scale : int or None
        Compared with the card, or put on it.

    Returns
    -------
    Model
        In memory.

    Raises
    ------
    CardMismatchError
        If there is no card, it is incomplete, or the network does not do what it says.
    """
    name = str(source) if isinstance(source, Path) else f"the Keras network {source.name}"
    if card is None:
        raise CardMismatchError(
            f"{name} has no card, which says what it does; load it with "
            "no2sr.load_model(..., card={'scale': 4})"
        )
    if not isinstance(card, ModelCard | Mapping):
        raise CardMismatchError(
            f"card is of type {type(card).__name__}; give a ModelCard or a dict of its fields"
        )
    form = _read(source, name)
    complete = _complete(card, form, scale)
    stated = isinstance(card, ModelCard) or "grid" in card
    grids = [complete.grid] if stated else list(get_args(Grid))
    refusals = []
    for grid in grids:
        model = form.with_card(replace(complete, grid=grid))
        try:
            _try(form.engine(model.card), model.card, name)
        except CardMismatchError as misfit:
            refusals.append(misfit)
        else:
            return model
    raise refusals[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A network as it came: of Keras, or the bytes of an ONNX file."""

    name: str
    stem: str
    checksum: dict[str, str]
    network: Any = None
    onnx: bytes | None = None

    def with_card(self, card: ModelCard) -> Model:
        """Return the model, with the checksum on its card."""
        whole = replace(card, files=self.checksum)
        return Model(card=whole, network=self.network, onnx=self.onnx)

    def engine(self, card: ModelCard) -> Engine:
        """Return the function that runs the network."""
        if self.onnx is not None:
            return onnx_engine(self.onnx, card)
        return keras_engine(lambda: self.network, card)


def _read(source: Any, name: str) -> _Form:
    """Read a file, or take a network from memory."""
    if isinstance(source, Path):
        content = source.read_bytes()
        sums = {source.name: hashlib.sha256(content).hexdigest()}
        if source.suffix.lower() == ".onnx":
            return _Form(name=name, stem=source.stem, checksum=sums, onnx=content)
        network = read_keras(source)
        _check_built(network, name)
        return _Form(name=name, stem=source.stem, checksum=sums, network=network)
    _check_built(source, name)
    sums = {"weights": _checksum_weights(source)}
    return _Form(name=name, stem=source.name, checksum=sums, network=source)


def _checksum_weights(network: Any) -> str:
    """Return the checksum of a network in memory: trained further, it is another model."""
    try:
        made = network.to_json()
    except (NotImplementedError, TypeError, ValueError):  # a class that does not describe itself
        made = repr(id(network))
    digest = hashlib.sha256(made.encode())
    for weight in network.get_weights():
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()


def _check_built(network: Any, name: str) -> None:
    """Refuse a Keras network without weights, or whose channels do not come last."""
    if not network.built or not network.layers:
        raise CardMismatchError(
            f"{name} has no weights yet; begin it with keras.Input((None, None, 1)), "
            "or call it on an image once"
        )
    if any(getattr(layer, "data_format", "") == "channels_first" for layer in network.layers):
        raise CardMismatchError(f"{name} has its channels first; build it with channels last")


def _complete(card: Card, form: _Form, scale: int | None) -> ModelCard:
    """Make a whole card of what was given."""
    try:
        complete = card if isinstance(card, ModelCard) else _from_facts(dict(card), form, scale)
    except CardMismatchError as error:
        raise CardMismatchError(f"the card of {form.name} does not fit: {error}") from error
    if scale not in (None, complete.scale):
        raise CardMismatchError(
            f"the card of {form.name} says scale {complete.scale}; use scale={complete.scale}"
        )
    if form.network is not None:
        _check_channels(complete, form)
    return complete


def _from_facts(facts: dict[str, Any], form: _Form, scale: int | None) -> ModelCard:
    """Make a card of a mapping, and of what the network itself says."""
    known = [field.name for field in fields(ModelCard)]
    unknown = [name for name in facts if name not in known]
    if unknown:
        raise CardMismatchError(
            f"there is no field {unknown[0]!r}; the fields are {', '.join(known)}"
        )
    facts = {"network": form.stem, **facts}
    if scale is not None:
        facts.setdefault("scale", scale)
    if "scale" not in facts:
        raise CardMismatchError("it has no scale; add 'scale': 4, or what the network was made for")
    if form.network is not None:
        facts.setdefault("parameters", form.network.count_params())
    if not {"radius", "shrink"} <= facts.keys():
        radius, shrink = _reach(form)
        facts = {"radius": radius, "shrink": shrink, **facts}
    return ModelCard(**facts)


def _reach(form: _Form) -> tuple[int, int]:
    """Derive radius and shrinkage, which only a Keras network allows."""
    if form.network is None:
        raise CardMismatchError(
            "an ONNX file does not say how far its network sees; state radius (pixels that an "
            "output sees to each side) and shrink (pixels that each side loses)"
        )
    try:
        return footprint(form.network)
    except ModelError as error:
        raise CardMismatchError(str(error)) from error


def _check_channels(card: ModelCard, form: _Form) -> None:
    """Refuse a card that names more or fewer channels than a Keras network takes."""
    shapes = [tensor.shape for tensor in getattr(form.network, "inputs", None) or ()]
    if not shapes:  # a class of its own: the trial shows what it takes
        return
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise CardMismatchError(
            f"{form.name} takes {' and '.join(map(str, shapes))} instead of one image "
            "(batch, y, x, channels); begin it with keras.Input((None, None, channels))"
        )
    channels = shapes[0][-1]
    if channels not in (None, len(card.inputs)):
        raise CardMismatchError(
            f"{form.name} takes {channels} channels, and its card names {len(card.inputs)} "
            f"({', '.join(card.inputs)}); name each channel in inputs"
        )


def _try(engine: Engine, card: ModelCard, name: str) -> None:
    """Run the network on noise, and compare what comes with the card.

    One pixel is then changed: outputs farther away than the radius must not change.
    """
    rows = 2 * (card.radius + card.shrink + _SPARE)
    shape = (rows, rows + 1)  # an odd side, for a tile may have any size
    channels = len(card.inputs)
    rng = np.random.default_rng(0)
    image = rng.normal(size=shape if channels == 1 else (*shape, channels)).astype(np.float32)
    changed = image.copy()
    changed[rows // 2, rows // 2] += 3
    first = _run(engine, image, name)
    if not np.isfinite(first).all():
        raise CardMismatchError(
            f"{name} returns NaN or infinity on an image of noise; train it further, or export it "
            "again"
        )
    change = np.abs(_run(engine, changed, name) - first)
    farthest = _reached(change if change.ndim == 2 else change.max(axis=-1), card, rows // 2)
    if farthest > card.radius:
        raise CardMismatchError(
            f"{name} sees at least {farthest} pixels far, and its card says radius {card.radius}; "
            "correct the radius, or put a network that sees the whole image into a function"
        )


def _run(engine: Engine, image: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Run the network once."""
    try:
        return engine(image)
    except CardMismatchError:
        raise
    except Exception as broken:  # of Keras, TensorFlow or ONNX Runtime, of many kinds
        raise CardMismatchError(
            f"{name} cannot be run on an image of shape {image.shape} ({state_cause(broken)}); "
            "build it for images of every size, or put it into a function that pads"
        ) from broken


def _reached(change: NDArray[np.float32], card: ModelCard, centre: int) -> int:
    """Find how far from a changed pixel the output changes, in pixels of the network's grid."""
    grow = card.growth
    cells = np.argwhere(change > _UNSEEN * change.max()) // grow + card.shrink
    return int(np.abs(cells - centre).max()) if len(cells) else 0

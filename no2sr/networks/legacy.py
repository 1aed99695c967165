"""SRCNN weights of other programs: Keras 1 HDF5 and the authors' MATLAB files.

Both hold the bare arrays of three convolutions. The networks were trained on the luminance of
pictures, enlarged by bicubic interpolation and divided by 255. They return the whole picture, not a
correction, and the files do not say for which scale. Neither format can carry code.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import CardMismatchError
from no2sr.networks.card import Model, ModelCard

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    # Kernel (y, x, in, out) and bias (out) of every layer.
    Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]

__all__ = ["load_legacy"]

HDF5 = b"\x89HDF\r\n\x1a\n"
MATLAB = b"MATLAB 5.0"
# Errors that reading a damaged file may raise; h5py and scipy have none of their own for it.
DAMAGE = (
    *(EOFError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, OverflowError),
    *(RuntimeError, TypeError, ValueError, zlib.error),
)
EXPECTED = (
    "expected the weights of an SRCNN: three convolutions in Keras 1 HDF5 (weight_names ..._W, "
    "..._b), or a MATLAB 5 file with weights_conv1..3 and biases_conv1..3"
)
LARGEST = 2**20  # numbers in an array; those of an SRCNN have a twentieth of that


def load_legacy(path: Path, scale: int | None) -> Model:
    """Load SRCNN weights of another program as a model for luminance.

    Parameters
    ----------
    path : Path
        A file.
    scale : int or None
        Scale that the weights were trained for; the file does not say.

    Returns
    -------
    Model
        In memory. `no2sr.save_model` saves it with a card.

    Raises
    ------
    CardMismatchError
        If the file is damaged or holds something else, or the scale is None.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(MATLAB))
        if start.startswith(HDF5):
            layers = _keras_layers(path)
        elif start == MATLAB:
            layers = _matlab_layers(path)
        else:
            raise ValueError(f"it begins with {start[:8]!r}")
        _check(layers)
    except DAMAGE as error:
        raise CardMismatchError(
            f"{path} holds no network that can be loaded ({error}); {EXPECTED}; "
            "or give the folder of a saved model"
        ) from error
    if scale is None:
        raise CardMismatchError(
            f"{path} does not say which scale its weights are for; "
            "give the scale that they were trained for, such as scale=3"
        )
    return _model(layers, path, scale)


def _keras_layers(path: Path) -> Layers:
    """Read a file of ``save_weights`` or ``save`` of Keras 1; its kernels are correlations."""
    import h5py

    with h5py.File(path, "r") as file:
        root = _read_own(file, "model_weights") if "model_weights" in set(file) else file
        layers = []
        for layer in root.attrs["layer_names"]:
            group = _read_own(root, _text(layer))
            names = [_text(name) for name in group.attrs["weight_names"]]
            if names:  # an activation layer has none
                kernel, bias = (_numbers(_read_own(group, name)) for name in names)
                layers.append((kernel, bias))
    return layers


def _matlab_layers(path: Path) -> Layers:
    """Read the authors' arrays, (pixels, out), (in, pixels, out) and (in, pixels), columns first.

    They were used with MATLAB's ``imfilter``, which correlates, so no kernel is mirrored.
    """
    from scipy.io import loadmat, whosmat

    wanted = [f"{kind}_conv{k}" for k in (1, 2, 3) for kind in ("weights", "biases")]
    there = {name: shape for name, shape, _ in whosmat(path)}
    for name in wanted:
        if math.prod(there[name]) > LARGEST:
            raise ValueError(f"{name} has shape {there[name]}")
    held = loadmat(path, variable_names=wanted)
    first, second, third = (held[f"weights_conv{k}"] for k in (1, 2, 3))
    kernels = [first[:, None, :], second.transpose(1, 0, 2), third.T[:, :, None]]
    return [
        (_square(kernel), held[f"biases_conv{k}"].astype(np.float32).ravel())
        for k, kernel in enumerate(kernels, start=1)
    ]


def _square(kernel: NDArray[Any]) -> NDArray[np.float32]:
    """Turn (pixels, in, out) into (y, x, in, out); pixels run down the columns."""
    side = math.isqrt(kernel.shape[0])
    return kernel.reshape(side, side, *kernel.shape[1:], order="F").astype(np.float32)


def _read_own(group: Any, name: str) -> Any:
    """Read a member that the group holds itself; a link could lead to any other file."""
    import h5py

    for part in filter(None, name.split("/")):
        own = isinstance(group.get(part, getlink=True), h5py.HardLink)
        if not own:
            raise ValueError(f"{name} is missing, or a link to another place")
        group = group[part]
    return group


def _numbers(dataset: Any) -> NDArray[np.float32]:
    """Read a dataset that lies in the file itself and is not absurdly large."""
    if dataset.external or dataset.is_virtual or math.prod(dataset.shape) > LARGEST:
        raise ValueError(f"{dataset.name} has shape {dataset.shape} or lies in another file")
    return np.asarray(dataset[()], dtype=np.float32)


def _text(name: bytes | str) -> str:
    """Decode a name in HDF5, which may be bytes."""
    return name.decode() if isinstance(name, bytes) else str(name)


def _check(layers: Layers) -> None:
    """Refuse arrays that do not form an SRCNN."""
    shapes = [kernel.shape for kernel, _ in layers]
    fits = (
        len(layers) == 3
        and all(len(shape) == 4 and shape[0] == shape[1] and shape[0] % 2 == 1 for shape in shapes)
        and shapes[0][2] == shapes[-1][3] == 1
        and all(one[3] == other[2] for one, other in pairwise(shapes))
        and all(bias.shape == (kernel.shape[3],) for kernel, bias in layers)
    )
    if not fits:
        raise ValueError(f"its kernels have shapes {', '.join(map(str, shapes)) or 'of no kernel'}")
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        raise ValueError("some weights are not finite")


def _model(layers: Layers, path: Path, scale: int) -> Model:
    """Write the card; the network is built when it is needed."""
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    sides = [kernel.shape[0] for kernel, _ in layers]
    hyperparameters = {
        "filters": [kernel.shape[3] for kernel, _ in layers[:2]],
        "kernels": sides,
    }
    radius = sum(side // 2 for side in sides)
    card = ModelCard(
        network="srcnn",
        scale=scale,
        radius=radius,
        shrink=radius - sides[1] // 2,
        hyperparameters=hyperparameters,
        domain="luminance",
        predicts="image",
        parameters=sum(part.size for layer in layers for part in layer),
        files={path.name: checksum},
        training={"data": f"unknown: weights of another program, {path.name}"},
    )
    return Model(card=card, build=partial(_network, layers, card))


def _network(layers: Layers, card: ModelCard) -> keras.Model:
    """Build the network of a card and set its weights."""
    from no2sr.networks.registry import build_network

    network = build_network(card.network, scale=card.scale, **card.hyperparameters)
    network.set_weights([part for layer in layers for part in layer])
    return network

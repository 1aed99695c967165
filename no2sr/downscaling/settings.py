"""The records that travel instead of long argument lists."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from no2sr.core.colours import check_limits
from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.core.earth import Box
    from no2sr.downscaling.method import Method
    from no2sr.downscaling.noise import Noise
    from no2sr.downscaling.run import Workers
    from no2sr.networks.card import Model
    from no2sr.networks.engines.port import EngineName, Precision
    from no2sr.readers.kit.time import Moment

    # Whatever `no2sr.downscaling.choosing.choose_method` understands.
    Function = Callable[[NDArray[np.float32], int], NDArray[np.floating]]
    Place = str | Path | xr.Dataset | xr.DataArray
    AnyMethod = str | Path | Model | Method | Function | None

__all__ = ["Conserve", "Edges", "Reading", "Refining", "Running", "Writing"]

Conserve = Literal["auto", "noise", "additive", "multiplicative"]
Edges = Literal["pad", "shave"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are opened; see `no2sr.open_no2` for the arguments.

    Attributes
    ----------
    reader, variable, unit, nodata, qa_min, limits, bbox, resolution, time
        As for `no2sr.open_no2`.
    coarsen_to_native : bool
        Whether an oversampled grid is averaged to what it resolves first.
    """

    reader: str | None = None
    variable: str | None = None
    unit: str | None = None
    nodata: float | None = None
    qa_min: float | None = None
    limits: Mapping[str, float] | None = None
    bbox: Box | None = None
    resolution: float | None = None
    time: Moment | None = None
    coarsen_to_native: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `no2sr.open_no2`."""
        found = asdict(self)
        del found["coarsen_to_native"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Refining:
    """How a scene is made finer; see `no2sr.downscale` for the arguments.

    Attributes
    ----------
    scale, model, noise, history, neighbours, conserve, edges, uncertainty, engine, precision
        As for `no2sr.downscale`.
    """

    scale: int = 4
    model: AnyMethod = None
    noise: Noise = "auto"
    history: Place | None = None
    neighbours: int = 0
    conserve: Conserve = "auto"
    edges: Edges = "pad"
    uncertainty: bool = True
    engine: EngineName = "onnxruntime"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Refuse unknown words.

        Raises
        ------
        SettingsError
            If `conserve` or `edges` is not one of the words allowed, or `neighbours` is neither 0
            nor 1.
        """
        if self.neighbours not in (0, 1):
            raise SettingsError(f"neighbours is {self.neighbours!r}; choose 0 or 1")
        for name, words in (("conserve", get_args(Conserve)), ("edges", get_args(Edges))):
            given = getattr(self, name)
            if given not in words:
                raise SettingsError(f"{name} is {given!r}; choose {' or '.join(map(repr, words))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a file is written; see `no2sr.write` for the arguments.

    Attributes
    ----------
    unit, overwrite, style
        As for `no2sr.write`.
    limits : (low, high), optional
        Limits of the colours of the style.
    """

    unit: str | None = None
    overwrite: bool = False
    style: bool = False
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse limits out of order.

        Raises
        ------
        SettingsError
            If they are not two finite numbers, the lower one first.
        """
        if self.limits is not None:
            check_limits(self.limits)

    @property
    def styling(self) -> bool | tuple[float, float]:
        """What `no2sr.write` takes as `style`."""
        return self.style and (self.limits or True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What does the work, and whether from the beginning.

    Attributes
    ----------
    workers : Workers, optional
        Where blocks are made finer, as `no2sr.downscaling.cluster.cluster` lends them; by default
        threads on all cores.
    resume : bool
        Whether to continue from what a killed run of the same task has left.
    """

    workers: Workers | None = None
    resume: bool = True

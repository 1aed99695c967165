"""The records that only the command line has; `no2sr.downscaling.settings` holds the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from no2sr.core.earth import Box

__all__ = ["Colouring", "Saving", "Solving", "Working"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """How values are coloured.

    Attributes
    ----------
    ramp : str
    limits : (low, high), optional
        Values at the ends of the ramp, in the unit shown.
    """

    ramp: str
    limits: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What is replaced and what is printed.

    Attributes
    ----------
    overwrite : bool
        Whether an output that exists is replaced.
    quiet : bool
        Whether only warnings and errors are printed.
    """

    overwrite: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """How ``no2sr downscale`` works through its inputs.

    Attributes
    ----------
    workers : int, optional
        Number of Dask processes to start.
    scheduler : str, optional
        Address of a Dask scheduler to use instead.
    resume : bool
        Whether to continue from what a killed run has left.
    skip_existing : bool
        Whether inputs whose output exists are skipped.
    log : Path, optional
        File to which a line of JSON is appended for each input.
    quiet : bool
        Whether only warnings and errors are printed.
    """

    workers: int | None
    scheduler: str | None
    resume: bool
    skip_existing: bool
    log: Path | None
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Solving:
    """How ``no2sr reconstruct`` solves overpasses; see `no2sr.reconstruct`.

    Attributes
    ----------
    bbox, resolution, smoothness, response, uncertainty
        As for `no2sr.reconstruct`.
    workers, scheduler
        As for `Working`.
    resume : bool
        Whether to continue from what a killed run has left.
    """

    bbox: Box | None
    resolution: float
    smoothness: float | str
    response: str
    uncertainty: bool
    workers: int | None
    scheduler: str | None
    resume: bool

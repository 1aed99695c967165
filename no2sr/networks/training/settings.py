"""The records of a training run: its settings, written on the card, and its progress."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Progress", "TrainSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Everything that decides what training gives.

    Attributes
    ----------
    steps : int
        Optimiser steps at most.
    batch : int
        Windows a step.
    samples : int
        Windows drawn at a time; each is reused, flipped and turned at random, before others are
        drawn.
    reuse : int
        Steps in which a window takes part on average before others are drawn; 0 keeps the first.
    window_size : int
        Side of a window in fine pixels, trimmed to a multiple of the scale.
    learning_rate : float
        Of Adam at the start; it falls to zero along a half cosine.
    warmup : int
        Steps along which the rate rises from zero first.
    weight_decay : float
        Share of the rate by which kernels, not biases, shrink each step (AdamW).
    average : float
        Momentum of a running mean of the weights, which is what is judged and kept; 0 for none.
    held_out : float
        Share of the images, 0..1, never trained on but watched: the best weights there are kept.
    check_every : int
        Steps between two looks at what is held out, and between two checkpoints.
    patience : int
        Looks without gain before training stops early; 0 for never.
    least_valid : float
        Smallest observed share of a window, 0..1.
    noise : float
        Standard deviation of noise injected into the coarse cells, in local spreads of the
        reference: 0 for none.
    gaps : float
        Share of windows, 0..1, into which a gap is cut.
    mirrored : float
        Share of windows, 0..1, that end at their edges and are continued by reflection, as
        `downscale` continues an image.
    amplitude : float
        Windows are multiplied by up to this factor or its inverse before noise is injected.
    simulated : int
        Simulated scenes of plumes added to the images, as varied as they are; never held out.
    symmetric : bool
        Let the network know no direction: turned and mirrored, an image gives the same estimate,
        turned and mirrored. Feature maps must come in multiples of 8.
    normalisation : int
        Side of the normalisation window in coarse cells.
    precision : {"float32", "bfloat16"}
        Of the layers while training; weights are float32 in either case.
    seed : int
    hyperparameters : dict
        Passed to the network's ``build``.
    """

    steps: int = 4000
    batch: int = 16
    samples: int = 4000
    reuse: int = 0
    window_size: int = 64
    learning_rate: float = 3e-4
    warmup: int = 0
    weight_decay: float = 0.0
    average: float = 0.0
    held_out: float = 0.0
    check_every: int = 250
    patience: int = 0
    least_valid: float = 0.5
    noise: float = 0.0
    gaps: float = 0.0
    mirrored: float = 0.0
    amplitude: float = 1.0
    simulated: int = 0
    symmetric: bool = False
    normalisation: int = 9
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with.

        Raises
        ------
        SettingsError
            Naming the first setting out of range.
        """
        counts = ("steps", "batch", "samples", "window_size", "check_every")
        from_zero = ("reuse", "warmup", "weight_decay", "patience", "noise", "simulated")
        rules = [
            *((name, getattr(self, name) >= 1, "at least 1") for name in counts),
            *((name, getattr(self, name) >= 0, "at least 0") for name in from_zero),
            ("learning_rate", self.learning_rate > 0, "a positive number"),
            ("average", 0 <= self.average < 1, "a momentum, 0 or more and below 1"),
            ("held_out", 0 <= self.held_out < 1, "a share, 0 or more and below 1"),
            ("least_valid", 0 <= self.least_valid <= 1, "a share, 0..1"),
            ("gaps", 0 <= self.gaps <= 1, "a share, 0..1"),
            ("mirrored", 0 <= self.mirrored <= 1, "a share, 0..1"),
            ("amplitude", self.amplitude >= 1, "a factor of at least 1"),
            (
                "normalisation",
                self.normalisation >= 3 and self.normalisation % 2 == 1,
                "an odd number of at least 3",
            ),
            ("precision", self.precision in ("float32", "bfloat16"), "'float32' or 'bfloat16'"),
            (
                "patience",
                self.patience == 0 or self.held_out > 0,
                "0 where nothing is held out to be watched",
            ),
        ]
        for name, fine, wanted in rules:
            if not fine:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}, expected {wanted}; "
                    "change it in the settings"
                )


@dataclass(kw_only=True)
class Progress:
    """How far a run has come, and the best weights so far.

    Attributes
    ----------
    step : int
        Steps done.
    best : float
        Lowest loss on what is held out.
    stale : int
        Looks since then.
    curve : list of (int, float, float)
        Step, mean loss since the last look, and loss on what is held out (NaN for none).
    weights : list of array
        Those that are kept: the best, or the last where nothing is held out.
    """

    step: int = 0
    best: float = math.inf
    stale: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    weights: list[NDArray[np.float32]] = field(default_factory=list)

"""Records of a training run: its settings, which go on the card, and its progress."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Self

from no2sr.core.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Progress", "TrainSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """All settings that the result of training depends on.

    Attributes
    ----------
    steps : int
        Optimiser steps at most.
    batch : int
        Windows in a step.
    samples : int
        Windows drawn at a time. Each is used several times, flipped and turned at random, before
        others are drawn.
    reuse : int
        Mean number of steps that use a window before others are drawn; 0 keeps the first ones.
    window_size : int
        Side of a window in fine pixels, trimmed to a multiple of the scale.
    learning_rate : float
        Learning rate of Adam at the start; it falls to zero along a half cosine.
    warmup : int
        First steps, along which the rate rises from zero.
    weight_decay : float
        Share of the rate by which kernels, not biases, shrink each step (AdamW).
    average : float
        Momentum of a running mean of the weights, which is measured and kept; 0 for none.
    held_out : float
        Share of the images, 0..1, that are not trained on. The weights with the lowest loss on them
        are kept.
    check_every : int
        Steps between two checks of the held-out images, and between two checkpoints.
    patience : int
        Checks without improvement before training stops early; 0 for never.
    least_valid : float
        Smallest observed share of a window, 0..1.
    noise : float
        Standard deviation of the noise added to the coarse cells, in mean standard deviations of
        the images; 0 for none.
    gaps : float
        Share of windows, 0..1, that get a gap.
    mirrored : float
        Share of windows, 0..1, that end at their edges and are continued by reflection, as
        `downscale` continues an image.
    amplitude : float
        Largest factor, or its inverse, that windows are multiplied by before noise is added.
    simulated : int
        Simulated scenes of plumes added to the images, with their standard deviation; never held
        out.
    symmetric : bool
        Give the network no preferred direction: a turned or mirrored image gives the turned or
        mirrored estimate. The numbers of feature maps must be multiples of 8.
    normalisation : int
        Side of the normalisation window in coarse cells.
    precision : {"float32", "bfloat16"}
        Precision of the layers during training; weights are always float32.
    seed : int
        Of everything random.
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

    def __new__(cls, *_: object, **given: object) -> Self:
        """Refuse a setting that there is none of.

        Raises
        ------
        SettingsError
            If that is so; the message lists the settings.
        """
        known = [each.name for each in fields(cls)]
        for name in given:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                advice = f"use {near[0]}" if near else f"there are {', '.join(known)}"
                raise SettingsError(f"there is no setting {name!r}; {advice}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Refuse impossible settings.

        Raises
        ------
        SettingsError
            If a setting is no number or out of range; the message names the first.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(each.default, int | float) and not isinstance(value, int | float):
                raise SettingsError(f"{each.name} is {value!r} in the settings; use a number")
        counts = ("steps", "batch", "samples", "window_size", "check_every")
        from_zero = ("reuse", "warmup", "weight_decay", "patience", "noise", "simulated")
        rules = [
            *((name, getattr(self, name) >= 1, "at least 1") for name in counts),
            *((name, getattr(self, name) >= 0, "at least 0") for name in from_zero),
            ("learning_rate", self.learning_rate > 0, "a positive number"),
            ("average", 0 <= self.average < 1, "a momentum from 0 to below 1"),
            ("held_out", 0 <= self.held_out < 1, "a share from 0 to below 1"),
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
                "0, or set held_out",
            ),
        ]
        for name, fine, wanted in rules:
            if not fine:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r} in the settings; use {wanted}"
                )


@dataclass(kw_only=True)
class Progress:
    """The progress of a run, and its best weights so far.

    Attributes
    ----------
    step : int
        Steps done.
    best : float
        Lowest loss on the held-out images.
    stale : int
        Checks since then.
    curve : list of (int, float, float)
        Step, mean loss since the last check, and loss on the held-out images (NaN for none).
    weights : list of array
        Weights that are kept: the best, or the last if nothing is held out.
    """

    step: int = 0
    best: float = math.inf
    stale: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    weights: list[NDArray[np.float32]] = field(default_factory=list)

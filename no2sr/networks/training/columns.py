"""Training windows from columns: degraded, and compared after conservation.

Windows pass through the steps of `downscale`: gaps are filled, values normalised and interpolated.
The target is the error that bicubic interpolation plus conservation leaves. The mean of every block
is taken off the network's correction, as the conservation step does, before both are compared.
Cells that were not observed do not count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import NoValidPixelsError, SettingsError
from no2sr.core.image import check_image
from no2sr.networks.training.windows import cut_gap, observed_windows, rotate, sample, stack
from no2sr.simulation.scenes import scene

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.training.settings import TrainSettings

    Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
    # Field, row and column of a window's north-west corner, rim included.
    Place = tuple[int, int, int]

__all__ = ["ColumnSamples", "conserving_loss", "draw_samples"]

# From this number of fields on, whole fields are held out; below it, the south of each.
MANY = 10
# Simulated scenes: cells, and noise in standard deviations.
SIMULATED, NOISE = (128, 128), 0.1


class ColumnSamples:
    """Windows of fine images, spread evenly over all observed cells.

    Parameters
    ----------
    images : iterable of DataArray, (y, x) or (time, y, x)
    card : ModelCard
    settings : TrainSettings

    Raises
    ------
    NoValidPixelsError
        If no window reaches ``least_valid``.
    """

    def __init__(
        self, images: Iterable[xr.DataArray], card: ModelCard, settings: TrainSettings
    ) -> None:
        self.card, self.settings = card, settings
        self.side = settings.window_size // card.scale * card.scale
        self.rim = card.halo * card.scale
        if self.side < card.scale:
            raise SettingsError(
                f"window_size is {settings.window_size}; use at least the scale, {card.scale}"
            )
        self.fields = [
            np.pad(layer, self.rim, constant_values=np.nan)
            for image in images
            for layer in check_image(image).values.reshape(-1, *image.shape[-2:])
        ]
        self.noise = settings.noise * self._spread()
        self.observed = len(self.fields)
        self.fields += [self._simulate(seed) for seed in range(settings.simulated)]
        self.places, self.held_out = self._split()
        if not self.places:
            raise NoValidPixelsError(
                f"in no window of {self.side} x {self.side} cells {settings.least_valid:.0%} were "
                "observed; give larger or fuller images, or lower window_size or least_valid"
            )
        if settings.held_out and not self.held_out:
            raise NoValidPixelsError(
                f"holding out {settings.held_out:.0%} leaves no window of {self.side} x "
                f"{self.side} cells to watch; give larger or more images, or raise held_out"
            )
        self.size = 1.0
        self._round, self.drawn = 0, self._draw(0)
        left, seen = self.drawn[1][..., 0], self.drawn[1][..., 2]
        self.size = math.sqrt(float((left**2).sum() / max(seen.sum(), 1))) or 1.0
        self.drawn = self._scale(self.drawn)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self.fields)

    def batch(self, step: int) -> Batch:
        """Return the windows of a step; the same step and seed give the same windows.

        Returns
        -------
        inputs : array, (batch, m, m, 1)
            Input of the network: the normalised image on its grid, a radius wider than the window.
        targets : array, (batch, n, n, 3)
            See `conserving_loss`. Error and spread are in units of the root mean square error of
            bicubic interpolation plus conservation.
        """
        settings, step = self.settings, int(step)
        steps = settings.samples * settings.reuse // settings.batch
        number = step // max(steps, 1) if settings.reuse else 0
        if number != self._round:
            self._round, self.drawn = number, self._scale(self._draw(number))
        inputs, targets = self.drawn
        rng = np.random.default_rng((settings.seed, step))
        chosen = rng.integers(len(inputs), size=settings.batch)
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        return (
            rotate(inputs[chosen], turn=turn, flip=flip),
            rotate(targets[chosen], turn=turn, flip=flip),
        )

    def hold_out(self) -> Batch | None:
        """Return the windows that are held out, or None."""
        if not self.held_out:
            return None
        rng = np.random.default_rng(self.settings.seed)
        chosen = rng.permutation(len(self.held_out))[: self.settings.samples]
        return self._scale(
            stack([sample(self._window(self.held_out[k]), self.card) for k in chosen])
        )

    def loss(self) -> Any:
        """Return the loss of the conserved estimate."""
        return conserving_loss(self.card)

    def _spread(self) -> float:
        """Return the mean standard deviation of the fields."""
        spreads = [np.nanstd(f, dtype=np.float64) for f in self.fields if np.isfinite(f).any()]
        return float(np.mean(spreads)) if spreads else 0.0

    def _simulate(self, seed: int) -> NDArray[np.float32]:
        """Simulate a scene of plumes, as varied as the images, with a little noise."""
        values = scene(SIMULATED, seed=1000 * self.settings.seed + seed).to_numpy()
        noise = np.random.default_rng((self.settings.seed, seed, 1)).normal(0, NOISE, SIMULATED)
        values = self._spread() * ((values - values.mean()) / values.std() + noise)
        return np.pad(values.astype(np.float32), self.rim, constant_values=np.nan)

    def _split(self) -> tuple[list[Place], list[Place]]:
        """Find all windows, and hold out some that share no cell with the others."""
        share, whole = self.settings.held_out, self.observed >= MANY
        apart = round(1 / share) if share else 0
        learnt, held_out = [], []
        for k, field in enumerate(self.fields):
            border = self._border(k)
            watched = whole and share and k < self.observed and k % apart == apart - 1
            for row, column in observed_windows(
                field, self.rim, self.side, least_valid=self.settings.least_valid
            ):
                if watched or row >= border:
                    held_out.append((k, row, column))
                elif row + self.side <= border:
                    learnt.append((k, row, column))
        return learnt, held_out

    def _border(self, k: int) -> int:
        """Return the row of a padded field from which on windows are held out."""
        rows: int = self.fields[k].shape[0] - 2 * self.rim
        if self.observed >= MANY or k >= self.observed or not self.settings.held_out:
            return self.rim + rows
        south = round(rows * self.settings.held_out)
        return self.rim + rows - (max(south, self.side) if rows >= 2 * self.side else south)

    def _draw(self, number: int) -> Batch:
        """Draw a set of windows, each shifted a little and with its own noise and gaps."""
        rng = np.random.default_rng((self.settings.seed, number, 0))
        chosen = rng.integers(len(self.places), size=self.settings.samples)
        return stack([self._vary(self.places[k], rng) for k in chosen])

    def shift(self, place: Place, rng: np.random.Generator) -> Place:
        """Shift a window by up to a quarter of its side, never into cells that are held out.

        Parameters
        ----------
        place : (int, int, int)
            Field, row and column of its north-west corner; it moves south and east.
        rng : numpy.random.Generator
        """
        k, row, column = place
        field, step = self.fields[k], max(self.side // 4, 1)
        south = min(row + int(rng.integers(step)), self._border(k) - self.side)
        east = min(column + int(rng.integers(step)), field.shape[1] - self.rim - self.side)
        return k, south, east

    def _vary(self, place: Place, rng: np.random.Generator) -> Batch:
        """Take one window, shift and scale it, and add a gap and noise."""
        settings = self.settings
        window = self._window(self.shift(place, rng))
        if settings.amplitude > 1:
            window = window * np.float32(settings.amplitude ** rng.uniform(-1, 1))
        if settings.gaps and rng.random() < settings.gaps:
            window = cut_gap(window, rng)
        noise: NDArray[np.float64] | float = 0.0
        if self.noise:
            cells = window.shape[0] // self.card.scale
            noise = self.noise * rng.standard_normal((cells, cells))
        mirrored = settings.mirrored > 0 and rng.random() < settings.mirrored
        return sample(window, self.card, noise=noise, mirrored=mirrored)

    def _window(self, place: Place) -> NDArray[np.float32]:
        """Cut a window and the halo around it."""
        k, row, column = place
        whole = self.side + 2 * self.rim
        top, left = row - self.rim, column - self.rim
        return self.fields[k][top : top + whole, left : left + whole]

    def _scale(self, drawn: Batch) -> Batch:
        """Express error and spread in units of the root mean square error."""
        drawn[1][..., :2] /= self.size
        return drawn


def conserving_loss(card: ModelCard) -> Any:
    """Make the loss: the mean squared error of the conserved estimate over observed cells.

    The reference has three channels: the error that bicubic plus conservation leaves, the local
    spread, and 1 where the cell was observed. With the network's correction r in units of the
    spread s, the error of the conserved estimate is ``(s r - blockmean(s r)) - error``.
    """
    from keras import ops

    scale, rim = card.scale, card.rim

    def loss(reference: Any, correction: Any) -> Any:
        inner = ops.cast(correction, "float32")
        inner = inner[:, rim:-rim, rim:-rim] if rim else inner
        left, spread, seen = (reference[..., k : k + 1] for k in range(3))
        added = spread * inner
        means = ops.average_pool(added, scale, strides=scale)
        means = ops.repeat(ops.repeat(means, scale, axis=1), scale, axis=2)
        return ops.sum(seen * ops.square(added - means - left)) / (ops.sum(seen) + 1)

    return loss


def draw_samples(images: Iterable[xr.DataArray], card: ModelCard, settings: TrainSettings) -> Batch:
    """Draw the windows that training starts with.

    Returns
    -------
    inputs : array, (samples, m, m, 1)
    targets : array, (samples, n, n, 3)
        See `ColumnSamples.batch`.

    Raises
    ------
    NoValidPixelsError
        If no window reaches ``least_valid``.
    """
    return ColumnSamples(images, card, settings).drawn

"""Training windows from pictures: shrink, enlarge, and learn the difference.

A picture is shrunk by an antialiased bicubic kernel and enlarged again. The network sees the
enlarged luminance, divided by 255, and predicts what was lost. Pictures conserve nothing, so the
loss is the plain mean square error.

References
----------
C. Dong, C. C. Loy, K. He and X. Tang, "Image super-resolution using deep convolutional networks",
IEEE Trans. Pattern Anal. Mach. Intell. 38 (2016) 295-307.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from no2sr.core.errors import NoValidPixelsError
from no2sr.steps.luminance import WHITE, luminance_of
from no2sr.steps.resample import resize, upsample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard
    from no2sr.networks.training.settings import TrainSettings

__all__ = ["PictureSamples"]

# Sizes of the copies of every picture: they show the same edges with another sharpness.
SMALLER = (1.0, 0.9, 0.8, 0.7, 0.6)
WATCHED = 256  # windows that are held out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A picture before and after it was shrunk and enlarged, both with a rim, 0..1."""

    upsampled: NDArray[np.float32]
    reference: NDArray[np.float32]


class PictureSamples:
    """Windows of pictures, drawn again for every step.

    Parameters
    ----------
    pictures : iterable of array, (y, x) or (y, x, 3)
        Luminance 16..235, or red, green and blue 0..255.
    card : ModelCard
    settings : TrainSettings

    Raises
    ------
    NoValidPixelsError
        If no picture is as large as a window.
    """

    def __init__(
        self,
        pictures: Iterable[NDArray[Any]],
        card: ModelCard,
        settings: TrainSettings,
    ) -> None:
        self.card, self.settings = card, settings
        planes = [luminance_of(picture) for picture in pictures]
        apart = round(1 / settings.held_out) if settings.held_out else len(planes) + 1
        watched = planes[apart - 1 :: apart]
        learnt = [plane for k, plane in enumerate(planes) if (k + 1) % apart]
        self.pairs = [pair for plane in learnt for pair in self._pairs(plane, SMALLER)]
        self._watched = [pair for plane in watched for pair in self._pairs(plane, SMALLER[:1])]
        if not self.pairs:
            side = settings.window_size
            raise NoValidPixelsError(
                f"no picture has {side} x {side} pixels; give larger pictures or lower window_size"
            )
        if settings.held_out and not self._watched:
            raise NoValidPixelsError(
                f"holding out {settings.held_out:.0%} of {len(planes)} pictures leaves none to "
                "watch; give more pictures, or raise held_out"
            )
        lost = [np.square(pair.reference - pair.upsampled).mean() for pair in self.pairs]
        self.size = float(np.sqrt(np.mean(lost))) or 1.0

    def __len__(self) -> int:
        """Return the number of pictures, smaller copies included."""
        return len(self.pairs)

    def batch(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the windows of a step; the same step and seed give the same windows.

        Returns
        -------
        inputs : array, (batch, n + 2 radius, n + 2 radius, 1)
        targets : array, (batch, n, n, 1)
            Difference to the enlarged picture, in units of its root mean square over all pictures.
        """
        return self._windows(self.pairs, self.settings.batch, (self.settings.seed, int(step)))

    def hold_out(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return the windows that are held out, or None."""
        if not self._watched:
            return None
        return self._windows(self._watched, WATCHED, (self.settings.seed,))

    def loss(self) -> Any:
        """Make the loss: the mean squared error over that of bicubic interpolation."""
        from keras import ops

        rim, size = self.card.rim, self.size

        def loss(reference: Any, correction: Any) -> Any:
            inner = ops.cast(correction, "float32")
            inner = inner[:, rim:-rim, rim:-rim] if rim else inner
            return ops.mean(ops.square(inner / size - reference))

        return loss

    def _pairs(self, plane: NDArray[np.float32], smaller: tuple[float, ...]) -> list[_Pair]:
        """Shrink and enlarge a picture and its smaller copies."""
        scale, rim = self.card.scale, self.card.radius
        least = self.settings.window_size
        pairs = []
        for share in smaller:
            ny, nx = (round(size * share) // scale * scale for size in plane.shape)
            if min(ny, nx) < least:
                continue
            copy = plane[:ny, :nx] if share == 1 else resize(plane, (ny, nx))
            enlarged = upsample(resize(copy, (ny // scale, nx // scale)), scale)
            pairs.append(_Pair(upsampled=_widen(enlarged, rim), reference=_widen(copy, rim)))
        return pairs

    def _windows(
        self, pairs: list[_Pair], count: int, seed: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cut windows, each flipped and turned at random."""
        rng = np.random.default_rng(seed)
        areas = np.array([pair.reference.size for pair in pairs], dtype=float)
        side, rim = self.settings.window_size, self.card.radius
        whole = side + 2 * rim
        inputs = np.empty((count, whole, whole, 1), dtype=np.float32)
        targets = np.empty((count, side, side, 1), dtype=np.float32)
        for k, chosen in enumerate(rng.choice(len(pairs), size=count, p=areas / areas.sum())):
            pair = pairs[chosen]
            top, left = (int(rng.integers(size - whole + 1)) for size in pair.reference.shape)
            window = np.s_[top : top + whole, left : left + whole]
            turn, flip = int(rng.integers(4)), bool(rng.integers(2))
            seen, there = (
                np.rot90(values[window][:, ::-1] if flip else values[window], turn)
                for values in (pair.upsampled, pair.reference)
            )
            inputs[k, ..., 0] = seen
            targets[k, ..., 0] = (there - seen)[rim:-rim, rim:-rim] / self.size
        return inputs, targets


def _widen(plane: NDArray[np.float32], rim: int) -> NDArray[np.float32]:
    """Divide a plane by white and repeat its edge outwards."""
    wide: NDArray[np.float32] = np.pad(plane / np.float32(WHITE), rim, mode="edge")
    return wide

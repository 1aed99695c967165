"""A coarse block made ready for networks: filled, measured and cut into input channels."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from no2sr.core.errors import CardMismatchError, SettingsError
from no2sr.networks.channels import divide_by_spread, mean_of_nine
from no2sr.steps.gaps import fill_gaps
from no2sr.steps.normalise import Normaliser, local_statistics, normalise
from no2sr.steps.resample import KERNEL_REACH, upsample
from no2sr.steps.tiles import Tile, trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from no2sr.networks.card import ModelCard

    Layers = Mapping[str, NDArray[np.floating]]

__all__ = ["Prepared"]


class Prepared:
    """A coarse block made ready for networks: gaps filled, neighbourhoods measured.

    Parameters
    ----------
    coarse : array, (y + 2 halo, x + 2 halo)
        The column; NaN in gaps, halo included.
    card : ModelCard
        Its inputs name the channels: ``column`` is the normalised column; ``noise`` the noise over
        the local spread, at most 3; ``noise_mean`` the same of the mean noise of
        3 x 3 cells; ``presence`` 1 where the column was observed, else 0. Any other name is a layer
        that is normalised like the column.
    layers : mapping of str to array, (y + 2 halo, x + 2 halo), optional
        Other layers by name, in the unit of the column; NaN in gaps. ``noise`` is one standard
        deviation, 0 or more. A cell whose noise is not known takes it from the cells around it.
    """

    def __init__(
        self,
        coarse: NDArray[np.floating],
        card: ModelCard,
        *,
        layers: Layers = MappingProxyType({}),
    ) -> None:
        self.card, self.halo, self.margin = card, card.halo, card.margin
        self.observed = np.isfinite(coarse)
        self.filled = fill_gaps(np.asarray(coarse, dtype=np.float32), card.margin)
        self.statistics = _statistics(coarse, card)
        self._layers = layers
        self._channels: dict[str, NDArray[np.float32]] = {}

    def prepare_for(self, card: ModelCard) -> Prepared:
        """Prepare the same block for another network, without measuring it again.

        Parameters
        ----------
        card : ModelCard
            Of a network that sees no farther.

        Raises
        ------
        CardMismatchError
            If the network sees farther, or normalises with another window.
        """
        if card.margin > self.margin or card.window != self.card.window:
            raise CardMismatchError(
                f"model {card.name} needs {card.margin} cells around each and a window of "
                f"{card.window}; this block has {self.margin} and {self.card.window}; "
                "prepare a block with its card"
            )
        other = copy.copy(self)  # with the same channels
        other.card = card
        return other

    def layer(self, name: str) -> NDArray[np.float32]:
        """Return a layer with its gaps, and those of the column, filled.

        Parameters
        ----------
        name : str

        Returns
        -------
        array, (y + 2 halo, x + 2 halo)

        Raises
        ------
        SettingsError
            If it was not given.
        """
        return np.asarray(fill_gaps(self._observed_layer(name), self.margin), dtype=np.float32)

    def _observed_layer(self, name: str) -> NDArray[np.float32]:
        """Return a layer where the column was observed, else NaN."""
        if name not in self._layers:
            raise SettingsError(f"model {self.card.name} needs the layer {name!r}; give it as well")
        known = np.where(self.observed, self._layers[name], np.nan)
        return np.asarray(known, dtype=np.float32)

    def _channel(self, name: str) -> NDArray[np.float32]:
        """Return an input channel other than the column, on the whole coarse block."""
        if name not in self._channels:
            self._channels[name] = self._make_channel(name)
        return self._channels[name]

    def _make_channel(self, name: str) -> NDArray[np.float32]:
        """Make what `_channel` keeps."""
        if name == "presence":
            return np.asarray(self.observed, dtype=np.float32)
        if name == "noise":
            return divide_by_spread(self.layer("noise"), self.statistics.spread)
        if name == "noise_mean":
            return divide_by_spread(mean_of_nine(self.layer("noise")), self.statistics.spread)
        by = _statistics(self._observed_layer(name), self.card)
        limited = np.clip(normalise(self.layer(name), by), -self.card.window, self.card.window)
        return np.asarray(limited)

    def own_channels(self, moved: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the channels that describe the column, for networks that see more than it.

        Parameters
        ----------
        moved : array, (y + 2 halo, x + 2 halo)
            How far the noise step moved each cell, in the unit of the column.

        Returns
        -------
        list of array like `moved`
            ``column``, ``moved`` over the local spread, ``noise``, ``noise_mean``, ``presence``.
        """
        by, limit = self.statistics, np.float32(self.card.window)
        steps = np.divide(moved, by.spread, out=np.zeros_like(moved), where=by.spread > 0)
        column = np.clip(normalise(self.filled, by), -limit, limit)
        names = ("noise", "noise_mean", "presence")
        return [column, np.clip(steps, -limit, limit), *map(self._channel, names)]

    def network_input(self, tile: Tile) -> NDArray[np.float32]:
        """Cut the input of the network: its channels on its grid, a radius wider than the tile.

        No cell lies farther than ``sqrt(n - 1)`` spreads from the mean of the n cells of its own
        window (Samuelson's inequality). Values beyond the side of the window are therefore cut off:
        they arise where a window has almost no spread, and the network knows nothing of them.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.

        Returns
        -------
        array, (y, x) or (y, x, inputs)

        Raises
        ------
        SettingsError
            If the card names a channel whose layer was not given.
        """
        card = self.card
        if card.inputs == ("column",):
            return self._column(tile)
        return np.stack([self._cut_channel(name, tile) for name in card.inputs], axis=-1)

    def _cut_channel(self, name: str, tile: Tile) -> NDArray[np.float32]:
        """Cut a channel on the network's grid."""
        if name == "column":
            return self._column(tile)
        if self.card.grid == "coarse":
            return self._channel(name)[tile.grow(self.card.radius).window]
        return self._interpolate(self._channel(name), tile, rim=self.card.radius, method="bilinear")

    def _column(self, tile: Tile) -> NDArray[np.float32]:
        """Cut the normalised column on the network's grid."""
        card = self.card
        if card.grid == "fine":
            values, by = self.fine_window(tile, rim=card.radius)
        else:
            window = tile.grow(card.radius).window
            values = self.filled[window]
            by = Normaliser(
                mean=self.statistics.mean[window], spread=self.statistics.spread[window]
            )
        return np.clip(normalise(values, by), -card.window, card.window)

    def fine_window(self, tile: Tile, *, rim: int = 0) -> tuple[NDArray[np.float32], Normaliser]:
        """Interpolate the image and its normaliser over a tile and a rim around it.

        Parameters
        ----------
        tile : Tile
            In cells of the array given, at least a margin away from its edges.
        rim : int
            In fine pixels.

        Returns
        -------
        upsampled : array, (scale * rows + 2 rim, scale * columns + 2 rim)
        by : Normaliser
            Of the same shape.
        """
        mean = self._interpolate(self.statistics.mean, tile, rim=rim, method="bilinear")
        by = Normaliser(mean=mean, spread=self.fine_spread(tile, rim=rim))
        return self.upsample_image(tile, rim=rim), by

    def upsample_image(self, tile: Tile, *, rim: int = 0) -> NDArray[np.float32]:
        """Interpolate the image of `fine_window` alone."""
        return self._interpolate(self.filled, tile, rim=rim, method="bicubic")

    def fine_spread(self, tile: Tile, *, rim: int = 0) -> NDArray[np.float32]:
        """Interpolate the spread of `fine_window` alone."""
        return self._interpolate(self.statistics.spread, tile, rim=rim, method="bilinear")

    def _interpolate(
        self, field: NDArray[np.float32], tile: Tile, *, rim: int, method: str
    ) -> NDArray[np.float32]:
        scale = self.card.scale
        reach = -(-rim // scale) + KERNEL_REACH["bicubic"]
        offset = reach * scale - rim
        return trim(upsample(field[tile.grow(reach).window], scale, method=method), offset)


def _statistics(values: NDArray[np.floating], card: ModelCard) -> Normaliser:
    """Measure the neighbourhood of every cell, continued into gaps."""
    found = local_statistics(values, card.window)
    return Normaliser(
        mean=fill_gaps(found.mean, card.extension), spread=fill_gaps(found.spread, card.extension)
    )

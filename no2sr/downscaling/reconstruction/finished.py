"""Finished blocks on disk, so that a killed run can be continued."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Folder"]


class Folder:
    """Finished blocks on disk, so that a killed run can be continued.

    Parameters
    ----------
    path : Path
        Made if it is not there. Blocks of another task in it are removed.
    task : mapping
        All that the result depends on.
    """

    def __init__(self, path: Path, task: dict[str, Any]) -> None:
        self.path = path
        text = json.dumps(task, sort_keys=True, default=str)
        name = hashlib.sha256(text.encode()).hexdigest()
        path.mkdir(exist_ok=True)
        mark = path / "task.txt"
        if not (mark.is_file() and mark.read_text(encoding="utf-8") == name):
            for old in self._blocks():
                old.unlink()
            mark.write_text(name, encoding="utf-8")

    def _blocks(self) -> Iterator[Path]:
        yield from self.path.glob("block-*.npz*")

    def _place(self, number: int) -> Path:
        return self.path / f"block-{number:06}.npz"

    def holds(self, number: int) -> bool:
        """Tell whether a block is finished."""
        return self._place(number).is_file()

    def recall(self, number: int) -> dict[str, Floats]:
        """Return the layers of a finished block."""
        with np.load(self._place(number)) as stored:
            return {name: stored[name] for name in stored.files}

    def keep(self, number: int, layers: dict[str, Floats]) -> None:
        """Write the layers of a block; only a complete file gets its final name."""
        place = self._place(number)
        partial = place.with_suffix(".npz.partial")
        with partial.open("wb") as file:
            np.savez(file, **layers)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)

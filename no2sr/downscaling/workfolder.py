"""Work that survives being killed: finished strips beside the output, and what they belong to.

The folder ``.<name>.no2sr-work`` holds ``task.json`` (input, parameters, version), a file such as
``values.f32`` for each layer (finished strips, one after the other) and ``finished.jsonl`` (a line
a strip, with its checksums). A line is written after its strip, and a strip counts only if its
checksums are right. So neither a kill nor a power cut can make a later run take half a strip for a
whole one, and nothing has to wait for the disk.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from no2sr.core.errors import No2srWarning, WriteError
from no2sr.core.names import LONGEST_NAME, shorten
from no2sr.downscaling.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

__all__ = ["WorkFolder", "folder_of"]

_TASK, _FINISHED, _LOCK = "task.json", "finished.jsonl", "lock"
_PART = 1 << 26


def folder_of(out: Path) -> Path:
    """Return the work folder of an output."""
    name = f".{out.name}.no2sr-work"
    if len(os.fsencode(name)) > LONGEST_NAME:
        number = zlib.crc32(os.fsencode(out.name))
        name = f".{shorten(out.name, 128)}-{number:08x}.no2sr-work"
    return out.with_name(name)


class WorkFolder:
    """The strips of one output that are finished; a context manager.

    It is removed when all went well, or nothing was finished. Otherwise it stays, and the next run
    of the same task goes on from it.

    Parameters
    ----------
    out : Path
        The final name of the output.
    task : dict
        All that the result depends on, as JSON would hold it.
    shape : (int, int, int)
        Layers, rows and columns of the fine values.
    fields : tuple of str
        The layers that a strip has.
    resume : bool
        Whether to continue from what is there.

    Attributes
    ----------
    path : Path
    finished : int
        Number of finished strips.
    tally : Tally
        Of these.
    """

    def __init__(
        self,
        out: Path,
        task: dict[str, Any],
        shape: tuple[int, int, int],
        *,
        fields: tuple[str, ...] = ("values",),
        resume: bool = True,
    ) -> None:
        self.path, self.shape, self.fields = folder_of(out), shape, fields
        self._task = json.dumps(task, indent=1, sort_keys=True, default=str)
        self._resume = resume
        self._place = 0  # bytes of finished strips
        self.finished, self.tally = 0, Tally()

    def __enter__(self) -> Self:
        self.path.mkdir(exist_ok=True)
        self._lock = _lock(self.path)
        self._files = ExitStack()
        worthless = False
        try:
            if not self._is_same_task():
                worthless = True
                self._start()
            self._values = [self._open(_file_of(field)) for field in self.fields]
            self._record = self._open(_FINISHED)
            self._recall()
            worthless = not self.finished
            self._check_room()
        except BaseException:
            self._leave(remove=worthless)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(remove=kind is None or not self.finished)

    def _leave(self, *, remove: bool) -> None:
        self._files.close()
        if os.name == "nt":  # nobody can remove a file there that is open
            self._lock.close()
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    @contextmanager
    def forget_on_failure(self) -> Iterator[None]:
        """Take what is finished for worthless if the block fails."""
        try:
            yield
        except BaseException:
            self.finished = 0
            raise

    def _open(self, name: str) -> Any:
        return self._files.enter_context((self.path / name).open("r+b", buffering=0))

    @property
    def pixels(self) -> int:
        """Number of fine values in the finished strips."""
        return self._place // 4

    def append(self, strip: Sequence[NDArray[np.float32]], tally: Tally) -> None:
        """Add a strip, and the tally of all strips with it.

        Parameters
        ----------
        strip : sequence of array
            An array for each of `fields`, all of one shape.
        tally : Tally

        Raises
        ------
        OSError
            If there is no room. The strip then does not count.
        """
        parts = [np.ascontiguousarray(values).data.cast("B") for values in strip]
        for file, data in zip(self._values, parts, strict=True):
            file.seek(self._place)
            _write_all(file, data)
        line = json.dumps([len(parts[0]), [zlib.crc32(data) for data in parts], *tally]) + "\n"
        _write_all(self._record, memoryview(line.encode()))
        self._place += len(parts[0])
        self.finished, self.tally = self.finished + 1, tally

    def read(self, field: str) -> Any:
        """Return a layer as a dask array that reads its values when they are asked for."""
        import dask.array as da

        chunks = (1, min(512, self.shape[1]), self.shape[2])
        rows = _Rows(self.path / _file_of(field), self.shape)
        return da.from_array(rows, chunks=chunks, name=f"fine-{id(rows)}", meta=_EMPTY)

    def _is_same_task(self) -> bool:
        """Tell whether the folder holds the same task; warn if it holds another one."""
        try:
            there = (self.path / _TASK).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        if there != self._task and self._resume:
            warnings.warn(
                f"{self.path.name} holds unfinished work on another input, with other settings or "
                "of another version; it is removed",
                No2srWarning,
                stacklevel=4,
            )
        return there == self._task and self._resume

    def _start(self) -> None:
        """Empty the folder and write down the task."""
        for entry in self.path.iterdir():
            if entry.name != _LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for name in (*map(_file_of, self.fields), _FINISHED):
            (self.path / name).touch()
        unfinished = self.path / f"{_TASK}.partial"
        unfinished.write_text(self._task, encoding="utf-8")
        unfinished.replace(self.path / _TASK)

    def _recall(self) -> None:
        """Count the strips that are whole, and forget what follows the first that is not."""
        kept = 0
        for line in self._record.read().splitlines(keepends=True):
            try:
                size, checksums, *counts = json.loads(line)
                tally = Tally(*counts)
                found = [_checksum(file, size) for file in self._values]
            except (TypeError, ValueError):  # no line of ours: a power cut leaves anything
                break
            if not line.endswith(b"\n") or found != checksums:
                break
            kept += len(line)
            self._place += size
            self.finished, self.tally = self.finished + 1, tally
        self._record.truncate(kept)
        self._record.seek(kept)
        for entry in self.path.iterdir():  # what a killed run was writing last
            if entry.name not in {_TASK, _FINISHED, _LOCK, *map(_file_of, self.fields)}:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _check_room(self) -> None:
        """Refuse a task for which the disk has no room, before the work."""
        layers = len(self.fields)
        needed = layers * (4 * int(np.prod(self.shape, dtype=np.int64)) - self._place)
        free = shutil.disk_usage(self.path).free
        if needed > free:
            raise WriteError(
                f"{self.path.parent} has {free / 1e9:.1f} GB of free space, but the work needs "
                f"{needed / 1e9:.1f} GB; make room, or write elsewhere"
            )


_EMPTY = np.empty((0, 0, 0), dtype=np.float32)


def _file_of(field: str) -> str:
    return f"{field}.f32"


class _Rows:
    """An array in a file of which is read what is asked for."""

    dtype, ndim = np.dtype(np.float32), 3

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.path, self.shape = path, shape

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        return np.array(np.memmap(self.path, self.dtype, mode="r", shape=self.shape)[key])


def _lock(folder: Path) -> Any:
    """Hold the folder until the file is closed, or the process has gone.

    Raises
    ------
    WriteError
        If another process holds it.
    """
    file = (folder / _LOCK).open("ab")
    try:
        import fcntl
    except ImportError:  # Windows lets nobody remove a file that is open
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise WriteError(
            f"another run is working in {folder}; wait for it, or write elsewhere"
        ) from error
    return file


def _checksum(file: Any, size: int) -> int | None:
    """Return the checksum of the next bytes, or None if there are fewer.

    They are read in parts: Linux hands over 2 GiB at most.
    """
    checksum = 0
    while size:
        data = file.read(min(size, _PART))
        if not data:
            return None
        checksum, size = zlib.crc32(data, checksum), size - len(data)
    return checksum


def _write_all(file: Any, data: memoryview) -> None:
    """Write all bytes: the system may take them in parts."""
    while data:
        written = os.write(file.fileno(), data)
        data = data[written:]

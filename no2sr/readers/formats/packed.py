"""Any of the other formats, gzipped, or as the only file of a zip archive.

TEMIS gzips its monthly means, and the Atmosphere Data Store zips its NetCDF files. The file is
unpacked into a temporary folder, under its name in the archive, read completely, and removed.
"""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from no2sr.core.errors import FileUnreadableError, UnknownFormatError
from no2sr.readers.kit.files import read_beginning
from no2sr.readers.kit.screens import check_limits, check_quality
from no2sr.readers.registry import find_reader

if TYPE_CHECKING:
    from io import BufferedIOBase
    from typing import IO

    import xarray as xr

    from no2sr.readers.port import ReadOptions

__all__ = ["READER", "Packed"]

RATIO, LEAST = 100, 1 << 30  # a NetCDF file of gaps shrinks to a thousandth, but is small
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"


class Packed:
    """Reader of gzipped and zipped files."""

    name = "packed"
    product = "gzipped or zipped file"
    criteria = None  # these and the quality are those of the file inside
    has_quality = True

    def recognises(self, path: Path) -> bool:
        """Tell by the first bytes whether the file is gzip or zip."""
        return read_beginning(path, 2) == GZIP or read_beginning(path) == ZIP

    def read(self, path: Path, options: ReadOptions) -> xr.Dataset:
        """Read the file inside with its own reader, values included.

        Raises
        ------
        FileUnreadableError
            If the archive is damaged.
        UnknownFormatError
            If it holds several files, or one that no reader recognises.
        """
        with TemporaryDirectory(prefix=f"no2sr-{os.getpid()}-") as folder:
            inside = _unpack(path, Path(folder))
            reader = find_reader(inside)
            if reader.name == self.name:  # an archive can hold itself, without end
                raise UnknownFormatError(
                    f"{path.name} holds another archive, {inside.name}; unpack it first"
                )
            check_limits(reader, options.limits)
            check_quality(reader, options.qa_min)
            with reader.read(inside, replace(options, chunks=None)) as dataset:
                return dataset.load()


def _unpack(path: Path, folder: Path) -> Path:
    try:
        return _unzip(path, folder) if read_beginning(path) == ZIP else _gunzip(path, folder)
    except (
        EOFError,
        gzip.BadGzipFile,
        zlib.error,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as broken:
        raise FileUnreadableError(
            f"{path.name} cannot be unpacked ({broken}); it may be truncated: download it again"
        ) from broken


def _gunzip(path: Path, folder: Path) -> Path:
    inside = folder / (path.stem if path.suffix == ".gz" else path.name)
    with gzip.open(path) as packed:
        return _copy(packed, inside, path)


def _copy(packed: IO[bytes] | BufferedIOBase, inside: Path, archive: Path) -> Path:
    """Unpack a stream, up to a limit of its size."""
    most = max(LEAST, RATIO * archive.stat().st_size)
    done = 0
    with inside.open("wb") as plain:
        while piece := packed.read(1 << 20):
            done += len(piece)
            if done > most:
                raise FileUnreadableError(
                    f"{archive.name} unpacks to more than {most / 1e9:.3g} GB, which is more than "
                    f"{RATIO} times its size; unpack it yourself if you trust it"
                )
            plain.write(piece)
    return inside


def _unzip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        if len(files) != 1:
            names = ", ".join(member.filename for member in files[:6])
            raise UnknownFormatError(
                f"{path.name} holds {len(files)} files ({names}); unpack it and give the folder"
            )
        # Only the last part of the name is used: an archive may contain ../../ or absolute paths.
        name = PurePosixPath(files[0].filename.replace("\\", "/")).name or "inside"
        with archive.open(files[0]) as packed:
            return _copy(packed, folder / name, path)


READER = Packed()

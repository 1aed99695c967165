"""Hostile containers: what lies at a path is read, or refused by name, and never waited for."""

from __future__ import annotations

import gzip
import os
import socket
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from catalogue import Case, Map, Refused, named, try_case
from makers import KINDS, cf_grid, gzipped, tiff, zipped
from opening import open_column

from no2sr.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = {
    "spaces": "a b  c.nc",
    "quotes": 'it\'s "quoted".nc',
    "a newline": "one\ntwo.nc",
    "other scripts": "大气 NO₂ Säule.nc",
    "marks of patterns": "a[1]*?.nc",
    "marks of a shell": "$(touch x);`id`&|.nc",
    "a percent sign": "100%s{0}.nc",
    "marks of addresses": "a#mode=bytes&x=1.nc",
    "two hundred characters": "x" * 200 + ".nc",
    "no suffix": "grid",
    "the wrong suffix": "grid.tif",
    "the suffix of an archive": "grid.zip",
}


def _bytes(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        (d / name).write_bytes(data)
        return d / name

    return make


def _zip(members: dict[str, bytes]) -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        with zipfile.ZipFile(d / "a.zip", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return d / "a.zip"

    return make


def _changed(make: Callable[[Path], Path], change: Callable[[bytes], bytes]) -> Callable:
    def changed(d: Path) -> Path:
        path = make(d)
        path.write_bytes(change(path.read_bytes()))
        return path

    return changed


def _fifo(d: Path) -> Path:
    os.mkfifo(d / "pipe.nc")
    return d / "pipe.nc"


def _socket(d: Path) -> Path:
    here = os.open(".", os.O_RDONLY)
    os.chdir(d)  # the path of a socket may have a hundred characters only
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.nc")
    os.fchdir(here)
    os.close(here)
    return d / "socket.nc"


def _link(target: str, name: str = "link.nc") -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        cf_grid(d / "good.nc")
        (d / name).symlink_to(target)
        return d / name

    return make


def _folder(*names: str) -> Callable[[Path], Path]:
    def make(d: Path) -> Path:
        (d / "folder.nc").mkdir()
        for name in names:
            (d / "folder.nc" / name).write_text("nothing to see here, nothing at all")
        return d / "folder.nc"

    return make


def _encrypted(data: bytes) -> bytes:
    """Set the flag of encryption in both headers of the one member."""
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def _two_pages(d: Path) -> Path:
    """Write two rasters into one file."""
    path = tiff(d / "r.tif")
    with rasterio.open(path) as first:
        profile, values = first.profile, first.read()
    with rasterio.open(path, "w", APPEND_SUBDATASET="YES", **profile) as second:
        second.write(values)
    return path


def _plain(d: Path) -> Path:
    return cf_grid(d / "good.nc")


HTML = b"<!DOCTYPE html><html><body>401 Unauthorized: log in at ...</body></html>"
UNREADABLE, UNKNOWN = errors.FileUnreadableError, errors.UnknownFormatError
CASES = [
    Case(name="nothing there", make=lambda d: d / "absent.nc", outcome=Refused(error=UNREADABLE, says="does not exist")),
    Case(name="empty file", make=_bytes("a.nc", b""), outcome=Refused(error=UNREADABLE, says="0 bytes long")),
    Case(name="seven bytes", make=_bytes("a.nc", b"\x89HDF\r\n\x1a"), outcome=Refused(error=UNREADABLE, says="7 bytes long|cannot be read")),
    Case(name="signature only", make=_bytes("a.nc", b"\x89HDF\r\n\x1a\n"), outcome=Refused(error=UNREADABLE, says="cannot be read")),
    Case(name="signature of TIFF only", make=_bytes("a.tif", b"II*\0\x08\0\0\0"), outcome=Refused(error=UNREADABLE, says="cannot be read")),
    Case(name="page of a portal", make=_bytes("a.nc", HTML), outcome=Refused(error=UNKNOWN, says="not in a format that no2sr reads")),
    Case(name="picture of another format", make=_bytes("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100)), outcome=Refused(error=UNKNOWN, says="picture|not in a format")),
    Case(name="program", make=_bytes("a.nc", b"\x7fELF" + bytes(500)), outcome=Refused(error=UNKNOWN, says="not in a format")),
    Case(name="zeros", make=_bytes("a.nc", bytes(5000)), outcome=Refused(error=UNKNOWN, says="not in a format")),
    Case(name="bytes after the end", make=_changed(_plain, lambda data: data + HTML), outcome=Map()),
    Case(name="bytes before the beginning", make=_changed(_plain, lambda data: b"x" * 100 + data), outcome=Refused(error=UNKNOWN, says="not in a format")),
    Case(name="line ends changed", make=_changed(_plain, lambda data: data.replace(b"\n", b"\r\n")), outcome=Refused(error=errors.ReadError, says="cannot be read|not in a format")),
    # archives
    Case(name="gzip", make=lambda d: gzipped(d / "a.nc.gz"), outcome=Map()),
    Case(name="gzip without suffix", make=lambda d: gzipped(d / "a.nc"), outcome=Map()),
    Case(name="gzip cut short", make=_changed(lambda d: gzipped(d / "a.nc.gz"), lambda data: data[:-200]), outcome=Refused(error=UNREADABLE, says="cannot be unpacked")),
    Case(name="gzip with a wrong checksum", make=_changed(lambda d: gzipped(d / "a.nc.gz"), lambda data: data[:-8] + bytes(8)), outcome=Refused(error=UNREADABLE, says="cannot be unpacked")),
    Case(name="gzip of gzip", make=_changed(lambda d: gzipped(d / "a.nc.gz"), gzip.compress), outcome=Refused(error=UNKNOWN, says="holds another archive")),
    Case(name="gzip of a page", make=_bytes("a.nc.gz", gzip.compress(HTML)), outcome=Refused(error=UNKNOWN, says="not in a format")),
    Case(name="zip", make=lambda d: zipped(d / "a.zip"), outcome=Map()),
    Case(name="zip of a raster", make=lambda d: _zip({"r.tif": tiff(d / "r.tif").read_bytes()})(d), outcome=Map()),
    Case(name="zip of two files", make=_zip({"a.nc": b"1", "b.nc": b"2"}), outcome=Refused(error=UNKNOWN, says="holds 2 files")),
    Case(name="zip of nothing", make=_bytes("a.zip", b"PK\x05\x06" + bytes(18)), outcome=Refused(error=UNKNOWN, says="not in a format")),
    Case(name="zip with a password", make=_changed(lambda d: zipped(d / "a.zip"), _encrypted), outcome=Refused(error=UNREADABLE, says="cannot be unpacked.*password")),
    Case(name="zip cut short", make=_changed(lambda d: zipped(d / "a.zip"), lambda data: data[:-50]), outcome=Refused(error=UNREADABLE, says="cannot be unpacked")),
    Case(name="zip that climbs", make=lambda d: zipped(d / "a.zip", name="../../up.nc"), outcome=Map()),
    Case(name="raster of two pages", make=_two_pages, outcome=Refused(error=UNKNOWN, says=r"holds 2 rasters.*gdal_translate GTIFF_DIR:1:r.tif")),
    # what is no file
    Case(name="empty folder", make=_folder(), outcome=Refused(error=UNKNOWN, says="no files")),
    Case(name="folder of notes", make=_folder("a.txt", "b.txt"), outcome=Refused(error=UNKNOWN, says="a.txt, b.txt")),
    Case(name="pipe", make=_fifo, outcome=Refused(error=UNREADABLE, says="is a pipe, a socket or a device")),
    Case(name="socket", make=_socket, outcome=Refused(error=UNREADABLE, says="is a pipe, a socket or a device")),
    Case(name="endless device", make=_link("/dev/zero"), outcome=Refused(error=UNREADABLE, says="is a pipe, a socket or a device")),
    Case(name="link", make=_link("good.nc"), outcome=Map()),
    Case(name="link in a circle", make=_link("link.nc"), outcome=Refused(error=UNREADABLE, says="does not exist|cannot be looked up")),
    Case(name="link to nowhere", make=_link("absent.nc"), outcome=Refused(error=UNREADABLE, says="does not exist")),
    *(
        Case(name=f"a name with {what}", make=lambda d, name=name: cf_grid(d / name), outcome=Map())
        for what, name in NAMES.items()
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=named)
def test_container(case, tmp_path, no2sr_command):
    try_case(case, tmp_path, no2sr_command)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.filterwarnings("ignore::no2sr.No2srWarning")
def test_a_file_cut_at_every_kilobyte_is_refused_or_whole(kind, tmp_path):
    whole = KINDS[kind](tmp_path / kind)
    data, image = whole.read_bytes(), open_column(whole)
    cut = tmp_path / "cut" / kind
    cut.parent.mkdir()
    for size in [*range(0, len(data), 1024), len(data) - 1]:
        cut.write_bytes(data[:size])
        try:
            opened = open_column(cut)
        except errors.No2srError:
            continue
        # What was cut off said nothing: an end of line, the padding of a block.
        np.testing.assert_array_equal(opened.values, image.values)
        assert size == len(data) - 1

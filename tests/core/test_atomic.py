"""Outputs take their names in one step, where the system can do that and where it cannot."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from no2sr.core import atomic
from no2sr.core.atomic import replace_atomically
from no2sr.core.errors import OutputExistsError, WriteError


def fill(path, text):
    """Make a file, or a folder with one."""
    if path.suffix == ".zarr":
        path.mkdir()
        path = path / "values"
    path.write_text(text)


def text_of(path):
    return (path / "values" if path.is_dir() else path).read_text()


class _Missing:
    """A C library without renameat2."""

    def __init__(self, *_args, **_settings):
        pass


@pytest.fixture(params=["linux", "elsewhere", "old file system"])
def system(request, monkeypatch):
    """Let the system rename as Linux does, as others do, or refuse to do so on this disk."""
    if request.param == "elsewhere":
        monkeypatch.setattr(ctypes, "CDLL", _Missing)
    if request.param == "old file system":

        class Refusing:
            def __init__(self, *_args, **_settings):
                pass

            @staticmethod
            def renameat2(*_args):
                ctypes.set_errno(errno.EINVAL)
                return -1

        monkeypatch.setattr(ctypes, "CDLL", Refusing)
    return request.param


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_free_name_is_taken(system, tmp_path, name, overwrite):
    with replace_atomically(tmp_path / name, overwrite=overwrite) as temporary:
        fill(temporary, "new")
    assert text_of(tmp_path / name) == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_what_was_there_is_replaced_whole(system, tmp_path, name):
    fill(tmp_path / name, "old")
    if name == "a.zarr":
        (tmp_path / name / "chunk").write_text("of the old one")
    with replace_atomically(tmp_path / name, overwrite=True) as temporary:
        fill(temporary, "new")
    assert text_of(tmp_path / name) == "new"
    assert not (tmp_path / name / "chunk").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_name_taken_at_the_last_moment_is_left_alone(tmp_path, monkeypatch):
    # After the check and before the move: only a renaming that refuses taken names is safe.
    final = tmp_path / "a.tif"
    renamed = atomic._rename

    def too_late(old, new, *, how):
        final.write_text("theirs")
        return renamed(old, new, how=how)

    monkeypatch.setattr(atomic, "_rename", too_late)

    def write():
        with replace_atomically(final, overwrite=False) as temporary:
            temporary.write_text("ours")

    with pytest.raises(OutputExistsError):
        write()
    assert final.read_text() == "theirs"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]


def test_a_renaming_that_is_refused_is_told(tmp_path):
    def write():
        with replace_atomically(tmp_path / "a.tif", overwrite=False):
            pass  # nothing was written, so there is nothing to rename

    with pytest.raises(WriteError, match="No such file"):
        write()


def test_a_name_that_a_file_system_finds_too_long(tmp_path):
    with pytest.raises(WriteError, match=r"File name too long.*choose a shorter one"):  # noqa: SIM117
        with replace_atomically(tmp_path / "map.tif", overwrite=False):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))

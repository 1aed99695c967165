"""One call for tests that downscale into a file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from no2sr.downscaling.inputs import Input
from no2sr.downscaling.settings import Refining, Running, Writing
from no2sr.downscaling.to_file import refine_input


def refine_to_file(scene, path, *, origin=None, recheck=None, progress=None, **settings):
    """Downscale a scene into a file and return the fine column's coordinates and attributes."""
    records = {}
    for record in (Refining, Writing, Running):
        names = [field.name for field in fields(record) if field.name in settings]
        records[record] = record(**{name: settings.pop(name) for name in names})
    assert not settings
    given = Input(scene=scene, origin=origin, recheck=recheck)
    return refine_input(
        given,
        Path(path),
        refining=records[Refining],
        writing=records[Writing],
        running=records[Running],
        progress=progress,
    ).fine

"""Records of what takes long to measure: one JSON file a measurement, kept with the code."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parent / "records"
# What decides whether a run that is killed loses anything.
_KEEPING = {
    "core": "atomic",
    "downscaling": "to_file workfolder",
    "writers": "geotiff netcdf zarr",
}
KEEPING = [
    Path(__file__).parents[1] / "no2sr" / room / f"{part}.py"
    for room, parts in _KEEPING.items()
    for part in parts.split()
]


def renew(name: str, parts: dict[str, dict[str, Any]]) -> Path:
    """Write parts of a record anew, each with the day and the versions; others stay."""
    import no2sr

    path = FOLDER / f"{name}.json"
    whole = read(name)
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "no2sr": no2sr.__version__,
        "python": platform.python_version(),
    }
    whole |= {part: {**made, **found} for part, found in parts.items()}
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def read(name: str) -> dict[str, Any]:
    """Return a record, empty where there is none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def digest(paths: Iterable[Path]) -> str:
    """Return a checksum of files, so that a record tells whether it is of these sources."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]

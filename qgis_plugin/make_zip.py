"""Zip the plugin for QGIS' "Install from ZIP": ``python qgis_plugin/make_zip.py [folder]``.

The same files give the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = HERE / "no2sr_qgis"
SUFFIXES = {".py", ".svg", ".txt"}


def main(folder: Path) -> Path:
    """Write the zip into a folder and return its path."""
    about = ConfigParser()
    about.read(PLUGIN / "metadata.txt", encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PLUGIN.name}-{about['general']['version']}.zip"
    sources = sorted(source for source in PLUGIN.iterdir() if source.suffix in SUFFIXES)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for source in [*sources, HERE.parent / "LICENSE"]:
            entry = zipfile.ZipInfo(f"{PLUGIN.name}/{source.name}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            file.writestr(entry, source.read_bytes())
    return path


if __name__ == "__main__":
    # ruff: noqa: T201 - a script
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "dist")))

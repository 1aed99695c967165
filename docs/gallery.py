"""Make the pictures of the gallery anew, with the example scripts.

python docs/gallery.py
"""
# ruff: noqa: INP001, S603, T201 - a script: in no package, it runs scripts and prints

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "images" / "gallery"
PICTURES = {
    "01_open_and_look": ["open_map.png"],
    "02_downscale": ["before_after.png"],
    "04_grid_swaths": ["grid_column.png"],
    "05_rendered_map": ["rendered.png", "rendered_legend.png", "enhanced.png", "downscaled.png"],
    "10_compare_with_truth": ["compare_with_truth.png"],
}


def main() -> None:
    """Run the examples that draw, and keep what they drew."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for example, names in PICTURES.items():
            script = ROOT / "examples" / f"{example}.py"
            subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
            for name in names:
                print(shutil.copy(Path(folder) / name, GALLERY / name))


if __name__ == "__main__":
    main()

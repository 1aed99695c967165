"""Write the requirements of a slim install: those of no2sr without its heaviest packages.

    python packaging/slim.py          # print them
    python packaging/slim.py --write  # write packaging/requirements-slim.txt

Networks run on ONNX Runtime. Only training, `--engine tensorflow` and models without an ONNX form
need Keras and TensorFlow, and nothing in the package imports OpenCV.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent / "pyproject.toml"
REQUIREMENTS = HERE / "requirements-slim.txt"
HEAVY = {"keras", "opencv-python", "tensorflow"}
HEAD = (
    "# Written by packaging/slim.py from pyproject.toml; do not edit.\n"
    "# pip install -r packaging/requirements-slim.txt && pip install --no-deps .\n"
)


def list_requirements() -> list[str]:
    """Return the declared requirements without the heavy ones."""
    declared: list[str] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    names = {requirement: re.split(r"[^\w.-]", requirement)[0] for requirement in declared}
    absent = HEAVY - set(names.values())
    if absent:
        raise SystemExit(f"{PROJECT.name} no longer declares {', '.join(sorted(absent))}")
    return [requirement for requirement, name in names.items() if name not in HEAVY]


def main() -> None:
    """Print the file, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    text = HEAD + "\n".join(list_requirements()) + "\n"
    if asked.write:
        REQUIREMENTS.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()

"""The walks of the documentation are true: their commands run, and print what they show."""

from __future__ import annotations

import re
import shlex

import pandas as pd
import pytest

WALKS = ("analyst",)
BLOCK = re.compile(r"```(sh|csv)(?: title=\"([\w.]+)\")?\n(.*?)```", re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", WALKS)
def test_walk(name, root, no2sr_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(root / "sample_data")
    for shapes in (root / "docs" / "walks").glob("*.geojson"):
        (tmp_path / shapes.name).write_bytes(shapes.read_bytes())
    page = (root / "docs" / "walks" / f"{name}.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(page)
    commands = [line for kind, _, text in blocks if kind == "sh" for line in _lines(text)]
    assert len(commands) >= 4
    for line in commands:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "no2sr"
        done = no2sr_command(*arguments)
        assert (done.code, done.errors) == (0, []), line
    tables = [(title, text) for kind, title, text in blocks if kind == "csv"]
    assert tables
    for title, text in tables:
        written = pd.read_csv(tmp_path / title, dtype={"code": str})
        (tmp_path / "shown.csv").write_text(text)
        shown = pd.read_csv(tmp_path / "shown.csv", dtype={"code": str})
        # The page rounds, and other processors round otherwise.
        pd.testing.assert_frame_equal(shown, written[list(shown)], rtol=0.01, atol=0.06)


def _lines(text):
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]

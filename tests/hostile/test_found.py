"""Files that fuzzing found: each made the command line fail once, and must never again.

They are mutants of files that `makers` writes; nothing in them was measured by anybody.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FOUND = sorted((Path(__file__).parent / "found").iterdir())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once_is_one_line_now(path, tmp_path, no2sr_command):
    for args in (["info", path], ["downscale", path, tmp_path / "fine.tif"]):
        refused = no2sr_command(*args)
        assert refused.code == 1
        assert len(refused.errors) == 1
        assert refused.errors[0].startswith("Error: ")
        assert "unexpected error in its reader" not in refused.err
    assert list(tmp_path.iterdir()) == []

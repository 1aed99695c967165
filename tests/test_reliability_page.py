"""The page on reliability: a figure says whether it is of these sources."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def page(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    import reliability

    yield reliability
    for name in ("reliability", "mutation", "records"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("current", [True, False])
def test_kills_of_earlier_sources_are_said_to_be(page, monkeypatch, current):
    sources = page.records.digest(page.records.KEEPING)
    found = {
        "date": "2026-11-24",
        "found": {"writing": 3},
        "kills": 3,
        "seed": 1,
        "sources": sources if current else "0" * 16,
        "survived": 3,
    }
    monkeypatch.setattr(page.records, "read", lambda _name: {"random moments": found})
    assert ("of earlier sources" in page._kills()) is not current

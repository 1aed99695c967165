"""The README is true: its figures are those of the cards, its Python runs, its commands exist."""

from __future__ import annotations

import re

import pytest

from no2sr import available_models

ROW = re.compile(
    r"^\| `(\w+)` \| (\d) \|.*?\| ([\d,]+) \| (0\.\d{3}) \| (0\.\d{3}) \|", re.MULTILINE
)
PICTURE_ROW = re.compile(
    r"^\| `luminance` \| (\d) \| ([\d,]+) \| (\d+\.\d\d) \| (\d+\.\d\d) \|", re.MULTILINE
)


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_the_table_of_models_is_that_of_the_cards(readme):
    told = {
        (name, int(scale)): (int(count.replace(",", "")), float(ours), float(classical))
        for name, scale, count, ours, classical in ROW.findall(readme)
    }
    cards = {
        (card.network, card.scale): (
            card.parameters,
            pytest.approx(card.metrics["rmse_over_bicubic"], abs=6e-4),
            pytest.approx(card.metrics["best_classical_over_bicubic"], abs=6e-4),
        )
        for card in available_models()
        if card.domain == "column"
    }
    assert told == cards


def test_the_table_of_models_for_pictures_is_that_of_the_cards(readme):
    told = {
        int(scale): (int(count.replace(",", "")), float(ours), float(bicubic))
        for scale, count, ours, bicubic in PICTURE_ROW.findall(readme)
    }
    cards = {
        card.scale: (
            card.parameters,
            pytest.approx(card.metrics["psnr_db"], abs=6e-3),
            pytest.approx(card.metrics["psnr_db_bicubic"], abs=6e-3),
        )
        for card in available_models()
        if card.domain == "luminance"
    }
    assert told == cards


def test_its_python_runs(readme, tmp_path, monkeypatch, root, capsys):
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    (tmp_path / "sample_data").symlink_to(root / "sample_data")
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - our own README
    assert (tmp_path / "no2_fine.tif").exists()
    assert (tmp_path / "no2_fine_uncertainty.tif").exists()
    assert capsys.readouterr().out


def test_its_pictures_and_links_are_there(readme, root):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (root / target).exists(), target


def test_its_commands_are_targets_of_make(readme, root):
    makefile = (root / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", readme, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

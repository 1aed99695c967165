"""Set5 as the SRCNN authors measured it: their weights through our code give their figures."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from no2sr import available_models, load_model


@pytest.fixture(scope="module")
def set5(root, real_data):
    """Return the module that measures."""
    sys.path.insert(0, str(root / "benchmarks"))
    spec = importlib.util.spec_from_file_location("set5", root / "benchmarks" / "set5.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.pop(0)
    module.SET5 = real_data / "sr" / "Set5"
    return module


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("scale", "bicubic", "network"), [(2, 33.66, 36.64), (3, 30.39, 32.75), (4, 28.42, 30.48)]
)
def test_the_authors_figures_come_out(set5, real_data, scale, bicubic, network):
    assert set5.bicubic_psnr(scale) == pytest.approx(bicubic, abs=0.01)
    model = load_model(real_data / "weights" / f"srcnn_955_x{scale}.mat", scale=scale)
    assert set5.model_psnr(model) == pytest.approx(network, abs=0.02)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "card",
    [card for card in available_models() if card.domain == "luminance"],
    ids=lambda card: f"x{card.scale}",
)
def test_the_figures_on_the_cards_are_found_again(set5, card):
    found = set5.model_psnr(load_model("luminance", scale=card.scale))
    assert found == pytest.approx(card.metrics["psnr_db"], abs=0.002)

"""Take the picture of the report anew, in Chromium; needs what `make test-browser` installs.

python docs/report_picture.py
"""
# ruff: noqa: INP001 - a script, in no package

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver

import no2sr
from no2sr.core.door import choose_variable
from no2sr.views.report.page import write_report

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "report.png"
SIZE = "1000,900"


def main() -> None:
    """Report on the sample swath and photograph the top of the page."""
    sample = next((ROOT / "sample_data").glob("S5P_*.nc"))
    coarse = choose_variable(no2sr.open_no2(sample, bbox=(76, 27.5, 78.5, 29.5)))
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={SIZE}",
    ):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(coarse, no2sr.downscale(coarse), Path(folder) / "report.html")
        with webdriver.Chrome(options=options, service=service) as driver:
            driver.get(page.as_uri())
            driver.save_screenshot(str(PICTURE))
    with Image.open(PICTURE) as picture:  # a third of the size, and no colour looks another
        picture.convert("RGB").quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()

"""A real browser for the reports, or a skip that says what is missing."""

from __future__ import annotations

import json
import os
import shutil
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver, or skip.

    With ``NO2SR_REQUIRE_BROWSER=1`` their absence is a failure.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    packages = all(find_spec(name) for name in ("selenium", "axe_core_python"))
    if browser and driver and packages:
        return browser, driver
    reason = "no Chromium, chromedriver, selenium or axe-core-python: run make test-browser"
    if os.environ.get("NO2SR_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def start(chromium: tuple[str, str]):
    """Return a function that starts a browser that reaches no network."""
    from selenium import webdriver

    started = []

    def run(width: int, height: int, *, phone: bool = False) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium[0]
        for argument in (
            "--headless=new",
            "--no-sandbox",  # Chromium refuses to run as root with one
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        if phone:
            metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=chromium[1])
        driver = webdriver.Chrome(options=options, service=service)
        started.append(driver)
        return driver

    yield run
    for driver in started:
        driver.quit()


@pytest.fixture(scope="session")
def desktop(start: Callable):
    """Return a browser with a large window."""
    return start(1200, 900)


@pytest.fixture(scope="session")
def phone(start: Callable):
    """Return a browser that pretends to be a phone."""
    return start(360, 740, phone=True)


@pytest.fixture(scope="session")
def requested() -> Callable:
    """Return a function that lists the addresses that a browser asked for since the last call."""

    def read(driver) -> list[str]:
        messages = (
            json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
        )
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    return read


@pytest.fixture(scope="session")
def axe() -> Callable:
    """Return a function that lists what axe finds serious on the page that a browser shows."""

    def find(driver) -> list[str]:
        source = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        driver.execute_script(source)
        found = driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run().then((results) => done(results), (error) => done(String(error)));"
        )
        assert found["passes"], found
        return [
            f"{problem['impact']}: {problem['id']}: {problem['nodes'][0]['html']}"
            for problem in found["violations"]
            if problem["impact"] in {"serious", "critical"}
        ]

    return find

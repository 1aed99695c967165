"""The report in a real browser: offline, swiped, pointed at, by mouse, keys and touch."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import no2sr
from no2sr.core.grid import georeference
from no2sr.core.layers import TOTAL, assemble_scene
from no2sr.views.report.page import write_report

if TYPE_CHECKING:
    from collections.abc import Callable
pytestmark = pytest.mark.browser

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'"
WEST, NORTH, STEP = 76.0, 29.5, 0.1
READOUT = re.compile(
    r"(?P<y>[\d.]+)°N (?P<x>[\d.]+)°E: before (?P<before>\S+), after (?P<after>\S+)"
)


@pytest.fixture(scope="session")
def images() -> tuple[xr.DataArray, xr.DataArray]:
    """Return a coarse image with a gap and the fine one made of it, with hostile attributes."""
    y, x = np.mgrid[0:24, 0:30]
    values = 1e-5 + 2e-4 * np.exp(-((y - 9) ** 2 + (x - 12) ** 2) / 20)
    values += np.random.default_rng(2).normal(0, 2e-6, values.shape)
    values[15:18, 20:24] = np.nan
    attrs = {"units": "mol m-2", "source": HOSTILE, "history": HOSTILE, "comment": HOSTILE}
    image = xr.DataArray(values.astype(np.float32), dims=("y", "x"), attrs=attrs)
    coarse = georeference(image, Affine(STEP, 0, WEST, 0, -STEP, NORTH), "EPSG:4326")
    return coarse, no2sr.downscale(coarse, scale=4)


@pytest.fixture(scope="session")
def page(images, tmp_path_factory) -> str:
    """Return the address of the report."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(*images, path, title=HOSTILE).as_uri()


@pytest.fixture
def open_page(page: str, requested: Callable):
    """Return a function that opens the report afresh."""

    def run(driver) -> Map:
        requested(driver)  # forget what came before
        driver.get_log("browser")
        driver.get(page)
        return Map(driver)

    return run


class Map:
    """The map of an open report, and where its cells are on the screen.

    The place is worked out here anew: the whole map is fitted into the canvas, a degree of
    longitude shrunk by the cosine of the middle latitude.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.canvas = self.find("map")

    def find(self, name: str) -> Any:
        """Return an element by its name."""
        return self.driver.find_element("id", name)

    @property
    def size(self) -> tuple[float, float]:
        """Return width and height of the canvas on the screen."""
        box = "const b = arguments[0].getBoundingClientRect(); return [b.width, b.height]"
        width, height = self.driver.execute_script(box, self.canvas)
        return width, height

    def pixel(self, row: int, column: int) -> tuple[float, float]:
        """Return where the middle of a fine cell is, from the corner of the canvas."""
        width, height = self.size
        degrees = 30 * STEP, 24 * STEP
        shrink = math.cos(math.radians(NORTH - degrees[1] / 2))
        pace = min(width / degrees[0], height * shrink / degrees[1])
        x, y = (column + 0.5) * STEP / 4, (row + 0.5) * STEP / 4
        return (
            width / 2 + (x - degrees[0] / 2) * pace,
            height / 2 + (y - degrees[1] / 2) * pace / shrink,
        )

    def act(self) -> Any:
        """Return a chain of what a mouse does."""
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.driver, duration=20)

    def hover(self, row: int, column: int) -> dict[str, str]:
        """Point at a fine cell and return what the page says of it."""
        width, height = self.size
        x, y = self.pixel(row, column)
        offset = round(x - width / 2), round(y - height / 2)
        self.act().move_to_element_with_offset(self.canvas, *offset).perform()
        return self.read()

    def read(self) -> dict[str, str]:
        """Return place and values that the page shows."""
        found = READOUT.search(self.find("readout").text)
        assert found, self.find("readout").text
        return found.groupdict()

    def colour(self, row: int, column: int) -> list[int]:
        """Return the colour that is drawn on a cell."""
        x, y = self.pixel(row, column)
        script = (
            "const c = arguments[0], d = c.width / c.clientWidth;"
            "return [...c.getContext('2d').getImageData(arguments[1] * d, arguments[2] * d, 1, 1)"
            ".data]"
        )
        return self.driver.execute_script(script, self.canvas, x, y)

    def swipe(self, share: float) -> None:
        """Move the divider to a share of the width, in per cent."""
        script = (
            "arguments[0].value = arguments[1];"
            "arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        )
        self.driver.execute_script(script, self.find("swipe"), share)

    def mouse(self, kind: str, row: int, column: int, **more: Any) -> None:
        """Let something happen to the mouse, or a pen, over a fine cell."""
        corner = "const b = arguments[0].getBoundingClientRect(); return [b.left, b.top]"
        left, top = self.driver.execute_script(corner, self.canvas)
        x, y = self.pixel(row, column)
        command = {"type": kind, "x": left + x, "y": top + y, "clickCount": 1, **more}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", command)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Lay fingers on the canvas, move them, or (without points) lift them."""
        corner = "const b = arguments[0].getBoundingClientRect(); return [b.left, b.top]"
        left, top = self.driver.execute_script(corner, self.canvas)
        places = [{"x": left + x, "y": top + y, "id": i} for i, (x, y) in enumerate(points)]
        command = {"type": kind, "touchPoints": places}
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", command)


def _shown(value: float) -> float:
    """Return micromoles rounded to 4 digits, as JavaScript's toPrecision does."""
    return float(f"{1e6 * value:.4g}")


def _check(read: dict[str, str], images, row: int, column: int) -> None:
    """Compare what the page says of a fine cell with the rasters."""
    coarse, fine = images
    wanted = {"before": coarse.values[row // 4, column // 4], "after": fine.values[row, column]}
    for name, value in wanted.items():
        if np.isnan(value):
            assert read[name] == "gap"
        else:
            assert float(read[name]) == _shown(float(value))
    assert float(read["x"]) == pytest.approx(float(fine["x"][column]), abs=STEP / 8 + 1e-4)
    assert float(read["y"]) == pytest.approx(float(fine["y"][row]), abs=STEP / 8 + 1e-4)


def test_it_opens_from_disk_without_network_and_complaint(desktop, open_page, requested, page):
    open_page(desktop)
    assert [url for url in requested(desktop) if not url.startswith("data:")] == [page]
    assert desktop.get_log("browser") == []
    assert desktop.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_attributes_of_the_file_are_text(desktop, open_page):
    open_page(desktop)
    assert desktop.execute_script("return window.hacked") is None
    assert desktop.title == HOSTILE
    assert desktop.find_element("tag name", "h1").text == HOSTILE
    assert len(desktop.find_elements("tag name", "script")) == 2
    assert desktop.find_elements("tag name", "img") == []


@pytest.mark.parametrize(("row", "column"), [(3, 5), (36, 49), (70, 100), (64, 88), (95, 119)])
def test_the_value_under_the_cursor_is_that_of_the_rasters(desktop, open_page, images, row, column):
    _check(open_page(desktop).hover(row, column), images, row, column)


def test_the_swipe_uncovers_one_map_and_covers_the_other(desktop, open_page, images):
    shown = open_page(desktop)
    coarse, fine = (1e6 * image.values for image in images)
    from no2sr.core.colours import ramp, robust_limits

    low, high = robust_limits(coarse)
    cells = [(33, 44), (41, 55), (30, 46)]
    for share, image, block in ((0, fine, 1), (100, coarse, 4), (0, fine, 1)):
        shown.swipe(share)
        for row, column in cells:
            value = image[row // block, column // block]
            step = int(np.clip(256 * (value - low) / (high - low), 0, 255))
            assert np.abs(np.subtract(shown.colour(row, column)[:3], ramp()[step])).max() <= 2


def test_the_swipe_is_dragged_on_the_map_and_moved_by_keys(desktop, open_page):
    from selenium.webdriver.common.keys import Keys

    shown = open_page(desktop)
    width, _ = shown.size
    swipe = shown.find("swipe")
    drag = shown.act().move_to_element_with_offset(shown.canvas, 0, 0).click_and_hold()
    drag.move_by_offset(round(width / 4), 0).release().perform()
    assert float(swipe.get_property("value")) == pytest.approx(75, abs=1)
    swipe.send_keys(Keys.HOME)
    assert swipe.get_property("value") == "0"
    assert swipe.get_attribute("aria-valuetext") == "0 % before"
    swipe.send_keys(Keys.ARROW_RIGHT)
    assert swipe.get_property("value") == "0.5"


def test_gaps_are_drawn_as_gaps(desktop, open_page, images):
    shown = open_page(desktop)
    assert np.isnan(images[1].values[64, 88])
    drawn = np.array([shown.colour(row, 88)[:3] for row in range(62, 70)])
    assert (drawn == drawn[:, :1]).all()  # grey and white: no colour of the ramp
    assert shown.hover(64, 88)["after"] == "gap"
    assert "gap" in shown.find("readout").text


def test_the_second_button_moves_nothing(desktop, open_page):
    shown = open_page(desktop)
    shown.find("closer").click()
    before = shown.hover(40, 40)
    shown.mouse("mousePressed", 40, 40, button="right", buttons=2)
    shown.mouse("mouseMoved", 40, 70, button="right", buttons=2)
    shown.mouse("mouseReleased", 40, 70, button="right")
    assert shown.read() != before  # it points on
    assert shown.hover(40, 40) == before


def test_a_drag_that_is_taken_away_ends(desktop, open_page):
    shown = open_page(desktop)
    shown.find("closer").click()
    desktop.execute_script(
        "arguments[0].addEventListener('pointerdown', (e) => { window.held = e.pointerId })",
        shown.canvas,
    )
    before = shown.hover(40, 40)
    shown.mouse("mousePressed", 40, 40, button="left", buttons=1)
    shown.mouse("mouseMoved", 40, 40, button="left", buttons=1)
    desktop.execute_script("arguments[0].releasePointerCapture(window.held)", shown.canvas)
    shown.mouse("mouseMoved", 40, 80, button="left", buttons=1)
    shown.mouse("mouseReleased", 40, 80, button="left")
    assert shown.hover(40, 40) == before


def test_a_pen_points_without_touching(desktop, open_page, images):
    shown = open_page(desktop)
    shown.mouse("mouseMoved", 36, 49, pointerType="pen")
    _check(shown.read(), images, 36, 49)


def test_averages_end_where_the_map_ends(desktop, images, tmp_path, monkeypatch):
    from selenium.webdriver.common.keys import Keys

    monkeypatch.setattr(
        "no2sr.views.report.page.FINE_CELLS", 250
    )  # blocks of 7: 18 x 7 cells are 126 of 120
    desktop.get(write_report(*images, tmp_path / "a.html").as_uri())
    shown = Map(desktop)
    assert shown.pixel(40, 123)[0] < shown.size[0]  # there is room beside the map
    shown.swipe(0)
    assert shown.colour(40, 118)[3] == 255
    assert shown.colour(40, 123)[3] == 0
    beyond = shown.hover(40, 123)
    assert (beyond["before"], beyond["after"]) == ("gap", "gap")
    shown.hover(40, 110)
    shown.canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    last = shown.read()
    assert float(last["after"]) == _shown(float(images[1].values[35:42, 119:].mean()))
    assert float(last["x"]) == pytest.approx(WEST + STEP * (119 + 120) / 8, abs=1e-4)


def test_keys_move_the_cross_and_zoom(desktop, open_page, images):
    from selenium.webdriver.common.keys import Keys

    shown = open_page(desktop)
    shown.hover(40, 60)
    shown.canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    _check(shown.read(), images, 41, 62)
    assert shown.find("spoken").get_attribute("textContent") == shown.find("readout").text
    shown.canvas.send_keys(Keys.SHIFT + Keys.ARROW_LEFT)
    _check(shown.read(), images, 41, 52)
    shown.canvas.send_keys(Keys.NULL, *[Keys.ARROW_UP] * 50)
    _check(shown.read(), images, 0, 52)  # stops at the edge


def test_zoom_and_pan_show_another_part_and_all_of_it_again(desktop, open_page, images):
    shown = open_page(desktop)
    shown.swipe(0)
    whole = shown.colour(36, 48)
    shown.find("closer").click()
    shown.find("closer").click()
    # 2.25 times closer, the middle stays: the cell at a pixel is nearer to the middle.
    width, height = shown.size
    x, y = shown.pixel(12, 30)
    offset = round(x - width / 2), round(y - height / 2)
    shown.act().move_to_element_with_offset(shown.canvas, *offset).perform()
    row, column = 48 + (12.5 - 48) / 2.25, 60 + (30.5 - 60) / 2.25
    _check(shown.read(), images, int(row), int(column))
    drag = shown.act().move_to_element_with_offset(shown.canvas, -100, 60).click_and_hold()
    drag.move_by_offset(-60, 0).release().perform()
    moved = shown.colour(36, 48)
    shown.find("whole").click()
    assert shown.colour(36, 48) == whole != moved


def test_the_wheel_keeps_what_is_under_the_pointer(desktop, open_page, images):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    shown = open_page(desktop)
    shown.hover(20, 40)
    width, height = shown.size
    x, y = (round(a - b / 2) for a, b in zip(shown.pixel(20, 40), (width, height), strict=True))
    origin = ScrollOrigin.from_element(shown.canvas, x, y)
    shown.act().scroll_from_origin(origin, 0, -600).perform()
    shown.act().move_to_element_with_offset(shown.canvas, x, y).perform()
    _check(shown.read(), images, 20, 40)
    assert desktop.execute_script("return window.scrollY") == 0


def test_a_finger_points_drags_and_two_pinch(phone, open_page, images):
    shown = open_page(phone)
    place = shown.pixel(30, 40)
    shown.touch("touchStart", place)
    shown.touch("touchEnd")
    _check(shown.read(), images, 30, 40)
    # Two fingers about that place, three times as far apart: it stays where it is.
    x, y = place
    shown.touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 40, 50, 60):
        shown.touch("touchMove", (x - reach, y), (x + reach, y))
    shown.touch("touchEnd")
    beside = (x + 45, y)
    shown.touch("touchStart", beside)
    shown.touch("touchEnd")
    width, _ = shown.size
    cell = width / 120
    _check(shown.read(), images, 30, int(40.5 + 45 / cell / 3))
    edge = width / 2
    shown.touch("touchStart", (edge, 20))
    shown.touch("touchMove", (edge - 30, 20))
    shown.touch("touchMove", (edge - 60, 20))
    shown.touch("touchEnd")
    share = 100 * (edge - 60) / width
    assert float(shown.find("swipe").get_property("value")) == pytest.approx(share, abs=1)


def test_a_phone_shows_all_without_scrolling_sideways(phone, open_page):
    shown = open_page(phone)
    across = phone.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert across[0] <= across[1]
    for button in phone.find_elements("css selector", "button, input"):
        assert button.size["height"] >= 40
    assert shown.size[1] <= 0.75 * 740
    assert phone.get_log("browser") == []


@pytest.fixture(scope="session")
def scene_page(images, tmp_path_factory) -> str:
    """Return the address of a report with the uncertainty of the fine map."""
    coarse, fine = images
    sigma = abs(fine).drop_attrs(deep=False) * np.float32(0.2) + np.float32(3e-6)
    path = tmp_path_factory.mktemp("scene") / "report.html"
    return write_report(coarse, assemble_scene(fine.rename("no2"), {TOTAL: sigma}), path).as_uri()


def test_the_right_side_shows_the_uncertainty_on_request(desktop, scene_page, images):
    from no2sr.core.colours import ramp, robust_limits

    desktop.get(scene_page)
    shown = Map(desktop)
    shown.swipe(0)
    sigma = 1e6 * (0.2 * np.abs(images[1].values) + 3e-6)
    column = shown.colour(33, 44)
    second, views = shown.find("second"), desktop.find_elements("css selector", "input[name=view]")
    assert not second.is_displayed()
    views[1].click()
    assert second.is_displayed()
    assert "uncertainty on the right" in shown.canvas.get_attribute("aria-label")
    assert shown.find("right").text == "uncertainty"
    low, high = robust_limits(sigma)
    for row, cell in ((33, 44), (41, 55), (30, 46)):
        step = int(np.clip(256 * (sigma[row, cell] - low) / (high - low), 0, 255))
        wanted = ramp("cividis_r")[step]
        assert np.abs(np.subtract(shown.colour(row, cell)[:3], wanted)).max() <= 2
    read = shown.hover(36, 49)
    assert float(read["after"]) == _shown(float(images[1].values[36, 49]))
    error = float(shown.find("readout").text.partition("± ")[2].split()[0])
    assert error == pytest.approx(sigma[36, 49], rel=0.06)  # two digits
    assert "±" not in (shown.hover(64, 88), shown.find("readout").text)[1]  # a gap
    views[0].click()
    assert not second.is_displayed()
    assert shown.colour(33, 44) == column
    said = [entry["message"] for entry in desktop.get_log("browser")]
    assert [text for text in said if "getImageData" not in text] == []  # that is the test's own


@pytest.mark.parametrize("which", ["desktop", "phone"])
def test_the_third_view_shuts_nobody_out(request, scene_page, axe, which):
    driver = request.getfixturevalue(which)
    driver.get(scene_page)
    driver.find_elements("css selector", "input[name=view]")[1].click()
    assert axe(driver) == []
    across = driver.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert across[0] <= across[1]


@pytest.mark.parametrize("which", ["desktop", "phone"])
def test_nothing_shuts_people_out(request, open_page, axe, which):
    driver = request.getfixturevalue(which)
    open_page(driver)
    assert axe(driver) == []

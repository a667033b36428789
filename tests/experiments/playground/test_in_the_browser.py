"""The playground in a real browser, under the policy of the site."""

import contextlib
import functools
from collections.abc import Iterator
from html import escape
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, Page

from experiments.pages import ASSETS
from experiments.playground.figure import playground_figure
from experiments.playground.store import entry
from experiments.playground.surfaces import SURFACES
from site_gen.security import policy
from tests.experiments.playground.walks import path_of_class
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.modules import ROOT

TOLERANCE = 1e-4
SHOWN = ("adam", "sgd", "soap")
LABEL = "Start point"

pytestmark = NEEDS_BROWSER

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{name}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="../assets/site.css">
<link rel="stylesheet" href="../assets/plugins/playground.css"></head>
<body data-md-color-scheme="default">{html}<script src="../assets/plugins/playground.js"></script></body></html>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A site of a few playgrounds."""
    site = tmp_path_factory.mktemp("site")
    for place in ("assets/plugins", "playground", "optimizers"):
        (site / place).mkdir(parents=True)
    copy(ROOT / "docs_src/assets/site.css", site / "assets")
    for kind in ("css", "js"):
        copy(ASSETS / f"playground.{kind}", site / "assets/plugins")
    for name in SHOWN:
        figure = playground_figure(name)
        for path, source in figure.files.items():
            copy(source, site / path)
        html = PAGE.format(policy=escape(policy(())), name=name, html=figure.html)
        (site / f"optimizers/{name}.html").write_text(html)
    return site


@contextlib.contextmanager
def playing(browser: Browser, address: str, **options) -> Iterator[Page]:
    with opened(browser, address, 1000, **options) as page:
        if options.get("java_script_enabled", True):
            page.locator(".playground-live").wait_for()
        yield page


@pytest.fixture
def show(browser, folder):
    """Opens the playground of an optimizer, as a file."""
    return lambda name="adam", **options: playing(
        browser, (folder / f"optimizers/{name}.html").as_uri(), **options
    )


def points(page: Page, number=0):
    return page.evaluate(f"document.querySelector('.playground').playground.points[{number}]")


def start(page: Page):
    return points(page)[0]


def values(page: Page):
    return page.evaluate("document.querySelector('.playground').playground.runs[0].values")


def readout(page: Page) -> str:
    return page.locator(".playground-readout").inner_text()


def handle(page: Page):
    return page.get_by_role("slider", name=LABEL)


def require_path_of_class(page: Page, name: str, on, knobs=None):
    found = points(page)
    expected = path_of_class(entry(name), values(page), on, start(page), len(found) - 1, knobs)
    assert len(found) > 1
    for point, other in zip(found, expected, strict=True):
        assert point == pytest.approx(other, abs=TOLERANCE, rel=TOLERANCE)


@pytest.mark.parametrize("name", SHOWN)
def test_every_path_is_that_of_the_python_class(show, name):
    with show(name) as page:
        for place, on in enumerate(SURFACES):
            page.get_by_label("Surface", exact=True).select_option(str(place))
            assert values(page) == pytest.approx(entry(name).values(place))
            assert len(points(page)) == 101
            require_path_of_class(page, name, on)


def test_a_slider_changes_the_path_and_says_its_value(show):
    with show() as page:
        before = points(page)
        rate = page.get_by_role("slider", name="lr", exact=True)
        rate.focus()
        page.keyboard.press("ArrowLeft")
        assert points(page) != before
        lr = values(page)[0]
        assert rate.get_attribute("aria-valuetext") == f"{lr:g}"
        memory = page.get_by_role("slider", name="betas[0]")
        memory.focus()
        page.keyboard.press("Home")
        assert values(page)[1] == 0
        condition = page.get_by_role("slider", name="condition number")
        condition.focus()
        page.keyboard.press("ArrowRight")
        knobs = page.evaluate("document.querySelector('.playground').playground.knobs")
        assert knobs != SURFACES[0].usual()
        require_path_of_class(page, "adam", SURFACES[0], knobs)


def test_the_number_of_steps_and_the_way_back(show):
    with show() as page:
        before = readout(page)
        assert "after 100 steps" in before
        steps = page.get_by_role("slider", name="steps")
        steps.focus()
        page.keyboard.press("Home")
        assert "after 1 step," in readout(page)
        assert len(points(page)) == 2
        page.keyboard.press("End")
        require_path_of_class(page, "adam", SURFACES[0])
        page.get_by_role("button", name="Reset").click()
        assert readout(page) == before


def test_the_start_point_moves_by_keys_and_stays_in_the_picture(show):
    with show() as page:
        x, y = start(page)
        handle(page).focus()
        for key in ("ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        assert start(page) == pytest.approx([x + 0.05, y - 0.05])
        assert handle(page).get_attribute("aria-valuetext") == "x -1.65, y 1.05"
        for _ in range(30):
            page.keyboard.press("Shift+ArrowLeft")
        assert start(page)[0] == -2


def middle_of(page: Page):
    box = page.locator(".playground-start circle").last.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_start_point_is_dragged_and_set_by_a_click(show):
    with show() as page:
        handle(page).scroll_into_view_if_needed()
        x, y = middle_of(page)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y + 40)
        page.mouse.move(x + 60, y + 80)
        page.mouse.up()
        assert middle_of(page) == pytest.approx((x + 60, y + 80), abs=1)
        assert start(page)[0] > -1.7
        require_path_of_class(page, "adam", SURFACES[0])
        page.mouse.click(x + 100, y + 10)
        assert middle_of(page) == pytest.approx((x + 100, y + 10), abs=1)


def test_the_start_point_is_dragged_by_touch_without_scrolling_the_page(show):
    with show(has_touch=True) as page:
        handle(page).scroll_into_view_if_needed()
        x, y = middle_of(page)
        touch = functools.partial(
            page.context.new_cdp_session(page).send, "Input.dispatchTouchEvent"
        )
        scrolled = page.evaluate("scrollY")
        touch({"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for part in range(1, 6):
            touch({"type": "touchMove", "touchPoints": [{"x": x + 8 * part, "y": y + 12 * part}]})
        touch({"type": "touchEnd", "touchPoints": []})
        # The browser hands out moves of a finger once a frame.
        page.wait_for_function(
            "(x) => document.querySelector('.playground').playground.start[0] > x", arg=-1.5
        )
        page.evaluate("new Promise(requestAnimationFrame)")
        assert middle_of(page) == pytest.approx((x + 40, y + 60), abs=1)
        assert page.evaluate("scrollY") == scrolled


def test_a_second_optimizer_is_chosen_from_the_menu(show):
    with show() as page:
        first = points(page)
        page.get_by_label("Second optimizer").select_option("sgd")
        page.get_by_role("group", name="SGD").wait_for()
        assert points(page) == first
        second = points(page, 1)
        on = SURFACES[0]
        expected = path_of_class(entry("sgd"), entry("sgd").values(0), on, start(page))
        assert second == [pytest.approx(point, abs=TOLERANCE) for point in expected]
        assert [line.split(":")[0] for line in readout(page).split("\n")] == ["Adam", "SGD"]
        lines = page.locator(".playground-picture .playground-path")
        dashes = lines.evaluate_all("(all) => all.map((e) => getComputedStyle(e).strokeDasharray)")
        assert sorted(dash == "none" for dash in dashes) == [False, True]
        page.get_by_label("Second optimizer").select_option(label="none")
        assert page.get_by_role("group", name="SGD").count() == 0
        assert len(readout(page).split("\n")) == 1


def test_a_path_without_bounds_is_said_to_be_one(show):
    with show("sgd") as page:
        rate = page.get_by_role("slider", name="lr", exact=True)
        rate.focus()
        page.keyboard.press("End")
        assert "leaves all bounds" in readout(page)
        assert "NaN" not in page.locator(".playground-picture").inner_html()


def test_without_javascript_the_picture_stands_there(show):
    with show(java_script_enabled=False) as page:
        picture = page.locator(".playground-picture")
        assert picture.is_visible()
        assert len(page.locator(".playground-path-1").get_attribute("d")) > 500
        assert "after 100 steps" in page.locator(".playground-still").inner_text()
        assert page.locator(".playground input").count() == 0


def test_the_script_says_what_the_picture_without_it_says(show):
    with show(java_script_enabled=False) as page:
        still = page.locator(".playground-still").inner_text()
    with show() as page:
        assert readout(page).removeprefix("Adam: ") == still.partition(": ")[2]


def test_it_works_on_a_server_too(browser, folder):
    with serving(folder) as url, playing(browser, f"{url}optimizers/adam.html") as page:
        assert len(points(page)) == 101


def test_everything_has_a_name_and_can_be_reached_by_keys(show):
    with show() as page:
        page.get_by_label("Second optimizer").select_option("sgd")
        page.get_by_role("group", name="SGD").wait_for()
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("input, select, button")]
              .filter((e) => !(e.labels?.[0] ?? e).textContent.trim()).length"""
        )
        assert unnamed == 0
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.outerHTML"))
        controls = page.locator(".playground :is(input, select, button, [tabindex])").count()
        assert len(reached - {page.locator("body").evaluate("(e) => e.outerHTML")}) >= controls
        handle(page).focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        grip = page.locator(".playground-grip").evaluate("(e) => getComputedStyle(e).stroke")
        assert grip != "none"

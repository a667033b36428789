"""Charts of lines that a reader can change, by mouse, keyboard and touch, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect

from experiments import committed
from experiments.curves import PALETTE, side_by_side
from experiments.drawing import to_svg
from experiments.group_charts import Shade, TreePanel
from experiments.line_charts import Line, Panel
from experiments.plots import Plot, draw
from experiments.records import load_all, save
from experiments.run_figures import search_figure
from tests.experiments.examples import make_record
from tests.experiments.exploring import axis_labels, explorer, exploring, results_in, write_page
from tests.site_gen.browsing import NEEDS_BROWSER, opened

pytestmark = NEEDS_BROWSER

SVG = "{http://www.w3.org/2000/svg}"
UP = [(step, float(step)) for step in range(1, 101)]
DOWN = [(step, 100.0 - step) for step in range(1, 101)]
BAND = [(value - 1, value + 1) for _, value in UP]
PANELS = [
    Panel("one", "", [Line("up", UP, BAND), Line("down", DOWN)], log_x=False),
    Panel("two", "", [Line("up", UP[:50]), Line("down", DOWN[:50], kind="half")], log_x=False),
    Panel("three", "", [Line(f"line {n}", UP[:n]) for n in (2, 3, 4, 5)], x_title="rate"),
]
MANY = Panel("many", "", [Line(f"line {n}", [(1, n), (100, n)]) for n in range(1, 9)])
NAMES = ["stem.weight", "head.weight", "head.bias"]
SCALES = Shade("scale", dict(zip(NAMES, (0.5, 1.0, 1.0), strict=True)))
TREE = TreePanel("tree", "", NAMES, "Net", SCALES)
SEARCHES = {"radam": {0.001: 0.25, 0.01: 0.125, 0.1: None}, "adamw": {0.001: 0.5, 0.003: 0.0625}}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    """A page with a chart of three panels, one of eight lines, one of two searches, and a tree."""
    folder = tmp_path_factory.mktemp("site")
    with results_in(folder):
        searches = [
            make_record(optimizer=name, lr=lr, value=loss)
            for name, losses in SEARCHES.items()
            for lr, loss in losses.items()
        ]
        for run in searches:
            save(run, folder / "results/mnist/sweep")
        runs = committed.records_in(folder / "results/mnist/sweep")
        figures = [
            draw(Plot("Three panels", "three", PANELS, "Lines.", Markup("By hand."))),
            draw(Plot("Eight lines", "eight", [MANY], "Lines.", Markup("Run."), [runs[0].path])),
            search_figure(runs, [], "mnist"),
            draw(Plot("A tree", "tree", [TREE], "Modules.", Markup("By hand."))),
        ]
        write_page(folder, "lines", figures)
    return folder


@pytest.fixture
def show(browser, site):
    """Opens the page as a file, and the first chart on it."""
    return lambda **options: exploring(browser, (site / "pages/lines.html").as_uri(), **options)


def open_all(page: Page) -> None:
    for button in page.get_by_role("button", name="Explore").all()[1:]:
        button.click()
    page.locator(".explore-chart svg").nth(4).wait_for()


def slider(page: Page, title: str):
    return page.get_by_role("slider", name=f"Crosshair of {title}:")


def readout(page: Page, panel: int) -> list[str]:
    """The heading and the lines that are read out below a panel."""
    return page.locator(".explore-readout").nth(panel).locator("> *").all_text_contents()


def lines(page: Page, panel: int):
    return page.locator(".explore-chart").nth(panel).locator(".mark-line path")


def over(page: Page, panel: int, share: float) -> tuple[float, float]:
    """A place in a panel: so far from the left edge of its picture."""
    chart = page.locator(".explore-chart").nth(panel)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def test_nothing_but_pictures_and_buttons_is_there_before_a_reader_asks(browser, site):
    with opened(browser, (site / "pages/lines.html").as_uri()) as page:
        assert page.get_by_role("button", name="Explore").count() == 3
        assert page.evaluate("typeof vega") == "undefined"
        assert page.locator("script").count() == 1
        assert page.get_by_role("button", name="Table").count() == 1
        assert page.locator(".curve").count() == 6


def test_the_lines_are_those_of_the_picture(show):
    with show() as page:
        spec = side_by_side(*(panel.part() for panel in PANELS))
        root = ElementTree.fromstring(to_svg(spec))
        picture = [
            path.get("d")
            for group in root.iter(f"{SVG}g")
            if "mark-line" in group.get("class", "")
            for path in group.findall(f"{SVG}path")
        ]
        paths = page.locator(".explore-chart .mark-line path").all()
        assert [path.get_attribute("d") for path in paths] == picture
        assert len(picture) == 8


def test_the_mouse_moves_the_crosshairs_of_all_panels_with_the_same_axis(show):
    with show() as page:
        open_all(page)
        page.mouse.move(*over(page, 1, 0.5))
        place = explorer(page, "panels[1].place")
        assert 1 < place < 50
        assert explorer(page, "panels[0].place") == place
        assert explorer(page, "panels[2].place") is None
        # The other chart of the page has two steps only: its crosshair stands at the last one before.
        assert explorer(page, "panels[0].place", 1) == 1
        assert explorer(page, "panels[0].place", 2) is None
        assert readout(page, 0) == [f"one at step {place}", f"up: {place}", f"down: {100 - place}"]
        assert readout(page, 1)[1:] == [f"up: {place}", f"down, half: {100 - place}"]
        page.mouse.move(*over(page, 0, 0.95))
        assert explorer(page, "panels[0].place") > 50
        assert readout(page, 1) == []


def test_the_keyboard_moves_the_crosshair_and_takes_it_away(show):
    with show() as page:
        first = slider(page, "one")
        first.focus()
        for key in ("Home", "PageUp", "ArrowRight", "ArrowUp", "ArrowLeft"):
            page.keyboard.press(key)
        expect(first).to_have_attribute("aria-valuetext", "step 12")
        expect(first).to_have_attribute("aria-valuenow", "12")
        assert readout(page, 0) == ["one at step 12", "up: 12", "down: 88"]
        page.keyboard.press("End")
        expect(first).to_have_attribute("aria-valuetext", "step 100")
        page.keyboard.press("Tab")
        expect(slider(page, "two")).to_be_focused()
        page.keyboard.press("End")
        expect(first).to_have_attribute("aria-valuetext", "step 50")
        page.keyboard.press("Escape")
        expect(first).to_have_attribute("aria-valuetext", "not set")
        assert readout(page, 0) == readout(page, 1) == []


def test_a_finger_sets_the_crosshair_and_still_scrolls_the_page(show):
    with show(width=390, has_touch=True, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.touchscreen.tap(*over(page, 0, 0.5))
        place = explorer(page, "panels[0].place")
        assert 1 < place < 100
        assert readout(page, 0)[0] == f"one at step {place}"
        page.touchscreen.tap(*over(page, 0, 0.8))
        assert explorer(page, "panels[0].place") > place
        chart = page.locator(".explore-chart").first
        assert chart.evaluate("(chart) => getComputedStyle(chart).touchAction") == "pan-y"


def test_a_line_is_taken_off_and_on_in_the_panels_that_have_it(show):
    with show() as page:
        legends = page.locator(".explore-legend legend").all_text_contents()
        assert legends == ["Lines of one, two", "Lines of three"]
        assert [lines(page, panel).count() for panel in range(3)] == [2, 2, 4]
        page.get_by_role("checkbox", name="down").focus()
        page.keyboard.press("Space")
        assert [lines(page, panel).count() for panel in range(3)] == [1, 1, 4]
        slider(page, "one").focus()
        page.keyboard.press("Home")
        assert readout(page, 0) == ["one at step 1", "up: 1"]
        page.locator("label", has_text="down").click()
        assert readout(page, 0) == ["one at step 1", "up: 1", "down: 99"]
        page.get_by_role("button", name="Show none").press("Enter")
        assert [lines(page, panel).count() for panel in range(3)] == [2, 2, 0]
        page.get_by_role("button", name="Show all").click()
        assert lines(page, 2).count() == 4
        expect(page.get_by_role("checkbox", name="line 5")).to_be_checked()


def test_both_axes_are_log_or_linear_and_a_log_axis_leaves_zero_out(show):
    with show() as page:
        assert axis_labels(page, 0)[-1] == "100"
        page.get_by_label("Horizontal axis").select_option("log")
        assert {"1", "2", "5", "10", "20", "50"} <= set(axis_labels(page, 1))
        page.get_by_label("Horizontal axis").select_option("linear")
        assert {"1", "2", "3", "4", "5"} <= set(axis_labels(page, 2))
        note = page.locator(".explore .curve-conditions").first
        expect(note).not_to_contain_text("no place for zero")
        page.get_by_label("Vertical axis").select_option("log")
        expect(note).to_contain_text("no place for zero")
        drawn = explorer(page, "panels[0].rows")
        # The band of the first value reaches zero, and the falling line ends there.
        assert min(row["step"] for row in drawn if row["label"] == "up") == 2
        assert max(row["step"] for row in drawn if row["label"] == "down") == 99
        page.get_by_label("Vertical axis").select_option("")
        expect(note).not_to_contain_text("no place for zero")
        assert len(explorer(page, "panels[0].rows")) == 200


def test_the_table_behind_each_panel_has_its_numbers(show):
    with show() as page:
        page.locator("summary").first.click()
        one, three = (page.get_by_role("table", name=name) for name in ("one", "three"))
        head = one.locator("thead th").all_text_contents()
        assert head == ["Line", "step", "one", "least", "greatest"]
        rows = one.locator("tbody tr")
        assert rows.count() == 200
        assert rows.nth(1).locator("td").all_text_contents() == ["up", "2", "2", "1", "3"]
        assert three.locator("thead th").all_text_contents() == ["Line", "rate", "three"]
        page.get_by_role("checkbox", name="up").click()
        assert rows.count() == 100


def test_a_search_reads_out_what_diverged_and_leads_to_its_records(show, site):
    with show() as page:
        open_all(page)
        title = explorer(page, "panels[0].title", 2)
        slider(page, title).focus()
        page.keyboard.press("Home")
        assert readout(page, 4)[1:] == ["adamw: 0.5", "radam: 0.25"]
        page.keyboard.press("End")
        assert readout(page, 4) == [f"{title} at learning rate 0.1", "radam: diverged"]
        links = page.get_by_role("link", name="record of radam, ").all()
        assert [link.text_content() for link in links] == ["0.001", "0.01", "0.1"]
        records = load_all(site / "results/mnist/sweep")
        names = {
            run.configuration["lr"]: run.file_name for run in records if run.optimizer == "radam"
        }
        for link, name in zip(links, (names[lr] for lr in sorted(names)), strict=True):
            target = link.evaluate("(link) => link.href")
            assert target == (site / "results/mnist/sweep" / name).as_uri()
        page.get_by_role("checkbox", name="radam").click()
        assert page.get_by_role("link", name="record of radam, ").count() == 0


def test_what_has_no_lines_opens_as_a_table_without_the_library(browser, site):
    with opened(browser, (site / "pages/lines.html").as_uri()) as page:
        page.get_by_role("button", name="Table").press("Enter")
        table = page.get_by_role("table", name="tree")
        head = table.locator("thead th").all_text_contents()
        assert head == ["module", "tensors", "scale"]
        rows = [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
        assert rows == [
            ["Net", "3", "0.5 for 1, 1 for 2"],
            ["stem", "1", "0.5"],
            ["head", "2", "1"],
        ]
        assert page.evaluate("typeof vega") == "undefined"


def test_the_record_of_a_whole_chart_is_one_click_away(show, site):
    with show() as page:
        open_all(page)
        (run, *_) = load_all(site / "results/mnist/sweep")
        link = page.get_by_role("link", name=f"record {run.file_name}")
        target = link.evaluate("(link) => link.href")
        assert target == (site / "results/mnist/sweep" / run.file_name).as_uri()


def test_eight_lines_have_eight_colours_in_light_and_in_dark(show):
    with show() as page:
        open_all(page)
        found = []
        for scheme in ("default", "slate"):
            page.evaluate(f"document.body.dataset.mdColorScheme = '{scheme}'")
            strokes = [
                line.evaluate("(line) => getComputedStyle(line).stroke")
                for line in lines(page, 3).all()
            ]
            assert len(set(strokes)) == len(PALETTE) == 8
            found.append(strokes)
        light, dark = found
        assert not set(light) & set(dark)

"""Learning curves that a reader can change, in a real browser under the policy of the site."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from playwright.sync_api import Page, expect

from experiments.records import Record, load_all, save
from experiments.run_figures import optimizer_figures
from tests.experiments.examples import make_record
from tests.experiments.exploring import axis_labels, explorer, exploring, results_in, write_page
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving

pytestmark = NEEDS_BROWSER

POINTS = 12


def falling(start: float, **changes) -> Record:
    """A run whose loss falls and whose accuracy rises, another value at each step."""
    record = make_record(points=POINTS, **changes)
    losses = [start / step for step in range(1, POINTS + 1)]
    for table in ("train", "test", "test_subset"):
        record.curves[table]["loss"] = losses
    for table in ("test", "test_subset"):
        record.curves[table]["accuracy"] = [1 - loss / 10 for loss in losses]
    record.final["step"] = POINTS
    record.times["duration_seconds"] = 6.0
    return record


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    """A page on Adam, of MNIST and of CIFAR-10, beside AdamW, and RAdam to compare with."""
    folder = tmp_path_factory.mktemp("site")
    with results_in(folder):
        for number, name in enumerate(("adam", "adamw", "radam")):
            for seed in range(3):
                run = falling(2 + number + seed / 4, optimizer=name, seed=seed)
                save(run, folder / "results/mnist")
        save(falling(1.5, optimizer="adam", seed=0), folder / "results/cifar")
        figures = [f for f in optimizer_figures("adam") if f.anchor.startswith("curves")]
        write_page(folder, "adam", figures)
    return folder


@pytest.fixture(scope="module")
def records(site) -> list[Record]:
    return load_all(site / "results/mnist")


@pytest.fixture
def show(browser, site):
    """Opens the page as a file, and the chart on it."""
    return lambda **options: exploring(browser, (site / "pages/adam.html").as_uri(), **options)


def rows(page: Page, source: str, label: str, kind: str):
    every = explorer(page, f"data[{source!r}]")
    return [row for row in every if (row["optimizer"], row["kind"]) == (label, kind)]


def losses(records, name: str):
    runs = [run for run in records if run.optimizer == name]
    columns = zip(*(run.curves["train"]["loss"] for run in runs), strict=True)
    return [pytest.approx(median(values)) for values in columns]


def smooth(page: Page, presses: int):
    page.get_by_label("Smoothing").focus()
    page.keyboard.press("Home")
    for _ in range(presses):
        page.keyboard.press("ArrowRight")


def test_the_picture_stays_and_nothing_is_loaded_before_a_reader_asks(browser, site):
    with opened(browser, (site / "pages/adam.html").as_uri()) as page:
        assert page.evaluate("typeof vega") == "undefined"
        assert page.locator("script").count() == 1
        above = page.locator(".curves").first.bounding_box()
        button = page.get_by_role("button", name="Explore").first
        where = button.bounding_box()
        button.click()
        page.locator(".explore-chart svg").nth(1).wait_for()
        assert page.locator(".curves").first.bounding_box() == above
        assert button.bounding_box() == where
        expect(button).to_have_attribute("aria-expanded", "true")
        button.click()
        expect(page.locator(".explore-charts").first).to_be_hidden()


def test_without_scripts_there_is_the_picture_and_no_button(browser, site):
    address = (site / "pages/adam.html").as_uri()
    with opened(browser, address, java_script_enabled=False) as page:
        assert page.locator(".curve").count() == 4
        assert page.get_by_role("button").count() == 0


def test_the_lines_are_medians_of_the_records(show, records):
    with show() as page:
        smooth(page, 0)
        drawn = rows(page, "loss", "adam", "train")
        assert [row["step"] for row in drawn] == list(range(1, POINTS + 1))
        assert [row["median"] for row in drawn] == losses(records, "adam")


def test_the_loss_axis_is_log_or_linear(show):
    with show() as page:
        assert "0" not in axis_labels(page)
        assert {"0.2", "0.5", "1", "2"} <= set(axis_labels(page))
        before = page.locator(".explore-chart").first.inner_html()
        page.get_by_label("Vertical axis").select_option("linear")
        assert not {"0.2", "0.5"} <= set(axis_labels(page))
        assert page.locator(".explore-chart").first.inner_html() != before


def test_smoothing_is_an_exponential_average_of_the_training_loss_alone(show, records):
    with show() as page:
        smooth(page, 10)
        drawn = [row["median"] for row in rows(page, "loss", "adam", "train")]
        (run,) = (run for run in records if (run.optimizer, run.seed) == ("adam", 1))
        total = weight = 0.0
        expected = []
        for value in run.curves["train"]["loss"]:
            total, weight = 0.5 * total + 0.5 * value, 0.5 * weight + 0.5
            expected.append(pytest.approx(total / weight))
        assert drawn == expected
        tested = [row["median"] for row in rows(page, "loss", "adam", "test")]
        assert tested == losses(records, "adam")


def test_smoothing_can_be_that_of_all_lines_but_not_of_the_ends_of_epochs(show, records):
    with show() as page:
        page.get_by_label("Smoothed lines").select_option("all")
        smooth(page, 10)
        for source, label in (("loss", "train"), ("loss", "test"), ("accuracy", "test")):
            drawn = [row["median"] for row in rows(page, source, "adam", label)]
            (run,) = (run for run in records if (run.optimizer, run.seed) == ("adam", 1))
            table = run.curves["train" if label == "train" else "test_subset"]
            factor = 100 if source == "accuracy" else 1
            second = factor * (table[source][0] + 2 * table[source][1]) / 3
            assert drawn[:2] == [pytest.approx(factor * table[source][0]), pytest.approx(second)]
        whole = [row["median"] for row in rows(page, "whole accuracy", "adam", "whole test set")]
        assert whole == [pytest.approx(100 * value) for value in run.curves["test"]["accuracy"]]


def test_seeds_are_a_band_or_a_line_each(show, records):
    with show() as page:
        lines = page.locator(".explore-chart").nth(1).locator(".mark-line path")
        assert lines.count() == 2
        page.get_by_label("Seeds").select_option("lines")
        assert lines.count() == 6
        smooth(page, 0)
        one = [row for row in rows(page, "loss", "adam", "train") if row["run"] == 2]
        (run,) = (run for run in records if (run.optimizer, run.seed) == ("adam", 2))
        assert [row["median"] for row in one] == run.curves["train"]["loss"]


def test_seconds_are_those_of_the_run_spread_evenly_over_its_steps(show):
    with show() as page:
        page.get_by_label("Time in").select_option("second")
        seconds = [row["step"] for row in rows(page, "loss", "adam", "test")]
        assert seconds == [pytest.approx(step / 2) for step in range(1, POINTS + 1)]
        expect(page.locator(".explore-chart").first).to_contain_text("seconds")
        expect(page.locator(".explore .curve-conditions").first).to_contain_text("spread evenly")


def test_a_line_is_taken_off_and_on_by_the_keyboard(show):
    with show() as page:
        lines = page.locator(".explore-chart").nth(1).locator(".mark-line path")
        page.get_by_role("checkbox", name="adamw").focus()
        page.keyboard.press("Space")
        assert lines.count() == 1
        assert rows(page, "loss", "adamw", "train") == []
        page.keyboard.press("Space")
        assert lines.count() == 2


def test_lines_differ_in_dash_as_well_as_in_colour(show):
    with show() as page:
        lines = page.locator(".explore-chart").nth(1).locator(".mark-line path").all()
        for name in ("stroke", "stroke-dasharray"):
            assert len({line.get_attribute(name) for line in lines}) == 2
        first = lines[0]
        assert "--curve-1" in first.get_attribute("stroke")
        light = first.evaluate("(line) => getComputedStyle(line).stroke")
    with show(scheme="dark") as page:
        page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
        first = page.locator(".explore-chart").nth(1).locator(".mark-line path").first
        assert first.evaluate("(line) => getComputedStyle(line).stroke") != light


def test_the_arrow_keys_move_the_crosshair_and_its_values_are_those_of_the_records(show, records):
    with show() as page:
        smooth(page, 0)
        crosshair = page.get_by_role("slider", name="Crosshair of loss")
        crosshair.focus()
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
        expect(crosshair).to_have_attribute("aria-valuetext", "step 2")
        (run,) = (run for run in records if (run.optimizer, run.seed) == ("adam", 1))
        loss, accuracy = run.curves["train"]["loss"][1], run.curves["test"]["accuracy"][1]
        near, other = page.locator(".explore-readout").all()
        expect(near).to_have_attribute("aria-live", "polite")
        expect(other).to_have_attribute("aria-live", "off")
        expect(near).to_contain_text(f"loss at step 2adam, train: {loss:.4g}")
        expect(near).to_contain_text(f"adam, test: {loss:.4g}")
        expect(other).to_contain_text(f"adam, whole test set: {100 * accuracy:.4g}")
        for panel in page.locator(".explore-chart").all():
            assert panel.locator(".mark-rule.role-mark line").count() == 1


def test_the_pointer_moves_one_crosshair_over_all_charts_of_the_page(show):
    with show() as page:
        page.get_by_role("button", name="Explore").nth(1).click()
        page.locator(".explore-chart svg").nth(3).wait_for()
        chart = page.locator(".explore-chart").nth(1)
        chart.scroll_into_view_if_needed()
        chart.hover()
        place = explorer(page, "panels[1].place")
        assert 1 < place < POINTS
        assert [explorer(page, f"panels[{panel}].place", 1) for panel in (0, 1)] == [place] * 2
        assert page.locator(".explore-chart .mark-rule.role-mark line").count() == 4


def test_another_optimizer_is_loaded_when_it_is_chosen(show, records):
    with show() as page:
        menu = page.get_by_label("Compare with").first
        assert menu.locator("option").all_text_contents() == ["choose", "radam"]
        assert page.locator("script[src$='mnist/radam.js']").count() == 0
        menu.select_option("mnist/radam")
        expect(page.get_by_role("checkbox", name="radam")).to_be_checked()
        smooth(page, 0)
        assert [row["median"] for row in rows(page, "loss", "radam", "train")] == losses(
            records, "radam"
        )
        assert menu.locator("option").all_text_contents() == ["choose"]


def test_the_records_and_the_numbers_are_one_click_away(show, site, records):
    with show() as page:
        links = page.locator(".explore-legend a").all()
        targets = [link.evaluate("(link) => link.href") for link in links]
        shown = [run for run in records if run.optimizer != "radam"]
        assert targets == [(site / "results/mnist" / run.file_name).as_uri() for run in shown]
        smooth(page, 0)
        page.get_by_text("Table", exact=True).first.click()
        loss = page.get_by_role("table", name="loss")
        cells = loss.locator("tbody tr").first.locator("td").all_text_contents()
        assert cells == ["adam, train", "1", "2.25", "2", "2.5"]
        assert page.locator(".explore-table tbody tr").count() == 2 * POINTS * 4


def test_it_works_from_a_server_and_on_a_phone(browser, site):
    with (
        serving(site) as address,
        exploring(browser, f"{address}pages/adam.html", width=390) as page,
    ):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(".explore-chart .mark-line path").count() > 0

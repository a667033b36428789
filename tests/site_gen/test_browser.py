"""The built pages in a real browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from site_gen.build import build
from site_gen.config import read_settings
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.conftest import FIXTURE

WIDTHS = (390, 768, 1280)
SCHEMES = ("light", "dark")
TWO_COLUMNS = 1024
CONTRAST_AA = 4.5
NAMES = ("adam", "landing", "notation", "map", "glossary", "references", "results", "fixture")

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def course_site(this_site) -> Iterator[str]:
    """The address of the site of this course."""
    with serving(this_site) as url:
        yield url


@pytest.fixture(scope="module")
def fixture_site(tmp_path_factory) -> Iterator[str]:
    """The site of the small course of the tests."""
    folder = tmp_path_factory.mktemp("fixture") / "course"
    shutil.copytree(FIXTURE, folder)
    build(read_settings(folder / "mkdocs.yml"))
    with serving(folder / "site") as url:
        yield url


def pages(course_site: str, fixture_site: str) -> dict[str, str]:
    return {
        "adam": f"{course_site}optimizers/adam.html",
        "landing": course_site,
        "results": f"{course_site}experiments/results.html",
        "notation": f"{course_site}notation.html",
        "map": f"{course_site}map.html",
        "glossary": f"{course_site}glossary.html",
        "references": f"{course_site}references.html",
        "fixture": f"{fixture_site}momentum/",
    }


OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (element) => {
    for (let e = element; e; e = e.parentElement)
      if (e !== element && ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)) return true;
    return false;
  };
  return [...document.querySelectorAll(".md-content *")]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
    .map((e) => e.outerHTML.slice(0, 120));
}"""

SECTIONS = """() => [...document.querySelectorAll(".lit-section:not(.lit-alone)")].map((section) => {
  const box = (name) => section.querySelector(name).getBoundingClientRect();
  const [prose, code] = [box(".lit-prose"), box(".lit-code")];
  return { prose: [prose.top, prose.left, prose.bottom], code: [code.top, code.left] };
})"""

FORMULAS = """() => [...document.querySelectorAll(".md-content math")].map((math) => {
  const box = math.getBoundingClientRect();
  return [box.width, box.height];
})"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_fits_the_screen_without_errors_or_other_hosts(
    browser, course_site, fixture_site, name, width, scheme
):
    with opened(browser, pages(course_site, fixture_site)[name], width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVERFLOWING) == []
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        red = int(background.removeprefix("rgb(").split(",")[0])
        assert (red < 128) == (scheme == "dark")


@pytest.mark.parametrize("name", ["adam", "fixture"])
@pytest.mark.parametrize("width", WIDTHS)
def test_prose_stands_beside_its_code_or_above_it(browser, course_site, fixture_site, name, width):
    with opened(browser, pages(course_site, fixture_site)[name], width) as page:
        sections = page.evaluate(SECTIONS)
    assert sections
    for section in sections:
        prose_top, prose_left, prose_bottom = section["prose"]
        code_top, code_left = section["code"]
        if width >= TWO_COLUMNS:
            assert prose_top == pytest.approx(code_top, abs=1)
            assert prose_left < code_left
        else:
            assert prose_bottom <= code_top + 1
            assert prose_left == pytest.approx(code_left, abs=1)


@pytest.mark.parametrize("name", ["notation", "fixture"])
def test_math_is_visible_in_its_own_font(browser, course_site, fixture_site, name):
    with opened(browser, pages(course_site, fixture_site)[name]) as page:
        sizes = page.evaluate(FORMULAS)
        loaded = "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
        assert any("Latin Modern Math" in family for family in page.evaluate(loaded))
    assert sizes
    assert all(width > 1 and height > 1 for width, height in sizes)


def test_delimiters_stretch_around_what_they_hold(browser, fixture_site):
    with opened(browser, f"{fixture_site}momentum/") as page:
        heights = page.evaluate(
            """() => [...document.querySelectorAll("mo")].filter((mo) => mo.textContent === "(")
              .map((mo) => mo.getBoundingClientRect().height)"""
        )
    assert max(heights) > 1.8 * min(heights)


SCROLLED_TO_THE_RIGHT = """() => {
  const blocks = [...document.querySelectorAll(".lit-prose pre")];
  const long = blocks.filter((pre) => pre.querySelector("code").scrollWidth > pre.clientWidth);
  return long.map((pre) => {
    const code = pre.querySelector("code");
    code.scrollLeft = code.scrollWidth;
    const text = document.createRange();
    text.selectNodeContents(code);
    const rights = [...text.getClientRects()].map((box) => box.right);
    return [Math.max(...rights), pre.querySelector("nav").getBoundingClientRect().left];
  });
}"""


def test_the_end_of_a_long_line_can_be_read_beside_the_button_for_copying(browser, course_site):
    with opened(browser, f"{course_site}single_files.html", 390) as page:
        page.locator(".md-code__nav").first.wait_for()
        ends = page.evaluate(SCROLLED_TO_THE_RIGHT)
    assert ends
    assert all(text <= button for text, button in ends)


def test_copied_code_has_no_line_numbers(browser, fixture_site):
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(browser, f"{fixture_site}momentum/", permissions=permissions) as page:
        section = page.locator('.lit-section:has([id="Momentum.step"])')
        section.hover()
        section.locator(".lit-code button[data-md-type=copy]").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        selected = section.locator("code").last.evaluate(
            """(code) => {
              getSelection().selectAllChildren(code);
              return getSelection().toString();
            }"""
        )
    lines = (FIXTURE / "rules/momentum.py").read_text().split("\n")
    first = next(index for index, line in enumerate(lines) if "def step" in line)
    expected = [lines[first], next(line for line in lines if "for index" in line)]
    assert copied.split("\n") == expected
    assert selected.rstrip("\n").split("\n") == expected


def test_an_anchor_is_not_hidden_by_the_header(browser, fixture_site):
    with opened(browser, f"{fixture_site}momentum/#Momentum.step", 1280) as page:
        top = page.locator('[id="Momentum.step"]').evaluate("(e) => e.getBoundingClientRect().top")
        header = page.locator(".md-header").evaluate("(e) => e.getBoundingClientRect().bottom")
    assert top >= header


def test_a_page_reads_without_javascript(browser, fixture_site):
    with opened(browser, f"{fixture_site}momentum/", java_script_enabled=False) as page:
        assert page.locator("h1").inner_text() == "Momentum"
        assert page.locator("math").first.is_visible()
        assert page.locator(".lit-code").first.is_visible()
        page.locator("summary", has_text="Solution").click()
        assert page.locator(".lit-solution p").is_visible()


def test_a_value_of_a_curve_is_read_out_below_the_chart(browser, course_site):
    with opened(browser, f"{course_site}optimizers/adam.html") as page:
        reading = page.locator(".curve-reading").nth(5)
        box = reading.evaluate(
            """(element) => {
              element.scrollIntoView({ block: "center" });
              const { x, y, width, height } = element.getBoundingClientRect();
              return [x + width / 2, y + height / 2];
            }"""
        )
        page.mouse.move(*box)
        title = reading.evaluate("(element) => element.querySelector('title').textContent")
        assert page.locator(".curve-values").first.inner_text() == title.replace("\n", " · ")
        assert reading.evaluate("(element) => Number(getComputedStyle(element).opacity)") > 0


def column(page: Page, number: int) -> list[str]:
    rows = page.locator("#mnist tbody tr:not([hidden])")
    return rows.locator(f"td:nth-child({number})").all_inner_texts()


def test_the_results_are_sorted_by_a_click_and_by_the_keyboard(browser, course_site):
    with opened(browser, f"{course_site}experiments/results.html") as page:
        rows = column(page, 1)
        assert len(rows) > 20
        head = page.locator("#mnist th", has_text="State")
        accuracy = page.locator("#mnist th", has_text="Test accuracy")
        assert accuracy.get_attribute("aria-sort") == "descending"
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        assert accuracy.get_attribute("aria-sort") is None
        states = [float(text) for text in column(page, 9)]
        assert states == sorted(states)
        assert states[0] < states[-1]
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert [float(text) for text in column(page, 9)] == sorted(states, reverse=True)
        accuracy.get_by_role("button").focus()
        page.keyboard.press("Space")
        assert accuracy.get_attribute("aria-sort") == "descending"
        accuracies = [text.split()[0] for text in column(page, 4) if text != "no run"]
        assert accuracies == sorted(accuracies, key=float, reverse=True)
        page.locator("#mnist th", has_text="Optimizer").get_by_role("button").click()
        assert column(page, 1) == sorted(rows)


def test_what_has_no_value_stands_last_in_both_directions(browser, course_site):
    with opened(browser, f"{course_site}experiments/results.html") as page:
        button = page.locator("#mnist th", has_text="Steps to").get_by_role("button")
        for _ in range(2):
            button.click()
            steps = column(page, 6)
            assert "never" in steps
            assert all(text.isdigit() for text in steps[: steps.index("never")])


def test_the_results_are_filtered_by_the_part_of_the_course(browser, course_site):
    with opened(browser, f"{course_site}experiments/results.html") as page:
        every = len(column(page, 1))
        select = page.locator("#mnist").get_by_label("Part of the course")
        select.select_option("2")
        shown = column(page, 1)
        assert 0 < len(shown) < every
        assert set(column(page, 2)) == {"2"}
        assert page.locator("#mnist output").inner_text() == f"{len(shown)} of {every}"
        panels = page.locator("#mnist-rates .rate-panel:visible")
        assert panels.count() == len(shown)
        select.select_option("all")
        assert len(column(page, 1)) == every
        assert page.locator("#mnist output").inner_text() == ""


def test_the_results_read_without_javascript(browser, course_site):
    address = f"{course_site}experiments/results.html"
    with opened(browser, address, java_script_enabled=False) as page:
        assert len(column(page, 1)) > 20
        assert page.locator("#mnist button, #mnist select").count() == 0


def test_a_number_leads_to_its_record(browser, course_site):
    with opened(browser, f"{course_site}experiments/results.html") as page:
        row = page.locator("#mnist tbody tr").first
        text = row.locator("td:nth-child(4) a").nth(1).inner_text()
        address = row.locator("td:nth-child(4) a").nth(1).evaluate("(link) => link.href")
        record = page.request.get(address).json()
    assert f"{100 * record['final']['test_accuracy']:.2f}" == text


CONTRASTS = """() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const background = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const luminance = (rgb) => rgb.map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = {};
  const walker = document.createTreeWalker(document.querySelector(".md-container"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || !e.getClientRects().length) continue;
    if (e.closest(".headerlink, .lit-link, .md-search, button, [hidden]")) continue;
    const style = getComputedStyle(e);
    const [r, g, b, a = 1] = parse(style.color);
    const back = background(e);
    const mix = [r, g, b].map((v, i) => v * a + back[i] * (1 - a));
    const [low, high] = [luminance(mix), luminance(back)].sort((x, y) => x - y);
    found[`${e.tagName}.${e.className}`] = (high + 0.05) / (low + 0.05);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NAMES[:-1])
def test_all_text_has_enough_contrast(browser, course_site, fixture_site, name, scheme):
    with opened(browser, pages(course_site, fixture_site)[name], 1280, scheme) as page:
        contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 5
    assert {name: ratio for name, ratio in contrasts.items() if ratio < CONTRAST_AA} == {}

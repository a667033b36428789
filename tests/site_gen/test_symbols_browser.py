"""Formulas and code that light each other, and names that lead to definitions, in a browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page

from site_gen.build import build
from site_gen.config import read_settings
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.conftest import FIXTURE
from tests.site_gen.test_course import chapter

pytestmark = NEEDS_BROWSER

PROSE = r"""With $m$ of the step before:

$$
\begin{aligned}
m_t &= \beta_1^t\, m_{t-1} + g_t \\
\theta_t &= \theta_{t-1} - m_t
\end{aligned}
$$

A line that holds no formula."""
EXTRA = r"symbols: {m: velocity, g: grad, \beta_1: beta1, \theta: theta}"
CODE = '''from rules.momentum import Momentum


class Fast(Momentum):
    """Fast."""

    def step(self, theta, grad, beta1=0.9):
        velocity = beta1 * self.velocity
        velocity = velocity + grad
        self.theta = theta - velocity
        return self.nesterov
'''
FILLER = "".join(f"\n\n# Line {number} of many.\nx{number} = {number}\n" for number in range(40))


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """The page of a chapter with a formula, code, and much below it."""
    folder = tmp_path_factory.mktemp("symbols") / "course"
    shutil.copytree(FIXTURE, folder)
    text = chapter("Fast", "2.2", EXTRA, PROSE, CODE + FILLER)
    (folder / "rules/fast.py").write_text(text, encoding="utf-8")
    build(read_settings(folder / "mkdocs.yml"))
    with serving(folder / "site") as url:
        yield f"{url}fast/"


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    with opened(browser, address) as page:
        ready(page)
        yield page


def ready(page: Page) -> None:
    page.locator(".lit-formula [role=button]").first.wait_for()


def symbol(page: Page, name: str) -> Locator:
    return page.locator(f'.lit-formula [data-sym="{name}"]').first


def named(page: Page, name: str) -> Locator:
    return page.locator(f'.lit-code [data-sym="{name}"]').first


def lit(page: Page) -> dict[str, int]:
    """How many places are lit, by their names."""
    names = page.locator(".lit-on").evaluate_all("all => all.map((e) => e.dataset.sym)")
    return {name: names.count(name) for name in set(names)}


def places(page: Page, name: str) -> int:
    return page.locator(f'[data-sym="{name}"]').count()


def status(page: Page) -> str:
    return page.get_by_role("status").text_content()


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.textContent")


def test_pointing_at_a_symbol_lights_its_name_in_the_code_and_back(page):
    symbol(page, "grad").hover()
    assert lit(page) == {"grad": places(page, "grad")}
    assert page.locator(".lit-code .lit-on").count() == 2
    assert status(page) == "g is grad, 2 times in the code"
    named(page, "velocity").hover()
    assert lit(page) == {"velocity": places(page, "velocity")}
    # Three in the formula that stands alone, and one within a line.
    assert page.locator(".lit-prose math .lit-on").count() == 4
    page.locator("h1").hover()
    assert lit(page) == {}
    assert status(page) == ""


def test_a_letter_and_its_index_light_together(page):
    page.locator(".lit-formula mn[data-sym=beta1]").hover()
    texts = page.locator(".lit-formula .lit-on").all_text_contents()
    assert texts == ["β", "1"]


def test_lighting_moves_nothing(page):
    boxes = """() => [...document.querySelectorAll(".lit-page *")]
      .map((e) => e.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    before = page.evaluate(boxes)
    symbol(page, "velocity").click()
    assert lit(page)
    assert page.evaluate(boxes) == before


def test_a_click_pins_and_scrolling_keeps_it_until_escape(page):
    symbol(page, "velocity").click()
    page.mouse.move(5, 5)
    page.locator(".lit-code").last.scroll_into_view_if_needed()
    assert lit(page) == {"velocity": places(page, "velocity")}
    assert status(page).endswith("in the code (pinned)")
    assert named(page, "velocity").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert lit(page) == {}
    assert named(page, "velocity").get_attribute("aria-pressed") == "false"


def test_the_way_to_the_code_is_open_while_a_name_is_pinned(page):
    symbol(page, "velocity").click()
    page.get_by_role("status").get_by_role("link").click()
    line = page.url.rpartition("#")[2]
    assert page.locator(f"#{line} + *").is_visible()
    assert set(lit(page)) == {"velocity"}
    page.keyboard.press("Escape")
    assert status(page) == ""


def test_a_pinned_name_stays_beside_the_one_pointed_at(page):
    symbol(page, "velocity").click()
    named(page, "grad").hover()
    assert set(lit(page)) == {"velocity", "grad"}
    page.locator("h1").hover()
    assert set(lit(page)) == {"velocity"}


@pytest.mark.parametrize("selector", ["h1", ".lit-formula [data-sym=velocity]"])
def test_another_click_lets_go(page, selector):
    symbol(page, "velocity").click()
    page.locator(selector).first.click()
    page.mouse.move(5, 5)
    assert lit(page) == {}


def test_a_click_on_another_symbol_pins_that_one(page):
    named(page, "velocity").click()
    symbol(page, "theta").click()
    page.mouse.move(5, 5)
    assert set(lit(page)) == {"theta"}


def test_the_keyboard_goes_through_a_formula_with_arrows_and_pins(page):
    stops = page.locator(".lit-page [tabindex='0'][data-sym]")
    assert stops.count() == 3  # the table, the formula, the block of code with names
    page.locator(".lit-formula [tabindex='0']").focus()
    seen = [focused(page)]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        seen.append(focused(page))
    assert seen == ["m", "β", "m", "g", "θ", "θ"]
    assert set(lit(page)) == {"theta"}
    assert status(page) == "θ is theta, 3 times in the code"
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator(".lit-formula :focus").count() == 0
    assert "velocity" in lit(page)
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "m"
    page.keyboard.press("Space")
    page.locator(".lit-formula :focus").evaluate("(e) => e.blur()")
    assert lit(page) == {}


def test_the_keyboard_goes_through_names_and_links_of_a_block(page):
    block = page.locator(".lit-code", has_text="def step")
    block.locator("[tabindex='0'][data-sym]").focus()
    page.keyboard.press("End")
    assert focused(page) == "nesterov"
    assert page.locator(":focus").get_attribute("href").endswith("momentum/#Momentum.nesterov")
    page.keyboard.press("Enter")
    page.wait_for_url("**/momentum/#Momentum.nesterov")


def test_a_name_leads_to_its_definition(page):
    page.locator(".lit-code a", has_text="Momentum").nth(1).click()
    page.wait_for_url("**/momentum/#Momentum")
    assert page.locator('[id="Momentum"]').is_visible()
    page.locator(".lit-used a", has_text="Fast").click()
    page.wait_for_url("**/fast/#line-*")


def test_a_tap_pins_and_a_tap_beside_it_lets_go(browser, address):
    with opened(browser, address, 390, has_touch=True, is_mobile=True) as page:
        ready(page)
        symbol(page, "grad").tap()
        assert lit(page) == {"grad": places(page, "grad")}
        assert "pinned" in status(page)
        page.locator("h1").tap()
        assert lit(page) == {}


CONTRAST = """(e) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (colour) => rgb(colour).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const { color, backgroundColor, boxShadow } = getComputedStyle(e);
  const [low, high] = [color, backgroundColor].map(luminance).sort((x, y) => x - y);
  return [(high + 0.05) / (low + 0.05), boxShadow];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lit_places_are_read_well_and_have_more_than_a_colour(browser, address, scheme):
    with opened(browser, address, 1280, scheme) as page:
        ready(page)
        symbol(page, "velocity").hover()
        for place in (symbol(page, "velocity"), named(page, "velocity")):
            contrast, shadow = place.evaluate(CONTRAST)
            assert contrast >= 4.5
            assert shadow != "none"


def test_without_javascript_names_are_links_and_symbols_are_no_stops(browser, address):
    with opened(browser, address, java_script_enabled=False) as page:
        assert page.locator(".lit-code a[href$='#Momentum']").count() == 2
        assert page.locator("[tabindex][data-sym], [role=button][data-sym]").count() == 0

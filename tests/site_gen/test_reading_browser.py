"""Cards, ticks, the map and the pager of a small course, in a real browser."""

import shutil
from collections.abc import Iterator

import pytest
import yaml
from playwright.sync_api import Page, expect

from site_gen.build import build
from site_gen.config import read_settings
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.conftest import FIXTURE
from tests.site_gen.test_lexicon import GLOSSARY

EXPECT_MS = 30_000
TERM = "a.lit-term[href$='#learning-rate']"
CARD = "#lit-hover"

expect.set_options(timeout=EXPECT_MS)

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The fixture course with a glossary and a map, built for reading without a server."""
    folder = tmp_path_factory.mktemp("reading") / "course"
    shutil.copytree(FIXTURE, folder)
    (folder / "docs/glossary.md").write_text(GLOSSARY)
    (folder / "docs/map.md").write_text("---\ntitle: Map\n---\n\n::: map\n:::\n")
    descent = folder / "rules/descent.py"
    summary = "summary: Before [momentum](momentum.py), "
    descent.write_text(descent.read_text().replace("summary: ", summary))
    momentum = folder / "rules/momentum.py"
    momentum.write_text(momentum.read_text() + "#\n# A learning rate, for a batch.\n")
    options = yaml.safe_load((folder / "mkdocs.yml").read_text())
    options["theme"]["features"] = ["navigation.prune"]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(options | {"use_directory_urls": False}))
    build(read_settings(folder / "mkdocs.yml"))
    return folder / "site"


@pytest.fixture(scope="module")
def site(folder) -> Iterator[str]:
    """The course under a path of its server."""
    with serving(folder.parent) as url:
        yield f"{url}site/"


def test_a_card_shows_while_the_pointer_is_on_the_link_or_the_card(browser, site):
    with opened(browser, f"{site}momentum.html") as page:
        card = page.locator(CARD)
        expect(card).not_to_be_visible()
        page.locator(TERM).hover()
        expect(card).to_contain_text("Learning rate")
        expect(card).to_contain_text("& more. See descent.")
        assert card.get_attribute("role") == "tooltip"
        assert page.locator(TERM).get_attribute("aria-describedby") == card.get_attribute("id")
        card.hover()
        page.wait_for_timeout(400)
        expect(card).to_be_visible()
        page.locator("h1").hover()
        expect(card).not_to_be_visible()
        assert page.locator(TERM).get_attribute("aria-describedby") is None


def test_a_card_shows_at_the_focus_and_goes_with_escape_or_the_focus(browser, site):
    with opened(browser, f"{site}momentum.html") as page:
        link, card = page.locator(TERM), page.locator(CARD)
        page.keyboard.press("Tab")
        link.focus()
        expect(card).to_contain_text("Learning rate")
        page.keyboard.press("Escape")
        expect(card).not_to_be_visible()
        assert link.evaluate("(e) => e === document.activeElement")
        page.locator("a.lit-term[href$='#batch']").focus()
        expect(card).to_contain_text("Batch")
        page.keyboard.press("Tab")
        expect(card).to_contain_text("Boris T. Polyak")
        page.keyboard.press("Tab")
        expect(card).not_to_be_visible()


def test_the_first_tap_shows_the_card_and_the_second_follows_the_link(browser, site):
    with opened(browser, f"{site}momentum.html", 390, has_touch=True, is_mobile=True) as page:
        page.locator(TERM).tap()
        card = page.locator(CARD)
        expect(card).to_contain_text("Learning rate")
        assert page.url.endswith("momentum.html")
        box = card.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        page.locator("h1").tap()
        expect(card).not_to_be_visible()
        page.locator(TERM).tap()
        expect(card).to_be_visible()
        page.locator(TERM).tap()
        page.wait_for_url("**/glossary.html#learning-rate")


def test_a_citation_has_a_card_from_the_folder_too(browser, folder):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{folder.as_uri()}/momentum.html")
    page.locator(".lit-references a.lit-cite").hover()
    expect(page.locator(CARD)).to_contain_text("Boris T. Polyak")
    expect(page.locator(CARD)).to_contain_text("1964")
    context.close()


def test_a_card_is_inside_the_screen_and_moves_nothing(browser, site):
    with opened(browser, f"{site}momentum.html") as page:
        link = page.locator(TERM)
        link.evaluate(
            "(e) => scrollTo(0, e.getBoundingClientRect().bottom + scrollY - innerHeight)"
        )
        before = page.evaluate("document.documentElement.scrollHeight")
        link.hover()
        expect(page.locator(CARD)).to_be_visible()
        box = page.locator(CARD).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900
        assert page.evaluate("document.documentElement.scrollHeight") == before


def mark(page: Page):
    return page.get_by_role("button", name="Mark as read")


def visit(page: Page, address: str) -> None:
    """Go to a page when nothing is loading: a request that is cut off would count as failed."""
    page.wait_for_load_state("networkidle")
    page.goto(address)


def test_a_chapter_is_marked_as_read_and_stays_so_after_a_reload(browser, site):
    with opened(browser, f"{site}momentum.html") as page:
        assert mark(page).get_attribute("aria-pressed") == "false"
        mark(page).focus()
        page.keyboard.press("Enter")
        assert mark(page).get_attribute("aria-pressed") == "true"
        visit(page, page.url)
        assert mark(page).get_attribute("aria-pressed") == "true"
        assert page.locator(".md-nav__link.lit-read").count() == 1
        visit(page, site)
        read = page.locator(".lit-contents a.lit-read")
        assert read.all_inner_texts() == ["Momentum"]
        counts = page.locator(".lit-contents .lit-count")
        assert counts.all_inner_texts() == ["", "1 of 1 read", ""]
        assert "1 of 2 chapters read" in page.locator(".lit-progress").inner_text()
        # A part has the address of its first chapter there, and is not read with it.
        assert page.locator(".md-nav__link.lit-read").count() == 0
        visit(page, f"{site}map.html")
        assert page.locator(".lit-drawing a.lit-read .lit-tick:visible").count() == 1
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Forget what I have read").click()
        assert page.locator(".lit-read").count() == 0
        visit(page, page.url)
        assert page.locator(".lit-read").count() == 0
        expect(page.get_by_role("button", name="Forget what I have read")).to_have_count(0)


def test_a_mark_can_be_taken_back(browser, site):
    with opened(browser, f"{site}descent.html") as page:
        mark(page).click()
        mark(page).click()
        visit(page, page.url)
        assert mark(page).get_attribute("aria-pressed") == "false"


def test_where_nothing_can_be_stored_no_mark_is_offered_and_nothing_fails(browser, site):
    blocked = (
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})"
    )
    context = browser.new_context()
    context.add_init_script(blocked)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site}momentum.html")
    page.locator(TERM).hover()
    expect(page.locator(CARD)).to_be_visible()
    assert page.locator(".lit-mark button").count() == 0
    assert [problem for problem in problems if "progress.js" in problem] == []
    context.close()


def test_what_is_stored_by_others_under_the_name_is_no_error(browser, site):
    with opened(browser, f"{site}momentum.html") as page:
        page.evaluate("localStorage.setItem('read:/site/', '{not json')")
        visit(page, page.url)
        assert mark(page).get_attribute("aria-pressed") == "false"


def test_without_javascript_there_is_no_sign_of_marks_and_cards(browser, site):
    with opened(browser, f"{site}momentum.html", java_script_enabled=False) as page:
        assert page.locator(".lit-mark").inner_text() == ""
        assert page.locator(f"button:visible, {CARD}").filter(has_text="read").count() == 0
        page.locator(TERM).click()
        assert page.url.endswith("glossary.html#learning-rate")


def test_a_box_of_the_map_leads_to_its_chapter_by_pointer_and_keyboard(browser, site):
    with opened(browser, f"{site}map.html") as page:
        box = page.locator("#map-part-2 ~ .lit-drawing a:not(.lit-outside)")
        assert box.text_content().strip() == "2.1 Momentum"
        box.click()
        page.wait_for_url("**/momentum.html")
        # Who leaves a page aborts what it is still loading, which would be told as an error.
        page.wait_for_load_state("networkidle")
        page.go_back()
        page.wait_for_load_state("networkidle")
        page.locator("#map-part-2 ~ .lit-drawing a.lit-outside").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/descent.html")
        page.wait_for_load_state("networkidle")


def test_the_map_scrolls_in_its_own_box_on_a_phone(browser, site):
    with opened(browser, f"{site}map.html", 320) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        drawing = page.locator(".lit-drawing").last
        wide, narrow = drawing.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert wide > narrow
        page.locator("summary", has_text="As a list").last.click()
        assert page.get_by_role("listitem").filter(has_text="2.1 Momentum, after").is_visible()


def test_the_end_of_a_page_leads_to_the_next(browser, site):
    with opened(browser, f"{site}descent.html") as page:
        link = page.get_by_role("navigation", name="Chapters").get_by_role("link")
        assert " ".join(link.inner_text().split()) == "Next · Part 2 · Momentum 2.1 Momentum"
        link.click()
        page.wait_for_url("**/momentum.html")
        assert page.locator("h1").inner_text() == "Momentum"

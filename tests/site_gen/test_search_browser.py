"""Search and keys in a real browser, from a server and from the disk."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from site_gen.build import build
from site_gen.config import read_settings
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.conftest import FIXTURE

expect.set_options(timeout=30_000)

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "course"
    shutil.copytree(FIXTURE, folder)
    build(read_settings(folder / "mkdocs.yml"))
    return folder / "site"


@pytest.fixture(scope="module")
def site(folder) -> Iterator[str]:
    with serving(folder) as url:
        yield url


def options(page: Page):
    return page.locator("#lit-search-list [role=option]")


@pytest.mark.parametrize("served", [True, False])
def test_a_slash_opens_the_search_and_enter_leads_to_the_result(browser, site, folder, served):
    start = f"{site}momentum/" if served else (folder / "momentum/index.html").as_uri()
    with opened(browser, start) as page:
        page.keyboard.press("/")
        page.keyboard.type("descend")
        expect(options(page).first).to_contain_text("descend")
        expect(options(page).first).to_contain_text("Part ")
        page.wait_for_load_state("networkidle")
        page.keyboard.press("Enter")
        page.wait_for_url("**/descent/**#descend")
        page.wait_for_load_state("networkidle")


def test_arrows_choose_among_the_results_and_escape_closes(browser, site):
    with opened(browser, site) as page:
        page.get_by_role("button", name="Search", exact=True).click()
        page.get_by_role("combobox", name="Search").fill("gradient")
        expect(options(page).nth(1)).to_be_visible()
        assert options(page).first.get_attribute("aria-selected") == "true"
        page.keyboard.press("ArrowDown")
        assert options(page).nth(1).get_attribute("aria-selected") == "true"
        active = page.locator("#lit-search-input").get_attribute("aria-activedescendant")
        assert active == options(page).nth(1).get_attribute("id")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert options(page).last.get_attribute("aria-selected") == "true"
        page.keyboard.press("Escape")
        expect(page.locator("dialog.lit-search")).to_be_hidden()


def test_a_greek_letter_and_a_part_of_a_name_are_found(browser, site):
    with opened(browser, site) as page:
        page.keyboard.press("/")
        for query in ("β", "beta", "param"):
            page.locator("#lit-search-input").fill(query)
            expect(options(page).first).to_be_visible()


def test_a_search_without_a_result_says_so(browser, site):
    with opened(browser, site) as page:
        page.keyboard.press("/")
        page.keyboard.type("xylophonist")
        expect(page.locator(".lit-search-status")).to_have_text("No results")
        expect(options(page)).to_have_count(0)


def test_keys_lead_through_sections_and_chapters(browser, site):
    with opened(browser, f"{site}descent/") as page:
        page.keyboard.press("j")
        first = page.evaluate("location.hash")
        page.keyboard.press("j")
        second = page.evaluate("location.hash")
        assert first
        assert second not in ("", first)
        page.keyboard.press("k")
        assert page.evaluate("location.hash") == first
        # A page that is left while it loads has requests that fail.
        page.wait_for_load_state("networkidle")
        page.keyboard.press("n")
        page.wait_for_url("**/momentum/")
        page.wait_for_load_state("networkidle")
        page.keyboard.press("p")
        page.wait_for_url("**/descent/")
        page.wait_for_load_state("networkidle")


def test_t_changes_the_theme(browser, site):
    with opened(browser, site) as page:
        scheme = "document.body.getAttribute('data-md-color-scheme')"
        before = page.evaluate(scheme)
        page.keyboard.press("t")
        assert page.evaluate(scheme) != before


def test_a_question_mark_shows_the_keys_and_can_turn_them_off(browser, site):
    with opened(browser, site) as page:
        page.keyboard.press("?")
        page.get_by_label("Use these keys").uncheck()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("/")
        expect(page.locator("dialog.lit-search")).to_be_hidden()
        page.wait_for_load_state("networkidle")
        page.reload()
        page.keyboard.press("/")
        expect(page.locator("dialog.lit-search")).to_be_hidden()
        page.keyboard.press("?")
        page.get_by_label("Use these keys").check()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.locator("dialog.lit-search")).to_be_visible()


def test_a_key_that_is_typed_into_a_field_is_a_letter(browser, site):
    with opened(browser, site) as page:
        page.keyboard.press("/")
        page.keyboard.type("j/?")
        expect(page.locator("#lit-search-input")).to_have_value("j/?")

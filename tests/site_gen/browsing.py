"""A real browser for tests, and the pages that it opens."""

import contextlib
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from site_gen.browser import ARGUMENTS, find_chromium, serving

__all__ = ["NEEDS_BROWSER", "opened", "running_browser", "serving"]

CHROMIUM = find_chromium()

NEEDS_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true",
        reason="no Chromium found; name it in the environment variable CHROMIUM",
    ),
]


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def opened(browser: Browser, address: str, width=1280, scheme="light", **options) -> Iterator[Page]:
    """Open a page, and check that it logs no error and asks no other host for anything."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, **options
    )
    page = context.new_page()
    problems, requests = [], []
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.evaluate("document.fonts.ready.then(() => null)")
    yield page
    host = address.split("/")[2]
    assert problems == []
    assert {url.split("/")[2] for url in requests if not url.startswith("data:")} == {host}
    context.close()

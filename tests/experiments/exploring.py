"""Pages with charts that a reader can change, for tests in a browser."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, Page

from experiments import committed, explore
from experiments.pages import ASSETS
from site_gen.plugins import Figure
from site_gen.security import policy
from tests.site_gen.browsing import opened
from tests.site_gen.modules import ROOT

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{name}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="../assets/site.css">
<link rel="stylesheet" href="../assets/plugins/curves.css">
<link rel="stylesheet" href="../assets/plugins/explore.css"></head>
<body data-md-color-scheme="default">{html}<script src="../assets/plugins/explore.js"></script></body></html>"""


def write_page(folder: Path, name: str, figures: Sequence[Figure]) -> Path:
    """Write a page that stands in a folder of the site, with the files of its figures."""
    for place in ("assets/plugins", "pages"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for figure in figures:
        for path, source in figure.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if source != folder / path:
                copy(source, folder / path)
    copy(ROOT / "docs_src/assets/site.css", folder / "assets")
    for asset in ("curves.css", "explore.css", "explore.js"):
        copy(ASSETS / asset, folder / "assets/plugins")
    html = "".join(figure.html for figure in figures)
    page = folder / f"pages/{name}.html"
    page.write_text(PAGE.format(policy=escape(policy(())), name=name, html=html))
    return page


@contextlib.contextmanager
def results_in(folder: Path) -> Iterator[None]:
    """Take the records, and put what is made of them, below a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(committed, "RESULTS", folder / "results")
        patch.setattr(explore, "MADE", folder / "made")
        yield


@contextlib.contextmanager
def exploring(browser: Browser, address: str, **options) -> Iterator[Page]:
    """Open a page, and the first chart on it."""
    with opened(browser, address, **options) as page:
        page.get_by_role("button", name="Explore").first.click()
        page.locator(".explore-chart svg").nth(1).wait_for()
        yield page


def explorer(page: Page, what: str, number=0):
    """A value of a chart that a reader can change."""
    found = "[...document.querySelectorAll('.explore > div')].map((each) => each.explorer)"
    return json.loads(page.evaluate(f"JSON.stringify(({found})[{number}].{what})"))


def axis_labels(page: Page, panel=0, channel=None):
    """The labels of both axes of a panel, or of one of them: `x` or `y`."""
    number = "" if channel is None else f".role-axis >> nth={'xy'.index(channel)} >> "
    return (
        page.locator(".explore-chart")
        .nth(panel)
        .locator(f"{number}.role-axis-label text")
        .all_text_contents()
    )

"""Pages offer their chapter as a single file, to be downloaded and, in a browser, to be copied."""

import re
from html import escape
from pathlib import Path
from shutil import copy
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from experiments import single_files
from experiments.pages import ASSETS
from experiments.single_files import single_file_fact
from labml_nn_optim.export import Library, find, single_file
from site_gen.security import policy
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}"><title>wsd</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="../assets/single_file.css"></head>
<body>{html}<script src="../assets/single_file.js"></script></body></html>"""


def chapter(name, module=None):
    return SimpleNamespace(name=name, module=module or f"labml_nn_optim.{name.replace('/', '.')}")


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(single_files, "MADE", tmp_path / "made")
    single_files._made.cache_clear()
    return tmp_path / "made"


@pytest.mark.parametrize(("name", "above"), [("schedules/wsd", "../"), ("weight_decay", "")])
def test_a_chapter_of_the_library_links_to_its_file(name, above):
    fact = single_file_fact(chapter(name))
    path = f"files/{name}.py"
    assert f'href="{above}{path}" download' in fact.value
    library = Library()
    expected = single_file(library, [find(library, name)])
    assert fact.files[path].read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    "other",
    [
        chapter("registry"),
        chapter("export/needed"),
        chapter("experiments/mnist", "experiments.mnist"),
        SimpleNamespace(name="index", module=None),
    ],
)
def test_other_pages_have_none(other):
    assert single_file_fact(other) is None


def test_a_file_is_made_once_as_long_as_the_library_stays():
    first = single_file_fact(chapter("weight_decay")).files["files/weight_decay.py"]
    first.write_text("as it was")
    again = single_file_fact(chapter("weight_decay")).files["files/weight_decay.py"]
    assert again.read_text() == "as it was"


@pytest.fixture
def site(tmp_path) -> Path:
    fact = single_file_fact(chapter("schedules/wsd"))
    folder = tmp_path / "site"
    for place in ("assets", "schedules", "files/schedules"):
        (folder / place).mkdir(parents=True)
    for path, file in fact.files.items():
        copy(file, folder / path)
    for name in ("single_file.css", "single_file.js"):
        copy(ASSETS / name, folder / "assets")
    html = PAGE.format(policy=escape(policy(())), html=fact.value)
    (folder / "schedules/wsd.html").write_text(html, encoding="utf-8")
    return folder


class TestInABrowser:
    pytestmark = NEEDS_BROWSER

    def test_the_button_copies_the_file_that_the_link_downloads(self, browser, site):
        text = (site / "files/schedules/wsd.py").read_text(encoding="utf-8")
        granted = ["clipboard-read", "clipboard-write"]
        with (
            serving(site) as address,
            opened(browser, f"{address}schedules/wsd.html", permissions=granted) as page,
        ):
            with page.expect_download() as download:
                page.get_by_role("link", name="wsd.py").click()
            assert download.value.suggested_filename == "wsd.py"
            assert Path(download.value.path()).read_text(encoding="utf-8") == text
            button = page.get_by_role("button")
            button.click()
            expect(button).to_have_text("copied")
            assert page.evaluate("navigator.clipboard.readText()") == text
            expect(button).to_have_text("copy")

    def test_a_page_that_is_read_from_a_folder_has_the_link_alone(self, browser, site):
        page = browser.new_page()
        page.goto((site / "schedules/wsd.html").as_uri())
        expect(page.get_by_role("link", name=re.compile("wsd"))).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)
        page.close()

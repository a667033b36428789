"""What holds for every page of the built course."""

import gzip
import posixpath
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
ADDRESSES = {
    ("a", "href"),
    ("img", "src"),
    ("link", "href"),
    ("script", "src"),
    ("object", "data"),
    ("use", "href"),
}
LOADED = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
MOST_BYTES_OF_A_PAGE = 60_000
MOST_BYTES_OF_A_FIRST_VISIT = 200_000
FONT = "assets/site_gen/latin-modern-math.woff2"


class Page(HTMLParser):
    """Identifiers, addresses and faults of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.has_math = "<math" in html
        self.size = len(gzip.compress(html.encode()))
        self.identifiers: Counter[str] = Counter()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.without_alt: list[str] = []
        self.without_header: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self._cells = 0
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> stays open" for tag in self._open]

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        values = dict(attrs)
        line = self.getpos()[0]
        if len(values) < len(attrs):
            self.faults.append(f"line {line}: <{tag}> has an attribute twice")
        if values.get("id"):
            self.identifiers[values["id"]] += 1
        # A cell of a table's head that says nothing is no header; that of the first column may say nothing.
        if tag == "td" and "thead" in self._open and self._cells:
            self.without_header.append(f"line {line}: column {self._cells + 1}")
        self._cells = 0 if tag == "tr" else self._cells + (tag in ("td", "th"))
        if tag == "img" and "alt" not in values:
            self.without_alt.append(f"line {line}: {values.get('src')}")
        for name in ("href", "src", "data"):
            if (tag, name) in ADDRESSES and values.get(name):
                self._address(tag, values, values[name])

    def _address(self, tag, values, address):
        if tag == "a":
            self.links.append(address)
        elif values.get("loading") == "lazy":
            return
        elif tag != "link" or LOADED & set((values.get("rel") or "").split()):
            self.loaded.append(address)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            inner = self._open[-1] if self._open else "nothing"
            self.faults.append(f"line {self.getpos()[0]}: </{tag}> where <{inner}> is open")
            if tag in self._open:
                while self._open.pop() != tag:
                    pass


@pytest.fixture(scope="module")
def pages(this_site) -> dict[str, Page]:
    return {
        path.relative_to(this_site).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(this_site.rglob("*.html"))
    }


def found(problems: dict[str, list]) -> dict[str, list]:
    return {name: list(some) for name, some in problems.items() if some}


def inside(name: str, address: str) -> str | None:
    """The file of the site that the page `name` means by `address`; None for another host."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path)
    # The page for what is missing can be shown at any address, so its links begin at the root.
    target = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), path)).lstrip("/")
    return target if path else name


def broken(site: Path, pages: dict[str, Page], name: str) -> list[str]:
    wrong = []
    for address in {*pages[name].links, *pages[name].loaded}:
        target = inside(name, address)
        if target is None:
            continue
        path = site / target
        if path.is_dir():
            target, path = posixpath.join(target, "index.html").lstrip("./"), path / "index.html"
        anchor = unquote(urlsplit(address).fragment)
        known = pages[target].identifiers if target in pages else ()
        if not path.is_file() or (anchor and target in pages and anchor not in known):
            wrong.append(address)
    return sorted(wrong)


def test_every_link_and_anchor_within_the_site_leads_somewhere(this_site, pages):
    assert len(pages) > 100
    assert found({name: broken(this_site, pages, name) for name in pages}) == {}


def test_no_identifier_stands_twice_on_a_page(pages):
    doubles = {
        name: [each for each, times in page.identifiers.items() if times > 1]
        for name, page in pages.items()
    }
    assert found(doubles) == {}


def test_every_picture_has_a_text_instead(pages):
    assert found({name: page.without_alt for name, page in pages.items()}) == {}


def test_every_column_of_a_table_but_the_first_has_a_name(pages):
    assert found({name: page.without_header for name, page in pages.items()}) == {}


def test_every_element_is_closed_in_its_place_and_has_no_attribute_twice(pages):
    assert found({name: page.faults for name, page in pages.items()}) == {}


def test_pages_load_nothing_from_another_host(pages):
    others = {
        name: [
            each
            for each in page.loaded
            if inside(name, each) is None and not each.startswith("data:")
        ]
        for name, page in pages.items()
    }
    assert found(others) == {}


def test_no_page_is_larger_than_its_budget(pages):
    for name, page in pages.items():
        assert page.size <= MOST_BYTES_OF_A_PAGE, name


def test_a_first_visit_loads_at_most_its_budget(this_site, pages):
    font = (this_site / FONT).stat().st_size
    for name, page in pages.items():
        files = {inside(name, each) for each in page.loaded} - {None, name}
        loaded = [len(gzip.compress((this_site / file).read_bytes())) for file in files]
        size = page.size + sum(loaded) + font * page.has_math
        assert size <= MOST_BYTES_OF_A_FIRST_VISIT, name

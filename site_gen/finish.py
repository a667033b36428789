"""What a built site needs beyond its pages: a policy for scripts, and previews for links to them.

This works on the HTML alone, so it does not matter which program has made it.
"""

import posixpath
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from site_gen.config import Settings
from site_gen.feed import FEED
from site_gen.security import headers_file, policy, script_hashes

CHARSET = re.compile(r"<meta charset=\"?utf-8\"?\s*/?>", re.I)
SITEMAPS = ("sitemap.xml", "sitemap.xml.gz")
HEADERS = "_headers"
POLICY = '<meta http-equiv="Content-Security-Policy"'
# The theme's switches have an attribute that HTML does not give to them.
SWITCH = re.compile(r'(<input\b[^>]*\btype="?checkbox"?[^>]*?) autocomplete="?off"?')
# Some themes write one without the address of the site, which names another page then.
CANONICAL = re.compile(r'<link rel="?canonical"?[^>]*>')


def finish(site: Path, settings: Settings) -> None:
    """Complete the site in the folder `site`; doing it twice changes nothing."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    hashes = set().union(*(script_hashes(html) for html in pages.values()))
    for path, html in pages.items():
        if POLICY not in html:
            name = path.relative_to(site).as_posix()
            tags = "".join(_tags(html, name, hashes, settings))
            html = SWITCH.sub(r"\1", _after_charset(html, tags))
            if not settings.site_url:
                html = CANONICAL.sub("", html)
            path.write_text(html, encoding="utf-8")
    (site / HEADERS).write_text(headers_file(hashes), encoding="utf-8")
    if not settings.site_url:
        # Without an address they have nothing in them.
        for name in SITEMAPS:
            (site / name).unlink(missing_ok=True)


def _after_charset(html: str, tags: str) -> str:
    """Put `tags` where a policy must stand: before anything that it is about."""
    found = CHARSET.search(html)
    return f"{html[: found.end()]}{tags}{html[found.end() :]}" if found else html


def _tags(html: str, name: str, hashes: set[str], settings: Settings) -> Iterator[str]:
    yield f'{POLICY} content="{escape(policy(hashes))}">'
    yield from _previews(html, name, settings)
    if settings.changelog and settings.site_url:
        feed = posixpath.relpath(FEED, posixpath.dirname(name) or ".")
        yield f'<link rel="alternate" type="application/rss+xml" href="{feed}">'


def _previews(html: str, name: str, settings: Settings) -> Iterator[str]:
    """Yield the OpenGraph tags of a page. Picture and address must be whole, so they need `site_url`."""
    head = _Head(html)
    properties = {
        "og:type": "website" if name == "index.html" else "article",
        "og:site_name": str(settings.options.get("site_name", "")),
        "og:title": head.title,
        "og:description": head.description,
    }
    if settings.site_url:
        properties["og:url"] = head.canonical
        if settings.picture:
            properties["og:image"] = settings.site_url + settings.picture
            yield '<meta name="twitter:card" content="summary_large_image">'
    for key, value in properties.items():
        if value:
            yield f'<meta property="{key}" content="{escape(value)}">'


class _Head(HTMLParser):
    """Reads title, description and canonical address of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.title = self.description = self.canonical = ""
        self._inside = False
        self.feed(html.partition("</head>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element says."""
        values = {key: value or "" for key, value in attrs}
        self._inside = tag == "title"
        if tag == "meta" and values.get("name") == "description":
            self.description = values.get("content", "")
        elif tag == "link" and values.get("rel") == "canonical":
            self.canonical = values.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave the title."""
        self._inside = self._inside and tag != "title"

    def handle_data(self, data: str) -> None:
        """Collect the title."""
        if self._inside:
            self.title += data

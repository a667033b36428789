"""A feed of the changes, from the page that lists them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree import ElementTree

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.errors import SiteError
from site_gen.prose import Heading, sections_of

FEED = "feed.xml"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}\b")


def feed(chapter: Chapter, course: Course, site_url: str) -> bytes:
    """Return an RSS 2.0 feed of a page of changes, one item for each of its headings.

    Raises SiteError for a heading that does not begin with a day, such as `2026-01-31`.
    """
    options = course.settings.options
    page = site_url + course.path(chapter)
    rss = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(rss, "channel")
    _fill(channel, title=str(options["site_name"]), link=site_url, description=chapter.title)
    for heading, text in _entries(chapter):
        link = f"{page}#{heading.anchor}"
        item = ElementTree.SubElement(channel, "item")
        day = format_datetime(_day(heading, chapter), usegmt=True)
        _fill(item, title=heading.text, link=link, guid=link, pubDate=day, description=text)
    ElementTree.indent(rss)
    text = ElementTree.tostring(rss, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def changes_page(course: Course) -> Chapter | None:
    """Return the page that `changelog` names, None without that setting. Raises SiteError."""
    name = course.settings.changelog
    if name is None:
        return None
    if name not in course.chapters:
        raise SiteError(course.settings.file, 1, f"'changelog': there is no page {name!r}")
    return course.chapters[name]


def _fill(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text


def _entries(chapter: Chapter) -> Iterator[tuple[Heading, str]]:
    for block in chapter.blocks:
        for prose in block.prose:
            for heading, text in sections_of(prose):
                if heading:
                    yield heading, text


def _day(heading: Heading, chapter: Chapter) -> datetime:
    found = DAY.match(heading.text)
    try:
        return datetime.fromisoformat(found[0] if found else "").replace(tzinfo=UTC)
    except ValueError:
        message = f"a change must begin with its day, such as 2026-01-31, not {heading.text!r}"
        raise SiteError(chapter.path, heading.line, message) from None

"""What the hover cards show: one script that every page can load, which registers the data.

The keys are what links lead to: the path of a page from the root of the site with an anchor, or
the address of a paper.
"""

import json
import re
from html import escape

from markdown_it.token import Token

from site_gen.bibliography import papers
from site_gen.course import Course
from site_gen.entries import Entry
from site_gen.front_matter import Paper
from site_gen.lexicon import Explained
from site_gen.links import PageReferences
from site_gen.prose import ParsedProse

FILE = "cards.js"
MOST_AUTHORS = 6
LINK = re.compile(r"</?a\b[^>]*>")


def cards_script(course: Course) -> str:
    """Return the script that sets `litCards`: for each key the title and the text, as HTML."""
    cards = {paper.link: _paper(paper) for paper in papers(course)}
    for found in course.lexicon.entries:
        cards[f"{course.path(found.page)}#{found.entry.anchor}"] = _entry(found, course)
    return f"litCards = {json.dumps(cards, ensure_ascii=False, separators=(',', ':'))};\n"


def _paper(paper: Paper) -> tuple[str, str]:
    by = paper.authors
    authors = paper.by if len(by) <= MOST_AUTHORS else f"{', '.join(by[:MOST_AUTHORS])} et al."
    where = f"{paper.venue}, {paper.year}" if paper.venue else str(paper.year)
    return escape(paper.title), f"<p>{escape(authors)}. {escape(where)}.</p>"


def _entry(found: Explained, course: Course) -> tuple[str, str]:
    entry = found.entry
    references = PageReferences(course, found.page)
    head = _render(entry, entry.head, references)
    if entry.kind == "term":
        return escape(entry.names[0]), _render(entry, entry.body, references)
    cells = [text for token in entry.body if (text := _render(entry, (token,), references))]
    return head, f"<p>{', '.join(cells)}</p>"


def _render(entry: Entry, tokens: tuple[Token, ...], references: PageReferences) -> str:
    """Return HTML without links: a card is read, not walked through."""
    html = ParsedProse(tokens, (), references.chapter.path).render(references)
    return LINK.sub("", html).strip()

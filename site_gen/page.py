"""One page: the card, the sections side by side, figures, references.

The page is one block of raw HTML in a Markdown file. Python-Markdown passes such a block through
as it is, apart from tabs and lines of blanks; `content` writes those as character references.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from site_gen import prose
from site_gen.bibtex import bibtex
from site_gen.card import card
from site_gen.chapters import Block, Chapter
from site_gen.code import code_lines
from site_gen.course import LANDING, Course
from site_gen.errors import SiteError
from site_gen.front_matter import Paper
from site_gen.lexicon import Marks
from site_gen.links import PageReferences
from site_gen.pager import ending
from site_gen.plugins import NOTHING, Additions, Figure, check_html
from site_gen.reading_time import reading_minutes
from site_gen.symbols import FormulaMarks
from site_gen.usage import used_by

TEMPLATES = Path(__file__).parent / "templates"
ENCODED = {"\n": "&#10;", "\t": "&#9;", "\x0c": "\u240c"}
ENCODED |= {chr(code): chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t\x0c"}
ENCODING = str.maketrans(ENCODED)


@dataclass(frozen=True)
class ShownLine:
    """A line of code as HTML."""

    number: int
    html: Markup


@dataclass(frozen=True)
class ShownBlock:
    """A section as the template needs it. `name` is set for classes and functions."""

    anchor: str | None
    name: str
    level: int
    prose: Markup
    code: tuple[ShownLine, ...]


def page(chapter: Chapter, course: Course, additions: Additions = NOTHING) -> str:
    """Return the Markdown file of the page.

    Raises SiteError for what is wrong in the chapter or with an addition.
    """
    front = chapter.front_matter
    references = PageReferences(course, chapter)
    part = course.part(chapter)
    summary = _inline(front.summary, chapter, references) if front.summary else None
    formulas = FormulaMarks(front.symbols)
    blocks = [
        replace(block, prose=formulas.mark(block.prose)) for block in _blocks(chapter, course)
    ]
    for symbol in formulas.unused:
        message = f"symbol {symbol.tex!r} stands in no formula"
        raise SiteError(chapter.path, symbol.line, message)
    html = _template().render(
        chapter=chapter,
        part=part,
        part_address=_part_address(chapter, course),
        place=course.place(chapter),
        summary=formulas.mark(summary) if summary else None,
        facts=card(chapter, course, additions.facts),
        minutes=reading_minutes(chapter),
        ending=ending(chapter, course),
        blocks=blocks,
        uses=used_by(chapter, course),
        figures=_brought(additions.figures, chapter, course),
        papers=[] if chapter.lists_papers else _papers(chapter, course),
    )
    # The templates of MkDocs take these for HTML.
    head = {"title": escape(chapter.title), "hide": ["navigation", "toc"]}
    if front.summary:
        head["description"] = escape(prose.plain(front.summary))
    meta = yaml.safe_dump(head, allow_unicode=True, width=1000, sort_keys=True)
    return f"---\n{meta}---\n\n{_without_layout(html)}"


def content(value: str | Markup) -> Markup:
    """Return text or HTML on one line, so that Markdown leaves it alone."""
    return Markup((value if isinstance(value, Markup) else escape(value)).translate(ENCODING))


def _without_layout(html: str) -> str:
    """Drop the indent and the empty lines of the template; content has no line ends left."""
    return "\n".join(line.strip(" ") for line in html.split("\n") if line.strip(" ")) + "\n"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["content"] = content
    return environment.get_template("page.html")


def _part_address(chapter: Chapter, course: Course) -> str | None:
    """Return the address of the chapter's part in the table of contents."""
    part, landing = course.part(chapter), course.chapters.get(LANDING)
    if part is None or landing is None or not landing.lists_contents:
        return None
    return course.address(landing, part.anchor, chapter)


def _papers(chapter: Chapter, course: Course) -> list[tuple[Paper, str]]:
    keys = course.paper_keys
    return [(paper, bibtex(paper, keys[paper.link])) for paper in chapter.front_matter.papers]


def _inline(text: str, chapter: Chapter, references: PageReferences) -> str:
    line = chapter.front_matter.line("summary")
    strict = references.course.settings.strict
    return prose.inline(text, chapter.path, line, references, strict=strict)


def _blocks(chapter: Chapter, course: Course) -> list[ShownBlock]:
    lines = code_lines(chapter, course)
    marks = Marks(course.lexicon, chapter)
    return [_block(block, chapter, course, lines, marks) for block in chapter.blocks]


def _block(
    block: Block, chapter: Chapter, course: Course, lines: tuple[str, ...], marks: Marks
) -> ShownBlock:
    references = PageReferences(course, chapter, block.scope, marks)
    html = "\n".join(piece.render(references) for piece in block.prose)
    code = tuple(ShownLine(line.number, Markup(lines[line.number - 1])) for line in block.code)
    name = block.scope if block.is_definition else ""
    return ShownBlock(block.anchor, name, 2 + name.count("."), Markup(html), code)


def _brought(figures: Sequence[Figure], chapter: Chapter, course: Course) -> Sequence[Figure]:
    """Bring the files that the figures link to; return the figures.

    Raises SiteError for a taken anchor and for a file that cannot be brought.
    """
    taken = set(chapter.anchors)
    for figure in figures:
        if figure.anchor in taken:
            raise SiteError(
                chapter.path, 1, f"figure {figure.title!r}: anchor {figure.anchor!r} is taken"
            )
        taken.add(figure.anchor)
        check_html(figure.html, chapter)
        course.bring(figure.files, chapter)
    return figures

"""Chapters: a file, read, cut, parsed, and given its anchors."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, get_args

from site_gen import prose
from site_gen.errors import SiteError
from site_gen.front_matter import FrontMatter, split_front_matter
from site_gen.highlight import python_names
from site_gen.plain import is_markdown, parse_plain
from site_gen.prose import ParsedProse
from site_gen.sections import Line, Prose, Section, Source, parse, read

Markup = Literal["markdown", "text"]
MARKUPS = get_args(Markup)
ANCHOR_WORDS = 6
CONTENTS = "container_contents_open"
MAP = "container_map_open"
PAPERS = "container_papers_open"
HEADING = re.compile(r"#{1,6} ")
LINE_ANCHOR = re.compile(r"line-\d+")
RESERVED_ANCHORS = ("chapter-title", "references", "used-by")


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    `required` says whether it must have front matter with a title, `strict` whether its prose is (see
    `prose`). The prose of a Python file with front matter is Markdown; that of another is what
    `markup` says, or else what it looks like.
    """

    required: bool = False
    strict: bool = True
    markup: Markup | None = None


@dataclass(frozen=True)
class Block:
    """A section that is ready to be shown. `anchor` is None where nothing can name it."""

    anchor: str | None
    scope: str
    is_definition: bool
    prose: tuple[ParsedProse, ...]
    code: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Chapter:
    """One page: `name` is its address without slash or suffix, such as `optimizers/adam`.

    `module` is the dotted name of its module, None for a chapter that is prose only. `anchors`
    holds everything within the page that a link can name.
    """

    name: str
    path: Path
    module: str | None
    text: str
    title: str
    front_matter: FrontMatter
    blocks: tuple[Block, ...]
    anchors: frozenset[str]
    source: Source | None

    @property
    def lists_contents(self) -> bool:
        """Whether the table of contents stands on this page."""
        return CONTENTS in self._elements

    @property
    def shows_map(self) -> bool:
        """Whether the map of the chapters stands on this page."""
        return MAP in self._elements

    @property
    def lists_papers(self) -> bool:
        """Whether the papers of all chapters stand on this page."""
        return PAPERS in self._elements

    @property
    def lists_others(self) -> bool:
        """Whether something made from all chapters stands on this page."""
        return any(f"container_{name}_open" in self._elements for name in prose.LISTINGS)

    @cached_property
    def _elements(self) -> frozenset[str]:
        """The types of all tokens of the prose."""
        pieces = (piece for block in self.blocks for piece in block.prose)
        return frozenset(token.type for piece in pieces for token in piece.tokens)


@lru_cache(maxsize=1024)
def python_chapter(path: Path, text: str, name: str, module: str, reading: Reading) -> Chapter:
    """Make the chapter of the Python file at `path` whose contents are `text`. Raises SiteError."""
    source = parse(text, path)
    front, lines, first = _front_matter(source, reading.required)
    markdown = bool(front.lines) or _is_markdown(source, reading.markup)
    title, lines = _title(front, lines) if markdown else (front.title, lines)
    sections = [_with_docstring(section, source.docstring, lines) for section in source.sections]
    parsed = [
        [
            prose.parse(item.lines, path, section.scope, strict=reading.strict)
            if markdown
            else parse_plain(item.lines, path)
            for item in section.prose
        ]
        for section in sections
    ]
    names, anchors = _name_sections(sections, parsed, path, reading.strict)
    blocks = tuple(
        Block(name, section.scope, section.kind == "definition", tuple(pieces), section.code)
        for name, section, pieces in zip(names, sections, parsed, strict=True)
    )
    _check_symbols(front, source, first)
    return Chapter(name, path, module, text, title or module, front, blocks, anchors, source)


@lru_cache(maxsize=256)
def markdown_chapter(path: Path, text: str, name: str, reading: Reading) -> Chapter:
    """Make the chapter of the Markdown file at `path`, which has no code. Raises SiteError."""
    numbered = [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]
    front, lines = split_front_matter(tuple(numbered), path)
    front = front or FrontMatter()
    _check_title(front, path, 1, reading.required)
    title, lines = _title(front, lines)
    parsed = prose.parse(lines, path, strict=reading.strict)
    taken = dict.fromkeys(RESERVED_ANCHORS, 0)
    parsed = _take_headings(taken, parsed, path, reading.strict)
    block = Block(None, "", False, (parsed,), ())
    return Chapter(name, path, None, text, title or name, front, (block,), frozenset(taken), None)


def load(path: Path, name: str, module: str, reading: Reading) -> Chapter:
    """Read the file at `path` and make its chapter. Raises SiteError."""
    if path.suffix == ".md":
        try:
            text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise SiteError(path, 1, f"cannot be decoded: {error}") from None
        return markdown_chapter(path, text, name, reading)
    return python_chapter(path, read(path), name, module, reading)


def _front_matter(source: Source, required: bool) -> tuple[FrontMatter, tuple[Line, ...], int]:
    """Return the front matter, the docstring's lines after it, and the line it starts on."""
    docstring = source.docstring
    lines = docstring.lines if docstring else ()
    first = docstring.first if docstring else 1
    front, rest = split_front_matter(lines, source.path)
    if front is None and required:
        message = "no front matter: the file must start with a docstring that opens with ---"
        raise SiteError(source.path, first, message)
    front = front or FrontMatter()
    _check_title(front, source.path, first, required)
    return front, rest, first


def _is_markdown(source: Source, markup: Markup | None) -> bool:
    if markup:
        return markup == "markdown"
    return is_markdown(item.text for section in source.sections for item in section.prose)


def _title(front: FrontMatter, lines: tuple[Line, ...]) -> tuple[str | None, tuple[Line, ...]]:
    """Return the title, from the front matter or a heading at the top, and the lines below it."""
    lines = tuple(itertools.dropwhile(lambda line: not line.text.strip(), lines))
    if front.title is None and lines and lines[0].text.startswith("# "):
        return lines[0].text.removeprefix("# ").strip(), lines[1:]
    return front.title, lines


def _check_title(front: FrontMatter, path: Path, line: int, required: bool) -> None:
    if required and front.title is None:
        raise SiteError(path, line, "front matter has no 'title'")


def _check_symbols(front: FrontMatter, source: Source, first: int) -> None:
    """Every identifier of the symbol table must be a name in the code."""
    names = python_names(source.text) if front.symbols else frozenset()
    for symbol in front.symbols:
        if symbol.identifier not in names:
            message = f"symbol {symbol.tex!r}: {symbol.identifier!r} does not stand in the code"
            raise SiteError(source.path, symbol.line or first, message)


def _with_docstring(section: Section, docstring: Prose | None, lines: tuple[Line, ...]) -> Section:
    """Return `section` with the docstring's prose replaced by `lines`, if it holds it."""
    if docstring is None or docstring not in section.prose:
        return section
    replaced = Prose(lines, docstring.first, docstring.last)
    pieces = tuple(replaced if item is docstring else item for item in section.prose)
    return Section(section.kind, section.scope, pieces, section.code)


def _name_sections(
    sections: Sequence[Section], parsed: Sequence[list[ParsedProse]], path: Path, strict: bool
) -> tuple[list[str | None], frozenset[str]]:
    """Return the anchor of each section, and all anchors of the page.

    Definitions and headings have fixed names, and the second definition of a name gets `-2`. The
    anchor of a comment comes from its first words and makes room for the others. Where two headings
    want the same anchor, strict prose raises SiteError, and in other prose the second gets a number.
    """
    taken = dict.fromkeys(RESERVED_ANCHORS, 0)
    names: list[str | None] = [None] * len(sections)
    definitions: Counter[str] = Counter()
    for index, section in enumerate(sections):
        if section.kind == "definition":
            definitions[section.scope] += 1
            name = _with_number(section.scope, definitions[section.scope])
            _take(taken, name, section.code[0].number, path)
            names[index] = name
    for pieces in parsed:
        pieces[:] = [_take_headings(taken, piece, path, strict) for piece in pieces]
    for index, section in enumerate(sections):
        words = _first_words(section)
        if section.kind == "comment" and words:
            base = "-".join(filter(None, [section.scope, words]))
            name = next(n for n in _numbered(base) if _is_free(n, taken))
            _take(taken, name, section.prose[0].first, path)
            names[index] = name
    return names, frozenset(taken)


def _take_headings(
    taken: dict[str, int], piece: ParsedProse, path: Path, strict: bool
) -> ParsedProse:
    if not strict:
        piece = prose.with_free_anchors(piece, lambda name: _is_free(name, taken))
    for heading in piece.headings:
        _take(taken, heading.anchor, heading.line, path)
    for entry in piece.entries:
        _take(taken, entry.anchor, entry.line, path)
    return piece


def _take(taken: dict[str, int], anchor: str, line: int, path: Path) -> None:
    if not _is_free(anchor, taken):
        first = f"line {taken[anchor]}" if taken.get(anchor) else "the page itself"
        raise SiteError(path, line, f"anchor {anchor!r} stands twice (first: {first})")
    taken[anchor] = line


def _is_free(anchor: str, taken: dict[str, int]) -> bool:
    return anchor not in taken and not LINE_ANCHOR.fullmatch(anchor)


def _first_words(section: Section) -> str:
    """Return the first words of a comment; none for a heading, which has its own anchor."""
    text = section.prose[0].text if section.prose else ""
    return "" if HEADING.match(text) else prose.slug(text, ANCHOR_WORDS)


def _numbered(name: str) -> Iterator[str]:
    return (_with_number(name, number) for number in itertools.count(1))


def _with_number(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"

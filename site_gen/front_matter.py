"""The facts at the head of a chapter: YAML between `---` lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from site_gen.errors import SiteError
from site_gen.fields import Fields, Text, read_fields
from site_gen.mathml import MathError, to_mathml
from site_gen.sections import Line

FENCE = "---"
KEYS = ("title", "summary", "paper", "chapter", "needs", "symbols", "verified_against")
PAPER_KEYS = ("title", "authors", "year", "venue", "arxiv", "doi", "url")
CHAPTER = re.compile(r"(\d+)\.(\d+)")
ARXIV = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")
DOI = re.compile(r"10\.\d{4,9}/\S+")
URL = re.compile(r"https?://[^\s\"'<>]+")


@dataclass(frozen=True)
class Paper:
    """Where a component was published."""

    title: str
    authors: tuple[str, ...]
    year: int
    venue: str | None = None
    arxiv: str | None = None
    doi: str | None = None
    url: str | None = None

    @property
    def link(self) -> str:
        """The address of the paper."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else str(self.url)

    @property
    def by(self) -> str:
        """The authors as a reader would quote them; `others` stands for those not named."""
        return ", ".join(self.authors).replace(", others", " et al.")

    @property
    def where(self) -> str:
        """The short name of that address, as a reader would quote it."""
        if self.arxiv:
            return f"arXiv:{self.arxiv}"
        return f"doi:{self.doi}" if self.doi else self.link.split("/")[2]


@dataclass(frozen=True)
class Symbol:
    """A symbol of the mathematics (TeX) and its name in the code."""

    tex: str
    identifier: str
    line: int


@dataclass(frozen=True)
class Verification:
    """The implementation that tests compare with, and the largest difference seen."""

    implementation: str
    difference: str


@dataclass(frozen=True)
class FrontMatter:
    """What a chapter says of itself. `place` is (part, position in the part).

    `lines` holds the line of every key, for errors.
    """

    title: str | None = None
    summary: str | None = None
    papers: tuple[Paper, ...] = ()
    place: tuple[int, int] | None = None
    needs: tuple[Text, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    verified_against: Verification | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Return the line that `key` stands on, 1 where it is missing."""
        return self.lines.get(key, 1)


def split_front_matter(
    lines: tuple[Line, ...], path: Path
) -> tuple[FrontMatter | None, tuple[Line, ...]]:
    """Return the front matter at the head of `lines`, if there is any, and the lines after it.

    Raises SiteError for what is wrong in it.
    """
    if not lines or lines[0].text != FENCE:
        return None, lines
    ends = [index for index, line in enumerate(lines) if index and line.text == FENCE]
    if not ends:
        raise SiteError(path, lines[0].number, "front matter is not closed with a line ---")
    text = "\n".join(line.text for line in lines[1 : ends[0]])
    return _read(read_fields(text, path, lines[0].number)), lines[ends[0] + 1 :]


def _read(fields: Fields) -> FrontMatter:
    fields.allow(KEYS, "front matter")
    return FrontMatter(
        title=fields.text("title"),
        summary=fields.text("summary"),
        papers=tuple(_paper(item) for item in fields.tables("paper")),
        place=_place(fields),
        needs=tuple(fields.texts("needs")),
        symbols=_symbols(fields),
        verified_against=_verification(fields),
        lines=fields.key_lines,
    )


def _place(fields: Fields) -> tuple[int, int] | None:
    text = fields.scalar("chapter")
    if text is None:
        return None
    match = CHAPTER.fullmatch(text)
    if not match:
        raise fields.error("chapter", f"'chapter' must look like \"2.4\", not {text!r}")
    return int(match[1]), int(match[2])


def _paper(fields: Fields) -> Paper:
    fields.allow(PAPER_KEYS, "paper")
    title, year = fields.text("title"), fields.integer("year")
    if title is None:
        raise fields.error("title", "paper has no 'title'")
    if year is None:
        raise fields.error("year", "paper has no 'year'")
    arxiv = _checked(fields, "arxiv", ARXIV)
    doi = _checked(fields, "doi", DOI)
    url = _checked(fields, "url", URL)
    if not (arxiv or doi or url):
        raise fields.error("title", "paper has neither 'arxiv' nor 'doi' nor 'url'")
    return Paper(title, _authors(fields), year, fields.text("venue"), arxiv, doi, url)


def _checked(fields: Fields, key: str, pattern: re.Pattern[str]) -> str | None:
    text = fields.scalar(key)
    if text is not None and not pattern.fullmatch(text):
        raise fields.error(key, f"{text!r} is no {key}")
    return text


def _authors(fields: Fields) -> tuple[str, ...]:
    try:
        text = fields.text("authors")
    except SiteError:
        authors = [item.value for item in fields.texts("authors")]
    else:
        authors = re.split(r",\s*(?:and\s+)?|\s+and\s+", text) if text else []
    if not authors:
        raise fields.error("authors", "paper has no 'authors'")
    return tuple(authors)


def _symbols(fields: Fields) -> tuple[Symbol, ...]:
    table = fields.table("symbols")
    if table is None:
        return ()
    return tuple(_symbol(table, tex) for tex in table.nodes)


def _symbol(table: Fields, tex: str) -> Symbol:
    identifier = table.scalar(tex) or ""
    try:
        to_mathml(tex, display=False)
    except MathError as error:
        raise table.error(tex, f"symbol {tex!r} does not parse: {error}") from None
    if not identifier.isidentifier():
        raise table.error(tex, f"symbol {tex!r}: {identifier!r} is not one name")
    return Symbol(tex, identifier, table.key_lines[tex])


def _verification(fields: Fields) -> Verification | None:
    table = fields.table("verified_against")
    if table is None:
        return None
    table.allow(("implementation", "difference"), "verified_against")
    implementation, difference = table.text("implementation"), table.scalar("difference")
    if implementation is None or difference is None:
        raise table.error(
            "implementation", "verified_against needs 'implementation' and 'difference'"
        )
    return Verification(implementation, difference)

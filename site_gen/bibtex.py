"""BibTeX entries for papers."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping

from site_gen.front_matter import Paper

SPECIAL = re.compile(r"([&%$#_])")
SMALL_WORDS = {"a", "an", "the", "on", "of", "for", "in", "to", "and"}
REPORT = re.compile(r"\b(University|Institute|Laborator(y|ies)|Technical Report)\b")
LECTURE = re.compile(r"Lecture\b")
VOLUME = re.compile(r"(?P<journal>.*\D) (?P<volume>\d+)(?: \((?P<number>\d+)\))?")
JOURNAL = re.compile(
    r"\b(Journal|Transactions|Letters|Mathematics|Mathematical|Proceedings of the|JMLR|TMLR)\b"
)


def bibtex(paper: Paper, key: str | None = None) -> str:
    """Return the entry of one paper, under `key` or one made of author, year and title.

    What kind of entry it is follows from the venue: a journal (by its name or a volume number), a
    university's report, a lecture, or else a conference.
    """
    kind, venue = _kind(paper)
    fields: dict[str, str | None] = {
        "title": f"{{{_escape(paper.title)}}}",
        "author": _escape(" and ".join(paper.authors)),
        "year": str(paper.year),
        **{name: _escape(text) for name, text in venue.items()},
        "eprint": paper.arxiv,
        "archiveprefix": "arXiv" if paper.arxiv else None,
        "doi": paper.doi,
        "url": paper.link,
    }
    lines = [f"  {name:<13} = {{{value}}}" for name, value in fields.items() if value]
    return f"@{kind}{{{key or _key(paper)},\n" + ",\n".join(lines) + "\n}"


def keys(papers: Iterable[Paper]) -> dict[str, str]:
    """Return a key for each paper, by its address. Where two would be one they get b, c, ..."""
    found: dict[str, str] = {}
    for paper in papers:
        if paper.link not in found:
            key = _key(paper)
            letters = ("", *"bcdefghijklmnopqrstuvwxyz")
            numbered = itertools.chain(letters, map(str, itertools.count(27)))
            taken = set(found.values())
            found[paper.link] = next(key + end for end in numbered if key + end not in taken)
    return found


def _kind(paper: Paper) -> tuple[str, Mapping[str, str]]:
    """Return the kind of entry, and its field for the venue."""
    venue = paper.venue
    if not venue:
        return ("article" if paper.doi else "misc"), {}
    if LECTURE.match(paper.title):
        return "misc", {"howpublished": venue}
    if REPORT.search(venue):
        return "techreport", {"institution": venue}
    volume = VOLUME.fullmatch(venue)
    if volume and not re.fullmatch(r"(19|20)\d\d", volume["volume"]):
        return "article", {name: text for name, text in volume.groupdict().items() if text}
    return (
        ("article", {"journal": venue})
        if JOURNAL.search(venue)
        else (
            "inproceedings",
            {"booktitle": venue},
        )
    )


def _key(paper: Paper) -> str:
    words = [word for word in re.findall(r"\w+", paper.title) if word.lower() not in SMALL_WORDS]
    text = f"{paper.authors[0].split()[-1]}{paper.year}{words[0] if words else ''}"
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\W", "", ascii_text).lower()


def _escape(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)

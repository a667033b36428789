"""BibTeX entries for the papers of a chapter."""

import re
import unicodedata

from site_gen.front_matter import Paper

SPECIAL = re.compile(r"([&%$#_])")
SMALL_WORDS = {"a", "an", "the", "on", "of", "for", "in", "to", "and"}


def bibtex(paper: Paper) -> str:
    """Return the entry of one paper."""
    kind = "inproceedings" if paper.venue else "misc"
    if paper.doi and not paper.venue:
        kind = "article"
    fields = {
        "title": f"{{{_escape(paper.title)}}}",
        "author": _escape(" and ".join(paper.authors)),
        "year": str(paper.year),
        "booktitle": _escape(paper.venue) if paper.venue else None,
        "eprint": paper.arxiv,
        "archiveprefix": "arXiv" if paper.arxiv else None,
        "doi": paper.doi,
        "url": paper.link,
    }
    lines = [f"  {name:<13} = {{{value}}}" for name, value in fields.items() if value]
    return f"@{kind}{{{_key(paper)},\n" + ",\n".join(lines) + "\n}"


def _key(paper: Paper) -> str:
    words = [word for word in re.findall(r"\w+", paper.title) if word.lower() not in SMALL_WORDS]
    text = f"{paper.authors[0].split()[-1]}{paper.year}{words[0] if words else ''}"
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\W", "", ascii_text).lower()


def _escape(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)

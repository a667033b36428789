"""What the course explains in one place: terms, symbols of the notation, and papers.

Prose is not marked by hand. The first time that a page names a term or symbol, outside of
headings, links and code, it becomes a link to the explanation (`Marks`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from site_gen.chapters import Chapter
from site_gen.entries import Entry
from site_gen.errors import SiteError

WORD = re.compile(r"[\w-]+")
INDEX = re.compile(r"_t$")
Find = Callable[[str, Chapter], Chapter | None]


@dataclass(frozen=True)
class Explained:
    """An entry, the page that it stands on, and the chapter that it leads to, if it does."""

    entry: Entry
    page: Chapter
    home: Chapter | None


@dataclass(frozen=True)
class _Name:
    """One name of a term as a row of words, and whether its capitals matter."""

    words: tuple[str, ...]
    exact: bool
    explained: Explained


class Lexicon:
    """All terms, symbols and papers. Raises SiteError for a name that is explained twice.

    `longest` is the largest number of words that a name has.
    """

    def __init__(self, chapters: Iterable[Chapter], find: Find) -> None:
        self.entries: list[Explained] = []
        self.papers: set[str] = set()
        self.longest = 1
        self._names: dict[str, list[_Name]] = {}
        self._symbols: dict[str, Explained] = {}
        self._taken: dict[object, Entry] = {}
        for chapter in chapters:
            self.papers |= {paper.link for paper in chapter.front_matter.papers}
            for block in chapter.blocks:
                for entry in (entry for piece in block.prose for entry in piece.entries):
                    self._add(Explained(entry, chapter, _home(entry, chapter, find)))
        for names in self._names.values():
            names.sort(key=lambda name: -len(name.words))

    def begins_name(self, word: str) -> bool:
        """Whether the name of a term begins with `word`."""
        return word in self._names or word.lower() in self._names

    def names_at(self, words: list[str]) -> tuple[int, Explained] | None:
        """Return how many of `words`, from the first on, name a term, and which; the longest."""
        for key in dict.fromkeys((words[0], words[0].lower())):
            for name in self._names.get(key, ()):
                text = words[: len(name.words)]
                if tuple(text if name.exact else map(str.lower, text)) == name.words:
                    return len(name.words), name.explained
        return None

    def symbol(self, tex: str, chapter: Chapter) -> Explained | None:
        """Return what explains the formula `tex` in a chapter.

        Letters mean other things elsewhere, so that the chapter's own table must list the symbol
        under a name in the code that the explanation has too.
        """
        forms = _forms(tex)
        found = next((self._symbols[form] for form in forms if form in self._symbols), None)
        listed = {
            symbol.identifier
            for symbol in chapter.front_matter.symbols
            if symbol.tex == tex or symbol.tex in forms
        }
        return found if found and found.entry.identifiers & listed else None

    def at(self, page: Chapter, anchor: str) -> bool:
        """Whether an entry stands at that anchor."""
        return any(found.page is page and found.entry.anchor == anchor for found in self.entries)

    def _add(self, found: Explained) -> None:
        self.entries.append(found)
        if found.entry.kind == "symbol":
            for tex in found.entry.names:
                for form in _forms(tex):
                    self._take(("symbol", form), found)
                    self._symbols[form] = found
            return
        for text in found.entry.names:
            exact = any(character.isupper() for character in text[1:])
            for form in dict.fromkeys((text, _plural(text))):
                words = tuple(WORD.findall(form if exact else form.lower()))
                if not words:
                    continue
                self._take(("term", words), found)
                self.longest = max(self.longest, len(words))
                self._names.setdefault(words[0], []).append(_Name(words, exact, found))

    def _take(self, key: object, found: Explained) -> None:
        other = self._taken.setdefault(key, found.entry)
        if other is not found.entry:
            name = found.entry.names[0]
            message = f"{name!r} is already explained on line {other.line}"
            raise SiteError(found.page.path, found.entry.line, message)


class Marks:
    """The links to explanations on one page: every term and symbol once."""

    def __init__(self, lexicon: Lexicon, chapter: Chapter) -> None:
        self.lexicon = lexicon
        self.chapter = chapter
        self._used: set[str] = set()

    def terms(self, text: str) -> list[tuple[str, Explained | None]]:
        """Return `text` in pieces, each with what is to be linked to it."""
        pieces: list[tuple[str, Explained | None]] = []
        words = list(WORD.finditer(text))
        index = end = 0
        while index < len(words):
            count, found = self._term(text, words, index)
            if found:
                start, stop = words[index].start(), words[index + count - 1].end()
                pieces += [(text[end:start], None), (text[start:stop], found)]
                end = stop
            index += count
        return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]

    def symbol(self, tex: str) -> Explained | None:
        """Return what a formula is to be linked to."""
        found = self.lexicon.symbol(tex, self.chapter)
        return found if found and self._first(found) else None

    def _term(
        self, text: str, words: list[re.Match[str]], index: int
    ) -> tuple[int, Explained | None]:
        """Return how many words to pass over, and what they are to be linked to."""
        if not self.lexicon.begins_name(words[index][0]):
            return 1, None
        run = _run(text, words[index : index + self.lexicon.longest])
        count, found = self.lexicon.names_at(run) or (1, None)
        return count, found if found and self._first(found) else None

    def _first(self, found: Explained) -> bool:
        if self.chapter in (found.page, found.home) or found.entry.anchor in self._used:
            return False
        self._used.add(found.entry.anchor)
        return True


def _run(text: str, words: list[re.Match[str]]) -> list[str]:
    """Return the words up to the first that more than blanks part from the one before it."""
    run = [words[0][0]]
    for before, word in pairwise(words):
        if text[before.end() : word.start()].strip():
            break
        run.append(word[0])
    return run


def _forms(tex: str) -> tuple[str, ...]:
    """Return a symbol as it is written and, if it has the step for an index, without that."""
    return tuple(dict.fromkeys((tex, INDEX.sub("", tex))))


def _plural(text: str) -> str:
    if text.endswith(("s", "x", "ch", "sh")):
        return f"{text}es"
    if text.endswith("y") and text[-2:-1] not in "aeiou":
        return f"{text[:-1]}ies"
    return f"{text}s"


def _home(entry: Entry, page: Chapter, find: Find) -> Chapter | None:
    """Return the first chapter that the explanation links to."""
    for token in entry.body:
        for child in token.children or ():
            if child.type == "link_open":
                chapter = find(str(child.attrGet("href")).partition("#")[0], page)
                if chapter:
                    return chapter
    return None

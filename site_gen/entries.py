"""Glossaries and tables of notation within prose: what they explain, and where.

A glossary is a definition list in the container `glossary`. A term may have several names, with
commas between them. A table of notation stands in the container `notation`: symbols, what they
are, their names in the code.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it.token import Token

Kind = Literal["term", "symbol"]

GLOSSARY = "container_glossary_open"
NOTATION = "container_notation_open"
CLOSE = {GLOSSARY: "container_glossary_close", NOTATION: "container_notation_close"}


@dataclass(frozen=True)
class Entry:
    """A term or symbol and its explanation, with the anchor that links name.

    `names` are words for a term and TeX for a symbol; `head` and `body` are tokens to render.
    """

    kind: Kind
    names: tuple[str, ...]
    anchor: str
    head: tuple[Token, ...]
    body: tuple[Token, ...]
    line: int

    @property
    def identifiers(self) -> frozenset[str]:
        """What stands as code in the explanation, such as a symbol's names in the code."""
        children = (child for token in self.body for child in token.children or ())
        return frozenset(child.content for child in children if child.type == "code_inline")


def name_entries(tokens: Sequence[Token]) -> Iterator[Entry]:
    """Give every entry its anchor, and yield it."""
    for index, token in enumerate(tokens):
        if token.type == GLOSSARY:
            yield from _terms(tokens[index : _end(tokens, index, CLOSE[GLOSSARY])])
        elif token.type == NOTATION:
            yield from _symbols(tokens[index : _end(tokens, index, CLOSE[NOTATION])])


def _end(tokens: Sequence[Token], start: int, kind: str) -> int:
    return next(i for i in range(start, len(tokens)) if tokens[i].type == kind)


def _terms(tokens: Sequence[Token]) -> Iterator[Entry]:
    for index, token in enumerate(tokens):
        if token.type != "dt_open":
            continue
        head = tokens[index + 1]
        named = (name.strip() for name in head.content.split(","))
        names = tuple(filter(None, named)) or (head.content,)
        anchor = _anchor(names[0].lower()) or "term"
        token.attrSet("id", anchor)
        start = _end(tokens, index, "dd_open") + 1
        body = tuple(tokens[start : _end(tokens, start, "dd_close")])
        yield Entry("term", names, anchor, (head,), body, token.meta["line"])


def _symbols(tokens: Sequence[Token]) -> Iterator[Entry]:
    for index, token in enumerate(tokens):
        if token.type != "tr_open":
            continue
        row = tokens[index : _end(tokens, index, "tr_close")]
        cells = [row[i + 1] for i, item in enumerate(row) if item.type == "td_open"]
        names = _formulas(cells[0]) if cells else ()
        if names:
            anchor = f"symbol-{_anchor(names[0])}"
            token.attrSet("id", anchor)
            body = tuple(cells[1:])
            yield Entry("symbol", names, anchor, (cells[0],), body, token.meta["line"])


def _formulas(cell: Token) -> tuple[str, ...]:
    return tuple(item.content for item in cell.children or () if item.type == "math_inline")


def _anchor(text: str) -> str:
    return "-".join(re.findall(r"\w+", text))

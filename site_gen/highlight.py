"""Colours for code, by Pygments.

A file is highlighted as a whole and cut afterwards: many sections are no valid program alone.
Names in Python code can be marked as a symbol of the mathematics, and be links.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import PythonLexer, get_lexer_by_name
from pygments.token import STANDARD_TYPES, Name, Punctuation, String, Text, Whitespace, _TokenType
from pygments.util import ClassNotFound

PLAIN = {"", "text", "txt"}
# Half of all tokens need no colour; without their elements a page parses twice as fast.
UNCOLOURED = {Name, Punctuation, Text, Whitespace}
KEY_CONTEXTS = (["[", '"', '"', "]"], ["[", "'", "'", "]"])
Piece = tuple[_TokenType, str]


@dataclass(frozen=True)
class Link:
    """What a name at `line` and `column` (both as `ast` counts, in characters) leads to."""

    line: int
    column: int
    text: str
    address: str


@lru_cache(maxsize=512)
def python_lines(
    text: str, symbols: frozenset[str] = frozenset(), links: tuple[Link, ...] = ()
) -> tuple[str, ...]:
    """Return one piece of HTML for each line of a Python file.

    Names in `symbols` are marked with `data-sym`; `links` lead from names where they stand.
    """
    places = {(link.line, link.column): link for link in links}
    lines = []
    for number, pieces in enumerate(_python_pieces(text), 1):
        column, html = 0, ""
        for kind, value in pieces:
            link = places.get((number, column + value.startswith("@")))
            html += _name(kind, value, symbols, link)
            column += len(value)
        lines.append(html)
    return tuple(lines)


def python_names(text: str) -> frozenset[str]:
    """Return the names in the code of a Python file, outside of strings and comments."""
    pieces = (piece for line in _python_pieces(text) for piece in line)
    return frozenset(value.removeprefix("@") for kind, value in pieces if _is_name(kind))


@lru_cache(maxsize=256)
def _python_pieces(text: str) -> tuple[tuple[Piece, ...], ...]:
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    return tuple(tuple(_with_keys(line)) for line in _pieces(text, lexer))


def _with_keys(line: tuple[Piece, ...]) -> Iterator[Piece]:
    """Yield the pieces of a line; `exp_avg` in `state["exp_avg"]` is a key, which is a name too."""
    for index, (kind, value) in enumerate(line):
        if _is_string(kind) and value.isidentifier():
            around = line[max(0, index - 2) : index] + line[index + 1 : index + 3]
            if [text for _, text in around] in KEY_CONTEXTS:
                kind = kind.Key
        yield kind, value


@cache
def _is_string(kind: _TokenType) -> bool:
    return String in kind.split()


@cache
def _is_name(kind: _TokenType) -> bool:
    return Name in kind.split() or kind[-1:] == ("Key",)


def _name(kind: _TokenType, text: str, symbols: frozenset[str], link: Link | None) -> str:
    if not _is_name(kind):
        return _span(kind, text)
    name = text.removeprefix("@")
    mark = f' data-sym="{escape(name)}"' if name in symbols else ""
    if link and name == link.text:
        return _element("a", kind, text, f' href="{escape(link.address)}"{mark}')
    return _element("var", kind, text, mark) if mark else _span(kind, text)


def snippet(text: str, language: str) -> str:
    """Return the HTML of a piece of code within prose.

    Raises ValueError when the language is unknown.
    """
    if language in PLAIN:
        return escape(text)
    try:
        # Some lexers, such as that of a console, drop a last line without its end.
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True)
    except ClassNotFound:
        raise ValueError(f"no highlighting for the language {language!r}") from None
    lines = _pieces(text, lexer)
    html = "\n".join("".join(_span(kind, value) for kind, value in line) for line in lines)
    return html if text.endswith("\n") else html.removesuffix("\n")


def _pieces(text: str, lexer: Lexer) -> Iterator[tuple[Piece, ...]]:
    """Yield the tokens of each line; one that spans lines is cut at their ends."""
    line: list[Piece] = []
    for kind, value in lexer.get_tokens(text):
        first, *rest = value.split("\n")
        line.append((kind, first))
        for part in rest:
            yield tuple(line)
            line = [(kind, part)]
    yield tuple(line)


def _span(kind: _TokenType, text: str) -> str:
    return _element("span", kind, text) if text and _class(kind) else escape(text)


def _element(tag: str, kind: _TokenType, text: str, attributes: str = "") -> str:
    name = _class(kind)
    attributes = f' class="{name}"{attributes}' if name else attributes
    return f"<{tag}{attributes}>{escape(text)}</{tag}>"


@cache
def _class(kind: _TokenType) -> str:
    """Return the class of a token's colour; empty for one without."""
    if kind in UNCOLOURED:
        return ""
    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    return STANDARD_TYPES.get(kind, "")

"""Colours for code, by Pygments.

A file is highlighted as a whole and cut afterwards: many sections are no valid program alone.
"""

from functools import lru_cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import PythonLexer, get_lexer_by_name
from pygments.token import STANDARD_TYPES, Name, Punctuation, Text, Whitespace, _TokenType
from pygments.util import ClassNotFound

PLAIN = {"", "text", "txt"}
# Half of all tokens need no colour; without their elements a page parses twice as fast.
UNCOLOURED = {Name, Punctuation, Text, Whitespace}


@lru_cache(maxsize=256)
def python_lines(text: str) -> tuple[str, ...]:
    """Return one piece of HTML for each line of a Python file."""
    return _lines(text, PythonLexer(stripnl=False, ensurenl=False))


def snippet(text: str, language: str) -> str:
    """Return the HTML of a piece of code within prose.

    Raises ValueError when the language is unknown.
    """
    if language in PLAIN:
        return escape(text)
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        raise ValueError(f"no highlighting for the language {language!r}") from None
    return "\n".join(_lines(text, lexer))


def _lines(text: str, lexer: Lexer) -> tuple[str, ...]:
    lines = [""]
    for kind, value in lexer.get_tokens(text):
        first, *rest = value.split("\n")
        lines[-1] += _span(kind, first)
        lines += [_span(kind, part) for part in rest]
    return tuple(lines)


def _span(kind: _TokenType, text: str) -> str:
    if not text or kind in UNCOLOURED:
        return escape(text)
    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    name = STANDARD_TYPES.get(kind, "")
    return f'<span class="{name}">{escape(text)}</span>' if name else escape(text)

"""How long a chapter takes to read."""

import math
from collections.abc import Iterator

from markdown_it.token import Token

from site_gen.chapters import Chapter
from site_gen.prose import MATH

WORDS_A_MINUTE = 220
LINES_A_MINUTE = 30
CODE = {"fence", "code_block"}


def reading_minutes(chapter: Chapter) -> int:
    """Return whole minutes: words and lines of code at fixed rates. A formula counts as a word."""
    words = lines = 0
    for block in chapter.blocks:
        lines += sum(1 for line in block.code if line.text.strip())
        for token in (token for piece in block.prose for token in _leaves(piece.tokens)):
            if token.type in CODE:
                lines += sum(1 for line in token.content.split("\n") if line.strip())
            else:
                words += 1 if token.type in MATH else len(token.content.split())
    return max(1, math.ceil(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE))


def _leaves(tokens: tuple[Token, ...] | list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.children:
            yield from _leaves(token.children)
        else:
            yield token

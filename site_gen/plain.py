"""
---
title: Prose that is no Markdown
summary: How the generator tells plain text from Markdown in files that know nothing of it, and how it shows plain text.
---

In a file of the standard library, `__init__` stands for itself. Markdown makes a bold word of it.
So files without front matter are read as Markdown only where they show signs of it.

Docstrings in reST, in the styles of Google and NumPy, and with sessions of the interpreter are
plain text: read as Markdown they would lose signs and line ends that mean something there.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from markdown_it.token import Token

from site_gen.prose import PLAIN_TEXT, ParsedProse
from site_gen.sections import Line

SECTION = (
    r"(?:Args|Arguments|Attributes|Examples?|Keyword Arg(?:ument)?s|Methods|Notes?|Parameters|Raises"
    r"|References|Returns?|See Also|Shape|Usage|Warnings?|Yields)"
)
# In code that is not prose for a page, these are far more common than Markdown that looks like them.
OTHER_CONVENTIONS = re.compile(
    rf"^[ \t]*(?:>>> |\.\. [\w:-]+::|:\w+(?: [\w*, .|\[\]]+)?:(?:\s|$)|{SECTION}:[ \t]*$)"
    rf"|^[ \t]*{SECTION}\n[ \t]*-{{3,}}[ \t]*$"
    r"|:[a-z]+(?::[a-z]+)?:`[^`\n]+`",
    re.M,
)
MARKDOWN = re.compile(
    r"^#{1,6} \S|^(?:```|~~~)|^\|.+\|\n\|[ :|-]+\|$|^\$\$|^\\begin\{\w+\*?\}"
    r"|(?<![\w\])])\[[^\]\n]+\]\([^)\s]+\)|(?<!\w)\*\*\w(?:[^*\n]*\w)?\*\*(?!\w)|\$[^$\n]*\\[a-zA-Z]+[^$\n]*\$",
    re.M,
)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
SPECIAL_NAME = re.compile(r"(?<!\w)__\w+__(?!\w)")
# A line that starts like this, or holds that, says something by where it starts and ends.
LAYOUT = re.compile(r"\s|[-*+:|>@#=~^•]|\.\. |\w{1,3}[.)]\s|.*[^.!?:]\s{2,}\S|.*::?$")
LEAST_WIDTH = 40


def is_markdown(texts: Iterable[str]) -> bool:
    """Whether the prose of one file shows signs of Markdown and none of other conventions."""
    texts = list(texts)
    if any(OTHER_CONVENTIONS.search(text) for text in texts):
        return False
    # Names such as __init__ would lose their underscores.
    if any(SPECIAL_NAME.search(CODE.sub("", text)) for text in texts):
        return False
    return any(MARKDOWN.search(text) for text in texts)


def parse_plain(lines: Sequence[Line], path: Path) -> ParsedProse:
    """Return plain text: paragraphs flow, everything else keeps its lines."""
    groups = itertools.groupby(_paragraphs(lines), _flows)
    tokens = [
        token
        for flows, paragraphs in groups
        for token in (_flowing(paragraphs) if flows else _kept(list(paragraphs)))
    ]
    return ParsedProse(tuple(tokens), (), path, strict=False)


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    for has_text, group in itertools.groupby(lines, lambda line: bool(line.text.strip())):
        if has_text:
            yield list(group)


def _flows(paragraph: list[Line]) -> bool:
    """Whether the lines of a paragraph end only because the page was full."""
    texts = [line.text for line in paragraph]
    if any(LAYOUT.match(text) for text in texts):
        return False
    width = max(len(text) for text in texts)
    full = (
        len(text) + len(after.split()[0]) + 1 >= 0.9 * width
        for text, after in itertools.pairwise(texts)
    )
    return len(texts) == 1 or (width >= LEAST_WIDTH and all(full))


def _flowing(paragraphs: Iterable[list[Line]]) -> Iterator[Token]:
    for paragraph in paragraphs:
        text = "\n".join(line.text for line in paragraph)
        meta = {"line": paragraph[0].number}
        yield Token("paragraph_open", "p", 1, block=True, meta=meta)
        child = Token("text", "", 0, content=text, meta=dict(meta))
        yield Token("inline", "", 0, content=text, children=[child], meta=dict(meta))
        yield Token("paragraph_close", "p", -1, block=True, meta=dict(meta))


def _kept(paragraphs: list[list[Line]]) -> Iterator[Token]:
    text = "\n\n".join("\n".join(line.text for line in paragraph) for paragraph in paragraphs)
    yield Token(PLAIN_TEXT, "pre", 0, content=text, meta={"line": paragraphs[0][0].number})

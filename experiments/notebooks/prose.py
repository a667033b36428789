"""From the Markdown of the course to that of notebooks.

Both know headings, tables, `$...$` and `$$...$$`. Three things differ: a link leads to a page of the site, for which a
notebook needs the whole address; a solution is folded with HTML; and a heading is at most of the second level, as on the page, since the first is the
title's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Code and formulas come first, so that what looks like a link in them stays.
MARKS = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>```+).*?^(?P=indent)(?P=fence)[ \t]*$"
    r"|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
    r"|\$\$.*?\$\$|(?<!\\)\$(?:\\.|[^$\\])+\$"
    r"|\[(?P<text>(?:`[^`]*`|[^\]`])+)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)
SOLUTION = re.compile(
    r"^::: solution *(?P<title>[^\n]*)\n(?P<body>.*?)^:::$", re.DOTALL | re.MULTILINE
)
FIRST_LEVEL = re.compile(r"^# (?=\S)", re.MULTILINE)
FENCED = re.compile(r"^([ \t]*)(```+).*?^\1\2[ \t]*$", re.DOTALL | re.MULTILINE)
BORDER = re.compile(r"^(?=#{1,6} |\*\*\d+\.\*\* )", re.MULTILINE)
FOLDED = "<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
UNFOLDED = re.compile(r"^</?details>\n|\n</details>$", re.MULTILINE)
SUMMARY = re.compile(r"^<summary>(.*)</summary>$", re.MULTILINE)


def converted(text: str, address: Callable[[str], str | None]) -> str:
    """Return prose of the course as Markdown for a notebook.

    * `address`: returns where the target of a link is to be found, None if nowhere; such a link becomes its text
    """

    def link(found: re.Match[str]) -> str:
        if found["target"] is None:
            return found[0]
        where = address(found["target"])
        return f"[{found['text']}]({where})" if where else found["text"]

    text = SOLUTION.sub(_folded, MARKS.sub(link, text))
    return _outside_of_code(text, lambda part: FIRST_LEVEL.sub("## ", part))


def cut(text: str) -> list[str]:
    """Return the parts of a text that are to be cells: each begins with a heading or is an exercise."""
    marked = _outside_of_code(text, lambda part: BORDER.sub("\0", part))
    return [part.strip("\n") for part in marked.split("\0") if part.strip()]


def unfolded(text: str) -> str:
    """Return the Markdown of a cell with its solution in the open, for readers of plain text."""
    return UNFOLDED.sub("", SUMMARY.sub(r"*\1.*", text))


def _folded(found: re.Match[str]) -> str:
    return FOLDED.format(title=found["title"] or "Solution", body=found["body"].strip("\n"))


def _outside_of_code(text: str, change: Callable[[str], str]) -> str:
    """Return `text` with a change made to all of it but fenced code."""
    parts, end = [], 0
    for found in FENCED.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])

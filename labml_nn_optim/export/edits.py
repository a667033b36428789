"""Code is copied line by line as it was formatted, without what is left out and with its names exchanged.

`ast.unparse` makes text out of a tree, and loses every comment and every line break. So nothing is printed: the lines of a definition
are copied. Three things may change them: lines that are left out, names that two modules gave to different things, and docstrings
that are made short. Since the source is formatted, the copy is, too, if the empty lines around a gap are
looked after: of two runs of empty lines one stays, and none behind the head of a block or a docstring.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping

from labml_nn_optim.export.head import WIDTH
from labml_nn_optim.export.modules import Definition, Member, Module

__all__ = ["bare_lines", "copied", "short_docstring"]

# Behind the head of a block and behind a docstring.
OPENINGS = (":", '"""')
DIRECTIVE = re.compile(r"\s*#\s*(type|noqa|fmt|ruff|mypy)\b:?")


def copied(
    module: Module,
    definition: Definition,
    members: Iterable[Member],
    new_names: Mapping[str, str],
    bare: bool,
) -> list[str]:
    """Return the lines of a definition that stay.

    - `members`: those of its methods that stay
    - `new_names`: what names at the top of its module are called in the file, where that is another name
    - `bare`: whether to leave out comments and all but the beginning of docstrings
    """
    lines = _numbered(module, definition.first, definition.last)
    gone = set(definition.members) - set(members)
    for first, last in [*((each.first, each.last) for each in gone), *module.removed]:
        lines |= dict.fromkeys(lines.keys() & range(first, last + 1))
    _rename(lines, definition, new_names)
    if bare:
        _make_bare(lines, module)
    return _without_gaps(lines[number] for number in sorted(lines))


def bare_lines(module: Module, first: int, last: int) -> list[str]:
    """Return the lines from `first` to `last` without comments, and with short docstrings."""
    lines = _numbered(module, first, last)
    _make_bare(lines, module)
    return _without_gaps(lines[number] for number in sorted(lines))


def _numbered(module: Module, first: int, last: int) -> dict[int, str | None]:
    return {number: module.lines[number - 1] for number in range(first, last + 1)}


def _make_bare(lines: dict[int, str | None], module: Module) -> None:
    for number in lines.keys() & module.comments:
        if not DIRECTIVE.match(module.lines[number - 1]):
            lines[number] = None
    for node in module.docstrings:
        if lines.get(node.lineno) is not None:
            _shorten(lines, node)


def _rename(
    lines: dict[int, str | None], definition: Definition, new_names: Mapping[str, str]
) -> None:
    places = [(each.lineno, each.col_offset, each.id) for each in definition.found]
    if definition.is_block:
        (name,) = definition.names
        number = definition.node.lineno
        head = re.match(rf"\s*(?:async )?(?:def|class) (?={name}\b)", lines[number] or "")
        places.append((number, head.end() if head else 0, name))
    for number, column, name in sorted(set(places), reverse=True):
        line = lines.get(number)
        if name in new_names and line is not None:
            # Columns count bytes.
            text = line.encode()
            end = column + len(name.encode())
            lines[number] = (text[:column] + new_names[name].encode() + text[end:]).decode()


def _shorten(lines: dict[int, str | None], node: ast.stmt) -> None:
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Constant)
    short = short_docstring(str(node.value.value), " " * node.col_offset)
    lines[node.lineno] = "\n".join(short)
    for number in range(node.lineno + 1, (node.end_lineno or 0) + 1):
        del lines[number]


def short_docstring(text: str, indent: str = "") -> list[str]:
    """Return the lines of a docstring with the first paragraph of `text` alone."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    quote = 'r"""' if "\\" in paragraph else '"""'
    # As ruff counts, the quotes at the end of the only line need no room.
    if len(indent + quote + paragraph) <= WIDTH:
        return [f'{indent}{quote}{paragraph}"""']
    lines = textwrap.wrap(
        f"{quote}{paragraph}",
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*lines, f'{indent}"""']


def _without_gaps(lines: Iterable[str | None]) -> list[str]:
    """Return the lines that are not None, without the empty ones that would be too many."""
    kept: list[str] = []
    in_gap = False
    for line in lines:
        if line is None:
            in_gap = True
        elif in_gap and not line and (not kept or not kept[-1] or kept[-1].endswith(OPENINGS)):
            continue
        else:
            kept.append(line)
            in_gap = False
    while kept and not kept[-1]:
        kept.pop()
    return kept

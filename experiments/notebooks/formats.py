"""A chapter's cells as a notebook, and as a program whose prose stands in comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nbformat

from experiments.notebooks.cells import Cell
from experiments.notebooks.prose import unfolded

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MARK = "::"
"""What ends the prose in front of code, for PyLit (see `experiments.notebooks.texts`)."""


def notebook(cells: Sequence[Cell]) -> str:
    """Return the notebook: the same bytes for the same cells."""
    nodes = [_node(cell, index) for index, cell in enumerate(cells, 1)]
    made = {"cells": nodes, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    text: str = nbformat.v4.writes(nbformat.from_dict(made), indent=1, sort_keys=True)
    return f"{text}\n"


def _node(cell: Cell, number: int) -> dict[str, Any]:
    # The identifiers are there for tools that compare notebooks; by default they are drawn by chance.
    node = {"id": f"cell-{number}", "metadata": {}, "source": cell.text}
    if cell.is_code:
        return node | {"cell_type": "code", "execution_count": None, "outputs": []}
    return node | {"cell_type": "markdown"}


def program(cells: Sequence[Cell]) -> str:
    """Return the program: prose is comments in the first column, with a mark where code follows."""
    lines: list[str] = []
    after_code = False
    for cell in cells:
        if cell.is_for_notebooks:
            continue
        if cell.is_code:
            lines += ["", "", cell.text] if after_code else [f"# {MARK}", "", cell.text]
        else:
            lines += ["", ""] if after_code else []
            lines += [_comment(line) for line in [*unfolded(cell.text).split("\n"), ""]]
        after_code = cell.is_code
    while lines[-1] == "#":
        lines.pop()
    return "\n".join([*lines, ""])


def _comment(line: str) -> str:
    return f"# {line}".rstrip()

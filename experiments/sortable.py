"""Tables that a script can sort: each cell says what it is worth (see `assets/results.js`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Column:
    """The head of a column.

    * `falls`: whether the greatest value is the best, which a reader wants to see first
    * `is_sorted`: whether the rows come in the order of this column
    """

    title: str
    falls: bool = False
    is_sorted: bool = False


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and the number or text that it is sorted by; None stands last."""

    shown: str | Markup
    value: float | str | None


def missing(why: str) -> Cell:
    """Return the cell of a value that is not there."""
    return Cell(Markup("<i>{}</i>").format(why), None)


def sortable_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], parts: Sequence[int] | None = None
) -> Markup:
    """Return the table.

    * `parts`: for each row the part of the course that it belongs to, which the filter looks for
    """
    heads = Markup("").join(map(_head, columns))
    marks = [Markup(' data-part="{}"').format(part) for part in parts or ()] or [""] * len(rows)
    body = Markup("").join(
        Markup("<tr{}>{}</tr>").format(mark, Markup("").join(map(_cell, row)))
        for mark, row in zip(marks, rows, strict=True)
    )
    return Markup(
        '<div class="lit-table sortable"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(heads, body)


def _head(column: Column) -> Markup:
    direction = "descending" if column.falls else "ascending"
    return Markup('<th scope="col"{}{}>{}</th>').format(
        Markup(' data-first="descending"') if column.falls else "",
        Markup(' aria-sort="{}"').format(direction) if column.is_sorted else "",
        column.title,
    )


def _cell(cell: Cell) -> Markup:
    value = "" if cell.value is None else cell.value
    text = f"{value:.6g}" if isinstance(value, float) else value
    # What is shown as it is sorted need not be said twice.
    attribute = "" if text == cell.shown else Markup(' data-value="{}"').format(text)
    return Markup("<td{}>{}</td>").format(attribute, cell.shown)

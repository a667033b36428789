"""Contour lines of a surface, as paths in the units of its picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import vl_convert

from experiments.playground.surfaces import Surface
from experiments.polylines import Line, simplified

WIDTH, HEIGHT = 800, 600
"""The size of a picture, in its own units."""

CELL = 10
LEVELS = 10
LOWEST_LEVEL = 1e-2
"""The loss of the innermost line, as a part of that of the outermost one."""

FLAT = 1.0
"""How far a point may lie beside the line between its neighbours to be left out."""


def rings() -> list[float]:
    """Return the radii of the contour lines of the bowl with condition number 1, to far outside."""
    return [round(WIDTH / 16 * 2 ** (place / 2), 1) for place in range(17)]


def contours(surface: Surface) -> list[str]:
    """Return the contour lines of a surface, one path for each level; levels grow by a constant factor."""
    columns, rows = WIDTH // CELL + 2, HEIGHT // CELL + 2
    left, right, bottom = surface.window
    unit = (right - left) / WIDTH
    evaluate = surface.compiled()[0]

    def loss(column: int, row: int) -> float:
        # One more cell on each side, so that the border of the grid lies outside of the picture.
        x = left + (column - 0.5) * CELL * unit
        y = bottom + (HEIGHT - (row - 0.5) * CELL) * unit
        found: float = evaluate([x, y, 0.0, 0.0, *surface.usual()])[1][0]
        return found

    values = [loss(column, row) for row in range(rows) for column in range(columns)]
    lowest = min(evaluate([*at, 0.0, 0.0, *surface.usual()])[1][0] for at in surface.optima)
    highest = sorted(values)[int(0.9 * len(values))] - lowest
    factor = LOWEST_LEVEL ** (1 / (LEVELS - 1))
    levels = [lowest + highest * factor**place for place in range(LEVELS)]
    return _drawn(values, columns, rows, levels)


def _drawn(values: Sequence[float], columns: int, rows: int, levels: Sequence[float]) -> list[str]:
    specification = {
        "width": WIDTH,
        "height": HEIGHT,
        "padding": 0,
        "data": [
            {"name": "grid", "values": [{"width": columns, "height": rows, "values": values}]},
            {
                "name": "lines",
                "source": "grid",
                "transform": [{"type": "isocontour", "thresholds": levels, "scale": CELL}],
            },
        ],
        "marks": [
            {
                "type": "path",
                "from": {"data": "lines"},
                "encode": {"enter": {"stroke": {"value": "black"}}},
                "transform": [{"type": "geopath", "field": "datum.contour"}],
            }
        ],
    }
    svg = vl_convert.vega_to_svg(specification)
    return [
        path for path in map(_path, re.findall(r'<path transform[^>]* d="(M[^"]*)"', svg)) if path
    ]


def _path(drawn: str) -> str:
    """Return a path of Vega's in whole numbers, each relative to the one before."""
    parts = []
    for ring in re.findall(r"M([^MZ]*)", drawn):
        numbers = [float(number) - CELL for number in re.findall(r"-?[\d.]+", ring)]
        line = list(zip(numbers[::2], numbers[1::2], strict=True))
        line.append(line[0])
        parts += [_relative(simplified(piece, FLAT)) for piece in _inside(line) if len(piece) > 1]
    return "".join(parts)


def _inside(line: Line) -> Iterator[Line]:
    """Yield the pieces of a line that lie in the picture."""
    piece: Line = []
    for point in line:
        if 0 <= point[0] + CELL / 2 <= WIDTH + CELL and 0 <= point[1] + CELL / 2 <= HEIGHT + CELL:
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    yield piece


def _relative(line: Line) -> str:
    x, y = (round(value) for value in line[0])
    steps = []
    for point in line[1:]:
        next_x, next_y = (round(value) for value in point)
        steps.append(f"{next_x - x} {next_y - y}")
        x, y = next_x, next_y
    x, y = (round(value) for value in line[0])
    return f"M{x} {y}l{' '.join(steps).replace(' -', '-')}"

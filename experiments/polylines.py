"""Lines through points, with fewer points."""

from __future__ import annotations

import math

Point = tuple[float, float]
Line = list[Point]


def simplified(line: Line, flat: float) -> Line:
    """Leave out points that lie on the line between their neighbours, by Douglas and Peucker (1973).

    * `flat`: how far a point that is left out may lie beside what is drawn without it
    """
    if len(line) < 3:
        return line
    away = [_distance(point, line[0], line[-1]) for point in line]
    farthest = max(range(len(line)), key=lambda place: away[place])
    if away[farthest] <= flat:
        return [line[0], line[-1]]
    return simplified(line[: farthest + 1], flat)[:-1] + simplified(line[farthest:], flat)


def _distance(point: Point, start: Point, end: Point) -> float:
    """Return how far a point lies from the nearest one between two others."""
    (x, y), (dx, dy) = _difference(point, start), _difference(end, start)
    length = dx * dx + dy * dy
    share = min(1.0, max(0.0, (x * dx + y * dy) / length)) if length else 0.0
    return math.hypot(x - share * dx, y - share * dy)


def _difference(one: Point, other: Point) -> Point:
    return one[0] - other[0], one[1] - other[1]

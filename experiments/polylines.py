"""Lines through points, with fewer points."""

from __future__ import annotations

Point = tuple[float, float]
Line = list[Point]


def simplified(line: Line, flat: float) -> Line:
    """Leave out points that lie on the line between their neighbours, by Douglas and Peucker (1973).

    * `flat`: how far a point that is left out may lie beside what is drawn without it
    """
    kept, waiting = {0, len(line) - 1}, [(0, len(line) - 1)]
    while waiting:
        first, last = waiting.pop()
        farthest = _farthest(line, first, last, flat)
        if farthest:
            kept.add(farthest)
            waiting += [(first, farthest), (farthest, last)]
    return [line[place] for place in sorted(kept)]


def _farthest(line: Line, first: int, last: int, flat: float) -> int:
    """Return which point between two others lies farthest from what joins them; 0 if none is beyond `flat`."""
    x, y = line[first]
    dx, dy = line[last][0] - x, line[last][1] - y
    length = dx * dx + dy * dy
    found, distance = 0, flat * flat
    for place in range(first + 1, last):
        right, up = line[place][0] - x, line[place][1] - y
        # The nearest point is an end, where the line through both goes on beyond it.
        share = min(1.0, max(0.0, (right * dx + up * dy) / length)) if length else 0.0
        away = (right - share * dx) ** 2 + (up - share * dy) ** 2
        if away > distance:
            found, distance = place, away
    return found

"""Small SVG: what no eye could tell from the drawing as it was."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from experiments.polylines import Line, simplified

FLAT = 0.1
"""How far a point of a line may lie beside what is drawn without it, in the units of the drawing."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
POLYLINE = re.compile(r"[\d.,e\- MLZ]*")


def compact(root: ElementTree.Element) -> None:
    """Round the coordinates of a drawing to tenths, and leave out points in the middle of straight lines.

    A drawing of `experiments.curves` has about one unit for each pixel.
    """
    for element in root.iter():
        for name in ("transform", "d"):
            if value := element.get(name):
                element.set(name, _shorter(value))


def _shorter(value: str) -> str:
    if "L" in value and POLYLINE.fullmatch(value):
        return "".join(map(_polyline, value.split("M")[1:]))
    return NUMBER.sub(lambda number: _rounded(float(number[0])), value)


def _polyline(drawn: str) -> str:
    """Return what stands after an M, up to the next one, with as few points as it needs."""
    numbers = [float(number) for number in NUMBER.findall(drawn)]
    line: Line = list(zip(numbers[::2], numbers[1::2], strict=True))
    start, *others = (f"{_rounded(x)},{_rounded(y)}" for x, y in simplified(line, FLAT))
    return f"M{start}{'L' * bool(others)}{' '.join(others)}{'Z' * drawn.endswith('Z')}"


def _rounded(number: float) -> str:
    # Adding zero takes the sign from a zero.
    return f"{round(number, 1) + 0.0:g}"

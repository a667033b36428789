"""Charts of lines over steps: walks and functions, in the style of the course.

`experiments.curves` draws records; what stands here knows numbers and labels only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.curves import (
    MOST_READINGS,
    colours,
    layered,
    marks,
    quantity,
    readings,
    side_by_side,
)

Part = dict[str, Any]
"""A part of a Vega-Lite specification."""


@dataclass(frozen=True)
class Line:
    """One line.

    * `label`: what the legend says; lines of one label have one colour
    * `points`: steps, rising, and values; where the value is NaN there is nothing to draw
    * `band`: the least and greatest value around each point, to be shaded
    * `kind`: what `Panel.subtitle` explains; the lines of the second kind of a panel are dashed
    """

    label: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] | None = None
    kind: str = ""


@dataclass(frozen=True)
class Panel:
    """Lines over the same steps.

    * `title`: what the y axis shows
    * `digits`: significant digits of a value that is read out
    * `log_x`, `log_y`: whether the axis is logarithmic; what it shows must then be above 0
    * `x_title`: what the x axis shows
    * `y_range`: the least and greatest value that the y axis shows; lines are cut off there
    """

    title: str
    subtitle: str
    lines: Sequence[Line]
    log_x: bool = True
    log_y: bool = False
    digits: int = 3
    x_title: str = "step"
    y_range: tuple[float, float] | None = None

    def part(self) -> Part:
        """Return the panel as a part of a chart."""
        return _panel(self)


def line_chart(panels: Sequence[Panel]) -> Part:
    """Return a chart of panels side by side, for `drawing.to_svg` and `curves.to_page_svg`."""
    return side_by_side(*map(_panel, panels))


def logarithmic_steps(first: int, last: int, count: int) -> list[int]:
    """Return at most `count` whole numbers from `first` to `last` in nearly equal ratios."""
    ratio = (last / first) ** (1 / (count - 1))
    return sorted({round(first * ratio**index) for index in range(count)} | {last})


def _panel(panel: Panel) -> Part:
    rows, x = list(_rows(panel)), _steps(panel)
    colour = colours(list(dict.fromkeys(line.label for line in panel.lines)))
    colour = colour | {"field": "label", "legend": colour["legend"] | {"columns": 2}}
    kind = {"field": "kind", "type": "nominal"}
    cut = panel.y_range is not None
    lines = marks(
        rows,
        "line",
        x=x,
        y=_values(panel),
        color=colour,
        strokeDash=_dashes(panel),
        strokeWidth=1.6,
        clip=cut,
    )
    # Layers share the axis: a range that one of them did not know would be stretched by its values.
    low, high = quantity("low", scale=_range(panel)), {"field": "high"}
    shades: Part = {"color": colour, "detail": kind, "opacity": 0.18, "clip": cut}
    band = marks(rows, "area", x=x, y=low, y2=high, **shades)
    bands = [band] if any(line.band for line in panel.lines) else []
    return layered(panel.title, panel.subtitle, *bands, lines, readings(list(_readings(panel)), x))


def _steps(panel: Panel) -> Part:
    steps = [step for line in panel.lines for step, _ in line.points]
    scale = {"type": "linear", "domain": [min(steps), max(steps)], "nice": False}
    axis: Part = {"tickCount": 6}
    if panel.log_x:
        scale["type"], axis = "log", {"values": _powers_of_ten(steps)}
    # SI prefixes are for counts: a learning rate of 0.001 is no "1m".
    form = "~g" if any(0 < step < 1 for step in steps) else "~s"
    return quantity("step", title=panel.x_title, scale=scale, axis=axis | {"format": form})


def _values(panel: Panel) -> Part:
    if not panel.log_y:
        return quantity("value", title=None, axis={"tickCount": 6}, scale=_range(panel))
    grid = _powers_of_ten(value for line in panel.lines for _, value in line.points)
    scale = {"type": "log", "nice": False}
    return quantity("value", title=None, scale=scale, axis={"values": grid, "format": "~g"})


def _range(panel: Panel) -> Part:
    return {"domain": panel.y_range, "nice": False} if panel.y_range else {}


def _dashes(panel: Panel) -> Part:
    kinds = list(dict.fromkeys(line.kind for line in panel.lines))
    scale = {"domain": kinds, "range": [[1, 0], [5, 3]]}
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}


def _powers_of_ten(values: Iterable[float]) -> list[float]:
    """Return those between the least and the greatest value, where a grid is to be drawn."""
    found = [value for value in values if 0 < value < math.inf]
    low, high = math.ceil(math.log10(min(found))), math.floor(math.log10(max(found)))
    return [10.0**exponent for exponent in range(low, high + 1)]


def _rows(panel: Panel) -> Iterator[dict[str, Any]]:
    for line in panel.lines:
        bands = line.band or itertools.repeat((None, None))
        for (step, value), (low, high) in zip(line.points, bands, strict=False):
            row = {"step": step, "value": value, "label": line.label, "kind": line.kind}
            if not math.isnan(value):
                yield row if low is None else row | {"low": low, "high": high}


def _readings(panel: Panel) -> Iterator[dict[str, Any]]:
    """Yield places along the x axis with the values of all lines there."""
    names = [", ".join(filter(None, (line.label, line.kind))) for line in panel.lines]
    drawn = [
        {step: value for step, value in line.points if not math.isnan(value)}
        for line in panel.lines
    ]
    for step in _evenly(sorted(set().union(*drawn))):
        texts = [
            f"{name}: {values[step]:.{panel.digits}g}"
            for name, values in zip(names, drawn, strict=True)
            if step in values
        ]
        heading = f"{panel.title} at {panel.x_title} {step:,}"
        yield {"step": step, "reading": "\n".join([heading, *texts])}


def _evenly(steps: Sequence[float]) -> list[float]:
    """Return at most `MOST_READINGS` of the steps, the last among them."""
    return list(steps[:: -max(1, math.ceil(len(steps) / MOST_READINGS))][::-1])

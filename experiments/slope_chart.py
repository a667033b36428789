"""A chart of two rankings: a line for each label, from its place in the one to its place in the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.curves import INK, colours, layered, marks, side_by_side
from experiments.line_charts import Part

WIDTH, ROW = 120, 17
"""The distance of the two columns, and of two places."""

KINDS = ("rises", "falls", "stays")
"""What a label does, in the order of the colours."""

Values = Mapping[str, float]
"""A value of each label, the label in the first place first."""


def slope_chart(left: Values, right: Values, title: str, subtitle: str) -> dict[str, Any]:
    """Return the chart of two rankings of the same labels."""
    rows = _rows(left, right)
    x: Part = {"field": "side", "type": "ordinal", "axis": None, "scale": {"padding": 0}}
    y: Part = {
        "field": "place",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0.5, len(left) + 0.5], "reverse": True, "nice": False, "zero": False},
    }
    colour = colours(KINDS) | {"field": "kind"}
    detail: Part = {"field": "label", "type": "nominal"}
    description: Part = {"field": "reading", "type": "nominal"}
    text: Part = {"field": "text", "type": "nominal"}
    panel = layered(
        title,
        subtitle,
        marks(rows, "line", x=x, y=y, color=colour, detail=detail, strokeWidth=1.6),
        marks(rows, "point", x=x, y=y, color=colour, filled=True, size=22, opacity=1),
        *(
            marks(
                [row for row in rows if row["side"] == side],
                "text",
                x=x,
                y=y,
                text=text,
                align=align,
                dx=dx,
                color=INK,
                fontSize=11,
            )
            for side, align, dx in ((0, "right", -7), (1, "left", 7))
        ),
        marks(
            rows,
            "line",
            x=x,
            y=y,
            detail=detail,
            description=description,
            strokeWidth=9,
            opacity=0,
            color=INK,
        ),
    )
    return side_by_side(panel | {"width": WIDTH, "height": ROW * len(left)})


def _rows(left: Values, right: Values) -> list[dict[str, Any]]:
    places = [{label: place for place, label in enumerate(side, 1)} for side in (left, right)]
    return [
        {
            "label": label,
            "side": side,
            "place": places[side][label],
            "kind": _kind(places[0][label], places[1][label]),
            "text": f"{label} {value:#.3g}" if side == 0 else f"{value:#.3g} {label}",
            "reading": f"{label}: place {places[0][label]}, then {places[1][label]}",
            "cells": {
                "label": label,
                "left": f"{left[label]:#.3g}",
                "place left": places[0][label],
                "right": f"{right[label]:#.3g}",
                "place right": places[1][label],
            },
        }
        for side, values in enumerate((left, right))
        for label, value in values.items()
    ]


def _kind(before: int, after: int) -> str:
    rises, falls, stays = KINDS
    return rises if after < before else falls if after > before else stays

"""The chart of a search: the loss on the images held back, over the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from experiments.curves import (
    Panel,
    colours,
    dashes,
    layered,
    log_ticks,
    marks,
    quantity,
    readings,
    side_by_side,
)
from experiments.records import Record

MOST_LOSS = 3.0
"""A loss that is not worth drawing: a network that knows nothing has log 10 = 2.30."""

MARGIN = 1.15
"""The factor between the edges and the drawn losses."""


def sensitivity_chart(
    searches: Mapping[str, Sequence[Record]], chosen: Mapping[str, float]
) -> dict[str, Any]:
    """Return the chart of some searches, one line for each label.

    * `searches`: the runs of each search, which differ in the learning rate
    * `chosen`: the learning rate to be marked, where there is one

    A run that diverged, or that came to more than `MOST_LOSS`, is a triangle at the upper edge.
    Raises `ValueError` without a run.
    """
    rows = _rows(searches, chosen)
    if not rows:
        raise ValueError("searches must hold at least one run, got none")
    losses = [row["shown"] for row in rows if row["learned"]] or [MOST_LOSS]
    low, top = min(losses) / MARGIN, max(losses) * MARGIN
    for row in rows:
        if not row["learned"]:
            row["shown"] = top
    x = _rates(rows)
    y = quantity(
        "shown",
        title=None,
        scale={"type": "log", "domain": [low, top], "nice": False},
        axis={"values": log_ticks([low, top]), "format": "~g"},
    )
    encoding = {"x": x, "y": y, "color": colours(list(searches))}
    learned, lost, best = (
        [row for row in rows if row["learned"]],
        [row for row in rows if not row["learned"]],
        [row for row in rows if row["chosen"]],
    )
    panel = layered(
        f"held-out loss after {_epochs(searches)}",
        "a ring marks the chosen rate",
        marks(rows, "line", strokeWidth=1.6, strokeDash=dashes(list(searches)), **encoding),
        marks(learned, "point", filled=True, size=30, opacity=1, **encoding),
        marks(best, "point", filled=False, size=150, opacity=1, strokeWidth=1.8, **encoding),
        marks(lost, "point", shape="triangle-up", filled=True, size=60, opacity=1, **encoding),
        readings(_readings(rows), x),
    )
    return side_by_side(panel)


def shows_lost_runs(searches: Mapping[str, Sequence[Record]]) -> bool:
    """Return whether the chart has triangles at its upper edge."""
    return not all(row["learned"] for row in _rows(searches, {}))


def held_out_loss(record: Record) -> float:
    """Return the loss on the images held back; infinity if the run diverged."""
    loss = record.final["test_loss"]
    return math.inf if loss is None else float(loss)


def losses_by_rate(search: Sequence[Record]) -> dict[float, float]:
    """Return the held-out loss at each rate of a search, the lowest rate first: the median of its seeds."""
    found: dict[float, list[float]] = {}
    for record in search:
        found.setdefault(float(record.configuration["lr"]), []).append(held_out_loss(record))
    return {lr: median(found[lr]) for lr in sorted(found)}


def best(losses: Mapping[float, float]) -> float:
    """Return the rate with the least loss; of equal ones, such as infinite ones, the smallest."""
    return min(sorted(losses), key=lambda lr: losses[lr])


def _rows(
    searches: Mapping[str, Sequence[Record]], chosen: Mapping[str, float]
) -> list[dict[str, Any]]:
    return [
        {
            "optimizer": label,
            "lr": lr,
            "shown": loss,
            "reading": "diverged" if math.isinf(loss) else f"{loss:.4g}",
            "learned": loss <= MOST_LOSS,
            "chosen": chosen.get(label) == lr,
        }
        for label, records in searches.items()
        for lr, loss in losses_by_rate(records).items()
    ]


def _rates(rows: Sequence[Mapping[str, Any]]) -> Panel:
    rates = [row["lr"] for row in rows]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates)))
    return quantity(
        "lr",
        title="learning rate",
        scale={"type": "log", "nice": False, "padding": 12},
        axis={
            "values": [float(f"1e{exponent}") for exponent in range(low, high + 1)],
            "format": "~g",
        },
    )


def _epochs(searches: Mapping[str, Sequence[Record]]) -> str:
    epochs = next(record.configuration["epochs"] for runs in searches.values() for record in runs)
    return "one epoch" if epochs == 1 else f"{epochs:g} epochs"


def _readings(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the losses at each rate as the text `reading`."""
    texts: dict[float, list[str]] = {}
    for row in rows:
        texts.setdefault(row["lr"], []).append(f"{row['optimizer']}: {row['reading']}")
    return [
        {"lr": lr, "reading": "\n".join([f"held-out loss at learning rate {lr:g}", *texts[lr]])}
        for lr in sorted(texts)
    ]

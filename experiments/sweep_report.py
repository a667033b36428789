"""What a sweep has come to: a table, and pictures of searches, curves and steps to a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from experiments.curves import (
    colours,
    layered,
    learning_curves,
    marks,
    quantity,
    side_by_side,
    steps_to,
)
from experiments.drawing import to_png, to_svg
from experiments.records import Record, write_atomically
from experiments.search_space import Point
from experiments.sensitivity import sensitivity_chart
from experiments.sweep_plan import Sweep

ROW_HEIGHT = 22
"""How high a row of the picture of steps is, in pixels."""


def table(sweeps: Sequence[Sweep], target: float) -> str:
    """Return what came out, one line for each arm.

    The points that were tried stand with their held-out loss behind the chosen one, the test
    accuracies that it came to, and the first step with an accuracy of `target`.
    """
    width = max(len("optimizer"), *(len(sweep.arm.label) for sweep in sweeps))
    steps = f"steps to {100 * target:g} %"
    head = (
        f"{'optimizer':{width}}  {'lr':>9}  {'test accuracy, seeds':28}  {steps:>{len(steps)}}  "
        "held-out loss by lr"
    )
    return "\n".join([head, *(_row(sweep, width, target, len(steps)) for sweep in sweeps)])


def _row(sweep: Sweep, width: int, target: float, steps_width: int) -> str:
    losses = sweep.losses
    tried = ", ".join(
        f"{_point(point)}: {_loss(losses[point])}" for point in sorted(losses, key=_order)
    )
    accuracies = [100 * record.final["test_accuracy"] for record in sweep.finals]
    chosen = f"{sweep.finals[0].configuration['lr']:g}" if sweep.finals else "none"
    values = " ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    middle = f"{median(accuracies):.2f} % ({values})" if accuracies else "no run"
    reached = _steps(median(steps_to(run, target) for run in sweep.finals)) if sweep.finals else ""
    return f"{sweep.arm.label:{width}}  {chosen:>9}  {middle:28}  {reached:>{steps_width}}  {tried}"


def _order(point: Point) -> tuple[str, float]:
    return str(point.options), point.lr


def _point(point: Point) -> str:
    return " ".join([f"{point.lr:g}", *_settings(point)])


def _settings(point: Point) -> list[str]:
    return [f"{name} {value}" for name, value in point.options]


def _loss(loss: float) -> str:
    return "diverged" if math.isinf(loss) else f"{loss:.4f}"


def _steps(step: float) -> str:
    return "never" if math.isinf(step) else f"{step:.0f}"


def save_pictures(sweeps: Sequence[Sweep], folder: Path, target: float) -> list[Path]:
    """Draw searches, learning curves with bands, and steps to the target, and return the files.

    What no run came to is not drawn.
    """
    searched, chosen = _searches(sweeps)
    trained = {s.arm.label: s.finals for s in sweeps if s.finals}
    charts: dict[str, dict[str, Any]] = {}
    if searched:
        charts["sensitivity"] = sensitivity_chart(searched, chosen)
    if trained:
        runs = [run for group in trained.values() for run in group]
        charts["curves"] = learning_curves(runs, lambda _: dict(trained))
        charts["steps"] = steps_chart(trained, target)
    return [
        path for name, chart in charts.items() for path in _save(chart, folder / f"sweep-{name}")
    ]


def _searches(
    sweeps: Sequence[Sweep],
) -> tuple[dict[str, list[Record]], dict[str, float]]:
    """Return the runs of the searches by the label of their line, and the chosen rate of each arm.

    Each combination of the varied arguments has a line of its own.
    """
    searched: dict[str, list[Record]] = {}
    chosen: dict[str, float] = {}
    for sweep in sweeps:
        for point, runs in sweep.searched.items():
            label = ", ".join([sweep.arm.label, *_settings(point)])
            searched.setdefault(label, []).extend(run for run in runs.values() if run)
            if point == sweep.chosen:
                chosen[label] = point.lr
    return {label: runs for label, runs in searched.items() if runs}, chosen


def _save(chart: dict[str, Any], path: Path) -> list[Path]:
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    write_atomically(svg, to_svg(chart).encode())
    write_atomically(png, to_png(chart))
    return [svg, png]


def steps_chart(trained: Mapping[str, Sequence[Record]], target: float) -> dict[str, Any]:
    """Return the chart of the first step at which each run came to an accuracy.

    One row for each label, one mark for each seed. A run that never came to it is a triangle at the
    right edge.
    """
    rows = [
        {
            "optimizer": label,
            "seed": run.seed,
            "reached": math.isfinite(steps_to(run, target)),
            "step": min(steps_to(run, target), run.final["step"]),
        }
        for label, runs in trained.items()
        for run in runs
    ]
    last = max(run.final["step"] for runs in trained.values() for run in runs)
    x = quantity("step", title="step", scale={"domain": [0, last], "nice": False})
    encoding = {
        "x": x,
        "y": {"field": "optimizer", "type": "nominal", "title": None, "sort": list(trained)},
        "color": colours(list(trained)) | {"legend": None},
    }
    reached = [row for row in rows if row["reached"]]
    never = [row for row in rows if not row["reached"]]
    panel = layered(
        f"first step with an accuracy of {100 * target:g} %",
        "on the test subset; one mark for each seed, a triangle never came to it",
        marks(reached, "point", filled=True, size=45, opacity=0.8, **encoding),
        marks(never, "point", shape="triangle-right", filled=True, size=70, **encoding),
    )
    return side_by_side(panel | {"height": ROW_HEIGHT * max(2, len(trained))})

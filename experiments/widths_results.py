"""What came out of the widths: rows of a grid, best learning rates, and charts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from experiments.grids import RESULTS, Grid, load_all
from experiments.line_charts import Line, Panel
from experiments.records import RecordError

FOLDER = RESULTS / "widths"

STANDARD, MUP = "standard", "mup"
NAMES = {STANDARD: "standard", MUP: "maximal update (muP)"}
"""What a chart calls each parametrization, in the order of its panels."""

TOP = 0.5
"""The greatest loss that a chart shows: what is worse than that is no longer of interest."""


def find(base_width: int, folder: Path = FOLDER) -> Grid:
    """Return the grid whose widths are scaled from a base; raises `RecordError` if there is none."""
    for grid in load_all(folder):
        if grid.configuration["base_width"] == base_width:
            return grid
    raise RecordError(f"{folder}: has no grid with the base {base_width}")


def losses(grid: Grid, parametrization: str, width: int, lr: float) -> list[float]:
    """Return the losses of one setting, in the order of the seeds; what has diverged is infinite.

    At the width of the base both parametrizations are the same, and were run once.
    """
    if width == grid.configuration["base_width"]:
        parametrization = STANDARD
    wanted = {"parametrization": parametrization, "width": width, "lr": lr}
    rows = [row for row in grid.rows if wanted.items() <= row.items()]
    found = [row["loss"] for row in sorted(rows, key=lambda row: row["seed"])]
    return [math.inf if loss is None or math.isnan(loss) else loss for loss in found]


def median(grid: Grid, parametrization: str, width: int, lr: float) -> float:
    """Return the median of the losses of one setting."""
    return statistics.median(losses(grid, parametrization, width, lr))


def best_lr(grid: Grid, parametrization: str, width: int) -> float:
    """Return the learning rate with the least median of the losses."""
    return min(grid.configuration["lrs"], key=lambda lr: median(grid, parametrization, width, lr))


def valley(grid: Grid, parametrization: str, width: int) -> float:
    """Return the power of two of the best learning rate, between those that were tried.

    That is where a parabola through the best rate and its neighbours has its lowest point. If the best
    is the first or the last of the rates, it is that one.
    """
    lrs: list[float] = grid.configuration["lrs"]
    place = lrs.index(best_lr(grid, parametrization, width))
    power = math.log2(lrs[place])
    if place in (0, len(lrs) - 1):
        return power
    before, here, after = (
        median(grid, parametrization, width, lr) for lr in lrs[place - 1 : place + 2]
    )
    spacing = math.log2(lrs[place + 1] / lrs[place])
    if math.isinf(before + after) or before + after == 2 * here:
        return power
    return power + spacing * (before - after) / (before - 2 * here + after) / 2


def panels(grid: Grid) -> list[Panel]:
    """Return the training loss over the learning rate, a panel for each parametrization."""
    return [_panel(grid, parametrization) for parametrization in NAMES]


def _panel(grid: Grid, parametrization: str) -> Panel:
    widths: Sequence[int] = grid.configuration["widths"]
    lines = [_line(grid, parametrization, width) for width in widths]
    return Panel(
        "training loss",
        NAMES[parametrization],
        lines,
        x_title="learning rate",
        y_range=(0.0, TOP),
    )


def _line(grid: Grid, parametrization: str, width: int) -> Line:
    points, band = [], []
    for lr in grid.configuration["lrs"]:
        found = losses(grid, parametrization, width, lr)
        if math.isfinite(max(found)):
            points.append((lr, statistics.median(found)))
            band.append((min(found), max(found)))
    return Line(f"width {width}", points, band)

"""What came out of the fine-tuning: rows of a grid, medians and quartiles, and charts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.grids import RESULTS, Grid, load_all
from experiments.line_charts import Line, Panel
from experiments.records import RecordError

FOLDER = RESULTS / "finetune"

NO_DECAY = "no decay"
"""The name of the runs without any decay among those with some."""

PERCENT = (60.0, 90.0)
"""What a chart shows of the accuracy; what is worse than that is no longer of interest."""


def find(study: str, target: str, images: int, folder: Path = FOLDER) -> Grid:
    """Return the grid of a study; raises `RecordError` if `folder` has none."""
    wanted = {"study": study, "target": target, "images": images}
    for grid in load_all(folder):
        if wanted.items() <= grid.configuration.items():
            return grid
    raise RecordError(f"{folder}: has no grid of {wanted}")


def values(
    grid: Grid, variant: str, lr: float, weight_decay: float = 0.0, column: str = "accuracy"
) -> list[float]:
    """Return a column in % for one variant and its settings, in the order of the seeds."""
    wanted = {"variant": variant, "lr": lr, "weight_decay": weight_decay}
    rows = [row for row in grid.rows if wanted.items() <= row.items()]
    return [100 * row[column] for row in sorted(rows, key=lambda row: row["seed"])]


def gains(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return how much more `one` has than `other` with the same seed."""
    return [a - b for a, b in zip(one, other, strict=True)]


def quartiles(found: Sequence[float]) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third; of one value, itself."""
    if len(found) == 1:
        return (found[0],) * 3
    low, median, high = statistics.quantiles(found, n=4, method="inclusive")
    return low, median, high


def settings(grid: Grid, variant: str) -> list[tuple[float, float]]:
    """Return the learning rates and decays that a variant was run with, in rising order."""
    pairs = ((row["lr"], row["weight_decay"]) for row in grid.rows if row["variant"] == variant)
    return sorted(set(pairs))


def best(grid: Grid, variant: str) -> tuple[float, float]:
    """Return the learning rate and decay with the highest median accuracy on held-out images."""
    return max(
        settings(grid, variant),
        key=lambda pair: statistics.median(values(grid, variant, *pair, column="held_out")),
    )


def variants(grid: Grid) -> list[str]:
    """Return the names of the variants, in the order in which they were run."""
    return list(dict.fromkeys(row["variant"] for row in grid.rows))


def panels(grid: Grid, names: Sequence[str] = ()) -> list[Panel]:
    """Return the accuracy over the learning rate, or for each rate that over the decay.

    * `names`: the variants to draw; all if none are given
    """
    names = names or variants(grid)
    if grid.configuration["study"] != "decays":
        return [rate_panel(grid, names)]
    return [decay_panel(grid, names, lr) for lr in sorted({row["lr"] for row in grid.rows})]


def rate_panel(grid: Grid, names: Sequence[str]) -> Panel:
    """Return the accuracy over the learning rate."""
    lines = [
        _line(name, [(lr, values(grid, name, lr)) for lr, _ in settings(grid, name)])
        for name in names
    ]
    return _panel(lines, _conditions(grid), "learning rate")


def decay_panel(grid: Grid, names: Sequence[str], lr: float, column: str = "accuracy") -> Panel:
    """Return the accuracy over the decay, for one learning rate."""
    return _panel(
        list(_decay_lines(grid, names, lr, column)),
        f"learning rate {lr:g}, {_conditions(grid)}",
        "weight decay",
    )


def _decay_lines(grid: Grid, names: Sequence[str], lr: float, column: str) -> Iterator[Line]:
    decays = sorted({row["weight_decay"] for row in grid.rows} - {0.0})
    for name in names:
        # Without decay there is one value, and it is drawn beside all of them.
        at = dict.fromkeys(decays, 0.0) if name == NO_DECAY else {each: each for each in decays}
        yield _line(name, [(x, values(grid, name, lr, y, column)) for x, y in at.items()])


def _line(label: str, points: Sequence[tuple[float, Sequence[float]]]) -> Line:
    spreads = [(x, *quartiles(found)) for x, found in points]
    medians = [(x, median) for x, _, median, _ in spreads]
    return Line(label, medians, [(low, high) for _, low, _, high in spreads])


def _conditions(grid: Grid) -> str:
    return f"{grid.configuration['target']}, {grid.configuration['images']} images"


def _panel(lines: Sequence[Line], subtitle: str, x_title: str) -> Panel:
    return Panel("accuracy in %", subtitle, lines, x_title=x_title, y_range=PERCENT)

"""What came out of the kinds of weight decay: medians over the seeds, and charts of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.curves import seed_bands
from experiments.grids import RESULTS, Grid, load_all
from experiments.line_charts import Line, Panel
from experiments.records import RecordError

FOLDER = RESULTS / "decay"

NO_DECAY = "none"
"""The kind of the runs that all others are compared with."""

NAMES = {
    NO_DECAY: "no decay",
    "coupled": "in the gradient",
    "decoupled": "decoupled",
    "cautious": "cautious",
    "l1": "L1",
}
"""What a chart calls each kind, in the order of its legend."""

LAYERS = ("conv1", "conv2", "hidden", "output")

ABOVE = 1.6
"""A chart of losses ends at so many times the loss without decay."""

Row = dict[str, Any]
"""One run: what it had of its own, and what came out."""


def find(wrong_labels: float = 0.0, rates: int = 1, folder: Path = FOLDER) -> Grid:
    """Return the grid with this share of wrong labels and so many learning rates.

    Raises `RecordError` if there is not exactly one.
    """
    found = [
        grid
        for grid in load_all(folder)
        if grid.configuration["wrong_labels"] == wrong_labels
        and len(grid.configuration["lr"]) == rates
    ]
    if len(found) != 1:
        asked = f"a share of {wrong_labels:g} of wrong labels and {rates} learning rates"
        raise RecordError(f"{folder}: has {len(found)} grids with {asked}, not one")
    return found[0]


def select(grid: Grid, kind: str, **values: float) -> list[Row]:
    """Return the runs with one kind and with other values, in the order of strengths and seeds."""
    found = [
        row
        for row in grid.rows
        if row["kind"] == kind and all(row[name] == value for name, value in values.items())
    ]
    return sorted(found, key=lambda row: (row["weight_decay"], row["seed"]))


def strengths(grid: Grid, kind: str) -> list[float]:
    """Return the values of the weight decay that were tried with a kind, rising."""
    return sorted({row["weight_decay"] for row in select(grid, kind)})


def middle(rows: Sequence[Row], name: str) -> float:
    """Return the median of what came out; a loss that is not finite is above all others."""
    return statistics.median(float("inf") if row[name] is None else row[name] for row in rows)


def best(grid: Grid, kind: str, lr: float, by: str = "held_out_loss") -> float:
    """Return the strength of a kind with the least median loss, or the greatest median accuracy.

    * `by`: the column to choose by, that of the images held out unless told otherwise
    """

    def misfit(decay: float) -> float:
        value = middle(select(grid, kind, lr=lr, weight_decay=decay), by)
        return -value if by.endswith("accuracy") else value

    return min(strengths(grid, kind), key=misfit)


def ratios(grid: Grid, kind: str, decay: float, lr: float, layer: str) -> list[float]:
    """Return how long the weights of a layer are, each run beside that of its seed without decay."""
    name = f"norm_{layer}"
    plain = {row["seed"]: row[name] for row in select(grid, NO_DECAY, lr=lr)}
    rows = select(grid, kind, lr=lr, weight_decay=decay)
    return [row[name] / plain[row["seed"]] for row in rows]


def gradient_size(grid: Grid, lr: float, layer: str) -> float:
    """Return the median size of a layer's gradients without decay."""
    return middle(select(grid, NO_DECAY, lr=lr), f"gradient_{layer}")


def loss_panel(grid: Grid, kinds: Sequence[str]) -> Panel:
    """Return the test loss over the strength, the line without decay across."""
    level = middle(select(grid, NO_DECAY), "test_loss")
    lines = list(_over_strengths(grid, kinds, "test_loss"))
    values = [value for line in lines for _, value in line.points]
    return Panel(
        "test loss",
        _conditions(grid),
        lines,
        x_title="weight decay",
        y_range=(0.9 * min(values), ABOVE * level),
    )


def accuracy_panel(grid: Grid, kinds: Sequence[str]) -> Panel:
    """Return the error on the test images over the strength."""
    lines = [
        Line(line.label, [(x, 100 * (1 - y)) for x, y in line.points], _errors(line))
        for line in _over_strengths(grid, kinds, "test_accuracy")
    ]
    level = lines[0].points[0][1]
    values = [value for line in lines for _, value in line.points]
    return Panel(
        "test images read wrong, %",
        _conditions(grid),
        lines,
        x_title="weight decay",
        y_range=(0.9 * min(values), ABOVE * level),
    )


def _errors(line: Line) -> list[tuple[float, float]] | None:
    return line.band and [(100 * (1 - high), 100 * (1 - low)) for low, high in line.band]


def small_weights_panel(grid: Grid, kinds: Sequence[str]) -> Panel:
    """Return the share of weights that are 0, and of those that are nearly 0, over the strength."""
    lines = [
        Line(line.label, line.points, line.band, words)
        for column, words in (("small", "below 0.001"), ("zero", "exactly 0"))
        for line in _over_strengths(grid, kinds, column)
        if words != "exactly 0" or any(value for _, value in line.points)
    ]
    return Panel(
        "share of small weights",
        "line: below 0.001, dashes: exactly 0",
        lines,
        x_title="weight decay",
    )


def norm_panel(grid: Grid, kinds: Sequence[str]) -> Panel:
    """Return what is left of each layer's weights, over the size of its gradients without decay."""
    (lr,) = grid.configuration["lr"]
    lines = []
    for kind in kinds:
        decay = best(grid, kind, lr)
        rows = seed_bands(
            [(gradient_size(grid, lr, layer), ratio)]
            for layer in LAYERS
            for ratio in ratios(grid, kind, decay, lr, layer)
        )
        lines.append(_line(f"{NAMES[kind]}, λ = {decay:g}", rows))
    order = sorted(LAYERS, key=lambda layer: gradient_size(grid, lr, layer))
    return Panel(
        "norm of a layer / the same without decay",
        f"from left to right: {', '.join(order)}",
        lines,
        x_title="size of the layer's gradients",
        y_range=(0.0, 1.0),
    )


def rate_panels(grid: Grid, kinds: Sequence[str]) -> list[Panel]:
    """Return a panel for each kind: the test loss over the strength, at every learning rate."""
    found = []
    for kind in kinds:
        lines = [
            _line(f"α = {lr:g}", _bands(select(grid, kind, lr=lr), "test_loss"))
            for lr in sorted(grid.configuration["lr"])
        ]
        values = [value for line in lines for _, value in line.points]
        levels = [
            middle(select(grid, NO_DECAY, lr=lr), "test_loss") for lr in grid.configuration["lr"]
        ]
        found.append(
            Panel(
                f"{NAMES[kind]}: test loss",
                _conditions(grid),
                lines,
                x_title="weight decay",
                y_range=(0.9 * min(values), ABOVE * max(levels)),
            )
        )
    return found


def _over_strengths(grid: Grid, kinds: Sequence[str], column: str) -> Iterator[Line]:
    """Yield a line without decay that runs across, and one for each kind."""
    every = [decay for kind in kinds for decay in strengths(grid, kind)]
    plain = [row[column] for row in select(grid, NO_DECAY)]
    ends = [[(decay, value) for decay in (min(every), max(every))] for value in plain]
    yield _line(NAMES[NO_DECAY], seed_bands(ends))
    for kind in kinds:
        yield _line(NAMES[kind], _bands(select(grid, kind), column))


def _bands(rows: Sequence[Row], column: str) -> list[dict[str, float]]:
    return seed_bands([(row["weight_decay"], row[column])] for row in rows)


def _line(label: str, rows: Sequence[dict[str, float]]) -> Line:
    points = [(row["step"], row["median"]) for row in rows]
    band = [(row["low"], row["high"]) for row in rows]
    return Line(label, points, band if any(low < high for low, high in band) else None)


def _conditions(grid: Grid) -> str:
    configuration = grid.configuration
    rates = configuration["lr"]
    parts = [f"{configuration['samples']:,} images"]
    if configuration["wrong_labels"]:
        parts.append(f"{configuration['wrong_labels']:.0%} with a wrong label")
    if len(rates) == 1:
        parts.append(f"α = {rates[0]:g}")
    return ", ".join(parts)

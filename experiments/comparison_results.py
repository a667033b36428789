"""What a folder of records says for a comparison: searches, their losses, and runs seed by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.committed import SEARCHES, records_in
from experiments.curves import group_by_rate, group_by_seed, series
from experiments.optimizers import choose_optimizer
from experiments.records import Record, RecordError
from experiments.result_rows import usual
from experiments.schedules import setting_text
from experiments.sensitivity import losses_by_rate
from experiments.sweep import index_of, rate_at

Groups = Mapping[str, Sequence[Record]]
"""Runs by the optimizer, with the options that were set."""


def searches(folder: Path) -> Groups:
    """Return the searches of a folder, those under its most frequent conditions.

    Raises `RecordError` where there is none.
    """
    found = records_in(folder / SEARCHES)
    if not found:
        raise RecordError(f"{folder / SEARCHES}: has no record of a search")
    return group_by_rate(usual(found))


def runs(folder: Path) -> Groups:
    """Return the runs at the chosen rates, those under the most frequent conditions; maybe none."""
    found = records_in(folder)
    return group_by_seed(usual(found)) if found else {}


def default_point(run: Record) -> float:
    """Return the rate of the grid that is nearest to the default of a run's optimizer."""
    settings = [f"{name}={setting_text(value)}" for name, value in _options(run).items()]
    return rate_at(index_of(choose_optimizer(run.optimizer, None, settings).lr))


def _options(run: Record) -> dict[str, object]:
    options: dict[str, object] = run.configuration["options"]
    return options


def default_losses(found: Groups) -> dict[str, float]:
    """Return the held-out loss of each search at the default rate, if the search tried it."""
    points = {
        label: (losses_by_rate(search), default_point(search[0])) for label, search in found.items()
    }
    return {label: tried[point] for label, (tried, point) in points.items() if point in tried}


def best_losses(found: Groups) -> dict[str, float]:
    """Return the lowest held-out loss of each search."""
    return {label: min(losses_by_rate(search).values()) for label, search in found.items()}


def at_one_rate(found: Groups) -> dict[float, dict[str, float]]:
    """Return the held-out losses at each rate that more than half of the searches tried."""
    tables = {label: losses_by_rate(search) for label, search in found.items()}
    rates = sorted({rate for table in tables.values() for rate in table})
    at = {
        rate: {label: table[rate] for label, table in tables.items() if rate in table}
        for rate in rates
    }
    return {rate: values for rate, values in at.items() if 2 * len(values) > len(tables)}


def by_seed(found: Groups, value: Callable[[Record], float]) -> dict[str, list[float]]:
    """Return a value of the runs, in the order of the seeds that all of them have in common.

    What has a value that is not finite is left out.
    """
    tables = {label: {run.seed: value(run) for run in group} for label, group in found.items()}
    seeds = sorted(set.intersection(*map(set, tables.values()))) if tables else []
    values = {label: [table[seed] for seed in seeds] for label, table in tables.items()}
    return {label: numbers for label, numbers in values.items() if all(map(math.isfinite, numbers))}


def gain_of_looking(run: Record) -> float:
    """Return by how many points the best look at the test subset is above the last one."""
    looks = [value for _, value in series(run, "test_subset", "accuracy") if value is not None]
    return 100 * (max(looks) - looks[-1])

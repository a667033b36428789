"""What the page of results says of each optimizer: its runs, its search, and numbers made of them."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from experiments.committed import HALF, IN_HALF, SEARCHES, folder, records_in
from experiments.curves import group_by_rate, group_by_seed
from experiments.library import LIBRARY
from experiments.records import Record
from experiments.run_figures import accuracy, rule
from experiments.sensitivity import MOST_LOSS, best, losses_by_rate

NEAR = 1.1
"""A learning rate is a good one if its held-out loss is at most so many times the best."""

EXCEPTIONS = ("schedule", "wd_schedule", "dtype", "model")
"""What is told of a row where it is not as usual."""


@dataclass(frozen=True)
class Row:
    """One optimizer with one configuration.

    * `label`: its name, with the options that were set
    * `runs`: at the chosen learning rate, one for each seed
    * `search`: the runs that the rate was chosen from
    """

    label: str
    optimizer: str
    runs: Sequence[Record]
    search: Sequence[Record]

    @property
    def rate(self) -> float | None:
        """The learning rate of the runs, or the one that the search has found so far."""
        if self.runs:
            return float(self.runs[0].configuration["lr"])
        return best_rate(self.search) if self.search else None


def rows(experiment: str) -> list[Row]:
    """Return a row for each optimizer, and for each of its configurations if it has several.

    The most accurate stands first. What has no run yet has its search only, or nothing at all.
    """
    runs, searches = _all_runs(experiment), _all_runs(experiment, SEARCHES)
    names = importlib.import_module(f"{LIBRARY}.registry").optimizer_names()
    found = [
        row
        for name in names
        for row in _rows_of(
            name,
            [run for run in runs if run.optimizer == name],
            [run for run in searches if run.optimizer == name],
        )
    ]
    return sorted(found, key=lambda row: -median(map(accuracy, row.runs)) if row.runs else 0)


def _all_runs(experiment: str, *below: str) -> list[Record]:
    """Return the runs of all optimizers; what is made for half precision has those in it."""
    usual = records_in(folder(experiment, *below))
    half = records_in(folder(experiment, HALF, *below))
    return [
        *(run for run in usual if run.optimizer not in IN_HALF),
        *(run for run in half if run.optimizer in IN_HALF),
    ]


def _rows_of(name: str, runs: Sequence[Record], searches: Sequence[Record]) -> Iterator[Row]:
    if runs:
        for label, group in group_by_seed(runs).items():
            own = [point for point in searches if rule(point) == rule(group[0])]
            yield Row(label, name, group, own)
    elif searches:
        for label, group in group_by_rate(searches).items():
            yield Row(label, name, [], group)
    else:
        yield Row(name, name, [], [])


def usual(runs: Sequence[Record]) -> list[Record]:
    """Return the runs under the most frequent conditions."""
    counts = Counter(map(_conditions, runs))
    return [run for run in runs if _conditions(run) == counts.most_common(1)[0][0]]


def exceptions(run: Record, other: Record) -> dict[str, Any]:
    """Return the conditions of a run that are not those of another."""
    own, others = dict(_conditions(run)), dict(_conditions(other))
    return {key: value for key, value in own.items() if value != others[key]}


def _conditions(run: Record) -> tuple[tuple[str, Any], ...]:
    return tuple((key, run.configuration[key]) for key in EXCEPTIONS)


def by_rate(search: Sequence[Record]) -> dict[float, list[Record]]:
    """Return the runs of a search by their learning rates, the lowest rate first."""
    groups: dict[float, list[Record]] = {}
    for run in sorted(search, key=lambda run: (run.configuration["lr"], run.seed)):
        groups.setdefault(float(run.configuration["lr"]), []).append(run)
    return groups


def best_rate(search: Sequence[Record]) -> float:
    """Return the learning rate that a search chooses."""
    return best(losses_by_rate(search))


def good_rates(search: Sequence[Record]) -> list[float]:
    """Return the learning rates around the best one that are nearly as good, without a gap.

    There is none where no rate came to a loss of `MOST_LOSS`.
    """
    found = losses_by_rate(search)
    if not found or min(found.values()) > MOST_LOSS:
        return []
    return _around(found, best(found), NEAR * min(found.values()))


def _around(found: Mapping[float, float], best: float, most: float) -> list[float]:
    """Return the keys next to the best one whose values are at most `most`."""
    keys = list(found)
    low = high = keys.index(best)
    while low > 0 and found[keys[low - 1]] <= most:
        low -= 1
    while high + 1 < len(keys) and found[keys[high + 1]] <= most:
        high += 1
    return keys[low : high + 1]

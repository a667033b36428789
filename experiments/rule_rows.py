"""The table of the runs with rules for parameter groups, beside the same runs without any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median

from markupsafe import Markup

from experiments.committed import files_of, linked_range
from experiments.records import Record
from experiments.run_figures import BY_OPTIMIZER, accuracy, conditions, linked_accuracies
from experiments.sortable import Cell, Column, missing, sortable_table
from site_gen.plugins import Figure

COLUMNS = (
    Column("Rules"),
    Column("Optimizer"),
    Column("Learning rate"),
    Column("Test accuracy", falls=True, is_sorted=True),
    Column("Difference to none, by seed", falls=True),
)
OWN = ("lr", "rules", "seed")
"""What a run with rules and the one without that it is compared with may differ in."""


def by_rules(runs: Sequence[Record]) -> list[list[Record]]:
    """Return the runs of each configuration, whatever their seed, the most accurate first."""
    groups: dict[str, list[Record]] = {}
    for run in runs:
        groups.setdefault(_key(run, but=("seed",)), []).append(run)
    return sorted(groups.values(), key=lambda runs: -median(map(accuracy, runs)))


def rules_figure(
    title: str, anchor: str, runs: Sequence[Record], others: Sequence[Record] = ()
) -> Figure:
    """Return the table of some runs with what they were made under; `others` as in `rules_table`."""
    html = rules_table(runs, others) + conditions(runs, BY_OPTIMIZER, "ranges")
    return Figure(title, anchor, html, files_of(runs))


def rules_table(runs: Sequence[Record], others: Sequence[Record] = ()) -> Markup:
    """Return the table of some runs.

    * `others`: more runs that may stand for what the rules are compared with: the same without rules
    """
    plain = _without_rules([*others, *runs])
    return sortable_table(COLUMNS, [_cells(group, plain) for group in by_rules(runs)])


def _cells(runs: Sequence[Record], plain: Mapping[str, Mapping[int, Record]]) -> list[Cell]:
    rules = ", ".join(_rules(runs[0])) or "none"
    lr = float(runs[0].configuration["lr"])
    return [
        Cell(rules, rules),
        Cell(runs[0].optimizer, runs[0].optimizer),
        Cell(f"{lr:g}", lr),
        Cell(linked_accuracies(runs), median(map(accuracy, runs))),
        _difference(runs, plain.get(_key(runs[0], but=OWN), {})),
    ]


def _difference(runs: Sequence[Record], plain: Mapping[int, Record]) -> Cell:
    """Return how much more accurate the runs are than those of the same seed without rules."""
    if not _rules(runs[0]):
        return missing("–")
    pairs = [run for run in runs if run.seed in plain]
    if not pairs:
        return missing("no run without")

    def gain(run: Record) -> float:
        return accuracy(run) - accuracy(plain[run.seed])

    return Cell(linked_range(pairs, gain, "{:+.2f}".format, " points"), median(map(gain, pairs)))


def _without_rules(runs: Sequence[Record]) -> dict[str, dict[int, Record]]:
    """Return the runs without rules by what they have in common with those that have some.

    Of two runs with one seed the later one is taken.
    """
    found: dict[str, dict[int, Record]] = {}
    for run in runs:
        if not _rules(run):
            found.setdefault(_key(run, but=OWN), {})[run.seed] = run
    return found


def _key(run: Record, but: Sequence[str]) -> str:
    kept = {key: value for key, value in run.configuration.items() if key not in but}
    return json.dumps(kept, sort_keys=True)


def _rules(run: Record) -> list[str]:
    return list(run.configuration["rules"])

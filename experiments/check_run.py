"""Make a committed run again, and compare it with its record."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from experiments.catalog import CATALOG
from experiments.cli import notice
from experiments.committed import folder
from experiments.configuration import Configuration
from experiments.data import data_root
from experiments.environment import choose_device, make_reproducible
from experiments.records import Record, dumps, load, loads
from experiments.runner import execute

SAME_PLACE = ("device", "processor", "threads", "torch")
"""Where all of these are the same, the numbers are the same to the last digit."""

LOSS_TOLERANCE = 1e-3
ACCURACY_TOLERANCE = 0.02
"""How far a run may be off on another machine.

The first training loss differs by rounding only. The differences grow from step to step, until the
runs differ like those of two seeds.
"""


def quickest(experiments: Sequence[str]) -> Path:
    """Return the record of the run that took the least time."""
    paths = [path for name in experiments for path in folder(name).rglob("*.json")]
    return min(paths, key=lambda path: float(load(path).times["duration_seconds"]))


def check_one(path: Path) -> int:
    """Make the run of a record again, print how the two compare, and return 1 if they disagree."""
    record = load(path)
    again = _repeat(record)
    differing = [key for key in SAME_PLACE if record.environment[key] != again.environment[key]]
    lines = _disagreements(record, again, exact=not differing)
    click.echo(f"{path.name}: {record.optimizer}, lr {record.configuration['lr']:g}")
    for key in differing:
        click.echo(f"another {key}: {again.environment[key]}, not {record.environment[key]}")
    for name in ("train_loss", "test_loss", "test_accuracy"):
        click.echo(f"{name}: {again.final[name]}, in the record {record.final[name]}")
    for line in lines:
        click.echo(line)
    how = "as far as another machine can" if differing else "to the last digit"
    click.echo("they disagree" if lines else f"they agree {how}")
    return 1 if lines else 0


def _repeat(record: Record) -> Record:
    configuration = Configuration(**record.configuration)
    experiment = CATALOG[configuration.experiment]
    device = choose_device(record.environment["device"])
    make_reproducible(device, record.environment["threads"])
    data = experiment.load_data(configuration.data, data_root(None), notice)
    with tempfile.TemporaryDirectory() as scratch:
        task = experiment.task(configuration, data, device, Path(scratch))
        again = execute(task, resume=False, notice=notice)
    return loads(dumps(again), Path(again.file_name))


def _disagreements(record: Record, again: Record, *, exact: bool) -> list[str]:
    """Return a line for everything that should be the same and is not."""
    if record.data["sha256"] != again.data["sha256"]:
        return ["the data are others"]
    if exact:
        return [
            f"{table}.{column} differs"
            for table, columns in record.curves.items()
            for column in columns
            if list(columns[column]) != list(again.curves[table][column])
        ]
    lines = []
    first, first_again = (run.curves["train"]["loss"][0] for run in (record, again))
    if not _near(first, first_again, LOSS_TOLERANCE):
        lines.append(f"the first training loss is {first_again}, in the record {first}")
    accuracy, accuracy_again = (run.final["test_accuracy"] for run in (record, again))
    if not abs(accuracy - accuracy_again) <= ACCURACY_TOLERANCE:
        lines.append(f"the accuracies are more than {ACCURACY_TOLERANCE:g} apart")
    return lines


def _near(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=tolerance)

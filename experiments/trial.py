"""One run of a sweep, wherever it runs: under a lock, on from its last checkpoint, to its record."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from experiments.catalog import CATALOG
from experiments.configuration import Configuration
from experiments.environment import choose_device, make_reproducible
from experiments.outdated import out_of_date
from experiments.records import Record, RecordError, dumps, load, save
from experiments.runner import Notice, Watch, Watcher, execute
from experiments.runner import Run as Running
from experiments.sensitivity import held_out_loss

LOCKS = ".locks"
"""The folder of the locks, in that of the records."""

Report = Callable[[dict[str, Any]], None]
"""Called with numbers of a run that goes on, and with what came of it."""


@dataclass(frozen=True)
class Order:
    """A run that is to be made.

    * `folder`: where its record goes, an absolute path
    * `data_root`, `device`, `threads`: as the options of an experiment
    * `renews`: whether a record is made again whose code has changed since
    """

    configuration: Configuration
    folder: Path
    data_root: Path
    device: str
    threads: int
    renews: bool = False

    @property
    def path(self) -> Path:
        """Where the record lies when the run is done."""
        return self.configuration.record_in(self.folder)


def carry_out(order: Order, report: Report) -> None:
    """Make the run, or take the record that is there, and report it as text under `record`.

    While it goes on, `progress` in per cent and `loss` on the test subset are reported. Whoever
    makes the same run at the same time waits, and finds the record. An error is one line under
    `failed`; `notes` are lines that the user ought to see.
    """
    notes: list[str] = []
    try:
        with _locked(order):
            # Whoever sends the order has told of a damaged record already.
            record = existing(order.path, renews=order.renews) or _make(order, report, notes.append)
        report({"record": dumps(record), "loss": held_out_loss(record), "notes": notes})
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        report({"failed": reason, "loss": math.inf, "notes": notes})


def existing(path: Path, notice: Notice | None = None, *, renews: bool = False) -> Record | None:
    """Return the record that lies there; one that is to be made again counts as none.

    A damaged one is, and with `renews` one whose code has changed since.
    """
    if not path.exists():
        return None
    try:
        record = load(path)
        problem = " and ".join(out_of_date(record)) if renews else ""
    except RecordError as error:
        problem = str(error)
    if not problem:
        return record
    if notice:
        notice(f"the record {path.name} is made again: {problem}")
    return None


@contextlib.contextmanager
def _locked(order: Order) -> Iterator[None]:
    """Keep others from making the same run; a lock ends with the process that holds it."""
    folder = order.folder / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / order.configuration.name):
        yield


def _make(order: Order, report: Report, notice: Notice) -> Record:
    configuration = order.configuration
    experiment = CATALOG[configuration.experiment]
    device = choose_device(order.device)
    make_reproducible(device, order.threads)
    data = experiment.load_data(configuration.data, order.data_root, notice)
    task = experiment.task(configuration, data, device, order.folder)
    checkpoints = order.folder / configuration.name
    record = execute(task, resume=checkpoints.exists(), notice=notice, watch=_reporting_to(report))
    path = save(record, order.folder)
    # The checkpoints of a finished run are of no use.
    shutil.rmtree(checkpoints, ignore_errors=True)
    return load(path)


@dataclass(frozen=True)
class _Reporter:
    """Reports how far a run is, and how good."""

    total_steps: int
    report: Report

    def step(self, step: int) -> None:
        """Say nothing of single steps."""

    def show(self, step: int, table: str, row: Mapping[str, float]) -> None:
        if table == "test_subset" and step < self.total_steps:
            loss = row["loss"] if math.isfinite(row["loss"]) else math.inf
            self.report({"progress": 100 * step / self.total_steps, "loss": loss})


def _reporting_to(report: Report) -> Watch:
    @contextlib.contextmanager
    def watch(run: Running, notice: Notice) -> Iterator[Watcher]:
        yield _Reporter(run.plan.total_steps, report)

    return watch

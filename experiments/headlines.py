"""The headlines of the page of results: what some seconds and what ten minutes come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from experiments.committed import (
    EXPERIMENTS,
    FAST,
    TEN_MINUTES,
    files_of,
    folder,
    linked_range,
    records_in,
)
from experiments.configuration import configuration_hash
from experiments.records import Record
from experiments.run_figures import (
    caption,
    data_name,
    linked_accuracies,
    plain_table,
    schedule_of,
    thread_count,
)
from site_gen.plugins import Figure

HEAD = ("Data", "Test accuracy", "Time", "Hardware", "Network", "Optimizer", "Epochs", "Runs")


def headline_figures() -> Iterator[Figure]:
    """Yield the table of the headlines; nothing as long as none of them has a committed run."""
    runs = records_in(*(folder(name, kind) for name in EXPERIMENTS for kind in (FAST, TEN_MINUTES)))
    if runs:
        table = plain_table(HEAD, [_row(group) for group in _comparable(runs)])
        note = caption(
            "Medians, and ranges over the seeds. The time is that of training, with all looks at the test "
            "images and all checkpoints; the start of Python and the loading of the data come before it."
        )
        yield Figure("Headlines", "headlines", table + note, files_of(runs))


def _comparable(runs: Sequence[Record]) -> list[list[Record]]:
    """Return the runs of each configuration, whatever their seed.

    Those on other hardware stand apart: times on two machines have no median.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for run in runs:
        key = configuration_hash(run.configuration | {"seed": 0}), _hardware(run)
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def _row(runs: Sequence[Record]) -> tuple[str | Markup, ...]:
    run = runs[0]
    settings = run.configuration
    return (
        data_name(run),
        linked_accuracies(runs),
        linked_range(runs, _seconds, "{:.1f}".format, " s"),
        _hardware(run),
        settings["model"],
        f"{run.optimizer}, {settings['lr']:g}, {schedule_of(run)}",
        f"{settings['epochs']:g}",
        str(len(runs)),
    )


def _seconds(run: Record) -> float:
    return float(run.times["duration_seconds"])


def _hardware(run: Record) -> str:
    return f"{thread_count(run.environment)} of {run.environment['processor']}"

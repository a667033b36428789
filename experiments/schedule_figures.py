"""Figures of committed runs for the chapters of the schedules: one optimizer, many schedules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.committed import EXPERIMENTS, SCHEDULES, folder, records_in
from experiments.curves import group_by_schedule
from experiments.records import Record
from experiments.run_figures import Subject, comparison
from site_gen.plugins import Figure

FAMILIES = {
    "schedules.progress": ("linear", "polynomial"),
    "schedules.ramp": ("rex", "exponential"),
    "schedules.decay": ("step",),
    "schedules.warmup": ("warmup-cosine", "linear-to-zero"),
    "schedules.wsd": ("wsd", "tri-stage"),
    "schedules.power": ("inverse-sqrt", "power"),
    "schedules.infinite": ("infinite",),
    "schedules.cycles": ("sgdr", "one-cycle", "cyclic"),
}
"""The schedules whose runs a chapter shows, by the module of the chapter."""

WEIGHT_DECAY = "schedulers.scheduler"
"""The module of the chapter that shows the runs whose weight decay has a schedule."""

BASELINES: tuple[tuple[str, dict[str, Any]], ...] = (("constant", {}), ("cosine", {}))
"""What a schedule is shown beside."""


def schedule_figures(module: str) -> Iterator[Figure]:
    """Yield for each experiment the runs of a chapter's schedules beside those of the base lines.

    * `module`: without the name of the library, such as `schedules.wsd`

    There is no figure without a run of the chapter's own.
    """
    for experiment in EXPERIMENTS:
        if runs := _runs_to_compare(records_in(folder(experiment, SCHEDULES)), module):
            yield comparison(runs, BY_SCHEDULE, experiment)


def _runs_to_compare(records: Sequence[Record], module: str) -> list[Record]:
    """Return the runs of a chapter's own, then those of its base lines; none without the first."""
    if module == WEIGHT_DECAY:
        own = [run for run in records if run.configuration["wd_schedule"] is not None]
        # What a schedule of the weight decay does shows beside the same runs without one.
        alike = [_without_decay_schedule(run) for run in own]
    else:
        family = FAMILIES.get(module, ())
        own = [run for run in records if _is_plain(run) and _schedule(run)[0] in family]
        alike = []
    others = [
        run
        for run in records
        if run.configuration["wd_schedule"] is None
        and (_without_decay_schedule(run) in alike if alike else _is_baseline(run))
    ]
    return [*own, *others] if own else []


def _is_plain(run: Record) -> bool:
    """Return whether nothing but the schedule of the learning rate was set."""
    return run.configuration["wd_schedule"] is None and not run.configuration["options"]


def _is_baseline(run: Record) -> bool:
    return _is_plain(run) and _schedule(run) in BASELINES


def _without_decay_schedule(run: Record) -> tuple[Any, ...]:
    return *_schedule(run), run.configuration["options"]


def _schedule(run: Record) -> tuple[str, dict[str, Any]]:
    """Return the schedule of the learning rate and the arguments that were set."""
    return run.configuration["schedule"], run.configuration["schedule_options"]


def _optimizers(runs: Sequence[Record]) -> str:
    return ", ".join(dict.fromkeys(run.optimizer for run in runs))


BY_SCHEDULE = Subject("Schedule", group_by_schedule, _optimizers)

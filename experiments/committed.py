"""The committed runs: where they lie, which there are, and how a page links to their records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median

from markupsafe import Markup

from experiments.grids import RESULTS
from experiments.records import Record, load_all

EXPERIMENTS = {"mnist": "MNIST", "cifar": "CIFAR-10"}
"""The experiments whose runs the course shows, in this order, and the names of their data."""

SEARCHES = "sweep"
"""The folder of the runs of the searches, in that of the runs whose learning rates they chose."""

HALF = "bfloat16"
"""The folder of runs in bfloat16."""

IN_HALF = ("adam_fp16",)
"""Optimizers that are of use in half precision only."""

SCHEDULES = "schedules"
"""The folder of the runs with schedules."""

RULES = "rules"
"""The folder of the runs with rules for parameter groups."""

VIT = "vit"
"""The folder of the runs of the small transformer, with rules and without."""

FAST = "fast"
"""The folder of the runs of a fast network: what some seconds come to."""

TEN_MINUTES = "ten-minutes"
"""The folder of the runs that take about ten minutes on two threads."""

SITE_FOLDER = "results"
"""Where the records lie in the site."""

TO_ROOT = "../"
"""From a page that shows runs to the root of the site: all of them stand in one folder of it."""


def folder(experiment: str, *below: str) -> Path:
    """Return the folder of an experiment's records, or one below it."""
    return RESULTS.joinpath(experiment, *below)


def folders(experiment: str, optimizer: str) -> tuple[Path, ...]:
    """Return where the runs of an optimizer lie, its own conditions first."""
    usual = folder(experiment)
    return (usual / HALF, usual) if optimizer in IN_HALF else (usual,)


def records_in(*places: Path) -> list[Record]:
    """Return the records in some folders; unchanged files are read once."""
    return [record for place in places for record in _records(place)]


def _records(place: Path) -> Sequence[Record]:
    if not place.is_dir():
        return ()
    # Pages ask for the same folders again and again, and this is four times as fast as Path.glob.
    with os.scandir(place) as entries:
        files = (entry for entry in entries if entry.name.endswith(".json"))
        return _load(place, tuple(sorted((file.name, file.stat().st_mtime_ns) for file in files)))


@lru_cache(maxsize=64)
def _load(place: Path, versions: Sequence[tuple[str, int]]) -> tuple[Record, ...]:
    return tuple(load_all(place)) if versions else ()


def versions_of(runs: Iterable[Record]) -> tuple[tuple[Path, int], ...]:
    """Return what a figure of these runs depends on: the files, and when they were changed."""
    paths = [run.path for run in runs if run.path]
    return tuple((path, path.stat().st_mtime_ns) for path in paths)


def files_of(runs: Iterable[Record]) -> dict[str, Path]:
    """Return the files that a figure of these runs links to, by their paths in the site."""
    return {site_path(run.path): run.path for run in runs if run.path}


def site_path(file: Path) -> str:
    """Return the path in the site of a file in the folder of the results."""
    return f"{SITE_FOLDER}/{file.relative_to(RESULTS).as_posix()}"


def link(text: str, run: Record) -> Markup:
    """Return a number of a run, linked to its record."""
    return link_to(text, run.path) if run.path else Markup("{}").format(text)


def link_to(text: str, file: Path) -> Markup:
    """Return a text, linked to a file in the folder of the results."""
    return Markup('<a href="{}">{}</a>').format(TO_ROOT + site_path(file), text)


def linked_median(
    runs: Sequence[Record], value: Callable[[Record], float], form: Callable[[float], str]
) -> Markup:
    """Return the median of a value over some runs, linked to the run that is nearest to it."""
    middle = median(map(value, runs))
    ordered = sorted(runs, key=value)
    # With an even number of runs the median lies between two of them, and the lower one is taken.
    return link(form(middle), ordered[(len(ordered) - 1) // 2])


def linked_range(
    runs: Sequence[Record],
    value: Callable[[Record], float],
    form: Callable[[float], str],
    unit: str = "",
) -> Markup:
    """Return the median of a value over some runs with its range, each linked to its run.

    * `unit`: stands once, behind the median
    """
    text = linked_median(runs, value, lambda middle: form(middle) + unit)
    if len(runs) == 1:
        return text
    low, high = min(runs, key=value), max(runs, key=value)
    ends = (link(form(value(run)), run) for run in (low, high))
    return Markup("{} ({} to {})").format(text, *ends)

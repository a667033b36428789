"""Learning curves that a reader can change: the runs that the browser loads when it is asked to.

A *folder* of records has one script that holds the chart without runs (`experiments.curves.curves_form`) and lists
what can be compared; each optimizer of it, or schedule where the folder is about those, has one with its runs.
`experiments.explore` has what all charts share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments import committed
from experiments.committed import SCHEDULES, records_in, site_path
from experiments.curves import (
    DASHES,
    PALETTE,
    SOURCES,
    curves_form,
    group_by_schedule,
    group_by_seed,
)
from experiments.explore import browser_form, libraries, page_colour, place_of, registering
from experiments.records import Record

COMPARABLE = ("data", "model", "epochs", "batch_size")
"""Runs that agree in these can be compared."""

Series = Mapping[str, Sequence[Record]]
"""The runs of each line, by its label."""


def explore_place(lines: Series) -> Markup:
    """Return where the chart that a reader can change opens; nothing is seen of it without a script.

    There is none where a run does not come from a file.
    """
    runs = [run for group in lines.values() for run in group]
    if not all(run.path for run in runs):
        return Markup("")
    data = {
        "folders": list(dict.fromkeys(map(folder_of, runs))),
        "alike": alike(runs[0]),
        "lines": [
            [label, sorted({shelf_of(run) for run in group}), [_site_path(run) for run in group]]
            for label, group in lines.items()
        ],
    }
    return place_of(data)


def explore_files(runs: Sequence[Record]) -> dict[str, Path]:
    """Return the files that the chart of some runs may load, by their paths in the site."""
    folders = {folder_of(run) for run in runs if run.path}
    return libraries() | {
        name: path for folder in sorted(folders) for name, path in _folder_files(folder).items()
    }


def folder_of(run: Record) -> str:
    """Return the folder of a record within that of all results, such as `mnist/schedules`."""
    return _file(run).parent.relative_to(committed.RESULTS).as_posix()


def shelf_of(run: Record) -> str:
    """Return the name of the script that holds a run, such as `mnist/adam`."""
    folder = folder_of(run)
    about = "schedule" if folder.endswith(f"/{SCHEDULES}") else "optimizer"
    return f"{folder}/{run.configuration[about]}"


def alike(run: Record) -> str:
    """Return in words what runs must agree in to be compared."""
    return ", ".join(str(run.configuration[name]) for name in COMPARABLE)


def run_data(run: Record, label: str) -> dict[str, Any]:
    """Return what the browser needs of a run.

    * `label`: of its line
    """
    columns = {(table, name) for sources in SOURCES.values() for table, name, _ in sources}
    curves = {
        table: {name: list(run.curves[table][name]) for name in ("step", *names)}
        for table, names in _by_table(columns).items()
    }
    return {
        "label": label,
        "alike": alike(run),
        "seed": run.seed,
        "record": _site_path(run),
        "steps": run.final["step"],
        "seconds": run.times["duration_seconds"],
        "curves": curves,
    }


_files: dict[str, tuple[tuple[Record, ...], dict[str, Path]]] = {}


def _folder_files(folder: str) -> dict[str, Path]:
    """Return the scripts of a folder of records; those of unchanged records are made once."""
    records = tuple(records_in(committed.RESULTS / folder))
    known, files = _files.get(folder, ((), {}))
    if len(known) != len(records) or any(a is not b for a, b in zip(known, records, strict=True)):
        files = _make_files(folder, records)
        _files[folder] = (records, files)
    return files


def _make_files(folder: str, records: Sequence[Record]) -> dict[str, Path]:
    shelves: dict[str, list[Record]] = {}
    for record in records:
        shelves.setdefault(shelf_of(record), []).append(record)
    group = group_by_schedule if folder.endswith(f"/{SCHEDULES}") else group_by_seed
    index = {
        "form": browser_form(curves_form(records[0].data)),
        "sources": SOURCES,
        "palette": list(map(page_colour, PALETTE)),
        "dashes": DASHES,
        "shelves": sorted(shelves),
    }
    files = registering("litCharts", folder, index, file=f"{folder}/index.js")
    for shelf, runs in shelves.items():
        data = [run_data(run, label) for label, own in group(runs).items() for run in own]
        files |= registering("litRuns", shelf, data)
    return files


def _by_table(columns: set[tuple[str, str]]) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, name in sorted(columns):
        tables.setdefault(table, []).append(name)
    return tables


def _site_path(run: Record) -> str:
    return site_path(_file(run))


def _file(run: Record) -> Path:
    if run.path is None:
        raise ValueError("run must come from a file, got a record without a path")
    return run.path

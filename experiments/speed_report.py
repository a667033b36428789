"""The figures of the measurement of speed as tables and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.records import write_atomically
from experiments.speed_bars import Bar
from experiments.speed_figures import (
    LATER_GRAPHS,
    MOST_SPREAD,
    GroupFigures,
    HarnessFigures,
    ListFigures,
    SchedulerFigures,
    WayFigures,
)
from experiments.speed_first import Compilation
from experiments.speed_ways import COMPILE, DEFAULT, measured_as

NOISY = (
    f"~ noisy: the middle half of the rounds is wider than {MOST_SPREAD:.0%} of their median; "
    "measure again when the machine is quiet"
)


DIFFERENCE = "differ by: the largest difference between the parameters of two rows, at the end"


def list_table(figures: ListFigures) -> str:
    """Return everything that was measured on one list."""
    compared = figures.compared_with
    with_memory = any(way.peak_bytes is not None for way in figures.ways.values())
    memory = ["memory, MB", f"/ {compared[0]}"] if with_memory else []
    rows = [["", "ms a step", "spread", *(f"/ {name}" for name in compared), *memory]]
    for name, way in figures.ways.items():
        ratios = [f"{way.ratios[base]:.2f}" for base in compared]
        rows.append([name, _milliseconds(way), f"{way.spread:.2f}", *ratios, *_memory(way)])
    bars = ["", bar_table(figures.bars)] if figures.bars else []
    return "\n".join(
        [
            f"{measured_as(figures.optimizer)}, {figures.title}; {figures.rounds} rounds",
            align(rows),
            *bars,
            "",
            f"after {figures.steps} steps the rows' parameters differ by at most "
            f"{figures.largest_difference:.1e}",
            *_warning([figures]),
        ]
    )


def bar_table(bars: Sequence[Bar]) -> str:
    """Return one line for each bar: what is to be reached, and what was measured."""
    rows = [["", "to reach", "measured", ""]]
    for bar in bars:
        limit, measured = (f"{value:.{bar.digits}f}" for value in (bar.limit, bar.measured))
        rows.append([bar.label, limit, measured, "" if bar.reached else "missed"])
    return align(rows)


def overview_table(several: Sequence[ListFigures]) -> str:
    """Return the default way and the compiled one of several optimizers on one list."""
    rows = [
        ["", "default", "compile", "against", "its ms", "default / it", "compile / it", "differ by"]
    ]
    for figures in several:
        compared = dict.fromkeys([figures.compared_with[0], figures.fastest])
        rows += [_overview_row(figures, base) for base in compared]
    # There are many optimizers, and what goes without saying is not said of each.
    bars = [
        _named(bar, figures.optimizer)
        for figures in several
        for bar in figures.bars
        if bar.label != LATER_GRAPHS or not bar.reached
    ]
    table = ["", bar_table(bars)] if bars else []
    return "\n".join([several[0].title, align(rows), *table, "", DIFFERENCE, *_warning(several)])


def _overview_row(figures: ListFigures, base: str) -> list[str]:
    own = [figures.ways.get(name) for name in (DEFAULT, COMPILE)]
    times = [_milliseconds(way) if way else "-" for way in own]
    ratios = [f"{way.ratios[base]:.2f}" if way else "-" for way in own]
    difference = f"{figures.largest_difference:.0e}"
    return [
        measured_as(figures.optimizer),
        *times,
        base,
        _milliseconds(figures.ways[base]),
        *ratios,
        difference,
    ]


def _named(bar: Bar, optimizer: str) -> Bar:
    return Bar(f"{optimizer}: {bar.label}", bar.limit, bar.measured, bar.digits)


def harness_table(figures: HarnessFigures) -> str:
    """Return what the harness costs."""
    rows = [["", "seconds", "spread"]]
    for name, seconds in figures.seconds.items():
        rows.append([name, f"{seconds:.2f}", f"{figures.spread[name]:.2f}"])
    accuracies = " and ".join(f"{accuracy:.2%}" for accuracy in figures.accuracies)
    noisy = any(spread > MOST_SPREAD for spread in figures.spread.values())
    return "\n".join(
        [
            f"{figures.optimizer}, {figures.epochs:g} epoch of {figures.data}, network {figures.model}; "
            f"{figures.rounds} rounds",
            align(rows),
            "",
            bar_table([figures.bar]),
            "",
            f"all trainings end with a test accuracy of {accuracies}",
            *([NOISY] if noisy else []),
        ]
    )


def scheduler_table(figures: SchedulerFigures) -> str:
    """Return what a step of a scheduler costs."""
    head = f"a schedule written into {figures.groups} groups; {figures.rounds} rounds"
    times = {"microseconds": figures.microseconds}
    return _cost_table(head, times, figures.spread, figures.bars)


def group_table(figures: GroupFigures) -> str:
    """Return what making parameter groups costs."""
    head = f"groups of {figures.parameters:,} parameters; {figures.rounds} rounds"
    times = {"milliseconds": figures.milliseconds}
    return _cost_table(head, times, figures.spread, figures.bars)


def _cost_table(
    head: str,
    times: Mapping[str, Mapping[str, float]],
    spreads: Mapping[str, float],
    bars: Sequence[Bar],
) -> str:
    """Return rows of times in one unit, and what they should reach."""
    ((unit, values),) = times.items()
    rows = [["", unit, "spread"]]
    rows += [[name, f"{value:.1f}", f"{spreads[name]:.2f}"] for name, value in values.items()]
    noisy = any(spread > MOST_SPREAD for spread in spreads.values())
    return "\n".join([head, align(rows), "", bar_table(bars), *(["", NOISY] if noisy else [])])


def align(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _milliseconds(way: WayFigures) -> str:
    return f"{'~' if way.noisy else ''}{way.milliseconds:.2f}"


def _memory(way: WayFigures) -> list[str]:
    if way.peak_bytes is None or way.memory_ratio is None:
        return []
    return [f"{way.peak_bytes / 1e6:.1f}", f"{way.memory_ratio:.2f}"]


def _warning(several: Sequence[ListFigures]) -> list[str]:
    noisy = any(way.noisy for figures in several for way in figures.ways.values())
    return [NOISY] if noisy else []


def save_figures(
    path: Path,
    environment: Mapping[str, str | int],
    lists: Sequence[ListFigures],
    harness: HarnessFigures | None,
    schedulers: SchedulerFigures | None,
    groups: GroupFigures | None,
) -> None:
    """Write all figures as JSON, with the hardware and versions that they belong to."""
    content = {
        "environment": environment,
        "lists": [asdict(figures) for figures in lists],
        "harness": None if harness is None else asdict(harness),
        "schedulers": None if schedulers is None else asdict(schedulers),
        "param_groups": None if groups is None else asdict(groups),
    }
    write_atomically(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def load_lists(path: Path) -> tuple[dict[str, Any], list[ListFigures]]:
    """Return the environment and the lists that `save_figures` has written."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["environment"], [_list_figures(fields) for fields in content["lists"]]


def _list_figures(fields: Mapping[str, Any]) -> ListFigures:
    compilation = fields["compilation"]
    parts = {
        "ways": {name: WayFigures(**way) for name, way in fields["ways"].items()},
        "compilation": None if compilation is None else Compilation(**compilation),
        "bars": [Bar(**bar) for bar in fields["bars"]],
    }
    return ListFigures(**{**fields, **parts})

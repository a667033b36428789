"""The figures of the page of results: for each experiment a table of all optimizers, and their searches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from markupsafe import Markup

from experiments import outline
from experiments.catalog import CATALOG
from experiments.committed import (
    EXPERIMENTS,
    RULES,
    files_of,
    folder,
    link,
    link_to,
    linked_median,
    records_in,
    site_path,
)
from experiments.curves import steps_to
from experiments.headlines import headline_figures
from experiments.library import state_numbers
from experiments.rate_panels import has_lost_runs, panels
from experiments.records import Record
from experiments.result_rows import (
    Row,
    by_rate,
    exceptions,
    good_rates,
    rows,
    usual,
)
from experiments.rule_rows import rules_figure
from experiments.run_figures import (
    BY_OPTIMIZER,
    TELLING,
    accuracy,
    caption,
    conditions,
    linked_accuracies,
    search_conditions,
    search_place,
    thread_count,
)
from experiments.sensitivity import held_out_loss
from experiments.sortable import Cell, Column, missing, sortable_table
from experiments.step_times import COMMAND, StepTimes, step_times
from site_gen.plugins import Figure

CHAPTER = "../optimizers/{}.html"
"""The address of an optimizer's chapter, seen from the page."""

NO_RUN = missing("no run")


def results_figures() -> Iterator[Figure]:
    """Yield the headlines, and the tables and charts of every experiment that has a committed run."""
    yield from headline_figures()
    for experiment, title in EXPERIMENTS.items():
        found = rows(experiment)
        if any(row.runs or row.search for row in found):
            yield _all_optimizers(found, experiment, title)
        if searched := [row for row in found if row.search]:
            yield _searches(searched, experiment, title)
        if runs := records_in(folder(experiment, RULES)):
            name = f"{title}: rules for parameter groups"
            others = records_in(folder(experiment))
            yield rules_figure(name, f"{experiment}-rules", runs, others)


def _all_optimizers(found: Sequence[Row], experiment: str, title: str) -> Figure:
    """Return the table of all optimizers in one experiment, with what it was measured under."""
    target, times = CATALOG[experiment].target, step_times()
    runs = [run for row in found for run in row.runs]
    table = sortable_table(
        _columns(target),
        [_cells(row, target, usual(runs), times) for row in found],
        [outline.place(row.optimizer)[0] for row in found],
    )
    files = files_of([*runs, *(run for row in found for run in _ends(row))])
    if times:
        files[site_path(times.path)] = times.path
    html = Markup('<div class="results" data-parts="{}">{}</div>{}').format(
        "|".join(_parts(found)), table, _below(found, usual(runs), times)
    )
    return Figure(f"{title}: all optimizers", experiment, html, files)


def _columns(target: float) -> list[Column]:
    return [
        Column("Optimizer"),
        Column("Part"),
        Column("Learning rate"),
        Column("Test accuracy", falls=True, is_sorted=True),
        Column("Test loss"),
        Column(f"Steps to {100 * target:g} %"),
        Column("Good rates", falls=True),
        Column("Step, ms"),
        Column("State"),
    ]


def _cells(
    row: Row, target: float, usual_runs: Sequence[Record], times: StepTimes | None
) -> list[Cell]:
    part, chapter = outline.place(row.optimizer)
    return [
        Cell(_name(row, usual_runs), row.label),
        Cell(str(part), part * 1000 + chapter) if part else missing("none"),
        NO_RUN if row.rate is None else Cell(f"{row.rate:g}", row.rate),
        _accuracy(row),
        _median(row.runs, held_out_loss, "{:.4f}", "diverged"),
        _median(row.runs, lambda run: steps_to(run, target), "{:.0f}", "never"),
        _good_rates(row),
        _step_time(row, times),
        _state(row),
    ]


def _name(row: Row, usual_runs: Sequence[Record]) -> Markup:
    """Return the name, linked to the chapter, and the conditions that are not the usual ones."""
    differing = exceptions(row.runs[0], usual_runs[0]) if row.runs else {}
    named = "".join(f", {key} {value or 'none'}" for key, value in differing.items())
    address = CHAPTER.format(row.optimizer)
    return Markup('<a href="{}">{}</a>{}').format(address, row.label, named)


def _accuracy(row: Row) -> Cell:
    if not row.runs:
        return NO_RUN
    return Cell(linked_accuracies(row.runs), median(map(accuracy, row.runs)))


def _median(
    runs: Sequence[Record], value: Callable[[Record], float], form: str, infinite: str
) -> Cell:
    """Return the median of a value that has a word for infinity."""
    if not runs:
        return NO_RUN

    def shown(number: float) -> str:
        return infinite if math.isinf(number) else form.format(number)

    middle = median(map(value, runs))
    return Cell(linked_median(runs, value, shown), None if math.isinf(middle) else middle)


def _ends(row: Row) -> list[Record]:
    """Return a run at the least and one at the greatest of the good rates, where there are any."""
    good = good_rates(row.search)
    runs = by_rate(row.search)
    return [runs[rate][0] for rate in dict.fromkeys([good[0], good[-1]])] if good else []


def _good_rates(row: Row) -> Cell:
    """Return the ends of the good rates, linked to their runs; they are sorted by their ratio."""
    if not row.search:
        return missing("no search")
    if not (ends := _ends(row)):
        return missing("none")
    rates = [float(end.configuration["lr"]) for end in ends]
    texts = (link(f"{rate:g}", end) for rate, end in zip(rates, ends, strict=True))
    return Cell(Markup(" to ").join(texts), rates[-1] / rates[0])


def _step_time(row: Row, times: StepTimes | None) -> Cell:
    if times is None or row.optimizer not in times.milliseconds:
        return missing("not measured")
    milliseconds = times.milliseconds[row.optimizer]
    text = f"{'~' if row.optimizer in times.noisy else ''}{milliseconds:.2f}"
    return Cell(link_to(text, times.path), milliseconds)


def _state(row: Row) -> Cell:
    runs = row.runs or row.search
    settings = (runs[0].configuration["options"], runs[0].configuration["dtype"]) if runs else ()
    numbers = state_numbers(row.optimizer, *settings)
    return Cell(f"{numbers:.3g}", numbers)


def _parts(found: Sequence[Row]) -> list[str]:
    """Return numbers and titles of the parts that the rows belong to."""
    numbers = {outline.place(row.optimizer)[0] for row in found}
    return [
        f"{number} · {title}"
        for number, title in outline.part_titles().items()
        if number in numbers
    ]


def _below(found: Sequence[Row], runs: Sequence[Record], times: StepTimes | None) -> Markup:
    """Return what stands below the table: conditions, where the times come from, and the parts."""
    texts = [conditions(runs, BY_OPTIMIZER, "ranges")] if runs else []
    if times:
        environment = times.environment
        texts.append(
            caption(
                "A step: the default way on the parameters of {}; torch {}, {} of {}.",
                times.title,
                environment["torch"],
                thread_count(environment),
                environment["processor"],
            )
        )
    else:
        texts.append(caption("A step was not measured yet: <code>{}</code>", COMMAND))
    texts.append(caption("Parts: {}.", "; ".join(_parts(found))))
    return Markup("").join(texts)


def _searches(searched: Sequence[Row], experiment: str, title: str) -> Figure:
    """Return the panels of the searches, in the order of the chapters, and one chart of all of them."""
    ordered = sorted(searched, key=lambda row: outline.place(row.optimizer))
    runs = [run for row in ordered for run in row.search]
    parts = [outline.place(row.optimizer)[0] for row in ordered]
    place, files = search_place(
        {row.label: row.search for row in ordered},
        {row.label: row.rate for row in ordered if row.rate is not None},
        [row.label for row in ordered if row.optimizer in TELLING],
    )
    html = panels(ordered, experiment, parts) + search_conditions(
        usual(runs), has_lost_runs=has_lost_runs(ordered)
    )
    name = f"{title}: held-out loss over the learning rate"
    return Figure(name, f"{experiment}-rates", html + place, files_of(runs) | files)

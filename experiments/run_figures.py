"""Figures of committed runs: learning curves, the search for the learning rate, and their numbers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.catalog import CATALOG
from experiments.committed import (
    EXPERIMENTS,
    SEARCHES,
    files_of,
    folder,
    folders,
    linked_range,
    records_in,
    versions_of,
)
from experiments.curves import (
    Grouping,
    group_by_rate,
    group_by_seed,
    learning_curves,
    to_page_svg,
)
from experiments.data import HELD_OUT
from experiments.explore import chart_place
from experiments.explore_runs import COMPARABLE, explore_files, explore_place
from experiments.records import Record
from experiments.schedules import schedule_words, setting_text
from experiments.sensitivity import (
    MOST_LOSS,
    held_out_loss,
    sensitivity_chart,
    shows_lost_runs,
)
from site_gen.plugins import Figure

BASELINES = {"adamw": ("sgd", "adam"), "sgd": ("adamw",), "adam_fp16": ("adam", "adamw", "sgd")}
DEFAULT_BASELINES = ("adamw", "sgd")
"""What an optimizer is shown beside."""

TELLING = ("adamw", "sgd", "adagrad", "signum")
"""Optimizers whose curves stand for all the others: lines of twenty could not be told apart."""

OF_ALL = "results.html"
"""The address of the page with all results, seen from that of an experiment."""

RULE = (
    *("optimizer", "options", "dtype", "model", "rules"),
    *("schedule", "schedule_options", "wd_schedule", "wd_schedule_options"),
)
DATA_NAMES = EXPERIMENTS | {"digits": "the 8x8 digits"}


def optimizer_figures(name: str) -> Iterator[Figure]:
    """Yield for each experiment the curves of an optimizer's runs and of its search.

    They are drawn beside those of the base lines. There is no figure without a run of its own.
    """
    for experiment in EXPERIMENTS:
        places = folders(experiment, name)
        finals = records_in(*places)
        if runs := runs_to_compare(finals, name):
            yield comparison(runs, BY_OPTIMIZER, experiment)
        searches = records_in(*(place / SEARCHES for place in places))
        if runs := runs_to_compare(searches, name):
            yield search_figure(runs, finals, experiment)


@dataclass(frozen=True)
class Subject:
    """What tells the runs of a figure apart.

    * `head`: what the table calls it
    * `group`: gives the runs of each line
    * `others`: says what the runs have instead of it, for the caption
    """

    head: str
    group: Grouping
    others: Callable[[Sequence[Record]], str]


def comparison(runs: Sequence[Record], subject: Subject, experiment: str) -> Figure:
    """Return the learning curves of some runs, their numbers, and their conditions."""
    html = (
        _learning_curves(runs, subject)
        + plain_table((subject.head, *FINAL_HEAD), _final_rows(runs, subject))
        + conditions(runs, subject)
    )
    title, name = f"Runs on {data_name(runs[0])}", anchor("curves", experiment)
    return Figure(title, name, html, files_of(runs) | explore_files(runs))


def anchor(kind: str, experiment: str) -> str:
    """Return the anchor of a figure; those of the first experiment do without its name."""
    return kind if experiment == next(iter(EXPERIMENTS)) else f"{kind}-{experiment}"


def first_run(name: str) -> Record | None:
    """Return the first of an optimizer's committed runs, the one that its page begins with."""
    for experiment in EXPERIMENTS:
        runs = [run for run in records_in(*folders(experiment, name)) if run.optimizer == name]
        if runs:
            return min(runs, key=lambda run: run.seed)
    return None


def command(run: Record) -> str:
    """Return the command that repeats a run of an experiment.

    It names optimizer and learning rate, and what the experiment would not take by itself.
    """
    experiment, settings = CATALOG[run.experiment], run.configuration
    recipe = experiment.recipes[settings["model"]].with_optimizer(run.optimizer)
    words = ["python", "-m", f"experiments.{run.experiment}"]
    words += _words(settings, model=experiment.model)
    words += ["--optimizer", run.optimizer, "--lr", f"{settings['lr']:g}"]
    for name, value in settings["options"].items():
        words += ["--set", f"{name}={setting_text(value)}"]
    words += schedule_words(settings, recipe.schedule, recipe.schedule_settings)
    for rule_text in settings["rules"]:
        words += ["--rule", rule_text]
    usual = {name: getattr(recipe, name) for name in ("epochs", "batch_size", "dtype")}
    words += _words(settings, **usual, data=experiment.data, seed=0)
    return shlex.join(words)


def _words(settings: Mapping[str, Any], **usual: float | str) -> list[str]:
    """Return the options of the command line whose values are not the usual ones."""
    words = []
    for name, value in usual.items():
        if (own := settings[name]) != value:
            text = f"{own:g}" if isinstance(own, float) else str(own)
            words += [f"--{name.replace('_', '-')}", text]
    return words


def experiment_figures(experiment: str) -> Iterator[Figure]:
    """Yield the curves of a few optimizers, with a link to the numbers of all."""
    if not (runs := records_in(folder(experiment))):
        return
    shown = [
        run for name in TELLING for run in runs if run.optimizer == name and _alike(run, runs[0])
    ]
    shown = shown or runs
    of_all = Markup('<p>The numbers of all optimizers are among the <a href="{}">results</a>.</p>')
    html = _learning_curves(shown, BY_OPTIMIZER) + conditions(shown, BY_OPTIMIZER)
    html += of_all.format(f"{OF_ALL}#{experiment}")
    yield Figure(
        f"Runs on {data_name(runs[0])}", "curves", html, files_of(shown) | explore_files(shown)
    )


def runs_to_compare(records: Sequence[Record], name: str) -> list[Record]:
    """Return the runs of an optimizer, and those of its base lines under the same conditions.

    The same conditions are the same data, epochs and batch size as in its first run.
    Empty where the optimizer has no run.
    """
    own = [record for record in records if record.optimizer == name]
    others = BASELINES.get(name, DEFAULT_BASELINES)
    return own + [
        record
        for other in others
        for record in records
        if own and record.optimizer == other != name and _alike(record, own[0])
    ]


def _alike(one: Record, other: Record) -> bool:
    return _settings_of(one, COMPARABLE) == _settings_of(other, COMPARABLE)


def _settings_of(run: Record, keys: Sequence[str]) -> dict[str, Any]:
    return {key: run.configuration[key] for key in keys}


def _learning_curves(runs: Sequence[Record], subject: Subject) -> Markup:
    groups = subject.group(runs)
    title = f"Learning curves on {data_name(runs[0])}: {', '.join(groups)}"
    description = ". ".join(
        f"{label}: test accuracy {linked_accuracies(group).striptags()}"
        for label, group in groups.items()
    )
    chart = _drawn(
        versions_of(runs), lambda: learning_curves(runs, subject.group), title, description
    )
    return chart + explore_place(groups)


def search_figure(runs: Sequence[Record], finals: Sequence[Record], experiment: str) -> Figure:
    """Return the chart of searches and its conditions."""
    groups = group_by_rate(runs)
    rates = {rule(final): final.configuration["lr"] for final in finals}
    chosen = {
        label: rates[rule(points[0])]
        for label, points in groups.items()
        if rule(points[0]) in rates
    }
    chart = _drawn(
        versions_of([*runs, *finals]),
        lambda: sensitivity_chart(groups, chosen),
        f"Held-out loss over the learning rate: {', '.join(groups)}",
        ". ".join(f"{label}: {_losses(points)}" for label, points in groups.items()),
    )
    place, files = search_place(groups, chosen)
    html = chart + place + search_conditions(runs, has_lost_runs=shows_lost_runs(groups))
    title = f"The choice of the learning rate on {data_name(runs[0])}"
    return Figure(title, anchor("sensitivity", experiment), html, files)


def search_place(
    searches: Mapping[str, Sequence[Record]],
    chosen: Mapping[str, float],
    shown: Sequence[str] = (),
) -> tuple[Markup, dict[str, Path]]:
    """Return where the chart of some searches opens for a reader to change, and its files.

    * `chosen`, `shown`: as in `sensitivity_chart` and in `chart_place`
    """
    records = {label: _files_by_rate(runs) for label, runs in searches.items()}
    return chart_place(sensitivity_chart(searches, chosen), records, shown)


def _files_by_rate(runs: Sequence[Record]) -> dict[str, Path]:
    """Return the files of the runs of a search by their rates, and by their seeds if there are several."""
    seeds = {run.seed for run in runs}
    return {
        f"{run.configuration['lr']:g}" + (f", seed {run.seed}" if len(seeds) > 1 else ""): run.path
        for run in sorted(runs, key=lambda run: (float(run.configuration["lr"]), run.seed))
        if run.path
    }


def search_conditions(runs: Sequence[Record], *, has_lost_runs: bool) -> Markup:
    """Say under which conditions the runs of a search were made, and what its chart shows."""
    lost = f" A triangle at the upper edge is a run that diverged, or whose loss is above {MOST_LOSS:g}."
    seeds = "seed 0" if _seeds(runs) == "0" else f"seeds {_seeds(runs)}"
    return caption(
        "{} The loss is that on {:,} of the training images, which were held back.{}",
        _settings(runs, seeds, BY_OPTIMIZER),
        runs[0].data["test_samples"],
        lost if has_lost_runs else "",
    )


def rule(record: Record) -> str:
    """Return what a search and the runs at the rate that it chose have in common."""
    return json.dumps(_settings_of(record, RULE), sort_keys=True)


def _losses(points: Sequence[Record]) -> str:
    ordered = sorted(points, key=lambda point: float(point.configuration["lr"]))
    texts = (f"{held_out_loss(p):.3g} at {p.configuration['lr']:g}" for p in ordered)
    return ", ".join(texts).replace("inf", "diverged")


_charts: dict[tuple[Any, ...], Markup] = {}


def _drawn(
    versions: tuple[tuple[Path, int], ...],
    spec: Callable[[], dict[str, Any]],
    title: str,
    description: str,
) -> Markup:
    """Return the chart for a page; one whose files did not change is drawn once."""
    key = (versions, title, description)
    if key not in _charts:
        _charts[key] = Markup(to_page_svg(spec(), title=title, description=description))
    return _charts[key]


FINAL_HEAD = ("Learning rate", "Runs", "Test accuracy")


def _final_rows(runs: Sequence[Record], subject: Subject) -> list[tuple[str | Markup, ...]]:
    """Return label, learning rate, number of runs, and median and range of the accuracy."""
    return [
        (label, f"{group[0].configuration['lr']:g}", str(len(group)), linked_accuracies(group))
        for label, group in subject.group(runs).items()
    ]


def accuracy(run: Record) -> float:
    """Return the accuracy on the test set at the end of a run, in percent."""
    return 100 * float(run.final["test_accuracy"])


def linked_accuracies(runs: Sequence[Record]) -> Markup:
    """Return the median of the accuracies with its range, in percent, linked to the records."""
    return linked_range(runs, accuracy, "{:.2f}".format, " %")


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a table whose cells are shown as they are: text, or `Markup`."""
    cells = Markup("").join(Markup("<th>{}</th>").format(name) for name in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(value) for value in row)
        )
        for row in rows
    )
    return Markup(
        '<div class="lit-table"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(cells, body)


def conditions(runs: Sequence[Record], subject: Subject, spread: str = "bands") -> Markup:
    """Say under which conditions the runs were made.

    * `spread`: what shows how far the seeds lie apart
    """
    places = {run.path.parent for run in runs if run.path}
    searched = {_point(run) for run in records_in(*(place / SEARCHES for place in places))}
    chosen = all(_point(run) in searched for run in runs)
    return caption(
        "{} Medians and {} are over the seeds.{}",
        _settings(runs, f"seeds {_seeds(runs)}", subject),
        spread,
        " Each learning rate was chosen on images held back from training." if chosen else "",
    )


def _point(record: Record) -> tuple[str, float]:
    return rule(record), record.configuration["lr"]


def _settings(runs: Sequence[Record], seeds: str, subject: Subject) -> str:
    run = runs[0]
    settings = run.configuration
    epochs = "One epoch" if settings["epochs"] == 1 else f"{settings['epochs']:g} epochs"
    mixed = all(each.configuration["dtype"] == "mixed" for each in runs)
    precision = "computed in bfloat16 where that is safe, " if mixed else ""
    return (
        f"{epochs} of {run.data['train_samples']:,} images of {data_name(run)}, "
        f"network {settings['model']}, {settings['batch_size']} a step, {precision}{subject.others(runs)}, {seeds}; "
        f"{_places(runs)}."
    )


def _places(runs: Sequence[Record]) -> str:
    """Say where the runs were made, one place after the other if there are several."""
    places = (
        f"torch {run.environment['torch']}, {thread_count(run.environment)} of "
        f"{run.environment['processor']}"
        for run in runs
    )
    return "; ".join(dict.fromkeys(places))


def thread_count(environment: Mapping[str, Any]) -> str:
    """Say on how many threads something ran."""
    threads = environment["threads"]
    return "one thread" if threads == 1 else f"{threads} threads"


def _schedules(runs: Sequence[Record]) -> str:
    """Say how the learning rate falls, or for whom it falls how."""
    owners: dict[str, list[str]] = {}
    for run in runs:
        names = owners.setdefault(schedule_of(run), [])
        if run.optimizer not in names:
            names.append(run.optimizer)
    if len(owners) == 1:
        return f"{next(iter(owners))} learning rate"
    named = (f"{schedule} for {', '.join(names)}" for schedule, names in owners.items())
    return f"learning rate {'; '.join(named)}"


def schedule_of(run: Record) -> str:
    """Name the schedules of a run, with the arguments that were set."""
    named = {"": "schedule", " and weight decay ": "wd_schedule"}
    texts = []
    for before, field in named.items():
        if name := run.configuration[field]:
            options = run.configuration[f"{field}_options"].items()
            values = ", ".join(f"{option} {setting_text(value)}" for option, value in options)
            texts.append(f"{before}{name} ({values})" if values else f"{before}{name}")
    return "".join(texts)


BY_OPTIMIZER = Subject("Optimizer", group_by_seed, _schedules)


def _seeds(runs: Sequence[Record]) -> str:
    return ", ".join(map(str, sorted({run.seed for run in runs})))


def caption(text: str, *values: Any) -> Markup:
    """Return what stands below a figure; values that are no `Markup` are put in as text."""
    return Markup('<p class="curve-conditions">{}</p>').format(Markup(text).format(*values))


def data_name(run: Record) -> str:
    """Return the name of the data as its readers know it."""
    name = str(run.data["name"]).removesuffix(HELD_OUT)
    return DATA_NAMES.get(name, name)

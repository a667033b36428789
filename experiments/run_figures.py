"""Figures of committed runs: learning curves, the search for the learning rate, and their numbers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from markupsafe import Markup

from experiments.curves import (
    Grouping,
    group_by_rate,
    group_by_seed,
    learning_curves,
    to_page_svg,
)
from experiments.library import state_numbers
from experiments.records import Record, load_all
from experiments.schedules import schedule_words, setting_text
from experiments.sensitivity import (
    MOST_LOSS,
    held_out_loss,
    sensitivity_chart,
    shows_lost_runs,
)
from site_gen.plugins import Figure

RESULTS = Path(__file__).parent / "results" / "mnist"
SEARCHES = "sweep"
"""The folder of the runs of the searches, in that of the results."""

HALF = "bfloat16"
"""The folder of runs in bfloat16, which has its own searches."""

IN_HALF = ("adam_fp16",)
"""Optimizers that are of use in half precision only."""

BASELINES = {"adamw": ("sgd", "adam"), "sgd": ("adamw",), "adam_fp16": ("adam", "adamw", "sgd")}
DEFAULT_BASELINES = ("adamw", "sgd")
"""What an optimizer is shown beside."""

TELLING = ("adamw", "sgd", "adagrad", "signum")
"""Optimizers whose curves stand for all the others: lines of twenty could not be told apart."""

CHAPTER = "../optimizers/{}.html"
"""The address of an optimizer's chapter, seen from that of an experiment."""

RULE = (
    *("optimizer", "options", "dtype"),
    *("schedule", "schedule_options", "wd_schedule", "wd_schedule_options"),
)
COMPARABLE = ("data", "epochs", "batch_size")
DATA_NAMES = {
    "mnist": "MNIST",
    "mnist-held-out": "MNIST",
    "digits": "the 8x8 digits",
    "digits-held-out": "the 8x8 digits",
}


def optimizer_figures(name: str) -> Iterator[Figure]:
    """Yield the curves of an optimizer's runs and of its search, beside those of the base lines."""
    folders = _folders(name)
    finals = _records(folders)
    if runs := runs_to_compare(finals, name):
        yield comparison(runs, BY_OPTIMIZER)
    if runs := runs_to_compare(_records([folder / SEARCHES for folder in folders]), name):
        yield Figure("The choice of the learning rate", "sensitivity", _search(runs, finals))


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


def comparison(runs: Sequence[Record], subject: Subject) -> Figure:
    """Return the learning curves of some runs, their numbers, and their conditions."""
    html = (
        _learning_curves(runs, subject)
        + _table((subject.head, *FINAL_HEAD), _final_rows(runs, subject))
        + _conditions(runs, subject)
    )
    return Figure(f"Runs on {_data_name(runs[0])}", "curves", html)


def first_run(name: str) -> Record | None:
    """Return the first of an optimizer's committed runs, the one that its page begins with."""
    runs = (run for run in _records(_folders(name)) if run.optimizer == name)
    return min(runs, key=lambda run: run.seed, default=None)


def command(run: Record) -> str:
    """Return the command that repeats a run of an experiment, but for what is the default."""
    settings = run.configuration
    words = ["python", "-m", f"experiments.{run.experiment}", "--optimizer", run.optimizer]
    words += ["--lr", f"{settings['lr']:g}"]
    for name, value in settings["options"].items():
        words += ["--set", f"{name}={setting_text(value)}"]
    words += schedule_words(settings)
    if settings["dtype"] != "float32":
        words += ["--dtype", settings["dtype"]]
    return shlex.join(words)


def _folders(name: str) -> tuple[Path, ...]:
    return (RESULTS / HALF, RESULTS) if name in IN_HALF else (RESULTS,)


def _records(folders: Iterable[Path]) -> list[Record]:
    return [record for folder in folders for record in committed_records(folder)]


def experiment_figures() -> Iterator[Figure]:
    """Yield the curves of a few optimizers, and the numbers of all."""
    if not (runs := committed_records(RESULTS)):
        return
    shown = [
        run for name in TELLING for run in runs if run.optimizer == name and _alike(run, runs[0])
    ]
    shown = shown or runs
    html = _learning_curves(shown, BY_OPTIMIZER) + _conditions(shown, BY_OPTIMIZER)
    yield Figure(f"Runs on {_data_name(runs[0])}", "curves", html)
    in_half = [run for run in committed_records(RESULTS / HALF) if run.optimizer in IN_HALF]
    html = _table(ALL_HEAD, _all_rows([*runs, *in_half])) + _caption(ALL_CAPTION)
    yield Figure("All optimizers", "all-optimizers", html)


def committed_records(folder: Path) -> list[Record]:
    """Return the records in a folder; unchanged files are read once."""
    paths = sorted(folder.glob("*.json"))
    return list(_load(tuple((path, path.stat().st_mtime_ns) for path in paths)))


@lru_cache(maxsize=8)
def _load(versions: Sequence[tuple[Path, int]]) -> tuple[Record, ...]:
    return tuple(load_all(versions[0][0].parent)) if versions else ()


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
    return all(one.configuration[key] == other.configuration[key] for key in COMPARABLE)


def _learning_curves(runs: Sequence[Record], subject: Subject) -> Markup:
    rows = [(row[0], row[-1]) for row in _final_rows(runs, subject)]
    title = f"Learning curves on {_data_name(runs[0])}: {', '.join(label for label, _ in rows)}"
    description = ". ".join(f"{label}: test accuracy {accuracy}" for label, accuracy in rows)
    return _drawn(_versions(runs), lambda: learning_curves(runs, subject.group), title, description)


def _search(runs: Sequence[Record], finals: Sequence[Record]) -> Markup:
    """Return the chart of a search and its conditions."""
    groups = group_by_rate(runs)
    rates = {_rule(final): final.configuration["lr"] for final in finals}
    chosen = {
        label: rates[_rule(points[0])]
        for label, points in groups.items()
        if _rule(points[0]) in rates
    }
    description = ". ".join(f"{label}: {_losses(points)}" for label, points in groups.items())
    title = f"Held-out loss over the learning rate: {', '.join(groups)}"
    chart = _drawn(
        _versions([*runs, *finals]), lambda: sensitivity_chart(groups, chosen), title, description
    )
    lost = " A triangle at the upper edge is a run that diverged, or whose loss is above {:g}."
    return chart + _caption(
        "{} The loss is that on {:,} of the training images, which were held back.{}",
        _settings(runs, "seed 0" if _seeds(runs) == "0" else f"seeds {_seeds(runs)}", BY_OPTIMIZER),
        runs[0].data["test_samples"],
        lost.format(MOST_LOSS) if shows_lost_runs(groups) else "",
    )


def _rule(record: Record) -> str:
    """Return what a search and the runs at the rate that it chose have in common."""
    return json.dumps({key: record.configuration[key] for key in RULE}, sort_keys=True)


def _losses(points: Sequence[Record]) -> str:
    ordered = sorted(points, key=lambda point: float(point.configuration["lr"]))
    texts = (f"{held_out_loss(p):.3g} at {p.configuration['lr']:g}" for p in ordered)
    return ", ".join(texts).replace("inf", "diverged")


def _versions(runs: Sequence[Record]) -> tuple[tuple[Path, int], ...]:
    """Return what a chart of these runs depends on: the files, and when they were changed."""
    paths = [run.path for run in runs if run.path]
    return tuple((path, path.stat().st_mtime_ns) for path in paths)


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
ALL_HEAD = ("Optimizer", "Learning rate", "Test accuracy", "State")
ALL_CAPTION = (
    "Conditions as above but for what a name is followed by; the accuracy is the median of the seeds, with its range. State: how many "
    "numbers the optimizer keeps for each parameter."
)


def _final_rows(runs: Sequence[Record], subject: Subject) -> list[tuple[str, ...]]:
    """Return label, learning rate, number of runs, and median and range of the accuracy."""
    return [
        (label, f"{group[0].configuration['lr']:g}", str(len(group)), _accuracy(group))
        for label, group in subject.group(runs).items()
    ]


def _all_rows(runs: Sequence[Record]) -> list[tuple[str | Markup, ...]]:
    """Return one row for each configuration, the most accurate first, linked to its chapter."""
    groups = sorted(group_by_seed(runs).items(), key=lambda item: -_median(item[1]))
    return [
        (
            Markup('<a href="{}">{}</a>{}').format(
                CHAPTER.format(group[0].optimizer), label, _exceptions(group[0], runs[0])
            ),
            f"{group[0].configuration['lr']:g}",
            _accuracy(group),
            f"{_state(group[0]):.3g}",
        )
        for label, group in groups
    ]


def _state(run: Record) -> float:
    settings = run.configuration
    return state_numbers(run.optimizer, settings["options"], settings["dtype"])


def _exceptions(run: Record, usual: Record) -> str:
    """Name the conditions of a run that are not the usual ones."""
    own, others = run.configuration, usual.configuration
    differing = [key for key in ("schedule", "wd_schedule", "dtype") if own[key] != others[key]]
    return "".join(f", {key} {own[key] or 'none'}" for key in differing)


def _median(runs: Sequence[Record]) -> float:
    return median(float(run.final["test_accuracy"]) for run in runs)


def _accuracy(runs: Sequence[Record]) -> str:
    accuracies = [100 * float(run.final["test_accuracy"]) for run in runs]
    spread = f" ({min(accuracies):.2f} to {max(accuracies):.2f})" if len(runs) > 1 else ""
    return f"{median(accuracies):.2f} %{spread}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
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


def _conditions(runs: Sequence[Record], subject: Subject) -> Markup:
    """Say under which conditions the runs were made."""
    folders = {run.path.parent for run in runs if run.path}
    searched = {_point(run) for folder in folders for run in committed_records(folder / SEARCHES)}
    chosen = all(_point(run) in searched for run in runs)
    return _caption(
        "{} Medians and bands are over the seeds.{}",
        _settings(runs, f"seeds {_seeds(runs)}", subject),
        " Each learning rate was chosen on images held back from training." if chosen else "",
    )


def _point(record: Record) -> tuple[str, float]:
    return _rule(record), record.configuration["lr"]


def _settings(runs: Sequence[Record], seeds: str, subject: Subject) -> str:
    run = runs[0]
    settings, environment = run.configuration, run.environment
    epochs = "One epoch" if settings["epochs"] == 1 else f"{settings['epochs']:g} epochs"
    threads = "one thread" if environment["threads"] == 1 else f"{environment['threads']} threads"
    return (
        f"{epochs} of {run.data['train_samples']:,} images of {_data_name(run)}, "
        f"{settings['batch_size']} a step, {subject.others(runs)}, {seeds}; "
        f"torch {environment['torch']}, {threads} of {environment['processor']}."
    )


def _schedules(runs: Sequence[Record]) -> str:
    """Say how the learning rate falls, or for whom it falls how."""
    owners: dict[str, list[str]] = {}
    for run in runs:
        names = owners.setdefault(_schedule(run), [])
        if run.optimizer not in names:
            names.append(run.optimizer)
    if len(owners) == 1:
        return f"{next(iter(owners))} learning rate"
    named = (f"{schedule} for {', '.join(names)}" for schedule, names in owners.items())
    return f"learning rate {'; '.join(named)}"


def _schedule(run: Record) -> str:
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


def _caption(text: str, *values: Any) -> Markup:
    return Markup('<p class="curve-conditions">{}</p>').format(text.format(*values))


def _data_name(record: Record) -> str:
    name = str(record.data["name"])
    return DATA_NAMES.get(name, name)

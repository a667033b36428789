"""The command line of the sweep: options and their checks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from torch import nn

from experiments.arms import (
    Arm,
    choose_optimizers,
    make_arms,
    parse_rule_sets,
    parse_schedules,
)
from experiments.catalog import CATALOG
from experiments.data import HELD_OUT, data_root
from experiments.experiment import Experiment
from experiments.optimizers import OptimizerChoice, OptionError, argument_names, sets
from experiments.options import (
    data_root_option,
    device_option,
    dtype_option,
    epochs_option,
    seeds_option,
    threads_option,
)
from experiments.places import Places
from experiments.schedules import USUAL
from experiments.search_space import Range, Space, parse_rates, parse_varied
from experiments.sweep_plan import Conditions
from labml_nn_optim.registry import optimizer_names

ALL = "all"
DEFAULT_OPTIMIZER = "adam"
Result = TypeVar("Result")
EARLY = "asha"


@dataclass(frozen=True)
class Request:
    """What the command line says.

    * `arms`: what is compared
    * `problems`: a line for each optimizer that cannot be loaded
    * `target`: the test accuracy whose first step is told
    """

    arms: tuple[Arm, ...]
    problems: tuple[str, ...]
    conditions: Conditions
    places: Places
    target: float


def sweep_command(run: Callable[[Request], Result]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""

    def callback(**options: Any) -> Result:
        return run(_request(**options))

    return click.Command(
        "python -m experiments.sweep",
        callback=callback,
        params=[
            *_subject_options(),
            *_search_options(),
            *_training_options(),
            *_place_options(),
        ],
        help="Search for each optimizer's learning rate, and train with it.",
    )


def _request(
    *,
    experiment: str,
    model: str | None,
    optimizers: str,
    settings: tuple[str, ...],
    schedules: tuple[str, ...],
    wd_schedule: str | None,
    rules: tuple[str, ...],
    target: float | None,
    **options: Any,
) -> Request:
    subject = CATALOG[experiment]
    choices, problems = _choose(optimizers, settings)
    network = _model(subject, model)
    arms = make_arms(
        choices,
        parse_schedules(schedules, wd_schedule),
        parse_rule_sets(rules, subject, network, choices),
    )
    root = data_root(options.pop("data_root"))
    places = _places(root=root, **{name: options.pop(name) for name in PLACES})
    conditions = _conditions(subject, network, choices, **options)
    return Request(tuple(arms), tuple(problems), conditions, places, target or subject.target)


def _choose(names: str, settings: Sequence[str]) -> tuple[list[OptimizerChoice], list[str]]:
    if sets("lr", settings):
        raise OptionError("--set lr: the sweep searches for lr; give the rates with --lr")
    listed = [name.strip() for name in names.split(",")]
    return choose_optimizers(
        optimizer_names() if listed == [ALL] else list(dict.fromkeys(listed)), settings
    )


def _model(experiment: Experiment, model: str | None) -> str:
    if model is None:
        return experiment.model
    if model not in experiment.recipes:
        raise OptionError(f"--model {model}: {experiment.name} has {', '.join(experiment.recipes)}")
    return model


def _conditions(
    experiment: Experiment,
    model: str,
    choices: Sequence[OptimizerChoice],
    *,
    data: str | None,
    rates: str | None,
    extends: bool,
    varied: tuple[str, ...],
    trials: int | None,
    stop_early: str | None,
    renews: bool,
    out: Path | None,
    **rest: Any,
) -> Conditions:
    allowed = [choice for choice in experiment.data_choices if not choice.endswith(HELD_OUT)]
    if data not in (None, *allowed):
        raise OptionError(f"--data {data}: {experiment.name} has {', '.join(allowed)}")
    space = Space(
        None if rates is None else parse_rates(rates),
        extends,
        parse_varied(varied, lambda: _common_arguments(choices)),
        trials,
    )
    _check_ranges(space, rates, varied)
    _check_values(space, choices)
    return Conditions(
        experiment=experiment,
        model=model,
        data=data or experiment.data,
        space=space,
        early=stop_early == EARLY,
        renews=renews,
        out=out or Path("runs") / experiment.name,
        **rest,
    )


def _common_arguments(choices: Sequence[OptimizerChoice]) -> list[str]:
    """Return the names of the arguments that every optimizer has."""
    each = [argument_names(choice.kind) for choice in choices]
    return [name for name in each[0] if all(name in names for names in each)] if each else []


def _check_ranges(space: Space, rates: str | None, varied: Sequence[str]) -> None:
    """Raise `OptionError` if a grid is wanted over a range that does not say how many points."""
    if space.trials is not None:
        return
    given = {f"--lr {rates}": space.rates} | dict(
        zip((f"--vary {text}" for text in varied), space.varied.values(), strict=True)
    )
    for option, values in given.items():
        if isinstance(values, Range) and values.points is None:
            raise OptionError(f"{option}: a grid needs LOW:HIGH:N; LOW:HIGH is for --search")


def _check_values(space: Space, choices: Sequence[OptimizerChoice]) -> None:
    """Raise `OptionError` for a value of a varied argument that an optimizer refuses."""
    for choice, (name, values) in itertools.product(choices, space.varied.items()):
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            tried = dataclasses.replace(choice, options=choice.options | {name: value})
            tried.make([nn.Parameter(torch.zeros(2, 2))])


PLACES = ("address", "jobs", "threads", "device", "cpus", "gpus", "retries")


def _places(
    *,
    address: str | None,
    jobs: int | None,
    threads: int,
    device: str,
    root: Path,
    cpus: float | None,
    gpus: float | None,
    retries: int,
) -> Places:
    if gpus is None:
        gpus = float(device == "cuda" or (device == "auto" and torch.cuda.is_available()))
    return Places(
        address=address,
        jobs=jobs or (None if address else 1),
        threads=threads,
        device=device,
        data_root=root,
        cpus=cpus or float(threads),
        gpus=gpus,
        retries=retries,
    )


def _subject_options() -> Sequence[click.Option]:
    return (
        click.Option(
            ["--experiment"],
            type=click.Choice(list(CATALOG)),
            default=next(iter(CATALOG)),
            show_default=True,
            help="What is trained on which data.",
        ),
        click.Option(
            ["--model"], show_default="the experiment's first", help="The network to train."
        ),
        click.Option(
            ["--optimizers"],
            default=DEFAULT_OPTIMIZER,
            show_default=True,
            metavar="NAME,NAME,...",
            help=f"Names of optimizers; {ALL} takes every one.",
        ),
        click.Option(
            ["--set", "settings"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Any argument of the optimizers but lr, such as momentum=0.9. May be repeated.",
        ),
        click.Option(
            ["--schedule", "schedules"],
            multiple=True,
            default=(USUAL,),
            show_default=USUAL,
            metavar="NAME[:NAME=VALUE,...]",
            help="What the learning rate is multiplied with, such as "
            "wsd:tail=1-sqrt,decay_percent=0.3. Repeated, each one is searched for by itself.",
        ),
        click.Option(
            ["--wd-schedule"],
            metavar="NAME[:NAME=VALUE,...]",
            help="What the weight decay is multiplied with; 1 if not given.",
        ),
        click.Option(
            ["--rules"],
            multiple=True,
            default=("none",),
            show_default="none",
            metavar="RULE;RULE;...",
            help="Rules for parameter groups, as --rule of the experiment. Repeated, each set is "
            "searched for by itself.",
        ),
    )


def _search_options() -> Sequence[click.Option]:
    return (
        click.Option(
            ["--lr", "rates"],
            metavar="LR,LR,...|LOW:HIGH:N",
            show_default="5 around the optimizer's own",
            help="Learning rates that the search begins with; one alone is taken without a search.",
        ),
        click.Option(
            ["--extend/--no-extend", "extends"],
            default=True,
            show_default=True,
            help="Add rates where the best one lies at the edge.",
        ),
        click.Option(
            ["--vary", "varied"],
            multiple=True,
            metavar="NAME=VALUE;VALUE;...|NAME=LOW:HIGH:N",
            help="Search over another argument, too, such as weight_decay=0;0.01;0.1. May be "
            "repeated.",
        ),
        click.Option(
            ["--search", "trials"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Try N points that follow from those before, instead of a grid.",
        ),
        click.Option(
            ["--stop-early"],
            type=click.Choice([EARLY]),
            help="Stop runs of the search that are worse than others at the same step.",
        ),
        epochs_option(1.0, "Epochs of each run of the search", "--search-epochs"),
        seeds_option(
            "Seeds of each point of the search: how many, or which.", "1", "--search-seeds"
        ),
    )


def _training_options() -> Sequence[click.Option]:
    return (
        epochs_option(None, "Epochs of the runs with the chosen rate", shown="the recipe's"),
        seeds_option("Seeds of the runs with the chosen rate: how many, or which."),
        click.Option(
            ["--batch-size"],
            type=click.IntRange(min=1),
            show_default="the recipe's",
            help="Samples in a batch.",
        ),
        dtype_option(default=None, shown="the recipe's"),
        click.Option(
            ["--target"],
            type=click.FloatRange(0, 1, min_open=True),
            show_default=", ".join(f"{each.target} for {name}" for name, each in CATALOG.items()),
            help="Test accuracy whose first step is told.",
        ),
    )


def _place_options() -> Sequence[click.Option]:
    return (
        click.Option(
            ["--data"],
            show_default="the experiment's first",
            help="The data; a sixth of the training images is held back for the search.",
        ),
        data_root_option(),
        device_option(),
        threads_option(1, "CPU threads of each run."),
        click.Option(
            ["--jobs"],
            type=click.IntRange(min=1),
            show_default="1; on a cluster as many as it has room for",
            help="Runs side by side.",
        ),
        click.Option(
            ["--address"],
            metavar="ADDRESS",
            help="Address of a Ray cluster to run on, such as auto or 10.0.0.1:6379. Its machines "
            "need this project and the data under the same paths.",
        ),
        click.Option(
            ["--cpus-per-trial", "cpus"],
            type=click.FloatRange(min=0, min_open=True),
            show_default="as --threads",
            help="CPUs that a run takes.",
        ),
        click.Option(
            ["--gpus-per-trial", "gpus"],
            type=click.FloatRange(min=0),
            show_default="1 if there is a GPU",
            help="GPUs that a run takes, such as 0.25 for four runs on one.",
        ),
        click.Option(
            ["--retries"],
            type=click.IntRange(min=0),
            default=2,
            show_default=True,
            help="How often a run whose process was killed goes on.",
        ),
        click.Option(
            ["--renew", "renews"],
            is_flag=True,
            help="Make records again whose optimizer, schedule or network has changed since.",
        ),
        click.Option(
            ["--out"],
            type=click.Path(path_type=Path, file_okay=False),
            show_default="runs/ and the experiment's name",
            help="Folder for the records; those of the search go into its folder sweep.",
        ),
    )

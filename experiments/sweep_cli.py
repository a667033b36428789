"""The command line of the sweep: options and their checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from experiments.cli import notice, prepare
from experiments.data import data_root
from experiments.mnist import MNIST
from experiments.optimizers import OptimizerChoice, OptionError, choose_optimizer, sets
from experiments.options import (
    data_option,
    data_root_option,
    device_option,
    dtype_option,
    epochs_option,
    out_option,
    schedule_options,
    seeds_option,
    threads_option,
)
from experiments.records import rounded
from experiments.schedules import Schedules, choose_schedules, require_weight_decay
from labml_nn_optim.registry import optimizer_names

FEWEST_RATES = 3
DEFAULT_OPTIMIZER = "adam"
SCHEDULE_OPTIONS = ("schedule", "schedule_settings", "wd_schedule", "wd_schedule_settings")


@dataclass(frozen=True)
class Conditions:
    """What all runs have in common.

    * `data`: the data of the runs at the chosen rate; the search holds images of it back
    * `epochs`, `seeds`: of the runs at the chosen rate
    * `search_epochs`: epochs of a run of the search, which has the seed 0
    * `rates`: what every search begins with; None to centre it on the optimizer's default
    * `schedules`, `dtype`: as in the experiment
    * `settings`: what is passed on with `--set`
    * `places`: the arguments that say where to run, which decide no configuration
    """

    data: str
    epochs: float
    seeds: tuple[int, ...]
    search_epochs: float
    rates: tuple[float, ...] | None
    schedules: Schedules
    dtype: str
    settings: tuple[str, ...]
    places: tuple[str, ...]
    out: Path


@dataclass(frozen=True)
class Request:
    """What the command line says.

    * `choices`: the optimizers
    * `problems`: a line for each optimizer that cannot be loaded
    * `jobs`: how many runs go on side by side
    """

    choices: tuple[OptimizerChoice, ...]
    problems: tuple[str, ...]
    conditions: Conditions
    jobs: int


def sweep_command(run: Callable[[Request], int]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""

    def callback(optimizers: tuple[str, ...], every: bool, **options: Any) -> int:
        if every and optimizers:
            raise click.UsageError("--all takes every optimizer; leave out --optimizer.")
        named = tuple(dict.fromkeys(optimizers)) or (DEFAULT_OPTIMIZER,)
        names = optimizer_names() if every else named
        schedules = choose_schedules(**{name: options.pop(name) for name in SCHEDULE_OPTIONS})
        choices, problems = _choose(names, options["settings"])
        for choice in choices:
            require_weight_decay(choice, schedules)
        # Missing data is an error now, and is downloaded once, not by each of the runs.
        MNIST.load_data(options["data"], data_root(options["data_root"]), notice)
        prepare(options["out"])
        return run(
            Request(choices, problems, _conditions(schedules=schedules, **options), options["jobs"])
        )

    return click.Command(
        "python -m experiments.sweep",
        callback=callback,
        params=[*_subject_options(), *_search_options(), *_place_options()],
        help="Search for each optimizer's learning rate on MNIST, and train with it.",
    )


def _subject_options() -> Sequence[click.Option]:
    return (
        click.Option(
            ["--optimizer", "optimizers"],
            multiple=True,
            metavar="NAME",
            show_default=DEFAULT_OPTIMIZER,
            help="Name of an optimizer. May be repeated.",
        ),
        click.Option(["--all", "every"], is_flag=True, help="Take every optimizer."),
        click.Option(
            ["--set", "settings"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Any argument of the optimizers but lr, such as momentum=0.9. May be repeated.",
        ),
    )


def _search_options() -> Sequence[click.Option]:
    return (
        click.Option(
            ["--lrs", "rates"],
            callback=_rates,
            metavar="LR,LR,...",
            show_default="5 around the optimizer's own",
            help="Learning rates that the search begins with, at least 3.",
        ),
        epochs_option(1.0, "Epochs of each run of the search", "--search-epochs"),
        epochs_option(MNIST.recipe.epochs, "Epochs of the runs with the chosen rate"),
        seeds_option("Seeds of the runs with the chosen rate."),
        *schedule_options(),
        dtype_option(),
    )


def _place_options() -> Sequence[click.Option]:
    return (
        data_option(
            ("mnist", "digits"),
            "The data; a sixth of the training images is held back for the search.",
            "data",
        ),
        data_root_option(),
        device_option(),
        threads_option(1, "CPU threads of each run."),
        click.Option(
            ["--jobs"],
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Runs side by side.",
        ),
        out_option(
            MNIST.name, "Folder for the records; those of the search go into its folder sweep."
        ),
    )


def _choose(
    names: Sequence[str], settings: Sequence[str]
) -> tuple[tuple[OptimizerChoice, ...], tuple[str, ...]]:
    """Return the optimizers, and a line for each that cannot be loaded.

    A name or a setting that is wrong raises `OptionError`. A file that is broken, perhaps only
    while it is being edited, does not keep the others from running.
    """
    if sets("lr", settings):
        raise OptionError("--set lr: the sweep searches for lr; give the rates with --lrs")
    choices, problems = [], []
    for name in names:
        try:
            choices.append(choose_optimizer(name, None, settings))
        except OptionError:
            raise
        except Exception as error:  # a broken file raises anything
            what = " ".join(str(error).split())
            problems.append(f"{name} cannot be loaded: {type(error).__name__}: {what}")
    return tuple(choices), tuple(problems)


def _conditions(
    *,
    settings: tuple[str, ...],
    data_root: Path | None,
    device: str,
    threads: int,
    jobs: int,
    **rest: Any,
) -> Conditions:
    root = () if data_root is None else ("--data-root", str(data_root))
    places = ("--device", device, "--threads", str(threads), *root)
    return Conditions(settings=settings, places=places, **rest)


def _rates(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        # As many digits as a record keeps, or its name would not be that of the run.
        rates = sorted({rounded(float(part)) for part in text.split(",")})
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers.", context, parameter) from None
    if len(rates) < FEWEST_RATES or not all(0 < rate < math.inf for rate in rates):
        message = f"{text!r} must be at least {FEWEST_RATES} different numbers above 0."
        raise click.BadParameter(message, context, parameter)
    return tuple(rates)

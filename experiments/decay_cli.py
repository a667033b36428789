"""The command line of the kinds of weight decay: options and their checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from experiments.decay_results import NAMES, NO_DECAY
from experiments.options import (
    count_option,
    finite,
    place_options,
    seeds_option,
    study_command,
)

DATA_CHOICES = ("auto", "mnist", "digits")
KINDS = tuple(name for name in NAMES if name != NO_DECAY)
LR = "0.001"
SAMPLES = 1000
STEPS = 400


@dataclass(frozen=True)
class Options:
    """What the command line says.

    * `samples`: the images to train on
    * `wrong_labels`: the share of them that gets a wrong label
    """

    kinds: tuple[str, ...]
    lrs: tuple[float, ...]
    samples: int
    wrong_labels: float
    steps: int
    seeds: tuple[int, ...]
    data_choice: str
    data_root: Path | None
    device: str
    threads: int
    out: Path


def decay_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""
    params = [
        *_training_options(),
        *place_options("decay", DATA_CHOICES, "Folder for the results and their chart."),
    ]
    return study_command(
        "decay",
        Options,
        run,
        params,
        "Train on a part of MNIST with every kind of weight decay, weak to strong.",
    )


def _training_options() -> list[click.Option]:
    return [
        click.Option(
            ["--kinds"],
            callback=_kinds,
            default=",".join(KINDS),
            show_default=True,
            metavar="KIND,KIND,...",
            help="Kinds of weight decay; runs without any are made in any case.",
        ),
        click.Option(
            ["--lr", "lrs"],
            callback=_rates,
            default=LR,
            show_default=True,
            metavar="RATE,RATE,...",
            help="Learning rates; each falls from there to 0.",
        ),
        count_option("--samples", SAMPLES, "Images to train on."),
        _wrong_labels_option(),
        count_option("--steps", STEPS, "Steps of each run."),
        seeds_option("Seeds; each trains once with every kind, strength and rate."),
    ]


def _wrong_labels_option() -> click.Option:
    return click.Option(
        ["--wrong-labels"],
        type=click.FloatRange(0, 1),
        callback=finite,
        default=0.0,
        show_default=True,
        help="Share of the images to train on that get a wrong label.",
    )


def _kinds(context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(text.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            message = f"there is no {kind!r}; there are {', '.join(KINDS)}."
            raise click.BadParameter(message, context, parameter)
    return kinds


def _rates(context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        rates = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < math.inf for rate in rates):
        message = f"{text!r} is no list of numbers above 0."
        raise click.BadParameter(message, context, parameter)
    return rates

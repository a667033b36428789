"""The command line of the widths: options and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from experiments.options import (
    epochs_option,
    place_options,
    seeds_option,
    study_command,
)

DATA_CHOICES = ("auto", "mnist", "digits")
WIDTHS = "64,128,256,512,1024"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    widths: tuple[int, ...]
    epochs: float
    seeds: tuple[int, ...]
    data_choice: str
    data_root: Path | None
    device: str
    threads: int
    out: Path


def widths_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""
    params = [
        *_training_options(),
        *place_options("widths", DATA_CHOICES, "Folder for the results and their chart."),
    ]
    return study_command(
        "widths",
        Options,
        run,
        params,
        "Train networks of several widths with many learning rates, with and without muP.",
    )


def _training_options() -> list[click.Option]:
    return [
        click.Option(
            ["--widths"],
            callback=_widths,
            default=WIDTHS,
            show_default=True,
            metavar="WIDTH,WIDTH,...",
            help="Units of a hidden layer; the least is the base that the others are scaled from.",
        ),
        epochs_option(1, "Passes over the training data"),
        seeds_option("Seeds; each draws the first weights and an order of the images."),
    ]


def _widths(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        widths = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        widths = (0,)
    if len(widths) < 2 or widths[0] < 1:
        message = f"{text!r} is no list of two or more widths."
        raise click.BadParameter(message, context, parameter)
    return widths

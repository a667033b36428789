"""The command line of the averages: options and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from experiments.mnist import MNIST
from experiments.options import (
    epochs_option,
    place_options,
    positive_option,
    seeds_option,
    study_command,
)

LR = 0.001


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    lr: float
    epochs: float
    seeds: tuple[int, ...]
    data_choice: str
    data_root: Path | None
    device: str
    threads: int
    out: Path


def averaging_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""
    params = [
        *_training_options(),
        *place_options("averaging", MNIST.data_choices, "Folder for the records and their chart."),
    ]
    return study_command(
        "averaging",
        Options,
        run,
        params,
        "Train on MNIST with Adam, and compare averages of the weights with the last ones.",
    )


def _training_options() -> list[click.Option]:
    return [
        positive_option("--lr", LR, "Learning rate; it stays, or falls from there to 0."),
        epochs_option(MNIST.recipe.epochs, "Passes over the training data"),
        seeds_option("Seeds; each trains twice, with the constant and with the falling rate."),
    ]

"""The command line of the fine-tuning: options and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from experiments.options import (
    count_option,
    epochs_option,
    place_options,
    seeds_option,
    study_command,
)

STUDIES = ("rates", "decays", "schedules")
TARGETS = ("digits", "inverted")
DATA_CHOICES = ("auto", "mnist", "digits")

IMAGES = 50
STEPS = 100
SEEDS = "10"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    study: str
    target: str
    images: int
    steps: int
    epochs: float
    seeds: tuple[int, ...]
    data_choice: str
    data_root: Path | None
    device: str
    threads: int
    out: Path


def finetune_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""
    params = [
        *_training_options(),
        *place_options(
            "finetune",
            DATA_CHOICES,
            "Folder for the results and their chart.",
            "The data to train on before.",
        ),
    ]
    return study_command(
        "finetune",
        Options,
        run,
        params,
        "Train on MNIST, and fine-tune on a few other digits, each time under other rules.",
    )


def _training_options() -> list[click.Option]:
    return [
        _choice(
            "--study",
            STUDIES,
            "Rules for the learning rate, for the weight decay, or schedules by tags.",
        ),
        _choice("--target", TARGETS, "What to fine-tune on: digits, or their negatives."),
        count_option("--images", IMAGES, "Images to fine-tune on."),
        count_option("--steps", STEPS, "Steps of each fine-tuning."),
        epochs_option(1, "Passes over the training data before the fine-tuning"),
        seeds_option("Seeds; each draws images, a head, and an order.", SEEDS),
    ]


def _choice(name: str, choices: tuple[str, ...], help: str) -> click.Option:
    kind = click.Choice(choices)
    return click.Option([name], type=kind, default=choices[0], show_default=True, help=help)

"""The command line of the fine-tuning: options and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from experiments.options import (
    data_option,
    data_root_option,
    device_option,
    epochs_option,
    out_option,
    seeds_option,
    threads_option,
)

STUDIES = ("rates", "decays", "schedules")
TARGETS = ("digits", "inverted")
DATA_CHOICES = ("auto", "mnist", "digits")

IMAGES = 50
STEPS = 100
SEEDS = ",".join(map(str, range(10)))


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

    def callback(**options: Any) -> None:
        run(Options(**options))

    return click.Command(
        "python -m experiments.finetune",
        callback=callback,
        params=[*_training_options(), *_place_options()],
        help="Train on MNIST, and fine-tune on a few other digits, each time under other rules.",
    )


def _training_options() -> list[click.Option]:
    return [
        _choice(
            "--study",
            STUDIES,
            "Rules for the learning rate, for the weight decay, or schedules by tags.",
        ),
        _choice("--target", TARGETS, "What to fine-tune on: digits, or their negatives."),
        _count("--images", IMAGES, "Images to fine-tune on."),
        _count("--steps", STEPS, "Steps of each fine-tuning."),
        epochs_option(1, "Passes over the training data before the fine-tuning"),
        seeds_option("Seeds; each draws images, a head, and an order.", SEEDS),
    ]


def _choice(name: str, choices: tuple[str, ...], help: str) -> click.Option:
    kind = click.Choice(choices)
    return click.Option([name], type=kind, default=choices[0], show_default=True, help=help)


def _count(name: str, default: int, help: str) -> click.Option:
    kind = click.IntRange(min=1)
    return click.Option([name], type=kind, default=default, show_default=True, help=help)


def _place_options() -> list[click.Option]:
    return [
        data_option(DATA_CHOICES, "The data to train on before."),
        data_root_option(),
        device_option(),
        threads_option(1, "CPU threads; they decide the last digits of the numbers."),
        out_option("finetune", "Folder for the results and their chart."),
    ]

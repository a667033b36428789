"""The command line of the counter-example: options and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from experiments.options import (
    count_option,
    finite,
    out_option,
    positive_option,
    study_command,
)

STEPS = 3_000_000
CONSTANT, FALLING = 0.01, 0.5
PROBLEMS = ("periodic", "stochastic")


@dataclass(frozen=True)
class Options:
    """What the command line says.

    * `constant`: a step size that stays as it is
    * `falling`: a step size that is divided by the root of the step
    """

    problem: str
    steps: int
    constant: float
    falling: float
    beta2: float
    seed: int
    out: Path


def counterexample_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""
    params = [*_problem_options(), *_step_size_options()]
    return study_command(
        "counterexample",
        Options,
        run,
        params,
        "Walk with Adam and AMSGrad where Adam goes the wrong way.",
    )


def _problem_options() -> list[click.Option]:
    return [
        click.Option(
            ["--problem"],
            type=click.Choice(PROBLEMS),
            default=PROBLEMS[0],
            show_default=True,
            help="The large gradient every 101 steps, or with the probability 0.01.",
        ),
        count_option("--steps", STEPS, "Steps of each walk.", minimum=2),
        count_option("--seed", 0, "Decides the random gradients.", minimum=0),
        out_option("counterexample", "Folder for the tracks and their chart."),
    ]


def _step_size_options() -> list[click.Option]:
    return [
        positive_option("--constant", CONSTANT, "Step size of the walks that keep it."),
        positive_option(
            "--falling", FALLING, "Step size of the walks that divide it by the root of the step."
        ),
        click.Option(
            ["--beta2"],
            type=click.FloatRange(0, 1, max_open=True),
            callback=finite,
            default=0.99,
            show_default=True,
            help="Decay rate of the second moment.",
        ),
    ]

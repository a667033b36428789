"""The committed measurement of a step of every optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import committed
from experiments.speed_report import load_lists
from experiments.speed_ways import DEFAULT

LIST = "resnet18"
COMMAND = f"python -m experiments.speed --all --lists {LIST} --json experiments/results/speed.json"
"""How the committed file is made."""


@dataclass(frozen=True)
class StepTimes:
    """What a step takes in the default way.

    * `path`: the file that it was read from
    * `title`: the parameters, in words
    * `milliseconds`: of one step, by the name of the optimizer
    * `noisy`: whose rounds were too far apart to be trusted
    """

    path: Path
    title: str
    environment: Mapping[str, Any]
    milliseconds: Mapping[str, float]
    noisy: frozenset[str]


def step_times() -> StepTimes | None:
    """Return the committed step times, None where there are none."""
    path = committed.RESULTS / "speed.json"
    if not path.is_file():
        return None
    environment, every = load_lists(path)
    lists = [figures for figures in every if figures.list_name == LIST]
    measured = {figures.optimizer: figures.ways[DEFAULT] for figures in lists}
    return StepTimes(
        path,
        next((figures.title for figures in lists), ""),
        environment,
        {name: way.milliseconds for name, way in measured.items()},
        frozenset(name for name, way in measured.items() if way.noisy),
    )

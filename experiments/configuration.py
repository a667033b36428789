"""The configuration of a run: all that decides its numbers, and a short name made from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Configuration:
    """Everything that decides the numbers of a run on one machine with one number of threads.

    * `model`: the network, and what belongs to it, by the name that the experiment gives it
    * `lr`, `schedule`: the learning rate and what it is multiplied with at each step
    * `wd_schedule`: what the weight decay is multiplied with at each step, None for nothing
    * `schedule_options`, `wd_schedule_options`: the arguments of both schedules that were set by name
    * `dtype`: the data type of parameters and images, or `mixed`
    * `rules`: the rules that made the parameter groups, as texts; empty for one group of all
    * `options`: the optimizer's arguments that were set by name, without `lr`
    * `epochs`: passes over the training data; a fraction ends in the middle of one
    """

    experiment: str
    model: str
    optimizer: str
    data: str
    lr: float
    schedule: str
    epochs: float
    batch_size: int
    seed: int
    dtype: str = "float32"
    options: dict[str, Any] = field(default_factory=dict)
    schedule_options: dict[str, Any] = field(default_factory=dict)
    wd_schedule: str | None = None
    wd_schedule_options: dict[str, Any] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON writes them: tuples have become lists."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return fields

    @property
    def hash(self) -> str:
        """The first ten hexadecimal digits of the sha256 of the fields."""
        return configuration_hash(self.to_dict())

    @property
    def name(self) -> str:
        """The name that the run's files begin with, such as `radam-0123456789`."""
        return f"{self.optimizer}-{self.hash}"

    def record_in(self, folder: Path) -> Path:
        """Return where the record of the run lies in a folder."""
        return folder / f"{self.name}.json"


def configuration_hash(fields: dict[str, Any]) -> str:
    """Return the hash of a configuration's fields as a record stores them."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]

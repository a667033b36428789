"""What the harness costs: the same training with it and without it.

The harness is all that `experiments.runner` does around the loop: it measures norms, looks at test
images, shows progress, logs, writes checkpoints and a record. Charts are not in it: they are drawn
when the run is over.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from experiments.bare import train_bare
from experiments.configuration import Configuration
from experiments.data import Data
from experiments.optimizers import OptimizerChoice
from experiments.records import save
from experiments.runner import Notice, Task, execute
from experiments.schedules import make_schedulers
from experiments.training import Plan

BARE = "bare loop"
HARNESSED = "with the harness"


@dataclass
class HarnessCase:
    """One training that can be run in both ways; each call trains a new model.

    * `accuracies`: what the runs so far ended with on the test set, from 0 to 1
    """

    choice: OptimizerChoice
    make_model: Callable[[], nn.Module]
    data: Data
    device: torch.device
    notice: Notice
    epochs: int = 1
    batch_size: int = 64
    seed: int = 0
    schedule: str = "linear"
    accuracies: set[float] = field(default_factory=set)

    def bare(self) -> float:
        """Train without the harness and return the seconds."""
        plan = Plan(
            samples=len(self.data.train_labels),
            batch_size=self.batch_size,
            epochs=self.epochs,
            seed=self.seed,
        )
        start = time.perf_counter()
        torch.manual_seed(self.seed)
        model = self.make_model().to(self.device)
        optimizer = self.choice.make(model.parameters())
        (scheduler,) = make_schedulers(optimizer, self._configuration(), plan)
        accuracy = train_bare(model, optimizer, scheduler, self.data, plan)
        seconds = time.perf_counter() - start
        self.accuracies.add(accuracy)
        return seconds

    def harnessed(self) -> float:
        """Train as an experiment does, up to the record on the disk, and return the seconds."""
        configuration = self._configuration()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            task = Task(configuration, self.make_model, self.choice, self.data, self.device, out)
            start = time.perf_counter()
            record = execute(task, resume=False, notice=self.notice)
            save(record, out)
            seconds = time.perf_counter() - start
        self.accuracies.add(record.final["test_accuracy"])
        return seconds

    def _configuration(self) -> Configuration:
        return Configuration(
            experiment="harness",
            model="cnn",
            optimizer=self.choice.name,
            data=self.data.name,
            lr=self.choice.lr,
            schedule=self.schedule,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            options=self.choice.options,
        )

    def runs(self) -> dict[str, Callable[[], float]]:
        """Return both ways by their names."""
        return {BARE: self.bare, HARNESSED: self.harnessed}

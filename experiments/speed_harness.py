"""What the harness costs: the same training with it and without it.

The harness is all that `experiments.runner` does around the loop: it measures norms, looks at test
images, shows progress, logs, writes checkpoints and a record. Charts are not in it: they are drawn
when the run is over.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from experiments.bare import train_bare
from experiments.configuration import Configuration
from experiments.data import Data
from experiments.experiment import Experiment
from experiments.optimizers import optimizer_choice
from experiments.records import save
from experiments.runner import Notice, execute
from experiments.schedules import make_schedulers
from experiments.training import DTYPES, Plan

BARE = "bare loop"
HARNESSED = "with the harness"


@dataclass
class HarnessCase:
    """One training that can be run in both ways; each call trains a new model.

    * `configuration`: of a run of `experiment`, with a whole number of epochs, without rules and without a
      schedule of the weight decay
    * `accuracies`: what the runs so far ended with on the test set, from 0 to 1
    """

    experiment: Experiment
    configuration: Configuration
    data: Data
    device: torch.device
    notice: Notice
    accuracies: set[float] = field(default_factory=set)

    def bare(self) -> float:
        """Train without the harness and return the seconds."""
        configuration = self.configuration
        recipe = self.experiment.recipes[configuration.model]
        dtype = DTYPES[configuration.dtype]
        data = self.data.to(self.device, dtype)
        choice = optimizer_choice(configuration.optimizer, configuration.lr, configuration.options)
        plan = Plan(
            samples=len(data.train_labels),
            batch_size=configuration.batch_size,
            epochs=configuration.epochs,
            seed=configuration.seed,
        )
        regime = dataclasses.replace(recipe.regime, mixed=configuration.dtype == "mixed")
        start = time.perf_counter()
        torch.manual_seed(configuration.seed)
        model = recipe.make_model().to(self.device, dtype)
        if recipe.prepare is not None:
            recipe.prepare(model, data)
        optimizer = choice.make(model.parameters(), total_steps=plan.total_steps)
        (scheduler,) = make_schedulers(optimizer, configuration, plan)
        accuracy = train_bare(model, optimizer, scheduler, data, plan, regime)
        seconds = time.perf_counter() - start
        self.accuracies.add(accuracy)
        return seconds

    def harnessed(self) -> float:
        """Train as an experiment does, up to the record on the disk, and return the seconds."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            task = self.experiment.task(self.configuration, self.data, self.device, out)
            start = time.perf_counter()
            record = execute(task, resume=False, notice=self.notice)
            save(record, out)
            seconds = time.perf_counter() - start
        self.accuracies.add(record.final["test_accuracy"])
        return seconds

    def runs(self) -> dict[str, Callable[[], float]]:
        """Return both ways by their names."""
        return {BARE: self.bare, HARNESSED: self.harnessed}

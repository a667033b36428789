"""What an experiment consists of: networks with their recipes, and data; and how a run comes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from experiments.configuration import Configuration
from experiments.data import Data
from experiments.optimizers import OptimizerChoice, choose_optimizer, optimizer_choice
from experiments.rules import NO_RULES, Rules
from experiments.runner import Notice, Task
from experiments.schedules import USUAL, Schedules, choose_schedules
from experiments.training import DTYPES, PLAIN, Regime

AUTO = "auto"


@dataclass(frozen=True)
class Recipe:
    """A network, and what it is trained with unless the command line says otherwise.

    * `make_model`: returns a new network
    * `prepare`: sets parameters of a new network that depend on the data
    * `optimizer`, `lr`, `schedule`, `schedule_settings`: hold together; whoever names another optimizer
      gets that one's own rate and the usual schedule
    """

    make_model: Callable[[], nn.Module]
    epochs: float
    batch_size: int
    regime: Regime = PLAIN
    prepare: Callable[[nn.Module, Data], None] | None = None
    optimizer: str = "adam"
    lr: float | None = None
    schedule: str = USUAL
    schedule_settings: tuple[str, ...] = ()
    dtype: str = "float32"

    def with_optimizer(self, name: str | None) -> Recipe:
        """Return the recipe with the optimizer of that name; None leaves it as it is."""
        if name in (None, self.optimizer):
            return self
        return replace(self, optimizer=name, lr=None, schedule=USUAL, schedule_settings=())


@dataclass(frozen=True)
class Experiment:
    """What one experiment has that the others have not.

    * `recipes`: what `--model` takes, the default first
    * `load_data(choice, root, notice)`: returns the data that `--data` chooses
    * `data_choices`: what `--data` takes, the default first; `auto` is the first other one, or what
      is at hand in its place
    * `target`: the test accuracy whose first step is compared
    """

    name: str
    recipes: Mapping[str, Recipe]
    load_data: Callable[[str, Path, Notice], Data]
    data_choices: tuple[str, ...]
    target: float

    @property
    def model(self) -> str:
        """The name of the network that is trained if none is named."""
        return next(iter(self.recipes))

    @property
    def data(self) -> str:
        """The name of the data that it trains on if none is named and its files are at hand."""
        return next(choice for choice in self.data_choices if choice != AUTO)

    @property
    def recipe(self) -> Recipe:
        """The recipe of that network."""
        return self.recipes[self.model]

    def configure(
        self,
        model: str,
        choice: OptimizerChoice,
        schedules: Schedules,
        rules: Rules,
        *,
        data: str,
        seed: int,
        epochs: float | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
    ) -> Configuration:
        """Return the configuration of a run; what is None is filled in from the recipe of `model`."""
        recipe = self.recipes[model]
        return Configuration(
            experiment=self.name,
            model=model,
            optimizer=choice.name,
            data=data,
            lr=choice.lr,
            **schedules.configuration(),
            epochs=epochs or recipe.epochs,
            batch_size=batch_size or recipe.batch_size,
            seed=seed,
            dtype=dtype or recipe.dtype,
            options=choice.options,
            rules=list(rules.texts),
        )

    def by_recipe(
        self,
        model: str,
        optimizer: str | None = None,
        *,
        data: str,
        epochs: float | None = None,
        batch_size: int | None = None,
    ) -> Configuration:
        """Return the configuration of a run as the recipe of `model` has it, with seed 0.

        * `optimizer`: the name of another optimizer than the recipe's
        """
        recipe = self.recipes[model].with_optimizer(optimizer)
        return self.configure(
            model,
            choose_optimizer(recipe.optimizer, recipe.lr, ()),
            choose_schedules(recipe.schedule, recipe.schedule_settings, None, ()),
            NO_RULES,
            data=data,
            seed=0,
            epochs=epochs,
            batch_size=batch_size,
        )

    def task(
        self, configuration: Configuration, data: Data, device: torch.device, out: Path
    ) -> Task:
        """Return the task of making the run of a configuration; `data` is moved to `device`."""
        recipe = self.recipes[configuration.model]
        return Task(
            configuration,
            recipe.make_model,
            optimizer_choice(configuration.optimizer, configuration.lr, configuration.options),
            data.to(device, DTYPES[configuration.dtype]),
            device,
            out,
            recipe.regime,
            Rules(tuple(configuration.rules)),
            recipe.prepare,
        )

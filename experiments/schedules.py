"""From the command line to a schedule: names and values, checked before anything runs."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from experiments.configuration import Configuration
from experiments.optimizers import OptimizerChoice, OptionError, parse_settings
from experiments.training import Plan
from labml_nn_optim.schedulers.scheduler import Scheduler
from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineDecreasingSchedule,
    CyclicSchedule,
    InfiniteSchedule,
    InverseSqrtSchedule,
    LinearDecreasingSchedule,
    LinearToZeroSchedule,
    LinearWarmupCosineDecaySchedule,
    OneCycleSchedule,
    PolynomialDecreasingSchedule,
    PowerSchedule,
    RampSchedule,
    ScheduleBase,
    SGDRSchedule,
    StepFixedSchedule,
    TriStageSchedule,
    WSDSchedule,
)
from labml_nn_optim.schedules.base import IDLE, own_fields


@dataclass(frozen=True)
class Part:
    """A length in steps that is not known before the run is: the `of`-th part of it, rounded up."""

    of: int


SCHEDULES: dict[str, tuple[type[ScheduleBase], dict[str, Any]]] = {
    "constant": (ConstantSchedule, {"value": 1}),
    "linear": (LinearDecreasingSchedule, {"max_value": 1, "exclude_last": True}),
    "cosine": (CosineDecreasingSchedule, {"max_value": 1, "exclude_last": True}),
    "polynomial": (
        PolynomialDecreasingSchedule,
        {"max_value": 1, "power": 2, "exclude_last": True},
    ),
    "step": (StepFixedSchedule, {"factor": 0.1, "steps": (0.5, 0.75)}),
    "exponential": (
        RampSchedule,
        {"start_value": 1, "end_value": 0.01, "shape": "exponential", "exclude_last": True},
    ),
    "rex": (
        RampSchedule,
        {"start_value": 1, "end_value": 0, "shape": "rex", "exclude_last": True},
    ),
    "warmup-cosine": (
        LinearWarmupCosineDecaySchedule,
        {"max_value": 1, "warmup_percent": 0.05, "end_value": 0},
    ),
    "linear-to-zero": (LinearToZeroSchedule, {"max_value": 1, "warmup_percent": 0.05}),
    "wsd": (WSDSchedule, {"max_value": 1, "warmup_percent": 0.05}),
    "tri-stage": (
        TriStageSchedule,
        {"max_value": 1, "warmup_percent": 0.1, "decay_percent": 0.5},
    ),
    "inverse-sqrt": (InverseSqrtSchedule, {"max_value": 1, "warmup_percent": 0.05}),
    "power": (PowerSchedule, {"max_value": 1, "warmup_percent": 0.05, "decay_percent": 0.1}),
    "infinite": (
        InfiniteSchedule,
        {
            "max_value": 1,
            "constant_value": 0.3,
            "warmup_percent": 0.05,
            "cooldown_percent": 0.3,
            "decay_percent": 0.2,
        },
    ),
    "sgdr": (SGDRSchedule, {"max_value": 1, "period": Part(7), "multiplier": 2}),
    "one-cycle": (OneCycleSchedule, {"max_value": 1}),
    "cyclic": (CyclicSchedule, {"base_value": 0.1, "max_value": 1, "steps_up": Part(6)}),
}
"""The schedules by their names on the command line, each with arguments that make its peak 1."""

USUAL = "linear"
"""The schedule of a run that names none."""


@dataclass(frozen=True)
class ScheduleChoice:
    """A schedule by its name, and the arguments to make it with.

    * `name`: a key of `SCHEDULES`
    * `options`: the arguments that were set by name
    """

    name: str
    options: dict[str, Any]

    @property
    def label(self) -> str:
        """The name, with what was set."""
        settings = (f" {name} {setting_text(value)}" for name, value in self.options.items())
        return self.name + "".join(settings)

    def make(self, total_steps: int) -> ScheduleBase:
        """Return the schedule of a run of so many steps.

        Raises `OptionError` for what the schedule refuses, such as a warm-up longer than the run.
        """
        schedule = self.check(total_steps)
        try:
            for step in (0, total_steps - 1):
                schedule.get_value(step, total_steps)
        except ValueError as error:
            raise self._refused(error) from None
        return schedule

    def check(self, total_steps: int = 1) -> ScheduleBase:
        """Return the schedule; raises `OptionError` for what is wrong however long the run is."""
        kind, defaults = SCHEDULES[self.name]
        values = {
            name: math.ceil(total_steps / value.of) if isinstance(value, Part) else value
            for name, value in defaults.items()
            # A length in steps takes the place of one that is a fraction of the run.
            if name.replace("_percent", "_steps") not in self.options
        }
        try:
            return kind(**values | self.options)
        except (TypeError, ValueError) as error:
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> OptionError:
        kind, _ = SCHEDULES[self.name]
        return OptionError(f"{kind.__name__}: {' '.join(str(error).split())}")


def choose_schedule(
    name: str, settings: Sequence[str], option: str = "--schedule"
) -> ScheduleChoice:
    """Return the schedule that `--schedule` and `--schedule-set` describe.

    * `settings`: strings of the form `name=value`, or several such, separated by commas; the value
      a Python literal or a bare word
    * `option`: which option named the schedule, for messages

    Raises `OptionError` for a name or value that the schedule does not take.
    """
    if name not in SCHEDULES:
        near = difflib.get_close_matches(name, SCHEDULES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SCHEDULES)}"
        raise OptionError(f"{option} {name}: there is no such schedule; {hint}")
    kind, _ = SCHEDULES[name]
    options = parse_settings(
        [pair for setting in settings for pair in _pairs(setting)],
        argument_names(kind),
        kind.__name__,
        option=f"{option}-set",
        bare_words=True,
    )
    choice = ScheduleChoice(name, options)
    choice.check()
    return choice


def _pairs(setting: str) -> list[str]:
    """Split at the commas before a name and `=`; other commas belong to a value, as in `0.5,0.75`."""
    return re.split(r",(?=\s*\w+\s*=)", setting)


def argument_names(kind: type[ScheduleBase]) -> list[str]:
    """Return the names of a schedule's arguments, its own first; those that do nothing are left out."""
    own = own_fields(kind)
    everywhere = [each.name for each in dataclasses.fields(ScheduleBase)]
    idle = {"kind", *IDLE, *own}
    return [*own, *(name for name in everywhere if name not in idle)]


@dataclass(frozen=True)
class Schedules:
    """What the learning rate and the weight decay of a run are multiplied with.

    * `weight_decay`: None leaves it as it is
    """

    lr: ScheduleChoice
    weight_decay: ScheduleChoice | None

    @property
    def label(self) -> str:
        """Both schedules by their names, with what was set of them."""
        parts = [self.lr.label]
        if self.weight_decay:
            parts.append(f"weight decay {self.weight_decay.label}")
        return ", ".join(parts)

    def configuration(self) -> dict[str, Any]:
        """Return the fields of a `Configuration` that describe both."""
        decay = self.weight_decay
        return {
            "schedule": self.lr.name,
            "schedule_options": self.lr.options,
            "wd_schedule": decay and decay.name,
            "wd_schedule_options": decay.options if decay else {},
        }


def choose_schedules(
    schedule: str,
    schedule_settings: Sequence[str],
    wd_schedule: str | None,
    wd_schedule_settings: Sequence[str],
) -> Schedules:
    """Return what the options of the command line describe; raises `OptionError`."""
    lr = choose_schedule(schedule, schedule_settings)
    if wd_schedule is not None:
        option = "--wd-schedule"
        return Schedules(lr, choose_schedule(wd_schedule, wd_schedule_settings, option))
    if wd_schedule_settings:
        raise OptionError(
            f"--wd-schedule-set {wd_schedule_settings[0]}: there is no schedule of the weight decay "
            "to set this of; name one with --wd-schedule"
        )
    return Schedules(lr, None)


def require_weight_decay(choice: OptimizerChoice, schedules: Schedules) -> None:
    """Raise `OptionError` if there is a schedule of the weight decay, and nothing to multiply."""
    if schedules.weight_decay is None:
        return
    groups = choice.make([nn.Parameter(torch.zeros(2, 2))]).param_groups
    if not any(group.get("weight_decay") for group in groups):
        raise OptionError(
            f"--wd-schedule {schedules.weight_decay.name}: the weight decay of "
            f"{choice.kind.__name__} is 0; set another with --set weight_decay=0.01"
        )


def make_schedulers(
    optimizer: torch.optim.Optimizer, configuration: Configuration, plan: Plan
) -> list[Scheduler]:
    """Return what writes the learning rate, and the weight decay if it has a schedule, at each step.

    Each group's own value is multiplied. Raises `OptionError` for a schedule that the run is too
    short for.
    """
    chosen = {"lr": ScheduleChoice(configuration.schedule, configuration.schedule_options)}
    if configuration.wd_schedule is not None:
        chosen["weight_decay"] = ScheduleChoice(
            configuration.wd_schedule, configuration.wd_schedule_options
        )
    return [
        Scheduler(
            optimizer,
            choice.make(plan.total_steps),
            key,
            total_steps=plan.total_steps,
            mode="relative",
            updates_per_epoch=plan.steps_per_epoch,
        )
        for key, choice in chosen.items()
    ]


def schedule_words(
    configuration: Mapping[str, Any], usual: str = USUAL, usual_settings: Sequence[str] = ()
) -> list[str]:
    """Return the words of a command line that name the schedules of a configuration.

    * `configuration`: the fields as a record has them
    * `usual`, `usual_settings`: the schedule that is taken if none is named, and what is set of it
    """
    words: list[str] = []
    for field, taken in (("schedule", (usual, list(usual_settings))), ("wd_schedule", (None, []))):
        settings = [
            f"{name}={setting_text(value)}"
            for name, value in configuration[f"{field}_options"].items()
        ]
        if (configuration[field], settings) == taken:
            continue
        option = f"--{field.replace('_', '-')}"
        words += [option, configuration[field]]
        words += [word for setting in settings for word in (f"{option}-set", setting)]
    return words


def setting_text(value: Any) -> str:
    """Return a value in the form in which `--set` reads numbers and lists of them."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) + ("," if len(value) == 1 else "")
    return str(value)

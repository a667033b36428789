"""The arms of a comparison: what is compared, each with a search of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.experiment import Experiment
from experiments.optimizers import OptimizerChoice, OptionError, choose_optimizer
from experiments.rules import Rules, choose_rules
from experiments.schedules import Schedules, choose_schedules, require_weight_decay

NO_RULES_NAME = "none"


@dataclass(frozen=True)
class Arm:
    """An optimizer with its schedules and its rules for parameter groups.

    * `label`: the optimizer's name, and the schedule and the rules where a sweep has several of them
    """

    choice: OptimizerChoice
    schedules: Schedules
    rules: Rules
    label: str


def make_arms(
    choices: Sequence[OptimizerChoice], schedules: Sequence[Schedules], rules: Sequence[Rules]
) -> list[Arm]:
    """Return every optimizer with every schedule and every set of rules.

    Raises `OptionError` for a schedule of a weight decay that is 0.
    """
    arms = []
    for choice, scheduled, ruled in itertools.product(choices, schedules, rules):
        require_weight_decay(choice, scheduled)
        parts = [choice.name]
        if len(schedules) > 1:
            parts.append(scheduled.label)
        if len(rules) > 1:
            parts.append(" and ".join(ruled.texts) or "no rules")
        arms.append(Arm(choice, scheduled, ruled, ", ".join(parts)))
    return arms


def parse_schedules(texts: Sequence[str], wd_schedule: str | None) -> list[Schedules]:
    """Return the schedules that `--schedule` and `--wd-schedule` describe; raises `OptionError`.

    * `texts`: each `NAME` or `NAME:SETTING=VALUE,...`
    """
    wd_name, wd_settings = _named(wd_schedule) if wd_schedule else (None, [])
    return [choose_schedules(*_named(text), wd_name, wd_settings) for text in texts]


def _named(text: str) -> tuple[str, list[str]]:
    name, _, settings = text.partition(":")
    return name.strip(), [settings] if settings else []


def parse_rule_sets(
    texts: Sequence[str], experiment: Experiment, model: str, choices: Sequence[OptimizerChoice]
) -> list[Rules]:
    """Return the sets of rules that `--rules` describes; raises `OptionError`.

    * `texts`: each a set, its rules separated by semicolons; `none` is the empty one
    """
    sets = []
    for text in texts:
        parts = [] if text.strip() == NO_RULES_NAME else [part.strip() for part in text.split(";")]
        rules = choose_rules(parts)
        for choice in choices:
            rules.check(experiment.recipes[model].make_model, choice)
        sets.append(rules)
    return sets


def choose_optimizers(
    names: Sequence[str], settings: Sequence[str]
) -> tuple[list[OptimizerChoice], list[str]]:
    """Return the optimizers, and a line for each that cannot be loaded.

    A name or a setting that is wrong raises `OptionError`. A file that is broken, perhaps only
    while it is being edited, does not keep the others from running.
    """
    choices, problems = [], []
    for name in names:
        try:
            choices.append(choose_optimizer(name, None, settings))
        except OptionError:
            raise
        except Exception as error:  # a broken file raises anything
            what = " ".join(str(error).split())
            problems.append(f"{name} cannot be loaded: {type(error).__name__}: {what}")
    return choices, problems

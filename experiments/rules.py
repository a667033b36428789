"""From the command line to parameter groups: the rules of `--rule`, checked before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from experiments.optimizers import OptimizerChoice, OptionError, parse_settings
from labml_nn_optim.param_groups import LayerDecay, Rule, RuleFamily, param_groups

BUILT_IN = "built-in"
"""The rule that adds nothing to those that are there anyway: no decay of biases and normalization."""

LAYER_DECAY = "layer-decay"


@dataclass(frozen=True)
class Rules:
    """Rules that make parameter groups; without any, all parameters are one group.

    * `texts`: the rules as they were given, which is how a configuration holds them
    """

    texts: tuple[str, ...] = ()

    def groups(self, model: nn.Module, choice: OptimizerChoice) -> Iterable[Any]:
        """Return the parameters of `model`, in groups if there are rules.

        Raises `OptionError` for a rule that matches nothing or contradicts another one.
        """
        if not self.texts:
            return model.parameters()
        decay = choice.options.get("weight_decay")
        if decay is None:
            decay = inspect.signature(choice.kind).parameters["weight_decay"].default
        rules = [rule for text in self.texts for rule in parse_rule(text)]
        try:
            return param_groups(model, rules, lr=choice.lr, weight_decay=decay)
        except (TypeError, ValueError) as error:
            raise OptionError(f"--rule: {' '.join(str(error).split())}") from None

    def check(self, make_model: Callable[[], nn.Module], choice: OptimizerChoice) -> None:
        """Raise `OptionError`, as `groups` does, before anything runs; without rules no model is made."""
        if self.texts:
            self.groups(make_model(), choice)


NO_RULES = Rules()


def choose_rules(texts: Sequence[str]) -> Rules:
    """Return the rules that `--rule` describes; raises `OptionError` for what is none."""
    for text in texts:
        parse_rule(text)
    return Rules(tuple(texts))


def parse_rule(text: str) -> list[RuleFamily]:
    """Return the rules that a text stands for; raises `OptionError`.

    * `built-in`: the rules of the library that are there anyway
    * `layer-decay=0.75`: the rate falls by this factor from layer to layer towards the input
    * `PATTERN:NAME=VALUE,...`: a `Rule` for the parameters whose names match, such as
      `output.*:lr_scale=10,no_decay=True`
    """
    if text == BUILT_IN:
        return []
    name, equals, value = text.partition("=")
    try:
        if name == LAYER_DECAY and equals:
            return [LayerDecay(float(value))]
        pattern, colon, settings = text.partition(":")
        if not colon:
            raise OptionError(
                f"--rule {text}: write {BUILT_IN}, {LAYER_DECAY}=0.75 or PATTERN:lr_scale=0.1"
            )
        allowed = list(inspect.signature(Rule).parameters)[1:]
        values = parse_settings(settings.split(","), allowed, "Rule", option=f"--rule {pattern}:")
        return [Rule(pattern, **values)]
    except OptionError:
        raise
    except (TypeError, ValueError) as error:
        raise OptionError(f"--rule {text}: {' '.join(str(error).split())}") from None

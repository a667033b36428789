r"""
---
title: Modifiers
summary: noether's modifiers name one parameter each, scale its learning rate or set its decay, and say whether they found it; here they are rules.
chapter: "11.9"
needs: [param_groups/groups]
---

# The bias that could not be decayed

(prose to come)
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from labml_nn_optim.checks import require_number
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import Chosen, ParameterTable, require_text

__all__ = [
    "LrScaleByNameModifier",
    "ParamGroupModifierBase",
    "ParamGroupModifierConfig",
    "WeightDecayByNameModifier",
]


@dataclass(frozen=True)
class ParamGroupModifierConfig:
    """What a modifier is made from: the full name of a parameter, and a scale or a value.

    Raises `TypeError` or `ValueError` unless exactly one of `scale` and `value` is given, at least 0.
    """

    name: str
    scale: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        require_text("name", self.name)
        if (self.scale is None) == (self.value is None):
            raise ValueError(
                "exactly one of scale and value must be given, "
                f"got scale={self.scale!r} and value={self.value!r}"
            )
        for name, number in (("scale", self.scale), ("value", self.value)):
            if number is not None:
                require_number(name, number)


class ParamGroupModifierBase:
    """Looks at every parameter of a model in turn, and says what its group is to have.

    A subclass has [get_properties](#ParamGroupModifierBase.get_properties). As a rule it is asked once
    for each parameter, also for frozen ones.
    """

    def get_properties(self, model: nn.Module, name: str, param: Tensor) -> dict[str, Any]:
        """Return entries of the group of this parameter, empty if it is not meant.

        `lr_scale` multiplies what other rules say; `params`, `param_names` and `name` are not allowed.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_properties")

    def was_applied_successfully(self) -> bool:
        """Return whether it has found what it looked for; if not, building groups fails."""
        return True

    def reset(self) -> None:
        """Forget what was found, before another walk over a model."""

    def expand(self, table: ParameterTable) -> Sequence[Rule]:
        """Ask for every parameter, and return a rule for each that is meant.

        Raises `TypeError` for an answer that is no dictionary, `ValueError` if the modifier was not
        applied successfully.
        """
        self.reset()
        rules = []
        for row, (name, param) in enumerate(zip(table.names, table.params, strict=True)):
            properties = self.get_properties(table.model, name, param)
            if not isinstance(properties, dict):
                raise TypeError(f"get_properties must return a dict, got {properties!r} for {name}")
            if properties:
                rules.append(Rule(Chosen(frozenset([row]), f"{self!r}: {name}"), **properties))
        if not self.was_applied_successfully():
            raise ValueError(f"{self!r} must match a parameter; {self.hint(table)}")
        return rules

    def hint(self, table: ParameterTable) -> str:
        """Say what the model has instead, when the modifier was not applied."""
        return table.nearest("")


class ByName(ParamGroupModifierBase):
    """Finds one parameter by its full name.

    A model in which the same name comes a second time raises `ValueError`, as it does in noether; with
    another model, or as a rule, it looks anew.
    """

    def __init__(self, name: str) -> None:
        require_text("name", name)
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget what was found."""
        self.param_was_found = False
        self._model: weakref.ref[nn.Module] | None = None

    def find(self, model: nn.Module, name: str) -> bool:
        """Return whether this is the parameter, and remember it."""
        if self._model is None or self._model() is not model:
            self.reset()
            self._model = weakref.ref(model)
        if name != self.name:
            return False
        if self.param_was_found:
            raise ValueError(f"name must be that of one parameter, got {name!r} a second time")
        self.param_was_found = True
        return True

    def was_applied_successfully(self) -> bool:
        """Return whether the parameter was found."""
        return self.param_was_found

    def hint(self, table: ParameterTable) -> str:
        """Name the nearest names."""
        return table.nearest(self.name)


class LrScaleByNameModifier(ByName):
    """Multiplies the learning rate of one parameter.

    - `name`: its full dotted name, or a [ParamGroupModifierConfig](#ParamGroupModifierConfig) with both
    - `scale`: at least 0
    """

    def __init__(self, name: str | ParamGroupModifierConfig, scale: float | None = None) -> None:
        name, scale = from_config(name, "scale", scale)
        if scale is None:
            raise ValueError("scale must be a finite number >= 0, got None")
        require_number("scale", scale)
        super().__init__(name)
        self.scale = scale

    def get_properties(self, model: nn.Module, name: str, param: Tensor) -> dict[str, Any]:
        """Return `lr_scale` for the parameter of this name, nothing for others."""
        return {"lr_scale": self.scale} if self.find(model, name) else {}

    def __repr__(self) -> str:
        return f"LrScaleByNameModifier({self.name!r}, {self.scale!r})"


class WeightDecayByNameModifier(ByName):
    """Sets the weight decay of one parameter, whatever it is.

    - `name`: its full dotted name, or a [ParamGroupModifierConfig](#ParamGroupModifierConfig) with both
    - `value`: at least 0; None means 0
    """

    def __init__(self, name: str | ParamGroupModifierConfig, value: float | None = None) -> None:
        name, value = from_config(name, "value", value)
        if value is not None:
            require_number("value", value)
        super().__init__(name)
        self.value = value or 0.0

    def get_properties(self, model: nn.Module, name: str, param: Tensor) -> dict[str, Any]:
        """Return `weight_decay` for the parameter of this name, nothing for others."""
        return {"weight_decay": self.value} if self.find(model, name) else {}

    def __repr__(self) -> str:
        return f"WeightDecayByNameModifier({self.name!r}, {self.value!r})"


def from_config(
    name: str | ParamGroupModifierConfig, field: str, value: float | None
) -> tuple[str, float | None]:
    """Return name and number, from a configuration if it is one."""
    if not isinstance(name, ParamGroupModifierConfig):
        return name, value
    given: float | None = getattr(name, field)
    if value is not None or given is None:
        raise ValueError(f"{field} must be given by the configuration, got {name!r} and {value!r}")
    return name.name, given

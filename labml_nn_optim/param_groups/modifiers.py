r"""
---
title: Modifiers
summary: noether's modifiers name one parameter each, scale its learning rate or set its decay, and say whether they found it; here they are rules.
chapter: "11.9"
needs: [param_groups/groups]
---

# The bias that could not be decayed

In noether a modifier names one parameter and sets its weight decay. Name a bias, and the optimizer is not built:

```python
WeightDecayByNameModifier("head.bias", 0.1)
```

The rule that biases are not decayed has spoken first, a modifier may not set what is set already, and so each modifier of a
decay on a bias or on a normalization fails. The way out was to switch the exclusion off, for all biases.

Here the same line works. What is built in gives way to what somebody wrote down, and the other biases stay as they were:

```python
groups = param_groups(
    model,
    [WeightDecayByNameModifier("head.bias", 0.1), LrScaleByNameModifier("head.weight", 10.0)],
    lr=1e-3,
    weight_decay=0.05,
)
```

## What a modifier is

It is asked about every parameter in turn, and answers with entries for its group. An empty answer means: not this one. In the
end it says whether it has found what it looked for. For the two of this page a name with a typo is an error, and the message has the nearest
names.

That is a [rule](rules.py) that answers instead of being matched. So both stand in one list, and the same holds for what they
say: scales multiply, anything else may not be set to two values. A [rule](rules.py#Rule) does all that these two modifiers do,
and reads better; they are here for configurations that name them. A modifier of your own is of use where the answer depends on
the parameter, such as on its shape.

## Conventions

| | noether | here |
|---|---|---|
| decay of a bias or normalization by name | `ValueError` | set |
| two modifiers, equal values | `ValueError` | one value |
| two scales of the learning rate | multiply | multiply |
| the name comes twice in one walk | `ValueError` for the scale, `RuntimeError` for the decay | `ValueError` |
| the modifier for a second model | fails: it has been used | looks anew |
| a name that is not there | `ValueError` after the walk | the same, with the nearest names |
| decay equal to the default | a group of its own | joins the default group |
| frozen parameters | asked for, in a group | asked for, in no group |
| an answer with `params` or `name` | `ValueError` | `ValueError` |

The decay of `None` means 0 in both.
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
        found: dict[int, dict[str, Any]] = {}
        for row, (name, param) in enumerate(zip(table.names, table.params, strict=True)):
            properties = self.get_properties(table.model, name, param)
            if not isinstance(properties, dict):
                raise TypeError(f"get_properties must return a dict, got {properties!r} for {name}")
            if properties:
                found[row] = properties
        if not self.was_applied_successfully():
            raise ValueError(f"{self!r} must match a parameter; {self.hint(table)}")
        # One that is frozen is an error only if no other is meant.
        optional = any(table.params[row].requires_grad for row in found)
        return [
            Rule(
                Chosen(frozenset([row]), f"{self!r}: {table.names[row]}"),
                **{"optional": optional, **properties},
            )
            for row, properties in found.items()
        ]

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


# ## Traps
#
# - **The name is the whole dotted name**, without a wildcard. For more than one parameter take a rule.
# - **One of your own is believed.** `was_applied_successfully` returns True unless you override it, and `reset` with it. Without that, a typo in your own
#   modifier is no error.
# - **A wrapped model has other names.** After `torch.compile` they begin with `_orig_mod.`, in
#   `DistributedDataParallel` with `module.`. Build the groups from the model inside.
# - **A tied parameter has one name,** the first. The error says which.
#
# ## Exercises
#
# **1.** Write a modifier that divides the learning rate of each matrix by the square root of its number of inputs.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import ParamGroupModifierBase, param_groups
#
#
# class ByFanIn(ParamGroupModifierBase):
#     def get_properties(self, model, name, param):
#         return {"lr_scale": param.shape[1] ** -0.5} if param.ndim == 2 else {}
#
#
# model = nn.Sequential(nn.Linear(16, 4), nn.Linear(4, 2))
# groups = param_groups(model, [ByFanIn()], lr=1.0)
# rates = {name: group["lr"] for group in groups for name in group["param_names"]}
# assert rates == {"0.weight": 0.25, "0.bias": 1.0, "1.weight": 0.5, "1.bias": 1.0}
# ```
# :::
#
# **2.** Why is a modifier asked about frozen parameters, though they are in no group?
#
# ::: solution
# So that it can tell a name that is not there from a parameter that is not trained. The engine then says which of the
# two it is: a rule that matches frozen parameters only is an error of its own.
# :::

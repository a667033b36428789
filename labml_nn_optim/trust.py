r"""
---
title: Trust ratios
summary: A trust ratio is a quotient of two norms of a tensor.
chapter: "0.14"
needs: [stacks, weight_decay]
symbols:
  \theta: param
  \lambda: weight_decay
  u: update
---

# Trust ratios
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["decay_inside", "decay_update", "quotient"]


def quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide norm by norm; the quotient is 1 where either of them is 0."""
    both = numerator.gt(0).logical_and_(denominator.gt(0))
    return torch.where(both, numerator.div(denominator), 1.0)


def decay_inside(weight_decay: WeightDecay | float) -> WeightDecay:
    r"""Read a number as decay that is a term of the update; a kind stays what it is.

    Raises `TypeError` or `ValueError` for a number that is none, or is not allowed.
    """
    if isinstance(weight_decay, WeightDecay):
        return weight_decay
    return WeightDecay(weight_decay, weight_decouple=False)


def decay_update(
    decay: Callable[[Any, Any, Mapping[str, Any]], Any],
    param: Any,
    grad: Any,
    update: Any,
    group: Mapping[str, Any],
) -> Any:
    r"""Return $u + \lambda \theta$, or decay `param` in place and return `update`, as the group's kind says.

    `decay` is what a rule calls as `self.weight_decay`, `grad` the gradient of this step.
    """
    decayed = decay(param, update, group)
    # A [cautious](caution.py) rule compares its steps with what it has called this with last. That must be
    # the gradient, and what has decayed must not decay again.
    decay(param, grad, {**group, "weight_decay": 0.0})
    return decayed

r"""
---
title: LARS
summary: LARS gives every tensor a learning rate that moves it by the same part of its norm.
paper:
  title: Large Batch Training of Convolutional Networks
  authors: Yang You, Igor Gitman, Boris Ginsburg
  year: 2017
  arxiv: "1708.03888"
chapter: "6.1"
needs: [optimizers/sgd, trust]
symbols:
  \theta: param
  g: grad
verified_against:
  implementation: timm.optim.Lars 1.0.31
  difference: 4e-16 over 100 noisy steps in float64
---

# LARS
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.trust import decay_inside, quotient
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["LARS"]


class LARS(GenericAdaptiveOptimizer):
    r"""SGD with momentum whose gradients are scaled, tensor by tensor, to the norm of the weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$, the part of the velocity that a step keeps
    - `weight_decay`: a number, $\lambda$ of a term of the gradient, or a
      [WeightDecay](../weight_decay.py#WeightDecay); a group with 0 has no ratio
    - `trust_coefficient`: $\eta > 0$, the part of its norm that a tensor moves, for $\alpha = 1$
    - `eps`: $\varepsilon$, added to the norms that $\lVert\theta\rVert$ is divided by
    - `always_adapt`: whether groups without decay have a ratio, too
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: one tensor of the parameter's shape with momentum, none without.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    You, Gitman and Ginsburg (2017).
    """

    elementwise = False
    beta_count = 0
    momentum_state = "momentum_buffer"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 5e-4,
        trust_coefficient: float = 1e-3,
        eps: float = 1e-8,
        always_adapt: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "trust_coefficient": trust_coefficient,
            "always_adapt": always_adapt,
        }
        super().__init__(
            params,
            own | dict(defaults or {}),
            lr,
            eps=eps,
            weight_decay=decay_inside(weight_decay),
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        require_number("trust_coefficient", group["trust_coefficient"], above=0.0)
        require_flag("always_adapt", group["always_adapt"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the velocity at zero, if there is momentum."""
        if not is_zero(group["momentum"]):
            state["momentum_buffer"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each with a ratio of its own."""
        # $d = g + \lambda \theta$, or $g$ where decay is decoupled or 0
        direction = self.weight_decay(param, grad, group)
        if group["always_adapt"] or not is_zero(group["weight_decay"]):
            # $\lVert g \rVert + \lambda \lVert\theta\rVert + \varepsilon$, for any kind of decay
            length = norm_of_each(grad).add_(group["eps"])
            if direction is not grad:
                length.add_(norm_of_each(direction.sub(grad)))
            # $r = \eta\, \lVert\theta\rVert / (\lVert g \rVert + \lambda \lVert\theta\rVert + \varepsilon)$
            reach = norm_of_each(param).mul_(group["trust_coefficient"])
            direction = direction.mul(quotient(reach, length))
        # $b_t = \mu\, b_{t-1} + r\, d$
        if not is_zero(group["momentum"]):
            direction = state["momentum_buffer"].mul_(group["momentum"]).add_(direction)
        # $\theta_t = \theta_{t-1} - \alpha\, b_t$
        param.sub_(direction.mul(group["lr"]))

r"""
---
title: Schedule-free SGD
summary: Schedule-free SGD takes plain steps, and its gradients near the average of all points they have reached.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.3"
needs: [schedule_free, optimizers/sgd]
symbols:
  y: param
  g: grad
  u: update
  \beta: momentum
  \alpha: lr
verified_against:
  implementation: pytorch_optimizer.ScheduleFreeSGD 4.1.0
  difference: 1e-15 over 100 noisy steps in float64
---

# Schedule-free SGD
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.schedule_free import ScheduleFree, add_decay, move
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFreeSGD"]


class ScheduleFreeSGD(ScheduleFree):
    r"""Plain steps at a constant rate, and the average of all points in the place of momentum.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ after the warm-up, a number or a tensor of one element
    - `momentum`: $\beta$ in $(0, 1)$, how much of the average is in $y$
    - `weight_decay`: a number, decoupled and times `lr`, which here is the same as in the gradient, or a
      [WeightDecay](../weight_decay.py#WeightDecay) that acts before the update
    - `warmup`: the number of steps until `lr` is reached
    - `r`, `weight_lr_power`: how much later points, and those of larger rates, count
      ([ScheduleFree](../schedule_free.py#ScheduleFree))
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but not `cautious`

    Call [eval](../schedule_free.py#ScheduleFree.eval) before you evaluate and
    [train](../schedule_free.py#ScheduleFree.train) before you go on.

    State: one tensor of the parameter's shape, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Defazio et al. (2024).
    """

    beta_count = 0
    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 0.0,
        warmup: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(
            params,
            {"momentum": momentum} | dict(defaults or {}),
            lr,
            weight_decay=weight_decay,
            warmup=warmup,
            r=r,
            weight_lr_power=weight_lr_power,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        r"""Check that $x$ can be recovered, which $\beta = 0$ does not allow."""
        super().check_group(group)
        require_number("momentum", group["momentum"], above=0.0, below=1.0)

    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta$."""
        return float(group["momentum"])

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        if not group["decoupled_weight_decay"]:
            grad = self.weight_decay(param, grad, group)
        # $u_t = \alpha_t\, g_t$
        update = grad.mul(group["lr"])
        add_decay(self.weight_decay, param, grad, update, group)
        move(param, state["z"], update, group)

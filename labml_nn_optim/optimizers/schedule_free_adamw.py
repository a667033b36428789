r"""
---
title: Schedule-free AdamW
summary: Schedule-free AdamW puts an average of all points in the place of Adam's momentum and of the schedule.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.2"
needs: [schedule_free, optimizers/adamw]
symbols:
  y: param
  g: grad
  v: exp_avg_sq
  u: update
  \beta_1: betas[0]
  \beta_2: betas[1]
verified_against:
  implementation: pytorch_optimizer.ScheduleFreeAdamW 4.1.0
  difference: 3e-13 over 100 noisy steps in float64
---

# Schedule-free AdamW
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.schedule_free import ScheduleFree, add_decay, move
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFreeAdamW"]


class ScheduleFreeAdamW(ScheduleFree):
    r"""Adam's step without momentum, and the average of all points in its place.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ after the warm-up, a number or a tensor of one element
    - `betas`: $\beta_1$ in $(0, 1)$, how much of the average is in $y$, and the decay rate $\beta_2$ in $[0, 1)$
    - `eps`: $\varepsilon$, added to the corrected $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay) that acts before the update
    - `warmup`: the number of steps until `lr` is reached
    - `r`, `weight_lr_power`: how much later points, and those of larger rates, count
      ([ScheduleFree](../schedule_free.py#ScheduleFree))
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but not `cautious`

    Call [eval](../schedule_free.py#ScheduleFree.eval) before you evaluate and
    [train](../schedule_free.py#ScheduleFree.train) before you go on.

    State: two tensors of the parameter's shape, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Defazio et al. (2024), algorithm 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
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
            defaults,
            lr,
            betas,
            eps,
            weight_decay,
            warmup=warmup,
            r=r,
            weight_lr_power=weight_lr_power,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        r"""Check that $x$ can be recovered, which $\beta_1 = 0$ does not allow."""
        super().check_group(group)
        require_number("betas[0]", group["betas"][0], above=0.0, below=1.0)

    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta_1$."""
        return float(group["betas"][0])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the second moment at zero and $z$ at the parameter."""
        super().init_state(state, group, param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Add what [Adam](adam.py#Adam.scalars) makes of the correction of $v$."""
        shared = super().scalars(group, step)
        root = math.sqrt(1 - group["betas"][1] ** step)
        return shared | {"step_size": shared["lr"] * root, "eps_hat": group["eps"] * root}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg_sq, beta2 = state["exp_avg_sq"], group["betas"][1]
        # Decay in the gradient comes first, for the second moment sees it.
        if not group["decoupled_weight_decay"]:
            grad = self.weight_decay(param, grad, group)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $u_t = \alpha_t\, g_t / (\sqrt{\hat v_t} + \varepsilon)$
        update = grad.div(exp_avg_sq.sqrt().add_(group["eps_hat"])).mul_(group["step_size"])
        add_decay(self.weight_decay, param, grad, update, group)
        move(param, state["z"], update, group)

r"""
---
title: AdEMAMix
summary: AdEMAMix adds to Adam's average of gradients a second one that remembers tens of thousands of steps.
paper:
  title: "The AdEMAMix Optimizer: Better, Faster, Older"
  authors: Matteo Pagliardini, Pierre Ablin, David Grangier
  year: 2024
  arxiv: "2409.03137"
  venue: ICLR
chapter: "4.3"
needs: [optimizers/adam, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  s: exp_avg_slow
  v: exp_avg_sq
  a: alpha
  W: t_alpha_beta3
---
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdEMAMix"]


class AdEMAMix(GenericAdaptiveOptimizer):
    r"""Adam with a fast and a slow average of the gradients in its numerator.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2, \beta_3)$ of the fast average, of the squares and of the
      slow average, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `alpha`: $a \ge 0$, how much the slow average counts; the paper calls it $\alpha$
    - `t_alpha_beta3`: $W$, the number of steps in which $a$ and $\beta_3$ rise to their values, at least 1,
      or `None` for no warm-up
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: three tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Pagliardini, Ablin and Grangier (2024), algorithm 1.
    """

    beta_count = 3

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        alpha: float = 5.0,
        t_alpha_beta3: int | None = None,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"alpha": alpha, "t_alpha_beta3": t_alpha_beta3} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("alpha", group["alpha"])
        if group["t_alpha_beta3"] is not None:
            require_count("t_alpha_beta3", group["t_alpha_beta3"], minimum=1)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start all three averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["exp_avg_slow"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections and where the two schedules stand.

        A kernel gets $1 - \beta_{3,t}$ as it is, for the difference of two numbers near 1 loses digits.
        """
        beta1, beta2, beta3 = group["betas"]
        warmup = group["t_alpha_beta3"]
        # How far the warm-up has come: 1 once it is over
        progress = 1.0 if warmup is None else min(1.0, step / warmup)
        if progress < 1:
            life = (1 - progress) * half_life(beta1) + progress * half_life(beta3)
            beta3 = decay_rate(life)
        root = (1 - beta2**step) ** 0.5
        rate = group["lr"] * root
        return {
            "fast_rate": rate / (1 - beta1**step),
            "slow_rate": rate * progress * group["alpha"],
            "slow_weight": 1 - beta3,
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2, _ = group["betas"]
        exp_avg, exp_avg_sq, slow = state["exp_avg"], state["exp_avg_sq"], state["exp_avg_slow"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = m_{t-1} + (1 - \beta_1)(g_t - m_{t-1})$ and $s_t = s_{t-1} + (1 - \beta_{3,t})(g_t - s_{t-1})$
        exp_avg.lerp_(grad, 1 - beta1)
        slow.lerp_(grad, group["slow_weight"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $\theta_t = \theta_{t-1} - \alpha\, (\hat m_t + a_t s_t) / (\sqrt{\hat v_t} + \varepsilon)$, with the
        # corrections in the two rates and in $\hat\varepsilon$
        mixed = exp_avg.mul(group["fast_rate"]).add_(slow.mul(group["slow_rate"]))
        param.addcdiv_(mixed, exp_avg_sq.sqrt().add_(group["eps_hat"]), value=-1.0)


def half_life(beta: float) -> float:
    r"""Return after how many steps an average with the decay rate `beta` has forgotten half: $h$.

    0 if it forgets everything at once.
    """
    return math.log(0.5) / math.log(beta) if beta > 0 else 0.0


def decay_rate(life: float) -> float:
    r"""Return $\beta = 2^{-1/h}$, the decay rate with the half-life `life`."""
    return 0.5 ** (1 / life) if life > 0 else 0.0

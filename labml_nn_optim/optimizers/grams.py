r"""
---
title: Grams
summary: Grams goes as far as Adam would, and the way that the newest gradient points.
paper:
  title: "Grams: Gradient Descent with Adaptive Momentum Scaling"
  authors: Yang Cao, Xiaoyu Li, Zhao Song
  year: 2024
  arxiv: "2412.17107"
chapter: "4.7"
needs: [optimizers/adam, caution]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \beta_1, \beta_2: betas
  \varepsilon: eps
---

# Grams
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Grams"]


class Grams(GenericAdaptiveOptimizer):
    r"""The sign of the gradient, and the size of Adam's update.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, which keeps the division finite; with 0 a gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Cao, Li and Song (2024), with the defaults of the authors' code.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, eps, weight_decay, **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Fold both corrections into two numbers, as in [Adam](adam.py)."""
        beta1, beta2 = group["betas"]
        root = math.sqrt(1 - beta2**step)
        return {
            "step_size": group["lr"] * root / (1 - beta1**step),
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = m_{t-1} + (1 - \beta_1)(g_t - m_{t-1})$ and $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $\theta_t = \theta_{t-1} - \text{step size} \cdot \operatorname{sign}(g_t)\, |m_t| / (\sqrt{v_t} + \hat\varepsilon)$
        turned = exp_avg.abs().mul_(grad.sign())
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(turned, denominator, value=-group["step_size"])


# ## Exercises

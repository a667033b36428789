r"""
---
title: MARS
summary: MARS adds to each gradient a part of its change since the last one, cuts the sum to length 1, and gives it to Adam.
paper:
  title: "MARS: Unleashing the Power of Variance Reduction for Training Large Models"
  authors: Huizhuo Yuan, Yifeng Liu, Shuang Wu, Xun Zhou, Quanquan Gu
  year: 2024
  arxiv: "2411.10438"
  venue: ICML
chapter: "4.4"
needs: [optimizers/adamw, optimizers/nadamw, stacks]
symbols:
  \theta: param
  g: grad
  c: corrected
  m: exp_avg
  v: exp_avg_sq
  \gamma: gamma
verified_against:
  implementation: pytorch_optimizer.MARS 4.1.0 with optimize_1d=True
  difference: 0 over 100 noisy steps in float64
---
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["MARS"]


class MARS(GenericAdaptiveOptimizer):
    r"""AdamW on gradients that carry a part of their own change, and are no longer than 1.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `gamma`: $\gamma \ge 0$, how much of the change is added
    - `max_norm`: the largest norm of a whole tensor's corrected gradient, above 0, or `None` for no limit
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: three tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Yuan et al. (2024), MARS-AdamW, with one gradient a step.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 3e-3,
        betas: tuple[float, float] = (0.95, 0.99),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        gamma: float = 0.025,
        max_norm: float | None = 1.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"gamma": gamma, "max_norm": max_norm} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("gamma", group["gamma"])
        if group["max_norm"] is not None:
            require_number("max_norm", group["max_norm"], above=0.0)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, and let the gradient before the first be zero, too."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["last_grad"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the factor of the change, $\gamma \beta_1 / (1 - \beta_1)$, and Adam's corrections."""
        beta1, beta2 = group["betas"]
        return {
            "change": group["gamma"] * beta1 / (1 - beta1),
            "bias_correction1": 1 - beta1**step,
            "bias_correction2": 1 - beta2**step,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each cut by a norm of its own."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        last_grad = state["last_grad"]
        grad = self.weight_decay(param, grad, group)
        # $c_t = g_t + \gamma \frac{\beta_1}{1 - \beta_1} (g_t - g_{t-1})$
        corrected = grad.sub(last_grad).mul_(group["change"]).add_(grad)
        # $\tilde c_t = c_t / \max(1, \lVert c_t \rVert / \text{max\_norm})$, by a tensor, so that a GPU need not
        # wait for a number.
        if group["max_norm"] is not None:
            excess = norm_of_each(corrected).div_(group["max_norm"]).clamp_min_(1.0)
            corrected.div_(excess)
        # A copy: the memory of `grad` is the next gradient's, too.
        last_grad.copy_(grad)
        # From here on this is Adam.
        exp_avg.lerp_(corrected, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(corrected, corrected, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().div_(group["bias_correction2"] ** 0.5).add_(group["eps"])
        param.addcdiv_(exp_avg, denominator, value=-group["lr"] / group["bias_correction1"])

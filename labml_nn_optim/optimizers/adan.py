r"""
---
title: Adan
summary: >-
  Adan takes Nesterov's step without looking ahead: it averages gradients and their differences apart, and
  squares both together.
paper:
  title: "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models"
  authors: Xingyu Xie, Pan Zhou, Huan Li, Zhouchen Lin, Shuicheng Yan
  year: 2022
  arxiv: "2208.06677"
chapter: "4.2"
needs: [optimizers/sgd, optimizers/nadamw, decays/proximal]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  d: exp_avg_diff
  v: exp_avg_sq
  \Delta: difference
verified_against:
  implementation: timm.optim.Adan 1.0.31
  difference: 2e-15 over 100 noisy steps in float64
---
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.decays.proximal import ProximalWeightDecay
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adan"]


class Adan(GenericAdaptiveOptimizer):
    r"""Adaptive."""

    beta_count: ClassVar[int] = 3

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        if not isinstance(weight_decay, WeightDecay):
            weight_decay = ProximalWeightDecay(weight_decay)
        super().__init__(params, defaults, lr, betas, eps, weight_decay, **options)

    def init_state(
        self,
        state: dict[str, Any],
        group: Mapping[str, Any],
        param: Tensor,
    ) -> None:
        r"""Start three averages at zero; what stands in $g_0$ is never read."""
        for name in ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"):
            state[name] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Fold."""
        beta1, beta2, beta3 = group["betas"]
        correction = 1 - beta1**step
        root = math.sqrt(1 - beta3**step)
        gain = 0.0 if step == 1 else beta2
        return {
            "diff_weight": 0.0 if step == 1 else 1 - beta2,
            "gain": gain,
            "ratio": gain * correction / (1 - beta2**step),
            "step_size": group["lr"] * root / correction,
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, _, beta3 = group["betas"]
        exp_avg, exp_avg_diff = state["exp_avg"], state["exp_avg_diff"]
        exp_avg_sq = state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $\Delta_t = g_t - g_{t-1}$
        difference = grad.sub(state["previous_grad"])
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_diff.lerp_(difference, group["diff_weight"])
        ahead = difference.mul_(group["gain"]).add_(grad)
        exp_avg_sq.mul_(beta3).addcmul_(ahead, ahead, value=1 - beta3)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        direction = exp_avg_diff.mul(group["ratio"]).add_(exp_avg)
        param.addcdiv_(direction, denominator, value=-group["step_size"])
        state["previous_grad"].copy_(grad)

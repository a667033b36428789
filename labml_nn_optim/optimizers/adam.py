r"""
---
title: Adam
summary: Adam divides a running average of the gradient by the root of a running average of its square, so that every parameter moves by about the learning rate.
chapter: "2.4"
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
from labml_nn_optim.checks import require_flag
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adam"]


class Adam(GenericAdaptiveOptimizer):
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"optimized_update": optimized_update}
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        super().check_group(group)
        require_flag("optimized_update", group["optimized_update"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        root = math.sqrt(1 - beta2**step)
        return {
            "step_size": group["lr"] * root / (1 - beta1**step),
            "eps_hat": group["eps"] if group["optimized_update"] else group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])

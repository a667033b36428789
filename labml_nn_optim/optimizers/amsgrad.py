r"""
---
title: AMSGrad
summary: AMSGrad divides by the largest second moment seen so far, so that a step size, once lowered, does not grow again.
chapter: "3.1"
---
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_flag
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AMSGrad"]


class AMSGrad(Adam):
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        amsgrad: bool = True,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"amsgrad": amsgrad} | dict(defaults or {})
        super().__init__(params, lr, betas, eps, weight_decay, optimized_update, own, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        super().check_group(group)
        require_flag("amsgrad", group["amsgrad"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        super().init_state(state, group, param)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            exp_avg_sq = state["max_exp_avg_sq"].clamp_min_(exp_avg_sq)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])

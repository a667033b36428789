r"""
---
title: RAdam
summary: RAdam warms Adam up by itself, from the variance that its second moment has while few gradients have been seen.
chapter: "3.3"
---
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_flag
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["RAdam"]


class RAdam(Adam):
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = True,
        degenerated_to_sgd: bool = True,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"degenerated_to_sgd": degenerated_to_sgd} | dict(defaults or {})
        super().__init__(params, lr, betas, eps, weight_decay, optimized_update, own, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        super().check_group(group)
        require_flag("degenerated_to_sgd", group["degenerated_to_sgd"])

    @staticmethod
    def calc_rectification_term(beta2: float, step: int) -> float | None:
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / (1 - beta2**step)
        if rho <= 5:
            return None
        return math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        adaptive = super().scalars(group, step) | {"slope": 1.0}
        rectification = self.calc_rectification_term(beta2, step)
        if rectification is not None:
            return adaptive | {"step_size": rectification * adaptive["step_size"]}
        plain = group["lr"] / (1 - beta1**step) if group["degenerated_to_sgd"] else 0.0
        return {"step_size": plain, "eps_hat": 1.0, "slope": 0.0}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().mul_(group["slope"]).add_(group["eps_hat"])
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])

r"""
---
title: ASGD
summary: ASGD lets the rate of gradient descent fall slowly, and keeps the average of all weights beside the last ones.
paper:
  title: Acceleration of Stochastic Approximation by Averaging
  authors: Boris T. Polyak, Anatoli B. Juditsky
  year: 1992
  doi: 10.1137/0330046
  venue: SIAM Journal on Control and Optimization 30 (4)
chapter: "8.6"
needs: [optimizers/sgd, averaging]
symbols:
  \theta: param
  g: grad
  \bar\theta: ax
  \eta: rate
---

# ASGD
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ASGD"]


class ASGD(GenericAdaptiveOptimizer):
    r"""Gradient descent with a falling rate, and the average of its weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ of the first step, a number or a tensor of one element
    - `lambd`: how fast the rate falls, and a decay of the weights times the rate
    - `alpha`: the power with which it falls
    - `t0`: the step after which weights are averaged
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: one tensor of the parameter's shape, the average `ax`, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Polyak and Juditsky (1992), in the form of `torch.optim.ASGD`.
    """

    beta_count = 0
    has_eps = False
    scalar_state = ("eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"lambd": lambd, "alpha": alpha, "t0": t0} | dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        for name in ("lambd", "alpha", "t0"):
            require_number(name, group[name])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start with an average that the first step replaces."""
        state["eta"] = torch.zeros((), dtype=torch.float64)
        state["mu"] = torch.ones((), dtype=torch.float64)
        state["ax"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the rate and the weight of this step, and those of the next, which torch stores.

        $\eta_t = \alpha / (1 + \lambda \alpha\, (t - 1))^p$, and $\mu_t = 1 / \max(1, t - 1 - t_0)$
        """
        rate, weight = self._numbers(group, step)
        eta, mu = self._numbers(group, step + 1)
        shrink = 1 - group["lambd"] * rate
        return {"rate": rate, "weight": weight, "shrink": shrink, "eta": eta, "mu": mu}

    @staticmethod
    def _numbers(group: Mapping[str, Any], step: int) -> tuple[float, float]:
        lr = group["lr"]
        eta = lr / (1 + group["lambd"] * lr * (step - 1)) ** group["alpha"]
        return eta, 1 / max(1, step - 1 - group["t0"])

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        grad = self.weight_decay(param, grad, group)
        # $\theta_t = (1 - \lambda \eta_t)\, \theta_{t-1} - \eta_t\, g_t$
        param.mul_(group["shrink"]).sub_(grad.mul(group["rate"]))
        # $\bar\theta_t = \bar\theta_{t-1} + \mu_t\, (\theta_t - \bar\theta_{t-1})$
        state["ax"].lerp_(param, group["weight"])

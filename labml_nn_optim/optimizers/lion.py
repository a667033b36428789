r"""
---
title: Lion
summary: Lion moves every weight by exactly the learning rate, along the sign of a mixture of its momentum and its newest gradient.
paper:
  title: Symbolic Discovery of Optimization Algorithms
  authors: Xiangning Chen, Chen Liang, Da Huang, Esteban Real, Kaiyuan Wang, Yao Liu, Hieu Pham, Xuanyi Dong, Thang Luong, Cho-Jui Hsieh, Yifeng Lu, Quoc V. Le
  year: 2023
  arxiv: "2302.06675"
  venue: NeurIPS
chapter: "4.1"
needs: [optimizers/signum, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  c: mixture
  \alpha: lr
verified_against:
  implementation: timm.optim.Lion 1.0.31
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
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Lion"]


class Lion(GenericAdaptiveOptimizer):
    r"""The sign of a mixture of momentum and gradient.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, how far every weight moves in a step, a number or a tensor of one element
    - `betas`: $(\beta_1, \beta_2)$, each in $[0, 1)$: the share of the momentum in the mixture, and the decay
      rate of the momentum
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: one tensor of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Chen et al. (2023), with the defaults of the authors' code.
    """

    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, weight_decay=weight_decay, **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the momentum at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg = state["exp_avg"]
        # Decoupled decay shrinks the weight here and leaves the gradient alone, so no sign sees it.
        grad = self.weight_decay(param, grad, group)
        # $c_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$, from the momentum of the step before
        mixture = exp_avg.lerp(grad, 1 - beta1)
        # $\theta_t = \theta_{t-1} - \alpha \operatorname{sign}(c_t)$
        param.add_(mixture.sign_(), alpha=-group["lr"])
        # $m_t = \beta_2 m_{t-1} + (1 - \beta_2)\, g_t$
        exp_avg.lerp_(grad, 1 - beta2)

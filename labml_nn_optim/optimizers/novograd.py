r"""
---
title: NovoGrad
summary: NovoGrad divides the gradient of a tensor by an average of its norms.
paper:
  title: Training Deep Networks with Stochastic Gradient Normalized by Layerwise Adaptive Second Moments
  authors: Boris Ginsburg, Patrice Castonguay, Oleksii Hrinchuk, Oleksii Kuchaiev, Ryan Leary, Vitaly Lavrukhin, Jason Li, Huyen Nguyen, Yang Zhang, Jonathan M. Cohen
  year: 2019
  arxiv: "1905.11286"
chapter: "6.3"
needs: [optimizers/adam, trust]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
verified_against:
  implementation: pytorch_optimizer.NovoGrad 4.1.0
  difference: 4e-16 over 100 noisy steps in float64
---

# NovoGrad
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.trust import decay_inside
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["NovoGrad"]


class NovoGrad(GenericAdaptiveOptimizer):
    r"""Momentum of gradients that are divided, tensor by tensor, by an average of their norms.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, $\lambda$ of a term of the divided gradient, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: one tensor of the parameter's shape, and one number.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Ginsburg et al. (2019), algorithm 1.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.95, 0.98),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, eps, decay_inside(weight_decay), **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the momentum at zero, and the mean square of the norm, one number, as well."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros((), dtype=param.dtype.to_real(), device=param.device)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, with a number each."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        norm = norm_of_each(grad)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2) \lVert g_t \rVert^2$, but $v_t = \lVert g_t \rVert^2$ as long
        # as all gradients have been 0
        square = norm.square().view_as(exp_avg_sq)
        exp_avg_sq.copy_(torch.where(exp_avg_sq.gt(0), exp_avg_sq.lerp(square, 1 - beta2), square))
        # $n_t = g_t / (\sqrt{v_t} + \varepsilon)$
        normed = grad.div(exp_avg_sq.sqrt().add_(group["eps"]).view_as(norm))
        # $m_t = \beta_1 m_{t-1} + n_t + \lambda \theta_{t-1}$
        exp_avg.mul_(beta1).add_(self.weight_decay(param, normed, group))
        # $\theta_t = \theta_{t-1} - \alpha\, m_t$
        param.sub_(exp_avg.mul(group["lr"]))

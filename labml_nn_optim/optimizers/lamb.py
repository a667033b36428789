r"""
---
title: LAMB
summary: LAMB makes Adam's step of each tensor as long as a part of the tensor itself.
paper:
  title: "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes"
  authors: Yang You, Jing Li, Sashank Reddi, Jonathan Hseu, Sanjiv Kumar, Srinadh Bhojanapalli, Xiaodan Song, James Demmel, Kurt Keutzer, Cho-Jui Hsieh
  year: 2019
  arxiv: "1904.00962"
  venue: ICLR
chapter: "6.2"
needs: [optimizers/adam, optimizers/lars, trust]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  u: update
verified_against:
  implementation: timm.optim.Lamb 1.0.31 with max_grad_norm=None
  difference: 4e-16 over 100 noisy steps in float64
---

# LAMB
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.pieces import Member, working_dtype
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.trust import decay_inside, decay_update, quotient
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["LAMB"]


class LAMB(GenericAdaptiveOptimizer):
    r"""Adam whose steps are scaled, tensor by tensor, to the norm of the weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, $\lambda$ of a term of the update, or a
      [WeightDecay](../weight_decay.py#WeightDecay); a group with 0 has no ratio
    - `max_norm`: the largest $\phi(\lVert\theta\rVert)$, or `None` for no bound
    - `max_ratio`: the largest ratio, or `None` for no bound
    - `max_grad_norm`: the norm of all gradients together from which on they are shortened, or `None`
    - `always_adapt`: whether groups without decay have a ratio, too
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    You et al. (2019), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 1e-2,
        max_norm: float | None = None,
        max_ratio: float | None = None,
        max_grad_norm: float | None = None,
        always_adapt: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "max_norm": max_norm,
            "max_ratio": max_ratio,
            "max_grad_norm": max_grad_norm,
            "always_adapt": always_adapt,
            "divisor": 1.0,
        }
        decay = decay_inside(weight_decay)
        super().__init__(params, own | dict(defaults or {}), lr, betas, eps, decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        for name in ("max_norm", "max_ratio", "max_grad_norm"):
            if group[name] is not None:
                require_number(name, group[name], above=0.0)
        require_flag("always_adapt", group["always_adapt"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Find by what all gradients are divided, if their norm is bounded: one number for all groups.

        On a GPU the step waits for it.
        """
        bounds = [group["max_grad_norm"] for group, _ in work]
        if all(bound is None for bound in bounds):
            return
        total = norm_of_all(member.grad for _, members in work for member in members)
        for (group, _), bound in zip(work, bounds, strict=True):
            group["divisor"] = 1.0 if bound is None else max(1.0, total / float(bound))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections, $1 - \beta_1^t$ and $\sqrt{1 - \beta_2^t}$."""
        beta1, beta2 = group["betas"]
        return {"correction1": 1 - beta1**step, "correction2": math.sqrt(1 - beta2**step)}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each with a ratio of its own."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        if group["max_grad_norm"] is not None:
            grad = grad.div(group["divisor"])
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$ and $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $u_t = \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$
        denominator = exp_avg_sq.sqrt().div_(group["correction2"]).add_(group["eps"])
        update = exp_avg.div(group["correction1"]).div_(denominator)
        # $u_t + \lambda \theta_{t-1}$, or a decoupled decay of $\theta$
        update = decay_update(self.weight_decay, param, grad, update, group)
        if group["always_adapt"] or not is_zero(group["weight_decay"]):
            # $r = \phi(\lVert\theta\rVert) / \lVert u \rVert$
            norm = norm_of_each(param)
            if group["max_norm"] is not None:
                norm = norm.clamp_max(group["max_norm"])
            ratio = quotient(norm, norm_of_each(update))
            if group["max_ratio"] is not None:
                ratio = ratio.clamp_max(group["max_ratio"])
            update = update.mul(ratio)
        # $\theta_t = \theta_{t-1} - \alpha\, r\, u$
        param.sub_(update.mul(group["lr"]))


def norm_of_all(tensors: Iterable[Tensor]) -> float:
    """Return the Euclidean norm of all tensors together, which may lie on several devices."""
    found = defaultdict(list)
    for each in tensors:
        norm = torch.linalg.vector_norm(each, dtype=working_dtype(each.dtype))
        found[norm.device, norm.dtype].append(norm)
    return math.hypot(*(float(torch.stack(norms).norm()) for norms in found.values()))

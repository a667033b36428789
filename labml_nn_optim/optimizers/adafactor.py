r"""
---
title: Adafactor
summary: Adafactor keeps the second moments of a matrix as one number a row and one a column, and needs next to no memory.
paper:
  title: "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost"
  authors: Noam Shazeer, Mitchell Stern
  year: 2018
  arxiv: "1804.04235"
  venue: ICML
chapter: "6.4"
needs: [stacks, optimizers/adam]
symbols:
  \theta: param
  g: grad
  R: row_var
  C: col_var
---

# Adafactor
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adafactor"]


class Adafactor(GenericAdaptiveOptimizer):
    r"""Steps relative to the size of the weights, with a second moment of rank one.

    - `params`: parameters or groups of them
    - `lr`: the most that $\rho_t = \min(\alpha, 1 / \sqrt t)$ may be, a number or a tensor of one
      element
    - `beta2_decay`: the power $c \le 0$ in the weight $t^c$ of the newest square
    - `eps`: $(\varepsilon_1, \varepsilon_2)$, the least root of a second moment and the least size of a
      tensor; `None` for the first is the spacing of numbers at 1
    - `d`: the largest root mean square of an update, over 0
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: a number for each row and each column of a matrix, one tensor of its shape for a vector.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Shazeer and Stern (2018), algorithms 4 and 5, in the form of `torch.optim.Adafactor`.
    """

    elementwise = False
    beta_count = 0
    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"beta2_decay": beta2_decay, "eps": eps, "d": d} | dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("beta2_decay", group["beta2_decay"], minimum=None, maximum=0.0)
        require_number("d", group["d"], above=0.0)
        eps = group["eps"]
        if not isinstance(eps, tuple | list) or len(eps) != 2:
            raise TypeError(f"eps must be two numbers, the first may be None, got {eps!r}")
        if eps[0] is not None:
            require_number("eps[0]", eps[0])
        require_number("eps[1]", eps[1])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start all second moments at zero."""
        if param.dim() > 1 and not param.is_complex():
            state["row_var"] = param.new_zeros(*param.shape[:-1], 1)
            state["col_var"] = param.new_zeros(*param.shape[:-2], 1, param.shape[-1])
        else:
            state["variance"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the weight of the newest squares and the relative step $\rho_t$."""
        return {
            "weight": step ** group["beta2_decay"],
            "relative": min(group["lr"], 1 / math.sqrt(step)),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        least, least_size = group["eps"]
        least = torch.finfo(param.dtype).eps if least is None else least
        # $\alpha_t = \rho_t \max(\varepsilon_2, \operatorname{RMS}(\theta_{t-1}))$
        size = mean_of_each(param.square()).sqrt_().clamp_min_(least_size)
        grad = self.weight_decay(param, grad, group)
        # $V_t$, and the update before it is shortened: $g_t / \sqrt{V_t}$
        variance = _second_moment(state, grad, group["weight"], least)
        update = variance.clamp_min(least * least).rsqrt_().mul_(grad)
        # $u_t / \max(1, \operatorname{RMS}(u_t) / d)$
        excess = mean_of_each(update.square()).sqrt_().div_(group["d"]).clamp_min_(1.0)
        param.sub_(update.mul_(size.div_(excess).mul_(group["relative"])))


def _second_moment(state: dict[str, Any], grad: Tensor, weight: float, least: float) -> Tensor:
    square = grad.square()
    if "variance" in state:
        variance: Tensor = state["variance"]
        return variance.lerp_(square, weight)
    rows: Tensor = state["row_var"]
    columns: Tensor = state["col_var"]
    rows.lerp_(square.mean(dim=-1, keepdim=True), weight)
    columns.lerp_(square.mean(dim=-2, keepdim=True), weight)
    # $V_{ij} = R_i C_j / \operatorname{mean}(R)$
    return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_min(least))

r"""
---
title: DoG
summary: DoG divides the distance that the weights have come by the root of all squared gradients, and takes that for SGD's learning rate.
paper:
  title: "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule"
  authors: Maor Ivgi, Oliver Hinder, Yair Carmon
  year: 2023
  arxiv: "2302.12022"
  venue: ICML
chapter: "5.6"
needs: [optimizers/sgd, totals, averaging]
symbols:
  \theta: param
  \theta_0: p0
  g: grad
  \bar r: r_bar
  G: grad_sum
verified_against:
  implementation: the authors' dog-optimizer 1.0.3
  difference: 1e-15 over 100 noisy steps in float64
---

# The update rule
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.pieces import Member
from labml_nn_optim.totals import WholeModelOptimizer, batches, square, summed
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["DoG"]


class DoG(WholeModelOptimizer):
    r"""SGD with the distance from the start, divided by the gradients so far, for its learning rate.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, a factor on the rate that is found: leave it at 1
    - `eps`: $\varepsilon$, added to the sum of squares
    - `weight_decay`: a number, decoupled and times the rate that is found, or a
      [WeightDecay](../weight_decay.py#WeightDecay) (the authors have decay in the gradient)
    - `reps_rel`: the first distance, divided by $1 + \lVert \theta_0 \rVert$
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    Distance and sum are those of all groups together. They take `eps` and `reps_rel` from the first group, and are in
    all groups as `r_bar` and `grad_sum`.

    State: one tensor of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Ivgi, Hinder and Carmon (2023).
    """

    beta_count = 0
    shared = ("r_bar", "grad_sum", "eta")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        reps_rel: float = 1e-6,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"reps_rel": reps_rel} | dict(defaults or {})
        super().__init__(params, own, lr, eps=eps, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("reps_rel", group["reps_rel"], above=0.0)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Keep $\theta_0$."""
        state["p0"] = param.clone()

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Measure how far the parameters have come, and add up the squares of their gradients."""
        first = self.param_groups[0]
        is_start = "r_bar" not in first
        sums = summed(
            (
                batch,
                (
                    # $\lVert \theta_0 \rVert^2$ in the first step, and then $\lVert \theta_{t-1} - \theta_0 \rVert^2$
                    square(batch.param if is_start else batch.param.sub(batch.state["p0"])),
                    square(batch.grad),
                ),
            )
            for batch in batches(work, self._decay_of)
        )
        if not sums:
            return
        distance, squares = math.sqrt(sums[0]), sums[1]
        if is_start:
            r_bar, total = first["reps_rel"] * (1 + distance), None
        else:
            r_bar, total = max(first["r_bar"], distance), first["grad_sum"]
        total = self.grad_sum(r_bar, squares, total)
        # Nothing moves, not even by decay, before the first gradient that is not zero.
        has_come = squares > 0 or first.get("eta", 0.0) > 0
        eta = self.rate(r_bar, total) if has_come else 0.0
        self.share(r_bar=r_bar, grad_sum=total, eta=eta)

    def grad_sum(self, r_bar: float, squares: float, last: float | None) -> float:
        r"""Return $G_t = G_{t-1} + \lVert g_t \rVert^2$, or $G_1$ if there is no last one."""
        return (float(self.param_groups[0]["eps"]) if last is None else last) + squares

    def rate(self, r_bar: float, total: float) -> float:
        r"""Return $\eta_t = \bar r_t / \sqrt{G_t}$."""
        return r_bar / math.sqrt(total)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Return $\alpha\, \eta_t$ as the learning rate of this step."""
        return {"lr": group["lr"] * group["eta"]}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many: $\theta_t = \theta_{t-1} - \alpha\, \eta_t\, g_t$."""
        grad = self.weight_decay(param, grad, group)
        param.add_(grad, alpha=-group["lr"])

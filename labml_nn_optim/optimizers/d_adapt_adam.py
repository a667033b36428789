r"""
---
title: D-Adaptation
summary: D-Adaptation bounds the distance to the solution from below by what the gradients have said, and multiplies Adam's step by it.
paper:
  title: Learning-Rate-Free Learning by D-Adaptation
  authors: Aaron Defazio, Konstantin Mishchenko
  year: 2023
  arxiv: "2301.07733"
  venue: ICML
chapter: "5.5"
needs: [optimizers/adam, optimizers/prodigy]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  s: s
  d: d
verified_against:
  implementation: pytorch_optimizer.DAdaptAdam 4.1.0
  difference: 1e-15 over 100 noisy steps in float64
---

# The update rule
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions, as_number
from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.pieces import Member
from labml_nn_optim.totals import Batch, WholeModelOptimizer, batches, dot, norm1, summed
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["DAdaptAdam"]


class DAdaptAdam(WholeModelOptimizer):
    r"""Adam whose steps are multiplied by a lower bound of the distance to the solution.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, a factor on the bound $d$, for a schedule: leave it at 1 otherwise
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times $\alpha d$, or a
      [WeightDecay](../weight_decay.py#WeightDecay) (the authors' default is decay in the gradient)
    - `d0`: $d_0 > 0$, the first bound
    - `growth_rate`: at least 1, the largest factor by which $d$ may grow in a step, or `math.inf`
    - `use_bias_correction`: whether to apply Adam's corrections
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    The bound is one for all groups. It takes `betas` and the arguments after it from the first group. The
    groups hold it as `d`.

    State: three tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Defazio and Mishchenko (2023), in the third version of the authors' code.
    """

    shared = ("d", "d_last", "d_numerator", "k")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        use_bias_correction: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"d0": d0, "growth_rate": growth_rate, "use_bias_correction": use_bias_correction}
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("d0", group["d0"], above=0.0)
        if group["growth_rate"] != math.inf:
            require_number("growth_rate", group["growth_rate"], minimum=1.0)
        require_flag("use_bias_correction", group["use_bias_correction"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages and $s$ at zero."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["s"] = torch.zeros_like(param)

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Raise the bound $d$, with the second moments of the step before."""
        first = self.param_groups[0]
        d, beta = first.get("d", first["d0"]), math.sqrt(first["betas"][1])
        # The largest $\alpha$ of all groups stands for all. A group with half of it moves half as far and counts half,
        # and one whose $\alpha$ is 0 is left out.
        rates = [as_number(group["lr"]) for group, _ in work]
        lr = max(rates)
        moving = [each for each, rate in zip(work, rates, strict=True) if rate > 0]
        count = first.get("k", 0) + 1
        gamma = d * lr * (correction(first, count) if first["use_bias_correction"] else 1.0)

        def found() -> Iterator[tuple[Batch, tuple[Tensor, Tensor]]]:
            for batch in batches(moving, self._decay_of):
                s, share = batch.state["s"], as_number(batch.group["lr"]) / lr
                # $\langle g_t, s_{t-1} \rangle$, each product divided by $\sqrt{v_{t-1}} + \varepsilon$
                divided = s.div(batch.state["exp_avg_sq"].sqrt().add_(batch.group["eps"]))
                progress = dot(batch.grad, divided).mul(share)
                # $s_t = \sqrt{\beta_2}\, s_{t-1} + (1 - \sqrt{\beta_2})\, \gamma_t\, g_t$
                s.mul_(beta).add_(batch.grad, alpha=gamma * (1 - beta))
                yield batch, (progress, norm1(s).mul(share))

        progress, length = summed(found()) or (0.0, 0.0)
        if length == 0:
            # No gradient has come yet, or no group may move: nothing does.
            self.share(d_last=0.0, d=d)
            return
        # $r_t = \sqrt{\beta_2}\, r_{t-1} + (1 - \sqrt{\beta_2})\, \gamma_t \langle \dots \rangle$
        numerator = beta * first.get("d_numerator", 0.0) + (1 - beta) * gamma * progress
        # $\hat d = r_t / ((1 - \sqrt{\beta_2}) \lVert s_t \rVert_1)$
        d_hat = numerator / ((1 - beta) * length)
        last, d = d, max(d, min(d_hat, d * first["growth_rate"]))
        self.share(d=d, d_last=last, d_numerator=numerator, k=count)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the rate $\gamma_t$ of the step, which is that of the old $d$.

        A group that may not move keeps its averages as well.
        """
        beta1, beta2 = group["betas"]
        lr = group["d_last"] * group["lr"]
        if lr == 0:
            return {
                "lr": 0.0,
                "memory1": 1.0,
                "memory2": 1.0,
                "new1": 0.0,
                "new2": 0.0,
                "moves": 0.0,
            }
        lr = lr * (correction(group, step) if group["use_bias_correction"] else 1.0)
        return {
            "lr": lr,
            "memory1": beta1,
            "memory2": beta2,
            "new1": lr * (1 - beta1),
            "new2": 1 - beta2,
            "moves": 1.0,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, \gamma_t\, g_t$: the momentum holds lengths.
        exp_avg.mul_(group["memory1"]).add_(grad, alpha=group["new1"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(group["memory2"]).addcmul_(grad, grad, value=group["new2"])
        # $\theta_t = \theta_{t-1} - m_t / (\sqrt{v_t} + \varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["eps"])
        param.addcdiv_(exp_avg, denominator, value=-group["moves"])


def correction(group: Mapping[str, Any], step: int) -> float:
    r"""Return $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)$."""
    beta1, beta2 = group["betas"]
    value: float = math.sqrt(1 - beta2**step) / (1 - beta1**step)
    return value

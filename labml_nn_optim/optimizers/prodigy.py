r"""
---
title: Prodigy
summary: Prodigy estimates from the gradients how far the solution is from the start, and takes that distance for Adam's learning rate.
paper:
  title: "Prodigy: An Expeditiously Adaptive Parameter-Free Learner"
  authors: Konstantin Mishchenko, Aaron Defazio
  year: 2023
  arxiv: "2306.06101"
  venue: ICML
chapter: "5.4"
needs: [optimizers/adam, totals]
symbols:
  \theta: param
  \theta_0: p0
  g: grad
  m: exp_avg
  v: exp_avg_sq
  s: s
  d: d
verified_against:
  implementation: pytorch_optimizer.Prodigy 4.1.0
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

__all__ = ["Prodigy"]


class Prodigy(WholeModelOptimizer):
    r"""Adam whose learning rate is an estimate of the distance to the solution.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, a factor on the estimated rate $d$, for a schedule: leave it at 1 otherwise
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, times $d$ added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times $\alpha d$, or a [WeightDecay](../weight_decay.py#WeightDecay)
    - `beta3`: $\beta_3$, by which the sums of the estimate forget, or `None` for $\sqrt{\beta_2}$
    - `d0`: $d_0 > 0$, the first estimate
    - `d_coef`: $c > 0$, a factor on every later estimate
    - `growth_rate`: at least 1, the largest factor by which $d$ may grow in a step, or `math.inf`
    - `use_bias_correction`: whether to apply Adam's corrections
    - `safeguard_warmup`: whether $\alpha$ is left out of $s$, so that a warm-up does not inflate $d$
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    The estimate is one for all groups. It takes `betas`, `beta3` and the arguments after it from the first group.
    The groups hold it as `d`.

    State: four tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Mishchenko and Defazio (2023), algorithm 4 and the authors' code.
    """

    shared = ("d", "d_last", "d_max", "d_numerator", "k")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        beta3: float | None = None,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "beta3": beta3,
            "d0": d0,
            "d_coef": d_coef,
            "growth_rate": growth_rate,
            "use_bias_correction": use_bias_correction,
            "safeguard_warmup": safeguard_warmup,
        }
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["beta3"] is not None:
            require_number("beta3", group["beta3"], below=1.0)
        require_number("d0", group["d0"], above=0.0)
        require_number("d_coef", group["d_coef"], above=0.0)
        if group["growth_rate"] != math.inf:
            require_number("growth_rate", group["growth_rate"], minimum=1.0)
        require_flag("use_bias_correction", group["use_bias_correction"])
        require_flag("safeguard_warmup", group["safeguard_warmup"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the averages and $s$ at zero, and keep $\theta_0$."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["s"] = torch.zeros_like(param)
        state["p0"] = param.clone()

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Estimate $d$ from all parameters, while they still stand where their gradients were taken."""
        first = self.param_groups[0]
        d0, d = first["d0"], first.get("d", first["d0"])
        beta3 = math.sqrt(first["betas"][1]) if first["beta3"] is None else first["beta3"]
        # $\gamma_t$, with the largest of the groups' $\alpha$. A group with half of it counts half in $\lVert s \rVert_1$,
        # and one whose $\alpha$ is 0 is left out of everything.
        rates = [as_number(group["lr"]) for group, _ in work]
        lr = max(rates)
        moving = [each for each, rate in zip(work, rates, strict=True) if rate > 0]
        count = first.get("k", 0) + 1
        gamma = d * lr * (correction(first, count) if first["use_bias_correction"] else 1.0)
        weight = d / d0 * (d if first["safeguard_warmup"] else gamma)

        def found() -> Iterator[tuple[Batch, tuple[Tensor, Tensor]]]:
            for batch in batches(moving, self._decay_of):
                s, p0 = batch.state["s"], batch.state["p0"]
                # $s_t = \beta_3 s_{t-1} + w_t\, g_t$
                s.mul_(beta3).add_(batch.grad, alpha=weight)
                share = as_number(batch.group["lr"]) / lr
                yield batch, (dot(batch.grad, p0.sub(batch.param)), norm1(s).mul(share))

        progress, length = summed(found()) or (0.0, 0.0)
        if length == 0:
            # No gradient has come yet, or no group may move: nothing does.
            self.share(d_last=0.0, d=d)
            return
        # $r_t = \beta_3 r_{t-1} + \frac{d}{d_0}\gamma_t \langle g_t, \theta_0 - \theta_{t-1} \rangle$
        numerator = beta3 * first.get("d_numerator", 0.0) + d / d0 * gamma * progress
        d_hat = first["d_coef"] * numerator / length
        highest = max(first.get("d_max", d0), d_hat)
        last, d = d, min(highest, (max(d, d_hat) if d == d0 else d) * first["growth_rate"])
        self.share(d=d, d_last=last, d_max=highest, d_numerator=numerator, k=count)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the rate $\gamma_t$ of the step, which is that of the old $d$.

        A group that may not move keeps its averages as well: their memory is 1 then, and $g_t$ counts 0.
        """
        d, (beta1, beta2) = group["d_last"], group["betas"]
        lr = d * group["lr"]
        if lr == 0:
            return {
                "lr": 0.0,
                "memory1": 1.0,
                "memory2": 1.0,
                "new1": 0.0,
                "new2": 0.0,
                "floor": 1.0,
            }
        return {
            "lr": lr * (correction(group, step) if group["use_bias_correction"] else 1.0),
            "memory1": beta1,
            "memory2": beta2,
            "new1": d * (1 - beta1),
            "new2": d * d * (1 - beta2),
            "floor": group["d"] * group["eps"],
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, d\, g_t$
        exp_avg.mul_(group["memory1"]).add_(grad, alpha=group["new1"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, d^2 g_t^2$
        exp_avg_sq.mul_(group["memory2"]).addcmul_(grad, grad, value=group["new2"])
        # $\theta_t = \theta_{t-1} - \gamma_t\, m_t / (\sqrt{v_t} + d_{\text{new}}\, \varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["floor"])
        param.addcdiv_(exp_avg, denominator, value=-group["lr"])


def correction(group: Mapping[str, Any], step: int) -> float:
    r"""Return $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)$."""
    beta1, beta2 = group["betas"]
    value: float = math.sqrt(1 - beta2**step) / (1 - beta1**step)
    return value

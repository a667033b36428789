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
  r: numerator
  d: d
  \gamma: gamma
verified_against:
  implementation: pytorch_optimizer.DAdaptAdam 4.1.0 with float64 as torch's default type
  difference: 6e-15 over 100 noisy steps in float64; 5e-8 with float32 as the default type, that of its sums
---

# The way that was made, without the start

[Prodigy](prodigy.py) keeps $\theta_0$ to know how far each weight has come. Its older brother does without. Adam's
weights are the sum of their steps, and the sum of the gradients is at hand: divided by $\sqrt{v}$, it is nearly the
way that was made. That is one tensor less, and a rougher estimate.

On the example of Prodigy's chapter, twenty weights at a distance $D$ of 0.01 to 10 000, with the cosine (medians of
200 seeds):

| | half of $d$ in step, for $D = 0.01$ | for $D = 10\,000$ | $d / D$ | error $/ D$ |
|---|---:|---:|---:|---:|
| D-Adaptation | 10 | 31 | 0.9 to 1.0 | 0.003 |
| Prodigy | 14 | 37 | 0.2 | 0.0002 |

D-Adaptation is faster here, though the theory says otherwise, and its $d$ is close to $D$. That is bad luck for the
error: the best $\alpha$ of Adam was $0.003\, D$, and steps of $D$ leave some fifteen times what Prodigy leaves. With
$\alpha = 0.1$ on top the error for $D = 1$ falls to 0.0002. The theory asks for a distance. Which part of it is a
good rate for Adam it does not say.

## The same bound, with another way

For a convex loss and any weights $w_t \ge 0$,

$$
r = \sum_t w_t \langle g_t, \theta_0 - \theta_{t-1} \rangle \le \langle s, \theta_0 - \theta^* \rangle
\le \lVert s \rVert_1 D_\infty, \qquad s = \sum_t w_t\, g_t
$$

[Prodigy](prodigy.py) has the three lines that show it, and weights of $d^2$. Here $w_t = \gamma_t = \alpha d$, the
length of a step. If each step were $\gamma_t\, g_t$, the way would be $\theta_0 - \theta_{t-1} = \sum_{i < t}
\gamma_i\, g_i$, and that is $s$ before the new gradient is added. With Adam's division it is nearly

$$
\theta_0 - \theta_{t-1} \approx \frac{s_{t-1}}{\sqrt{v_{t-1}} + \varepsilon}
$$

with the divisor of now in place of those that each step had. So $r$ needs $s$ and $v$ alone.

For gradient descent, where nothing is divided, the products can be summed: $\langle \gamma_t g_t, s_{t-1} \rangle$ is
half of $\lVert s_t \rVert^2 - \lVert s_{t-1} \rVert^2 - \gamma_t^2 \lVert g_t \rVert^2$, and so

$$
\hat d = \frac{\lVert s \rVert^2 - \sum_t \gamma_t^2 \lVert g_t \rVert^2}{2\, \lVert s \rVert}
$$

If all gradients agree, the length of their sum grows with $t$ and the root of the sum of squares with $\sqrt t$:
$\hat d$ grows. If they are noise, both are the same on average, and $\hat d$ is about 0.

## The update rule

$$
\begin{aligned}
\gamma_t &= \alpha_t\, d_{t-1} \\
r_t &= \sqrt{\beta_2}\, r_{t-1} + (1 - \sqrt{\beta_2})\, \gamma_t
\Big\langle g_t, \frac{s_{t-1}}{\sqrt{v_{t-1}} + \varepsilon} \Big\rangle \\
s_t &= \sqrt{\beta_2}\, s_{t-1} + (1 - \sqrt{\beta_2})\, \gamma_t\, g_t \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, \gamma_t\, g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
d_t &= \max\left( d_{t-1},\; \frac{r_t}{(1 - \sqrt{\beta_2}) \lVert s_t \rVert_1} \right) \\
\theta_t &= \theta_{t-1} - \frac{m_t}{\sqrt{v_t} + \varepsilon}
\end{aligned}
$$

Where does the $1 - \sqrt{\beta_2}$ in the bound come from? $s$ is an average, so it is smaller than the sum of the
derivation by that factor. $r$ has it twice, once from its own average and once from the $s$ in it, and
$\lVert s \rVert_1$ once. One is left over, and is divided out.

$\gamma_t$ goes into $m$ with the gradient, so $m / \sqrt v$ is already a length. When $d$ jumps or the schedule falls,
the length follows over some ten steps. Prodigy has $\gamma_t$ outside.

## Is it still a bound?

Without noise, on $\sum_i i\, |\theta_i - \theta_i^*|$ with three weights at the distances $D$, $D / 2$ and $D / 4$,
Prodigy's $d$ is 0.15 to 0.19 of $D$. That of D-Adaptation is 0.47 of it for $D = 1$, and 1.15 for $D = 0.01$: above
what it bounds. With all three at $D$ it is 4 to 5 times $D$. $v$ starts at 0 and is not corrected, so
$1 / \sqrt{v_{t-1}}$ is 32 times too large in the beginning, and the way seems longer than it was.

What else breaks it is what breaks [Prodigy's](prodigy.py): noise, losses that fall for ever, and groups with
distances of their own. From Gaussian noise alone $d$ is $10^6$ to $10^{26}$ for ten weights after 10 000 steps, and
$10^{-6}$ to $7 \cdot 10^{-5}$ for a thousand (eight of ten runs). With a constant gradient it is 0.5 after ten steps
and $2 \cdot 10^{20}$ after 60.

## Conventions

- **Which version.** The rule is that of `dadaptation` 3, the authors' package. Its first version has the difference of
  squares above, without the 2 in it.
- **Decay.** The authors' default is in the gradient, and so is pytorch_optimizer's. Here a number is decoupled, and
  times $\alpha d$. In the gradient it joins $r$ and $s$ as well.
- **Rates that differ.** `dadaptation` refuses them, but for 0, and has `layer_scale` for the purpose. A group with
  half of the largest $\alpha$ is here what `layer_scale=0.5` is there. pytorch_optimizer gives all groups the rate of
  the first, a frozen one too. In `dadaptation` a group with `lr=0` still decays.
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
from labml_nn_optim.optimizers.prodigy import correction
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
        # The largest $\alpha$ of all groups stands for all. A group with half of it moves half as far and counts
        # half, and one whose $\alpha$ is 0 is left out.
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
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, \gamma_t\, g_t$: the rate is in the average.
        exp_avg.mul_(group["memory1"]).add_(grad, alpha=group["new1"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(group["memory2"]).addcmul_(grad, grad, value=group["new2"])
        # $\theta_t = \theta_{t-1} - m_t / (\sqrt{v_t} + \varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["eps"])
        param.addcdiv_(exp_avg, denominator, value=-group["moves"])


# ## Choosing, and when not to
#
# Take Prodigy first. It measures the way that this one estimates. The same two authors wrote both, and report
# Prodigy as better throughout on their tasks. D-Adaptation saves one tensor in four. The authors' paper also has
# variants for SGD and Adagrad. What both are worth against a tuned rate is told [with Prodigy](prodigy.py).
#
# - `lr`: 1, and the schedule that you would use anyway, says the authors' guide. Without one the example above ends
#   at an error between 1 and 9 for $D = 1$. It began with 3.6. Smaller values are slow to grow: with 0.01 $d$ is
#   still $2 \cdot 10^{-5}$ after 2000 steps.
# - `weight_decay`: if the model overfits, two or four times what you have with Adam, says the guide, since $d$ is
#   larger than what people choose by hand.
# - `growth_rate`: 1.02 is a warm-up: from $10^{-6}$ to 1 takes at least 698 steps then.
# - `d0`: any value that is small. $10^{-12}$ in place of $10^{-6}$ takes some 20 steps more; 10, for $D = 1$, stays
#   10.
#
# ## Traps
#
# - **`lr=0.001` by habit**, as with Prodigy, and nothing moves.
# - **Half precision** rounds the first steps away, as with Prodigy. Here $d$ rises all the same, since $s$ does not
#   look at the weights. It then measures a way that was never made.
# - **Three tensors** for each parameter, and some three times the time of a step of AdamW, on one thread of a CPU.
# - **$m$ cannot be exchanged with Adam's.** The names are the same; this one has the rate in it.
# - **$d$ never falls.** Log `optimizer.param_groups[0]["d"]`.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with $\alpha$ as the factor and a line to 0. The search chose 1, the
# default. The held-out loss is 10 % higher at 0.3, and 102 % at 3. At 1 it is 0.0374, [AdamW](adamw.py)'s at the best
# of five rates 0.0368, [Prodigy](prodigy.py)'s 0.0396.
#
# That was one seed. The accuracies on the test images are 99.10, 99.05 and 99.45 %: the last is better than all runs of
# AdamW (99.30 to 99.40 %), the first two are worse than all of them and all of Prodigy's (99.22 to 99.33 %). Runs that
# differ in nothing but the seed differ by 40 images.
#
# Is a $d$ to blame that is too high? The longest updates of seed 0 would fit: 1.66 in step 16, against 1.21 of the good
# seed. Seed 1 would not, with 1.28. The record does not keep $d$, so this remains a guess. It does show that one seed
# says little here.
#
# [On CIFAR-10](../../experiments/cifar.py) 1 is again hardly worse than the best. The search (one epoch, one seed)
# chose 3, with a held-out loss of 0.971; at 1 it is 1 % higher, too little for one seed to tell, at 0.3 21 %, at 10
# 38 %. Prodigy has 1.105 at 1. AdamW at its own default of 0.001 has 0.969, and 0.924 at the best of five rates: one
# default is as good as the other, and AdamW gains 5 % by a search. The accuracies of three seeds with the factor 3
# are 77.3, 77.7 and 78.5 %. All are below AdamW's, 79.3 to 80.3 %, and above Prodigy's with the factor 10, 75.8 to
# 77.1 %.
#
# ## Exercises
#
# **1.** For gradient descent, show $\lVert s_t \rVert^2 = \lVert s_{t-1} \rVert^2 + 2 \gamma_t \langle g_t, s_{t-1}
# \rangle + \gamma_t^2 \lVert g_t \rVert^2$, and the $\hat d$ that follows from it.
#
# ::: solution
# It is the square of $s_t = s_{t-1} + \gamma_t g_t$. Summed over all steps, with $s_0 = 0$,
# $\lVert s \rVert^2 = 2 r + \sum \gamma_t^2 \lVert g_t \rVert^2$. Solve for $r$ and divide by $\lVert s \rVert$.
# :::
#
# **2.** Make steps of gradient descent with that $\hat d$ as the rate, on $|\theta - 5|$ from 0, and see that it is a
# bound.
#
# ::: solution
# ```python
# theta = s = squares = 0.0
# d = 0.001
# for _ in range(1000):
#     g = 1.0 if theta > 5 else -1.0
#     s += d * g
#     squares += d * d
#     theta = -s
#     if s:
#         d = max(d, (s * s - squares) / (2 * abs(s)))
#     assert d <= 5
# assert d > 1
# assert abs(theta - 5) <= d
# ```
# :::
#
# **3.** Why does it do no harm that bfloat16 weights stand still, as far as $d$ is concerned?
#
# ::: solution
# $r$ is made of $g$, $s$ and $v$, which are float32. The gradients stay the same while the weights stand, so $d$
# grows as on a linear loss, until steps are long enough to survive rounding.
#
# ```python
# import torch
# from labml_nn_optim import DAdaptAdam, Prodigy
#
#
# def found(kind):
#     theta = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
#     optimizer = kind([theta])
#     for _ in range(30):
#         theta.grad = theta.detach().sign()
#         optimizer.step()
#     return optimizer.param_groups[0]["d"]
#
#
# assert found(Prodigy) == 1e-6
# assert found(DAdaptAdam) > 0.1
# ```
# :::

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
needs: [optimizers/sgd, optimizers/prodigy, totals, averaging]
symbols:
  \theta: param
  \theta_0: p0
  g: grad
  \bar r: r_bar
  G: grad_sum
  \eta: eta
verified_against:
  implementation: the authors' dog-optimizer 1.0.3, and the paper's algorithm written out in the tests
  difference: 3e-16 over 100 noisy steps in float64
---

# The distance so far, for want of a better one

SGD's best constant rate for a convex loss is $D / \sqrt{\sum \lVert g \rVert^2}$, with the distance $D$ from the
start to the solution. [Prodigy](prodigy.py) derives that, and bounds the unknown $D$ with products of gradients. DoG
asks a plainer question: how far have the weights come? It puts the farthest distance so far into the numerator.
(With a constant there, this is [Adagrad](adagrad.py) with one rate for all weights.)

Twenty weights are fitted to targets of $\pm 1$, so $D = 4.47$, by the mean absolute error of ten Gaussian examples a
step, from zero, without a schedule. The first distance is $10^{-6}$. The medians of 300 seeds are

| step | 10 | 50 | 100 | 200 | 500 | 2000 |
|---|---:|---:|---:|---:|---:|---:|
| distance $\bar r$ | $6 \cdot 10^{-6}$ | 0.0003 | 0.006 | 0.4 | 4.6 | 4.6 |
| rate $\eta$ | $10^{-6}$ | $3 \cdot 10^{-5}$ | 0.0004 | 0.016 | 0.13 | 0.065 |

$\bar r$ rises to 4.6, where the solution is, and stays. From there on $\eta$ falls like $1 / \sqrt t$. Without having
been told anything DoG has made a warm-up, a peak and a decay.

## The update rule

$$
\begin{aligned}
\bar r_1 &= r_\varepsilon \left( 1 + \lVert \theta_0 \rVert \right), \qquad
\bar r_t = \max\left( \bar r_{t-1},\; \lVert \theta_{t-1} - \theta_0 \rVert \right) \\
G_t &= G_{t-1} + \lVert g_t \rVert^2, \qquad G_0 = \varepsilon \\
\theta_t &= \theta_{t-1} - \alpha\, \eta_t\, g_t, \qquad \eta_t = \frac{\bar r_t}{\sqrt{G_t}}
\end{aligned}
$$

Norms are those of all parameters together. The first step is $\bar r_1$ long. If the loss is multiplied by
a number nothing changes: it cancels between $g$ and $\sqrt G$.

## Why the distance finds its way

**Below $D$.** While $\bar r$ is too small, the steps are too, and gradients hardly change. The way is then straight,
each step adds $\bar r_t / \sqrt t$ to it, and $\bar r$ is the way. As a differential equation

$$
\frac{d \bar r}{dt} = \frac{\bar r}{\sqrt t} \qquad \Rightarrow \qquad \bar r \propto e^{2 \sqrt t}
$$

With a constant gradient the logarithm of $\bar r$ grows by 18.2 from step 500 to step 1000, and $2 (\sqrt{1000} -
\sqrt{500})$ is 18.5. So it takes $\frac14 \log^2 (D / r_\varepsilon)$ steps, 59 in the example. Noise makes it slower:
half of the way takes 256 there.

**At $D$.** Now $\eta$ is the best constant rate for the steps so far, and that does not carry the weights much
farther than the solution: $\bar r$ stays near $D$, at 4.6 to 4.7 for a true 4.47.

**Above $D$.** There is no way back. $\bar r$ never falls.

The authors prove that a slight variation of the formula converges for stochastic convex losses at the rate of the
tuned SGD, up to logarithms, as long as gradients are bounded locally. Khaled and Jin (2024, arXiv 2402.07793) prove
that no method can do so for every noise if the solution may be anywhere, and that DoG can if the noise is well
behaved.

## Average the weights

$\eta$ falls only like $1 / \sqrt t$, so the last weights are noisy. The authors insist on an average of the
weights, and use one that counts the later ones more:

$$
a_t = (1 - w_t)\, a_{t-1} + w_t\, \theta_t, \qquad w_t = \frac{9}{t + 8}
$$

It looks back over about a ninth of the steps so far, however many there are. In the example, in medians of 200
seeds after 2000 steps, with the error at 3.6 before the first:

| | last weights | average | last, with a cosine |
|---|---:|---:|---:|
| DoG | 0.08 | 0.007 | $3 \cdot 10^{-6}$ |
| SGD, best of six rates, 0.001 to 0.3, for each column | 0.004 | 0.001 | $5 \cdot 10^{-7}$ |
| SGD, $\alpha = 0.1$ | 0.1 | 0.01 | $5 \cdot 10^{-6}$ |

The average takes nine tenths of the error away. A schedule on $\alpha$ does more, if you know when the run ends.
Exercise 2 keeps this average, and [averages of weights](../../docs_src/averaging.md) has others.

## Conventions

- **Groups.** In the authors' code each group has a distance and a sum of its own. Here they are one for all groups,
  as in the paper: to spare the biases a decay must not change every rate.
- **Decay.** The authors' is in the gradient, and so in $G$. A number is decoupled here, and times $\alpha \eta$. As
  in [SGD](sgd.py) both are nearly the same.
- **Before the first gradient that is not 0** nothing moves here, not even by decay. $\eta$ would be
  $10^4\, \bar r$, from $\varepsilon$ alone.
- **L-DoG** has a distance and a sum for each tensor. Give each tensor an optimizer of its own, in a
  [CompositeOptimizer](../param_groups/composite.py).
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


# ## Choosing, and when not to
#
# - `lr`: 1, or a schedule that ends at 0.
# - `reps_rel`: $10^{-6}$. It should be below the true distance by any margin, and the margin costs steps. Half of the
#   final $\bar r$ is reached in step 424 with $10^{-8}$, 256 with $10^{-6}$, 131 with $10^{-4}$ and 48 with 0.01. The
#   average is 0.007 for all of them, 0.02 with 10 and 0.16 with 100. The authors take $10^{-4}$ for models
#   with batch normalization, and say how to see it: if $\eta$ does not rise within a few hundred steps, the number is
#   too small; if the loss explodes early, it is too large.
#
# In the authors' comparison on fine-tuning in vision and language DoG is close to SGD with a tuned rate; L-DoG is
# better than that and near tuned Adam. Where SGD is not good enough, DoG is not either: it finds one rate for all
# weights. [Prodigy's chapter](prodigy.py) tells what a comparison over many tasks found.
#
# ## Traps
#
# - **The first gradients stay in $G$ for ever.** Let the first five losses be a hundred times as large as the others,
#   and the weights have not moved noticeably after 2000 steps. [DoWG](dowg.py) repairs that.
# - **A restart is no restart.** New data, a new layer or a jump of the loss finds an $\eta$ that has been falling for
#   long, and the distance from a $\theta_0$ that has become irrelevant. Make a new optimizer.
# - **Parameters without a gradient** in a step are not counted in the distance of that step.
# - **Half precision.** The first steps of weights in bfloat16 are rounded away, and no distance is ever seen: 200
#   weights of size 1 are where they were after 1000 steps. Keep the weights in float32.
# - **$\lambda$ has the units of the loss**, as in SGD: a loss times a hundred wants a $\lambda$ times a hundred.
# - **It costs one tensor**, $\theta_0$, and nearly the time of a step of AdamW on one thread of a CPU, four times that
#   of SGD.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with $\alpha$ as the factor and a line to 0. Here 1 is not only the
# default: 0.3 and 3 learn nothing. With 3 the loss is $3 \cdot 10^{11}$ by step 56. With 0.3 the way never begins,
# for $\alpha$ also multiplies the steps that $\bar r$ has to grow by.
#
# What the search for the distance costs can be read off the training loss of the three seeds: 2.30 at first, 2.28 in
# step 80, 2.02 to 2.12 in step 112, 1.5 in step 128. [SGD](sgd.py) with momentum is at 0.3 or 0.4 by step 112. A
# hundred steps are an eighth of the search's run and a thirtieth of the three epochs.
#
# The accuracies are 99.00, 99.11 and 99.16 %. SGD with momentum at the best of eight rates has 98.83 to 99.22 %, so DoG
# found its rate by itself. [Adam](adam.py)'s 99.39 to 99.44 % are out of reach for both. In the search, over a quarter of
# the steps, DoG's held-out loss of 0.091 is twice SGD's 0.045: a short run pays for the start.
#
# These are the last weights, with the line to 0 in place of the average that the authors insist on.
#
# [On CIFAR-10](../../experiments/cifar.py) 1 is too careful for a short run. The search (one epoch, one seed) chose 3
# as the factor: the held-out loss is 1.17 at 3, 1.99 at 1, and the run diverges at 10. The start costs here, too:
# over the steps 2 to 112 the mean training loss of the three seeds is 2.30 to 2.36, SGD's 1.70 to 1.74. After three
# epochs of 391 steps the accuracies are 74.1, 74.3 and 74.4 %, those of SGD with momentum 75.1 to 75.8 %, of AdamW
# 79.3 to 80.3 %. DoG has no momentum. Plain descent without it has 69.0 to 69.3 % at the best of five rates
# ([ASGD](asgd.py)). So DoG makes up most of what momentum gains, but with a tuned factor. Three epochs at 1 were not
# run.
#
# ## Exercises
#
# **1.** The loss is a straight line, $g_t = 1$ in every step, $\varepsilon = 0$. Compute $\theta$ after three steps
# from 0, with $\bar r_1 = 1$.
#
# ::: solution
# $\eta_1 = 1$, $\theta_1 = -1$. $\bar r_2 = 1$, $\eta_2 = 1 / \sqrt 2$, $\theta_2 = -1.707$. $\bar r_3 = 1.707$,
# $\eta_3 = 1.707 / \sqrt 3$, $\theta_3 = -2.693$.
#
# ```python
# import torch
# from labml_nn_optim import DoG
#
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# optimizer = DoG([theta], reps_rel=1.0, eps=0.0)
# for expected in (-1.0, -1.7071, -2.6927):
#     theta.grad = torch.ones_like(theta)
#     optimizer.step()
#     assert abs(theta.item() - expected) < 1e-4
# ```
# :::
#
# **2.** Keep the average of the weights with torch's `AveragedModel`.
#
# ::: solution
# It calls `avg_fn` with the count of those that it has averaged before. The first weights it copies, and $w_1 = 1$.
#
# ```python
# import torch
# from torch.optim.swa_utils import AveragedModel
# from labml_nn_optim import DoG
#
#
# def polynomial(average, param, count):
#     return average + 9 / (count + 9) * (param - average)
#
#
# torch.manual_seed(0)
# model = torch.nn.Linear(20, 1, bias=False)
# torch.nn.init.zeros_(model.weight)
# averaged = AveragedModel(model, avg_fn=polynomial)
# optimizer = DoG(model.parameters())
# for _ in range(2000):
#     inputs = torch.randn(10, 20)
#     loss = (model(inputs)[:, 0] - inputs.sum(1)).abs().mean()
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     averaged.update_parameters(model)
# last, mean = (each.weight.sub(1).norm().item() for each in (model, averaged.module))
# assert mean < 0.3 * last
# ```
# :::
#
# **3.** Why can $\lVert \theta_t - \theta_0 \rVert$ stand for a distance to a solution that nobody knows, and the
# length of the path cannot?
#
# ::: solution
# Under noise the path grows with every step: a random walk of $T$ equal steps is $T$ steps long and about $\sqrt T$
# steps from its start. The distance stops growing once the weights go to and fro around a solution. Even with noise
# alone, ten weights, $\bar r$ is only $6 \cdot 10^{-5}$ after 10 000 steps (median of 400 runs).
# :::

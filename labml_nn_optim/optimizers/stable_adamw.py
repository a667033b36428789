r"""
---
title: StableAdamW
summary: >-
  StableAdamW shortens the step of a whole tensor by as much as its second moment lags behind its gradients,
  so that a jump of the gradients is no jump of the weights.
paper:
  title: Stable and low-precision training for large-scale vision-language models
  authors: Mitchell Wortsman, Tim Dettmers, Luke Zettlemoyer, Ari Morcos, Ali Farhadi, Ludwig Schmidt
  year: 2023
  arxiv: "2304.13013"
  venue: NeurIPS
chapter: "3.8"
needs: [optimizers/adam, weight_decay]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \beta_1: beta1
  \beta_2: beta2
  \varepsilon: eps
  \eta: rate
verified_against:
  implementation: pytorch_optimizer.StableAdamW 4.1.0
  difference: 4e-16 over 100 noisy steps in float64
---

# A spike begins with a divisor that is out of date

For 3000 steps every gradient of a tensor is 0.01. Then the data change, or a layer below does, and it is 1.
These are the next steps, in units of $\alpha$, with $\beta_2 = 0.999$ for both:

| step after the jump | $g / \sqrt{\hat v}$ | AdamW's step | StableAdamW's step |
|---:|---:|---:|---:|
| 1 | 29.5 | 3.21 | 0.11 |
| 5 | 13.7 | 5.68 | 0.42 |
| 12 | 8.9 | 6.41 | 0.72 |
| 30 | 5.7 | 5.43 | 0.96 |
| sum of 20 | | 117 | 12.2 |

$v$ still holds the squares of the small gradients. [Adam](adam.py) divides a gradient of 1 by the size of
the old ones, and all weights of the tensor go the same way, six times as far as usual.

Wortsman et al. watched this in CLIP models of up to a billion parameters: spikes of the loss came 1 to 8
steps after a second moment, that of the patch embedding above all, had fallen behind.

Clipping the gradient does little against it. If the tensor above has four elements, clipping its norm of 2 to 1
brings the sum from 117 to 116: Adam divides the factor out again.
What does see the jump is the first column.

## The update rule

$$
\begin{aligned}
m_t &= (1 - w_1)\, m_{t-1} + w_1\, g_t, & w_1 &= \frac{1 - \beta_1}{1 - \beta_1^t} \\
v_t &= (1 - w_2)\, v_{t-1} + w_2\, g_t^2, & w_2 &= \frac{1 - \beta_2}{1 - \beta_2^t} \\
\operatorname{RMS}_t &= \sqrt{\operatorname{mean} \frac{g_t^2}{\max(v_t, \varepsilon^2)}}, &
\eta_t &= \frac{\alpha}{\max(1, \operatorname{RMS}_t)} \\
\theta_t &= (1 - \eta_t \lambda)\, \theta_{t-1} - \eta_t\, \frac{m_t}{\sqrt{v_t} + \varepsilon}
\end{aligned}
$$

The mean goes over all elements of a tensor. Everything else is element by element.

## The corrections, in another place

$w_1$ and $w_2$ are Adam's corrections. With the raw average $\bar m_t$ of Adam and
$\hat m_t = \bar m_t / (1 - \beta_1^t)$,

$$
\hat m_t = \frac{\beta_1 \bar m_{t-1} + (1 - \beta_1)\, g_t}{1 - \beta_1^t}
= \underbrace{\frac{\beta_1 (1 - \beta_1^{t-1})}{1 - \beta_1^t}}_{1 - w_1}\, \hat m_{t-1}
+ \underbrace{\frac{1 - \beta_1}{1 - \beta_1^t}}_{w_1}\, g_t
$$

and the two weights sum to 1. So $m$ and $v$ are stored corrected here. As long as $\operatorname{RMS}_t \le 1$
this is [AdamW](adamw.py), up to rounding.

## What the RMS measures

Where $v$ is up to date, $g^2 / v$ is 1 on average: 0.995 for the RMS of 10 000 elements with Gaussian
noise and $\beta_2 = 0.99$. Where $v$ lags by a factor, the RMS is the root of that factor. With one number it
says whether the divisor of this tensor still fits its gradients, and it says so in the same step, before any
weight has moved.

Without momentum the step is $\alpha\, g / \sqrt v$ and its root mean square $\alpha \operatorname{RMS}_t$.
Dividing by the RMS brings that down to $\alpha$: no tensor's weights move more than $\alpha$, in the
mean square. With momentum there is no such promise, but if all gradients of the tensor have one size,

$$
\eta_t\, \frac{m_t}{\sqrt{v_t}} = \alpha\, \frac{\sqrt{v_t}}{|g_t|} \cdot \frac{m_t}{\sqrt{v_t}}
= \alpha\, \frac{m_t}{|g_t|}
$$

$v$ has dropped out, and $\beta_2$ with it. In step $k$ after a large jump $m / |g| \approx 1 - \beta_1^k$: 0.1, 0.19,
0.27 and so on. The jump is answered with a short warm-up, the last column of the table.

How large can the RMS be? $v_t \ge w_2\, g_t^2$, so it is at most $1 / \sqrt{w_2}$.

- Once $t$ is large that is 10 for $\beta_2 = 0.99$, and 32 for 0.999. With 0.95 there is little to
  shorten: AdamW's longest step in the example is $1.10\, \alpha$.
- In the first step $w_2 = 1$, so the RMS is at most 1, and nothing is shortened. A warm-up of $\alpha$ is still
  yours to make.

## Conventions

- The threshold 1, and the name *update clipping*, are Adafactor's (Shazeer and Stern, 2018, arXiv
  1804.04235). The rest of Adafactor, its factored second moment, is left away.
- **Decay** uses $\eta_t$: a spike shortens it too. It comes after $v$, before the step. In the gradient it comes
  first, and the RMS sees it.
- $\varepsilon^2$ stands under the fraction where gradients are below $\varepsilon$, above all for elements that
  never had one: $0 / 0$ becomes 0.
- optimi has $\varepsilon = 10^{-6}$. It and pytorch_optimizer can carry the rounding error of half-precision
  weights along (`kahan_sum`); here that is `rounding="kahan"`, for [every optimizer](../rounding.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["StableAdamW"]


class StableAdamW(GenericAdaptiveOptimizer):
    r"""AdamW whose learning rate is divided, tensor by tensor, by how far $v$ lags behind.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$; its square is the least that $g_t^2$ is divided by;
      with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times the shortened rate, 0.01 by default, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Wortsman et al. (2023), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 1e-2,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, eps, weight_decay, **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the weights of the new gradient, which hold Adam's corrections."""
        beta1, beta2 = group["betas"]
        return {
            "weight1": (1 - beta1) / (1 - beta1**step),
            "weight2": (1 - beta2) / (1 - beta2**step),
            "floor": group["eps"] ** 2,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each with a rate of its own."""
        weight2 = group["weight2"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        decoupled = group["decoupled_weight_decay"]
        # Decay in the gradient comes first, for both moments see it.
        if not decoupled:
            grad = self.weight_decay(param, grad, group)
        # $m_t = m_{t-1} + w_1 (g_t - m_{t-1})$ and $v_t = (1 - w_2)\, v_{t-1} + w_2\, g_t^2$
        exp_avg.lerp_(grad, group["weight1"])
        exp_avg_sq.mul_(1 - weight2).addcmul_(grad, grad, value=weight2)
        # $\operatorname{RMS}_t^2$, the mean of $g_t^2 / \max(v_t, \varepsilon^2)$. It stays a tensor, so that a
        # GPU need not wait for it. That of an empty parameter is NaN, and moves nothing.
        lag = mean_of_each(grad.square().div_(exp_avg_sq.clamp_min(group["floor"])))
        # $\eta_t = \alpha / \max(1, \operatorname{RMS}_t)$
        rate = lag.sqrt().clamp_min(1.0).reciprocal().mul(group["lr"])
        # Decoupled decay has waited for the shortened rate: $(1 - \eta_t \lambda)\, \theta$
        if decoupled:
            self.weight_decay(param, grad, {**group, "lr": rate})
        # $\theta_t = \theta_{t-1} - \eta_t m_t / (\sqrt{v_t} + \varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["eps"])
        param.addcdiv_(exp_avg.mul(rate), denominator, value=-1.0)


# ## Choosing, and when not to
#
# - `betas`: $(0.9, 0.99)$. A higher $\beta_2$ makes the second moment lag more often, a lower one less: language
#   models with 0.95 have little to gain from StableAdamW.
# - `lr`: AdamW's. Steps are a little shorter even without jumps. If the size of the gradients varies from batch to
#   batch, with a standard deviation of 0.3 in its logarithm, the RMS is over 1 in 38 % of the steps, and $\eta$
#   is $0.93\, \alpha$ on average.
#
# Where no run ever spikes, there is nothing to repair. The paper saw spikes become more frequent with the
# size of the model, the batch, $\alpha$ and $\beta_2$.
#
# ## Traps
#
# - **It matters what is one tensor.** Queries, keys and values in one matrix share one RMS; in three
#   matrices each has its own. A matrix that is cut up over several machines may have one for each piece.
# - **Rows that are rarely used.** The mean goes over all rows of an embedding, and those without gradient count
#   as 0. Let 10 of 1000 rows make the jump above, and the RMS is 2.9 instead of 29.5 in the first step. A step
#   of these rows is then up to $6.4\, \alpha$ long, AdamW's full length: see exercise 2.
# - **Decay is on by default**, with AdamW's 0.01.
# - **The moments are stored corrected.** A checkpoint of AdamW means something else, the more so the younger it is.
# - **It runs on whole tensors**: a mean over a piece is not the mean over the tensor. So neither `compile` nor
#   `flat` is possible. Small tensors of one shape are [stacked](../stacks.py).
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), a run without spikes, where nothing was to be won. The
# search chose AdamW's $\alpha = 0.003$. At 0.001 the held-out loss is 15 % higher, at 0.0003 133 %, and
# at 0.01 nothing is learned. The accuracies are 99.45, 99.33 and 99.41 %. [AdamW](adamw.py) with 99.30 to
# 99.40 % is no different; SGD with momentum, 98.83 to 99.22 %, is behind.
#
# The cliff is where AdamW's is, and must be: $v_1 = g_1^2$, so the RMS of the first step is the root of
# the share of gradients that are not zero, and never above 1. The first update is AdamW's, 1.840 long
# with seed 0. In the 400 steps after it the matrix that holds 93 % of the weights is shortened in 1 % of
# them, by 0.1 % on average. Small tensors have noisier means: the first convolution's weights are
# shortened in 35 %, by 8 % on average. In the third epoch the updates are 77 to 82 $\alpha$ long, AdamW's
# 54 to 56 (medians). That is $\beta_2 = 0.99$, which forgets the large gradients of the beginning sooner.
#
# ## Exercises
#
# **1.** Show that a weight that is a tensor of its own, as a scale or a temperature, never moves more than
# $\alpha$ in a step if $\beta_1 = 0$ and there is no decay.
#
# ::: solution
# $m = g$, and the mean over one element is that element: $\operatorname{RMS} = |g| / \sqrt v$ (let
# $\varepsilon$ be 0). If it is at most 1, the step is $\alpha |g| / \sqrt v \le \alpha$. Otherwise it is
# $\alpha \cdot (\sqrt v / |g|) \cdot |g| / \sqrt v = \alpha$.
# :::
#
# **2.** An embedding has $n$ rows, and $k$ of them see the jump above. For which $k / n$ is the first step after it
# not shortened at all?
#
# ::: solution
# Each element that jumps has $g / \sqrt{\hat v} = 29.5$, all others count as 0, so
# $\operatorname{RMS} = 29.5 \sqrt{k / n}$. It is at most 1 for $k / n \le 1 / 29.5^2 = 0.00115$.
#
# ```python
# import torch
# from labml_nn_optim import StableAdamW
#
#
# def first_step(rows, active):
#     table = torch.nn.Parameter(torch.zeros(rows, 2, dtype=torch.float64))
#     optimizer = StableAdamW([table], lr=1.0, betas=(0.9, 0.999), weight_decay=0.0)
#     for step in range(3001):
#         before = table[0, 0].item()
#         table.grad = torch.zeros_like(table)
#         table.grad[:active] = 0.01 if step < 3000 else 1.0
#         optimizer.step()
#     return before - table[0, 0].item()
#
#
# assert abs(first_step(10, 10) - 0.109) < 1e-3
# assert abs(first_step(1000, 1) - 3.211) < 1e-3
# ```
# :::
#
# **3.** Adam's step after the jump is longest in step 12, not in step 1, although its divisor is worst
# in step 1. Why?
#
# ::: solution
# $m$ has to grow first: it holds a tenth of the new gradient after one step, and 72 % after twelve. Meanwhile
# $\sqrt{\hat v}$ grows as well. At first $m$ grows faster and the quotient rises; later $\sqrt{\hat v}$ does. That
# is why the spike comes some steps after the RMS has jumped, and why there is time to act on it.
# :::

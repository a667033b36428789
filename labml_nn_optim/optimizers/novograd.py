r"""
---
title: NovoGrad
summary: NovoGrad divides the gradient of a tensor by a moving average of its norm, so that the second moment is one number for each tensor.
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
  n: normed
  m: exp_avg
  v: exp_avg_sq
  \beta_1: beta1
  \beta_2: beta2
  \lambda: weight_decay
  \varepsilon: eps
verified_against:
  implementation: pytorch_optimizer.NovoGrad 4.1.0
  difference: 3e-16 over 100 noisy steps in float64
---

# The second moment of a matrix in four bytes

[Adam](adam.py) keeps two numbers for every weight, $m$ and $v$. For a billion weights in float32 that is 8 GB. What
is $v$ for? It levels out that gradients are large in one place and small in another. Much of that unevenness lies
between layers: in a network of six convolutions the length of the weights over that of the gradient differs by a
factor of 94 from layer to layer ([LARS](lars.py) has the table).

One number for each layer levels that out. NovoGrad stores $\lVert g \rVert^2$, averaged: 4 bytes for a matrix of any
size. Its memory is that of SGD with momentum, 4 GB and a few hundred numbers.

What stays is the unevenness within a tensor. Two weights of one tensor, with gradients of 1 and 0.01, move in a
hundred steps with $\alpha = 0.001$ by

| | first weight | second weight |
|---|---:|---:|
| Adam | 0.100 | 0.100 |
| NovoGrad | 1.62 | 0.0162 |
| SGD with momentum | 0.910 | 0.0091 |

## The update rule

$$
\begin{aligned}
v_1 &= \lVert g_1 \rVert^2, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \lVert g_t \rVert^2 \\
m_t &= \beta_1 m_{t-1} + \frac{g_t}{\sqrt{v_t} + \varepsilon} + \lambda\, \theta_{t-1} \\
\theta_t &= \theta_{t-1} - \alpha\, m_t
\end{aligned}
$$

with $m_0 = 0$. $v$ is one number for a tensor, $\beta_1 = 0.95$ and $\beta_2 = 0.98$.

## Read the differences from Adam

**The division comes before the momentum.** $m$ adds up divided gradients. Each is divided by the norms of its own
time, its own among them, so no term is longer than $1 / \sqrt{1 - \beta_2} = 7.1$.

**$v$ starts at the first square**, so no correction is needed. The first step has the length $\alpha$.

**$m$ is a sum.** Nothing multiplies the new term by $1 - \beta_1$. If all gradients agree, the length of $m$ grows to
$1 / (1 - \beta_1) = 20$. In steps 1, 10, 50 and 200 it is 1, 8.0, 18.5 and 20: a warm-up of some fifty steps is built
in. On noise it is $1 / \sqrt{1 - \beta_1^2} = 3.2$.

**The norm is that of a tensor.** A step has the same length for a tensor of 10 elements and one of a million, so an
element of the large one moves less. On noise, with $\alpha = 0.01$:

| elements | length of a step | an element moves by |
|---:|---:|---:|
| 10 | $3.1\, \alpha$ | 0.010 |
| 1000 | $3.2\, \alpha$ | 0.0010 |
| 1 000 000 | $3.2\, \alpha$ | 0.000032 |

Adam moves all of them alike, and [LAMB](lamb.py) in proportion to the weights. A square matrix of width $d$ with
weights of size $1 / \sqrt d$ has the length $\sqrt d$. NovoGrad's step is the part $3.2\, \alpha / \sqrt d$ of it,
so wide layers go slowly.

## How much the first gradient counts

$v$ remembers for some fifty steps. Let the first gradient be a hundred times as long as all others:

| step | NovoGrad's step, as a part of $20\, \alpha$ | Adam's, as a part of $\alpha$ |
|---:|---:|---:|
| 51 | 0.02 | 0.08 |
| 101 | 0.02 | 0.10 |
| 301 | 0.17 | 0.18 |
| 401 | 0.43 | 0.22 |
| 501 | 0.79 | 0.25 |
| 801 | 1.00 | 0.33 |

A factor of 100 in the norm is $10^4$ in $v$, and $0.98^t$ brings that down to 1 in 456 steps. Adam with
$\beta_2 = 0.999$ takes thousands. The paper's first version says that NovoGrad needs no warm-up. This example speaks
for one.

## Decay, and weights of which only the direction counts

$\lambda\theta$ joins the divided gradient, before the momentum. The authors call that decoupled, because no $v$
divides it. In the sense of this course it is not, for it goes through $m$ and adds up there: in the long run $\theta$
loses the part $20\, \alpha\lambda$ a step.

Behind a normalization layer the length of $\theta$ grows under NovoGrad, and the angle per step falls: from 0.020 to
0.002 over 6000 steps in the experiment of [Trust ratios](../trust.py). That is a decline of the learning rate
without a schedule. With $\lambda = 0.1$ the angle settles at 0.032.

## What others measured

Ginsburg et al. report results on a par with or better than tuned SGD, Adam and AdamW, in image classification, speech
recognition, translation and language modeling. NVIDIA's code for the speech model Jasper uses it. We know of no
independent comparison at equal tuning.

Here is [the plain network of LARS's chapter](lars.py), 120 steps with batches of 479, images and test as in
[LAMB's](lamb.py). NovoGrad has no decay, SGD 0.0005 in the gradient of matrices. Accuracy in per cent at the best
$\alpha$ for three seeds:

| | plain | with batch normalization |
|---|---:|---:|
| NovoGrad, $\alpha = 0.03$, 0.01 | 92.5, 87.2, 90.0 | 98.1, 98.1, 97.5 |
| SGD | 88.3, 87.8, 87.8 | 98.3, 98.6, 98.6 |
| AdamW | 95.8, 96.4, 96.4 | 98.6, 98.9, 98.6 |

## Conventions

- **The first gradient is zero.** As long as all gradients have been zero, $v$ waits: it starts at the first that is
  not, as in timm. pytorch_optimizer starts at 0 and averages from there; gradients 0, 1, 1 give a first step of
  $7.1\, \alpha$ there, and of $\alpha$ here.
- **Precision of $v$.** timm keeps it in float32: $5 \cdot 10^{-7}$ from here after 100 noisy steps in float64. Here
  it has the parameter's type, and float32 for half precision.
- **Averaging.** timm's and pytorch_optimizer's `grad_averaging=True` multiply the new term by $1 - \beta_1$. In timm
  that is $\alpha / 20$ and no more. pytorch_optimizer leaves the first term whole. It is not built in.
- **Decay.** A number is the paper's term. With `WeightDecay(x)` it is decoupled: $(1 - \alpha x)\, \theta$.
- **Defaults.** $\alpha = 0.001$, as in timm and pytorch_optimizer. That is small, see below.
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
        param.add_(exp_avg, alpha=-group["lr"])


# ## Choosing, and when not to
#
# - `lr`: 0.01 to begin with. The grids above were best at 0.01 and 0.03.
# - `weight_decay`: $\lambda\theta$ stands beside a gradient of norm 1. For a tensor of length 18 a $\lambda$ of 0.001
#   is 1.8 % of that.
# - `betas`: with $\beta_1 = 0.9$ instead of 0.95 steps that agree are half as long in the long run. Multiply `lr` by
#   2.
#
# Take it where SGD with momentum almost works, layers differ, and there is no room for Adam's second tensor. Do not
# take it for transformers and embeddings: their rows have gradients of very different size within one tensor.
#
# ## Traps
#
# - **What is one tensor.** Two matrices that are joined share a $v$, and their common step has the length that each
#   had alone.
# - **$\alpha$ does not carry over** from Adam: 0.001 moves an element of a million by $3 \cdot 10^{-6}$. Nor does it
#   from a narrow network to a wide one.
# - **`eps` is compared with the norm of a whole tensor**, not with an element. It hardly ever matters.
# - **State of another shape.** `exp_avg_sq` has the shape `()`. A tool that expects the parameter's has to be told,
#   and a checkpoint of Adam with tensors in it loads but fails in the first step.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.01$, where to begin, and hardly
# prefers it to 0.03: there the held-out loss is 2 % higher. It is 83 % higher at 0.003,
# and 4.1 times as high at the default of 0.001. The accuracies are 99.36, 99.34 and 99.35 %. All three are above
# [LARS](lars.py), 99.24 to 99.29 %, and SGD with momentum, 98.83 to 99.22 %, and cannot be told from
# [AdamW](adamw.py)'s 99.30 to 99.40 %.
#
# The first update is $\sqrt 8\, \alpha$ long: eight tensors, a step of $\alpha$ each. In the third epoch the median
# is 8.3 to 8.5 times the $\alpha$ of its step, near $3.2 \sqrt 8\, \alpha = 9.1\, \alpha$ for pure noise, though the
# gradient's median norm has fallen from 1.4 or 1.5 in the first epoch to 0.2 or 0.3. The mean training loss is 0.63
# or 0.64 over the steps 2 to 112, where SGD's best seed has 0.65, and 0.016 or 0.017 over the third epoch, SGD's
# 0.019 to 0.028.
#
# [On CIFAR-10](../../experiments/cifar.py) it lies between SGD and AdamW. The search (one epoch, one seed) chose
# 0.03: the held-out loss is 9 % higher at 0.1, 15 % at 0.01, 66 % at the default of 0.001. The accuracies of three
# seeds are 78.2, 78.3 and 79.3 %, those of SGD with momentum 75.1 to 75.8 %, of LARS 79.3 to 80.2 %, of AdamW 79.3 to
# 80.3 %. It does not start sooner than SGD here, with a mean training loss of 1.70 to 1.75 over the steps 2 to 112
# (SGD 1.70 to 1.74); in the third epoch it is 0.69 or 0.70, SGD's 0.75. The default of 0.001 is a trap on both data
# sets: search from 0.01 upwards.
#
# ## Exercises
#
# **1.** How long is the step in the long run if all gradients agree, in terms of $\beta_1$? Check it with 0.95 and
# with 0.8.
#
# ::: solution
# $m = \beta_1 m + n$ with $\lVert n \rVert = 1$ gives $1 / (1 - \beta_1)$: 20 and 5.
#
# ```python
# import torch
# from labml_nn_optim import NovoGrad
#
#
# def length(beta1):
#     weights = torch.nn.Parameter(torch.zeros(4, 3, dtype=torch.float64))
#     optimizer = NovoGrad([weights], lr=1.0, betas=(beta1, 0.98))
#     for _ in range(400):
#         before = weights.detach().clone()
#         weights.grad = torch.full_like(weights, 7.0)
#         optimizer.step()
#     return (weights.detach() - before).norm().item()
#
#
# assert abs(length(0.95) - 20) < 1e-5
# assert abs(length(0.8) - 5) < 1e-5
# ```
# :::
#
# **2.** Split a matrix into its rows, each a parameter of its own. What becomes of NovoGrad?
#
# ::: solution
# It moves towards Adam: each row has a $v$ of its own, and for rows of one element $g / \sqrt v$ is Adam's quotient.
# Every row now makes a step of length $\alpha$, so the matrix makes one of $\sqrt{\text{rows}}\; \alpha$.
#
# ```python
# import torch
# from labml_nn_optim import NovoGrad
#
# gradient = torch.tensor([[3.0, 4.0], [0.0, 0.5]])
# whole = torch.nn.Parameter(torch.zeros(2, 2))
# rows = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
# whole.grad = gradient.clone()
# for row, own in zip(rows, gradient):
#     row.grad = own.clone()
# NovoGrad([whole, *rows], lr=1.0).step()
# assert abs(whole.detach().norm().item() - 1) < 1e-6
# assert abs(torch.stack([row.detach() for row in rows]).norm().item() - 2**0.5) < 1e-6
# ```
# :::

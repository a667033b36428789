r"""
---
title: Trust ratios
summary: A trust ratio makes the step of a tensor a part of the tensor's own length, and then weight decay has little left to do.
chapter: "0.14"
needs: [stacks, weight_decay]
symbols:
  \theta: param
  \lambda: weight_decay
  u: update
---

# A step of 1 % of what there is

A matrix of a transformer starts with weights of size 0.02, the scales of its normalization layers start at 1.
A step of 0.001 for every element, [Adam's](optimizers/adam.py) first one, is 5 % of the matrix and 0.1 % of
the scales. What it does to the output depends on the percentage. So some rules fix that. They multiply a direction
$u$ by a *trust ratio*, a number for each tensor:

$$
r = \frac{\lVert\theta\rVert}{\lVert u \rVert}, \qquad
\theta \leftarrow \theta - \alpha\, r\, u, \qquad
\lVert \alpha\, r\, u \rVert = \alpha\, \lVert\theta\rVert
$$

$\alpha = 0.01$ then means 1 % of its length for every tensor. If either norm is 0, $r = 1$.
[LARS](optimizers/lars.py) takes a gradient for $u$, [LAMB](optimizers/lamb.py) Adam's step.
[NovoGrad](optimizers/novograd.py) is a neighbour: it divides by a norm, and multiplies by none.

## The decay belongs to the update

For every other optimizer of this course a number is decoupled decay. In the papers of these three $\lambda\theta$ is
a term of the update, and counts in the ratios of LARS and LAMB. So a number means that term here:
[decay_inside](#decay_inside) makes `WeightDecay(x, weight_decouple=False)` of `x`. A `WeightDecay(x)` of your own is
decoupled, and not scaled by $r$.

| you write | LAMB makes of it |
|---|---|
| `weight_decay=0.01` | $\theta - \alpha\, r\, (u + 0.01\, \theta)$ |
| `weight_decay=WeightDecay(0.01)` | $(1 - 0.01\, \alpha)\, \theta - \alpha\, r\, u$ |

For $r = 0.02$ the first one's decay is a fiftieth of the second one's.

## Weights of which only the direction counts

A normalization layer behind a matrix divides the matrix's length out again: $f(c\,\theta) = f(\theta)$ for $c > 0$.
Differentiate that with respect to $c$, and with respect to $\theta$:

$$
\langle \nabla f(\theta), \theta \rangle = 0, \qquad \nabla f(c\,\theta) = \tfrac{1}{c}\, \nabla f(\theta)
$$

The gradient is orthogonal to the weights, so by Pythagoras every step makes them longer. And the longer they are, the
smaller is the gradient. What the network sees of a step is the angle by which $\theta$ turns. Here are 1000 weights
of length 1 with a gradient of noise that obeys both formulas, and 6000 steps. (LARS has a constant $\eta$ in $r$ and
the momentum $\mu$. It and LAMB have `always_adapt=True`, see the traps.)

| rule, $\lambda$ | length at the end | angle per step, first ten | last 500 |
|---|---:|---:|---:|
| SGD, $\alpha = 0.1$, 0 | 3.3 | 0.096 | 0.009 |
| SGD, 0.1 in the gradient | 0.84 | 0.106 | 0.140 |
| NovoGrad, $\alpha = 0.01$, 0 | 15 | 0.020 | 0.002 |
| NovoGrad, 0.1 | 1.0 | 0.021 | 0.032 |
| LARS, $\alpha\eta = 0.01$, $\mu = 0$, 0 | 1.4 | 0.010 | 0.010 |
| LARS, 0.1 | 0.3 | 0.009 | 0.010 |
| LAMB, $\alpha = 0.01$, 0 | 295 | 0.010 | 0.010 |
| LAMB, 0.1 | 5.5 | 0.010 | 0.010 |

Without decay SGD and NovoGrad turn less and less: the growing length is a schedule that nobody wrote. With decay they
come to a balance, and $\lambda$ decides how fast the weights turn. That is all that decay does to such weights (van
Laarhoven, 2017, arXiv 1706.05350).

With a trust ratio that effect is gone as well. The angle is $\alpha$ (LARS: $\alpha\eta$) with any $\lambda$.
Decay keeps the length in bounds, and bounds are needed. With momentum, successive steps agree in part, and the
length grows by a constant factor: LARS with $\mu = 0.9$ and neither decay nor $\varepsilon$ ends at
$3 \cdot 10^{11}$.

Where does the balance lie? A step of the angle $\alpha$ lengthens $\theta$ by the factor $1 + \alpha^2 / 2$, and
momentum makes the exponent $(1 + \beta_1) / (1 - \beta_1) = 19$ times as large. Decay shortens by
$1 - \alpha r \lambda$. They cancel for $r = 19\, \alpha / (2 \lambda)$. On noise LAMB's
$\lVert u \rVert = 0.23 \sqrt{1000} = 7.25$, so for $\lambda = 1$ the length is 0.69. The run ends at 0.70. For
$\lambda = 0.1$ it is 6.9, and after 6000 steps LAMB is still on its way there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["decay_inside", "decay_update", "quotient"]


def quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide norm by norm; the quotient is 1 where either of them is 0."""
    both = numerator.gt(0).logical_and_(denominator.gt(0))
    return torch.where(both, numerator.div(denominator), 1.0)


def decay_inside(weight_decay: WeightDecay | float) -> WeightDecay:
    r"""Read a number as decay that is a term of the update; a kind stays what it is.

    Raises `TypeError` or `ValueError` for a number that is none, or is not allowed.
    """
    if isinstance(weight_decay, WeightDecay):
        return weight_decay
    return WeightDecay(weight_decay, weight_decouple=False)


def decay_update(
    decay: Callable[[Any, Any, Mapping[str, Any]], Any],
    param: Any,
    grad: Any,
    update: Any,
    group: Mapping[str, Any],
) -> Any:
    r"""Return $u + \lambda \theta$, or decay `param` in place and return `update`, as the group's kind says.

    `decay` is what a rule calls as `self.weight_decay`, `grad` the gradient of this step.
    """
    decayed = decay(param, update, group)
    # A [cautious](caution.py) rule compares its steps with what it has called this with last. That must be
    # the gradient, and what has decayed must not decay again.
    decay(param, grad, {**group, "weight_decay": 0.0})
    return decayed


# ## Traps
#
# - **A tensor of zeros.** Its ratio is 1, so its first step is the whole $\alpha u$. Scales or a last layer that
#   start at 0 need a warm-up or a group without a ratio.
# - **bfloat16.** Its numbers are 0.4 to 0.8 % apart, and smaller steps are mostly rounded away: with LAMB's
#   $\alpha = 0.001$ only 22 % of the weights of a Gaussian matrix move in step 100, with 0.01 it is 83 %.
#   [Rounding](rounding.py) has two remedies.
# - **What is one tensor.** Three matrices stored as one have one norm.
# - **$\lambda = 0$ switches the ratio off** in LARS and LAMB, by convention: biases and scales are in a group
#   without decay, and are not to be scaled. So a sweep or a schedule that takes $\lambda$ to 0 changes the optimizer.
#   `always_adapt=True` keeps the ratio.
# - **A sharded tensor** is refused: each process has [a part of its norm](sharded.py).
#
# ## Exercises
#
# **1.** A weight vector of length 5 feeds a normalization layer, with a gradient of norm 0.2. What is the norm at
# length 10 in the same direction, and by what angle does SGD with $\alpha = 1$ turn either?
#
# ::: solution
# 0.1. The angles are $0.2 / 5 = 0.04$ and $0.1 / 10 = 0.01$: twice the length, a quarter of the angle.
#
# ```python
# import torch
#
# torch.manual_seed(0)
# inputs, targets = torch.randn(64, 5), torch.randn(64)
#
#
# def gradient(weight):
#     weight = weight.clone().requires_grad_()
#     outputs = inputs @ weight
#     normed = (outputs - outputs.mean()) / outputs.std()
#     (normed - targets).square().mean().backward()
#     return weight.grad
#
#
# weight = torch.randn(5)
# torch.testing.assert_close(gradient(2 * weight), gradient(weight) / 2, rtol=1e-4, atol=1e-6)
# assert abs(gradient(weight) @ weight) < 1e-5
# ```
# :::
#
# **2.** Without momentum and decay, by what factor has LARS lengthened such a weight after $t$ steps?
#
# ::: solution
# $(1 + \alpha^2 \eta^2)^{t/2}$, for each step is orthogonal and $\alpha\eta \lVert\theta\rVert$ long. For
# $\alpha\eta = 0.01$ and 6000 steps that is $e^{0.3} = 1.35$, the 1.4 of the table.
# :::

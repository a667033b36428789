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
the scales. Is that step long or short? What it does to the output of the layer depends on the percentage.

So some rules fix the percentage. They take a direction $u$ and multiply it by a *trust ratio*, a number for each
tensor:

$$
r = \frac{\lVert\theta\rVert}{\lVert u \rVert}, \qquad
\theta \leftarrow \theta - \alpha\, r\, u, \qquad
\lVert \alpha\, r\, u \rVert = \alpha\, \lVert\theta\rVert
$$

$\alpha = 0.01$ then means 1 % of its length for every tensor. [LARS](optimizers/lars.py) does so with a gradient,
[LAMB](optimizers/lamb.py) with Adam's step. [NovoGrad](optimizers/novograd.py) is a neighbour: it divides by a norm,
and multiplies by none.

If a norm is 0 there is nothing to compare, and $r = 1$. Beware of that: see the traps.

## The decay belongs to the update

In all three papers $\lambda\theta$ is a term of the update, and LARS and LAMB take the norm with it. This course
says "a number is decoupled" for every other optimizer. For these three a number means the papers' term:
[decay_inside](#decay_inside) makes `WeightDecay(x, weight_decouple=False)` of `x`. Give them a `WeightDecay(x)` of
your own, and it is decoupled and not scaled by $r$.

| you write | LAMB makes of it |
|---|---|
| `weight_decay=0.01` | $\theta - \alpha\, r\, (u + 0.01\, \theta)$ |
| `weight_decay=WeightDecay(0.01)` | $(1 - 0.01\, \alpha)\, \theta - \alpha\, r\, u$ |

They are far apart. For $r = 0.02$ the first one's decay is $\alpha \cdot 0.0002\, \theta$.

## Weights of which only the direction counts

A normalization layer behind a matrix divides the matrix's length out again: $f(c\,\theta) = f(\theta)$ for $c > 0$.
Differentiate that with respect to $c$, and with respect to $\theta$:

$$
\langle \nabla f(\theta), \theta \rangle = 0, \qquad \nabla f(c\,\theta) = \tfrac{1}{c}\, \nabla f(\theta)
$$

The gradient is orthogonal to the weights, so by Pythagoras every step makes them longer. And the longer they are, the
smaller is the gradient. What the network sees of a step is the angle by which $\theta$ turns. Let us measure it: 1000
weights of length 1, a gradient of noise that obeys both formulas, 6000 steps.

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

SGD and NovoGrad turn less and less without decay: the growing length is a schedule that nobody wrote. With decay the
two come to a balance, and $\lambda$ decides how fast the weights turn. Van Laarhoven (2017, arXiv 1706.05350) showed
that this is all that decay does to such weights: it sets the effective learning rate.

With a trust ratio that effect is gone as well. The angle is $\alpha$ (LARS: $\alpha\eta$) with any $\lambda$. There
$\lambda$ keeps the length in bounds, and bounds are needed. With momentum, successive steps agree in part and the
length grows by a constant factor: LARS with $\mu = 0.9$ and no decay ends at $2.5 \cdot 10^8$.

Where does the balance lie? A step of the angle $\alpha$ lengthens $\theta$ by the factor $1 + \alpha^2 / 2$, and
momentum makes the exponent $(1 + \beta_1) / (1 - \beta_1) = 19$ times as large. Decay shortens by
$1 - \alpha r \lambda$. They cancel for $r = 19\, \alpha / (2 \lambda)$. With LAMB's $\lVert u \rVert = 7.2$ and
$\lambda = 1$ that is a length of 0.69, and the run ends at 0.70. For $\lambda = 0.1$ it is 6.9, and after 6000 steps
LAMB is still on its way there.
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
# - **A tensor of zeros.** Its ratio is 1, so its first step is the whole $\alpha u$, and for LARS that is
#   $1/\eta = 1000$ times the usual one for a norm of 1. From there on the ratio is what it should be. Scales that
#   start at 0, or a last layer, need a warm-up or a group without a ratio.
# - **What is one tensor.** Three matrices stored as one have one norm. Cut them, and each has its own step.
# - **$\lambda = 0$ switches the ratio off** in LARS and LAMB, by convention: biases and scales are in a group
#   without decay, and are not to be scaled. So a schedule that takes $\lambda$ to 0 changes the optimizer.
#   `always_adapt=True` keeps the ratio.
# - **A sharded tensor** has a part of its norm in each process. The rules refuse it, see
#   [Sharded parameters](sharded.py).
#
# ## Exercises
#
# **1.** A weight vector of length 5 feeds a normalization layer. Its gradient has the norm 0.2. What is the norm at
# length 10 in the same direction, and by what angle does SGD with $\alpha = 1$ turn the two?
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
# Each step is orthogonal and has the length $\alpha\eta \lVert\theta\rVert$, so the factor is
# $(1 + \alpha^2 \eta^2)^{t/2}$. For $\alpha\eta = 0.01$ and 6000 steps that is $e^{0.3} = 1.35$, the 1.4 of the
# table.
# :::

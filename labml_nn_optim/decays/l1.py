r"""
---
title: L1 decay
summary: L1 decay takes the same amount from every weight, large or small, and leaves those at exactly zero that have less.
paper:
  title: Efficient Online and Batch Learning Using Forward Backward Splitting
  authors: John Duchi, Yoram Singer
  year: 2009
  url: https://jmlr.org/papers/v10/duchi09a.html
  venue: JMLR
chapter: "10.4"
needs: [weight_decay]
symbols:
  \theta: param
  \alpha\lambda: amount
  \lambda: weight_decay
verified_against:
  implementation: sklearn.linear_model.Lasso 1.9.1
  difference: 3e-15 in the coefficients of a least-squares fit in float64
---

# Seventeen weights should be zero, and none is

A linear model has 20 inputs. Three of them matter, with the weights 3, -2 and 1; the other 17 have nothing to do with
the target. After a fit to 100 noisy samples with [SGD](../optimizers/sgd.py), $\alpha = 0.1$ and
$\lambda = 0.2$:

| decay | the three | zeros among the 17 | largest of the 17 |
|---|---|---:|---:|
| none | 2.97, -1.98, 1.03 | 0 | 0.063 |
| [plain](../weight_decay.py) | 2.38, -1.61, 0.92 | 0 | 0.153 |
| L1 in the gradient | 2.78, -1.80, 0.84 | 0 | 0.022 |
| L1 decoupled | 2.79, -1.80, 0.84 | 17 | 0 |

Plain decay takes from each weight in proportion to its size. So large weights pay most, and the nearer a weight
is to zero, the less it is pulled: it never arrives. Here the 17 are larger than without decay, since they
make up for what the three have lost.

L1 takes the same from all. A small weight is pulled as hard as a large one, all the way to zero. But the
gradient of $|\theta|$ jumps there from $-1$ to 1. A step in its direction goes past zero, the next one comes back
from the other side, and the weight dances around 0 without ever being 0.

## The rule

First the update of the optimizer. Then take $\alpha\lambda$ from the size of each weight, or all of it if
there is less:

$$
\theta \leftarrow \operatorname{sign}(\theta)\, \max(|\theta| - \alpha\lambda,\, 0)
$$

This is soft thresholding. Coupled, $\lambda \operatorname{sign}(\theta)$ joins the gradient.

## Why after the step

We look for the minimum of $f(\theta) + \lambda \lVert \theta \rVert_1$. The update takes care of $f$ and goes to some
point $z$. Do for the second part what is best, without going far from $z$:

$$
\theta = \arg\min_x \; \frac{1}{2} (x - z)^2 + \alpha\lambda\, |x|
$$

For $x > 0$ the derivative is $x - z + \alpha\lambda$, and it vanishes at $x = z - \alpha\lambda$ if that is
positive; likewise below zero. Otherwise the minimum is at 0. That is the formula above, the *proximal step*.

When is a weight left at zero? The update takes it to $-\alpha g$, and the threshold takes it back if
$|g| \le \lambda$. A weight stays at zero for as long as the loss wants to move it with less than $\lambda$. Decay before
the step would end with $-\alpha g$ in every weight, and no zero.

The minimum is the lasso's: SGD on all samples ends where scikit-learn's does, the same zeros included. The price is
in the table as well. A weight that matters is too small by about $\lambda$ over its curvature.

## What momentum and Adam make of it

The threshold is $\alpha\lambda$ in every step. What it stands against is the update, and an optimizer may
have made that larger or smaller than $\alpha g$.

**Momentum** of 0.9 multiplies a steady gradient by ten. With $\alpha = 0.01$, 6 of the 17 are zero for
$\lambda = 0.2$, and all of them for $\lambda = 2$, at the weights of the last line of the table.

**Adam** makes all updates alike. For weights that see nothing but noise, with $\alpha = 0.001$:

| $\lambda$ | 0.03 | 0.1 | 0.2 | 0.3 | 0.5 | 1 |
|---|---:|---:|---:|---:|---:|---:|
| share of exact zeros | 0.002 | 0.06 | 0.36 | 0.69 | 0.96 | 1.00 |

An update of noise is about $0.23\, \alpha$ long, so $\lambda$ must be of that size to hold it, whatever the size of the
gradients. And no update is much longer than $\alpha$: with $\lambda = 1$ nearly no weight gets away from zero, the three
that matter included. All that can be chosen lies between 0.1 and 1. It is a rule for which weights have
a steady gradient, and not the minimum of a loss plus a penalty. To have that one, use L1 in the gradient,
and do without zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["L1WeightDecay"]


class L1WeightDecay(WeightDecay):
    r"""Decay by the same amount for all weights; decoupled, it comes after the update and gives zeros.

    Fields and errors are those of [WeightDecay](../weight_decay.py#WeightDecay). The real and the imaginary
    part of a complex weight decay as two weights.
    Duchi and Singer (2009), with $L_1$.
    """

    after_step = True

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return $\operatorname{sign}(\theta)$, the gradient of $|\theta|$; it is 0 at 0."""
        return param.sign()

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Take `amount` from $|\theta|$, but not more than there is."""
        # $\theta - \operatorname{clip}(\theta)$ is exactly 0 where the clip does nothing.
        param.sub_(param.clamp_min(-amount).clamp_max_(amount))


# ## Choosing, and when not to
#
# - With SGD $\lambda$ is a size of gradients: whatever the loss pulls with less than $\lambda$ becomes zero. With momentum
#   multiply it by $1 / (1 - \beta)$. With Adam take 0.1 to 0.5.
# - Decay the weights whose zeros are of use, the first layer to choose inputs, or the scales of channels to find
#   those that can be cut out. Leave the others to plain decay, in a group of their own.
#
# Single zeros in a matrix make no program faster: a dense product multiplies by zero as well. To make a network
# small, cutting off the smallest weights of a trained one does about as well as more refined methods (Gale et al.,
# 2019, arXiv 1902.09574). Whether L1 makes a network generalize better than plain decay does is not known.
# Once the zeros have been found, train the remaining weights without L1, or keep the bias.
#
# ## Traps
#
# - **Noise takes zeros away.** In batches of 10 the fit of the first table has 13 to 14 zeros at any time, not 17,
#   and not always the same. A threshold on the final weights, or a last stretch with larger batches, settles it.
# - **A schedule of $\alpha$** shrinks update and threshold alike. Absolute decay stays as it is, and at the
#   end takes everything.
# - **Coupled under Adam** the sign is divided by $\sqrt v$ like any gradient: weights with small gradients are pulled
#   more. That has no zeros either.
# - **A weight of exactly 0 is not dead.** Its gradient goes on, and a larger one takes it out again. Where a whole
#   unit is zero on both sides, no gradient comes through, and it is.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/decay.py) learns 1000 images by heart. At $\lambda = 0.1$ L1 decay has the test loss of decoupled decay at its best, 0.157 against
# 0.156, and 32 % of its weights are exactly 0. No other kind makes a single zero. At 0.3, 79 % are 0, and 0.8 points of accuracy are
# lost: 94.1 against 94.8 %. At 1 the training fails, with 56 %.
#
# At $\alpha = 0.003$ and $\lambda = 0.1$ about 80 % are 0 without harm: 95.6 and 95.2 % with two seeds, against 95.2 and 95.6 % without decay. Where the zeros are depends on the size of the
# weights: 97 % of the norm of the first convolution is left, and 48 % of the hidden layer's.
#
# ## Exercises
#
# **1.** A weight has the loss $\frac{h}{2} (\theta - \theta^*)^2$. Where does L1 decay leave it?
#
# ::: solution
# Where the gradient is balanced: $h\, (\theta - \theta^*) = -\lambda \operatorname{sign}(\theta)$. So at
# $\theta^* - \lambda / h$ for positive $\theta^*$, and at 0 if $|\theta^*| \le \lambda / h$.
#
# ```python
# import torch
# from labml_nn_optim import SGD, L1WeightDecay
#
# curvature = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64)
# minimum = torch.tensor([3.0, 0.1, 1.5], dtype=torch.float64)
# theta = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
# optimizer = SGD([theta], lr=0.5, momentum=0.0, weight_decay=L1WeightDecay(0.2))
# for _ in range(500):
#     theta.grad = curvature * (theta.detach() - minimum)
#     optimizer.step()
# torch.testing.assert_close(theta.detach(), torch.tensor([2.8, 0.0, 0.0], dtype=torch.float64))
# assert theta[1:].tolist() == [0.0, 0.0]
# ```
# The third weight has a larger minimum than the second, and is gone all the same: its loss is too flat.
# :::
#
# **2.** What is left of a weight of 1 whose gradient is 0 after 60 steps with $\alpha = 0.1$ and $\lambda = 0.2$, under L1 and
# under plain decay?
#
# ::: solution
# L1 takes 0.02 in each step, and is done after 50. Plain decay leaves $0.98^{60} = 0.298$, and is never done.
#
# ```python
# import torch
# from labml_nn_optim import SGD, L1WeightDecay, WeightDecay
#
# ends = []
# for decay in (L1WeightDecay(0.2), WeightDecay(0.2)):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = SGD([theta], lr=0.1, momentum=0.0, weight_decay=decay)
#     for _ in range(60):
#         theta.grad = torch.zeros_like(theta)
#         optimizer.step()
#     ends.append(theta.item())
# assert ends[0] == 0.0
# assert abs(ends[1] - 0.98**60) < 1e-12
# ```
# :::

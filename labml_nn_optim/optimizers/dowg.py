r"""
---
title: DoWG
summary: DoWG is DoG with every squared gradient weighted by the square of the distance at its time, so that what came early counts less.
paper:
  title: "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method"
  authors: Ahmed Khaled, Konstantin Mishchenko, Chi Jin
  year: 2023
  arxiv: "2305.16284"
  venue: NeurIPS
chapter: "5.7"
needs: [optimizers/dog]
symbols:
  \bar r: r_bar
  v: grad_sum
verified_against:
  implementation: the paper's algorithm, written out in the tests
  difference: 3e-16 over 100 noisy steps in float64
---

# Gradients from before the journey

[DoG](dog.py) divides by the root of all squared gradients. Those of the first steps were taken at the start, when
$\bar r$ was $10^{-6}$, and they count like all others. On DoG's example, let the first five losses be a hundred times
as large. The distance to the solution, 4.47 at first (medians of 200 seeds):

| step | 200 | 500 | 1000 | 2000 |
|---|---:|---:|---:|---:|
| DoG | 4.5 | 4.5 | 4.5 | 4.5 |
| DoWG | 4.5 | 0.37 | 0.21 | 0.14 |

DoWG lets each square count with the $\bar r^2$ of its time. While $\bar r$ rises by a factor of a million, early
gradients lose a factor of $10^{12}$.

## The update rule

$$
\begin{aligned}
\bar r_t &= \max\left( \bar r_{t-1},\; \lVert \theta_{t-1} - \theta_0 \rVert \right), \qquad
\bar r_1 = r_\varepsilon \left( 1 + \lVert \theta_0 \rVert \right) \\
v_t &= v_{t-1} + \bar r_t^2\, \lVert g_t \rVert^2 \\
\theta_t &= \theta_{t-1} - \alpha\, \eta_t\, g_t, \qquad \eta_t = \frac{\bar r_t^2}{\sqrt{v_t}}
\end{aligned}
$$

With a constant $\bar r$ it cancels, and this is DoG. So DoWG differs while $\bar r$ rises, and its traces stay in $v$
after that.

It rises faster. With a constant gradient $v_t$ is made of the last few steps, and $\bar r$ grows 1.84-fold in each
step, where DoG's grows like $e^{2 \sqrt t}$. In DoG's example half of the distance is reached in 44 steps, where
DoG needs 256. The errors at the end are alike: 0.009 for the average of the weights, DoG 0.007.

On a smooth loss the gradients shrink on the way, and large early ones hold DoG back. Take a bowl of 20 curvatures
from 0.01 to 1, each the same factor above the last, without noise, from zero to a minimum at 1 in each direction. The
loss begins at 2.3:

| step | 100 | 500 | 2000 |
|---|---:|---:|---:|
| DoG | 0.39 | 0.0014 | $5 \cdot 10^{-8}$ |
| DoWG | 0.001 | $4 \cdot 10^{-10}$ | $2 \cdot 10^{-31}$ |
| gradient descent, $\alpha = 1$ | 0.002 | $2 \cdot 10^{-7}$ | $2 \cdot 10^{-20}$ |

That is the paper's point: one rule, without a number to choose, has the rate of tuned gradient descent up to
logarithms, for smooth and for other convex losses. That is for gradients without noise. With noise Khaled and Jin
(2024, arXiv 2402.07793) have a similar statement, if the noise is well behaved.

## What forgetting costs

Gaussian noise and nothing else, as the farthest distance $\bar r$ that it leads to (medians, 400 runs of 10 weights
and 40 of 1000; in the end DoWG's differ by powers of ten):

| step | 100 | 1000 | 10 000 |
|---|---:|---:|---:|
| DoG, 1000 weights | $7 \cdot 10^{-6}$ | $2 \cdot 10^{-5}$ | $7 \cdot 10^{-5}$ |
| DoWG, 1000 weights | 0.0005 | 2000 | $10^{24}$ |
| DoWG, 10 weights | 0.00007 | 0.08 | $4 \cdot 10^5$ |

A random walk goes away from its start, in many dimensions the more surely. DoG's sum brakes it. In DoWG a longer
$\bar r$ makes the sum of the past small, so the next steps are as long as the whole way so far.

## Conventions

- **The first distance.** The paper has $r_\varepsilon$ alone, and the authors' code $\bar r_1^2 = 10^{-4}$ for any
  model. Here it is DoG's, in proportion to the weights.
- **$\varepsilon$** stands in the first square here, $v_1 = \bar r_1^2 (\varepsilon + \lVert g_1 \rVert^2)$. The
  authors' code adds $10^{-4}$ to $\sqrt v$, so that a scale of the loss matters.
- **Decay** and groups are as in [DoG](dog.py). The authors' code has no decay.
"""

from __future__ import annotations

import math

from labml_nn_optim.optimizers.dog import DoG

__all__ = ["DoWG"]


class DoWG(DoG):
    r"""DoG with weights in its sum of squared gradients.

    Arguments, state and errors are those of [DoG](dog.py#DoG). Here `eps` is $\varepsilon$, added to the first
    squared gradient.

    Khaled, Mishchenko and Jin (2023).
    """

    def grad_sum(self, r_bar: float, squares: float, last: float | None) -> float:
        r"""Return $v_t = v_{t-1} + \bar r_t^2 \lVert g_t \rVert^2$, or $v_1$ if there is no last one."""
        if last is None:
            last = r_bar**2 * float(self.param_groups[0]["eps"])
        return last + r_bar**2 * squares

    def rate(self, r_bar: float, total: float) -> float:
        r"""Return $\eta_t = \bar r_t^2 / \sqrt{v_t}$."""
        return r_bar**2 / math.sqrt(total)


# ## Choosing, and when not to
#
# Take DoWG for gradients with little noise, and where the start is wild. For small noisy batches DoG is the safer
# one. What [DoG's chapter](dog.py) says of `lr`, `reps_rel`, averages, half precision and cost holds here too.
#
# The authors' own comparison is of networks on CIFAR-10. We know of no larger one.
#
# ## Traps
#
# - **Watch `optimizer.param_groups[0]["r_bar"]`.** If it is far larger than the weights, noise has driven it there.
#   It does not come back.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with $\alpha$ as the factor and a line to 0. At 1, the default, the
# held-out loss is 0.043, less than half of [DoG](dog.py)'s 0.091 and below [SGD](sgd.py)'s 0.045 at the best of eight
# rates. At 0.3 it is seven times as large, and at 3 nothing is learned.
#
# DoWG starts sooner, as promised: the loss is 2.2 in step 32 for all seeds, where DoG needs a hundred steps. Then they
# part. Seed 1 goes down steadily, to 0.29 in step 112. Seeds 0 and 2 jump: updates of 3.2 and 3.8, a quarter of the
# 13.9 that all weights together are long at the start, and the loss is back above 2.4 in step 144 and in step 64. That
# is the price of forgetting: nothing of the past holds a long step back.
#
# It shows at the end. Seed 1 has 99.41 %, as good as Adam, the others 98.98 and 99.14 %. The three seeds of DoG have
# 99.00 to 99.16 %. One number less to choose, and more luck.
#
# [On CIFAR-10](../../experiments/cifar.py) 1 is right again, as a rule without a rate promises, but the result is
# low. In the search (one epoch, one seed) nothing is learned at 0.3, and at 3 the run diverges. The accuracies of
# three seeds are 68.7, 69.0 and 69.5 %. DoWG has no momentum, and [ASGD](asgd.py), which is plain descent there, has
# 69.0 to 69.3 % at the best of five rates: DoWG comes as far without a search. SGD with momentum has 75.1 to 75.8 %.
# DoG has none either. With the factor 3 it starts later, 43.3 to 50.3 % after one epoch where DoWG has 54.8 to
# 57.3 %, and ends at 74.1 to 74.4 %. In the third epoch its median update is 0.09 to 0.10 long, DoWG's 0.02.
#
# ## Exercises
#
# **1.** With a constant gradient of 1, let $\bar r$ grow by a factor of $q$ in each step. Which $q$ is it?
#
# ::: solution
# $v_t = \bar r_t^2 (1 + q^{-2} + q^{-4} + \dots) = \bar r_t^2 / (1 - q^{-2})$, so a step is $\eta_t = \bar r_t
# \sqrt{1 - q^{-2}}$ long, and $\bar r_{t+1} = \bar r_t + \eta_t$: $q = 1 + \sqrt{1 - q^{-2}}$. The solution is 1.84.
#
# ```python
# import torch
# from labml_nn_optim import DoWG
#
# q = 2.0
# for _ in range(100):
#     q = 1 + (1 - q**-2) ** 0.5
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# optimizer = DoWG([theta])
# distances = []
# for _ in range(100):
#     theta.grad = torch.ones_like(theta)
#     optimizer.step()
#     distances.append(optimizer.param_groups[0]["r_bar"])
# assert abs(distances[-1] / distances[-2] - q) < 1e-6
# assert abs(q - 1.8393) < 1e-4
# ```
# :::
#
# **2.** Show that DoWG's first step is DoG's.
#
# ::: solution
# $\eta_1 = \bar r_1^2 / \sqrt{\bar r_1^2 (\varepsilon + \lVert g_1 \rVert^2)} = \bar r_1 / \sqrt{\varepsilon + \lVert
# g_1 \rVert^2}$.
# :::

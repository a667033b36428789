r"""
---
title: Cautious weight decay
summary: Cautious weight decay pulls only those weights that the update does not move away from zero, so that a minimum of the loss stays where it is, as long as there is no noise.
paper:
  title: Cautious Weight Decay
  authors: Lizhang Chen, Jonathan Li, Kaizhao Liang, Baiyu Su, Cong Xie, Nuo Wang Pierse, Chen Liang, Ni Lao, Qiang Liu
  year: 2025
  arxiv: "2510.12402"
chapter: "10.2"
needs: [weight_decay]
symbols:
  \theta_t: before
  \theta_{t+1}: param
  \lambda: weight_decay
verified_against:
  implementation: algorithm 1 of the paper around torch.optim.Adam 2.14.1, written out in the test
  difference: 2e-16 over 100 noisy steps in float64
---

# The best weight is 3, and decay leaves it at 2.14

One weight with the loss $\frac{1}{2} (\theta - 3)^2$ starts at 0 and makes 20 000 steps with
$\alpha = 0.01$ and $\lambda = 0.4$:

| decay | [SGD](../optimizers/sgd.py) | [Adam](../optimizers/adam.py) |
|---|---:|---:|
| none | 3.000 | 3.000 |
| plain, decoupled | 2.143 | 2.484 |
| cautious | 3.000 | 2.995 |

Plain decay never stops pulling. SGD rests where the pull equals the gradient, at $3 / (1 + \lambda)$, and
Adam is on its way to $1 / \lambda = 2.5$, where a weight of [AdamW](../optimizers/adamw.py) comes to rest whose gradients keep their sign and size.
Both solve another problem than the one that was posed.

Above 3 the loss drives the weight down, and decay agrees. Below 3 the loss drives it up, and decay works
against it. So let decay act in the first case alone.

## The rule

Let $u_t$ be the update of the optimizer without decay, so that it would go to $\theta_t - \alpha u_t$. For
each weight by itself

$$
\theta_{t+1} = \theta_t - \alpha\, u_t - \alpha\lambda\, \mathbb 1[u_t\, \theta_t \ge 0]\; \theta_t
$$

The bracket is 1 where $u_t$ and $\theta_t$ have the same sign, which is where the step goes towards zero.
An update of exactly 0 counts as agreement: equality is included.

## Where it comes to rest

Suppose that decay cancels the update: $u = -\lambda\, \mathbb 1[u\theta \ge 0]\, \theta$ with
$u \ne 0$. Then the bracket is 1, so $u = -\lambda\theta$, and $u\theta = -\lambda\theta^2 < 0$, which makes
the bracket 0. There is no such place. In a minimum, $u = 0$, the bracket is 1: decay takes the weight a
little towards zero, the loss brings it back, and decay looks on. The weight stays at the minimum, give or
take a step.

If there are many minima, decay chooses among them. With the loss
$\frac{1}{2} (\theta_1 + \theta_2 - 2)^2$ every point with the sum 2 is one. SGD starts at $(4, -2)$:

| decay of 0.4 | after 20 000 steps | sum |
|---|---:|---:|
| none | (4, -2) | 2 |
| plain | (0.833, 0.833) | 1.667 |
| cautious | (1.945, 0.055) | 2.000 |

On the line both weights can become smaller in size, until the second is near 0. From there on one grows when
the other shrinks. The paper calls such a point locally Pareto-optimal, and the way there along the line a
sliding mode. It shows that the limit in continuous time goes to stationary points of the loss that was
posed; for Adam with steps, it bounds the squared gradient by the order $T^{-1/2}$.

## What noise does to it

A gradient with noise points away from zero by chance, and towards zero by chance. At a minimum that is
half of the time each. 1000 copies of the first weight, SGD, constant $\alpha$, and Gaussian noise of size $\sigma$
on the gradient. Their mean:

| $\sigma$ | 0 | 0.1 | 0.3 | 1 | 3 | 10 |
|---|---:|---:|---:|---:|---:|---:|
| cautious, $\lambda = 0.4$ | 3.000 | 2.874 | 2.761 | 2.624 | 2.543 | 2.494 |
| plain, $\lambda = 0.4$ | 2.143 | 2.143 | 2.142 | 2.142 | 2.139 | 2.130 |
| plain, $\lambda = 0.2$ | 2.500 | 2.500 | 2.500 | 2.499 | 2.496 | 2.485 |

A mean has a standard error of 0.02 for $\sigma = 10$ and of 0.006 for 3: there the last digits are noise.

With enough noise, cautious decay is plain decay with half the $\lambda$. The chance that the bracket is 1 is
$\Phi((\theta - 3) / \sigma)$, with the normal distribution $\Phi$, and the place of rest solves

$$
3 - \theta = \lambda\, \Phi\!\left(\frac{\theta - 3}{\sigma}\right) \theta
$$

A network that is trained with batches is nearer to the right end of the table. In one with two hidden layers of
128, on scikit-learn's digits with Adam and batches of 32, 52 % of the weights would decay in a step, from step
500 to step 3000, 13 of these for an update of exactly 0, mostly weights of pixels that are always black.
And weights that see nothing but noise, under AdamW with $\alpha = 0.01$, rest at a size of 0.223 with a plain
decay of 0.1, at 0.313 with 0.05, and at 0.334 with a cautious decay of 0.1.

## Conventions

- **Equality** is included in the paper, in Microsoft's dion and in modded-nanogpt. It matters for weights
  whose gradient is 0: they decay as ever.
- **The sign.** The paper compares with the update. Some code compares with $m$, which has the same sign for
  Adam, or with the gradient, which has not.
- **Which weight decays.** $\theta_t$ from before the step, as in plain decay.
- **Not to be confused** with [cautious updates](../caution.py) (Liang et al., 2024, arXiv 2411.16085), which leave
  out parts of the update itself; timm's `caution=True` is that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["CautiousWeightDecay"]


class CautiousWeightDecay(WeightDecay):
    r"""Decoupled decay of those weights whose update does not point away from zero.

    - `weight_decay`: $\lambda$, at least 0
    - `absolute`: $\lambda$ alone (`True`) or $\alpha\lambda$

    Raises `ValueError` for `weight_decouple=False`: in the gradient, the update is not known yet.
    Chen et al. (2025), algorithm 1.
    """

    after_step = True
    needs_before = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight_decouple:
            raise ValueError(
                "weight_decouple must be True for CautiousWeightDecay, got False; "
                "before the step there is no update to agree with"
            )

    def finish(self, before: Any, param: Any, group: Mapping[str, Any]) -> None:
        r"""Decay by $\lambda\, \theta_t$ where the update $\theta_t - \theta_{t+1}$ has its sign, or is 0."""
        # Signs are multiplied, since a product of small numbers may be rounded to 0, which would agree.
        agreement = before.sub(param).sign_().mul_(before.sign())
        # 1 and 0 become 1, $-1$ becomes 0.
        mask = agreement.clamp_max_(0).add_(1)
        param.sub_(mask.mul_(before).mul_(self.amount(group)))


# ## Choosing, and when not to
#
# - $\lambda$: the paper keeps that of plain decay and finds lower losses, with AdamW, Lion and Muon, from
#   millions to billions of parameters. A speed record for a small GPT fell with it from 139.9 to 137.6
#   seconds (modded-nanogpt, pull request 154).
# - Compare it with plain decay at half the $\lambda$ as well. If that is as good, it was not the caution.
#
# Leave it where plain decay is wanted for the small weights that it gives: a bias towards zero is what
# regularizes a model with few data. Leave it in runs so short that $\alpha\lambda T$ is far below 1, where no
# decay does anything. It is not known how much of the gain is left when both sides have tuned their
# $\lambda$ with equal care, nor what it does to layers before a normalization, for which decay does nothing but
# to set the size of the next steps.
#
# ## Traps
#
# - **There is no bound any more.** A weight whose gradient has always the same sign grows without end; plain
#   decay would stop it at $1 / \lambda$: exercise 2.
# - **The update is what the rule has done**, with momentum and clipping, read off the parameter. In float32 a
#   step that is lost in rounding is an update of 0, and the weight decays.
# - **It costs passes over memory**, for the copy and the signs: 1.6 times Adam's step on one CPU thread. With
#   `compile=True` no difference could be measured.
# - **It cannot be coupled.** Before the step there is no update to agree with, so `weight_decouple=False` is
#   refused.
# - **With [StableAdamW](../optimizers/stable_adamw.py)** it follows the shortened rate, like plain decay.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/decay.py) learns 1000 images by heart. At $\lambda = 10$ cautious decay has a test loss of 0.143, where decoupled decay at its
# best has 0.156 and no decay 0.180, medians of three seeds. It is ahead of all other kinds with every seed, at three learning rates: 0.199, 0.144 and 0.129 at
# $\alpha = 0.0003$, 0.001 and 0.003, where decoupled decay has 0.222, 0.159 and 0.142 (two seeds).
#
# It is not plain decay with half the $\lambda$ here: the training loss ends at 0.011, a third of the decoupled 0.031. And it is easier to choose. At $\alpha = 0.001$ every
# $\lambda$ from 0.3 to 100 beats no decay with all seeds; decoupled decay does harm from 10 on.
#
# Two things speak against too much trust. At $\alpha = 0.003$ and $\lambda = 30$ one of two seeds ended at 0.43, the other at 0.14. With a fifth of the labels wrong, its
# 7.1 % of errors lie in the range of the other kinds, at the edge of what was tried. It is one small network.
#
# ## Exercises
#
# **1.** Solve for the place of rest at $\lambda = 0.4$ and $\sigma = 1$, and let it run.
#
# ::: solution
# The left side falls with $\theta$ and the right side rises, so halving an interval finds it.
#
# ```python
# import math
# import torch
# from labml_nn_optim import SGD, CautiousWeightDecay
#
# low, high = 0.0, 3.0
# for _ in range(50):
#     theta = (low + high) / 2
#     chance = 0.5 * (1 + math.erf((theta - 3) / math.sqrt(2)))
#     low, high = (theta, high) if 3 - theta > 0.4 * chance * theta else (low, theta)
# assert abs(theta - 2.627) < 1e-3
#
# torch.manual_seed(0)
# weights = torch.nn.Parameter(torch.full((10_000,), 3.0))
# optimizer = SGD([weights], lr=0.02, momentum=0.0, weight_decay=CautiousWeightDecay(0.4))
# for _ in range(500):
#     weights.grad = weights.detach() - 3 + torch.randn(10_000)
#     optimizer.step()
# assert abs(weights.mean().item() - theta) < 0.02
# ```
# :::
#
# **2.** A gradient is always $-1$. Where does the weight go under Adam with $\alpha = 0.1$ and $\lambda = 0.5$, with
# plain and with cautious decay?
#
# ::: solution
# Plain decay ends at $1 / \lambda = 2$. The update always points away from zero, so cautious decay never acts,
# and the weight gains $\alpha$ in each step.
#
# ```python
# import torch
# from labml_nn_optim import Adam, CautiousWeightDecay, WeightDecay
#
# ends = []
# for decay in (WeightDecay(0.5), CautiousWeightDecay(0.5)):
#     weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
#     optimizer = Adam([weight], lr=0.1, weight_decay=decay)
#     for _ in range(500):
#         weight.grad = -torch.ones_like(weight)
#         optimizer.step()
#     ends.append(weight.item())
# assert abs(ends[0] - 2) < 1e-3
# assert abs(ends[1] - 50) < 1e-3
# ```
# :::

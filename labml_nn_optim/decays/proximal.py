r"""
---
title: Proximal decay
summary: >-
  Proximal decay divides every weight by one number after the update, and so takes none past zero, however
  strong it is.
paper:
  title: Understanding AdamW through Proximal Methods and Scale-Freeness
  authors: Zhenxun Zhuang, Mingrui Liu, Ashok Cutkosky, Francesco Orabona
  year: 2022
  arxiv: "2202.00089"
  venue: TMLR
chapter: "10.5"
needs: [weight_decay]
symbols:
  \theta: param
  \alpha\lambda: amount
  \lambda: weight_decay
verified_against:
  implementation: torch.optim.Adam 2.14.1 and a division, written out in the test
  difference: 3e-16 over 100 noisy steps in float64
---

# A decay that overshoots

A weight whose gradient is 0 starts at 1. After four steps of decay it is here:

| $\alpha\lambda$ | 0.01 | 0.1 | 0.5 | 1 | 1.5 | 2 | 3 |
|---|---:|---:|---:|---:|---:|---:|---:|
| [plain](../weight_decay.py), decoupled | 0.961 | 0.656 | 0.063 | 0 | 0.063 | 1 | 16 |
| proximal | 0.961 | 0.683 | 0.198 | 0.063 | 0.026 | 0.012 | 0.004 |

Plain decay multiplies by $1 - \alpha\lambda$. Beyond 1 the weight changes its sign in every step, and beyond 2
it grows. Proximal decay divides by $1 + \alpha\lambda$, and no $\lambda$ is too large for that.

The left columns are where training is done. A recipe for vision transformers with [Adan](../optimizers/adan.py) has
$\alpha = 0.015$ and $\lambda = 0.02$. In 3333 steps that decay takes a weight of 1 to 0.36786 if it is
plain, and to 0.36797 if it is proximal. If the weights end elsewhere, that is not why.

## The rule

First the update $u_t$ of the optimizer, then

$$
\theta_t = \frac{\theta_{t-1} - \alpha\, u_t}{1 + \alpha\lambda}
$$

## Where the division comes from

The update takes care of the loss and goes to $z = \theta_{t-1} - \alpha u_t$. The penalty is left. Do for it
what is best, without going far from $z$:

$$
\theta_t = \arg\min_x \; \frac{1}{2} (x - z)^2 + \frac{\alpha\lambda}{2}\, x^2
$$

The derivative is $x - z + \alpha\lambda\, x$. It vanishes at $z / (1 + \alpha\lambda)$, between 0 and $z$. This is
the *proximal step* of the penalty $\frac{\lambda}{2} \theta^2$; [L1 decay](l1.py) is that of $\lambda |\theta|$.

Under [Adam](../optimizers/adam.py) each weight has a rate of its own, $\alpha / \sqrt{\hat v}$. One may measure the
distance from $z$ in these units, and then the penalty has to be measured so, too:
$\frac{1}{2} \sqrt{\hat v}\, (x - z)^2 + \frac{\alpha\lambda}{2} \sqrt{\hat v}\, x^2$. The root cancels. If only the
distance is measured so, the divisor is $1 + \alpha\lambda / \sqrt{\hat v}$, and weights with small gradients decay
most, as they do with decay in the gradient. So the decoupled form is a choice of the penalty.

There is a second reading. Decay alone is the flow $\dot\theta = -\lambda\theta$, and over a time $\alpha$ it
leaves $e^{-\alpha\lambda}$ of a weight. Plain decay is the step with the slope at the start, proximal decay the
one with the slope at the end:

$$
1 - a \;<\; e^{-a} \;<\; \frac{1}{1 + a}, \qquad a = \alpha\lambda
$$

Each is wrong by about $a^2 / 2$, on different sides. Multiply both by $1 + a$: they differ by the
factor $1 - a^2$.

## The same place of rest

Divided or multiplied, a weight stands still where $\alpha u = -\alpha\lambda\, \theta$:

$$
\theta = \frac{\theta - \alpha u}{1 + \alpha\lambda}
\quad\Leftrightarrow\quad u = -\lambda\theta
\quad\Leftrightarrow\quad \theta = (1 - \alpha\lambda)\, \theta - \alpha u
$$

On $\frac{1}{2} (\theta - 3)^2$ with $\lambda = 0.4$ both kinds take SGD to $3 / 1.4$, and with a gradient of
constant sign both take AdamW to $1 / \lambda$. What differs is the way there, and whether it ends. AdamW
with $\alpha = 0.1$ on this loss, from 1:

| $\alpha\lambda$ | 0.5 | 1 | 1.9 | 2.1 |
|---|---:|---:|---:|---:|
| plain, after 200 steps | 0.2005 | 0.1001 | 0.0526 | $1.9 \cdot 10^8$ |
| proximal | 0.2008 | 0.1003 | 0.0527 | 0.0477 |

## Conventions

- **Adan** has this decay by default, in its paper, in the authors' code and in timm. timm's `no_prox=True` is
  plain decoupled decay.
- **pytorch_optimizer** calls it `weight_decouple=False` in its `Adan`. In its other optimizers these words mean decay
  in the gradient.
- **AdamW** is read as an approximation of a proximal method in the paper above: $1 / (1 + a) \approx 1 - a$.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ProximalWeightDecay"]


class ProximalWeightDecay(WeightDecay):
    r"""Decoupled decay that divides by $1 + \alpha\lambda$ after the update.

    - `weight_decay`: $\lambda$, at least 0
    - `absolute`: $1 + \lambda$ (`True`) or $1 + \alpha\lambda$

    Raises `ValueError` for `weight_decouple=False`: in the gradient nothing is left of the division.
    """

    after_step = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight_decouple:
            raise ValueError(
                "weight_decouple must be True for ProximalWeightDecay, got False; "
                "in the gradient it would be plain decay"
            )

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Divide by $1 + \text{amount}$."""
        param.div_(1 + amount)


# ## Choosing, and when not to
#
# - $\lambda$: that of plain decoupled decay. At $\alpha\lambda = 0.001$ one step differs by a millionth of the
#   weight.
# - Take it where $\alpha\lambda$ may become large: an absolute decay near 1, a rate that a search or a schedule may
#   drive up, few steps with a strong pull. And take it to repeat a run of Adan.
#
# For everything else plain decay does the same. We know of no experiment in which the two made a difference
# to a trained network. The authors of Adan say that they prefer the form for what it is in optimization, and
# not for better results (sail-sg/Adan, issue 12).
#
# ## Traps
#
# - **The update is divided, too**: a step of $\alpha u$ counts $\alpha u / (1 + \alpha\lambda)$. With
#   $\alpha\lambda = 1$ a weight moves half as far as without decay.
# - **It cannot be coupled.** The gradient of the penalty is $\lambda\theta$, and that is plain decay.
# - **A huge $\lambda$ makes no noise.** Plain decay explodes, and you notice. This one leaves a network of weights
#   near 0.
# - **A number keeps the kind.** In an `Adan(..., weight_decay=0.02)` a group with `"weight_decay": 0.05` decays
#   proximally as well. For plain decay write `WeightDecay(0.05)`.
#
# ## Exercises
#
# **1.** After how many steps has it halved a weight whose gradient is zero, for $\alpha = 0.001$ and
# $\lambda = 0.5$? Plain decay takes 1386.
#
# ::: solution
# $n = \ln 2 / \ln(1 + \alpha\lambda) = 1386.6$, so 1387.
#
# ```python
# import torch
# from labml_nn_optim import AdamW, ProximalWeightDecay
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = AdamW([theta], lr=0.001, weight_decay=ProximalWeightDecay(0.5))
# steps = 0
# while theta.item() > 0.5:
#     theta.grad = torch.zeros_like(theta)
#     optimizer.step()
#     steps += 1
# assert steps == 1387
# ```
# :::
#
# **2.** Write the exact decay, $\theta \leftarrow e^{-\alpha\lambda}\, \theta$, as a kind of your own, and compare
# all three at $\alpha\lambda = 0.5$.
#
# ::: solution
# `math.e ** x` takes a number and a tensor alike.
#
# ```python
# import math
# import torch
# from labml_nn_optim import SGD, ProximalWeightDecay, WeightDecay
#
#
# class ExactWeightDecay(WeightDecay):
#     def shrink(self, param, amount, group):
#         param.mul_(math.e ** (-amount))
#
#
# ends = []
# for kind in (WeightDecay, ExactWeightDecay, ProximalWeightDecay):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     theta.grad = torch.zeros_like(theta)
#     SGD([theta], lr=0.5, weight_decay=kind(1.0)).step()
#     ends.append(theta.item())
# assert ends == sorted(ends)
# assert abs(ends[1] - math.exp(-0.5)) < 1e-12
# ```
# :::

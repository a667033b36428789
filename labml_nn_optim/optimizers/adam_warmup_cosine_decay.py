r"""
---
title: Adam with warm-up and cosine decay
summary: After its warm-up the learning rate falls along half a cosine to a tenth of its peak, and stays there.
paper:
  title: "SGDR: Stochastic Gradient Descent with Warm Restarts"
  authors: Ilya Loshchilov, Frank Hutter
  year: 2017
  arxiv: "1608.03983"
  venue: ICLR
chapter: "3.13"
needs: [optimizers/adam_warmup, optimizers/noam]
symbols:
  \alpha: lr
  W: warmup
  T: total_steps
  p: progress
  t: step
verified_against:
  implementation: torch.optim.Adam 2.14.1 with a LambdaLR
  difference: 3e-16 over 100 noisy steps in float64
---

# A run that knows where it ends

A thousand weights start at 1. The loss of each is $\frac{1}{2} h\, \theta^2$, with curvatures $h$ from 0.01
to 1, and its gradient carries Gaussian noise of size 1. Three schedules run for 4000 steps, each with
$W = 100$ and the best $\alpha$ out of eight from 0.005 to 0.06. Mean loss of five seeds, whose standard deviation is
0.0001 to 0.00016:

| schedule | best $\alpha$ | after 2000 steps | after 4000 steps |
|---|---:|---:|---:|
| [constant](adam_warmup.py) | 0.007 | 0.00441 | 0.00266 |
| [like $1 / \sqrt t$](noam.py) | 0.03 | 0.00346 | 0.00225 |
| cosine with $T = 4000$ | 0.02 | 0.00389 | 0.00212 |

$1 / \sqrt t$ does not know when the run ends. It has halved its rate by step 400, and at the end it is
still falling, ever more slowly. The cosine uses what it is told: it stays high while there is a way to go, and
lands at step 4000. Stopped half way, it is behind.

Most of the gain is that the rate falls at all. Beyond that the shape is worth a few percent here: a straight line
to zero comes to 0.00214.

## The update rule

The rule is [Adam's](adam.py). Its learning rate is

$$
\alpha_t = \alpha \min\left(1, \frac{t}{W}\right) \max\left(\frac{1}{10},\; \frac{1 + \cos \pi p_t}{2}\right),
\qquad
p_t = \frac{t - W}{T - W}
$$

with $p_t$ held between 0 and 1; for $T = W$ it is 1 right after the warm-up. During the warm-up the cosine is 1. The tenth is reached where
$\cos \pi p = -0.8$, that is at $p = 0.795$. So the last fifth of the run, and all that comes after $T$, has
the rate $\alpha / 10$.

## Why high first and low at the end

On these weights the noise makes $\sqrt{\hat v_t} \approx 1$, so that Adam is gradient descent with an average
of the gradient. Take it without the average, on one weight. The noise $\xi_t$ has variance $\sigma^2$:

$$\theta_t = (1 - \alpha_t h)\, \theta_{t-1} - \alpha_t\, \xi_t$$

**The way** is covered by the first part. What is left of the start after $t$ steps is
$\prod_i (1 - \alpha_i h) \approx e^{-h \sum_i \alpha_i}$. Only the sum of the rates counts, and weights of small
curvature need a large one.

**The shaking** comes from the second. With a constant rate the variance $V$ settles where one step leaves it as it
is:

$$
V = (1 - \alpha h)^2\, V + \alpha^2 \sigma^2
\quad\Longrightarrow\quad
V = \frac{\alpha\, \sigma^2}{h\, (2 - \alpha h)} \approx \frac{\alpha\, \sigma^2}{2 h},
\qquad
\frac{h}{2} V \approx \frac{\alpha\, \sigma^2}{4}
$$

Each weight that has settled, which takes some $1 / (\alpha h)$ steps, adds $\alpha \sigma^2 / 4$ to the loss,
whatever its curvature. A rate of a tenth makes that a
tenth.

**The landing** takes time. The old shaking has to decay like the start did, by $e^{-h \sum \alpha_i}$, with
rates that are small by then. A drop to zero at the last step would leave it as it is. A rate that is nearly
zero for long is idle, too: the pure cosine, which ends at 0, comes to 0.00229 on the problem above.

So the sum should be large, the end small, and the way down neither too steep nor too long. The cosine is one such
curve: flat at the top, flat at the bottom. That is all there is to it. Its paper uses it between restarts, and
gives no derivation. Theory and later experiments prefer a straight line to zero (Defazio et al., 2023, arXiv
2310.07831; Bergsma et al., 2025, arXiv 2502.15938).

## Conventions

- **Cut or scaled.** Here the cosine is cut off at a tenth, as in labml and in minGPT. GPT-3's "decay
  to 10 %" is mostly written as $0.1 + 0.9 \cdot \frac{1}{2} (1 + \cos \pi p)$, which reaches a tenth at $T$ and
  not before. At $p = 0.8$ one is at 0.10 and the other at 0.19. On the problem above they come to 0.00212 and 0.00210.
- **After the end.** The plain formula goes on: $\cos \pi p$ rises again, and at $p = 2$ the rate is back at
  $\alpha$. So it is in labml's class, in torch's `CosineAnnealingLR` and in Hugging Face's cosine. Here $p$ stops
  at 1.
- **The first rate** is $\alpha / W$, as in [AdamWarmup](adam_warmup.py), without the $10^{-8}$ that labml
  adds.
- **Weight decay** that is decoupled and not absolute follows $\alpha_t$ down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.optimizers.adam_warmup import AdamWarmup, require_steps
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdamWarmupCosineDecay"]

FLOOR = 0.1


class AdamWarmupCosineDecay(AdamWarmup):
    r"""Adam with a linear warm-up and a cosine decay inside.

    - `lr`: the learning rate $\alpha$ at the peak
    - `warmup`: $W$, the steps until the peak
    - `total_steps`: $T$, the step in which the cosine ends, at least `warmup`; with the default of
      $10^{10}$ the rate practically does not fall
    - all others: as in [Adam](optimizers/adam#Adam)

    State: two tensors of the parameter's shape.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        warmup: float = 0,
        total_steps: float = 1e10,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"total_steps": total_steps} | dict(defaults or {})
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            optimized_update,
            warmup,
            defaults=own,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_steps("total_steps", group["total_steps"], minimum=1)
        if group["total_steps"] < group["warmup"]:
            raise ValueError(
                f"total_steps must be at least warmup, {group['warmup']}, "
                f"got {group['total_steps']!r}"
            )

    def get_lr(self, group: Mapping[str, Any], step: int) -> Any:
        r"""Return $\alpha_t$: the rate of the warm-up, times the cosine or a tenth."""
        warmup, total_steps = group["warmup"], group["total_steps"]
        # $p_t$ is 0 during the warm-up, and stays at 1 after $T$.
        progress = min(1.0, max(0, step - warmup) / max(1, total_steps - warmup))
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return super().get_lr(group, step) * max(FLOOR, cosine)


# ## Choosing the numbers
#
# - `total_steps`: the number of calls of `step` in the whole run. If you do not know it, take
#   [Noam](noam.py).
# - `lr`: more than you would use as a constant rate. In the table it is nearly three times as much.
# - `warmup`: as in [AdamWarmup](adam_warmup.py).
# - A [schedule](../schedules/warmup.py) is the better place for such a curve: it serves any
#   optimizer, shows the rate to a logger, and its floor is yours to set.
#
# ## Traps
#
# - **The end is forgotten.** With the default `total_steps` the rate has fallen by $2.5 \cdot 10^{-10}$ of
#   itself after 100 000 steps: this is AdamWarmup.
# - **A run is judged half way.** Its loss is that of a high rate. A run with half the `total_steps` would
#   be better at this point. Chinchilla's authors found that a cosine more than a quarter longer than
#   the run costs clearly (Hoffmann et al., 2022, arXiv 2203.15556).
# - **A run is continued.** After $T$ it goes on at a tenth. Raising `total_steps` in the groups makes the rate jump
#   up; that is a restart, and the loss rises with it.
# - **Epochs or batches instead of steps.** With four batches to a step, a $T$ counted in batches ends the run
#   at $p \approx 1/4$, still at 85 % of the peak.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py) with $W = 200$ and $T$ the length of the run, and no
# other schedule. The search chose $\alpha = 0.003$. 0.01 is as good within 4 %, where Adam without
# warm-up learns nothing; at 0.001 the held-out loss is 22 % higher. The accuracies are 99.44, 99.25 and
# 99.43 %. [Adam](adam.py) on a straight line to zero has 99.39 to 99.44 %, [AdamW](adamw.py) 99.30 to
# 99.40 %: within the spread of these three runs there is no difference. SGD with momentum, 98.83 to
# 99.22 %, is behind.
#
# The curve can be seen in the updates. In units of $\alpha$ they are 3.0 to 3.1 long in step 1, 74 to 85
# in step 192, and 5.4 to 6.0 in the third epoch (medians), more than half of which has the rate
# $\alpha / 10$. They stay there: the last one of seed 0 is 0.0086 long, that of Adam on its line 0.00004.
# Weights are still thrown about when the run ends. Here the throws are short enough: the losses on the
# test images, 0.017 to 0.022, are about Adam's 0.017 to 0.019.
#
# ## Exercises
#
# **1.** From which step on is the rate at its floor, for $W = 1000$ and $T = 10\,000$?
#
# ::: solution
# $1000 + 0.795 \cdot 9000 = 8157$.
#
# ```python
# import torch
# from labml_nn_optim import AdamWarmupCosineDecay
#
# params = [torch.nn.Parameter(torch.zeros(1))]
# optimizer = AdamWarmupCosineDecay(params, lr=1.0, warmup=1000, total_steps=10_000)
# rates = {step: optimizer.get_lr(optimizer.defaults, step) for step in (8156, 8157, 10_000)}
# assert rates[8156] > rates[8157] == rates[10_000] == 0.1
# ```
# :::
#
# **2.** How many steps at full rate is the part from $W$ to $T$ worth, in units of $T - W$? Compare with
# the scaled cosine and a straight line to zero.
#
# ::: solution
# With $q = 0.795$, where $\cos \pi q = -0.8$ and $\sin \pi q = 0.6$:
#
# $$\int_0^q \frac{1 + \cos \pi p}{2}\, dp + \frac{1 - q}{10}
# = \frac{q}{2} + \frac{0.6}{2 \pi} + \frac{1 - q}{10} = 0.398 + 0.095 + 0.020 = 0.514$$
#
# The scaled cosine is worth 0.55, the straight line 0.5. For the sum of the rates these are nearly the same.
# :::
#
# **3.** Check $\frac{h}{2} V \approx \frac{1}{4} \alpha \sigma^2$ for $h = 1$ and $h = 0.1$, with
# $\alpha = 0.05$.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
#
#
# def loss(curvature):
#     torch.manual_seed(0)
#     theta = torch.nn.Parameter(torch.zeros(20_000))
#     optimizer = SGD([theta], lr=0.05)
#     for _ in range(1500):
#         theta.grad = curvature * theta.detach() + torch.randn(20_000)
#         optimizer.step()
#     return (curvature / 2 * theta.detach().square()).mean().item()
#
#
# for curvature in (1.0, 0.1):
#     assert abs(loss(curvature) - 0.05 / 4) < 0.05 * 0.05 / 4
# ```
# :::

r"""
---
title: Schedule-free AdamW
summary: Schedule-free AdamW puts an average of all points in the place of Adam's momentum and of the schedule.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.2"
needs: [schedule_free, optimizers/adamw]
symbols:
  y: param
  g: grad
  v: exp_avg_sq
  u: update
  \beta_1: betas
  \beta_2: beta2
verified_against:
  implementation: pytorch_optimizer.ScheduleFreeAdamW 4.1.0
  difference: 2.5e-13 over 100 noisy steps in float64
---

# Momentum that lasts as long as the run

[Adam](adam.py) averages gradients with $\beta_1 = 0.9$: a tenth of a gradient acts in its own step, and nearly
all the rest in the next twenty. [Schedule-free](../schedule_free.py) AdamW has no such average, but three points. $z$
walks at a constant rate. $x$, the mean of all $z$, is the result. $y = (1 - \beta_1)\, z + \beta_1\, x$ is where
gradients are taken.

The gradient of step $t$ moves $z$ at once and in full, and $y$ by a tenth. The rest comes as $x$ takes up the new $z$.
This part of it has arrived in $y$ after so many steps, the step $t$ itself being the first:

| | 1 | 10 | 20 | 100 | 1000 |
|---|---:|---:|---:|---:|---:|
| Adam's momentum, any $t$ | 0.10 | 0.65 | 0.88 | 1.00 | 1.00 |
| schedule-free, $t = 10$ | 0.19 | 0.57 | 0.72 | 0.93 | 0.99 |
| schedule-free, $t = 100$ | 0.11 | 0.18 | 0.25 | 0.55 | 0.92 |
| schedule-free, $t = 1000$ | 0.10 | 0.11 | 0.12 | 0.18 | 0.55 |

After as many steps as there were before, half of it is there. The momentum gets longer as the run does, and does the
work of a falling rate: late gradients count little, and so does their noise.

[AdamW](adamw.py) on the bowl with the curvatures 1, 0.1 and 0.01, from 3 in each direction, with noise of variance
1 and $\alpha = 0.1$. The loss if you stop after so many steps (1000 runs):

| stop after | constant rate | cosine to step 3000 | cosine to this step | schedule-free |
|---:|---:|---:|---:|---:|
| 100 | 0.14 | 0.14 | 0.23 | 0.22 |
| 300 | 0.08 | 0.08 | 0.076 | 0.067 |
| 1000 | 0.08 | 0.06 | 0.037 | 0.042 |
| 3000 | 0.08 | 0.020 | 0.020 | 0.024 |

The last column is one run, the one before it four. It is within 20 % of them, on either side.

## The update rule

$$
\begin{aligned}
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
u_t &= \alpha_t \left( \frac{g_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\, y_{t-1} \right) \\
y_t &= (1 - c_t)\, y_{t-1} + c_t\, z_{t-1} - \bigl( 1 - \beta_1 (1 - c_t) \bigr)\, u_t \\
z_t &= z_{t-1} - u_t
\end{aligned}
$$

$g_t$ is the gradient at $y_{t-1}$, which the parameters hold. $c_t = w_t / \sum_{i \le t} w_i$ with
$w_t = \max_{i \le t} \alpha_i^2$ is the weight of the newest $z$ in $x$. It is $1 / t$ for a constant rate, and the
points of a warm-up count less. For $x$ call `eval()`. [Schedule-free learning](../schedule_free.py) derives $c_t$ and
the line for $y_t$.

## How long a step is

**A gradient that stays the same.** $u_t$ is $\alpha$ long, so $z_t = \theta_0 - \alpha t$. $x_t$ is the mean of
these, $\theta_0 - \alpha (t + 1) / 2$: the average moves half as fast. $y$ moves by $\alpha$ in the first step,
where $c_1 = 1$, and by $(0.1 + 0.9 / 2)\, \alpha = 0.55\, \alpha$ later. Adam moves by $\alpha$. That is one reason
for an $\alpha$ twice as large.

**Noise.** In step 1000 the root of the mean square of $y$'s step is $0.10\, \alpha$, Adam's $0.23\, \alpha$. From
1000 steps of pure noise $y$ is $19\, \alpha$ away from its start and Adam $32\, \alpha$.

**The first step** moves all three points by $\alpha$ in every coordinate that has a gradient. Momentum does not
soften it here, nor does it in Adam. Use `warmup`.

## Where the decay acts

A number is decoupled: $\lambda y$ is not divided by $\sqrt{\hat v}$, and is times $\alpha_t$. But it is a part of
$u_t$, so it moves $z$ in full and $y$ by a tenth. The average delays it like everything else. Here is a weight of 1
that has no gradient, with $\alpha = 0.01$ and $\lambda = 0.1$:

| step | 300 | 1000 | 3000 | 7000 | 15 000 |
|---|---:|---:|---:|---:|---:|
| AdamW | 0.74 | 0.37 | 0.05 | 0.00 | 0.00 |
| schedule-free AdamW, $x$ | 0.86 | 0.58 | 0.12 | $-0.09$ | 0.01 |

The decay is slower at first, by a factor of about two, and then goes too far: $z$ is pulled by $y$, not by itself,
and is past zero before $x$ arrives there.

Other [kinds of decay](../weight_decay.py) are asked what they would take from $y$, and that joins $u_t$. Those that
act after the update cannot be asked before, and are refused. Decay in the gradient is in $v_t$, as in Adam.

## Conventions

- **Two rules of the authors.** Their package has `AdamWScheduleFree`, which is this rule, and
  `AdamWScheduleFreePaper`, the one of their experiments. There $\alpha$ is multiplied by $\sqrt{1 - \beta_2^t}$ and
  $\varepsilon$ added to the uncorrected root. For $g_t$ that is the same but for $\varepsilon$. It is not for the
  decay, nor for $c_t$, in which that factor acts like a warm-up of a thousand steps.
- **Modes.** An optimizer starts in train mode here and in pytorch_optimizer. The authors' starts in eval mode and
  wants `train()` first. Their `warmup_steps` is `warmup` here.
- **The gradient** is left as it was. The authors' program and pytorch_optimizer divide `.grad` in place. Whoever logs
  its norm after the step logs something else.
- **Counts.** $t$, $\sum w$ and the largest rate are kept for each parameter, there for each group. A layer that is
  unfrozen late begins with $c_1 = 1$ here. Checkpoints cannot be exchanged.
- pytorch_optimizer adds $10^{-15}$ inside the root.

## What others have found

- AlgoPerf (Kasimbeg et al. 2025, arXiv 2502.15015) measured the time until eight tasks are solved, by 18
  submissions. One that is built on this rule won the contest without tuning. In the contest with tuning it came
  second, after Distributed Shampoo.
- For language models it is less clear. Apte et al. (2026, arXiv 2605.23061) write that it stays behind well-tuned
  AdamW; they propose a rival, tried with 125 and 772 million parameters. The inventor (Defazio 2026, arXiv
  2605.19095) writes that strong results had been shown at small scales only. With momentum inside, another step size
  and a $\beta_1$ that rises, he reports better losses than a rate that falls at the end gives.
- Song et al. (2025, arXiv 2507.09846) see the weak point in $\beta_1$, which sets the momentum and the length of
  the average in one, and separate the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.schedule_free import ScheduleFree, join_decay, move
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFreeAdamW"]


class ScheduleFreeAdamW(ScheduleFree):
    r"""Adam's step without momentum, and the average of all points in its place.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ after the warm-up, a number or a tensor of one element
    - `betas`: $\beta_1$ in $(0, 1)$, how much of the average is in $y$, and the decay rate $\beta_2$ in $[0, 1)$
    - `eps`: $\varepsilon$, added to the corrected $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay) that acts before the update
    - `warmup`: the number of steps until `lr` is reached
    - `r`, `weight_lr_power`: how much later points, and those of larger rates, count
      ([ScheduleFree](../schedule_free.py#ScheduleFree))
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but not `cautious`

    Call [eval](../schedule_free.py#ScheduleFree.eval) before you evaluate and
    [train](../schedule_free.py#ScheduleFree.train) before you go on.

    State: two tensors of the parameter's shape, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Defazio et al. (2024), algorithm 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        warmup: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(
            params,
            defaults,
            lr,
            betas,
            eps,
            weight_decay,
            warmup=warmup,
            r=r,
            weight_lr_power=weight_lr_power,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        r"""Check that $x$ can be recovered, which $\beta_1 = 0$ does not allow."""
        super().check_group(group)
        require_number("betas[0]", group["betas"][0], above=0.0, below=1.0)

    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta_1$."""
        return float(group["betas"][0])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the second moment at zero and $z$ at the parameter."""
        super().init_state(state, group, param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Add what [Adam](adam.py#Adam.scalars) makes of the correction of $v$."""
        shared = super().scalars(group, step)
        root = math.sqrt(1 - group["betas"][1] ** step)
        return shared | {"step_size": shared["lr"] * root, "eps_hat": group["eps"] * root}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg_sq, beta2 = state["exp_avg_sq"], group["betas"][1]
        # Decay in the gradient comes first, for the second moment sees it.
        if not group["decoupled_weight_decay"]:
            grad = self.weight_decay(param, grad, group)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $u_t = \alpha_t\, g_t / (\sqrt{\hat v_t} + \varepsilon)$
        update = grad.div(exp_avg_sq.sqrt().add_(group["eps_hat"])).mul_(group["step_size"])
        update, rate = join_decay(self.weight_decay, param, grad, update, 1.0, group)
        move(param, state["z"], update, rate, group)


# ## Choosing, and when not to
#
# - `lr`: try AdamW's, twice and five times of it. The authors say one to ten times; their default is 0.0025.
# - `betas`: $(0.9, 0.999)$; $\beta_1 = 0.95$ or $0.98$ for very long runs. More depends on $\beta_1$ than in AdamW.
# - `weight_decay`: tune it anew. At the same $\lambda$ it acts later than in AdamW.
# - `warmup`: some hundred steps.
#
# It needs no $T$, and that is what it is for. If you know $T$ and have tuned AdamW with a cosine or a linear decay,
# expect about the same; on CIFAR-10 below it is ahead by 1.5 points, a part of which may be its warm-up's.
#
# ## Traps
#
# - **The loss in training is that of $y$.** Call `eval()` for the one that counts, and `train()` afterwards.
# - **BatchNorm** has the statistics of $y$, **a falling schedule on top** makes the end worse, and **weights in
#   bfloat16** lose what is rounded away in $y$: see the [traps of all schedule-free rules](../schedule_free.py#traps).
# - **It cannot resume from AdamW's state**, which has no $z$, and says so.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), without a schedule and with 200 steps of warm-up. The search, over one
# epoch, chose $\alpha = 0.01$, three times [AdamW](adamw.py)'s. The held-out loss is 3 % higher at 0.003, next to the
# default of 0.0025, and 82 % at 0.03, where AdamW learns nothing at 0.01 already.
#
# Look at the three epochs, in per cent for the seeds 0, 1 and 2:
#
# | after epoch | 1 | 2 | 3 |
# |---|---:|---:|---:|
# | schedule-free | 99.03, 99.03, 99.04 | 99.23, 99.17, 99.21 | 99.35, 99.20, 99.24 |
# | AdamW, line to 0 | 98.79, 98.98, 98.65 | 99.24, 99.29, 99.14 | 99.36, 99.40, 99.30 |
#
# After the first epoch the average is ahead of all runs of AdamW, whose rate is still at two thirds of its height.
# That is what the method promises: a good network at any time. At the end, for which AdamW's line was drawn, it is
# behind with each seed, with seed 0 by one image. Its losses on the test images, 0.023 to 0.031, are all higher than
# AdamW's 0.018 to 0.020.
#
# The rate was chosen for one epoch and stays at 0.01 in the third. The updates of $y$ are longest near the end, up to
# 0.75 to 0.90 in the steps 2528 to 2768. A smaller rate may suit a longer run; we did not search for it.
#
# [On CIFAR-10](../../experiments/cifar.py), where three epochs are too few to fit the images, it is ahead at the end,
# too. The search (one epoch, one seed), with 100 steps of warm-up, chose 0.03, ten times AdamW's rate. The test
# accuracies in per cent, ranges of three seeds:
#
# | after epoch | 1 | 2 | 3 |
# |---|---:|---:|---:|
# | schedule-free | 73.2 to 74.5 | 78.7 to 78.9 | 81.0 to 81.8 |
# | AdamW, line to 0 | 65.0 to 66.4 | 74.4 to 76.1 | 79.3 to 80.3 |
#
# Part of the lead may be the warm-up's, which AdamW does not have: [Adam](adam_warmup.py) with one of 100 steps ends
# at 80.1 to 80.7 %.
#
# ## Exercises
#
# **1.** How far do $x$ and $y$ move in the first steps for a constant gradient?
#
# ::: solution
# $x_t$ is the mean of $1, \dots, t$ times $\alpha$: 1, 1.5, 2. And $y_t = 0.1\, z_t + 0.9\, x_t$: 1, 1.55, 2.1.
#
# ```python
# import torch
# from labml_nn_optim import ScheduleFreeAdamW
#
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# optimizer = ScheduleFreeAdamW([theta], lr=1.0)
# for x, y in ((1.0, 1.0), (1.5, 1.55), (2.0, 2.1)):
#     theta.grad = torch.ones_like(theta)
#     optimizer.step()
#     assert abs(theta.item() + y) < 1e-6
#     optimizer.eval()
#     assert abs(theta.item() + x) < 1e-6
#     optimizer.train()
# ```
# :::
#
# **2.** After how many more steps have three quarters of the gradient of step $t$ arrived in $y$, for large $t$?
#
# ::: solution
# Of the $t + k$ points in $x$ the last $k$ have it, so the part is $0.1 + 0.9\, k / (t + k)$. It is 0.75 for
# $k / (t + k) = 0.722$, and $k = 2.6\, t$.
# :::
#
# **3.** Let a weight without gradient decay with $\alpha \lambda = 0.01$. In which step does $x$ cross zero? Compare
# with AdamW.
#
# ::: solution
# In step 410. AdamW's weight is 0.016 there, and never crosses.
#
# ```python
# import torch
# from labml_nn_optim import AdamW, ScheduleFreeAdamW
#
#
# def crossing(kind):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = kind([theta], lr=0.1, weight_decay=0.1)
#     for step in range(1, 601):
#         theta.grad = torch.zeros_like(theta)
#         optimizer.step()
#         if kind is ScheduleFreeAdamW:
#             optimizer.eval()
#         value = theta.item()
#         if kind is ScheduleFreeAdamW:
#             optimizer.train()
#         if value < 0:
#             return step
#     return None
#
#
# assert crossing(ScheduleFreeAdamW) == 410
# assert crossing(AdamW) is None
# ```
# :::

r"""
---
title: Schedule-free SGD
summary: Schedule-free SGD takes plain steps, and its gradients near the average of all points they have reached.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.3"
needs: [schedule_free, optimizers/sgd]
symbols:
  y: param
  g: grad
  u: update
  \beta: momentum
  \alpha: lr
verified_against:
  implementation: pytorch_optimizer.ScheduleFreeSGD 4.1.0
  difference: 1e-15 over 100 noisy steps in float64
---

# Ten times the rate

Take one direction of a bowl, with the curvature $h = 1$, and start at 10. There is no noise. Gradient descent
diverges for $\alpha > 2$, and the [heavy ball](sgd.py) with $\mu = 0.9$ for $\alpha > 3.8$.
[Schedule-free](../schedule_free.py) SGD with $\beta = 0.9$ does so for $\alpha > 20$. It has three points: $z$ walks
at the constant rate $\alpha$, $x$ is the mean of all $z$ and the result, and the gradients are taken at
$y = (1 - \beta)\, z + \beta\, x$. For each $\alpha$ in this table $x$ is within $10^{-9}$ of the minimum after 1000
steps. But look at the way there. How far away is $y$ at its worst?

| $\alpha$ | no warm-up | warm-up of 10 steps | 30 steps | 100 steps |
|---:|---:|---:|---:|---:|
| 5 | 70 | 10 | 10 | 10 |
| 10 | 2270 | 10 | 10 | 10 |
| 15 | 854 000 | 971 000 | 10 | 10 |
| 19 | $10^{12}$ | $10^{13}$ | 542 | 10 |

A network would not survive the first column. In the first steps $x$, $y$ and $z$ are nearly one point, and the rule
is gradient descent, whose limit is 2. The large limit holds when $x$ has become heavy. A warm-up bridges that time,
and since its points count little in the average, it costs little: on the bowl of
[Schedule-free learning](../schedule_free.py) with $\alpha = 1$, 30 steps of it raise the loss after 100 steps by 4 %.

## The update rule

$$
\begin{aligned}
u_t &= \alpha_t\, (g_t + \lambda\, y_{t-1}) \\
y_t &= (1 - c_t)\, y_{t-1} + c_t\, z_{t-1} - \bigl( 1 - \beta (1 - c_t) \bigr)\, u_t \\
z_t &= z_{t-1} - u_t
\end{aligned}
$$

$g_t$ is the gradient at $y_{t-1}$, which the parameters hold. $c_t = w_t / \sum_{i \le t} w_i$ with
$w_t = \max_{i \le t} \alpha_i^2$ is the weight of the newest $z$ in $x$. It is $1 / t$ for a constant rate, and the
points of a warm-up, in which $\alpha_t = \alpha\, t / W$, count less. For $x$ call `eval()`.
[Schedule-free learning](../schedule_free.py) derives all of it.

## Where the limit is

Late in a run $c_t$ is small, and $x$ hardly moves in a step. Let it rest at the minimum. Then
$y = (1 - \beta)\, z$, and

$$
z_t = z_{t-1} - \alpha h\, y_{t-1} = \bigl( 1 - \alpha h\, (1 - \beta) \bigr)\, z_{t-1}
\quad\Rightarrow\quad \alpha h < \frac{2}{1 - \beta}
$$

Without a warm-up $\alpha h = 19.9$ comes back from an excursion to $10^{21}$, and 20.1 does not.

The rate that acts on $y$ at once is $\alpha (1 - \beta)$, a tenth. The heavy ball counts the other way round: there
$\alpha$ acts at once, and $\alpha / (1 - \mu)$ in the long run. So compare this $\alpha$ with $\alpha / (1 - \mu)$.
The usual 0.1 with $\mu = 0.9$ corresponds to 1, the default here.

What is left of the start, if there is no noise? $z$ settles where its gradient, that of $y$, is zero:
$z = -\frac{\beta}{1 - \beta}\, x = -9\, x$. Then $x_t - x_{t-1} = (z - x) / t = -10\, x / t$, so

$$x_t \propto t^{-1 / (1 - \beta)} = t^{-10}$$

From step 1000 to 3000 that is a factor of $1.7 \cdot 10^{-5}$; with $\alpha h = 10$ it is $1.6 \cdot 10^{-5}$. The
plain mean of all points, $\beta = 0$, falls like $1 / t$: by 3.

That needs $\alpha h (1 - \beta)\, t$ to be large. In flat directions it is not, and there $y \approx x$ for a long
time.

## Conventions

- The authors' package and pytorch_optimizer have this rule. Both add the decay to `.grad` in place.
- **`momentum`** is their name for $\beta$. It is no velocity, and 0 is not allowed: $x$ could not be recovered.
- **Decay.** Decoupled and in the gradient are the same, since $u_t$ is linear in $g_t$.
- The authors' optimizers start in eval mode and want `train()` first. Here an optimizer starts in train mode.

## What others have found

The authors advise ten to fifty times the rate of SGD, and a warm-up. The comparisons by others, in
[schedule-free AdamW](schedule_free_adamw.py), are about that rule. We know of none of this one with tuned SGD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.schedule_free import ScheduleFree, join_decay, move
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFreeSGD"]


class ScheduleFreeSGD(ScheduleFree):
    r"""Plain steps at a constant rate, and the average of all points in the place of momentum.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ after the warm-up, a number or a tensor of one element
    - `momentum`: $\beta$ in $(0, 1)$, how much of the average is in $y$
    - `weight_decay`: a number, decoupled and times `lr`, which here is the same as in the gradient, or a
      [WeightDecay](../weight_decay.py#WeightDecay) that acts before the update
    - `warmup`: the number of steps until `lr` is reached
    - `r`, `weight_lr_power`: how much later points, and those of larger rates, count
      ([ScheduleFree](../schedule_free.py#ScheduleFree))
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but not `cautious`

    Call [eval](../schedule_free.py#ScheduleFree.eval) before you evaluate and
    [train](../schedule_free.py#ScheduleFree.train) before you go on.

    State: one tensor of the parameter's shape, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Defazio et al. (2024).
    """

    beta_count = 0
    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
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
            {"momentum": momentum} | dict(defaults or {}),
            lr,
            weight_decay=weight_decay,
            warmup=warmup,
            r=r,
            weight_lr_power=weight_lr_power,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        r"""Check that $x$ can be recovered, which $\beta = 0$ does not allow."""
        super().check_group(group)
        require_number("momentum", group["momentum"], above=0.0, below=1.0)

    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta$."""
        return float(group["momentum"])

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        if not group["decoupled_weight_decay"]:
            grad = self.weight_decay(param, grad, group)
        # $u_t = \alpha_t\, g_t$
        update, rate = join_decay(self.weight_decay, param, grad, grad, group["lr"], group)
        move(param, state["z"], update, rate, group)


# ## Choosing, and when not to
#
# - `lr`: $\alpha / (1 - \mu)$ of a heavy ball that works, and three and ten times of it.
# - `momentum`: 0.9; see [Schedule-free learning](../schedule_free.py).
# - `warmup`: always, at least some tens of steps; the larger `lr`, the more.
#
# It has one tensor of state, as the heavy ball. Take it where that trains your network, and the end is open. Where
# one rate cannot suit all parameters, take [schedule-free AdamW](schedule_free_adamw.py).
#
# ## Traps
#
# - **No warm-up.** The table at the top. It may look like a bad seed: the loss jumps in the first ten steps and
#   recovers, or does not.
# - **Copied rates.** The 0.1 of a recipe for SGD with momentum is a tenth of what is meant.
# - **A layer that is unfrozen late** counts its own steps. It starts with $x = y = z$, and has a warm-up of its own.
# - **BatchNorm, modes, half precision:** as in [Schedule-free learning](../schedule_free.py).
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), without a schedule and with 200 steps of warm-up. The search chose
# $\alpha = 1$, the default, ten times the rate of [SGD with momentum](sgd.py). The held-out loss is 28 %
# higher at 0.3 and 131 % at 3. At 1 it is 0.0350, SGD's at the best of eight rates 0.0453.
#
# In per cent for the seeds 0, 1 and 2:
#
# | after epoch | 1 | 2 | 3 |
# |---|---:|---:|---:|
# | schedule-free | 99.13, 99.20, 99.08 | 99.20, 99.31, 99.28 | 99.31, 99.43, 99.36 |
# | SGD with momentum, line to 0 | 98.21, 97.37, 97.92 | 98.71, 98.34, 98.97 | 99.09, 98.83, 99.22 |
#
# It is ahead after every epoch and with every seed. After the first no other optimizer of this course is as good, and
# there is no schedule to be told when to end. At the end AdamW, with 99.30 to 99.40 %, cannot be told from it.
#
# Not all of it is the average. SGD's 0.1 is the last rate before a cliff and cost one seed its start; at ten times
# that rate schedule-free SGD does not fall, with 200 steps to warm up in. What SGD with a warm-up would do was not run.
#
# [On CIFAR-10](../../experiments/cifar.py), with 100 steps of warm-up, the search (one epoch, one seed) chose 0.3; at
# 1, the default, the held-out loss is 1 % higher. The accuracies of three seeds are 78.3, 78.8 and 79.1 %, those of
# SGD with momentum 75.1 to 75.8 %: ahead by three points. How many of them are the warm-up's, which SGD does not have,
# was not tried. There AdamW, with 79.3 to 80.3 %, is ahead of both.
#
# ## Exercises
#
# **1.** Show that with a tiny $\beta$ the rule is SGD with the mean of its points.
#
# ::: solution
# $y \to z$ and $z_t = z_{t-1} - \alpha g(z_{t-1})$.
#
# ```python
# import torch
# from labml_nn_optim import SGD, ScheduleFreeSGD
#
# noise = torch.randn(100, dtype=torch.float64)
# plain = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# free = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# walk = SGD([plain], lr=0.3)
# average = ScheduleFreeSGD([free], lr=0.3, momentum=1e-6)
# points = []
# for xi in noise:
#     for theta, optimizer in ((plain, walk), (free, average)):
#         theta.grad = theta.detach() + xi
#         optimizer.step()
#     points.append(plain.item())
# average.eval()
# assert abs(free.item() - sum(points) / 100) < 1e-5
# ```
# :::
#
# **2.** Find the limit $2 / (1 - \beta)$ by experiment for $\beta = 0.8$.
#
# ::: solution
# It is 10.
#
# ```python
# import torch
# from labml_nn_optim import ScheduleFreeSGD
#
#
# def end(alpha):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = ScheduleFreeSGD([theta], lr=alpha, momentum=0.8, warmup=200)
#     for _ in range(1500):
#         theta.grad = theta.detach().clone()
#         optimizer.step()
#     return abs(theta.item())
#
#
# assert end(9.8) < 1e-6
# assert end(10.2) > 1e3
# ```
# :::
#
# **3.** In the first step all three points are the same. Where are they after two steps, with $\alpha h = 10$ and
# no warm-up?
#
# ::: solution
# From 10, $z_1 = x_1 = y_1 = 10 - 100 = -90$. The gradient there is $-90$, so $z_2 = -90 + 900 = 810$,
# $x_2 = (-90 + 810) / 2 = 360$ and $y_2 = 0.1 \cdot 810 + 0.9 \cdot 360 = 405$. Gradient descent would be at 810.
# :::

r"""
---
title: Schedule-free learning
summary: Schedule-free optimizers average what a constant learning rate finds, so that a run can end at any step.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.1"
needs: [base, optimizers/sgd, optimizers/adam_warmup]
symbols:
  y: param
  z: z
  u: update
  c: share
  \beta: beta
  \alpha: lr
  r: r
---

# A run that can end at any step

The bowl $\frac12 \sum_i h_i \theta_i^2$ has the curvatures 1, 0.1 and 0.01. [SGD](optimizers/sgd.py) starts at 10
in each direction, with noise of variance 1 on each gradient and $\alpha = 0.3$. How large is the loss if you stop
after so many steps? (Means of 8000 runs.)

| stop after | constant rate | cosine to step 3000 | cosine to this step | mean of all points | schedule-free |
|---:|---:|---:|---:|---:|---:|
| 100 | 0.48 | 0.48 | 0.67 | 0.92 | 0.52 |
| 300 | 0.31 | 0.31 | 0.26 | 0.32 | 0.29 |
| 1000 | 0.24 | 0.18 | 0.078 | 0.086 | 0.076 |
| 3000 | 0.24 | 0.032 | 0.032 | 0.022 | 0.049 |

The constant rate stops getting better: its steps keep up the noise. A cosine ends well in the step that it was made
for, and a third of the way there it has done little about the noise. The column *cosine to this step* is four runs.
If you want to know what 1000 steps give, what 3000 give, and perhaps to go on, you train again each time.

The two columns on the right are one run each. An average removes noise as a falling rate does, and it has a value
in every step. The mean of all points remembers the start, so it comes late. The schedule-free average is about as
good as the first three cosines, and has one and a half times the loss of the last. It did not have to know the end.

## Three points

$$
\begin{aligned}
y_{t-1} &= (1 - \beta)\, z_{t-1} + \beta\, x_{t-1} \\
z_t &= z_{t-1} - u_t, \qquad u_t = \alpha\, \nabla f(y_{t-1}) \\
x_t &= (1 - c_t)\, x_{t-1} + c_t\, z_t, \qquad c_t = \frac{w_t}{w_1 + \dots + w_t}
\end{aligned}
$$

- $z$ walks. It takes the steps of the underlying rule, at a constant rate, and is the noisiest point.
- $x$ is the average of all $z$. It is the result: evaluate it, and put it to use.
- $y$ lies between, with $\beta = 0.9$ near $x$. The gradient is taken here: the parameters are $y$ while you train.

All three start at $\theta_0$. [Schedule-free SGD](optimizers/schedule_free_sgd.py) is written above.
[Schedule-free AdamW](optimizers/schedule_free_adamw.py) divides the gradient by $\sqrt{\hat v}$ in $u_t$.

**Where $c_t$ comes from.** Let $x_t$ be the mean of $z_1, \dots, z_t$ with weights $w_i$, and $S_t$ the sum of these.
Then $S_t\, x_t = S_{t-1}\, x_{t-1} + w_t z_t$, and dividing by $S_t$ gives the third line. Equal weights make
$c_t = 1 / t$.

## An average is the end of a linear decay

Put the steps of $z$ into the mean of $T$ points. The gradient of step $i$ is in all points from $z_i$ on:

$$
x_T = \frac1T \sum_{t=1}^T z_t = \theta_0 - \alpha \sum_{i=1}^T \left( 1 - \frac{i - 1}{T} \right) g_i
$$

This is where SGD ends if its rate falls in a straight line from $\alpha$ to 0 in $T$ steps, and it holds for
each $T$ at once. An average is a schedule that is applied afterwards.

But the sum is about given gradients. A run whose rate really falls takes late gradients at a point that has come to
rest. The mean above takes them at $z$, which never rests. So it matters where the gradients are taken.

## Why the gradient is taken in between

With $\beta = 0$ the gradients are taken at the points that are averaged. That is the average of Polyak and Ruppert,
which [Averages of the weights](../docs_src/averaging.md) derives. With $\beta = 1$ they are taken at the average
itself, which is called primal averaging. The last two rows are about a loss that is no bowl,
$e^\theta - \theta$, with the minimum at 0 and the same noise and rate:

| | $\beta = 0$ | $\beta = 0.9$ | $\beta = 1$ |
|---|---:|---:|---:|
| bowl, loss after 100 steps | 0.92 | 0.52 | 0.55 |
| bowl, loss after 3000 steps | 0.022 | 0.049 | 0.15 |
| $e^\theta - \theta$, mean of $x$ after 3000 steps | $-0.09$ | $-0.01$ | $-0.05$ |
| the same, loss above the minimum | 0.004 | 0.001 | 0.05 |

With $\beta = 0$ the walk is wide. Where the loss is steeper on one side, its middle is not the minimum, and no
average repairs that: after 100 steps it is there already. In a bowl that cannot happen, and there
$\beta = 0$ wins in the end.

With $\beta = 1$ nothing holds $z$. It walks off with all the noise, to a loss of about 50 in the bowl after 3000
steps, and drags $x$ to and fro.

In between $y$ is quiet and $z$ is held. Let $x$ stand still at the minimum, and $h$ be the curvature. Then
$z_t = (1 - \alpha h (1 - \beta))\, z_{t-1}$ plus noise: $z$ feels a tenth of the curvature. If $\alpha h$ is small,
the variance of $z$ is ten times that of SGD with this rate, and that of $y = (1 - \beta)\, z$ a tenth of SGD's.

The paper's theorem does not choose between them. For convex losses with bounded gradients and the right constant rate,
the expected loss of $x_T$ comes down to the minimum like $1 / \sqrt T$ for every $\beta$ from 0 to 1. That rate is in
proportion to $1 / \sqrt T$, so the theorem knows the end.

**How long the average remembers.** From the first line, $z_{t-1} - x_{t-1} = (y_{t-1} - x_{t-1}) / (1 - \beta)$.
Put that into the third:

$$
x_t = x_{t-1} + \frac{c_t}{1 - \beta}\, (y_{t-1} - x_{t-1}) - c_t\, u_t
$$

Up to a small step, $x$ is an average of the $y$, too. For $\beta = 0.9$ and $c_t = 1 / t$ it takes a share of
$10 / t$ of the newest one. That gives $y_i$ a weight in proportion to $i^9$, and the last tenth of the run
$1 - 0.9^{10} = 65\,\%$ of all weight. So the start is forgotten, and $1 - \beta$ can be read as the part of the run
that the average looks back on.

An exponential moving average (EMA) of the points of SGD looks back on a fixed number of steps, and is right for one
length of run: on the walk of the first column, with a decay of 0.99, it has 8.8, 0.36, 0.081 and 0.079. Here the
look-back grows with the run.

## Two points are stored

$x$ can be computed from $y$ and $z$, so it need not be kept. How does $y$ move? Put all into $y_t$:

$$
\begin{aligned}
y_t &= (1 - \beta)\, z_t + \beta\, \bigl( (1 - c_t)\, x_{t-1} + c_t z_t \bigr) \\
&= (1 - \beta + \beta c_t)(z_{t-1} - u_t) + (1 - c_t) \bigl( y_{t-1} - (1 - \beta)\, z_{t-1} \bigr) \\
&= (1 - c_t)\, y_{t-1} + c_t\, z_{t-1} - \bigl( 1 - \beta\, (1 - c_t) \bigr)\, u_t
\end{aligned}
$$

The second line has $\beta x_{t-1} = y_{t-1} - (1 - \beta)\, z_{t-1}$. The parameters hold $y$, the state holds $z$,
and two lines of code are the whole step. For an evaluation the parameters are exchanged in place:

$$
x = y + \left( 1 - \tfrac1\beta \right) (z - y), \qquad y = x + (1 - \beta)(z - x)
$$

so $\beta = 0$ is not allowed. The underlying rule has no momentum of its own, and $z$ takes its place in memory: one
tensor for SGD, two for AdamW, as before.

## The weights, and the warm-up

$$
w_t = t^r \cdot \bigl( \max_{i \le t} \alpha_i \bigr)^2, \qquad
\alpha_t = \alpha \min\left( 1, \frac{t}{W} \right)
$$

Points of a warm-up are early and have hardly moved. With $W = 100$ they would be 33 % of an equal average of 300
points. With the square of the rate they are 14 %. The power 2 is the authors' choice, `weight_lr_power` changes
it. The maximum means that a rate that falls later does not make points count less.

$r > 0$ makes late points count more, as if the rate fell like $1 - (i / T)^{r + 1}$. In the first table $r = 1$ has
0.45, 0.24, 0.093 and 0.064: sooner there, and noisier in the end.

A warm-up is still needed. [Schedule-free SGD](optimizers/schedule_free_sgd.py) shows what happens without one.

## Train and evaluate

```python
for epoch in range(epochs):
    model.train()
    optimizer.train()
    ...                     # steps
    optimizer.eval()
    update_bn(batches, model)   # only for a model with BatchNorm
    model.eval()
    ...                     # evaluate, save what is to be used
```

[train](#ScheduleFree.train) and [eval](#ScheduleFree.eval) may be called as often as you like. An optimizer starts in
train mode. A step in eval mode would take a gradient at $x$ for one at $y$, and is refused.

**BatchNorm.** Its running means and variances are those of the activations at $y$. At $x$ they are others. A
network of ten hidden layers of 32 units, each with BatchNorm, learns scikit-learn's digits for 400 steps with batches
of 64 and a warm-up of 20 steps. Its training loss afterwards, the mean of three seeds:

| | $y$ | $x$ with the statistics of $y$ | $x$ with its own |
|---|---:|---:|---:|
| schedule-free SGD, $\alpha = 5$ | 0.021 | 0.043 | 0.021 |
| schedule-free AdamW, $\alpha = 0.05$ | 0.014 | 0.022 | 0.012 |

With the wrong statistics the average seems to be worse than the point that it was made from. The training loss was
chosen after both losses were seen: it shows this in all 6 runs, the test loss in only 3 of the 6.
`torch.optim.swa_utils.update_bn` computes them anew, in one pass over some batches without gradients (exercise 2).

**Checkpoints.** The mode is an entry of each group, `train_mode`. It is saved, and belongs to the parameters that are
saved with it. So a checkpoint of either mode goes on with the same numbers: load model and optimizer in any
order, and call `train()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.optimizers.adam_warmup import require_steps
from labml_nn_optim.pieces import Member
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFree", "join_decay", "move"]


class ScheduleFree(GenericAdaptiveOptimizer):
    r"""What the schedule-free optimizers share: the weights of the average, and the two modes.

    - `warmup`: $W$, the number of steps in which the rate rises in a straight line
    - `r`: how much later points count more, by the factor $t^r$
    - `weight_lr_power`: by which power of the largest rate so far a point counts
    - all others: as in [GenericAdaptiveOptimizer](base.py#GenericAdaptiveOptimizer.__init__)

    Raises `ValueError` for `cautious=True`, and for a decay that acts after the update.
    """

    scalar_state: ClassVar[tuple[str, ...]] = ("weight_sum", "lr_max")

    def __init__(
        self,
        params: ParamsT,
        defaults: Mapping[str, Any] | None = None,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, ...] | None = None,
        eps: float | None = None,
        weight_decay: WeightDecay | float = 0.0,
        *,
        warmup: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"warmup": warmup, "r": r, "weight_lr_power": weight_lr_power, "train_mode": True}
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    # ## What is refused
    def _check_options(self, options: RunOptions, hyper_parameters: Mapping[str, Any]) -> None:
        super()._check_options(options, hyper_parameters)
        # The mask would act on the move of $y$ and leave $z$ as it is.
        if self.cautious:
            raise ValueError(f"cautious must be False for {type(self).__name__}, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what schedule-free optimizers have."""
        super().check_group(group)
        require_steps("warmup", group["warmup"])
        require_number("r", group["r"])
        require_number("weight_lr_power", group["weight_lr_power"])
        require_flag("train_mode", group["train_mode"])

    def _check_decay(self, group: Mapping[str, Any]) -> None:
        super()._check_decay(group)
        # What comes after the update would move $y$ alone.
        kind = self._kind_of(group)
        if kind.after_step and group["decoupled_weight_decay"]:
            raise ValueError(
                f"weight_decay must be a kind that acts before the update for {type(self).__name__}, "
                f"got {kind.__name__}"
            )

    # ## The weights of the average
    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta$, how much of $x$ there is in $y$."""
        raise NotImplementedError(f"{type(self).__name__} has no interpolation")

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Let $z$ start where the parameter is, and so where $x$ and $y$ are."""
        state["weight_sum"] = torch.zeros((), dtype=torch.float64)
        state["lr_max"] = torch.zeros((), dtype=torch.float64)
        state["z"] = param.clone()

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute $\alpha_t$, $c_t$ and the factor by which $y$ follows the update."""
        lr, warmup = float(group["lr"]), float(group["warmup"])
        if step < warmup:
            lr *= step / warmup
        lr_max = max(lr, group["lr_max"])
        # $w_t = t^r \max_{i \le t} \alpha_i^2$ and $c_t = w_t / \sum_{i \le t} w_i$. Where no step has had a
        # rate, nothing is averaged.
        weight = step ** float(group["r"]) * lr_max ** float(group["weight_lr_power"])
        weight_sum = group["weight_sum"] + weight
        share = weight / weight_sum if weight_sum > 0 else 0.0
        return {
            "lr": lr,
            "lr_max": lr_max,
            "weight_sum": weight_sum,
            "share": share,
            "follow": self.interpolation(group) * (1 - share) - 1,
        }

    # ## Two modes
    @torch.no_grad()
    def train(self) -> None:
        """Let the parameters be $y$, where gradients are taken; nothing happens if they are."""
        self._switch(True)

    @torch.no_grad()
    def eval(self) -> None:
        """Let the parameters be $x$, which is to be evaluated; nothing happens if they are."""
        self._switch(False)

    def _switch(self, train_mode: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] == train_mode:
                continue
            beta = self.interpolation(group)
            # $y = x + (1 - \beta)(z - x)$, and so $x = y + (1 - 1 / \beta)(z - y)$
            weight = 1 - beta if train_mode else 1 - 1 / beta
            for param in group["params"]:
                # Without state $x = y = z$.
                state = self.state.get(param, {})
                if "z" in state:
                    member = Member(param, state, ("step", *self.scalar_state))
                    home, z = member.home, member.tensors["z"]
                    moved = home.to(z.dtype).lerp_(z, weight)
                    if moved is not home:
                        home.copy_(moved)
            group["train_mode"] = train_mode

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        """Refuse to step from $x$.

        Raises `RuntimeError` in eval mode; no parameter has moved then.
        """
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(
                f"{type(self).__name__} must be in train mode for a step, got eval mode; call train()"
            )
        super().prepare(work)

    # ## Groups and checkpoints
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; the mode is that of the groups that are there."""
        super().add_param_group(param_group)
        self.param_groups[-1]["train_mode"] = self.param_groups[0]["train_mode"]

    def _needed(self, group: Mapping[str, Any], param: Tensor) -> Sequence[str]:
        return [*super()._needed(group, param), *self.scalar_state]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint, and its mode: parameters that were saved with it are in that mode.

        Nothing is moved, so it does not matter whether parameters are loaded before or after. Raises
        `ValueError` for the state of another optimizer.
        """
        super().load_state_dict(state_dict)
        # State that was matched by name leaves the present groups as they are, but for this.
        modes = {group.get("train_mode", True) for group in state_dict["param_groups"]}
        if len(modes) == 1:
            for group in self.param_groups:
                group["train_mode"] = next(iter(modes))


def move(param: Any, z: Any, update: Any, rate: Any, group: Mapping[str, Any]) -> None:
    r"""Move $y$, which is `param`, and $z$, both in place; $u$ is `rate` times `update`."""
    # $y_t = (1 - c_t)\, y_{t-1} + c_t\, z_{t-1} - (1 - \beta (1 - c_t))\, u_t$
    param.lerp_(z, group["share"])
    param.add_(update, alpha=group["follow"] * rate)
    # $z_t = z_{t-1} - u_t$
    z.sub_(update, alpha=rate)


def join_decay(
    weight_decay: Callable[[Any, Any, Mapping[str, Any]], Any],
    param: Any,
    grad: Any,
    update: Any,
    rate: Any,
    group: Mapping[str, Any],
) -> tuple[Any, Any]:
    r"""Return an update and its rate that hold decoupled decay: what it would take from $y$."""
    if not group["decoupled_weight_decay"] or is_zero(group["weight_decay"]):
        return update, rate
    decayed = param.clone()
    weight_decay(decayed, grad, group)
    return update.mul(rate).add_(param.sub(decayed)), 1.0


# ## Choosing the numbers
#
# - `lr`: the largest that trains well. It stays in force to the end, so look at the loss of $x$, which is not the
#   loss that you see in training. The authors' advice is one to ten times the rate of AdamW with a schedule, and
#   ten to fifty times that of SGD.
# - $\beta$: 0.9. For very long runs the authors raise it to 0.95 or 0.98. It decides more than momentum does: in the
#   first table 0.8 ends with 0.036, 0.9 with 0.049 and 0.98 with 0.081.
# - `warmup`: some hundred steps.
# - `r`, `weight_lr_power`: 0 and 2, as they are.
#
# Take a schedule-free rule where the end is open: data that keep coming, runs that others will continue, a budget
# that is not yet known. Where $T$ is fixed and a tuned schedule is at hand, it has to prove itself.
#
# ## Traps
#
# - **No falling schedule on top.** It acts in addition to the one that is in the average. A cosine on top ends with
#   0.13 after 1000 steps of the first table, the constant rate with 0.076. At a rate of 0 the parameters go on
#   moving, since $x$ goes on towards $z$.
# - **Do not compare in the middle.** A run with a cosine looks bad until its last third. Wen et al. (2025, arXiv
#   2509.02046) found rankings of optimizers that turn round while rates fall. Compare where the other one ends.
# - **$\beta$ is no number for a schedule.** $x$ is recovered with the $\beta$ of now, from a $y$ that was made with
#   those of all steps before. After a change of $\beta$ it is no longer the average.
# - **Weights in half precision.** $z$ is float32, but $y$ is rounded in each step and each change of mode, and $x$
#   inherits what was lost. With a constant gradient and $\alpha = 0.0025$, 1000 steps of schedule-free AdamW from 1
#   bring $x$ to $-0.25$ in float32 and to $-0.03$ in bfloat16. Keep weights in float32, and compute in half precision
#   with `autocast`.
# - **A decay that acts after the update, and cautious updates,** would move $y$ without $z$. Both are refused.
# - **Inside a [CompositeOptimizer](param_groups/composite.py)** call `train` and `eval` of the part.
#
# ## Exercises
#
# **1.** Which schedule is in the average if $w_t = t$? Check it with gradients that are given.
#
# ::: solution
# The gradient of step $i$ is in $z_i, \dots, z_T$, which have the share
# $\sum_{t=i}^T t \,/ \sum_{t=1}^T t = 1 - \frac{i (i - 1)}{T (T + 1)}$ of all weights. The rate falls along a
# parabola, slowly at first.
#
# ```python
# import torch
# from labml_nn_optim import ScheduleFreeSGD
#
# gradients = torch.randn(50, dtype=torch.float64).tolist()
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# optimizer = ScheduleFreeSGD([theta], lr=0.1, r=1.0)
# expected = 0.0
# for i, gradient in enumerate(gradients, start=1):
#     theta.grad = torch.full_like(theta, gradient)
#     optimizer.step()
#     expected -= 0.1 * (1 - i * (i - 1) / (50 * 51)) * gradient
# optimizer.eval()
# assert abs(theta.item() - expected) < 1e-12
# ```
# :::
#
# **2.** Train a network with BatchNorm, and show that its running means are not those at $x$ before `update_bn`,
# and are afterwards.
#
# ::: solution
# ```python
# import torch
# from torch import nn
# from torch.optim.swa_utils import update_bn
# from labml_nn_optim import ScheduleFreeAdamW
#
# torch.manual_seed(0)
# inputs = torch.randn(256, 8)
# targets = inputs[:, :1].sign()
# model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
# optimizer = ScheduleFreeAdamW(model.parameters(), lr=0.2, warmup=10)
# for step in range(100):
#     batch = slice(64 * (step % 4), 64 * (step % 4) + 64)
#     optimizer.zero_grad()
#     nn.functional.mse_loss(model(inputs[batch]), targets[batch]).backward()
#     optimizer.step()
#
# optimizer.eval()
# with torch.no_grad():
#     means = model[0](inputs).mean(0)
# norm = model[1]
# assert (norm.running_mean - means).abs().max() > 1e-2
# update_bn(inputs.split(64), model)
# assert (norm.running_mean - means).abs().max() < 1e-5
# model.eval()
# assert nn.functional.mse_loss(model(inputs), targets) < 0.1
# ```
# :::
#
# **3.** You have trained for 1000 steps and the loss of $x$ still falls. What do you have to change to train for
# 3000?
#
# ::: solution
# Nothing: call `train()` and go on. The look-back of the average grows by itself, from about 100 to about 300
# steps. A cosine to step 1000 is at a rate of 0 by then.
# :::

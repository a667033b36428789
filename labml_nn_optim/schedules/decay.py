r"""
---
title: Steps and exponentials
summary: The rate is multiplied by a factor again and again, all at once at given steps or a little in every step.
paper:
  title: Deep Residual Learning for Image Recognition
  authors: Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun
  year: 2016
  arxiv: "1512.03385"
  venue: CVPR
chapter: "9.5"
needs: [schedules/base, schedules/progress]
symbols:
  \gamma: factor
  \Delta: interval
  s_0: start_value
  n: steps
  t: step
  T: total_steps
verified_against:
  implementation: torch 2.14.1, values recorded from noether, and Cerebras' and optax's, which are float32
  difference: 2e-16 against torch over 1000 steps, 6e-17 against noether, 4e-7 against float32
---

# The second drop changes nothing

He et al. (2016) train their ResNets on CIFAR with a rate that falls to a tenth after 32 000 of 64 000
updates, and to a tenth of that after 48 000. Half of the run, three quarters: that became the classic.

Take it to a problem where everything can be computed. A thousand weights start at 1. The loss of each is
$\frac{1}{2} h\, \theta^2$, with curvatures $h$ from 0.01 to 1, evenly on a logarithmic scale, and its
gradient carries Gaussian noise of size 1. Adam, 100 steps of warm-up, 4000 updates, the best of ten rates,
which is 0.015 in both rows; mean loss of eight seeds, standard error 0.00007:

| after | 2000 | 2100 | 2500 | 3000 | 3100 | 3500 | 4000 |
|---|---:|---:|---:|---:|---:|---:|---:|
| a tenth, twice | 0.00444 | 0.00425 | 0.00363 | 0.00316 | 0.00315 | 0.00311 | 0.00307 |
| a third, twice | 0.00444 | 0.00401 | 0.00321 | 0.00277 | 0.00270 | 0.00246 | 0.00225 |

The first drop works, slowly. The second one, to a hundredth, buys 3 % in a thousand updates. A third at the
same two places ends 27 % lower, near the 0.00217 of a [line to zero](warmup.py#LinearToZeroSchedule). It is
not that the run is short: with 64 000 updates, each at its own best rate, tenths end at 0.00039, and thirds,
like the line, at 0.00025.

A low rate makes little noise. It also takes long to get there.

## The rule

Let $t = 0, 1, \dots$ be the update about to be made. Multiply by $\gamma$ at marks, or a little in each step:

| | $s(t)$ | counts in |
|---|---|---|
| [StepFixed](#StepFixedSchedule) | $s_0\, \gamma^k$, $k$ marks $p_i \le t / T$ | fractions |
| [StepInterval](#StepIntervalSchedule) | $s_0\, \gamma^{\lfloor t / (T \Delta) \rfloor}$ | fractions |
| [StepDecreasing](#StepDecreasingSchedule) | $s_1 + (s_0 - s_1)\, \gamma^{\lfloor t / (T \Delta) \rfloor}$ | fractions |
| [MultiStep](#MultiStepSchedule) | $s_0\, \gamma^k$, $k$ marks $n_i \le t$ | steps |
| [Exponential](#ExponentialSchedule) | $s_0\, \gamma^{t / n}$, or with $\lfloor t / n \rfloor$ | steps |
| [InverseTime](#InverseTimeSchedule) | $s_0 / (1 + \gamma\, t^k / n)$ | steps |

The first three stretch with the run. The others know nothing of it, and go on after its end. The last one is
no exponential but a power, and for $k = 1$ a [PowerSchedule](power.py) with `exponent=-1, timescale=n/gamma`.

## How long a drop takes

On these weights the noise makes Adam gradient descent with the rate $\alpha$, up to its averaging. One
weight, noise of variance $\sigma^2$, and $V$ for the mean of $\theta^2$:

$$
V \leftarrow (1 - \alpha h)^2\, V + \alpha^2 \sigma^2,
\qquad
\text{at rest} \quad V \approx \frac{\alpha\, \sigma^2}{2 h}, \quad \frac{h}{2} V \approx \frac{\alpha\, \sigma^2}{4}
$$

At rest every weight adds $\alpha \sigma^2 / 4$ to the loss, whatever its curvature. That is what a drop
promises: a tenth of the rate, a tenth of the loss. Now let the rate fall from $\alpha$ to $\alpha'$. After
$n$ more steps

$$
V \approx \frac{\sigma^2}{2 h} \left( \alpha' + (\alpha - \alpha')\, e^{-2 \alpha' h n} \right)
$$

The old noise dies at the speed of the *new* rate, in $1 / (2 \alpha' h)$ steps. At $\alpha' = 0.0015$ that is
333 steps for $h = 1$ and 3333 for $h = 0.1$: the first stair of the table has 1000. On the second, at
0.00015, the stiffest weight of all would take 3333. Nothing can happen there.

It also says what a curve after a drop looks like. The steep part right after it is the stiff directions. Then
come the softer ones, each more slowly.

## How far to drop

So a drop can be too small or too large, and the best one depends on how long its stair is. Set
$u = 2 \alpha' h n$, the time on the stair counted in the new noise's own time, and $A = 2 \alpha h n$, the
same at the old rate. Then $V \propto u + (A - u)\, e^{-u}$, and setting its derivative to 0 gives

$$e^u = 1 + A - u, \qquad \frac{\alpha'}{\alpha} = \frac{u}{A}$$

| $A$ | 1 | 5 | 10 | 35 | 100 | 1000 |
|---|---:|---:|---:|---:|---:|---:|
| best $\alpha' / \alpha$ | 0.44 | 0.30 | 0.22 | 0.10 | 0.046 | 0.007 |

A tenth is right for $A = 35$: a stair of $1.7 / (\alpha' h)$ steps. With $\alpha = 0.015$ and the 2000 steps
of the second half, $A$ is 60 for the stiffest weights and 0.6 for the softest, so the best factors reach from
0.07 to 0.46. One factor has to serve them all. For a single drop at half of the run it turns out to be a
quarter:

| one drop, to | 1/2 | 1/3 | 1/4 | 1/5 | 1/10 | 1/20 |
|---|---:|---:|---:|---:|---:|---:|
| loss | 0.00234 | 0.00227 | 0.00225 | 0.00229 | 0.00261 | 0.00308 |

More stairs, in the same 4000 updates:

| | last rate | loss |
|---|---:|---:|
| an exponential | $0.1$ | 0.00213 |
| halved at $\frac12, \frac34, \frac78, \frac{15}{16}$ | $1 / 16$ | 0.00222 |
| an exponential | $0.01$ | 0.00246 |
| halved every eighth | $1 / 128$ | 0.00277 |

Neither the number of stairs nor their smoothness decides, but where they end. The time below a twentieth of
the first rate is mostly lost.

Theory speaks for stairs. For least squares with a known length, a rate that is halved at equal
intervals brings the last point within a logarithmic factor of the best possible, and no power of time does
(Ge et al., 2019, arXiv 1904.12838).

## Conventions

From 1 by tenths, two drops in six updates:

| | arguments | updates 0 to 5 | 6 |
|---|---|---|---:|
| noether, here | `update_interval=1/3` | 1, 1, 0.1, 0.1, 0.01, 0.01 | 0.01 |
| noether, here | `steps=[1/3, 2/3]` | the same | 0.01 |
| torch, Cerebras `StepLR`; timm `step` | every 2 | the same | 0.001 |
| torch, Cerebras `MultiStepLR`, here | `[2, 4]` | the same | 0.01 |
| optax `exponential_decay` | 2, `staircase` | the same | 0.001 |
| timm `multistep` | `[2, 4]` | 1, 0.1, 0.1, 0.01, 0.01, 0.01 | 0.01 |

- **timm's `multistep`** drops one update early; its `step` does not.
- **After the end.** Intervals that divide the run would end in one more drop at $T$. No update is made there,
  and here the value of the last one holds. noether, asked for step $T$, counts that drop.
- **Smooth.** torch's `ExponentialLR` takes $\gamma$ in every step. In Cerebras and optax it takes
  `total_iters` or `transition_steps` of them: $\gamma^{t / n}$. Here $n$ is `steps`, and 1 if not given.
  Cerebras' documentation says "every step". Who believes it and sets 0.999 over 10 000 steps has 0.999 at
  their end, and not 0.00005.
- **Rounding.** 0.3 / 0.1 is 2.9999999999999996 in floating point, and its floor is 2. With $\Delta = 0.1$ the
  third, sixth and seventh drop of every run of 10, 100, 1000 or 10 000 updates would come one update late.
  noether and this library round to ten digits first.
- **Marks in disorder** are all the same to noether, torch and Cerebras, and a mark given twice counts twice.
  `MultiStepSchedule` wants them rising.
- Hugging Face and torchtitan have no stairs.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import field

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.schedules.base import ScheduleBase, require_values
from labml_nn_optim.schedules.progress import DecreasingProgressSchedule
from labml_nn_optim.schedules.values import require_milestones

__all__ = [
    "ExponentialSchedule",
    "InverseTimeSchedule",
    "MultiStepSchedule",
    "StepDecreasingSchedule",
    "StepDecreasingScheduleConfig",
    "StepFixedSchedule",
    "StepFixedScheduleConfig",
    "StepIntervalSchedule",
    "StepIntervalScheduleConfig",
]


def intervals_done(step: float, points: float, interval: float) -> int:
    """Return how many intervals, fractions of `points` steps, are over at `step`.

    After the end there are as many as in the last step. Rounding to ten digits keeps 0.3 / 0.1 at 3.
    """
    part = max(0, min(step, points - 1)) / points
    return int(round(part / interval, 10))


class StepDecreasingSchedule(DecreasingProgressSchedule):
    r"""From `max_value` towards `end_value`; the distance is multiplied after every interval.

    $$
    s = s_\text{end} + (s_\text{max} - s_\text{end})\, \gamma^{\lfloor t / (T \Delta) \rfloor}
    $$

    - `max_value`, `end_value`: at least 0, the second at most the first and 0 if not given
    - `factor`: $\gamma$, from 0 to 1
    - `decreases_interval`: $\Delta$, as a fraction of the run, above 0 and below 1
    - `exclude_first`, `exclude_last`: count one step more in $t$ and $T$, or in $T$ only

    noether's schedule of this name. Raises `ValueError` or `TypeError` for what is not allowed.
    """

    factor: float = field(kw_only=True)
    decreases_interval: float = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("factor", self.factor, maximum=1.0)
        require_number("decreases_interval", self.decreases_interval, above=0.0, below=1.0)

    def _get_value(self, step: float, total_steps: float) -> float:
        points = total_steps + self.exclude_first + self.exclude_last
        done = intervals_done(step + self.exclude_first, points, self.decreases_interval)
        return self.end_value + (self.max_value - self.end_value) * self.factor**done


class StepFixedSchedule(ScheduleBase):
    r"""`start_value` times `factor` to the number of `steps` that are over.

    - `factor`: $\gamma$, at least 0
    - `steps`: $p_i$, fractions of the run above 0 and below 1, at least one, in any order; one that is
      reached exactly is over, and one that is given twice counts twice
    - `start_value`: $s_0$, at least 0

    noether's schedule of this name. Raises `ValueError` or `TypeError` for what is not allowed.
    """

    namespace = "noether.core.schedules"

    factor: float = field(kw_only=True)
    steps: Sequence[float] = field(kw_only=True)
    start_value: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("factor", self.factor)
        require_number("start_value", self.start_value)
        steps = require_values("steps", self.steps, above=0.0, below=1.0)
        object.__setattr__(self, "steps", tuple(sorted(steps)))

    def _get_value(self, step: float, total_steps: float) -> float:
        done = bisect.bisect_right(self.steps, step / total_steps)
        return self.start_value * self.factor**done


class StepIntervalSchedule(ScheduleBase):
    r"""`start_value` times `factor` after every interval.

    - `factor`: $\gamma$, at least 0
    - `update_interval`: $\Delta$, as a fraction of the run, above 0 and below 1; it need not fit
    - `start_value`: $s_0$, at least 0

    noether's schedule of this name. Raises `ValueError` or `TypeError` for what is not allowed.
    """

    namespace = "noether.core.schedules"

    factor: float = field(kw_only=True)
    update_interval: float = field(kw_only=True)
    start_value: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("factor", self.factor)
        require_number("start_value", self.start_value)
        require_number("update_interval", self.update_interval, above=0.0, below=1.0)

    def _get_value(self, step: float, total_steps: float) -> float:
        done = intervals_done(step, total_steps, self.update_interval)
        return self.start_value * self.factor**done


class MultiStepSchedule(ScheduleBase):
    r"""`start_value` times `factor` to the number of `milestones` that are over.

    - `start_value`: $s_0$, at least 0
    - `factor`: $\gamma$, at least 0
    - `milestones`: $n_i$, the first steps with a new value, rising; none is a constant

    It goes on after the end of the run. torch's `MultiStepLR` in closed form. Raises `ValueError` or
    `TypeError` for what is not allowed.
    """

    counts_its_own_steps = True

    start_value: float = field()
    factor: float = 0.1
    milestones: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("factor", self.factor)
        object.__setattr__(self, "milestones", require_milestones(self.milestones))

    def _get_value(self, step: float, total_steps: float) -> float:
        return self.start_value * self.factor ** bisect.bisect_right(self.milestones, step)


class ExponentialSchedule(ScheduleBase):
    r"""`start_value` times `factor` in every `steps` steps.

    $$s = \max\left( s_\text{end},\; s_0\, \gamma^{t / n} \right)$$

    - `start_value`: $s_0$, at least 0
    - `factor`: $\gamma$, at least 0; above 1 the value grows
    - `steps`: $n$, above 0, not necessarily whole
    - `staircase`: whether the exponent is rounded down
    - `end_value`: the floor, 0 for none

    It goes on after the end of the run. With 1 for `steps` torch's `ExponentialLR`, with `staircase` its
    `StepLR`. Raises `ValueError` or `TypeError` for what is not allowed.
    """

    counts_its_own_steps = True

    start_value: float = field()
    factor: float
    steps: float = 1
    staircase: bool = False
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("factor", self.factor)
        require_number("steps", self.steps, above=0.0)
        require_number("end_value", self.end_value)
        require_flag("staircase", self.staircase)

    def _get_value(self, step: float, total_steps: float) -> float:
        exponent = step / self.steps
        exponent = math.floor(exponent) if self.staircase else exponent
        return max(self.end_value, self.start_value * self.factor**exponent)


class InverseTimeSchedule(ScheduleBase):
    r"""`start_value` divided by what grows with time.

    $$s = \frac{s_0}{1 + \gamma\, t^k / n}$$

    - `start_value`: $s_0$, at least 0
    - `factor`: $\gamma$, at least 0
    - `steps`: $n$, above 0; for $k = \gamma = 1$ the steps in which the value halves
    - `exponent`: $k$, above 0
    - `staircase`: whether $t^k / n$ is rounded down

    It goes on after the end of the run. Cerebras' `InverseExponentialTimeDecayLR`. Raises `ValueError`
    or `TypeError` for what is not allowed.
    """

    counts_its_own_steps = True

    start_value: float = field()
    factor: float
    steps: float = 1
    exponent: float = 1.0
    staircase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("factor", self.factor)
        require_number("steps", self.steps, above=0.0)
        require_number("exponent", self.exponent, above=0.0)
        require_flag("staircase", self.staircase)

    def _get_value(self, step: float, total_steps: float) -> float:
        quotient = math.pow(step, self.exponent) / self.steps
        quotient = math.floor(quotient) if self.staircase else quotient
        return self.start_value / (1 + self.factor * quotient)


StepDecreasingScheduleConfig = StepDecreasingSchedule
StepFixedScheduleConfig = StepFixedSchedule
StepIntervalScheduleConfig = StepIntervalSchedule


# ## Choosing the numbers
#
# - `factor`: a third or a half, unless a recipe is to be repeated. On MNIST, below, a tenth is no worse.
# - How far down in all: to about a tenth of the first rate, in the last quarter of the run or later.
# - The length of a stair: several $1 / (\alpha h)$ of the directions that matter. Nobody knows these. Look
#   whether the loss still falls at the end of a stair. If it does, the next drop comes too early.
# - `start_value`: lower than for a line, since the rate stays up for longer: 0.015 against 0.02 for the line.
#
# In a new project take a [line](progress.py), or a [decay at the end](wsd.py): they have no marks to be
# chosen. Stairs are for recipes that were tuned with them. Whether a network generalizes better after a long
# time at a high rate is another question, which these weights cannot answer.
#
# ## Traps
#
# - **Milestones in epochs, schedule in updates.** `milestones=[30, 60]` are the updates 30 and 60.
#   [RunLength](units.py) converts.
# - **The drop is judged at once.** The first hundred updates show the stiff directions. In the first row
#   above they bring a seventh of what the stair brings in all.
# - **A mark computed as `3 * 0.1`** is 0.30000000000000004, and its drop comes at update 31 of 100. Marks are
#   not rounded. Write 0.3, or `3 / 10`.
# - **An exponential for ever.** 0.999 a step is $4.5 \cdot 10^{-5}$ after 10 000. Give it an `end_value`, or
#   take a [ramp](ramp.py), which knows its end.
# - **A shorter run, the old milestones.** A drop at 60 epochs never comes in a run of 45, and nobody says so.
# - **A factor above 1** is allowed, as in noether, and makes the rate grow.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds. A tenth of the rate after
# half of the run and another tenth after three quarters, at 0.003 from a search: 99.34, 99.36 and 99.38 %.
# The line has 99.30 to 99.40 %, the cosine 99.37 to 99.43 %. Here the stairs cost nothing that three seeds
# could show.
#
# The first drop can be seen in the curve: with seed 0 the training loss is about 0.046 in the hundred steps
# before it and 0.031 in the two hundred after it.
#
# ## Exercises
#
# **1.** Write torch's `StepLR(optimizer, 30, gamma=0.1)`, its `ExponentialLR` with 0.99, and 0.97 every 2.4
# epochs of 500 updates, as schedules.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.schedules import ExponentialSchedule
#
# stairs = ExponentialSchedule(1.0, 0.1, steps=30, staircase=True)
# smooth = ExponentialSchedule(1.0, 0.99)
# slow = ExponentialSchedule(1.0, 0.97, steps=2.4 * 500, staircase=True)
# assert slow.get_value(1199) == 1 and slow.get_value(1200) == 0.97
#
# for schedule, kind, arguments in (
#     (stairs, torch.optim.lr_scheduler.StepLR, {"step_size": 30, "gamma": 0.1}),
#     (smooth, torch.optim.lr_scheduler.ExponentialLR, {"gamma": 0.99}),
# ):
#     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     scheduler = kind(optimizer, **arguments)
#     for step in range(100):
#         assert abs(schedule.get_value(step) - optimizer.param_groups[0]["lr"]) < 1e-12
#         optimizer.step()
#         scheduler.step()
# ```
# :::
#
# **2.** Let 20 000 weights with $h = 1$ rest at $\alpha = 0.1$, drop to 0.01, and compare what is left after
# 50 steps with the formula.
#
# ::: solution
# $2 \alpha' h n = 1$, so the formula says $\frac{1}{4} (0.01 + 0.09 / e) = 0.0108$. The drop has promised
# 0.0025.
#
# ```python
# import math
#
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedules import MultiStepSchedule
#
# torch.manual_seed(0)
# theta = torch.nn.Parameter(torch.zeros(20_000))
# optimizer = SGD([theta], lr=1.0)
# schedule = MultiStepSchedule(0.1, 0.1, [100])
# for step in range(150):
#     optimizer.param_groups[0]["lr"] = schedule.get_value(step)
#     theta.grad = theta.detach() + torch.randn(20_000)
#     optimizer.step()
# loss = (theta.detach().square() / 2).mean().item()
# assert abs(loss - (0.01 + 0.09 / math.e) / 4) < 0.05 * loss
# ```
# :::
#
# **3.** Check $e^u = 1 + A - u$ for $A = 35$ against a search over all factors. Which stairs does it make
# long enough for a tenth?
#
# ::: solution
# Those with $2 \alpha h n \ge 35$, or $n \ge 1.75 / (\alpha' h)$.
#
# ```python
# import math
#
# A = 35
#
#
# def variance(factor):
#     u = factor * A
#     return u + (A - u) * math.exp(-u)
#
#
# best = min((thousandth / 1000 for thousandth in range(1, 1000)), key=variance)
# assert abs(best - 0.1) < 0.002
# assert abs(math.exp(best * A) - (1 + A - best * A)) < 1
# ```
# :::
#
# **4.** A run has 90 epochs, and drops at 30 and 60. It is shortened to 45. Which of the schedules above
# needs no change?
#
# ::: solution
# Those in fractions: `StepFixedSchedule(factor=0.1, steps=[1 / 3, 2 / 3])` drops at 15 and 30. With
# milestones in steps the second drop never comes.
#
# ```python
# from labml_nn_optim.schedules import StepFixedSchedule
#
# schedule = StepFixedSchedule(factor=0.1, steps=[1 / 3, 2 / 3])
# for epochs in (90, 45):
#     values = [schedule.get_value(epoch, epochs) for epoch in range(epochs)]
#     assert values.index(0.1) == epochs // 3 and values[-1] < 0.011
# ```
# :::

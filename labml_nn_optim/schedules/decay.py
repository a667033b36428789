r"""
---
title: Steps and exponentials
summary: The rate is multiplied by a factor again and again, all at once at given steps or a little in every step.
chapter: "9.5"
needs: [schedules/base, schedules/progress]
symbols:
  \gamma: factor
  t: step
  T: total_steps
---

# A tenth of the rate, 1100 steps later

A weight with curvature 0.1 and noise of size 1 in its gradient rests at a variance of 0.50 with $\alpha = 0.1$. Now the rate drops to
0.01, where the variance is 0.05. How long does it take to get near, to within a factor of two? 1101 steps. A weight with
curvature 1 takes 112, one with 0.03 takes 3664.

That is the picture of every training with step decay: after a drop the loss falls steeply, then slower and slower. The steep part is
the stiff directions. Most of what the drop is good for comes later, and in a short run it does not come.

## The rule

Multiply by $\gamma$, all at once every so often, or a little in each step:

| | $s(t)$ | counts in |
|---|---|---|
| [StepFixedSchedule](#StepFixedSchedule) | $s_0\, \gamma^{k}$, $k$ marks with $p_i \le t / T$ | fractions |
| [StepIntervalSchedule](#StepIntervalSchedule) | $s_0\, \gamma^{\lfloor t / (T \Delta) \rfloor}$ | fractions |
| [StepDecreasingSchedule](#StepDecreasingSchedule) | $s_1 + (s_0 - s_1)\, \gamma^{\lfloor t / (T \Delta) \rfloor}$ | fractions |
| [MultiStepSchedule](#MultiStepSchedule) | $s_0\, \gamma^{k}$, $k$ marks with $n_i \le t$ | steps |
| [ExponentialSchedule](#ExponentialSchedule) | $s_0\, \gamma^{t / n}$, or with $\lfloor t / n \rfloor$ | steps |
| [InverseTimeSchedule](#InverseTimeSchedule) | $s_0 / (1 + \gamma\, t^k / n)$ | steps |

The first three end with the run: when it gets longer, so do they. The others go on for ever.

## Why 1100 steps

Let $V$ be the variance. One step of gradient descent makes it $(1 - \alpha h)^2\, V + \alpha^2 \sigma^2$, so it rests at about
$\alpha \sigma^2 / 2 h$, and what is above that shrinks by $e^{-2 \alpha h}$ a step, with the *new*, small $\alpha$. To get from ten times the
resting value to two times takes

$$n = \frac{\ln 9}{2\, \alpha\, h}$$

which is 1099 for $\alpha = 0.01$ and $h = 0.1$. The lower the rate, the longer the wait. That is why the drops of a good step schedule are moderate or
come early, and why a rate that falls steadily has an advantage: it goes on moving while there is something to move.

How large an advantage? A thousand weights with curvatures from 0.01 to 1, Adam, 4000 steps, the best of ten rates each:

| line to 0, [after a warm-up](warmup.py) | halved every eighth | a tenth at 50 and 75 % |
|---:|---:|---:|
| 0.00217 | 0.00279 | 0.00306 |

Still, step decay trained most of the vision networks of the 2010s: in runs of a hundred thousand steps each stair is long enough, and one sees in
the curve what each did.

## Conventions

- **noether** has the first three, in fractions of $T$, not of $T - 1$. Its marks may stand in any order. A mark that is reached exactly counts.
- **Rounding.** 0.3 / 0.1 is 2.9999999999999996, and its floor 2. So noether and this library round to ten digits before they
  take the floor.
- **torch** has `StepLR`, `MultiStepLR` and `ExponentialLR`, whose $\gamma$ acts in every step.
- **Cerebras** has `ExponentialLR` with $\gamma^{t / n}$. Its documentation says that the rate decays every step; it does so by $\gamma$
  every $n$ steps.
- **timm's** multi-step schedule drops one step early.
- **After the end.** With an interval that divides the run, such as 0.1, the next drop would come at $T$. No update
  is made there, and here the value of the last one holds.
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

    At the end there are as many as in the last step. Rounding to ten digits keeps 0.3 / 0.1 at 3.
    """
    part = max(0, min(step, points - 1)) / points
    return int(round(part / interval, 10))


class StepDecreasingSchedule(DecreasingProgressSchedule):
    r"""From `max_value` towards `end_value`, a `factor` nearer after every interval.

    $$
    v = v_\text{end} + (v_\text{max} - v_\text{end})\, \gamma^{\lfloor t / (T \Delta) \rfloor}
    $$

    - `factor`: $\gamma$, from 0 to 1
    - `decreases_interval`: $\Delta$, as a fraction of the run, between 0 and 1
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
    - `steps`: fractions of the run between 0 and 1, in any order
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
    - `update_interval`: as a fraction of the run, between 0 and 1
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

    - `factor`: $\gamma$, at least 0
    - `milestones`: steps, rising
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

    $$v = v_\text{start}\, \gamma^{t / n}$$

    - `factor`: $\gamma$, at least 0
    - `steps`: $n$, above 0
    - `staircase`: whether the exponent is rounded down
    - `end_value`: the floor, 0 for none
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

    $$v = \frac{v_\text{start}}{1 + \gamma\, t^k / n}$$

    - `factor`: $\gamma$, at least 0
    - `steps`: $n$, above 0
    - `exponent`: $k$, above 0
    - `staircase`: whether $t^k / n$ is rounded down
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


# ## Choosing
#
# - A tenth at half and at three quarters of the run is the classic; with $\gamma = 0.5$ and more stairs one loses less.
# - The number of steps on the last stair should be several $1 / (\alpha h)$ for the curvatures that matter. Nobody knows these, so look whether
#   the loss still falls at the end of a stair. If it does, the stair was too short.
# - In a new project take a [line](progress.py) or a [decay at the end](wsd.py).
#
# ## Traps
#
# - **Milestones in epochs, schedule in updates.** `milestones=[30, 60]` are updates 30 and 60. [RunLength](units.py) converts.
# - **The drop is judged at once.** The first hundred steps after a drop show the stiff directions.
# - **An exponential for ever.** With $\gamma = 0.999$ a step, the rate is at $4.5 \cdot 10^{-5}$ of its start after 10 000. Give it an
#   `end_value`, or use a [ramp](ramp.py), which knows its end.
# - **A factor above 1** is allowed where noether allows it, and makes the rate grow.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds. A tenth of the rate after half of the run and another tenth after three quarters, at 0.003 from
# a search: 99.34, 99.36 and 99.38 %. The line has 99.30 to 99.40 %, the cosine 99.37 to 99.43 %. Here the stairs cost nothing
# that three seeds could show.
#
# The first drop can be seen in the curve: with seed 0 the training loss is about 0.046 in the hundred steps before it and 0.031 in the two
# hundred after it.
#
# ## Exercises
#
# **1.** Write torch's `StepLR(optimizer, 30, gamma=0.1)` and Cerebras' `MultiplicativeLR` with the coefficient 0.99 as schedules.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import ExponentialSchedule
#
# stairs = ExponentialSchedule(1.0, 0.1, steps=30, staircase=True)
# assert [round(stairs.get_value(step), 9) for step in (0, 29, 30, 60)] == [1, 1, 0.1, 0.01]
# smooth = ExponentialSchedule(1.0, 0.99)
# assert abs(smooth.get_value(100) - 0.99**100) < 1e-12
# ```
# :::
#
# **2.** Check the 1099 steps.
#
# ::: solution
# ```python
# import math
#
# alpha, h = 0.01, 0.1
#
#
# def resting(rate):
#     return rate / (h * (2 - rate * h))
#
#
# variance, steps = resting(0.1), 0
# while variance > 2 * resting(alpha):
#     variance = (1 - alpha * h) ** 2 * variance + alpha**2
#     steps += 1
# assert abs(steps - math.log(9) / (2 * alpha * h)) < 5
# ```
# :::
#
# **3.** A run has 90 epochs, and drops at 30 and 60. It is shortened to 45. Which of the schedules above needs no change?
#
# ::: solution
# Those in fractions: `StepFixedSchedule(factor=0.1, steps=[1 / 3, 2 / 3])` drops at 15 and 30. With milestones in steps, the second drop
# would never come, without a word.
# :::

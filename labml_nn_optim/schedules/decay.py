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

# (prose to come)
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

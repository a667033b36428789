r"""
---
title: Values written down
summary: Constants, tables, pieces between marks and plain functions are schedules, too.
chapter: "9.4"
needs: [schedules/base]
symbols:
  t: step
---

# (prose to come)
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase, require_values
from labml_nn_optim.schedules.ramp import descend, require_shape

__all__ = [
    "ConstantSchedule",
    "ConstantScheduleConfig",
    "CustomSchedule",
    "CustomScheduleConfig",
    "FunctionSchedule",
    "InterpolationSchedule",
    "PiecewiseConstantSchedule",
    "require_milestones",
]


def require_milestones(
    milestones: Sequence[int], count: int | None = None, name: str = "milestones"
) -> tuple[int, ...]:
    """Return `milestones` as a tuple; raise unless they are `count` rising steps.

    Raises:
        TypeError: one is no whole number.
        ValueError: there are others than `count`, one is below 0, or they do not rise.
    """
    if isinstance(milestones, str) or not isinstance(milestones, Iterable):
        raise TypeError(f"{name} must be a list of steps, got {milestones!r}")
    found = tuple(milestones)
    for index, milestone in enumerate(found):
        require_count(f"{name}[{index}]", milestone)
    if count is not None and len(found) != count:
        raise ValueError(f"{name} must be {count} steps, got {list(found)!r}")
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise ValueError(f"{name} must rise, got {list(found)!r}")
    return tuple(int(milestone) for milestone in found)


class ConstantSchedule(ScheduleBase):
    """Always `value`."""

    namespace = "noether.core.schedules"
    counts_its_own_steps = True

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("value", self.value, minimum=None)

    def _get_value(self, step: float, total_steps: float) -> float:
        return float(self.value)


class CustomSchedule(ScheduleBase):
    """`values[t]`, and the last of them from then on."""

    namespace = "noether.core.schedules"
    counts_its_own_steps = True

    values: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        values = require_values("values", self.values, minimum=None)
        object.__setattr__(self, "values", values)

    def _get_value(self, step: float, total_steps: float) -> float:
        return float(self.values[min(int(step), len(self.values) - 1)])


class PiecewiseConstantSchedule(ScheduleBase):
    """`values[0]` up to the first of the `milestones`, which are steps, then `values[1]`, and so on."""

    counts_its_own_steps = True

    values: Sequence[float]
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        values = require_values("values", self.values, minimum=None)
        object.__setattr__(self, "values", values)
        milestones = require_milestones(self.milestones, len(values) - 1)
        object.__setattr__(self, "milestones", milestones)

    def _get_value(self, step: float, total_steps: float) -> float:
        return float(self.values[bisect.bisect_right(self.milestones, step)])


class InterpolationSchedule(ScheduleBase):
    """Through `values[i]` at `steps[i]`, along the `shape` between them; outside the ends hold.

    - `steps`: rising
    - `shape`: as in [RampSchedule](ramp.py#RampSchedule)
    """

    counts_its_own_steps = True

    steps: Sequence[int]
    values: Sequence[float]
    shape: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        values = require_values("values", self.values)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "steps", require_milestones(self.steps, len(values), "steps"))
        for start, end in pairwise(values):
            require_shape("shape", self.shape, start, end)

    def _get_value(self, step: float, total_steps: float) -> float:
        index = bisect.bisect_right(self.steps, step)
        if index == 0 or index == len(self.steps):
            return float(self.values[min(index, len(self.values) - 1)])
        before, after = self.steps[index - 1], self.steps[index]
        progress = (step - before) / (after - before)
        return descend(self.values[index - 1], self.values[index], progress, self.shape)


class FunctionSchedule(ScheduleBase):
    """Whatever a function of the step, and of nothing else, returns.

    A function cannot be written into a configuration or a checkpoint; all other schedules can.
    """

    counts_its_own_steps = True

    function: Callable[[float], float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise TypeError(f"function must be callable, got {self.function!r}")

    def _get_value(self, step: float, total_steps: float) -> float:
        value = float(self.function(step))
        if not math.isfinite(value):
            raise ValueError(f"function must return a finite number, got {value!r} at step {step}")
        return value


ConstantScheduleConfig = ConstantSchedule
CustomScheduleConfig = CustomSchedule

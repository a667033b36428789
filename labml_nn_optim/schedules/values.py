r"""
---
title: Values written down
summary: Constants, tables, pieces between marks and plain functions are schedules, too.
chapter: "9.4"
needs: [schedules/base]
symbols:
  t: step
  c: values
verified_against:
  implementation: values recorded from optax's piecewise_interpolate_schedule, cosine_onecycle_schedule and linear_onecycle_schedule
  difference: 1e-7, as optax computes in float32
---

# Three numbers, and eight values between them

optax's `piecewise_interpolate_schedule` is given the value 1 at step 0, a tenth of it at step 4 and a hundredth of that at step 8. It
yields 1, 0.775, 0.55, 0.325, 0.1, 0.0753, 0.0505, 0.0258, 0.001. Nobody would type the list, and no formula of the other chapters
is shorter than the three marks.

Not every curve has a formula. A log from another program, a table of an old recipe, a line drawn by hand: they are given by their
values. Here are the four ways to write them down.

## The rules

- **[ConstantSchedule](#ConstantSchedule)**: $s(t) = c$.
- **[CustomSchedule](#CustomSchedule)**: a table, $s(t) = c_t$, and its last entry from then on.
- **[PiecewiseConstantSchedule](#PiecewiseConstantSchedule)**: $s(t) = c_k$, where $k$ is the number of marks $n_i \le t$.
- **[InterpolationSchedule](#InterpolationSchedule)**: $c_i$ at the mark $n_i$, and between two marks a
  [shape](ramp.py) from one to the other. With $x = (t - n_i) / (n_{i+1} - n_i)$ the line is
  $s(t) = (1 - x)\, c_i + x\, c_{i+1}$. Before the first and after the last mark the value there holds.
- **[FunctionSchedule](#FunctionSchedule)**: $s(t) = f(t)$ for any Python function.

All of them count steps of their own. None needs to know how long the run is.

## What a function costs

The others are data. They can be printed, compared, written into a checkpoint and read from YAML. A function
cannot: of two lambdas nobody can say whether they are equal. So a [scheduler](../schedulers/scheduler.py) with a function inside
does not notice that a resumed run has another one, and [schedule_to_config](config.py#schedule_to_config) refuses it. If a
curve can be had from marks, take the marks.

A function is also where a NaN gets in. One that returns it is an error in the step in which it happens.

## Conventions

- **noether's** constant and custom schedules are these. Its table must be as long as the run, and is an
  `IndexError` beyond; here the last entry holds.
- **optax** gives factors from mark to mark, `{4: 0.1, 8: 0.01}`; here the values themselves stand there.
- **optax's one-cycle** is three marks: 0.04 at 0, 1 at $0.3\, T$ and $4 \cdot 10^{-6}$ at $T$, on lines or cosines.
- **Cerebras'** `PiecewiseConstantLR` takes as many values as marks, or too many, and drops some in silence. Here
  there must be one value more than marks.
- **A mark that is reached counts**: at $t = n_i$ the new value holds, in all of these libraries.
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


# ## Choosing
#
# - Marks rather than tables, and tables rather than functions.
# - A table for a curve that a program has logged, one value for each update.
#
# ## Traps
#
# - **A table in epochs.** `CustomSchedule([1, 0.1, 0.01])` is at 0.01 from the third *update* on. Stretch it:
#   `PiecewiseConstantSchedule([1, 0.1, 0.01], [n, 2 * n])` with $n$ updates an epoch.
# - **Exponentials to 0** between marks are refused, as for [every mean](ramp.py).
# - **A lambda in a loop** sees the loop variable as it is when it is called. All schedules made in the loop then use the last
#   one.
#
# ## Exercises
#
# **1.** Write optax's cosine one-cycle for ten updates and a peak of 1.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import InterpolationSchedule
#
# cycle = InterpolationSchedule([0, 3, 10], [0.04, 1, 4e-6], "cosine")
# values = [cycle.get_value(step) for step in range(11)]
# assert values[3] == 1 and values[10] == 4e-6
# assert abs(values[1] - 0.28) < 1e-9
# ```
# :::
#
# **2.** Why does `CustomSchedule` hold its last value instead of raising an error?
#
# ::: solution
# All schedules do, so that a run that goes on one update too long does not end with an exception in its last hour. The price is that a table
# that is too short is not noticed. Compare its length with the number of updates where you make it.
# :::

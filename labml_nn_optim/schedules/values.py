r"""
---
title: Values written down
summary: Constants, tables, pieces between marks and plain functions are schedules, too.
chapter: "9.4"
needs: [schedules/base, schedules/ramp]
symbols:
  t: step
  c: values
  n: milestones
  f: function
verified_against:
  implementation: values recorded from optax's piecewise_interpolate_schedule, cosine_onecycle_schedule and linear_onecycle_schedule
  difference: 1e-7, as optax computes in float32
---

# The rate jumps to ninety times its value, and nothing is said

torch's `LambdaLR` multiplies the rate 0.1 by `lambda t: 0.99**t`. After 500 updates the run is saved. Before it
goes on, somebody edits the line and types a 9 too many. Model, optimizer and scheduler are loaded:

| | update 500 | 501 | 502 |
|---|---:|---:|---:|
| as it was | 0.000657 | 0.000650 | 0.000644 |
| resumed with `0.999**t` | 0.000657 | 0.0606 | 0.0605 |

There is no warning. The scheduler has saved `'lr_lambdas': [None]`: a lambda cannot be written into a
checkpoint, so there is nothing to compare the new one with. The same happens here with a
[FunctionSchedule](#FunctionSchedule) in a [scheduler](../schedulers/scheduler.py). With
`ExponentialSchedule(0.1, 0.99)` and then 0.999 it warns, and names both.

A function is the first thing one writes when a curve has no name. But most curves can be written down as
values: as one number, a list, steps, or marks with something between them.

## The rules

Let $t = 0, 1, \dots$ be the update about to be made.

- **[ConstantSchedule](#ConstantSchedule)**: $s(t) = c$.
- **[CustomSchedule](#CustomSchedule)**: a table, $s(t) = c_t$, and its last entry from then on.
- **[PiecewiseConstantSchedule](#PiecewiseConstantSchedule)**: $s(t) = c_k$, where $k$ is the number of marks
  $n_i \le t$.
- **[InterpolationSchedule](#InterpolationSchedule)**: $c_i$ at the mark $n_i$, and a [shape](ramp.py) on the
  way to the next. With $x = (t - n_i) / (n_{i+1} - n_i)$ the line is $s(t) = (1 - x)\, c_i + x\, c_{i+1}$.
  Before the first mark and after the last one the value there holds.
- **[FunctionSchedule](#FunctionSchedule)**: $s(t) = f(t)$ for any Python function.

All of them count steps of their own: a longer run does not stretch them.

## How many marks a curve needs

A line between two marks at a distance $\Delta$ misses a curve by at most

$$\frac{\Delta^2}{8} \max |s''|$$

For the difference $e$ of curve and line is 0 at both marks. Where it is largest, $e' = 0$, and one of the marks
is at most $\Delta / 2$ away. From there to the mark $e$ falls to 0, which a second derivative of at most $M$
can bring about only if $|e| \le \frac{M}{2} (\Delta / 2)^2$.

Half a cosine over $T$ updates has $M = \pi^2 / (2\, T^2)$. With $m$ equal pieces the error is at most
$\pi^2 / (16\, m^2)$ of the peak: below a thousandth for $m = 25$. For $T = 1000$ it is 0.00098, with 26 numbers
in the place of a thousand. Where a curve is bent more, as $1 - \sqrt x$ is at its start, set the marks closer:
21 marks at equal distances miss it by 0.056, in the first piece.

Between two marks the value never leaves the interval of theirs. A smooth spline would, and could go below zero.

## What a function costs

| | here, written as values | a function |
|---|---|---|
| YAML, [configurations](config.py) | yes | `TypeError` |
| checkpoint made with another one | a warning | nothing |
| equal to another one | if the values are | if it is the same object |
| `pickle`, to another process | yes | not a lambda |
| a NaN inside | an error when it is made | an error in its step |

What you get for that: anything that Python can compute from $t$. A function must depend on $t$ alone. One that
looks at a counter or a loss gives other values after a resume, or when a plot asks for them first.

## Conventions

The peak 1, a tenth at 4, a hundredth of that at 8:

| | as arguments | updates 0 to 5 | 8 |
|---|---|---|---:|
| optax 0.2.8 `piecewise_interpolate_schedule` | `{4: 0.1, 8: 0.01}` | 1, 0.775, 0.55, 0.325, 0.1, 0.075 | 0.001 |
| here `InterpolationSchedule` | `[0, 4, 8], [1, 0.1, 0.001]` | the same | 0.001 |
| optax `piecewise_constant_schedule` | `{4: 0.1, 8: 0.01}` | 1, 1, 1, 1, 0.1, 0.1 | 0.001 |
| here `PiecewiseConstantSchedule` | `[1, 0.1, 0.001], [4, 8]` | the same | 0.001 |

- **Factors or values.** optax gives factors from mark to mark; here the values themselves stand there.
- **optax's one-cycle** with a cosine is three marks: 0.04 at 0, 1 at $0.3\, T$, $4 \cdot 10^{-6}$ at $T$. With
  lines it has a fourth: back to 0.04 at $0.85\, T$.
- **A mark that is reached counts**: at $t = n_i$ the new value holds, in optax, torch's `MultiStepLR` and
  Cerebras' `PiecewiseConstantLR`. timm's multi-step schedule is [one update early](decay.py).
- **noether's** table must be as long as the run, and beyond is an `IndexError`. Here the last entry holds.
- **Cerebras'** `PiecewiseConstantLR` takes as many values as marks, or too many, and drops some in silence.
  Here there must be one value more than marks.
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
    """Always `value`, any finite number."""

    namespace = "noether.core.schedules"
    counts_its_own_steps = True

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("value", self.value, minimum=None)

    def _get_value(self, step: float, total_steps: float) -> float:
        return float(self.value)


class CustomSchedule(ScheduleBase):
    """`values[t]`, and the last of them from then on.

    - `values`: at least one finite number
    """

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
    """`values[0]` before the first of the `milestones`, `values[1]` from there on, and so forth.

    - `values`: finite numbers
    - `milestones`: rising steps, one less than values
    """

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

    - `steps`: rising, as many as values
    - `values`: at least 0; above 0 if the shape is a mean, such as the exponential
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

    - `function`: its value must be finite, else the step raises `ValueError`

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
# - A named curve before marks, marks before a table, a table before a function.
# - A table for a curve that another program has logged, one value for each update.
# - `shape="linear"` between marks. `"exponential"` where the values are powers of ten: between 1 and 0.01 it is
#   at 0.1 half-way, the line at 0.505.
# - A function to try something out. When it stays, write it down, or give it a name as a schedule of its own,
#   with fields and `_get_value`.
# - None of them if the length of the run may change: marks are counted in updates. [Steps](decay.py) and
#   [ramps](ramp.py) go with the length.
#
# ## Traps
#
# - **A table in epochs.** `CustomSchedule([1, 0.1, 0.01])` is at 0.01 from the third *update* on. Stretch it:
#   `PiecewiseConstantSchedule([1, 0.1, 0.01], [n, 2 * n])` with $n$ updates an epoch.
# - **A table that is too short** is not noticed: its last value holds. Compare its length with the number of
#   updates where you make it.
# - **A decay to 0 along an exponential** is refused between marks, as is [every mean](ramp.py) with an end of
#   0.
# - **A lambda in a loop** sees the loop variable as it is when it is called: three schedules made with
#   `lambda t: k` for `k` in 1, 2, 3 all give 3. Write `lambda t, k=k: k`.
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
# **2.** Check the bound for half a cosine over 1000 updates and 25 pieces.
#
# ::: solution
# ```python
# import math
# from labml_nn_optim.schedules import CosineDecreasingSchedule, InterpolationSchedule
#
# cosine = CosineDecreasingSchedule(1, exclude_last=True)
# marks = range(0, 1001, 40)
# drawn = InterpolationSchedule(list(marks), [cosine.get_value(mark, 1000) for mark in marks])
# errors = [abs(drawn.get_value(t) - cosine.get_value(t, 1000)) for t in range(1000)]
# assert 0.0009 < max(errors) < math.pi**2 / 16 / 25**2 < 0.001
# ```
# :::
#
# **3.** Why does `CustomSchedule` hold its last value instead of raising an error?
#
# ::: solution
# All schedules do, so that a run that goes on one update too long does not end with an exception in its last
# hour. The price is the trap above.
# :::

r"""
---
title: Lines, cosines, powers
summary: A value goes from one number to another over the run, along a line, half a cosine or a power.
chapter: "9.2"
needs: [schedules/base]
symbols:
  t: step
  N: points
verified_against:
  implementation: values recorded from noether 1.1
  difference: 1e-16 over 7 to 11 updates
---

# A line that ends below zero

A line from 1 to 0 over 11 updates reaches 0 in update 10. Ask noether's for update 11: $-0.1$. Its cosine
is at 0.024 there, on the way up again. Its power 2 is at 0.01, and its power 0.5 raises a `TypeError`, as $(-0.1)^{0.5}$ is a complex
number. One update too many, in a run that is prolonged or counted wrongly, climbs the loss instead of descending it.

Three curves, and the care they need at their ends, are this chapter.

## The rule

With $x$ for how much of the run is over, from 0 to 1, a value goes from $s_0$ to $s_1$ along

$$
s = s_0 + (s_1 - s_0)\, q(x),
\qquad
q_\text{linear} = x, \quad
q_\text{cosine} = \frac{1 - \cos \pi x}{2}, \quad
q_\text{power} = 1 - (1 - x)^p
$$

All three $q$ go from 0 to 1. Here $x$ is held at 1 after the end, so the last value holds.

A power above 1 is steep at first and flat at the end, on the way up as well as down. Half-way, a
line down from 1 is at 0.5, the power 2 at 0.25, the power 3 at 0.125, the power 0.5 at 0.71. Who expects
$x^2$ of an increasing power 2 gets another curve: 0, 0.19, 0.36, 0.51 and not 0, 0.01, 0.04, 0.09. It is the decreasing one turned
upside down, and not one read backwards.

## Why these three

The line is the simplest, and theory asks for it: for a convex loss with bounded gradients, a rate that falls to zero on a line gives the
best known guarantee for the last point of a run (Defazio et al., 2023, arXiv 2310.07831). The cosine was taken from
[restarts](cycles.py) and stayed, without a derivation. The power interpolates: at $p = 1$ it is the line, and old vision recipes
use it with 0.9 or 2.

How much is at stake? A thousand weights with curvatures from 0.01 to 1 start at 1, with noise of size 1 in their gradients. Adam warms up
for 100 of 4000 steps and then follows the curve to 0. The best of ten rates each, eight seeds, standard error 0.00005:

| | line | cosine | $p = 2$ | $p = 0.5$ | constant |
|---|---:|---:|---:|---:|---:|
| best $\alpha$ | 0.02 | 0.02 | 0.03 | 0.015 | 0.007 |
| final loss | 0.00217 | 0.00233 | 0.00239 | 0.00220 | 0.00266 |

That the rate falls is worth 18 %. Which curve it falls along, at most 10 %, and each has a best rate of its own: the longer a curve stays
high, the lower its peak should be. [Adam with warm-up and cosine decay](../optimizers/adam_warmup_cosine_decay.py) says why a
rate should fall at all.

## Which points are met

$N$ updates can carry a curve in four ways. Both flags prolong it, and leave the first or the last point out:

| `exclude_first` | `exclude_last` | $x$ in update $t$ | line from 1 to 0, $N = 5$ |
|---|---|---|---|
| | | $t / (N - 1)$ | 1, 0.75, 0.5, 0.25, 0 |
| | yes | $t / N$ | 1, 0.8, 0.6, 0.4, 0.2 |
| yes | | $(t + 1) / N$ | 0.8, 0.6, 0.4, 0.2, 0 |
| yes | yes | $(t + 1) / (N + 1)$ | 0.83, 0.67, 0.5, 0.33, 0.17 |

Leave the first out of a warm-up from 0, so that no update moves nothing. Leave the last out of a decay to 0, for the same
reason, and wherever the next schedule begins with the value that this one ends with.

## Conventions

- **noether** has all four, by these names, and neither flag by default. torch, Hugging Face, Cerebras and optax have
  $t / N$ only.
- **After the end** torch's and Hugging Face's cosines rise again; their lines stop.
- **A run of one update** has the first value, here and in noether.
- **Arguments out of order**, an end above the start of a decreasing curve, are a `ValueError` here. noether has an
  `AssertionError` for increasing curves, which `python -O` removes.
"""

from __future__ import annotations

import math
from dataclasses import field

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.schedules.base import ScheduleBase

__all__ = [
    "CosineDecreasingSchedule",
    "CosineDecreasingScheduleConfig",
    "CosineIncreasingSchedule",
    "CosineIncreasingScheduleConfig",
    "DecreasingProgressSchedule",
    "DecreasingProgressScheduleConfig",
    "IncreasingProgressSchedule",
    "IncreasingProgressScheduleConfig",
    "LinearDecreasingSchedule",
    "LinearDecreasingScheduleConfig",
    "LinearIncreasingSchedule",
    "LinearIncreasingScheduleConfig",
    "PolynomialDecreasingSchedule",
    "PolynomialDecreasingScheduleConfig",
    "PolynomialIncreasingSchedule",
    "PolynomialIncreasingScheduleConfig",
    "ProgressSchedule",
    "ProgressScheduleConfig",
    "between",
    "cosine",
    "linear",
    "polynomial",
]


def linear(step: float, points: float) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, `points - 1`, on a line."""
    return min(1.0, step / max(1, points - 1))


def cosine(step: float, points: float) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, along half a cosine."""
    return (1 - math.cos(math.pi * linear(step, points))) / 2


def polynomial(step: float, points: float, power: float = 1.0) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, as the mirrored power of the line.

    With a `power` above 1 it is steep at first and flat at the end.
    """
    return 1 - math.pow(1 - linear(step, points), power)


def between(start: float, end: float, progress: float) -> float:
    """Return the value between `start` and `end`, which are met exactly at a progress of 0 and 1."""
    value = (1 - progress) * start + progress * end
    return min(max(value, min(start, end)), max(start, end))


class ProgressSchedule(ScheduleBase):
    """From one value to another, along the curve of a subclass.

    - `exclude_first`: begin with what would be the second value of a schedule one step longer
    - `exclude_last`: end with what would be the second to last value
    """

    namespace = "noether.core.schedules"

    exclude_first: bool = field(default=False, kw_only=True)
    exclude_last: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_flag("exclude_first", self.exclude_first)
        require_flag("exclude_last", self.exclude_last)

    def _get_value(self, step: float, total_steps: float) -> float:
        points = total_steps + self.exclude_first + self.exclude_last
        start, end = self._ends()
        return between(start, end, self._progress(step + self.exclude_first, points))

    def _ends(self) -> tuple[float, float]:
        raise NotImplementedError(f"{type(self).__name__} has no ends")

    def _progress(self, step: float, points: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no _progress")


class DecreasingProgressSchedule(ProgressSchedule):
    """From `max_value` down to `end_value`, both at least 0."""

    max_value: float
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_number("end_value", self.end_value)
        if self.end_value > self.max_value:
            raise ValueError(
                f"end_value must be at most max_value, {self.max_value!r}, got {self.end_value!r}"
            )

    def _ends(self) -> tuple[float, float]:
        return self.max_value, self.end_value


class IncreasingProgressSchedule(ProgressSchedule):
    """From `start_value` up to `max_value`, both at least 0."""

    max_value: float
    start_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_number("start_value", self.start_value)
        if self.start_value > self.max_value:
            raise ValueError(
                f"start_value must be at most max_value, {self.max_value!r}, "
                f"got {self.start_value!r}"
            )

    def _ends(self) -> tuple[float, float]:
        return self.start_value, self.max_value


class LinearDecreasingSchedule(DecreasingProgressSchedule):
    """Down a line."""

    def _progress(self, step: float, points: float) -> float:
        return linear(step, points)


class LinearIncreasingSchedule(IncreasingProgressSchedule):
    """Up a line."""

    def _progress(self, step: float, points: float) -> float:
        return linear(step, points)


class CosineDecreasingSchedule(DecreasingProgressSchedule):
    """Down half a cosine."""

    def _progress(self, step: float, points: float) -> float:
        return cosine(step, points)


class CosineIncreasingSchedule(IncreasingProgressSchedule):
    """Up half a cosine."""

    def _progress(self, step: float, points: float) -> float:
        return cosine(step, points)


class PolynomialDecreasingSchedule(DecreasingProgressSchedule):
    """Down a power, above 0; above 1 it is steep at first."""

    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)

    def _progress(self, step: float, points: float) -> float:
        return polynomial(step, points, self.power)


class PolynomialIncreasingSchedule(IncreasingProgressSchedule):
    """Up a power, above 0; above 1 it is steep at first."""

    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)

    def _progress(self, step: float, points: float) -> float:
        return polynomial(step, points, self.power)


ProgressScheduleConfig = ProgressSchedule
DecreasingProgressScheduleConfig = DecreasingProgressSchedule
IncreasingProgressScheduleConfig = IncreasingProgressSchedule
LinearDecreasingScheduleConfig = LinearDecreasingSchedule
LinearIncreasingScheduleConfig = LinearIncreasingSchedule
CosineDecreasingScheduleConfig = CosineDecreasingSchedule
CosineIncreasingScheduleConfig = CosineIncreasingSchedule
PolynomialDecreasingScheduleConfig = PolynomialDecreasingSchedule
PolynomialIncreasingScheduleConfig = PolynomialIncreasingSchedule


# ## Choosing
#
# - The line, `LinearDecreasingSchedule(1, exclude_last=True)`, unless you compare with a run that used another curve.
# - Not the same peak for each. If you change the curve, search for the rate again.
# - `end_value`: 0 for a run that ends, a tenth of the peak for one that may go on.
#
# ## Traps
#
# - **An update that does nothing.** Without `exclude_last` the last update has `end_value`; if that is 0, the
#   batch is computed in vain.
# - **The second name is not the start.** A decreasing curve starts at `max_value`. A `start_value` given to it is an error here, and is
#   silently ignored by noether.
# - **A power below 1 falls off a cliff.** At 99 % of the way the power 0.5 is still at 0.1 of its peak. What
#   the noise has done cannot die out in what is left.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds; the rate of each was searched for, and is 0.003 for all. The line comes to 99.30, 99.36
# and 99.40 %, the power 2 to 99.35, 99.42 and 99.49 %, the cosine to 99.37, 99.42 and 99.43 %. The three cannot be told apart. The
# constant rate can: 98.52, 98.81 and 98.98 %, with twice the loss on the test images, 0.041 against 0.018 to 0.020.
#
# A falling rate is worth half a percent here, and the curve that it falls along is worth nothing that three seeds could show.
#
# ## Exercises
#
# **1.** Which flags make a warm-up of four updates 0.25, 0.5, 0.75, 1, and which 0.2, 0.4, 0.6, 0.8?
#
# ::: solution
# The first leaves out the start, the second both ends.
#
# ```python
# from labml_nn_optim.schedules import LinearIncreasingSchedule
#
#
# def values(**flags):
#     rise = LinearIncreasingSchedule(1, **flags)
#     return [round(rise.get_value(step, 4), 9) for step in range(4)]
#
#
# assert values(exclude_first=True) == [0.25, 0.5, 0.75, 1]
# assert values(exclude_first=True, exclude_last=True) == [0.2, 0.4, 0.6, 0.8]
# ```
# :::
#
# **2.** How many updates at the full rate is each curve worth, in a long run, if it falls to 0?
#
# ::: solution
# The integral of $1 - q$: a half for the line and for the cosine, $1 / (p + 1)$ for the power, a third for $p = 2$ and two thirds for
# $p = 0.5$. That is the order of their best rates, reversed.
# :::
#
# **3.** Show that the line with both flags, between a value and the next schedule's first, has equal steps at
# both joints.
#
# ::: solution
# $x = (t + 1) / (N + 1)$ has the values $1 / (N + 1), \dots, N / (N + 1)$. The value before the first is at 0 and that after the last
# at 1, so all $N + 1$ steps are $1 / (N + 1)$.
# :::

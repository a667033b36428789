r"""
---
title: Shapes of a decay
summary: How a rate comes down, early or late, bent or straight, in one formula with a shape, a power and a bend.
chapter: "9.3"
needs: [schedules/progress]
symbols:
  x: progress
  t: step
---

# (prose to come)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field

from labml_nn_optim.checks import require_choice, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.progress import ProgressSchedule, between, linear

__all__ = ["MEANS", "SHAPES", "RampSchedule", "ShapedSchedule", "descend", "require_shape"]

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "power": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - math.sqrt(x),
    "1-square": lambda x: 1 - x * x,
    "mirror-cosine": lambda x: 2 * (1 - x) - (1 + math.cos(math.pi * x)) / 2,
    "rex": lambda x: (1 - x) / (1 - x / 2),
    "halving": lambda x: 2 * 0.5**x - 1,
}
MEANS: dict[str, float] = {"exponential": 0.0, "inverse": -1.0, "inverse-sqrt": -2.0}


def descend(
    start: float, end: float, progress: float, shape: str = "linear", power: float = 1.0
) -> float:
    """Return the value between `start` and `end` after a part of the way, `progress` from 0 to 1."""
    if shape in MEANS:
        value = power_mean(start, end, progress, MEANS[shape])
        return min(max(value, min(start, end)), max(start, end))
    return between(end, start, SHAPES[shape](progress) ** power)


def power_mean(start: float, end: float, progress: float, exponent: float) -> float:
    """Return the mean of two values above 0 whose powers, or logarithms, lie on a line."""
    if progress in (0, 1):
        return end if progress else start
    if exponent == 0:
        return start * math.pow(end / start, progress)
    line = (1 - progress) * start**exponent + progress * end**exponent
    mean: float = line ** (1 / exponent)
    return mean


class ShapedSchedule(ScheduleBase):
    """What schedules with a choice of shapes have in common.

    - `power`: what the shape is raised to, above 0
    - `bend`: what the progress is raised to, above 0
    """

    power: float = field(default=1.0, kw_only=True)
    bend: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)
        require_number("bend", self.bend, above=0.0)


def require_shape(name: str, shape: str, start: float, end: float, power: float = 1.0) -> None:
    """Raise `ValueError` unless `shape` leads from `start` to `end`.

    A mean, such as the exponential, needs two values above 0, and has no power.
    """
    require_choice(name, shape, (*SHAPES, *MEANS))
    if shape in MEANS and min(start, end) <= 0:
        raise ValueError(
            f"{name} from {start!r} to {end!r} must be one of {', '.join(SHAPES)}, got {shape!r}"
        )
    if shape in MEANS and power != 1.0:
        raise ValueError(f"power must be 1 where {name} is {shape}, got {power!r}")


class RampSchedule(ProgressSchedule, ShapedSchedule):
    r"""From `start_value` to `end_value` in any of the shapes.

    $$
    v = v_\text{end} + (v_\text{start} - v_\text{end})\, r(x^k)^p
    $$

    - `start_value`, `end_value`: at least 0; the second may be the larger one
    - `shape`: one of `SHAPES`, or, between two values above 0, one of `MEANS`
    - `power`, `bend`: $p$ and $k$
    - `exclude_first`, `exclude_last`: as in [ProgressSchedule](progress.py#ProgressSchedule)
    """

    namespace = ""

    start_value: float = field()
    end_value: float = field()
    shape: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("end_value", self.end_value)
        require_shape("shape", self.shape, self.start_value, self.end_value, self.power)

    def _get_value(self, step: float, total_steps: float) -> float:
        points = total_steps + self.exclude_first + self.exclude_last
        progress = linear(step + self.exclude_first, points) ** self.bend
        return descend(self.start_value, self.end_value, progress, self.shape, self.power)

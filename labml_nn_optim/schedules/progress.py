r"""
---
title: Lines, cosines, powers
summary: A value goes from one number to another over the run, along a line, half a cosine or a power.
chapter: "9.2"
needs: [schedules/base]
symbols:
  t: step
  T: points
---

# (prose to come)
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

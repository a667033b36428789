r"""
---
title: Schedules from schedules
summary: One after the other, multiplied, scaled, clipped - and nesting changes no value.
chapter: "9.6"
needs: [schedules/base]
symbols:
  t: step
---

# (prose to come)
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import field

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.values import require_milestones

__all__ = [
    "ClippedSchedule",
    "ProductSchedule",
    "RepeatedSchedule",
    "ScaledSchedule",
    "SequenceSchedule",
    "SpanSchedule",
    "require_schedules",
]


def require_schedule(name: str, value: object) -> None:
    """Raise unless `value` is a schedule that changes with every update.

    Raises:
        TypeError: it is no schedule.
        ValueError: it has another `interval`, which only the outermost schedule may have.
    """
    if not isinstance(value, ScheduleBase):
        raise TypeError(f"{name} must be a schedule, got {value!r}")
    if value.interval != "update":
        raise ValueError(
            f"interval must be given to the outermost schedule, got {value.interval!r} in {name}"
        )


def require_schedules(name: str, values: Sequence[ScheduleBase]) -> tuple[ScheduleBase, ...]:
    """Return `values` as a tuple; raise unless it holds schedules, at least one."""
    if isinstance(values, str | ScheduleBase) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a list of schedules, got {values!r}")
    if not values:
        raise ValueError(f"{name} must be a list of at least one schedule, got []")
    for index, value in enumerate(values):
        require_schedule(f"{name}[{index}]", value)
    return tuple(values)


class SequenceSchedule(ScheduleBase):
    """One schedule after the other, each from its own step 0 on.

    - `schedules`: at least one
    - `milestones`: the steps at which the second, third, ... begin; or
    - `fractions`: the same as fractions of the run, rounded to the nearest step

    A schedule has as many steps as there are up to the next milestone, the last one the rest.
    """

    schedules: Sequence[ScheduleBase]
    milestones: Sequence[int] | None = None
    fractions: Sequence[float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        schedules = require_schedules("schedules", self.schedules)
        object.__setattr__(self, "schedules", schedules)
        if (self.milestones is None) == (self.fractions is None):
            raise ValueError("milestones or fractions must be given, and not both")
        if self.milestones is not None:
            milestones = require_milestones(self.milestones, len(schedules) - 1)
            object.__setattr__(self, "milestones", milestones)
        if self.fractions is not None:
            object.__setattr__(self, "fractions", self._checked_fractions())

    def _checked_fractions(self) -> tuple[float, ...]:
        if isinstance(self.fractions, str) or not isinstance(self.fractions, Iterable):
            raise TypeError(f"fractions must be a list of numbers, got {self.fractions!r}")
        fractions = tuple(self.fractions)
        for index, fraction in enumerate(fractions):
            require_number(f"fractions[{index}]", fraction, maximum=1.0)
        count = len(self.schedules) - 1
        if len(fractions) != count or list(fractions) != sorted(set(fractions)):
            raise ValueError(f"fractions must be {count} rising numbers, got {list(fractions)!r}")
        return fractions

    @property
    def needs_total_steps(self) -> bool:
        """Whether the last schedule does, or the milestones are fractions."""
        last = self.schedules[-1].needs_total_steps
        return self._is_placed or last or bool(self.fractions)

    def _get_value(self, step: float, total_steps: float) -> float:
        starts = self.milestones
        if starts is None:
            starts = [round(fraction * total_steps) for fraction in self.fractions or ()]
        index = bisect.bisect_right(starts, step)
        start = starts[index - 1] if index else 0
        end = starts[index] if index < len(starts) else total_steps
        # A schedule that begins at the end of the run holds its first value.
        return self.schedules[index].get_value(step - start, max(1, end - start))


class ProductSchedule(ScheduleBase):
    """The product of several schedules."""

    schedules: Sequence[ScheduleBase]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "schedules", require_schedules("schedules", self.schedules))

    @property
    def needs_total_steps(self) -> bool:
        """Whether one of them does."""
        return self._is_placed or any(each.needs_total_steps for each in self.schedules)

    def _get_value(self, step: float, total_steps: float) -> float:
        return math.prod(each.get_value(step, total_steps) for each in self.schedules)


class WrapperSchedule(ScheduleBase):
    """One `schedule`, changed."""

    schedule: ScheduleBase

    def __post_init__(self) -> None:
        super().__post_init__()
        require_schedule("schedule", self.schedule)

    @property
    def needs_total_steps(self) -> bool:
        """Whether the schedule does."""
        return self._is_placed or self.schedule.needs_total_steps


class ScaledSchedule(WrapperSchedule):
    """`factor` times a schedule."""

    factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("factor", self.factor, minimum=None)

    def _get_value(self, step: float, total_steps: float) -> float:
        return self.factor * self.schedule.get_value(step, total_steps)


class ClippedSchedule(WrapperSchedule):
    """A schedule, held between `low` and `high`; None is no bound."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                require_number(name, getattr(self, name), minimum=None)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must be at most high, {self.high!r}, got {self.low!r}")

    def _get_value(self, step: float, total_steps: float) -> float:
        value = self.schedule.get_value(step, total_steps)
        value = value if self.low is None else max(self.low, value)
        return value if self.high is None else min(self.high, value)


class SpanSchedule(WrapperSchedule):
    """A schedule, as it is in a run of `steps` steps; after them its last value holds."""

    counts_its_own_steps = True

    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, minimum=1)

    @property
    def needs_total_steps(self) -> bool:
        """No."""
        return self._is_placed

    def _get_value(self, step: float, total_steps: float) -> float:
        return self.schedule.get_value(step, self.steps)


class RepeatedSchedule(SpanSchedule):
    """A schedule as it is in a run of `steps` steps, from the beginning again after every `steps`."""

    def _get_value(self, step: float, total_steps: float) -> float:
        return self.schedule.get_value(step % self.steps, self.steps)

r"""
---
title: A run in parts
summary: A list of schedules, each with the part of the run it rules, in steps or as fractions; missing bounds follow from their neighbours.
chapter: "9.7"
needs: [schedules/combinators]
symbols:
  t: step
  T: total_steps
---

# (prose to come)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase, in_window, percent_bounds
from labml_nn_optim.schedules.combinators import require_schedule

__all__ = [
    "SequentialPercentSchedule",
    "SequentialPercentScheduleConfig",
    "SequentialStepSchedule",
    "SequentialStepScheduleConfig",
]


@dataclass(frozen=True)
class SequentialPercentScheduleConfig:
    """A schedule and the part of the run it rules, as fractions; None follows from the neighbours."""

    schedule: ScheduleBase
    start_percent: float | None = None
    end_percent: float | None = None

    def __post_init__(self) -> None:
        require_schedule("schedule", self.schedule)
        for name in ("start_percent", "end_percent"):
            if getattr(self, name) is not None:
                require_number(name, getattr(self, name), maximum=1.0)


@dataclass(frozen=True)
class SequentialStepScheduleConfig:
    """A schedule and the part of the run it rules, in steps; None follows from the neighbours."""

    schedule: ScheduleBase
    start_step: int | None = None
    end_step: int | None = None

    def __post_init__(self) -> None:
        require_schedule("schedule", self.schedule)
        for name in ("start_step", "end_step"):
            if getattr(self, name) is not None:
                require_count(name, getattr(self, name))


def fill_bounds(parts: list[Any], start: str, end: str, last: float | None) -> tuple[Any, ...]:
    """Return the parts with the bounds that are missing, found from those of their neighbours.

    - `start`, `end`: the names of the bounds
    - `last`: where the last part ends unless it says so

    Raises `ValueError` where two bounds that touch are missing, and where bounds do not rise.
    """

    def fill(index: int, name: str, value: float | None) -> None:
        if getattr(parts[index], name) is None:
            parts[index] = replace(parts[index], **{name: value})

    fill(0, start, 0)
    for index in range(1, len(parts)):
        fill(index, start, getattr(parts[index - 1], end))
    for index in range(len(parts) - 1):
        fill(index, end, getattr(parts[index + 1], start))
    fill(len(parts) - 1, end, last)
    require_rising(parts, (start, end))
    return tuple(parts)


def require_rising(parts: Sequence[Any], names: Sequence[str]) -> None:
    """Raise `ValueError` unless all bounds are known and none lies before the one before it.

    The very last may be unknown.
    """
    bounds = [
        (f"schedule_configs[{index}].{name}", getattr(part, name))
        for index, part in enumerate(parts)
        for name in names
    ]
    known = 0.0
    for name, value in bounds:
        if value is None:
            if name != bounds[-1][0]:
                raise ValueError(f"{name} must be given, as no neighbour tells it")
        elif value < known:
            raise ValueError(f"{name} must be at least the bound before, {known!r}, got {value!r}")
        else:
            known = value


class SequentialSchedule(ScheduleBase):
    """What both kinds have in common.

    - `schedule_configs`: the schedules with their parts of the run
    """

    namespace = "noether.core.schedules"
    entry: ClassVar[type]

    schedule_configs: Sequence[Any]

    def _checked(self, start: str, end: str, last: float | None) -> tuple[Any, ...]:
        parts = self.schedule_configs
        if isinstance(parts, str) or not isinstance(parts, Sequence):
            raise TypeError(f"schedule_configs must be a list, got {parts!r}")
        if not parts:
            raise ValueError("schedule_configs must hold at least one schedule, got []")
        for index, part in enumerate(parts):
            if not isinstance(part, self.entry):
                raise TypeError(
                    f"schedule_configs[{index}] must be a {self.entry.__name__}, got {part!r}"
                )
        return fill_bounds(list(parts), start, end, last)

    def _part_of(self, step: float, starts: Sequence[float]) -> int:
        """Return the number of the last part that has begun, 0 before all have."""
        return max((index for index, start in enumerate(starts) if start <= step), default=0)


class SequentialPercentSchedule(SequentialSchedule):
    """Schedules in parts of the run, given as fractions."""

    entry = SequentialPercentScheduleConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self._checked("start_percent", "end_percent", 1.0)
        object.__setattr__(self, "schedule_configs", parts)

    def _get_value(self, step: float, total_steps: float) -> float:
        bounds = [
            percent_bounds(part.start_percent, part.end_percent, total_steps)
            for part in self.schedule_configs
        ]
        index = self._part_of(step, [start for start, _ in bounds])
        schedule: ScheduleBase = self.schedule_configs[index].schedule
        return schedule.get_value(*in_window(step, *bounds[index]))


class SequentialStepSchedule(SequentialSchedule):
    """Schedules in parts of the run, given in steps; a last part without an end goes to the run's."""

    entry = SequentialStepScheduleConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self._checked("start_step", "end_step", None)
        object.__setattr__(self, "schedule_configs", parts)

    @property
    def needs_total_steps(self) -> bool:
        """Whether the last part goes to the end of the run."""
        return self._is_placed or self.schedule_configs[-1].end_step is None

    def _get_value(self, step: float, total_steps: float) -> float:
        starts = [part.start_step for part in self.schedule_configs]
        part = self.schedule_configs[self._part_of(step, starts)]
        end = total_steps if part.end_step is None else part.end_step
        schedule: ScheduleBase = part.schedule
        return schedule.get_value(*in_window(step, part.start_step, end))

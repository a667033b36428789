r"""
---
title: A run in parts
summary: A list of schedules, each with the part of the run it rules, in steps or as fractions; missing bounds follow from their neighbours.
chapter: "9.7"
needs: [schedules/combinators]
symbols:
  t: step
  T: total_steps
verified_against:
  implementation: warm-up and cosine of noether, which are two such parts
  difference: 0 over 13 steps
---

# A tenth of the run, or a third

A plan has a warm-up of 100 steps and then a cosine. It was written for 1000 steps. For a quick look somebody
runs it for 300, and then for 50:

| run | warm-up | value in the middle | last value |
|---|---:|---:|---:|
| 1000 steps | 10 % | 0.586 | 0 |
| 300 steps | 33 % | 0.852 | 0 |
| 50 steps | 200 % | 0.253 | 0.495 |

The last run never leaves its warm-up. No error says so: a part of 100 steps is a part of 100 steps.
Written as the first tenth, the same plan has 0.585, 0.581 and 0.552 in the middle and ends at 0 three times.

Both ways are needed. A warm-up often has a length of its own, because the averages of Adam need it,
and then steps are right. A decay belongs to the run, and then fractions are.

## The rule

A part $i$ rules from $a_i$ to $b_i$. It has $N_i = b_i - a_i$ steps. At step $t$ the last part with $a_i \le t$ rules. It counts its own steps,
and stands still at its last one where it is over:

$$
s(t) = s_i\big(\min(t - a_i,\; N_i - 1),\; N_i\big)
$$

So a gap between two parts has the last value of the first. So does what comes after the end. Before the first part its first value holds. A
part without a step is passed over.

A fraction $p$ is the step $\lfloor p\, (T - 1) \rfloor$, and an end of 1 is $T$. The floor and the $T - 1$ are noether's,
kept so that its configurations give its numbers.

## Bounds that are not given

Most bounds say what another one has said already. `None` takes it from there:

- the first part starts at 0, and the last one ends with the run;
- a start is the end of the part before;
- an end is the start of the part after.

```python
SequentialPercentSchedule(
    [
        SequentialPercentScheduleConfig(rise, end_percent=0.1),
        SequentialPercentScheduleConfig(hold),
        SequentialPercentScheduleConfig(fall, start_percent=0.7),
    ]
)
```

Here `hold` rules from 0.1 to 0.7. If `fall` had no start either, nobody would know where `hold` ends:
that is an error. So are bounds that do not rise. Equal ones are allowed.

The filled-in bounds stand in `schedule_configs`. The entries that were passed in stay as they were;
noether writes into them, and a second sequence made of the same entries starts from what the first one wrote.

## Conventions

- **noether** has both classes. Its percent class takes no overhang, its step class does; here both
  do. A last part without a step fails there at $t = T$, and an `end_step` of 0 counts as not
  given.
- **[SequenceSchedule](combinators.py#SequenceSchedule)** does nearly the same, and is shorter where parts follow each
  other without gaps. Two things differ. It rounds fractions of $T$ to the nearest step. And it does not stop a
  part at its last step: in a gap, a line with `exclude_last` goes on from 0.75 to 1. Here it stays at 0.75.
- The same fraction, in steps: 0.5 of 10 steps is step 4 here and step 5 there, 0.1 of 100 is 9 and 10.
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


# ## Choosing
#
# - Fractions, unless a part has a reason to be so many steps long.
# - A warm-up in steps before a decay in fractions cannot be had in one list. It can be had with
#   [SequenceSchedule](combinators.py#SequenceSchedule) in steps, the decay being the last part, which takes
#   the rest.
# - For a warm-up and one decay take [a class](warmup.py) that has both.
#
# ## Traps
#
# - **A peak twice.** A line up to 1 and a cosine from 1 down share a boundary: without
#   `exclude_last=True` on the line, two steps in a row have the value 1.
# - **A short run has short parts.** A tenth of 10 steps is $\lfloor 0.1 \cdot 9 \rfloor = 0$ steps: the warm-up
#   is gone, without a word.
#
# ## Exercises
#
# **1.** Three parts: up over the first 20 steps, flat, and down from step 80 on, in a run of 100. Give as few bounds
# as you can.
#
# ::: solution
# Two: the end of the first and the start of the last.
#
# ```python
# from labml_nn_optim.schedules import (
#     ConstantSchedule,
#     LinearDecreasingSchedule,
#     LinearIncreasingSchedule,
#     SequentialStepSchedule,
#     SequentialStepScheduleConfig,
# )
#
# schedule = SequentialStepSchedule(
#     [
#         SequentialStepScheduleConfig(LinearIncreasingSchedule(1), end_step=20),
#         SequentialStepScheduleConfig(ConstantSchedule(1)),
#         SequentialStepScheduleConfig(LinearDecreasingSchedule(1), start_step=80),
#     ]
# )
# values = [schedule.get_value(step, 100) for step in range(100)]
# assert values[0] == 0 and values[19] == values[50] == values[80] == 1 and values[99] == 0
# assert schedule.schedule_configs[1].start_step == 20
# ```
# :::
#
# **2.** A part with `exclude_last=True` is followed by a gap. Which value does the gap have?
#
# ::: solution
# That of the part's last step, $N - 1$, which is not yet its end value. A line from 0 to 1 over four steps has
# 0, 0.25, 0.5, 0.75, and the gap 0.75. Without the flag it is 0, 0.33, 0.67, 1, and the gap 1.
# :::
#
# **3.** For which $T$ does a warm-up of 5 % have at least 100 steps?
#
# ::: solution
# $\lfloor 0.05\, (T - 1) \rfloor \ge 100$, so $T \ge 2001$.
#
# ```python
# from labml_nn_optim.schedules.base import percent_bounds
#
# assert percent_bounds(0.0, 0.05, 2000)[1] == 99
# assert percent_bounds(0.0, 0.05, 2001)[1] == 100
# ```
# :::

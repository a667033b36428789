r"""
---
title: Schedules from schedules
summary: One schedule after another, their product, a multiple, a clipped one; how they are nested changes no value.
chapter: "9.6"
needs: [schedules/base]
symbols:
  t: step
  T: total_steps
---

# The same plan, bracketed in two ways

A line up over 3 steps, a constant over 3, then a cosine that comes down over 4. In torch that is one
`SequentialLR` of three schedulers, or one inside another. Torch 2.14.1 writes these learning rates:

| written as | $t = 0, 1, 2, \dots$ |
|---|---|
| line, constant, cosine | 0.25, 0.5, **0.75**, 1, 1, 1, 1, 0.85, 0.5, 0.15, 0 |
| (line, constant), cosine | 0.25, 0.5, **1**, 1, 1, 1, 1, 0.85, 0.5, 0.15, 0 |
| line, (constant, cosine) | 0.25, 0.5, 0.75, then `NotImplementedError` |

In torch they do matter, as a [wrapper](base.py) does, because each of its schedulers has a counter of its own and
computes the next rate from the one before. The composite has to move, stop and rewind the counters of its
parts, and it does not know all that the parts do.

Here the three are the same to the last bit:

```python
line.then(constant, after=3).then(cosine, after=6)
line.then(constant.then(cosine, after=3), after=3)
SequenceSchedule([line, constant, cosine], milestones=[3, 6])
```

## The rule

$n_1, n_2, \dots$ are the milestones. A schedule is a function $s(t, T)$. So a schedule made of others is an expression, and has no state either:

| combinator | value |
|---|---|
| [SequenceSchedule](#SequenceSchedule), `a.then(b, after=n)` | $s_i(t - n_i,\; n_{i+1} - n_i)$ for $n_i \le t < n_{i+1}$ |
| [ProductSchedule](#ProductSchedule), `a * b` | $s_1(t, T) \, s_2(t, T) \cdots$ |
| [ScaledSchedule](#ScaledSchedule), `a.scale(c)` | $c \, s(t, T)$ |
| [ClippedSchedule](#ClippedSchedule), `a.clip(low, high)` | $\min(\max(s(t, T), \text{low}), \text{high})$ |
| [SpanSchedule](#SpanSchedule), `a.over(n)` | $s(t, n)$ |
| [RepeatedSchedule](#RepeatedSchedule) | $s(t \bmod n,\; n)$ |

In a sequence each part is told its own time, $t - n_i$, and its own length, $n_{i+1} - n_i$. For the last one that
is what is left of the run. That is why brackets do not matter: the
part from $n_i$ to $n_{i+1}$ gets the same two numbers, whoever computes them.
A sequence inside a sequence sees its slot as its whole run.

## One after the other, or times each other

There are two ways to put a warm-up of $W$ steps before a cosine.

- **Sequence.** The cosine starts at $t = W$ and has $T - W$ steps. The rate meets its peak at $W$.
- **Product.** The cosine starts at $t = 0$, and the warm-up multiplies it. At $t = W$ the cosine is
  already down. For $T = 100$, a line $t / W$ with $W = 20$ and a cosine that ends at $T - 1$, the largest value is 0.903 instead of 1, and at step 42 the product is
  0.2 below the sequence.

The product needs no milestone, and its factors do not know of each other. It suits a warm-up that is
added to something finished. If the peak is to be the peak, take the sequence.

## Conventions

- **Time in a part** starts at 0 in torch, Cerebras, optax (`join_schedules`) and here. It does not in torch's
  `ChainedScheduler` and in products: all factors share one $t$.
- **A part that is shorter than its slot** holds its last value until the next one begins, here and in
  Cerebras. One that is longer is cut.
- **Products** are plain in torch, which multiplies factors, and here. They are relative in Cerebras: each further scheduler
  contributes what it has changed since its own start.
- **Fractions** of the run are rounded to the nearest step. noether rounds them down, and counts the run
  without its last step: see [A run in parts](sequential.py).
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
        # A schedule that begins at the end of the run or later is one of a run of one step.
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


# ## Choosing
#
# - `then`, if there is a natural order: warm-up, plateau, decay. For the usual ones there are classes:
#   [Warm-up and decay](warmup.py), [Warm-up, stable, decay](wsd.py).
# - `milestones`, if a part has a length that the hardware or the data decide, such as a warm-up;
#   `fractions`, if it is to grow with the run.
# - `over`, if a part has a length of its own that is not that of its slot.
# - `scale`, to write a shape once with the peak 1, and to use it for several rates.
#
# ## Traps
#
# - **A part ends one step early.** A line from 0 to 1 in a slot of three steps is 0, 0.5, 1, and the next part
#   begins with 1 again. Use `exclude_last=True` where the next part has the end value:
#   0, 0.333, 0.667, then 1.
# - **Everything after `over` is held.** `cosine.over(100)` in a run of 1000 steps is 0 for 900 of them.
# - **A clip is not a floor.** `cosine.clip(0.1)` follows the cosine and then stays at 0.1;
#   `CosineDecreasingSchedule(1, end_value=0.1)` bends the whole curve. At 90 % of the way the first is at 0.1, the second at 0.122.
# - **`interval="epoch"` inside of another schedule is refused.** Only the outermost one can be
#   held for an epoch.
#
# ## Exercises
#
# **1.** Write a warm-up of 10 steps from 0, a cosine from 1 to 0.1 over 80 and a constant 0.1 for the rest. Check that
# nothing jumps by more than 0.1.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import (
#     ConstantSchedule,
#     CosineDecreasingSchedule,
#     LinearIncreasingSchedule,
#     SequenceSchedule,
# )
#
# schedule = SequenceSchedule(
#     [
#         LinearIncreasingSchedule(1, exclude_first=True, exclude_last=True),
#         CosineDecreasingSchedule(1, end_value=0.1),
#         ConstantSchedule(0.1),
#     ],
#     milestones=[10, 90],
# )
# values = [schedule.get_value(step, 100) for step in range(100)]
# assert values[10] == 1 and values[89] == values[90] == values[99] == 0.1
# assert max(abs(a - b) for a, b in zip(values, values[1:])) < 0.1
# ```
# :::
#
# **2.** Show that `a.then(b, after=m).then(c, after=n)` and `a.then(b.then(c, after=n - m), after=m)` are equal for
# $m < n$.
#
# ::: solution
# Take $t < m$: both hand $a$ the pair $(t, m)$. Take $m \le t < n$: on the left the outer sequence hands the inner one
# $(t, n)$, and that hands $b$ the pair $(t - m, n - m)$. On the right the outer one hands $(t - m, T - m)$ on, and
# the inner one finds $t - m < n - m$ and hands $b$ the same pair. Take $t \ge n$: $c$ gets
# $(t - n, T - n)$ on the left, and $((t - m) - (n - m), (T - m) - (n - m))$ on the right.
# :::
#
# **3.** Why can a product of two schedules that fall be worse than either?
#
# ::: solution
# It falls faster: two lines to zero give $(1 - x)^2$, which has used up 70 % of the sum of its rates after a
# third of the run. If both lines were meant to be "the" decay, the rate is too small for most of the run.
# ```python
# from labml_nn_optim.schedules import LinearDecreasingSchedule
#
# line = LinearDecreasingSchedule(1)
# values = [(line * line).get_value(step, 300) for step in range(300)]
# assert abs(sum(values[:100]) / sum(values) - 0.70) < 0.01
# ```
# :::

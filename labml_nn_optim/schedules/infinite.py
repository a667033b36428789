r"""
---
title: An end on demand
summary: A rate that can be held for as long as the data last, and brought down at any moment from where it is.
chapter: "9.11"
needs: [schedules/wsd]
symbols:
  t: step
---

# (prose to come)
"""

from __future__ import annotations

from dataclasses import field

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.schedules.combinators import WrapperSchedule
from labml_nn_optim.schedules.ramp import ShapedSchedule, descend, require_shape
from labml_nn_optim.schedules.warmup import WarmupSchedule, length, require_length

__all__ = ["CooldownSchedule", "InfiniteSchedule"]


class InfiniteSchedule(WarmupSchedule):
    """A warm-up to `max_value`, a first decay to `constant_value`, and no end.

    - `constant_value`: at most `max_value`
    - `cooldown_steps`, or `cooldown_percent`: the length of the first decay in steps, or as a fraction
      of the run
    - `cooldown_shape`: its [shape](ramp.py#RampSchedule)
    """

    constant_value: float = field(kw_only=True)
    cooldown_steps: int | None = field(default=None, kw_only=True)
    cooldown_percent: float | None = field(default=None, kw_only=True)
    cooldown_shape: str = field(default="cosine", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("constant_value", self.constant_value, maximum=self.max_value)
        require_length(self, "cooldown")
        require_shape("cooldown_shape", self.cooldown_shape, self.max_value, self.constant_value)

    @property
    def needs_total_steps(self) -> bool:
        """Whether something is a fraction of the run."""
        lengths = (self.warmup_percent, self.cooldown_percent)
        return self._is_placed or any(each is not None for each in lengths)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        cooldown = (
            length(self, "cooldown", steps + warmup)
            if self.needs_total_steps
            else self.cooldown_steps or 0
        )
        progress = 1.0 if step >= cooldown else step / cooldown
        return descend(self.max_value, self.constant_value, progress, self.cooldown_shape)


class CooldownSchedule(WrapperSchedule, ShapedSchedule):
    """A schedule up to step `start`; from there down from whatever value it has.

    - `start`: the first step of the decay, which still has the schedule's value
    - `steps`: its length, at least 1
    - `end_value`: where it leads
    - `tail`: the [shape](ramp.py#RampSchedule), with `power` and `bend`
    """

    start: int
    steps: int
    end_value: float = field(default=0.0, kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("start", self.start)
        require_count("steps", self.steps, minimum=1)
        require_number("end_value", self.end_value)
        require_shape("tail", self.tail, 1.0, self.end_value, self.power)

    def _get_value(self, step: float, total_steps: float) -> float:
        value = self.schedule.get_value(min(step, self.start), total_steps)
        if step <= self.start:
            return value
        progress = min(1.0, (step - self.start) / self.steps) ** self.bend
        return descend(value, self.end_value, progress, self.tail, self.power)

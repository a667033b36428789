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
from labml_nn_optim.schedules.warmup import length, require_length
from labml_nn_optim.schedules.wsd import LateDecaySchedule

__all__ = ["CooldownSchedule", "InfiniteSchedule"]


class InfiniteSchedule(LateDecaySchedule):
    """A warm-up to `max_value`, a first decay to `constant_value`, and no end unless one is asked for.

    - `constant_value`: at most `max_value`
    - `cooldown_steps`, or `cooldown_percent`: the length of the first decay in steps, or as a fraction
      of the run
    - `cooldown_shape`: its [shape](ramp.py#RampSchedule)
    - `decay_steps`, `decay_percent`, `tail`, `end_value`: as in [WSDSchedule](wsd.py#WSDSchedule), but
      there is no decay at the end unless its length is given
    """

    constant_value: float = field(kw_only=True)
    cooldown_steps: int | None = field(default=None, kw_only=True)
    cooldown_percent: float | None = field(default=None, kw_only=True)
    cooldown_shape: str = field(default="cosine", kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("constant_value", self.constant_value, maximum=self.max_value)
        require_length(self, "cooldown")
        require_shape("cooldown_shape", self.cooldown_shape, self.max_value, self.constant_value)
        require_shape("tail", self.tail, self.constant_value, self.end_value, self.power)

    @property
    def needs_total_steps(self) -> bool:
        """Whether something ends with the run, or is a fraction of it."""
        return super().needs_total_steps or self.cooldown_percent is not None

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        cooldown = length(self, "cooldown", steps + warmup)
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
        require_shape("tail", self.tail, value, self.end_value, self.power)
        progress = min(1.0, (step - self.start) / self.steps) ** self.bend
        return descend(value, self.end_value, progress, self.tail, self.power)

r"""
---
title: Warm-up and decay
summary: The rate rises first, then falls to the end of the run; three ways to count the first step are in use, and two to count the last.
chapter: "9.8"
needs: [schedules/ramp]
symbols:
  t: step
  T: total_steps
  W: warmup
---

# (prose to come)
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from labml_nn_optim.checks import require_choice, require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.progress import between, cosine, linear
from labml_nn_optim.schedules.ramp import ShapedSchedule, descend, require_shape

__all__ = [
    "CONVENTIONS",
    "ENDS",
    "WARMUP_STARTS",
    "LinearToZeroSchedule",
    "LinearWarmupCosineDecaySchedule",
    "LinearWarmupCosineDecayScheduleConfig",
    "WarmupDecaySchedule",
    "WarmupSchedule",
    "require_length",
]

# How the progress of the warm-up is counted: what is added to the step, and what to its length.
WARMUP_STARTS: dict[str, tuple[int, int]] = {
    "(t+1)/(W+1)": (1, 1),
    "(t+1)/W": (1, 0),
    "t/W": (0, 0),
}

# How many steps after the last one of the run the end value is reached.
ENDS = {"last": 0, "after": 1}

CONVENTIONS: dict[str, dict[str, Any]] = {
    "noether": {"warmup_start": "(t+1)/(W+1)", "end": "last"},
    "torch": {"warmup_start": "t/W", "end": "after"},
    "torchtitan": {"warmup_start": "(t+1)/W", "end": "after"},
}


def require_length(owner: ScheduleBase, name: str) -> None:
    """Raise unless at most one of `<name>_steps` and `<name>_percent` is given, and it is allowed.

    Raises:
        TypeError: steps are no whole number.
        ValueError: both are given, steps are below 0, or the fraction is not between 0 and 1.
    """
    steps, percent = getattr(owner, f"{name}_steps"), getattr(owner, f"{name}_percent")
    if steps is not None:
        require_count(f"{name}_steps", steps)
    if percent is not None:
        require_number(f"{name}_percent", percent, maximum=1.0)
    if steps is not None and percent is not None:
        raise ValueError(f"{name}_steps must be None when {name}_percent is given, got {steps!r}")


def length(owner: ScheduleBase, name: str, total_steps: float) -> float:
    """Return `<name>_steps`, or `<name>_percent` of the run to the nearest step, or 0."""
    steps, percent = getattr(owner, f"{name}_steps"), getattr(owner, f"{name}_percent")
    if percent is not None:
        steps = round(percent * total_steps)
    return steps or 0


class WarmupSchedule(ScheduleBase):
    """A warm-up, followed by what a subclass says.

    - `max_value`: where the warm-up leads
    - `warmup_steps`, or `warmup_percent`: its length in steps, or as a fraction of the run; none if
      neither is given
    - `start_value`: where it begins
    - `warmup_shape`: the shape of a [decay](ramp.py), read backwards
    - `warmup_start`: one of `WARMUP_STARTS`; if it is not given, `"t/W"` after a `start_value` above 0,
      which is worth a step, and else `"(t+1)/(W+1)"`
    - `end`: whether the last step of the run has the end value (`"last"`), or the one after it
      (`"after"`)
    """

    max_value: float
    warmup_steps: int | None = field(default=None, kw_only=True)
    warmup_percent: float | None = field(default=None, kw_only=True)
    start_value: float = field(default=0.0, kw_only=True)
    warmup_shape: str = field(default="linear", kw_only=True)
    warmup_start: str | None = field(default=None, kw_only=True)
    end: str = field(default="after", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_length(self, "warmup")
        require_number("start_value", self.start_value)
        if self.start_value > self.max_value:
            raise ValueError(
                f"start_value must be at most max_value, {self.max_value!r}, "
                f"got {self.start_value!r}"
            )
        require_shape("warmup_shape", self.warmup_shape, self.max_value, self.start_value)
        if self.warmup_start is not None:
            require_choice("warmup_start", self.warmup_start, WARMUP_STARTS)
        require_choice("end", self.end, ENDS)

    def _get_value(self, step: float, total_steps: float) -> float:
        warmup = self._warmup(total_steps)
        if warmup > total_steps:
            raise ValueError(
                f"warmup_steps must be at most total_steps, {total_steps!r}, got {warmup!r}"
            )
        if step < warmup:
            return self._rise(step, warmup)
        return self._get_value_after(step - warmup, total_steps - warmup, warmup)

    def _warmup(self, total_steps: float) -> float:
        return length(self, "warmup", total_steps)

    def _rise(self, step: float, warmup: float) -> float:
        usual = "t/W" if self.start_value else "(t+1)/(W+1)"
        first, more = WARMUP_STARTS[self.warmup_start or usual]
        progress = min(1.0, (step + first) / (warmup + more))
        return descend(self.max_value, self.start_value, 1 - progress, self.warmup_shape)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        """Return the value `step` steps after the warm-up, of which there are `steps`."""
        raise NotImplementedError(f"{type(self).__name__} has no _get_value_after")


class LinearWarmupCosineDecaySchedule(WarmupSchedule):
    """A line up to `max_value`, then half a cosine down to `end_value`.

    One of `warmup_steps` and `warmup_percent` must be given. The fraction is rounded down, and taken of
    the steps without the last.
    """

    namespace = "noether.core.schedules"

    end_value: float = field(default=1e-6, kw_only=True)
    end: str = field(default="last", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps is self.warmup_percent is None:
            raise ValueError("warmup_steps or warmup_percent must be given")
        require_number("end_value", self.end_value, maximum=self.max_value)

    def _warmup(self, total_steps: float) -> float:
        if self.warmup_percent is None:
            return super()._warmup(total_steps)
        return int((total_steps - 1) * self.warmup_percent)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        return between(self.max_value, self.end_value, cosine(step, steps + ENDS[self.end]))


class WarmupDecaySchedule(WarmupSchedule, ShapedSchedule):
    """A warm-up, then down to `end_value` in any shape.

    - `tail`: the [shape](ramp.py#RampSchedule), with `power` and `bend`
    """

    tail: str = field(default="cosine", kw_only=True)
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("end_value", self.end_value)
        require_shape("tail", self.tail, self.max_value, self.end_value, self.power)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        return self._fall(self.max_value, step, steps)

    def _fall(self, start: float, step: float, steps: float) -> float:
        """Return the value `step` steps after the decay from `start` has begun, which lasts `steps`."""
        progress = linear(step, steps + ENDS[self.end]) ** self.bend
        return descend(start, self.end_value, progress, self.tail, self.power)


class LinearToZeroSchedule(WarmupDecaySchedule):
    """A warm-up, then a line down to exactly 0."""

    tail: str = field(default="linear", kw_only=True)


LinearWarmupCosineDecayScheduleConfig = LinearWarmupCosineDecaySchedule

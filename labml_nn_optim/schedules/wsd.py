r"""
---
title: Warm-up, stable, decay
summary: The rate stays at its peak for most of the run and falls at the end, so that the end can be decided late.
chapter: "9.9"
needs: [schedules/warmup]
symbols:
  t: step
  T: total_steps
  W: warmup
  D: decay
---

# (prose to come)
"""

from __future__ import annotations

import math
from dataclasses import field

from labml_nn_optim.schedules.warmup import WarmupDecaySchedule, length, require_length

__all__ = ["LateDecaySchedule", "TriStageSchedule", "WSDSchedule"]


class LateDecaySchedule(WarmupDecaySchedule):
    """A warm-up, then what a subclass says, then a decay over the last steps of the run.

    - `decay_steps`, or `decay_percent`: the length of the decay in steps, or as a fraction of the run;
      none if neither is given
    """

    decay_steps: int | None = field(default=None, kw_only=True)
    decay_percent: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_length(self, "decay")
        total = (self.warmup_percent or 0) + (self.decay_percent or 0)
        if total > 1 + 1e-9:
            raise ValueError(
                f"warmup_percent and decay_percent must be at most 1 together, got {total!r}"
            )

    @property
    def needs_total_steps(self) -> bool:
        """Whether something ends with the run, or is a fraction of it."""
        lengths = (self.warmup_percent, self.decay_percent, self.decay_steps)
        return self._is_placed or any(each is not None for each in lengths)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        decay = length(self, "decay", steps + warmup)
        if None not in (self.warmup_percent, self.decay_percent):
            # Both may have been rounded up.
            decay = min(decay, steps)
        if decay > steps:
            raise ValueError(
                f"decay_steps must be at most the {steps!r} steps after the warm-up, got {decay!r}"
            )
        begun = step - (steps - decay) if decay else -math.inf
        value = self._get_value_before_decay(step - max(0, begun), steps, warmup)
        return self._fall(value, begun, decay) if begun > 0 else value

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        """Return the value `step` steps after the warm-up, if there were no decay."""
        raise NotImplementedError(f"{type(self).__name__} has no _get_value_before_decay")


class WSDSchedule(LateDecaySchedule):
    """A warm-up, then `max_value`, then a decay over the last steps of the run.

    - `decay_percent`: 0.2 if no length of the decay is given
    """

    max_value: float = 1.0
    tail: str = field(default="1-sqrt", kw_only=True)

    def __post_init__(self) -> None:
        if self.decay_steps is None and self.decay_percent is None:
            object.__setattr__(self, "decay_percent", 0.2)
        super().__post_init__()

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        return self.max_value


class TriStageSchedule(WSDSchedule):
    """From a hundredth up a line, hold, then down an exponential to a hundredth.

    - `start_value`, `end_value`: a hundredth of `max_value` if not given
    """

    start_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    end_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    tail: str = field(default="exponential", kw_only=True)

    def __post_init__(self) -> None:
        for name in ("start_value", "end_value"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.max_value / 100)
        super().__post_init__()

r"""
---
title: Rates that need no end
summary: A rate that falls like a power of time is right at every length of the run, and nearly so at each.
chapter: "9.10"
needs: [schedules/warmup]
symbols:
  t: step
  W: warmup
  \tau: timescale
---

# (prose to come)
"""

from __future__ import annotations

from dataclasses import field

from labml_nn_optim.checks import require_number
from labml_nn_optim.schedules.warmup import WarmupDecaySchedule, length, require_length

__all__ = ["InverseSqrtSchedule", "PowerSchedule"]


class PowerSchedule(WarmupDecaySchedule):
    r"""A warm-up, then a power of time, and, if asked for, a decay over the last steps.

    $$v = v_\text{max} \left(\frac{t - W + \tau}{\tau}\right)^{b}, \qquad t \ge W$$

    - `exponent`: $b$, at most 0
    - `timescale`: $\tau$, above 0; $W$, or 1 without a warm-up, if not given
    - `decay_steps`, or `decay_percent`: the length of the decay in steps, or as a fraction of the run;
      none if neither is given
    """

    exponent: float = field(default=-0.51, kw_only=True)
    timescale: float | None = field(default=None, kw_only=True)
    decay_steps: int | None = field(default=None, kw_only=True)
    decay_percent: float | None = field(default=None, kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("exponent", self.exponent, minimum=None, maximum=0.0)
        if self.timescale is not None:
            require_number("timescale", self.timescale, above=0.0)
        require_length(self, "decay")

    @property
    def needs_total_steps(self) -> bool:
        """Whether something ends with the run, or is a fraction of it."""
        lengths = (self.warmup_percent, self.decay_percent, self.decay_steps)
        return self._is_placed or any(each is not None for each in lengths)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        decay = length(self, "decay", steps + warmup) if self.needs_total_steps else 0
        stable = steps - decay
        if stable < 0:
            raise ValueError(
                f"decay_steps must be at most the {steps!r} steps after the warm-up, got {decay!r}"
            )
        timescale = self.timescale or warmup or 1
        value: float = (
            self.max_value * ((min(step, stable) + timescale) / timescale) ** self.exponent
        )
        return self._fall(value, step - stable, decay) if decay and step > stable else value


class InverseSqrtSchedule(PowerSchedule):
    r"""A warm-up, then $1 / \sqrt t$."""

    exponent: float = field(default=-0.5, kw_only=True)

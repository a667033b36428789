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

import math
from dataclasses import field

from labml_nn_optim.checks import require_number
from labml_nn_optim.schedules.wsd import LateDecaySchedule

__all__ = ["InverseSqrtSchedule", "PowerSchedule"]


class PowerSchedule(LateDecaySchedule):
    r"""A warm-up, then a power of time, and, if asked for, a decay over the last steps.

    $$v = v_\text{max} \left(\frac{t - W + \tau}{\tau}\right)^{b}, \qquad t \ge W$$

    - `exponent`: $b$, at most 0
    - `timescale`: $\tau$, above 0; $W$, or 1 without a warm-up, if not given
    - `decay_steps`, `decay_percent`, `tail`, `end_value`: as in [WSDSchedule](wsd.py#WSDSchedule), but
      there is no decay unless its length is given
    """

    exponent: float = field(default=-0.51, kw_only=True)
    timescale: float | None = field(default=None, kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("exponent", self.exponent, minimum=None, maximum=0.0)
        if self.timescale is not None:
            require_number("timescale", self.timescale, above=0.0)

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        timescale = self.timescale or warmup or 1
        return self.max_value * math.pow((step + timescale) / timescale, self.exponent)


class InverseSqrtSchedule(PowerSchedule):
    r"""A warm-up, then $1 / \sqrt t$."""

    exponent: float = field(default=-0.5, kw_only=True)

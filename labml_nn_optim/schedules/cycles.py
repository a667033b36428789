r"""
---
title: Cycles and restarts
summary: The rate goes up again, once or over and over - on purpose.
chapter: "9.12"
needs: [schedules/progress, schedules/warmup]
symbols:
  t: step
---

# (prose to come)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field

from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.progress import between
from labml_nn_optim.schedules.ramp import descend
from labml_nn_optim.schedules.warmup import ENDS

__all__ = [
    "CosineAnnealingSchedule",
    "CyclicSchedule",
    "OneCycleSchedule",
    "PolynomialCycleSchedule",
    "SGDRSchedule",
]


class CosineAnnealingSchedule(ScheduleBase):
    """Half a cosine down over `period` steps, half a cosine up over the next, and so on.

    - `end_value`: the value after `period` steps
    """

    counts_its_own_steps = True

    max_value: float
    period: int
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_count("period", self.period, minimum=1)
        require_number("end_value", self.end_value)

    def _get_value(self, step: float, total_steps: float) -> float:
        progress = (1 - math.cos(math.pi * step / self.period)) / 2
        return between(self.max_value, self.end_value, progress)


class SGDRSchedule(ScheduleBase):
    """Half a cosine down over `period` steps, and again from the top.

    - `multiplier`: how many times as long each period is as the one before, at least 1
    - `end_value`: what each period leads to; the next one begins instead
    - `decay`: what `max_value` is multiplied by with each period
    - `cycles`: the number of periods, after which `end_value` holds; None for no end
    """

    counts_its_own_steps = True

    max_value: float
    period: int
    multiplier: float = 1
    end_value: float = field(default=0.0, kw_only=True)
    decay: float = 1.0
    cycles: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_count("period", self.period, minimum=1)
        require_number("multiplier", self.multiplier, minimum=1.0)
        require_number("end_value", self.end_value)
        require_number("decay", self.decay, maximum=1.0)
        if self.cycles is not None:
            require_count("cycles", self.cycles, minimum=1)

    def _get_value(self, step: float, total_steps: float) -> float:
        cycle, position, period = self._position(step)
        if self.cycles is not None and cycle >= self.cycles:
            return self.end_value
        progress = (1 - math.cos(math.pi * position / period)) / 2
        return between(self.max_value * self.decay**cycle, self.end_value, progress)

    def _position(self, step: float) -> tuple[int, float, float]:
        """Return the number of the period, the step in it, and its length."""
        period: float = self.period
        if self.multiplier == 1:
            return int(step // period), step % period, period
        cycle = 0
        while step >= period:
            step, period, cycle = step - period, period * self.multiplier, cycle + 1
        return cycle, step, period


class PolynomialCycleSchedule(ScheduleBase):
    r"""Down a power over a length that grows by `steps` whenever it is used up.

    $$v = v_\text{end} + (v_\text{start} - v_\text{end}) \left(1 - \frac{t}{n\, \lceil (t + 1) / n \rceil}\right)^p$$

    - `steps`: $n$
    - `power`: $p$, above 0
    """

    counts_its_own_steps = True

    start_value: float = field()
    end_value: float = field()
    steps: int = field(kw_only=True)
    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("end_value", self.end_value)
        require_count("steps", self.steps, minimum=1)
        require_number("power", self.power, above=0.0)

    def _get_value(self, step: float, total_steps: float) -> float:
        lengthened = self.steps * math.floor(step / self.steps + 1)
        return descend(self.start_value, self.end_value, step / lengthened, "power", self.power)


# What the height of a cycle is multiplied by, given the number of the cycle or of the step, and what
# it is usually given.
MODES: dict[str, str] = {"triangular": "cycle", "triangular2": "cycle", "exp_range": "iterations"}


class CyclicSchedule(ScheduleBase):
    """Up a line from `base_value` and down again, over and over.

    - `steps_up`, `steps_down`: the lengths of both lines; the second is that of the first if not given
    - `mode`: whether all cycles are equally high (`"triangular"`), each half as high as the one before
      (`"triangular2"`), or the height is `gamma` to the number of the step (`"exp_range"`)
    - `scale_mode`: whether the height follows the number of the `"cycle"`, from 1, or that of the step,
      `"iterations"`; the `mode` decides if it is not given
    - `scale_function`: a height of your own, in place of `mode`
    """

    counts_its_own_steps = True

    base_value: float
    max_value: float
    steps_up: int = 2000
    steps_down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    scale_mode: str | None = None
    scale_function: Callable[[float], float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("base_value", self.base_value)
        require_number("max_value", self.max_value, minimum=self.base_value)
        require_count("steps_up", self.steps_up, minimum=1)
        if self.steps_down is not None:
            require_count("steps_down", self.steps_down, minimum=1)
        require_choice("mode", self.mode, MODES)
        require_number("gamma", self.gamma)
        if self.scale_mode is not None:
            require_choice("scale_mode", self.scale_mode, ("cycle", "iterations"))
        if self.scale_function is not None and not callable(self.scale_function):
            raise TypeError(f"scale_function must be callable, got {self.scale_function!r}")

    def _get_value(self, step: float, total_steps: float) -> float:
        down = self.steps_up if self.steps_down is None else self.steps_down
        cycle, position = divmod(step, self.steps_up + down)
        if position <= self.steps_up:
            height = position / self.steps_up
        else:
            height = 1 - (position - self.steps_up) / down
        usual = MODES[self.mode] if self.scale_function is None else "cycle"
        by_cycle = (self.scale_mode or usual) == "cycle"
        scale = self._scale(cycle + 1 if by_cycle else step)
        return self.base_value + (self.max_value - self.base_value) * height * scale

    def _scale(self, number: float) -> float:
        if self.scale_function is not None:
            return float(self.scale_function(number))
        scales = {
            "triangular": 1.0,
            "triangular2": 0.5 ** (number - 1),
            "exp_range": self.gamma**number,
        }
        return float(scales[self.mode])


class OneCycleSchedule(ScheduleBase):
    """Once up and down over the whole run, and far below the start at its end.

    - `start_value`: where it begins; a 25th of `max_value` if not given
    - `end_value`: where it ends; a 10,000th of `start_value` if not given
    - `warmup_percent`: how much of the run goes up
    - `three_phase`: go down to `start_value` in as many steps as up, and to `end_value` in the rest
    - `shape`: `"cosine"` or `"linear"`
    - `end`: whether marks lie on the last step of a phase (`"last"`) or on the one after it (`"after"`)
    """

    max_value: float
    start_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    end_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    warmup_percent: float = field(default=0.3, kw_only=True)
    three_phase: bool = field(default=False, kw_only=True)
    shape: str = field(default="cosine", kw_only=True)
    end: str = field(default="last", kw_only=True)

    def __post_init__(self) -> None:
        require_number("max_value", self.max_value)
        if self.start_value is None:
            object.__setattr__(self, "start_value", self.max_value / 25)
        if self.end_value is None:
            object.__setattr__(self, "end_value", self.start_value / 10_000)
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("end_value", self.end_value)
        require_number("warmup_percent", self.warmup_percent, maximum=1.0)
        require_flag("three_phase", self.three_phase)
        if self.three_phase and self.warmup_percent > 0.5:
            raise ValueError(
                f"warmup_percent must be at most 0.5 for three phases, got {self.warmup_percent!r}"
            )
        require_choice("shape", self.shape, ("cosine", "linear"))
        require_choice("end", self.end, ENDS)

    def _get_value(self, step: float, total_steps: float) -> float:
        phases = self._phases(total_steps)
        begun: float = 0
        for mark, start, end in phases:
            if step <= mark and mark > begun:
                return descend(start, end, (step - begun) / (mark - begun), self.shape)
            begun = max(begun, mark)
        return self.end_value

    def _phases(self, total_steps: float) -> list[tuple[float, float, float]]:
        """Return for each phase the step of its end, and the values at both of its ends."""
        late = 1 - ENDS[self.end]
        up = self.warmup_percent * total_steps
        last = total_steps - late
        first = (up - late, self.start_value, self.max_value)
        if not self.three_phase:
            return [first, (last, self.max_value, self.end_value)]
        back = (2 * (up - late), self.max_value, self.start_value)
        return [first, back, (last, self.start_value, self.end_value)]

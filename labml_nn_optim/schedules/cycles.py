r"""
---
title: Cycles and restarts
summary: The rate goes up again, once or over and over - on purpose.
chapter: "9.12"
needs: [schedules/progress, schedules/warmup]
paper:
  - title: "SGDR: Stochastic Gradient Descent with Warm Restarts"
    authors: Ilya Loshchilov, Frank Hutter
    year: 2017
    arxiv: "1608.03983"
    venue: ICLR
  - title: Cyclical Learning Rates for Training Neural Networks
    authors: Leslie N. Smith
    year: 2017
    arxiv: "1506.01186"
    venue: WACV
symbols:
  t: step
  \gamma: gamma
verified_against:
  implementation: values recorded from torch's CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR and OneCycleLR, and from optax
  difference: 5e-9, where those are rounded
---

# A restart that stands still

Half a cosine over four steps, then again from the top: 1, 0.85, 0.5, 0.15, 1, 0.85, 0.5, 0.15. Cerebras' class of that name
writes something else. After the first period it stays at 1 for four steps, at 0 for four, at 1 for four:

| step | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| Cerebras | 1 | 0.85 | 0.5 | 0.15 | 1 | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 1 |
| torch, and here | 1 | 0.85 | 0.5 | 0.15 | 1 | 0.85 | 0.5 | 0.15 | 1 | 0.85 | 0.5 | 0.15 | 1 |

In a long run half of the updates have the rate 0. Nothing fails, and the loss looks like one that has converged.

Curves that go up again are easy to get wrong, as their mistakes look like one more wave. Here are the
five that are in use.

## The curves

**Restarts** (SGDR, Loshchilov and Hutter, 2017). Half a cosine, over and over, each period `multiplier` times as long as the one before, $t_i$ steps into a
period of $T_i$:

$$s = s_\text{end} + \frac{s_\text{max} - s_\text{end}}{2} \left( 1 + \cos \pi \frac{t_i}{T_i} \right)$$

The end of a period is never met: the next one begins instead.

**Annealing** is the same formula without the restart. After $T_\text{max}$ the cosine comes back up as it went down. In torch's
`CosineAnnealingLR` that happens to everyone who trains longer than planned. Here it has a name of its own,
[CosineAnnealingSchedule](#CosineAnnealingSchedule), and other cosines stop at their end.

**Triangles** (Smith, 2017, arXiv 1506.01186). Up a line, down a line. In the mode `triangular2` each is half as high as the one before, with
`exp_range` the height is $\gamma^t$.

**One cycle** (Smith and Topin, 2017, arXiv 1708.07120). Once up to a large rate over 30 % of the run, and down to almost nothing. With momentum
going the other way, which another [scheduler](../schedulers/scheduler.py) can do, it was to make very large rates possible. What is left of it
in practice is a long warm-up and a cosine.

**A polynomial that is stretched** when its steps are used up: $n$, $2n$, $3n$, ... For the line over 4 steps that is 1, 0.75, 0.5, 0.25, 0.5, 0.38, 0.25,
0.13, 0.33.

## What they are good for

In one run, little. A thousand weights with curvatures from 0.01 to 1, Adam, 4000 steps, the best of ten rates each:

| line to 0, after a warm-up | one cycle | restarts, 1 + 2 + 4 parts | triangles |
|---:|---:|---:|---:|
| 0.00217 | 0.00253 | 0.00262 | 0.00272 |

Each restart throws away the low noise that the end of the period has bought, and only the last one counts. The loss after the first
and the second period, 0.01298 and 0.00482, is what the curve is for:

- **The end is not known.** At the end of every period the run could be stopped. [WSD](wsd.py) does that with less waste.
- **Several networks from one run.** The ends of the periods are different networks, and their mean prediction is better than each (Huang et al., 2017, arXiv
  1704.00109).
- **Escape from a bad place**, the usual argument, is not what is seen in large networks: the loss after a restart returns
  to about where the longer run would have been.

## Conventions

Marks of one cycle, for $T = 10$, 30 % and a peak of 1:

| | up until | values in steps 0 to 3 | step 9 | step 10 |
|---|---|---|---:|---:|
| torch, Cerebras, here | $0.3\, T - 1 = 2$ | 0.04, 0.52, 1, 0.95 | $4 \cdot 10^{-6}$ | error in torch, below 0 or rising in Cerebras; held here |
| optax; here with `end="after"` | $0.3\, T = 3$ | 0.04, 0.28, 0.76, 1 | 0.0495 | $4 \cdot 10^{-6}$ |

If $0.3\, T = 1$ the first phase has no length: Cerebras computes 0 / 0 and writes NaN in step 0. Here the run starts at the peak.

torch and Cerebras both decide `scale_mode` from `mode`, whatever was given. Here what is given counts.
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


# ## Choosing
#
# - Do not use them unless you have one of the reasons above, or a result to reproduce.
# - `SGDRSchedule(1, period, 2)`: three periods take $7$ times the first, four take $15$. Let the last one end where the run ends.
# - `OneCycleSchedule`: its peak can be somewhat larger than that of a line. On the problem above both do best at 0.015 and 0.02.
#
# ## Traps
#
# - **A run that ends at the top.** A period that does not divide the run leaves the weights at a high rate. With `period=400`
#   a run of 4100 steps ends at $s = 0.86$.
# - **Cosine that comes back.** If a loss rises at the end of a longer run, look at the rate first.
# - **`max_lr` of torch's `OneCycleLR`** is the rate: the optimizer's own is overwritten, with `max_lr / 25` at the
#   start.
# - **`exp_range` counts steps,** not cycles: $\gamma = 0.9$ is at $10^{-9}$ after 200 steps.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, 0.003 after a search. One cycle: 99.37, 99.41 and 99.44 %. Three periods of 1 + 2 + 4 parts: 99.29, 99.35 and
# 99.38 %. Triangles between a tenth and the peak, which end at their bottom: 99.24, 99.25 and 99.26 %. The cosine has 99.37 to
# 99.43 %.
#
# In the loss on the test images the order is the same: 0.019, 0.021, 0.025, and 0.018 for the cosine. The two restarts can be seen: with seed 0 the training
# loss goes from 0.05 to 0.11 within a hundred steps of the first, and from 0.02 to 0.08 in two hundred after the second. One cycle is a warm-up and a cosine, and as good.
#
# ## Exercises
#
# **1.** Which period lets three restarts with `multiplier=2` fill 2814 steps? What is the last value?
#
# ::: solution
# $n\, (1 + 2 + 4) = 2814$ for $n = 402$.
#
# ```python
# from labml_nn_optim.schedules import SGDRSchedule
#
# schedule = SGDRSchedule(1.0, 402, 2)
# assert schedule.get_value(402) == schedule.get_value(1206) == 1
# assert 0 < schedule.get_value(2813) < 1e-5
# ```
# :::
#
# **2.** Write one cycle with momentum from 0.95 down to 0.85 and back.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import Scheduler
# from labml_nn_optim.schedules import InterpolationSchedule, OneCycleSchedule
#
# optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.95)
# momentum = InterpolationSchedule([0, 29, 99], [0.95, 0.85, 0.95], "cosine")
# schedulers = [
#     Scheduler(optimizer, OneCycleSchedule(0.1), total_steps=100),
#     Scheduler(optimizer, momentum, "momentum"),
# ]
# seen = []
# for _ in range(100):
#     seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
#     optimizer.step()
#     for scheduler in schedulers:
#         scheduler.step()
# assert max(seen)[1] == min(momentum for _, momentum in seen) == 0.85
# ```
# :::
#
# **3.** Why is the loss right before a restart not comparable with the loss right after it, and what would you compare?
#
# ::: solution
# Before it the rate is near 0 and the noise has died out; after it the noise of the full rate is there at once. Compare the ends of
# periods with each other, or with a run that decays to the same step.
# :::

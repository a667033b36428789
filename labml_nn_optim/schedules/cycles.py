r"""
---
title: Cycles and restarts
summary: The rate goes up again, once or over and over, on purpose.
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
  - title: "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates"
    authors: Leslie N. Smith, Nicholay Topin
    year: 2017
    arxiv: "1708.07120"
symbols:
  t: step
  T: total_steps
  n: period
  m: multiplier
  \gamma: gamma
verified_against:
  implementation: torch 2.14.1 and transformers 5.24; optax 0.2.8, timm 1.0.31 and Cerebras, which are float32 or rounded
  difference: 5e-15, but 4e-14 against torch's cosine, which is a recursion; 4e-7
---

# A restart that stands still

Half a cosine over four steps, then again from the top. Cerebras' class of that name writes something else:

| step | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| torch, and here | 1 | 0.85 | 0.5 | 0.15 | 1 | 0.85 | 0.5 | 0.15 | 1 | 0.85 | 0.5 | 0.15 | 1 |
| Cerebras | 1 | 0.85 | 0.5 | 0.15 | 1 | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 1 |

After the first period it stays at the top for one period and at the bottom for the next. No error is raised.
What does a run make of it? A thousand weights start at 1, with losses $\frac{1}{2} h\, \theta^2$, curvatures
$h$ from 0.01 to 1, and noise of size 1 in their gradients. Adam, $\alpha = 0.015$, a period of 1000:

| after | 1000 | 2000 | 3000 | 4000 |
|---|---:|---:|---:|---:|
| restarts | 0.00762 | 0.00445 | 0.00346 | 0.00295 |
| Cerebras' | 0.00762 | 0.00483 | 0.00483 | 0.00403 |

The loss falls, stands still for a thousand updates, which looks like convergence, and falls again. A mistake
in a curve that goes up looks like one more wave.

## The curves

Let $t = 0, 1, \dots$ be the step about to be made.

**Restarts** (SGDR, Loshchilov and Hutter, 2017). Half a cosine, over and over, each period $m$ times as long
as the one before. Period $i = 0, 1, \dots$ has the length $n\, m^i$, and with $j$ steps done in it

$$
s = s_\text{end} + \frac{s_\text{max} - s_\text{end}}{2} \left( 1 + \cos \frac{\pi j}{n\, m^i} \right),
\qquad
\text{it ends at } \; n\, \left(1 + m + \dots + m^i\right)
$$

For $n = 10$ and $m = 2$ that is 10, 30, 70, 150. The end value is never met: in its step the next period
begins. *Warm* means that the weights are kept.

**Annealing** is the same formula without a restart: after $n$ steps the cosine comes back up as it went down.
torch's `CosineAnnealingLR` does so to everyone who trains longer than planned: at $1.1\, n$ it is at 0.024,
at $1.5\, n$ at a half. On the problem above, planned for 4000 steps at $\alpha = 0.02$, the loss is 0.00233
at the end of the plan, and 0.00220 after 4800, since the last tenth of a cosine is nearly idle and a little
rate is welcome. Then it rises, to 0.00256 after 6000 and 0.00485 after 8000. Here this curve has a name of
its own, [CosineAnnealing](#CosineAnnealingSchedule), and other cosines stop at their end.

**Triangles** (Smith, 2017). Up a line in `steps_up` steps and down another. In the mode `triangular2` each is
half as high as the one before, with `exp_range` the height is $\gamma^t$.

**One cycle** (Smith and Topin, 2017). Up to a large rate, and down to far below the start. The paper goes up
and down on lines of equal length, and then down to almost nothing; that is `three_phase` here, with the shape
`linear`. The default is torch's: half a cosine up over 30 % of the run, half a cosine down over the rest.
Momentum goes the other way, which takes a second [scheduler](../schedulers/scheduler.py): exercise 2.

**A polynomial that is stretched** whenever its steps are used up, to $2n$, $3n$, and so on. A line over 4: 1,
0.75, 0.5, 0.25, 0.5, 0.38, 0.25, 0.13, 0.33.

## What they are good for

In one run with a known end: nothing that could be seen here. The same weights, 4000 steps, the best of ten
rates for each curve, mean of eight seeds, standard errors 0.00004 to 0.00006:

| | half cosines | lines |
|---|---:|---:|
| 100 steps of [warm-up](warmup.py), then to 0 | 0.00233 | 0.00217 |
| one cycle, 2.5 % up | 0.00233 | 0.00217 |
| one cycle, 30 % up | 0.00253 | 0.00236 |
| restarts, 1 + 2 + 4 parts | 0.00262 | |
| restarts, four equal periods | 0.00295 | |
| three triangles from a tenth, `triangular` | | 0.00272 |
| the same, `triangular2` | | 0.00233 |

One cycle with a short way up *is* a warm-up and a cosine or a line. The long way up costs 9 %. It was meant
for networks that do not stand a large rate earlier.

A restart gives away what the end of its period has bought. The noise of a high rate is back within
$1 / (\alpha h)$ steps, and has to die once more, in a period shorter than the run. So the fewer restarts, and
the longer the last period, the better. Triangles that shrink do better for the same reason.

Three reasons are given for them all the same.

**The end is not known.** At each end of a period the run may be stopped. But a [power of time](power.py) may
be stopped anywhere, and with one rate it is ahead of the best of ten rates for each of these moments:

| after | 572 | 1716 | 4000 |
|---|---:|---:|---:|
| restarts, $n = 572$, $m = 2$, the best for each | 0.00777 | 0.00429 | 0.00262 |
| $1 / \sqrt t$, $\alpha = 0.03$ | 0.00739 | 0.00384 | 0.00226 |

**Several networks from one run.** Keep the weights at the end of each period, and average the predictions
(Huang et al., 2017, arXiv 1704.00109). This one can work. A network with 128 hidden units on MNIST, Adam, 24
passes over 55 000 images in batches of 256, three seeds, and the networks after each third of the run:

| $\alpha = 0.003$ | last network | mean of three |
|---|---:|---:|
| three equal periods | 98.04 to 98.17 % | 98.14 to 98.19 % |
| a line to 0 | 98.01 to 98.08 % | 97.98 to 98.17 % |

The loss on the test images is 0.082 for both last networks, 0.062 for the mean of the three ends, and 0.072
for that of the line. With $\alpha = 0.001$ the mean is *worse* than the last network, 0.070 against 0.067:
the first of the three has not got far enough. A snapshot needs a period that would do as a run of its own.

**Another valley.** A restart is said to throw the weights out of a bad minimum. Take 4000 of them in the
double well $\frac{1}{4} (\theta^2 - 1)^2 + \frac{1}{10} \theta$, in the shallow minimum near $1$, with noise of
size 1, plain SGD and 4000 steps. How many end in the deeper one, at the best of eight rates?

| line to 0 | cosine | restarts, 1 + 2 + 4 | eight equal periods |
|---:|---:|---:|---:|
| 96.0 % | 94.6 % | 93.4 % | 92.3 % |

What carries a weight across is time at a high rate, and a cosine has as much of that in one period as in
eight. At $\alpha = 0.1$, too low for most to cross, the last three have 55, 54 and 54 %. What keeps a weight
in the deep well is a slow way down. A network is no double well, but this argument does not favour restarts.

## Conventions

One cycle to a peak of 1, $T = 10$, 30 % of it up:

| | peak in step | steps 0 to 3 | 9 | 10 | 13 |
|---|---|---|---:|---:|---:|
| torch | $0.3\, T - 1 = 2$ | 0.04, 0.52, 1, 0.95 | $4 \cdot 10^{-6}$ | 0.050 | error |
| Cerebras | the same | the same | $4 \cdot 10^{-6}$ | 0.050 | 0.611 |
| Cerebras, `linear` | the same | 0.04, 0.52, 1, 0.86 | $4 \cdot 10^{-6}$ | -0.14 | -0.57 |
| here | the same | 0.04, 0.52, 1, 0.95 | $4 \cdot 10^{-6}$ | $4 \cdot 10^{-6}$ | $4 \cdot 10^{-6}$ |
| optax; here with `end="after"` | $\lfloor 0.3\, T \rfloor = 3$ | 0.04, 0.28, 0.76, 1 | 0.050 | $4 \cdot 10^{-6}$ | $4 \cdot 10^{-6}$ |

- **A way up of one step**, $p\, T = 1$, has no length when marks lie at $p\, T - 1$. Cerebras divides 0 by 0
  and writes NaN in step 0; torch raises a `ZeroDivisionError`. Here the run starts at the peak, and so it
  does for less than a step, where torch starts part of the way down.
- **Marks between steps.** optax rounds $p\, T$ down. The others do not, so that the peak itself may not be
  met.
- **Restarts.** Hugging Face's `cosine_with_restarts` takes the number of periods in the run, optax's
  `sgdr_schedule` a list with a warm-up and a cosine for each, the others the length of a period in steps.
  torch never ends, and its $m$ is a whole number. Hugging Face, timm (after one period by default) and optax
  hold the end value; so does this one if `cycles` is given.
- **`scale_mode`** of a triangle is overwritten from the `mode` in torch and Cerebras, whatever was given.
  Here what is given counts.
- **The stretched polynomial** is Keras' `cycle=True`, except that Keras stretches one step later, and meets
  the end value in step $n$. Cerebras has the argument, and it does nothing.
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

    - `max_value`: the value at the start, at least 0
    - `period`: the steps of one half, at least 1
    - `end_value`: the value after `period` steps, at least 0

    torch's `CosineAnnealingLR` in closed form. Raises `ValueError` or `TypeError` for what is not
    allowed.
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

    - `max_value`: the value at the start of the first period, at least 0
    - `period`: the length of the first period in steps, at least 1
    - `multiplier`: how many times as long each period is as the one before, at least 1, not
      necessarily whole
    - `end_value`: what each period leads to, at least 0; the next one begins instead
    - `decay`: what `max_value` is multiplied by with each period, from 0 to 1
    - `cycles`: the number of periods, after which `end_value` holds; None for no end

    Loshchilov and Hutter (2017), equation 5; `decay` and `cycles` are timm's. Raises `ValueError` or
    `TypeError` for what is not allowed.
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

    $$
    s = s_\text{end} + (s_\text{start} - s_\text{end})
    \left(1 - \frac{t}{n\, \lceil (t + 1) / n \rceil}\right)^p
    $$

    - `start_value`, `end_value`: at least 0
    - `steps`: $n$, at least 1
    - `power`: $p$, above 0

    What the argument `cycle` of Cerebras' `PolynomialLR` announces. Raises `ValueError` or `TypeError`
    for what is not allowed.
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

    - `base_value`, `max_value`: the bottom and the top, at least 0, the second at least the first
    - `steps_up`, `steps_down`: the lengths of both lines, at least 1; the second is that of the first if
      not given
    - `gamma`: at least 0, for `"exp_range"`
    - `mode`: whether all cycles are equally high (`"triangular"`), each half as high as the one before
      (`"triangular2"`), or the height is `gamma` to the number of the step (`"exp_range"`)
    - `scale_mode`: whether the height follows the number of the `"cycle"`, from 1, or that of the step,
      `"iterations"`; the `mode` decides if it is not given
    - `scale_function`: a height of your own, as a function of that number, in place of `mode`

    Smith (2017); the arguments are those of torch's `CyclicLR`. Raises `ValueError` or `TypeError` for
    what is not allowed.
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

    - `max_value`: the peak, at least 0
    - `start_value`: where it begins; a 25th of `max_value` if not given
    - `end_value`: where it ends; a 10,000th of `start_value` if not given
    - `warmup_percent`: how much of the run goes up, as a fraction from 0 to 1, at most 0.5 for three
      phases
    - `three_phase`: go down to `start_value` in as many steps as up, and to `end_value` in the rest
    - `shape`: `"cosine"` or `"linear"`
    - `end`: whether marks lie on the last step of a phase (`"last"`, torch) or on the one after it
      (`"after"`, optax)

    Smith and Topin (2017), with torch's defaults; momentum is left alone. Raises `ValueError` or
    `TypeError` for what is not allowed.
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


# ## Choosing the numbers
#
# - Take a [line](warmup.py#LinearToZeroSchedule) unless you have one of the three reasons, or a result to
#   repeat.
# - `period` and `multiplier`: let a period end where the run ends. With $m = 2$ three periods take 7 times
#   the first, four take 15. For snapshots $m = 1$, and few periods.
# - `max_value` of restarts: somewhat lower than for one cosine, 0.015 against 0.02 above.
# - `end_value` of restarts: a tenth of the peak. It lowers the loss of restarts from 0.00262 to 0.00239.
# - `warmup_percent` of one cycle: as for any [warm-up](warmup.py).
# - `base_value` and `max_value` of triangles: Smith raises the rate on a line in one short run, and takes the
#   values at which the accuracy begins to rise and at which it falls again.
#
# ## Traps
#
# - **A run that ends at the top.** A period that does not divide the run leaves the weights at a high rate.
#   With `period=400` a run of 4100 steps ends at $s = 0.86$.
# - **torch's `OneCycleLR` writes the momentum, too**, from 0.95 to 0.85 and back, into `betas[0]` if there is
#   no momentum. An Adam made with the default 0.9 begins at 0.95. Pass `cycle_momentum=False`. `max_lr` is
#   the rate; the optimizer's own is overwritten.
# - **A dip is taken for progress.** Compare ends of periods with each other, not with what comes before them.
# - **`exp_range` counts steps,** not cycles: $\gamma = 0.9$ is at $7 \cdot 10^{-10}$ after 200 steps.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, 0.003 after a search. One
# cycle: 99.37, 99.41 and 99.44 %. Three periods of 1 + 2 + 4 parts: 99.29, 99.35 and 99.38 %. Triangles
# between a tenth and the peak, which end at their bottom: 99.24, 99.25 and 99.26 %. The cosine has 99.37 to
# 99.43 %.
#
# In the loss on the test images the order is the same: 0.019, 0.021, 0.025, and 0.018 for the cosine. The two
# restarts can be seen: with seed 0 the training loss goes from 0.05 to 0.11 within a hundred steps of the
# first, and from 0.02 to 0.08 in two hundred after the second. One cycle is a warm-up and a cosine, and as
# good.
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
# peer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.95)
# torchs = torch.optim.lr_scheduler.OneCycleLR(peer, 0.1, total_steps=100)
# for step in range(100):
#     for key in ("lr", "momentum"):
#         assert abs(optimizer.param_groups[0][key] - peer.param_groups[0][key]) < 1e-12
#     optimizer.step()
#     peer.step()
#     if step < 99:
#         for scheduler in (*schedulers, torchs):
#             scheduler.step()
# ```
# :::
#
# **3.** Write Cerebras' broken restart as a formula, and say in which part of a long run the rate is at its
# end value.
#
# ::: solution
# With $c = \lfloor t / n \rfloor$ it puts $n\, (c - 1)$ in the place of $j$, for $c \ge 1$: the cosine of a
# multiple of $\pi$, which is 1 for odd $c$ and $-1$ for even $c$. So every second period, half of the run.
#
# ```python
# import math
#
#
# def broken(step, period):
#     cycle = step // period
#     done = step if cycle == 0 else period * (cycle - 1)
#     return (1 + math.cos(math.pi * done / period)) / 2
#
#
# assert [broken(step, 4) for step in range(4, 16)] == [1] * 4 + [0] * 4 + [1] * 4
# ```
# :::
#
# **4.** How many steps at the peak is a run worth, with one cycle, with restarts, and with triangles from 0?
# Why does the best rate of restarts differ from that of one cosine, all the same?
#
# ::: solution
# About half of the run each: the mean of a line or half a cosine between 0 and 1 is a half, however often it
# is repeated. The sum of the rates is the same, and with it the way. But the noise has only the last period
# to die in, and a lower rate makes less.
#
# ```python
# from labml_nn_optim.schedules import CyclicSchedule, OneCycleSchedule, SGDRSchedule
#
# for schedule in (OneCycleSchedule(1), SGDRSchedule(1, 1000), CyclicSchedule(0, 1, 500)):
#     worth = sum(schedule.get_value(step, 4000) for step in range(4000)) / 4000
#     assert abs(worth - 0.5) < 0.01
# ```
# :::

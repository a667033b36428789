r"""
---
title: Lines, cosines, powers
summary: A value goes from one number to another over the run, along a line, half a cosine or a power.
chapter: "9.2"
needs: [schedules/base, optimizers/adam_warmup_cosine_decay]
symbols:
  t: step
  N: points
  x: progress
  p: power
  s_0: start
  s_1: end
verified_against:
  implementation: values recorded from noether 1.1
  difference: 1e-16 over 7 to 11 updates
---

# A line that ends below zero

A line from 1 to 0 over 11 updates is at 0 in update 10. noether answers for one update more, and there its line
is at $-0.1$. Its cosine is at 0.024, on the way up again. Its power 2 is at 0.01, and its power 0.5 is a
`TypeError`, as $(-0.1)^{0.5}$ is a complex number.

A run of the planned length does not ask for that update. One that is counted wrongly does, and so does an
overhang below 0, which shortens the curve and not the run. With a rate below zero it climbs the loss.

Three things have to be said of such a curve: what comes after its end, which of its points the updates get, and
which curve it is.

## The rule

Let $t = 0, 1, \dots$ be the update about to be made and $x$ how much of the way is over, from 0 to 1. The value
goes from $s_0$ to $s_1$ along

$$
s = s_0 + (s_1 - s_0)\, q(x),
\qquad
q_\text{linear} = x, \quad
q_\text{cosine} = \frac{1 - \cos \pi x}{2}, \quad
q_\text{power} = 1 - (1 - x)^p
$$

All three $q$ go from 0 to 1. After the end $x$ is held at 1, and the last value with it.

A power above 1 is steep at first and flat at the end, on the way up as well as down. Half-way down from 1 the
line is at 0.5, the power 2 at 0.25 and the power 0.5 at 0.71. An increasing power 2 over 11 updates is not
$x^2$, which begins 0, 0.01, 0.04, 0.09. It is the decreasing one upside down: 0, 0.19, 0.36, 0.51.

## Which points are met

$N$ updates can carry a curve in four ways. Each flag adds a point to it, and leaves out the first or the last:

| `exclude_first` | `exclude_last` | $x$ in update $t$ | line from 1 to 0, $N = 5$ |
|---|---|---|---|
| | | $t / (N - 1)$ | 1, 0.75, 0.5, 0.25, 0 |
| | yes | $t / N$ | 1, 0.8, 0.6, 0.4, 0.2 |
| yes | | $(t + 1) / N$ | 0.8, 0.6, 0.4, 0.2, 0 |
| yes | yes | $(t + 1) / (N + 1)$ | 0.83, 0.67, 0.5, 0.33, 0.17 |

Leave the first out of a warm-up from 0, so that no update moves nothing. Leave the last out of a decay to 0,
for the same reason, and wherever the next schedule begins with the value that this one ends with.

## What the curve is worth

[Adam with warm-up and cosine decay](../optimizers/adam_warmup_cosine_decay.py) tells why a rate should fall at
all. Does it matter how? A thousand weights start at 1, each with the loss $\frac{1}{2} h\, \theta^2$. The
curvatures $h$ lie between 0.01 and 1, evenly on a logarithmic scale, and the gradients carry noise of size 1.
For plain gradient descent no seeds are needed, since the mean of $\theta^2$ obeys

$$\mathbb E\, \theta^2 \leftarrow (1 - \alpha_t h)^2\; \mathbb E\, \theta^2 + \alpha_t^2$$

The loss after 4000 updates, each curve with its best peak $\alpha$:

| | $\alpha$ | loss / $10^{-3}$ |
|---|---:|---:|
| constant | 0.0069 | 2.671 |
| power 2 to 0 | 0.0273 | 2.305 |
| cosine to 0 | 0.0182 | 2.242 |
| power 0.5 to 0 | 0.0134 | 2.134 |
| line to 0 | 0.0189 | 2.099 |
| line to a tenth | 0.0169 | 2.058 |
| cosine to a tenth | 0.0173 | 2.053 |
| all 4000 rates chosen freely | 0.0229 | 2.037 |

That the rate falls is worth 21 %. What remains between the line and the best rates there are is 3 %, and 1 % if
it ends at a tenth.

The peaks differ more than the losses. But peak times mean of the curve is between 0.0089 and 0.0096 for all
that fall. How far the weights can go depends on the sum of the rates.

## Why a line, and why not to zero

Take one update, with the rate $\alpha$, and let $R$ be the sum of all rates still to come. It throws $\alpha^2$
into each $\mathbb E\, \theta^2$, and the later updates leave about $e^{-2 h R}$ of that. In the final loss this
is $\alpha^2\, k(R)$, where $k$ is the mean of $\frac{h}{2} e^{-2 h R}$ over the weights.

Now let $R$ go down by a little, $dR$. That takes $dR / \alpha$ updates, which together leave
$\alpha\, k(R)\, dR$. A low rate here costs updates, a high one leaves noise. With a price $\mu$ for an update,
the same everywhere, $\alpha\, k + \mu / \alpha$ is smallest at

$$\alpha = \sqrt{\mu / k(R)}$$

How much is left of the start depends on the sum of all rates alone, so given the sum this is the best curve.
And the 4000 free rates, which a numerical search found on 150 such weights, obey it: along the run
$\alpha \sqrt{k(R)}$ is constant within 0.03 %.

What is $k$? With curvatures even in $\log h$,

$$k(R) \propto \int e^{-2 h R}\, dh = \frac{e^{-2 h_\text{min} R} - e^{-2 h_\text{max} R}}{2 R}$$

Between $1 / h_\text{max}$ and $1 / h_\text{min}$ this is about $1 / (2 R)$, and $\alpha \propto \sqrt R$. Which
curve has rates like the root of the sum of those to come? With $\tau$ updates to go, a line $\alpha = c\, \tau$
has $R = c\, \tau^2 / 2$. It is the line.

It has two corners. Where $R$ is below $1 / h_\text{max}$, even the stiffest weight cannot forget what it gets,
$k$ stops growing, and the rate should stop falling: the best one ends at 8 % of its start. Where $R$ comes near
$1 / h_\text{min}$ the rate may be higher than the line, and the best one is at 37 %
of its start half-way.

This is a model. Networks are not quadratic, and their noise changes. Other mixtures of curvatures ask for other
powers (exercise 4). But the line comes out elsewhere, too: of all curves it has the best worst-case bound for
the last point of a run with a convex loss (Defazio et al., 2023, arXiv 2310.07831). The cosine was taken from
[restarts](cycles.py), without a derivation.

## Conventions

From 1 to 0, $N = 10$:

| | update 0 | 1 | 9, the last | 10 | 13 |
|---|---:|---:|---:|---:|---:|
| noether, line | 1 | 0.889 | 0 | -0.11 | error |
| noether, cosine | 1 | 0.970 | 0 | 0.030 | error |
| torch 2.14 `LinearLR`, `PolynomialLR` | 1 | 0.9 | 0.1 | 0 | 0 |
| torch `CosineAnnealingLR` | 1 | 0.976 | 0.024 | 0 | 0.206 |
| Cerebras `LinearLR` | 1 | 0.9 | 0.1 | 0 | 0 |
| Hugging Face 5.24 `linear` | 1 | 0.9 | 0.1 | 0 | 0 |
| Hugging Face `cosine` | 1 | 0.976 | 0.024 | 0 | 0.206 |
| optax 0.2.8 `linear_schedule` | 1 | 0.9 | 0.1 | 0 | 0 |
| timm 1.0.31 cosine | 1 | 0.976 | 0.024 | 0 | 0 |
| torchtitan (August 2026), linear | 1 | 0.9 | 0.1 | 0 | -0.3 |
| here, line | 1 | 0.889 | 0 | 0 | 0 |
| here, line, `exclude_last` | 1 | 0.9 | 0.1 | 0 | 0 |

The rows of noether and Cerebras are computed by their formulas, which agree with recorded values; the others
were run.

- **Powers** are steep at first in noether, torch, Hugging Face and optax, whose `polynomial_schedule` does the
  same upwards. So is timm's, but its default is 0.5, which is steep at the end.
- **A run of one update** has the first value, here and in noether.
- **An end above the start** of a decreasing curve is a `ValueError` here. noether has an `AssertionError` for
  increasing curves, which `python -O` removes.
"""

from __future__ import annotations

import math
from dataclasses import field

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.schedules.base import ScheduleBase

__all__ = [
    "CosineDecreasingSchedule",
    "CosineDecreasingScheduleConfig",
    "CosineIncreasingSchedule",
    "CosineIncreasingScheduleConfig",
    "DecreasingProgressSchedule",
    "DecreasingProgressScheduleConfig",
    "IncreasingProgressSchedule",
    "IncreasingProgressScheduleConfig",
    "LinearDecreasingSchedule",
    "LinearDecreasingScheduleConfig",
    "LinearIncreasingSchedule",
    "LinearIncreasingScheduleConfig",
    "PolynomialDecreasingSchedule",
    "PolynomialDecreasingScheduleConfig",
    "PolynomialIncreasingSchedule",
    "PolynomialIncreasingScheduleConfig",
    "ProgressSchedule",
    "ProgressScheduleConfig",
    "between",
    "cosine",
    "linear",
    "polynomial",
]


def linear(step: float, points: float) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, `points - 1`, on a line."""
    return min(1.0, step / max(1, points - 1))


def cosine(step: float, points: float) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, along half a cosine."""
    return (1 - math.cos(math.pi * linear(step, points))) / 2


def polynomial(step: float, points: float, power: float = 1.0) -> float:
    """Return 0 at step 0 and 1 at the last of `points` steps, as the mirrored power of the line.

    With a `power` above 1 it is steep at first and flat at the end.
    """
    return 1 - math.pow(1 - linear(step, points), power)


def between(start: float, end: float, progress: float) -> float:
    """Return the value between `start` and `end`, which are met exactly at a progress of 0 and 1."""
    value = (1 - progress) * start + progress * end
    return min(max(value, min(start, end)), max(start, end))


class ProgressSchedule(ScheduleBase):
    """From one value to another, along the curve of a subclass.

    - `exclude_first`: begin with what would be the second value of a schedule one step longer
    - `exclude_last`: end with what would be the second to last value
    """

    namespace = "noether.core.schedules"

    exclude_first: bool = field(default=False, kw_only=True)
    exclude_last: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_flag("exclude_first", self.exclude_first)
        require_flag("exclude_last", self.exclude_last)

    def _get_value(self, step: float, total_steps: float) -> float:
        points = total_steps + self.exclude_first + self.exclude_last
        start, end = self._ends()
        return between(start, end, self._progress(step + self.exclude_first, points))

    def _ends(self) -> tuple[float, float]:
        raise NotImplementedError(f"{type(self).__name__} has no ends")

    def _progress(self, step: float, points: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no _progress")


class DecreasingProgressSchedule(ProgressSchedule):
    """From `max_value` down to `end_value`, both at least 0.

    Raises `ValueError` if `end_value` is the larger one.
    """

    max_value: float
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_number("end_value", self.end_value)
        if self.end_value > self.max_value:
            raise ValueError(
                f"end_value must be at most max_value, {self.max_value!r}, got {self.end_value!r}"
            )

    def _ends(self) -> tuple[float, float]:
        return self.max_value, self.end_value


class IncreasingProgressSchedule(ProgressSchedule):
    """From `start_value` up to `max_value`, both at least 0.

    Raises `ValueError` if `start_value` is the larger one.
    """

    max_value: float
    start_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_number("start_value", self.start_value)
        if self.start_value > self.max_value:
            raise ValueError(
                f"start_value must be at most max_value, {self.max_value!r}, "
                f"got {self.start_value!r}"
            )

    def _ends(self) -> tuple[float, float]:
        return self.start_value, self.max_value


class LinearDecreasingSchedule(DecreasingProgressSchedule):
    """Down a line."""

    def _progress(self, step: float, points: float) -> float:
        return linear(step, points)


class LinearIncreasingSchedule(IncreasingProgressSchedule):
    """Up a line."""

    def _progress(self, step: float, points: float) -> float:
        return linear(step, points)


class CosineDecreasingSchedule(DecreasingProgressSchedule):
    """Down half a cosine."""

    def _progress(self, step: float, points: float) -> float:
        return cosine(step, points)


class CosineIncreasingSchedule(IncreasingProgressSchedule):
    """Up half a cosine."""

    def _progress(self, step: float, points: float) -> float:
        return cosine(step, points)


class PolynomialDecreasingSchedule(DecreasingProgressSchedule):
    """Down a power.

    - `power`: $p$, above 0; above 1 the curve is steep at first, below 1 at the end
    """

    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)

    def _progress(self, step: float, points: float) -> float:
        return polynomial(step, points, self.power)


class PolynomialIncreasingSchedule(IncreasingProgressSchedule):
    """Up a power: the decreasing curve upside down, and not $x^p$.

    - `power`: $p$, above 0; above 1 the curve is steep at first, below 1 at the end
    """

    power: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)

    def _progress(self, step: float, points: float) -> float:
        return polynomial(step, points, self.power)


ProgressScheduleConfig = ProgressSchedule
DecreasingProgressScheduleConfig = DecreasingProgressSchedule
IncreasingProgressScheduleConfig = IncreasingProgressSchedule
LinearDecreasingScheduleConfig = LinearDecreasingSchedule
LinearIncreasingScheduleConfig = LinearIncreasingSchedule
CosineDecreasingScheduleConfig = CosineDecreasingSchedule
CosineIncreasingScheduleConfig = CosineIncreasingSchedule
PolynomialDecreasingScheduleConfig = PolynomialDecreasingSchedule
PolynomialIncreasingScheduleConfig = PolynomialIncreasingSchedule


# ## Choosing
#
# - The line, `LinearDecreasingSchedule(1, exclude_last=True)`, unless you compare with a run that had another
#   curve.
# - Search for the peak again when you change the curve. Start the search at the old peak, times the mean of the
#   old curve, divided by that of the new one: a power 2 in the place of a line gets 1.5 times the peak.
# - `end_value`: a tenth of the peak for a cosine or a power above 1, whose flat ends are idle otherwise, and
#   for a run that may go on. For the line, 0 and a tenth differ by 2 % here.
# - Not for a run whose end nobody knows: all three need $N$. [A constant rate](wsd.py) or a
#   [power of time](power.py) does not.
#
# ## Traps
#
# - **An update that does nothing.** Without `exclude_last` the last update has `end_value`. If that is 0, its
#   batch is computed in vain.
# - **The second name is not the start.** A decreasing curve starts at `max_value`. A `start_value` given to it
#   is an error here, and is ignored by noether without a word.
# - **A power below 1 falls off a cliff.** At 99 % of the way the power 0.5 is at 0.1 of its peak. What the
#   noise has done cannot die out in what is left.
# - **Curves compared at one peak.** At $\alpha = 0.0273$, the best for the power 2, the power 0.5 has a loss 19
#   % higher. Each at its own best peak, it has one 7 % lower.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds; the rate of each was
# searched for, and is 0.003 for all. The line comes to 99.30, 99.36 and 99.40 %, the power 2 to 99.35, 99.42
# and 99.49 %, the cosine to 99.37, 99.42 and 99.43 %. The three cannot be told apart. The constant rate can:
# 98.52, 98.81 and 98.98 %, with twice the loss on the test images, 0.041 against 0.018 to 0.020.
#
# A falling rate is worth half a percent here, and the curve that it falls along is worth nothing that three
# seeds could show.
#
# ## Exercises
#
# **1.** Which flags make a warm-up of four updates 0.25, 0.5, 0.75, 1, and which 0.2, 0.4, 0.6, 0.8?
#
# ::: solution
# The first leaves out the start, the second both ends.
#
# ```python
# from labml_nn_optim.schedules import LinearIncreasingSchedule
#
#
# def values(**flags):
#     rise = LinearIncreasingSchedule(1, **flags)
#     return [round(rise.get_value(step, 4), 9) for step in range(4)]
#
#
# assert values(exclude_first=True) == [0.25, 0.5, 0.75, 1]
# assert values(exclude_first=True, exclude_last=True) == [0.2, 0.4, 0.6, 0.8]
# ```
# :::
#
# **2.** How many updates at the full rate is each curve worth, in a long run, if it falls to 0? What does that
# say of their best peaks?
#
# ::: solution
# The integral of $1 - q$: a half for the line and for the cosine, $1 / (p + 1)$ for the power, a third for
# $p = 2$ and two thirds for $p = 0.5$. The best peaks, times these, are 0.0094, 0.0091, 0.0091 and 0.0089.
# :::
#
# **3.** Compute the loss of the line in the table.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.schedules import LinearDecreasingSchedule
#
# line = LinearDecreasingSchedule(0.0189, exclude_last=True)
# curvature = torch.logspace(-2, 0, 1000, dtype=torch.float64)
# square = torch.ones_like(curvature)
# for step in range(4000):
#     rate = line.get_value(step, 4000)
#     square = (1 - rate * curvature) ** 2 * square + rate**2
# assert abs((curvature / 2 * square).mean() - 2.099e-3) < 1e-6
# ```
# :::
#
# **4.** The gradient noise of least squares grows with the curvature: its variance is $h\, \sigma^2$. Let the
# curvatures be $h_j = j^{-\beta}$ with $\beta > 1$. Which power is the best?
#
# ::: solution
# The noise of an update is now $\alpha^2 h$, so $k(R) \propto \sum_j h_j^2\, e^{-2 h_j R}$. Between $h$ and
# $h + dh$ lie about $h^{-1 / \beta - 1}\, dh$ curvatures, and $\int h^{1 - 1 / \beta}\, e^{-2 h R}\, dh$ goes
# like $R^{-(2 - 1 / \beta)}$. So $\alpha \propto R^{1 - 1 / (2 \beta)}$. For a power, $\alpha \propto \tau^p$
# and $R \propto \tau^{p + 1}$; then $p = (p + 1)(1 - \frac{1}{2 \beta})$, and $p = 2 \beta - 1$. Li et al.
# (2026, arXiv 2602.06797) find this power for what they call easy tasks, and a constant rate before the decay
# for hard ones.
# :::

r"""
---
title: Shapes of a decay
summary: How a rate comes down, early or late, bent or straight, in one formula with a shape, a power and a bend.
paper:
  title: "REX: Revisiting Budgeted Training with an Improved Schedule"
  authors: John Chen, Cameron Wolfe, Anastasios Kyrillidis
  year: 2022
  arxiv: "2107.04197"
  venue: MLSys
chapter: "9.3"
needs: [schedules/progress]
symbols:
  x: progress
  p: power
  k: bend
  q: exponent
  r: SHAPES
  s_\text{start}: start_value
  s_\text{end}: end_value
verified_against:
  implementation: optax's cosine with an exponent, timm's cosine with k_decay, Hugging Face's tails, as recorded
  difference: 5e-6, where those are rounded
---

# Another last value, and the worst shape is among the best

Every paper on schedules has a curve of its own. Here they run on the problem of [9.2](progress.py): a thousand
weights with curvatures from 0.01 to 1, gradients with noise of size 1, 4000 updates of gradient descent, whose
mean loss can be computed without seeds. Each shape has its best peak; the $\alpha$ shown is that of the fall to
0. Two columns belong to the curve from 1 to 0 alone: its mean, which is its integral, and its value after 90 %
of the way.

| shape | $r(x)$ | mean | at 90 % | best $\alpha$ | loss / $10^{-3}$, to 0 | to a tenth |
|---|---|---:|---:|---:|---:|---:|
| `linear` | $1 - x$ | 0.50 | 0.100 | 0.019 | 2.099 | 2.058 |
| `halving` | $2 \cdot 2^{-x} - 1$ | 0.44 | 0.072 | 0.021 | 2.104 | 2.046 |
| `1-sqrt` | $1 - \sqrt x$ | 0.33 | 0.051 | 0.029 | 2.106 | 2.054 |
| `rex` | $(1 - x) / (1 - x / 2)$ | 0.61 | 0.182 | 0.015 | 2.120 | 2.102 |
| `mirror-cosine` | $2 (1 - x) - \frac{1 + \cos \pi x}{2}$ | 0.50 | 0.176 | 0.018 | 2.121 | 2.121 |
| `1-square` | $1 - x^2$ | 0.67 | 0.190 | 0.014 | 2.131 | 2.106 |
| `power`, $p = 0.5$ | $\sqrt{1 - x}$ | 0.67 | 0.316 | 0.013 | 2.134 | 2.165 |
| `cosine` | $\frac{1 + \cos \pi x}{2}$ | 0.50 | 0.024 | 0.018 | 2.242 | 2.053 |
| `power`, $p = 2$ | $(1 - x)^2$ | 0.33 | 0.010 | 0.027 | 2.305 | 2.049 |

To 0, seven shapes are within 2 %, and two are behind: the cosine and the power 2. To a tenth, these two are
among the best, and what was high at the end before is behind.

So it is not the shape that decides, but how low it is for how long. The power 2 to 0 is below 5 % of its peak
for the last 22 % of the run, the cosine for 14 %, the line for 5 %. There nothing moves any more. The best of
*all* curves ends at 8 % of its start, at a loss of 2.037; [9.2](progress.py) says why. `halving` to a tenth is
0.4 % above that. On this problem no shape has more to offer.

Mean times $\alpha$ is between 0.0089 and 0.0096 in every row. How far the weights can go depends on the sum of
the rates, and each shape needs the peak that gives it the same sum.

## The rule

Let $t = 0, 1, \dots$ be the update about to be made, and $x$ the part of the way that is over:

$$
s = s_\text{end} + (s_\text{start} - s_\text{end})\; r(x^k)^p
$$

Two numbers bend any shape. The **power** $p$ acts on the height. optax's cosine has it as `exponent`: with 2 it
is at 0.25 half-way. The **bend** $k$ acts on the time: with $k > 1$ the clock is slow at first, and the curve
stays high. timm calls it `k_decay` (Zhang and Li, 2020, arXiv 2004.05909): with 2 the cosine is at 0.85
half-way.

With both, half of the table is one shape. The line over a clock with $k = 2$ is `1-square`, with $k = \frac12$
it is `1-sqrt`, and raised to $p$ it is `power`.

## Between two values that are not 0

An exponential cannot reach 0. It needs two ends, and so do two more shapes:

$$
s = \Big( (1 - x)\, s_\text{start}^{\,q} + x\, s_\text{end}^{\,q} \Big)^{1/q}
$$

Some power of the value lies on a line. For $q = 1$ that is the line itself. For $q = -1$ it is the reciprocal:
$s$ is the `inverse`, the weighted *harmonic mean*, which is the tail of WSD-S (Wen et al., 2024, arXiv
2410.05192). For $q = -2$ it is `inverse-sqrt`:

$$
s = \frac{s_\text{start}}{\sqrt{1 + x \left( s_\text{start}^2 / s_\text{end}^2 - 1 \right)}}
$$

That is $1 / \sqrt{t}$ between two given values, as in the first decay of [infinite schedules](infinite.py). And
$q \to 0$? Write $s^q = e^{q \ln s} \approx 1 + q \ln s$. Then $\ln s$ lies on a line, which is the *geometric
mean* $s_\text{start}^{1 - x}\, s_\text{end}^{\,x}$, the `exponential`. All four are *power means*.

The smaller $q$, the earlier they fall:

| from 1 to a tenth | mean | half-way | at 90 % | best $\alpha$ | loss / $10^{-3}$ |
|---|---:|---:|---:|---:|---:|
| `linear` | 0.55 | 0.55 | 0.190 | 0.017 | 2.058 |
| `exponential` | 0.39 | 0.32 | 0.126 | 0.024 | 2.048 |
| `inverse` | 0.26 | 0.18 | 0.110 | 0.035 | 2.136 |
| `inverse-sqrt` | 0.18 | 0.14 | 0.105 | 0.046 | 2.252 |

To a hundredth the exponential is at 2.403: it spends 35 % of the run below a twentieth.

## Where the shapes come from

- **1-sqrt** is the tail that Hägele et al. (2024, arXiv 2405.18392) found best after a [constant rate](wsd.py).
- **REX**, *reflected exponential*, was made for small budgets (Chen et al., 2022, arXiv 2107.04197). It stays
  high and falls late. In spite of its name it is a fraction, without an exponential.
- **Mirror-cosine** is the cosine reflected at the line: steep at both ends where the cosine is flat, flat in
  the middle.
- **Halving** is an exponential that is moved down until it reaches 0.

On networks nothing is settled. A search over shapes for linear regression, CIFAR-10 and a small language model
found warm-up and decay in what was good, and no common family at the top (Naganuma et al., 2026, arXiv
2603.10301).

## Conventions

From 1 to 0 over 10 updates, the exponential to 0.01:

| elsewhere | update 5 | after the end | here, with `exclude_last=True` |
|---|---:|---|---|
| optax 0.2.8 `cosine_decay_schedule`, `exponent=2` | 0.25 | holds | `"cosine"`, `power=2` |
| timm 1.0.31 `CosineLRScheduler`, `k_decay=2` | 0.854 | holds | `"cosine"`, `bend=2` |
| timm `PolyLRScheduler` | 0.707 | holds | `"power"`, `power=0.5` |
| torch 2.14 `PolynomialLR`, `power=2` | 0.25 | holds | `"power"`, `power=2` |
| Hugging Face 5.24 WSD, `decay_type="1-sqrt"` | 0.293 | holds | `"1-sqrt"` |
| torchtitan (August 2026), `decay_type="sqrt"` | 0.293 | below 0 | `"1-sqrt"` |
| Megatron-LM, exponential tail | 0.414 | | `"halving"` |
| optax `exponential_decay`, rate 0.01 | 0.1 | falls on | `"exponential"` |

All but Megatron's, which is its formula, were run.

- **The first and the last update** are as in [Lines, cosines, powers](progress.py): without flags
  $x = t / (N - 1)$.
- **An exponential without an end**, by a factor in every step, is
  [ExponentialSchedule](decay.py#ExponentialSchedule).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field

from labml_nn_optim.checks import require_choice, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.progress import ProgressSchedule, between, linear

__all__ = ["MEANS", "SHAPES", "RampSchedule", "ShapedSchedule", "descend", "require_shape"]

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "power": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - math.sqrt(x),
    "1-square": lambda x: 1 - x * x,
    "mirror-cosine": lambda x: 2 * (1 - x) - (1 + math.cos(math.pi * x)) / 2,
    "rex": lambda x: (1 - x) / (1 - x / 2),
    "halving": lambda x: 2 * 0.5**x - 1,
}
MEANS: dict[str, float] = {"exponential": 0.0, "inverse": -1.0, "inverse-sqrt": -2.0}


def descend(
    start: float, end: float, progress: float, shape: str = "linear", power: float = 1.0
) -> float:
    """Return the value between `start` and `end` after a part of the way, `progress` from 0 to 1."""
    if shape in MEANS:
        value = power_mean(start, end, progress, MEANS[shape])
        return min(max(value, min(start, end)), max(start, end))
    return between(end, start, SHAPES[shape](progress) ** power)


def power_mean(start: float, end: float, progress: float, exponent: float) -> float:
    """Return the mean of two values above 0 whose powers, or logarithms, lie on a line."""
    if progress in (0, 1):
        return end if progress else start
    if exponent == 0:
        return start * math.pow(end / start, progress)
    # Relative to the smaller one, whose negative power is the larger, nothing overflows.
    least = min(start, end)
    line = (1 - progress) * (start / least) ** exponent + progress * (end / least) ** exponent
    mean: float = least * line ** (1 / exponent)
    return mean


class ShapedSchedule(ScheduleBase):
    """What schedules with a choice of shapes have in common.

    - `power`: what the shape is raised to, above 0
    - `bend`: what the progress is raised to, above 0
    """

    power: float = field(default=1.0, kw_only=True)
    bend: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("power", self.power, above=0.0)
        require_number("bend", self.bend, above=0.0)


def require_shape(name: str, shape: str, start: float, end: float, power: float = 1.0) -> None:
    """Raise `ValueError` unless `shape` leads from `start` to `end`.

    A mean, such as the exponential, needs two values above 0, and has no power.
    """
    require_choice(name, shape, (*SHAPES, *MEANS))
    if shape in MEANS and min(start, end) <= 0:
        raise ValueError(
            f"{name} from {start!r} to {end!r} must be one of {', '.join(SHAPES)}, got {shape!r}"
        )
    if shape in MEANS and power != 1.0:
        raise ValueError(f"power must be 1 where {name} is {shape}, got {power!r}")


class RampSchedule(ProgressSchedule, ShapedSchedule):
    r"""From `start_value` to `end_value` in any of the shapes.

    $$
    s = s_\text{end} + (s_\text{start} - s_\text{end})\, r(x^k)^p
    $$

    - `start_value`, `end_value`: at least 0; the second may be the larger one
    - `shape`: one of `SHAPES`, or, between two values above 0, one of `MEANS`
    - `power`, `bend`: $p$ and $k$
    - `exclude_first`, `exclude_last`: as in [ProgressSchedule](progress.py#ProgressSchedule)

    Raises `TypeError` or `ValueError` for a value, a power or a bend out of its range, an unknown shape,
    and a mean with an end of 0 or with a power.
    """

    namespace = ""

    start_value: float = field()
    end_value: float = field()
    shape: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("start_value", self.start_value)
        require_number("end_value", self.end_value)
        require_shape("shape", self.shape, self.start_value, self.end_value, self.power)

    def _get_value(self, step: float, total_steps: float) -> float:
        points = total_steps + self.exclude_first + self.exclude_last
        progress = linear(step + self.exclude_first, points) ** self.bend
        return descend(self.start_value, self.end_value, progress, self.shape, self.power)


# ## Choosing
#
# - `shape`: `linear`. In the last column of the table it is 1 % from the best, and it needs no second thought.
# - `end_value`: this matters more. For a shape that is flat at the end, the cosine or a power of 2, about a
#   tenth of the start. Where it should end depends on the ratio of the curvatures, which nobody knows for a
#   network.
# - `power` and `bend`: 1, unless you have a curve to reproduce.
# - The peak, searched for anew with every shape. Without a search, keep peak times mean.
# - A run that must beat another by 1 % needs more seeds, not another shape.
#
# ## Traps
#
# - **Another shape at the same peak.** At $\alpha = 0.0189$, the best of the line, `1-sqrt` is 10 % behind the
#   line. At its own best, 0.0287, it is 0.3 % behind.
# - **A mean with an end of 0** is refused, and so is one with a power.
# - **A very small end.** `exponential` to $10^{-6}$ is below a tenth of the peak after a sixth of the way.
# - **The same name, another curve.** Megatron's exponential reaches 0, optax's never does. torchtitan's `sqrt`
#   is $1 - \sqrt x$, and not $\sqrt{1 - x}$: 0.29 and 0.71 half-way.
# - **`bend` in the wrong direction.** Above 1 it keeps the rate up, `power` above 1 takes it down.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, 0.003 for all after a
# search. `rex` comes to 99.38, 99.40 and 99.42 %, the exponential to a hundredth to 99.28, 99.36 and 99.43 %,
# the cosine to 99.37 to 99.43 %. The constant rate has 98.52 to 98.98 %.
#
# The exponential looks worse in the search, which has one epoch: a held-out loss of 0.052 at 0.003, where `rex`
# has 0.038. At 0.01, where it might do better, all three learn nothing, as they begin at the peak. Over three
# epochs the difference is gone.
#
# ## Exercises
#
# **1.** Write `1-square` and `1-sqrt` as lines over a bent clock.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import RampSchedule
#
# for shape, bend in (("1-square", 2), ("1-sqrt", 0.5)):
#     named, bent = RampSchedule(1, 0, shape), RampSchedule(1, 0, bend=bend)
#     for step in range(101):
#         assert abs(named.get_value(step, 101) - bent.get_value(step, 101)) < 1e-12
# ```
# :::
#
# **2.** When has an exponential from 1 to $f$ fallen to a tenth? And what is its mean?
#
# ::: solution
# $f^x = 0.1$ at $x = \ln 0.1 / \ln f$. For $f = 0.01$ that is half the way, for $f = 10^{-6}$ a sixth. The mean
# is $\int_0^1 f^x\, dx = (f - 1) / \ln f$, 0.215 and 0.072.
# :::
#
# **3.** Show that the inverse from $a$ to $b$ is at $2 a b / (a + b)$ half-way, and check it.
#
# ::: solution
# $1 / s = \frac12 (1 / a + 1 / b)$.
#
# ```python
# from labml_nn_optim.schedules import RampSchedule
#
# half = RampSchedule(1.0, 0.25, "inverse").get_value(50, 101)
# assert abs(half - 2 * 0.25 / 1.25) < 1e-12
# ```
# :::
#
# **4.** Repeat the last row of the first table.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.schedules import RampSchedule
#
#
# def loss(peak, end):
#     ramp = RampSchedule(peak, end * peak, "power", power=2, exclude_last=True)
#     curvature = torch.logspace(-2, 0, 1000, dtype=torch.float64)
#     square = torch.ones_like(curvature)
#     for step in range(4000):
#         rate = ramp.get_value(step, 4000)
#         square = (1 - rate * curvature) ** 2 * square + rate**2
#     return (curvature / 2 * square).mean().item()
#
#
# assert abs(loss(0.0273, 0) - 2.305e-3) < 1e-6
# assert abs(loss(0.0238, 0.1) - 2.049e-3) < 1e-6
# ```
# :::

r"""
---
title: Shapes of a decay
summary: How a rate comes down, early or late, bent or straight, in one formula with a shape, a power and a bend.
chapter: "9.3"
needs: [schedules/progress]
symbols:
  x: progress
  p: power
  k: bend
verified_against:
  implementation: optax's cosine with an exponent, timm's cosine with k_decay, Hugging Face's tails, as recorded
  difference: 5e-6, where those are rounded
---

# Ten shapes, and a tenth of the loss between them

Every paper on schedules has a curve of its own. Here ten of them run on one problem: a thousand weights with curvatures from
0.01 to 1, noise of size 1 in the gradients, Adam with 100 steps of warm-up and then the curve from 1 to 0 up to step 4000. The best of
ten rates for each, eight seeds, standard error 0.00005. The other columns belong to the curve alone: the mean of all its
values, and where it is after half and after 90 % of the way.

| shape | $r(x)$ | mean | at 0.5 | at 0.9 | best $\alpha$ | loss |
|---|---|---:|---:|---:|---:|---:|
| `linear` | $1 - x$ | 0.50 | 0.50 | 0.10 | 0.02 | 0.00217 |
| `halving` | $2 \cdot 2^{-x} - 1$ | 0.44 | 0.41 | 0.07 | 0.02 | 0.00217 |
| `1-sqrt` | $1 - \sqrt x$ | 0.33 | 0.29 | 0.05 | 0.03 | 0.00218 |
| `rex` | $(1 - x) / (1 - x / 2)$ | 0.61 | 0.67 | 0.18 | 0.015 | 0.00218 |
| `mirror-cosine` | $2 (1 - x) - \frac{1 + \cos \pi x}{2}$ | 0.50 | 0.50 | 0.18 | 0.02 | 0.00219 |
| `power`, $p = 0.5$ | $\sqrt{1 - x}$ | 0.67 | 0.71 | 0.32 | 0.015 | 0.00220 |
| `1-square` | $1 - x^2$ | 0.67 | 0.75 | 0.19 | 0.015 | 0.00221 |
| `cosine` | $\frac{1 + \cos \pi x}{2}$ | 0.50 | 0.50 | 0.02 | 0.02 | 0.00233 |
| `power`, $p = 2$ | $(1 - x)^2$ | 0.33 | 0.25 | 0.01 | 0.03 | 0.00239 |
| `exponential` to 0.01 | $0.01^x$ | 0.22 | 0.10 | 0.02 | 0.04 | 0.00247 |

Seven of them cannot be told apart. What the others have in common is the last tenth of the run: they are below 0.025 there, and
nothing happens any more. How high a curve stays before that does not matter, once the peak has been adapted.

## The rule

$$
s = s_\text{end} + (s_\text{start} - s_\text{end})\; r(x^k)^p
$$

Two numbers bend any shape. The **power** $p$ acts on the height: optax's cosine has it as `exponent`. The **bend** $k$ acts on the
time: with $k > 1$ the clock is slow at first, and the curve stays high. timm calls it `k_decay` (Zhang and Li, 2020, arXiv
2004.05909).

With both, half of the table is one shape. The line over a clock with $k = 2$ is `1-square`, with $k = \frac12$ it is
`1-sqrt`, and its power is `power`.

## Between two values that are not 0

An exponential cannot reach 0. It needs two ends, and so do two more shapes:

$$
s = \Big( (1 - x)\, s_\text{start}^{\,q} + x\, s_\text{end}^{\,q} \Big)^{1/q}
$$

Some power of the value lies on a line. For $q = 1$ that is the line itself. For $q = -1$ the reciprocal does, and $s$ is the
`inverse`, the weighted *harmonic mean*: the tail of WSD-S (Wen et al., 2024, arXiv 2410.05192). For $q = -2$ it is
`inverse-sqrt`:

$$
s = \frac{s_\text{start}}{\sqrt{1 + x \left( s_\text{start}^2 / s_\text{end}^2 - 1 \right)}}
$$

That is $1 / \sqrt{t}$ between two given values, as in the first decay of [infinite schedules](infinite.py).
And $q \to 0$? Write $s^q = e^{q \ln s} \approx 1 + q \ln s$: then $\ln s$ lies on a line, which is the *geometric mean*
$s_\text{start}^{1 - x}\, s_\text{end}^{\,x}$, the `exponential`. All four are *power means*.

The smaller $q$, the earlier they fall. From 1 to 0.01, half-way, they are at 0.505, 0.1, 0.02 and 0.014. On the problem above
they lose: 0.0025 for the exponential, 0.0038 and 0.0059 for the others, whose best rate was the largest that was tried.

## Where the shapes come from

- **1-sqrt** is the tail that Hägele et al. (2024, arXiv 2405.18392) found best after a
  [constant rate](wsd.py).
- **REX**, *reflected exponential*, was made for small budgets (Chen et al., 2021, arXiv 2107.04197): it stays high and falls late.
- **Mirror-cosine** is the cosine reflected at the line: late where the cosine is early.
- **Halving** is what Megatron-LM calls its exponential tail. It does reach 0.

## Conventions

- The progress $x$ is $t / (N - 1)$ unless `exclude_first` or `exclude_last` are set, as in
  [Lines, cosines, powers](progress.py).
- `exponential` in other libraries is often a rate of decay per step with no end:
  [ExponentialSchedule](decay.py#ExponentialSchedule). Megatron's is `halving` here.
- noether's and torch's `power` are `power` here: for a decay from a start to an end they agree.
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
    v = v_\text{end} + (v_\text{start} - v_\text{end})\, r(x^k)^p
    $$

    - `start_value`, `end_value`: at least 0; the second may be the larger one
    - `shape`: one of `SHAPES`, or, between two values above 0, one of `MEANS`
    - `power`, `bend`: $p$ and $k$
    - `exclude_first`, `exclude_last`: as in [ProgressSchedule](progress.py#ProgressSchedule)
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
# - `linear`. Nothing in the table is better.
# - `1-sqrt` for a short decay after a constant rate, where papers agree on it. `linear` is as good in our runs.
# - `power` and `bend`: 1, unless you have a curve to reproduce.
#
# ## Traps
#
# - **Another shape at the same peak.** With $\alpha = 0.02$ the power 0.5 has a loss of 0.0024 and `1-sqrt` of 0.0023, with
#   $\alpha = 0.04$ they have 0.0036 and 0.0023. Shapes are compared each at its own best rate, or not at all.
# - **A mean with an end of 0** is refused, and so is one with a power.
# - **A very small end.** `exponential` to $10^{-6}$ is below a tenth of the peak after a sixth of the way.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, 0.003 for all after a search. `rex` comes to 99.38, 99.40 and 99.42 %, the exponential to a
# hundredth to 99.28, 99.36 and 99.43 %, the cosine to 99.37 to 99.43 %. The constant rate has 98.52 to 98.98 %.
#
# The exponential looks worse in the search, which has one epoch: a held-out loss of 0.052 at 0.003, where `rex` has 0.038. At 0.01, where it might
# do better, all three learn nothing, as they begin at the peak. Over three epochs the difference is gone.
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
# **2.** When has an exponential from 1 to $f$ fallen to a tenth?
#
# ::: solution
# $f^x = 0.1$ at $x = \ln 0.1 / \ln f$. For $f = 0.01$ that is half the way, for $f = 10^{-6}$ a sixth.
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

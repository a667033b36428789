r"""
---
title: Rates that need no end
summary: A rate that falls like a power of time can be stopped at any length of the run, and is nearly right at each.
paper:
  title: "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate Scheduler"
  authors: Yikang Shen, Matthew Stallone, Mayank Mishra, Gaoyuan Zhang, Shawn Tan, Aditya Prasad, Adriana Meza Soria, David D. Cox, Rameswar Panda
  year: 2024
  arxiv: "2408.13359"
chapter: "9.10"
needs: [schedules/warmup, optimizers/noam]
symbols:
  t: step
  W: warmup
  \tau: timescale
  b: exponent
  s_\text{max}: max_value
verified_against:
  implementation: Hugging Face transformers 5.24 get_inverse_sqrt_schedule; Cerebras' InverseSquareRootDecayLR, which is float32
  difference: 1e-16 and 5e-8 over 500 steps
---

# The longer the run, the smaller its best rate

A thousand weights start at 1. The loss of each is $\frac{1}{2} h\, \theta^2$, with curvatures $h$ from 0.01
to 1, evenly on a logarithmic scale, and its gradient carries Gaussian noise of size 1. Adam runs with a
constant rate after 100 steps of warm-up. Which rate is the best of ten depends on when you look, and it goes
with the power $-0.53$ of the length:

| length of the run | 1000 | 2000 | 4000 | 8000 |
|---|---:|---:|---:|---:|
| best constant rate | 0.015 | 0.010 | 0.007 | 0.005 |
| its loss | 0.00579 | 0.00405 | 0.00266 | 0.00184 |

If the length is not known, neither is the rate. So let it fall like the first row. Here is one run with
$\alpha = 0.03$ and $1 / \sqrt t$, looked at four times, beside four runs that each were told their end (mean
of eight seeds, standard errors 0.00003 to 0.00008):

| after | 1000 | 2000 | 4000 | 8000 |
|---|---:|---:|---:|---:|
| one run, $1 / \sqrt t$ | 0.00526 | 0.00352 | 0.00226 | 0.00150 |
| four lines to zero, each at its best rate | 0.00524 | 0.00342 | 0.00217 | 0.00137 |

It beats every constant, and stays within 10 % of the lines, which took 15 000 steps together. It does not
stay so for ever: at 16 000 it is 17 % behind, at 64 000 it is 35 %.

## The rule

Let $t = 0, 1, \dots$ be the step about to be made, and $W$ the length of the warm-up. After it

$$
s(t) = s_\text{max} \left( \frac{t - W + \tau}{\tau} \right)^{b},
\qquad
t \ge W, \quad b \le 0
$$

$\tau$ sets the clock: at $t = W + \tau$ the value is $2^b\, s_\text{max}$. If it is not given, it is $W$, and
the bracket is $t / W$. Then warm-up and fall are one curve, for $b = -\frac12$ that of
[Noam](../optimizers/noam.py), $\min(t / W, \sqrt{W / t})$.

No total appears, and none is needed: the last rate of a long run is the fraction $1 + b$ of the mean rate so
far, whether it has ten thousand steps or a million. For $1 / \sqrt t$ that is a half. For a cosine it is
another number at every moment.

## Why a power

**Many curvatures.** Take gradient descent at a constant rate for $T$ steps, on a weight that starts at 1.
What is left of the way, and the noise that has gathered, make the loss

$$
\frac{h}{2}\, e^{-2 \alpha h T} + \frac{\alpha}{4} \left( 1 - e^{-2 \alpha h T} \right)
$$

With curvatures spread evenly over $\ln h$, from $h_0$ to 1, the mean of the first part is about
$\int_0^\infty \frac{1}{2} e^{-2 \alpha h T}\, dh / \ln \frac{1}{h_0} = 1 / (4 \alpha T \ln \frac{1}{h_0})$.
The second is at most $\alpha / 4$. Their sum is smallest at

$$\alpha = \frac{1}{\sqrt{T \ln (1 / h_0)}}$$

For $h_0 = 0.01$ that is 0.0147, 0.0104, 0.0074 and 0.0052: the first table. A longer run reaches weights of
smaller curvature with a smaller rate. So $1 / \sqrt t$, until the slowest has settled. From there on the best
rate falls faster: between 64 000 and a million steps like the power $-0.73$, on its way to $-1$.

[Noam](../optimizers/noam.py) derives the same power for every convex loss, from a bound.

**One curvature.** Now there is nothing to reach but one minimum. Take in each step the rate that makes the
variance $V$ after it smallest. With noise of variance $\sigma^2$

$$
V_{t + 1} = (1 - \alpha h)^2\, V_t + \alpha^2 \sigma^2,
\qquad
\alpha_t = \frac{h V_t}{h^2 V_t + \sigma^2},
\qquad
\frac{1}{V_{t + 1}} = \frac{1}{V_t} + \frac{h^2}{\sigma^2}
$$

So $1 / V$ grows on a line, as it does for a mean of more and more measurements. With
$\tau = \sigma^2 / (h^2 V_0)$

$$\alpha_t = \frac{1}{h\, (t + 1 + \tau)}$$

That is $1 / t$ (Robbins and Monro, 1951), with a timescale: $\tau$ steps halve $V$.

**Which one?** $1 / t$ has to know $h$. With the rates $1, \frac12, \frac13, \dots$ and $h = 0.2$, *without
any noise*, 34 % of the way are left after 100 steps and 1.4 % after $10^9$. Nemirovski et al. (2009) warn
with this example. $1 / \sqrt t$ has 2.2 % left after 100 steps, and $4 \cdot 10^{-6}$ after 1000. On the
thousand weights $1 / t$ is as good as the lines if its clock is right, and bad if it is not:

| after | 1000 | 2000 | 4000 | 8000 | 64 000 |
|---|---:|---:|---:|---:|---:|
| $1 / t$, $\tau = 500$, $\alpha = 0.03$ | 0.00519 | 0.00342 | 0.00217 | 0.00141 | 0.00039 |
| $1 / t$, $\tau = 100$, $\alpha = 0.03$ | 0.00683 | 0.00523 | 0.00413 | 0.00337 | |
| $1 / \sqrt t$, $\tau = 100$, $\alpha = 0.03$ | 0.00526 | 0.00352 | 0.00226 | 0.00150 | 0.00033 |
| lines, each at its best rate | 0.00524 | 0.00342 | 0.00217 | 0.00137 | 0.00025 |

## Language models

Shen et al. (2024, arXiv 2408.13359) search for the best rate of [WSD](wsd.py) at many lengths and batch
sizes. They find a power here, too, in the number $n$ of tokens: $\alpha = \beta\, a\, n^b$ with the batch
size $\beta$, a constant $a$ and $b$ about $-0.51$. Their schedule has at each moment the rate of a run that ends there, with
a cap at the start:

$$\alpha = \min\left( \alpha_\text{max},\; \beta\, a\, n^b \right)$$

Linear in the batch at equal tokens is $\beta^{1 + b}$, about its square root, at equal updates, since $n$ is
proportional to $\beta t$.

The cap ends where both are equal, at $n = (\alpha_\text{max} / \beta a)^{1 / b}$ tokens. Call that $\tau$
updates:

```python
ConstantSchedule(peak).then(PowerSchedule(peak, exponent=-0.51, timescale=tau), after=tau)
```

The second part counts from its own start, where the bracket is $(0 + \tau) / \tau$, so the joint is exact.
They warm up first, and end with a decay, for which the second part takes `decay_steps`. Its `decay_percent`
would be a fraction of the steps after $\tau$. Exercise 3 has it all.

## Conventions

Peak 1, $W = 4$:

| | step 0 | 3 | 4 | 16 | 1000 |
|---|---:|---:|---:|---:|---:|
| transformer's paper, [Noam](../optimizers/noam.py) | 0.25 | 1 | 0.894 | 0.485 | 0.063 |
| fairseq `inverse_sqrt`; Megatron-LM | 0 | 0.75 | 1 | 0.5 | 0.063 |
| Hugging Face `inverse_sqrt` | 0 | 0.75 | 1 | 0.5 | 0.063 |
| Cerebras, `initial` 1, `scale` 2 | 1 | 1 | 1 | 0.5 | 0.063 |
| here | 0.2 | 0.8 | 1 | 0.5 | 0.063 |

fairseq's and Megatron's are computed from their formulas, the others run.

- **Cerebras** does not warm up: before $W$ the rate is held at `initial` $\cdot$ `scale` $/ \sqrt W$. Its
  documentation leaves out the factor `initial`, and says that the held value is `initial`.
- **Without a warm-up** Hugging Face sets $\tau$ to 10 000. Here it is 1, as nothing says what else it should
  be.
- **Megatron** stops at a floor, and jumps to it at the end of its decay, wherever the curve is.
- **OLMo-core's** power schedule is $(t / W)^b$ with a line at the end: the default here with a `decay_steps`.
- torch, optax and timm have no such schedule, nor has noether.
"""

from __future__ import annotations

import math
from dataclasses import field

from labml_nn_optim.checks import require_number
from labml_nn_optim.schedules.wsd import LateDecaySchedule

__all__ = ["InverseSqrtSchedule", "PowerSchedule"]


class PowerSchedule(LateDecaySchedule):
    r"""A warm-up, then a power of time, and, if asked for, a decay over the last steps.

    $$s = s_\text{max} \left(\frac{t - W + \tau}{\tau}\right)^{b}, \qquad t \ge W$$

    - `max_value`, `warmup_steps`, `warmup_percent`: as in [WarmupSchedule](warmup.py#WarmupSchedule)
    - `exponent`: $b$, at most 0
    - `timescale`: $\tau$ in steps, above 0; $W$, or 1 without a warm-up, if not given
    - `decay_steps`, `decay_percent`, `tail`, `end_value`: as in [WSDSchedule](wsd.py#WSDSchedule), but
      on a line, and only if a length is given

    The length of the run is asked for only where a part of it is a fraction of the run or ends with it.
    Raises `ValueError` or `TypeError` for what is not allowed.
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
    r"""A warm-up, then $1 / \sqrt t$.

    A [PowerSchedule](#PowerSchedule) with an `exponent` of $-0.5$. Hugging Face's `inverse_sqrt` is this
    with `warmup_start="t/W"` and, without a warm-up, `timescale=10_000`.
    """

    exponent: float = field(default=-0.5, kw_only=True)


# ## Choosing the numbers
#
# - `exponent`: $-0.5$. Take $-1$ only for a range of lengths that you know, with a `timescale` of about half
#   of the shortest.
# - `max_value`: higher than for a line to zero, 0.03 against 0.015 at 8000 steps: most of the run is spent
#   far below it.
# - `timescale`: for $1 / \sqrt t$ the warm-up's length will do. With $\tau = 500$, at its own best rate, the
#   loss after 8000 steps is 0.00153 instead of 0.00150.
# - `decay_steps`: as soon as the end is known, over the last fifth. At 4000 steps that takes the loss from
#   0.00226 to 0.00222, as the power has left little for it. The runs below gain more.
#
# ## When not to use it
#
# The length is known: then a [line to zero](warmup.py#LinearToZeroSchedule) is better, and has one number
# less. Or you can keep checkpoints and decay from each: [WSD](wsd.py). There is also a limit: for least
# squares, without a known end the last point is far from the best possible again and again, whatever the
# schedule (Ge et al., 2019, arXiv 1904.12838). An [average of the weights](../../docs_src/averaging.md) is
# not bound by it.
#
# ## Traps
#
# - **$\tau = 1$ without a warm-up.** The rate is halved after 3 steps, and at a tenth after 99. Hugging
#   Face's is at 99.5 % after 100.
# - **The warm-up sets the clock.** With $\tau = W$ a warm-up twice as long raises all later rates by
#   $\sqrt 2$.
# - **The paper's $\alpha$ is not the peak.** In the transformer's paper the peak is
#   $\alpha\, d^{-1/2}\, W^{-1/2}$. Here, in fairseq and in Hugging Face's version it is the rate itself.
# - **Tokens for steps.** $\tau$ is in updates. [RunLength](units.py) converts, and with a growing batch no
#   number of updates is right.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, a warm-up of 5 %, 0.003
# after a search. $1 / \sqrt t$ with $\tau = W = 141$ steps: 99.09, 99.12 and 99.31 %. The same with the
# exponent $-0.51$ and a decay over the last tenth: 99.28, 99.34 and 99.39 %. The cosine has 99.37 to 99.43 %,
# the constant rate 98.52 to 98.98 %.
#
# At the end $1 / \sqrt t$ is still at 0.22 of its peak. It is half-way between no decay and a decay, and 281
# more steps on a line close most of the gap.
#
# ## Exercises
#
# **1.** Write Cerebras' schedule with `initial` 1, `scale` 2 and $W = 4$ from parts of this library.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import ConstantSchedule, InverseSqrtSchedule
#
# held = 2 / 4**0.5
# schedule = ConstantSchedule(held).then(InverseSqrtSchedule(held, timescale=4), after=4)
# for step in range(50):
#     assert abs(schedule.get_value(step) - 2 / max(step, 4) ** 0.5) < 1e-12
# ```
# :::
#
# **2.** Check that the best rate of each step, for one curvature, is a `PowerSchedule`.
#
# ::: solution
# $\alpha_0 = 1 / (h\, (1 + \tau))$, and from there it falls with the timescale $1 + \tau$.
#
# ```python
# from labml_nn_optim.schedules import PowerSchedule
#
# h, noise, variance = 0.3, 2.0, 5.0
# tau = noise**2 / (h**2 * variance)
# schedule = PowerSchedule(1 / (h * (1 + tau)), exponent=-1, timescale=1 + tau)
# for step in range(1000):
#     rate = h * variance / (h**2 * variance + noise**2)
#     assert abs(rate / schedule.get_value(step) - 1) < 1e-12
#     variance = (1 - rate * h) ** 2 * variance + rate**2 * noise**2
# ```
# :::
#
# **3.** Write the schedule of Shen et al. with a warm-up of 500 updates, a peak of 0.001, $\tau = 5000$, and
# a line to zero over the last 10 000 of 100 000 updates.
#
# ::: solution
# A WSD schedule without a decay is a warm-up and a constant.
#
# ```python
# from labml_nn_optim.schedules import PowerSchedule, WSDSchedule
#
# start = WSDSchedule(0.001, warmup_steps=500, decay_steps=0)
# rest = PowerSchedule(0.001, exponent=-0.51, timescale=5000, decay_steps=10_000)
# schedule = start.then(rest, after=5000)
# values = [schedule.get_value(step, 100_000) for step in (499, 500, 5000, 20_000, 90_000, 95_000)]
# assert 0.00099 < values[0] < values[1] == values[2] == 0.001
# assert abs(values[3] / 0.001 - 4**-0.51) < 1e-12
# assert abs(values[4] / 0.001 - 18**-0.51) < 1e-12 and abs(values[5] / values[4] - 0.5) < 1e-12
# ```
# :::
#
# **4.** Show that the last rate of a long run is the fraction $1 + b$ of its mean rate, for $b > -1$. What is
# it for $b = -1$?
#
# ::: solution
# $\frac{1}{T} \int_0^T t^b\, dt = \frac{T^b}{1 + b}$. For $b = -1$ the integral grows with $\ln T$, and the
# fraction goes to 0 as $1 / \ln (T / \tau)$.
# :::

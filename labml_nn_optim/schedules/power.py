r"""
---
title: Rates that need no end
summary: A rate that falls like a power of time is right at every length of the run, and nearly so at each.
paper:
  title: "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate Scheduler"
  authors: Yikang Shen, Matthew Stallone, Mayank Mishra, Gaoyuan Zhang, Shawn Tan, Aditya Prasad, Adriana Meza Soria, David D. Cox, Rameswar Panda
  year: 2024
  arxiv: "2408.13359"
chapter: "9.10"
needs: [schedules/warmup]
symbols:
  t: step
  W: warmup
  \tau: timescale
  b: exponent
verified_against:
  implementation: values recorded from Hugging Face's inverse_sqrt
  difference: 5e-9, where those are rounded
---

# One run, looked at four times

A thousand weights with curvatures from 0.01 to 1, noise of size 1 in their gradients, Adam. Four runs follow a line to zero, each of
its own length and with the best of ten rates for it. One run follows $1 / \sqrt t$ at $\alpha = 0.03$ over 8000 steps, and is looked at
on the way. Mean losses of eight seeds:

| after | 1000 | 2000 | 4000 | 8000 |
|---|---:|---:|---:|---:|
| four lines, each tuned | 0.00524 | 0.00342 | 0.00217 | 0.00137 |
| one $1 / \sqrt t$ | 0.00526 | 0.00352 | 0.00226 | 0.00150 |
| one $1 / t$, $\tau = 500$, $\alpha = 0.04$ | 0.00552 | 0.00363 | 0.00223 | 0.00141 |
| one constant rate, 0.005 | 0.01124 | 0.00556 | 0.00289 | 0.00184 |

The one run was told no end, and at each of these moments it is within 10 % of a run that was made for it. The four runs cost
15 000 steps, the one 8000.

## The rule

After the warm-up the rate is a power of time:

$$
s(t) = s_\text{max} \left( \frac{t - W + \tau}{\tau} \right)^{b},
\qquad t \ge W, \quad b \le 0
$$

$\tau$ is how long it takes to fall by the factor $2^b$. If it is not given, it is $W$, and the bracket is $t / W$: then the warm-up
and the fall are one curve, $\min(t / W, \sqrt{W / t})$ for $b = -\frac12$, as in [Noam](../optimizers/noam.py).

## Why a power

Noise holds a weight of curvature $h$ at a loss that is proportional to the rate, and it takes about $1 / (\alpha h)$ steps until a lower rate has had
its effect. A rate that falls at the same speed as it acts satisfies $\dot\alpha \propto -h\, \alpha^2$, and the solution is
$\alpha \propto 1 / (h\, t)$: a power, with no end in it. For a loss with curvature $h$ in every direction $1 / t$ is indeed
the best order (Robbins and Monro, 1951). Where some curvatures are nearly 0, it forgets to go on, and $1 / \sqrt t$ is the safe choice. In the
table they cross between 2000 and 4000 steps.

A power has no scale: the rate at the end is the same fraction of the mean rate so far at every length. For $1 / \sqrt t$ that is
a half. A cosine has another one at every moment.

## Long runs

Shen et al. (2024, arXiv 2408.13359) fit the best rate of language models to a power of the tokens $n$ seen, with the exponent
$-0.51$, and cap it at the start: $\alpha = \min(\alpha_\text{max},\, B\, a\, n^{b})$ with batch size $B$. It is flat until
$\tau = (\alpha_\text{max} / (B a))^{1 / b}$ tokens, and then a power. Here that is

```python
ConstantSchedule(1e-3).then(PowerSchedule(1e-3, exponent=-0.51, timescale=tau), after=tau)
```

with $\tau$ in updates. They end with a decay over the last tenth. `decay_percent=0.1` does that: the
rate goes on from whatever it has.

## Conventions

| | $s(t)$ after the warm-up |
|---|---|
| paper of the transformer, fairseq, here by default | $\sqrt{W / t}$ |
| Hugging Face `inverse_sqrt` | $\sqrt{\tau / (t - W + \tau)}$, $\tau = W$, or 10 000 without a warm-up |
| Cerebras `InverseSquareRootDecayLR` | `initial` $\cdot$ `scale` $/ \sqrt{\max(t, W)}$: held, not rising, before $W$ |

Without a warm-up and without a `timescale`, $\tau$ is 1 here: a quarter of the peak after 16 steps. Hugging Face is at 99.5 % after
100. Set it.
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


# ## Choosing
#
# - `exponent`: $-0.5$ if you do not know the length. $-1$ with a `timescale` of about a tenth of the shortest length you expect.
# - `max_value`: more than for a decay to zero. In the table it is 0.03 against 0.015 for the line of 8000 steps.
# - `decay_percent`: 0.1 or 0.2 as soon as the end is known. On the problem above, a decay over the last tenth of 4000 steps takes the
#   loss from 0.00226 to 0.00223: the power has left little for it.
#
# ## When not to use it
#
# The length is known: a line to zero is better, by 0.4 to 10 % in the table, and is easier to tune. The run is to be judged at its end
# only: [WSD](wsd.py) holds more open until then.
#
# ## Traps
#
# - **$\tau = 1$ by default without a warm-up.** The rate is halved after three steps.
# - **$W$ changes everything after it.** With $\tau = W$ a warm-up twice as long raises all later rates by $\sqrt 2$.
# - **The paper's $\alpha$ is not the peak.** In fairseq it is; in the transformer's paper the peak is
#   $\alpha\, d^{-1/2}\, W^{-1/2}$.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, a warm-up of 5 %, 0.003 after a search. $1 / \sqrt t$ with $\tau = W = 141$ steps: 99.09, 99.12 and
# 99.31 %. The same with the exponent $-0.51$ and a decay over the last tenth: 99.28, 99.34 and 99.39 %. The cosine has 99.37 to
# 99.43 %, the constant rate 98.52 to 98.98 %.
#
# At the end $1 / \sqrt t$ is still at 0.22 of its peak. It is half-way between no decay and a decay, and 281 more steps on a line close
# most of the gap.
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
# **2.** Show that for $1 / \sqrt t$ the last rate is half the mean rate of a long run.
#
# ::: solution
# $\frac{1}{T} \int_0^T t^{-1/2} dt = 2\, T^{-1/2}$. In general the ratio is $1 + b$.
# :::
#
# **3.** At which step has $1 / t$ with $\tau = 500$ fallen below $1 / \sqrt t$ with $\tau = 100$, if both start at 1?
#
# ::: solution
# $500 / (t + 500) = \sqrt{100 / (t + 100)}$. Squared, $2500\, (t + 100) = (t + 500)^2$, so $t = 1500$ or 0.
#
# ```python
# from labml_nn_optim.schedules import InverseSqrtSchedule, PowerSchedule
#
# slow, fast = InverseSqrtSchedule(1, timescale=100), PowerSchedule(1, exponent=-1, timescale=500)
# assert fast.get_value(1499) > slow.get_value(1499)
# assert fast.get_value(1501) < slow.get_value(1501)
# ```
# :::

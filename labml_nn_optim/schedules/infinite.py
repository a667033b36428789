r"""
---
title: An end on demand
summary: A rate that can be held for as long as the data last, and brought down at any moment from where it is.
chapter: "9.11"
needs: [schedules/wsd]
paper:
  - title: Simple and Scalable Strategies to Continually Pre-train Large Language Models
    authors: Adam Ibrahim, Benjamin Thérien, Kshitij Gupta, Mats L. Richter, Quentin Anthony, Timothée Lesort, Eugene Belilovsky, Irina Rish
    year: 2024
    arxiv: "2403.08763"
    venue: TMLR
symbols:
  t: step
  t_0: start
  D: steps
---

# New data arrive, and the rate is at zero

A run has come down to a rate of 0 after 4000 steps. Its loss is 0.00276. Now there are data for 4000 more. The rate has to go up again, along a new
warm-up, and with it goes the loss, on the problem of [Warm-up and decay](warmup.py) with $\alpha = 0.01$:

| steps | 4000 | 4200 | 4400 | 5000 | 8000 |
|---|---:|---:|---:|---:|---:|
| cosine, up again, cosine | 0.00276 | 0.00316 | 0.00319 | 0.00305 | 0.00175 |
| one cosine over 8000 steps | | | | | 0.00147 |

After 1000 new steps the network is worse than without them, and at the end it has not caught up with a run that knew of all data from
the start. What the first decay had gained was thrown away when the rate went up again.

The way out is not to come down before the end, and to be able to end at any moment.

## The rule

An *infinite* schedule (Ibrahim et al., 2024, arXiv 2403.08763; continued in arXiv 2503.02844) has four parts, of which only the first two have a
length:

$$
\text{warm-up to } s_\text{max}
\;\to\; \text{decay to } s_\text{const}
\;\to\; s_\text{const} \text{ for as long as data come}
\;\to\; \text{decay to the end, on demand}
$$

The first decay makes the difference to [WSD](wsd.py). The peak is for the start, where the way is long; the plateau is for the rest, and can be
chosen low enough for a long run.

The last decay starts at a step $t_0$ that nobody knows beforehand. So it is an operation and not an argument: any schedule $s$ of this
library has it,

$$
s'(t) = \begin{cases} s(t) & t \le t_0 \\ s_\text{end} + (s(t_0) - s_\text{end})\; r\!\left( \dfrac{t - t_0}{D} \right) & t > t_0 \end{cases}
$$

```python
schedule = InfiniteSchedule(3e-4, constant_value=1e-4, warmup_steps=1000, cooldown_steps=20_000)
last = schedule.start_decay(at=150_000, steps=15_000)
```

It begins with whatever value is there, half-way down a cosine just as well. In a running training,
`scheduler.start_decay(steps=15_000)` does it from the next step on, and the checkpoint remembers it.

## What it is worth

A plateau at 0.3 of the peak, a first decay over 1000 steps, $\alpha = 0.02$ for the peak, and a line over the last fifth of each
branch:

| ends at | 2000 | 4000 | 8000 |
|---|---:|---:|---:|
| infinite | 0.00363 | 0.00231 | 0.00150 |
| [WSD](wsd.py), $\alpha = 0.01$ | 0.00387 | 0.00240 | 0.00177 |
| WSD at the height of the plateau, $\alpha = 0.006$ | 0.00517 | 0.00268 | 0.00156 |
| lines, each at its own best rate | 0.00342 | 0.00217 | 0.00137 |

It is 6 to 10 % behind runs that were made for their length, at each of the three. A constant rate is good at one length or at
another: 11 to 29 % behind with 0.01, 14 to 51 % with 0.006. One cosine made for 8000 steps comes to 0.00147 there, too, and to nothing at
the others.

Whether that carries over to new data of *another kind* is a different question. There re-warming has a use, as the weights have to move a long way, and
forgetting sets in. The two papers above are about that.

## Conventions

- **The first decay** is a cosine or $1 / \sqrt t$ in the papers; both are shapes here, `cosine` and
  [inverse-sqrt](ramp.py).
- **The last one** is an exponential there: `tail="exponential"`, with an `end_value` above 0.
- **OLMo-core** can start a decay from the present value in any of its schedules, too. Megatron-LM's and Hugging Face's WSD
  need to be told the end.
- **WSD-S** (Wen et al., 2024) goes back to the plateau after each decay and *keeps* the decayed weights: one run, no
  branches. That is a [repeated schedule](combinators.py#RepeatedSchedule) with the tail `inverse`.
"""

from __future__ import annotations

from dataclasses import field

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.schedules.combinators import WrapperSchedule
from labml_nn_optim.schedules.ramp import ShapedSchedule, descend, require_shape
from labml_nn_optim.schedules.warmup import length, require_length
from labml_nn_optim.schedules.wsd import LateDecaySchedule

__all__ = ["CooldownSchedule", "InfiniteSchedule"]


class InfiniteSchedule(LateDecaySchedule):
    """A warm-up to `max_value`, a first decay to `constant_value`, and no end unless one is asked for.

    - `constant_value`: at most `max_value`
    - `cooldown_steps`, or `cooldown_percent`: the length of the first decay in steps, or as a fraction
      of the run
    - `cooldown_shape`: its [shape](ramp.py#RampSchedule)
    - `decay_steps`, `decay_percent`, `tail`, `end_value`: as in [WSDSchedule](wsd.py#WSDSchedule), but
      there is no decay at the end unless its length is given
    """

    constant_value: float = field(kw_only=True)
    cooldown_steps: int | None = field(default=None, kw_only=True)
    cooldown_percent: float | None = field(default=None, kw_only=True)
    cooldown_shape: str = field(default="cosine", kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("constant_value", self.constant_value, maximum=self.max_value)
        require_length(self, "cooldown")
        require_shape("cooldown_shape", self.cooldown_shape, self.max_value, self.constant_value)
        require_shape("tail", self.tail, self.constant_value, self.end_value, self.power)

    @property
    def needs_total_steps(self) -> bool:
        """Whether something ends with the run, or is a fraction of it."""
        return super().needs_total_steps or self.cooldown_percent is not None

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        cooldown = length(self, "cooldown", steps + warmup)
        progress = 1.0 if step >= cooldown else step / cooldown
        return descend(self.max_value, self.constant_value, progress, self.cooldown_shape)


class CooldownSchedule(WrapperSchedule, ShapedSchedule):
    """A schedule up to step `start`; from there down from whatever value it has.

    - `start`: the first step of the decay, which still has the schedule's value
    - `steps`: its length, at least 1
    - `end_value`: where it leads
    - `tail`: the [shape](ramp.py#RampSchedule), with `power` and `bend`
    """

    start: int
    steps: int
    end_value: float = field(default=0.0, kw_only=True)
    tail: str = field(default="linear", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("start", self.start)
        require_count("steps", self.steps, minimum=1)
        require_number("end_value", self.end_value)
        require_shape("tail", self.tail, 1.0, self.end_value, self.power)

    def _get_value(self, step: float, total_steps: float) -> float:
        value = self.schedule.get_value(min(step, self.start), total_steps)
        if step <= self.start:
            return value
        require_shape("tail", self.tail, value, self.end_value, self.power)
        progress = min(1.0, (step - self.start) / self.steps) ** self.bend
        return descend(value, self.end_value, progress, self.tail, self.power)


# ## Choosing
#
# - `constant_value`: a third of the peak, less for very long runs.
# - `cooldown_steps`: as long as you are sure to train.
# - `start_decay`: over a fifth of all steps so far, on a line, to 0.
#
# ## When not to use it
#
# The length of the run is known, and no data will come: take a [line to zero](warmup.py). New data that differ much from the old ones need
# more than a plateau.
#
# ## Traps
#
# - **The decayed weights are an end.** Go on from the copy at $t_0$, not from them, or you are back at the table above.
# - **`start_decay` of a schedule** is a new schedule; the old one is as it was. That of a scheduler changes the scheduler.
# - **No decay at all.** An infinite schedule without its last part leaves the weights where the noise has them.
# - **`total_steps` that is too small.** A schedule that needs it, such as a fraction for the warm-up, holds its last value after
#   the end; the plateau is not affected.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, a warm-up of 5 %, a first decay over 30 % to 0.3 of the peak, and a line over the last
# fifth: 99.30, 99.31 and 99.42 %, and test losses of 0.019 to 0.022. [WSD](wsd.py) has 99.25 to 99.44 %, the cosine 99.37 to 99.43 %. One run of one
# length is not what it is for, and it is not far behind.
#
# ## Exercises
#
# **1.** Start a decay in the middle of a cosine, and check that nothing jumps.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import CosineDecreasingSchedule
#
# cosine = CosineDecreasingSchedule(1)
# stopped = cosine.start_decay(at=400, steps=50)
# values = [stopped.get_value(step, 1000) for step in range(500)]
# assert values[:401] == [cosine.get_value(step, 1000) for step in range(401)]
# assert max(abs(a - b) for a, b in zip(values, values[1:])) < 0.02
# assert values[450] == 0
# ```
# :::
#
# **2.** A training is to end tonight. The scheduler is at step 12 000, and 3000 more fit into the time. What do you call, and which
# steps have which rate?
#
# ::: solution
# `scheduler.start_decay(steps=3000)`. The next update, number 12 000, still has the present rate, number 13 500 half of it, and number
# 14 999 a 3000th. Update 15 000 would have 0.
# :::
#
# **3.** Why is a second warm-up after a decay to zero not needed by the optimizer?
#
# ::: solution
# A warm-up protects Adam's second moment while it has seen few gradients. After 4000 steps it has seen enough. The rate could jump to its peak at once;
# the loss would rise all the same, as it is the rate that shakes the weights and not the way up to it.
# :::

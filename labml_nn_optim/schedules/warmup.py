r"""
---
title: Warm-up and decay
summary: The rate rises first, then falls to the end of the run; three ways to count the first step are in use, and two to count the last.
chapter: "9.8"
needs: [schedules/ramp]
paper:
  title: "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works Best for LLMs"
  authors: Shane Bergsma, Nolan Dey, Gurpreet Gosal, Gavia Gray, Daria Soboleva, Joel Hestness
  year: 2025
  arxiv: "2502.15938"
  venue: ICLR
symbols:
  t: step
  T: total_steps
  W: warmup
verified_against:
  implementation: values recorded from noether, Hugging Face and optax
  difference: 0 against noether, 9e-8 against optax, which computes in float32
---

# The first batch is computed, and thrown away

A warm-up of five steps from 0, in three libraries:

| | $t = 0$ | 1 | 2 | 3 | 4 | 5 |
|---|---:|---:|---:|---:|---:|---:|
| torch, Hugging Face, Cerebras, optax: $t / W$ | 0 | 0.2 | 0.4 | 0.6 | 0.8 | 1 |
| noether: $(t + 1) / (W + 1)$ | 0.17 | 0.33 | 0.5 | 0.67 | 0.83 | 1 |
| torchtitan: $(t + 1) / W$ | 0.2 | 0.4 | 0.6 | 0.8 | 1 | 1 |

The first has the rate 0 in its first update. A batch is loaded, a loss and a gradient computed, and no weight moves. At the other end the same can happen again: a
decay that reaches 0 *in* the last update computes that one in vain as well.

In a run of 100 000 updates two are nothing. They are a nuisance where runs are short, where a test compares two libraries, and
where $t$ is off by one. So each schedule of this chapter says how it counts.

## The rule

With $x_W$ for one of the three fractions above, $r$ for a [shape](ramp.py) that falls from 1 to 0, and the values at the start, the
peak and the end:

$$
s(t) = \begin{cases}
s_\text{start} + (s_\text{max} - s_\text{start})\; r(1 - x_W) & t < W \\[4pt]
s_\text{end} + (s_\text{max} - s_\text{end})\; r\!\left( \dfrac{t - W}{T - W - e} \right) & t \ge W
\end{cases}
$$

$e$ is 1 for `end="last"`, where update $T - 1$ has the end value, and 0 for `end="after"`, where update $T$ would have it, if there were
one. The warm-up is a decay read backwards; mostly it is a line.

Both parts meet at the peak: $s(W) = s_\text{max}$.

## Why warm up, and why come down

The warm-up protects the first steps of Adam, whose running average of squared gradients has seen few of them, and of networks that a full step would break at the start. That
is told in [AdamWarmup](../optimizers/adam_warmup.py) and derived in [RAdam](../optimizers/radam.py). Beyond that it lets the peak
be higher than what the first steps would stand.

The decay is told in [Adam with warm-up and cosine decay](../optimizers/adam_warmup_cosine_decay.py): the noise of the
gradients keeps the weights at a distance from the minimum that goes with the rate.

## To zero, on a line

Bergsma et al. (2025, arXiv 2502.15938) train language models with a line to exactly 0, and with a cosine to a tenth, the usual choice. At the best
rates the line wins, and more so the longer the run. Their reason: a weight is an [average of updates](../optimizers/adamw.py) over the last steps, and
with a rate that falls to 0 the last updates do not outweigh the earlier ones in that average.

On a problem without networks it looks like this. A thousand weights with curvatures from 0.01 to 1, noise of size 1, Adam with
$W = 100$, the best of ten rates for each length, eight seeds:

| after the warm-up | $T = 1000$ | 2000 | 4000 | 8000 |
|---|---:|---:|---:|---:|
| a line to 0 | 0.00524 | 0.00342 | 0.00217 | 0.00137 |
| a cosine to 0 | 0.00554 | 0.00365 | 0.00233 | 0.00145 |

Six to seven percent everywhere. The cosine is nearly 0 for the last tenth of the run, and that part is lost. A cosine to a
tenth, 0.00213 at 4000, does not have this fault.

## Conventions

| | warm-up | after the warm-up |
|---|---|---|
| noether `LinearWarmupCosineDecaySchedule` | $(t + 1) / (W + 1)$ from 0; $t / W$ from above 0 | cosine, to $10^{-6}$ in update $T - 1$ |
| Hugging Face `linear`, `cosine`; optax | $t / W$ | to 0 in update $T$ |
| Hugging Face `cosine_warmup_with_min_lr` | $(t + 1) / W$ | $(t - W + 1) / (T - W)$ |
| torchtitan | $(t + 1) / W$ | one step longer than the run, so that the last rate is above 0 |
| timm | $t / W$ | without `warmup_prefix` the cosine is counted from step 0, and the rate jumps down at $W$ |

`CONVENTIONS` has three of them as arguments: `WarmupDecaySchedule(1, warmup_steps=100, **CONVENTIONS["torch"])`.

`warmup_percent` is a fraction of the run. noether's class takes it of $T - 1$ and rounds down, the other classes here of $T$ and
round to the nearest. optax's `decay_steps` includes the warm-up.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from labml_nn_optim.checks import require_choice, require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.progress import between, cosine, linear
from labml_nn_optim.schedules.ramp import ShapedSchedule, descend, require_shape

__all__ = [
    "CONVENTIONS",
    "ENDS",
    "WARMUP_STARTS",
    "LinearToZeroSchedule",
    "LinearWarmupCosineDecaySchedule",
    "LinearWarmupCosineDecayScheduleConfig",
    "WarmupDecaySchedule",
    "WarmupSchedule",
    "require_length",
]

# How the progress of the warm-up is counted: what is added to the step, and what to its length.
WARMUP_STARTS: dict[str, tuple[int, int]] = {
    "(t+1)/(W+1)": (1, 1),
    "(t+1)/W": (1, 0),
    "t/W": (0, 0),
}

# How many steps after the last one of the run the end value is reached.
ENDS = {"last": 0, "after": 1}

CONVENTIONS: dict[str, dict[str, Any]] = {
    "noether": {"warmup_start": "(t+1)/(W+1)", "end": "last"},
    "torch": {"warmup_start": "t/W", "end": "after"},
    "torchtitan": {"warmup_start": "(t+1)/W", "end": "after"},
}


def require_length(owner: ScheduleBase, name: str) -> None:
    """Raise unless at most one of `<name>_steps` and `<name>_percent` is given, and it is allowed.

    Raises:
        TypeError: steps are no whole number.
        ValueError: both are given, steps are below 0, or the fraction is not between 0 and 1.
    """
    steps, percent = getattr(owner, f"{name}_steps"), getattr(owner, f"{name}_percent")
    if steps is not None:
        require_count(f"{name}_steps", steps)
    if percent is not None:
        require_number(f"{name}_percent", percent, maximum=1.0)
    if steps is not None and percent is not None:
        raise ValueError(f"{name}_steps must be None when {name}_percent is given, got {steps!r}")


def length(owner: ScheduleBase, name: str, total_steps: float) -> float:
    """Return `<name>_steps`, or `<name>_percent` of the run to the nearest step, or 0."""
    steps, percent = getattr(owner, f"{name}_steps"), getattr(owner, f"{name}_percent")
    if percent is not None:
        steps = round(percent * total_steps)
    return steps or 0


class WarmupSchedule(ScheduleBase):
    """A warm-up, followed by what a subclass says.

    - `max_value`: where the warm-up leads
    - `warmup_steps`, or `warmup_percent`: its length in steps, or as a fraction of the run; none if
      neither is given
    - `start_value`: where it begins
    - `warmup_shape`: the shape of a [decay](ramp.py), read backwards
    - `warmup_start`: one of `WARMUP_STARTS`; if it is not given, `"t/W"` after a `start_value` above 0,
      which is worth a step, and else `"(t+1)/(W+1)"`
    - `end`: whether the last step of the run has the end value (`"last"`), or the one after it
      (`"after"`)
    """

    max_value: float
    warmup_steps: int | None = field(default=None, kw_only=True)
    warmup_percent: float | None = field(default=None, kw_only=True)
    start_value: float = field(default=0.0, kw_only=True)
    warmup_shape: str = field(default="linear", kw_only=True)
    warmup_start: str | None = field(default=None, kw_only=True)
    end: str = field(default="after", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("max_value", self.max_value)
        require_length(self, "warmup")
        require_number("start_value", self.start_value)
        if self.start_value > self.max_value:
            raise ValueError(
                f"start_value must be at most max_value, {self.max_value!r}, "
                f"got {self.start_value!r}"
            )
        require_shape("warmup_shape", self.warmup_shape, self.max_value, self.start_value)
        if self.warmup_start is not None:
            require_choice("warmup_start", self.warmup_start, WARMUP_STARTS)
        require_choice("end", self.end, ENDS)

    def _get_value(self, step: float, total_steps: float) -> float:
        warmup = self._warmup(total_steps)
        if warmup > total_steps:
            raise ValueError(
                f"warmup_steps must be at most total_steps, {total_steps!r}, got {warmup!r}"
            )
        if step < warmup:
            return self._rise(step, warmup)
        return self._get_value_after(step - warmup, total_steps - warmup, warmup)

    def _warmup(self, total_steps: float) -> float:
        return length(self, "warmup", total_steps)

    def _rise(self, step: float, warmup: float) -> float:
        usual = "t/W" if self.start_value else "(t+1)/(W+1)"
        first, more = WARMUP_STARTS[self.warmup_start or usual]
        progress = min(1.0, (step + first) / (warmup + more))
        return descend(self.max_value, self.start_value, 1 - progress, self.warmup_shape)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        """Return the value `step` steps after the warm-up, of which there are `steps`."""
        raise NotImplementedError(f"{type(self).__name__} has no _get_value_after")


class LinearWarmupCosineDecaySchedule(WarmupSchedule):
    """A line up to `max_value`, then half a cosine down to `end_value`.

    One of `warmup_steps` and `warmup_percent` must be given. The fraction is rounded down, and taken of
    the steps without the last.
    """

    namespace = "noether.core.schedules"

    end_value: float = field(default=1e-6, kw_only=True)
    end: str = field(default="last", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps is self.warmup_percent is None:
            raise ValueError("warmup_steps or warmup_percent must be given")
        require_number("end_value", self.end_value, maximum=self.max_value)

    def _warmup(self, total_steps: float) -> float:
        if self.warmup_percent is None:
            return super()._warmup(total_steps)
        return int((total_steps - 1) * self.warmup_percent)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        return between(self.max_value, self.end_value, cosine(step, steps + ENDS[self.end]))


class WarmupDecaySchedule(WarmupSchedule, ShapedSchedule):
    """A warm-up, then down to `end_value` in any shape.

    - `tail`: the [shape](ramp.py#RampSchedule), with `power` and `bend`
    """

    tail: str = field(default="cosine", kw_only=True)
    end_value: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("end_value", self.end_value)
        require_shape("tail", self.tail, self.max_value, self.end_value, self.power)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        return self._fall(self.max_value, step, steps)

    def _fall(self, start: float, step: float, steps: float) -> float:
        """Return the value `step` steps after the decay from `start` has begun, which lasts `steps`."""
        progress = linear(step, steps + ENDS[self.end]) ** self.bend
        return descend(start, self.end_value, progress, self.tail, self.power)


class LinearToZeroSchedule(WarmupDecaySchedule):
    """A warm-up, then a line down to exactly 0."""

    tail: str = field(default="linear", kw_only=True)


LinearWarmupCosineDecayScheduleConfig = LinearWarmupCosineDecaySchedule


# ## Choosing
#
# - [LinearToZeroSchedule](#LinearToZeroSchedule) with `warmup_percent` between 0.01 and 0.1.
# - `warmup_steps` if the length of the run varies: the averages of Adam need some $1 / (1 - \beta_2)$ steps, whatever $T$ is.
# - `end_value`: 0, or a tenth of the peak with a cosine. Not $10^{-6}$, which is only noether's default.
# - Leave `warmup_start` and `end` alone, unless two programs are to give the same numbers.
#
# ## When not to use it
#
# A warm-up costs next to nothing, but SGD and rules that begin softly, such as RAdam, rarely need one. If the end of the run is not known, the decay
# cannot be planned: take [WSD](wsd.py).
#
# ## Traps
#
# - **`max_value` and the optimizer's `lr`.** In the absolute mode of a [scheduler](../schedulers/scheduler.py) the schedule's
#   value is the rate. With a `max_value` of 1 that is a rate of 1.
# - **A warm-up that is longer than the run** is an error, also inside of another schedule that gives it fewer steps.
# - **$W = T$** leaves no decay: the run ends at its peak, or one step below it.
# - **A warm-up again after a restart of the program.** The schedule knows the step; a scheduler that is made without its checkpoint
#   begins at 0.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, a warm-up of 5 %. Cosine after it: 99.36, 99.37 and 99.43 %. Line to zero after it: 99.37, 99.41
# and 99.43 %. Without a warm-up they have 99.37 to 99.43 % and 99.30 to 99.40 %. All chose 0.003.
#
# What the warm-up changes is the rate that fails. At 0.01 the runs without one learn nothing: a held-out loss of 2.30 after one epoch. With the
# warm-up it is 0.037 and 0.038, hardly worse than at 0.003, 0.036 and 0.034. A search that misses the best rate by a factor of three
# costs a tenth of the loss with a warm-up and the whole run without.
#
# ## Exercises
#
# **1.** Reproduce Hugging Face's `cosine_warmup_with_min_lr` for $W = 2$, $T = 10$ and a floor of 0.1: 0.5, 1, 0.966, 0.868, ..., 0.1 in
# update 9.
#
# ::: solution
# Its decay has $x = (t - W + 1) / (T - W)$, which is a [ramp](ramp.py) without its first point.
#
# ```python
# from labml_nn_optim.schedules import LinearIncreasingSchedule, RampSchedule
#
# rise = LinearIncreasingSchedule(1, exclude_first=True)
# fall = RampSchedule(1, 0.1, "cosine", exclude_first=True)
# schedule = rise.then(fall, after=2)
# values = [round(schedule.get_value(step, 10), 3) for step in range(10)]
# assert values[:4] == [0.5, 1, 0.966, 0.868] and values[9] == 0.1
# ```
# :::
#
# **2.** How much of the sum of rates does a warm-up of 5 % cost a line to zero?
#
# ::: solution
# Both parts are triangles of height 1 with bases that sum to $T$: nothing. The sum is $T / 2$ with and without. The decay is only a
# little steeper.
# :::
#
# **3.** Why does a run with `end="after"` and $T$ updates not lose anything against one with `end="last"` and $T + 1$?
#
# ::: solution
# They have the same rates in the updates 0 to $T - 1$, and the second has one more with the rate 0.
#
# ```python
# from labml_nn_optim.schedules import WarmupDecaySchedule
#
# after = WarmupDecaySchedule(1, warmup_steps=3, end="after")
# last = WarmupDecaySchedule(1, warmup_steps=3, end="last")
# assert all(after.get_value(t, 20) == last.get_value(t, 21) for t in range(20))
# assert last.get_value(20, 21) == 0
# ```
# :::

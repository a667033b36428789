r"""
---
title: A schedule is a function
summary: A schedule is a pure function of the step and the length of the run, and its arguments are its configuration.
chapter: "9.1"
needs: [base]
symbols:
  t: step
  T: total_steps
---

# One wrapper more, and the warm-up is a step shorter

torch's `SequentialLR` puts one scheduler after the other. Here it makes three steps of warm-up from a quarter of the
rate, then eight steps of a cosine. In the second row the same thing stands inside another `SequentialLR`, alone. In the
third it is made anew after six updates, with `last_epoch=5` (torch 2.14.1):

| learning rate in update | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| as it is | 0.25 | 0.5 | 0.75 | 1 | 0.962 | 0.854 | 0.691 | 0.5 | 0.309 |
| wrapped | 0.25 | 0.5 | 1 | 0.962 | 0.854 | 0.691 | 0.5 | 0.309 | 0.146 |
| made anew | | | | | | | 0.25 | 0.26 | 0.25 |

No error is raised. torch's users have reported both, as
[196243](https://github.com/pytorch/pytorch/issues/196243) and
[162591](https://github.com/pytorch/pytorch/issues/162591).

The reason is the form. Most of torch's schedulers know no curve. They know how to get from one value to the next,
$\alpha_{t + 1} = F_t(\alpha_t)$, and the last value lies in the optimizer. So each part must have been stepped once for
every update, and nobody else may have touched the value. A wrapper and a restart would have to see to that, and do
not.

## The rule

$$\alpha_t = s(t, T), \qquad t = 0, 1, \dots, T - 1$$

A schedule is a function $s$ of the number $t$ of updates already made and the length $T$ of the run. It knows its
arguments and remembers nothing.

- **To resume** is to know $t$. There is no saved value that could disagree.
- **To plot** is to ask for every $t$. Update 999 999 alone takes one call; the recursion takes a million, 1.7 seconds.
- **To nest** is to pass other arguments on: $s(t - a, b - a)$ is the same curve between the steps $a$ and $b$.
- **To use it** for weight decay, momentum or the weight of a loss takes no other class. No optimizer is involved before
  a [scheduler](../schedulers/scheduler.py) writes the value into one.

A recursion also rounds in every step. With a Python number that is harmless: $10^{-13}$ after 100 000 steps. With a
float32 tensor, `ExponentialLR` on its way to a tenth is 0.2 % off by then, and `LambdaLR`, which is a function,
$6 \cdot 10^{-8}$.

A function of $t$ cannot look at the loss. A rate that drops when the loss stalls [needs a memory](../schedulers/feedback.py), and is no schedule
here. A decay that [begins on demand](infinite.py) is one: the step at which it begins is an argument.

The chapters from [9.2](progress.py) to [9.12](cycles.py) are curves and ways to join them. Then come
[configurations](config.py) and [units](units.py), and from [9.15](../schedulers/scheduler.py) on the way into an
optimizer.

## Which update has which value

Schedules count from 0: $s(t)$ is used *during* update $t$, which [Adam](../optimizers/adam.py) calls step $t + 1$. A
scheduler writes $s(0)$ when it is made. Its `step`, called after the optimizer's, writes $s(t + 1)$.

**The last update** is number $T - 1$. With `end="last"` a curve reaches its end there: its progress is
$x = t / (T - 1)$. With `end="after"` it reaches it one step later, in an update that is never made: $x = t / T$.
If the end is 0, the first way ends with an update that moves nothing. A line to 0 with `end="last"` and $T = 10$ is the
line with `end="after"` and $T = 9$, and one batch computed in vain.

**The first update** after a start at 0 has the same choice. With $t / W$ it has the rate 0, with
$(t + 1) / (W + 1)$ the $W$ rates of the warm-up lie evenly between 0 and the peak, and with $(t + 1) / W$ the last
of them is the peak. [Warm-up and decay](warmup.py) has all three.

Does it matter? A thousand weights start at 1, each with the loss $\frac{1}{2} \theta^2$ and noise of size 1 in its
gradient. [Adam](../optimizers/adam.py) warms up for a tenth of the run, then the rate goes down a line to 0. Mean loss of
40, 20 and 5 seeds at the best of six rates:

| first update | last update | $T = 20$ | $T = 100$ | $T = 1000$ |
|---|---|---:|---:|---:|
| $(t + 1) / (W + 1)$ | 0 | 0.0276 | 0.00605 | 0.000778 |
| $(t + 1) / (W + 1)$ | above 0 | 0.0268 | 0.00602 | 0.000778 |
| $t / W$ | above 0 | 0.0249 | 0.00600 | 0.000778 |

The update in vain at the end costs some 3 % of the loss in a run of 20, where the seeds leave an uncertainty of 1 %, and
nothing to be seen in longer ones. The one at the start is not in vain for Adam: its moments have seen one gradient more
when the weights begin to move.

## Conventions

Peak 1, $W = 4$, $T = 10$, end 0:

| | updates 0, 1, 2 | 9, the last | 10 | 13 |
|---|---|---:|---:|---:|
| noether 1.1 `LinearWarmupCosineDecay` | 0.2, 0.4, 0.6 | 0 | 0 | error |
| torch 2.14 `LinearLR`, `CosineAnnealingLR` | 0.33, 0.5, 0.67 | 0.067 | 0 | 0.5 |
| Cerebras `LinearLR`, `CosineDecayLR` | 0, 0.25, 0.5 | 0.067 | 0 | 0 |
| Hugging Face 5.24 `linear` | 0, 0.25, 0.5 | 0.167 | 0 | 0 |
| Hugging Face `cosine` | 0, 0.25, 0.5 | 0.067 | 0 | 0.5 |
| Hugging Face `cosine_warmup_with_min_lr` | 0.25, 0.5, 0.75 | 0 | 0.067 | 0.75 |
| optax 0.2.8 `warmup_cosine_decay` | 0, 0.25, 0.5 | 0.067 | 0 | 0 |
| timm 1.0.31 cosine, `warmup_prefix`, `t_initial=6` | 0, 0.25, 0.5 | 0.067 | 0 | 0 |
| torchtitan (August 2026), linear | 0.25, 0.5, 0.75 | 0.167 | 0 | -0.5 |
| here `WarmupDecaySchedule`, cosine | 0.2, 0.4, 0.6 | 0.067 | 0 | 0 |

The rows of noether and Cerebras are computed by schedules of this library that agree with values recorded from those;
the others were run. Here the last value holds after the end. A cosine that rises again is a [cycle](cycles.py).

## Longer, shorter, later

An **overhang** makes the curve longer than the run: $T' = T + n$ for `overhang_steps`,
$T' = T + p\, T$ for `overhang_percent`, which is a fraction; what $p\, T$ has behind the point is cut off. The value is
$s(t, T')$. With $T = 100$ and $p = 0.25$ a cosine to 0 stops at 0.097. Below 0 it shortens: with -0.1 the cosine is at
0 from update 89 on.

A **window** from $a$ to $b$ lets the curve stand still before and after:
$s(\min(\max(t - a, 0),\, b - a - 1),\; b - a)$. With `start_step=30`, `end_step=70` the first value holds
up to update 30, and the last one from 69 on. Fractions become $\lfloor p\, (T' - 1) \rfloor$, and 1 becomes $T'$.
noether's configurations have these four arguments, and its code reads them nowhere.

## The arguments are the configuration

noether has a configuration class beside every schedule. Here `LinearDecreasingScheduleConfig` is another name of
`LinearDecreasingSchedule`. The metaclass `Record` makes every subclass a frozen dataclass, so that schedules print,
compare and can be [written down](config.py). It also makes a schedule from one like it, as noether's are made from
their configuration, and refuses a subclass that replaces `get_value`, where the checks are.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, field
from typing import Any, ClassVar, dataclass_transform

from labml_nn_optim.checks import require_choice, require_count, require_number

__all__ = ["ScheduleBase", "ScheduleBaseConfig", "in_window"]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record(type):
    """Makes a frozen dataclass of every schedule, and lets it be made from one like it."""

    __signature__: inspect.Signature

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if bases and "get_value" in namespace:
            raise TypeError(f"{name} must implement _get_value, not get_value")
        freeze: Any = dataclasses.dataclass(frozen=True, repr=False)
        freeze(cls)
        # What `help` shows would be that of `__call__`.
        made = inspect.signature(vars(cls)["__init__"])
        cls.__signature__ = made.replace(parameters=list(made.parameters.values())[1:])

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and type(args[0]) is cls:
            return args[0]
        return super().__call__(*args, **kwargs)


# What a schedule takes over from noether's configuration whether it has a use for it or not.
IDLE = ("start_value", "end_value", "weight_decay")


class ScheduleBase(metaclass=Record):
    r"""What all schedules have in common.

    - `kind`: the name of the class, as a configuration gives it
    - `overhang_steps`, `overhang_percent`: how much longer than the run the schedule is, in steps or as
      a fraction of the run; below 0, how much shorter
    - `start_step`, `end_step` or `start_percent`, `end_percent`: the part of the run in which the
      schedule moves, both or none; before it the first value holds, after it the last one
    - `interval`: whether a [scheduler](../schedulers/scheduler.py) changes the value with every
      `"update"` or once an `"epoch"`
    - `start_value`, `end_value`, `weight_decay`: used by those subclasses that have them. In the others
      they are refused, as they do nothing

    A subclass lists its own arguments as fields and implements
    [_get_value](#ScheduleBase._get_value).

    Raises `TypeError` or `ValueError`, in one line, for what is not allowed.
    """

    namespace: ClassVar[str] = ""
    counts_its_own_steps: ClassVar[bool] = False

    _: KW_ONLY
    kind: str | None = None
    overhang_percent: float | None = None
    overhang_steps: int | None = None
    start_value: float = 0.0
    end_value: float = 1e-6
    weight_decay: float = 0.0
    start_percent: float | None = None
    end_percent: float | None = None
    start_step: int | None = None
    end_step: int | None = None
    interval: str = "update"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, as_plain(value))
        self._check_kind()
        self._check_idle_fields()
        self._check_overhang()
        self._check_bounds()
        require_choice("interval", self.interval, ("update", "epoch"))

    def get_value(self, step: float, total_steps: float | None = None) -> float:
        r"""Return the value at `step`, $t = 0, 1, 2, \dots$

        - `total_steps`: $T$, how many steps the run has; it may be left out where the schedule counts
          its own

        Past the end the last value holds. Raises `ValueError` for a step below 0, a run without steps,
        and a missing `total_steps`.
        """
        if not step >= 0:
            raise ValueError(f"step must be a number >= 0, got {step!r}")
        if total_steps is None:
            if self.needs_total_steps:
                raise ValueError(f"total_steps must be given for {type(self).__name__}, got None")
            total_steps = math.inf
        elif not total_steps > 0:
            raise ValueError(f"total_steps must be a number > 0, got {total_steps!r}")
        if self._is_placed:
            step, total_steps = self._place(step, total_steps)
        return float(self._get_value(step, total_steps))

    def _get_value(self, step: float, total_steps: float) -> float:
        """Return the value; `total_steps` may be infinite if `needs_total_steps` is false."""
        raise NotImplementedError(f"{type(self).__name__} has no _get_value")

    @property
    def needs_total_steps(self) -> bool:
        """Whether the values depend on the length of the run."""
        return self._is_placed or not self.counts_its_own_steps

    # ## Where in the run it stands
    @property
    def _is_placed(self) -> bool:
        """Whether the schedule is longer or shorter than the run."""
        return not (
            self.overhang_percent is None
            and self.overhang_steps is None
            and self.start_step is None
            and self.start_percent is None
        )

    def _place(self, step: float, total_steps: float) -> tuple[float, float]:
        """Return step and length of the schedule for those of the run."""
        prolonged = total_steps + (self.overhang_steps or 0)
        prolonged += int(total_steps * (self.overhang_percent or 0.0))
        if prolonged < 1:
            name = "overhang_percent" if self.overhang_steps is None else "overhang_steps"
            raise ValueError(
                f"{name} must leave a step of the {total_steps} there are, "
                f"got {getattr(self, name)!r}"
            )
        bounds = self._bounds(prolonged)
        return in_window(step, *bounds) if bounds else (step, prolonged)

    def _bounds(self, total_steps: float) -> tuple[float, float] | None:
        if self.start_step is not None and self.end_step is not None:
            return self.start_step, self.end_step
        if self.start_percent is None or self.end_percent is None:
            return None
        return percent_bounds(self.start_percent, self.end_percent, total_steps)

    # ## Composition
    def then(self, following: ScheduleBase, after: int) -> ScheduleBase:
        """Return this schedule for the first `after` steps, and `following` from there on."""
        from labml_nn_optim.schedules.combinators import SequenceSchedule

        return SequenceSchedule((self, following), (after,))

    def start_decay(
        self, at: int, steps: int, end_value: float = 0.0, tail: str = "linear"
    ) -> ScheduleBase:
        """Return this schedule up to step `at`, and from there a decay from whatever it has."""
        from labml_nn_optim.schedules.infinite import CooldownSchedule

        return CooldownSchedule(self, at, steps, end_value=end_value, tail=tail)

    def scale(self, factor: float) -> ScheduleBase:
        """Return this schedule with every value multiplied by `factor`."""
        from labml_nn_optim.schedules.combinators import ScaledSchedule

        return ScaledSchedule(self, factor)

    def clip(self, low: float | None = None, high: float | None = None) -> ScheduleBase:
        """Return this schedule with every value held between `low` and `high`."""
        from labml_nn_optim.schedules.combinators import ClippedSchedule

        return ClippedSchedule(self, low, high)

    def over(self, steps: int) -> ScheduleBase:
        """Return this schedule as that of a run of `steps` steps, whatever the run is."""
        from labml_nn_optim.schedules.combinators import SpanSchedule

        return SpanSchedule(self, steps)

    def __mul__(self, other: ScheduleBase) -> ScheduleBase:
        """Return the product of two schedules."""
        if not isinstance(other, ScheduleBase):
            return NotImplemented
        from labml_nn_optim.schedules.combinators import ProductSchedule

        return ProductSchedule((self, other))

    # ## Checks
    def _check_kind(self) -> None:
        kind = type(self)
        own = f"{self.namespace or kind.__module__}.{kind.__name__}"
        if self.kind is not None and bare_name(str(self.kind)) != bare_name(own):
            raise ValueError(f"kind must be {own}, or not be given, got {self.kind!r}")
        object.__setattr__(self, "kind", own)

    def _check_idle_fields(self) -> None:
        for name in IDLE:
            default = ScheduleBase.__dataclass_fields__[name].default
            if name not in own_fields(type(self)) and getattr(self, name) != default:
                raise ValueError(idle(type(self), name))

    def _check_overhang(self) -> None:
        if self.overhang_percent is not None:
            require_number("overhang_percent", self.overhang_percent, above=-1.0)
        steps = self.overhang_steps
        if isinstance(steps, bool) or not isinstance(steps, int | None):
            raise TypeError(f"overhang_steps must be a whole number, got {steps!r}")
        if None not in (self.overhang_percent, self.overhang_steps):
            raise ValueError(
                "overhang_steps must be None when overhang_percent is given, "
                f"got {self.overhang_steps!r}"
            )

    def _check_bounds(self) -> None:
        steps, percents = (
            [(name, getattr(self, name)) for name in names]
            for names in (("start_step", "end_step"), ("start_percent", "end_percent"))
        )
        for name, value in steps:
            if value is not None:
                require_count(name, value)
        for name, value in percents:
            if value is not None:
                require_number(name, value, maximum=1.0)
        for (first, start), (last, end) in (steps, percents):
            if (start is None) != (end is None):
                raise ValueError(f"{first} and {last} must be given both or not at all")
            if start is not None and start >= end:
                raise ValueError(f"{last} must be above {first}, {start!r}, got {end!r}")
        if steps[0][1] is not None and percents[0][1] is not None:
            raise ValueError(
                f"start_percent must be None when start_step is given, got {self.start_percent!r}"
            )

    def __repr__(self) -> str:
        shown = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in dataclasses.fields(self)
            if each.name != "kind" and getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


ScheduleBaseConfig = ScheduleBase


# ## The names of fields
def own_fields(kind: type[ScheduleBase]) -> list[str]:
    """Return the fields that a class and its bases have declared beside, or anew over, those of all."""
    names = {each.name for each in dataclasses.fields(kind)}
    declared = [
        name
        for base in kind.__mro__[::-1]
        if base is not ScheduleBase
        for name in inspect.get_annotations(base)
    ]
    return [name for name in dict.fromkeys(declared) if name in names]


def idle(kind: type[ScheduleBase], name: str) -> str:
    """Say that a schedule has no use for `name`, and what it may have meant."""
    return f"{name} does nothing in {kind.__name__}; {suggestion(name, own_fields(kind))}"


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """Return the question after the nearest of `allowed` names, or their list."""
    allowed = list(allowed)
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"it takes {', '.join(allowed) or 'nothing'}"


def bare_name(kind: str) -> str:
    """Return the class name at the end of a qualified one, without `Config`."""
    return kind.rpartition(".")[2].removesuffix("Config")


# ## A part of the run
def in_window(step: float, start: float, end: float) -> tuple[float, float]:
    """Return step and length, counted from `start`, of a schedule that moves from there to `end`.

    Before and after it stands still. A window without a step stands for one step.
    """
    length = end - start
    if length <= 0:
        return 0, 1
    return min(max(step - start, 0), max(length - 1, 0)), length


def percent_bounds(start: float, end: float, total_steps: float) -> tuple[float, float]:
    r"""Return the steps at two fractions: $\lfloor p\,(T - 1) \rfloor$, and $T$ for an end of 1."""
    last = total_steps - 1
    return int(start * last), total_steps if end == 1.0 else int(end * last)


def as_plain(value: Any) -> Any:
    """Return a number out of a tensor, which may be a group's own and change, or out of numpy."""
    return value.item() if getattr(value, "shape", None) == () else value


def require_values(name: str, values: Any, **bounds: float | None) -> tuple[float, ...]:
    """Return `values` as a tuple; raise unless it is a sequence of at least one number within bounds."""
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of numbers, got {values!r}")
    found = tuple(as_plain(value) for value in values)
    if not found:
        raise ValueError(f"{name} must be a list of at least one number, got []")
    for index, value in enumerate(found):
        require_number(f"{name}[{index}]", value, **bounds)
    return found


# ## Choosing the numbers
#
# - `total_steps`: the number of optimizer updates in the run, not of batches or epochs;
#   [units](units.py) converts.
# - `end`: `"after"`, unless an old run has to be repeated. In runs of thousands of updates it does not matter.
# - An overhang above 0 is for a run that is meant to go on. To end above 0, an `end_value` is more direct.
# - A window is for one schedule that moves in a part of the run. For several there is
#   [SequenceSchedule](combinators.py#SequenceSchedule).
# - `interval="epoch"` is for repeating old runs.
# - Which curve? The [gallery](../../docs_src/schedule_gallery.md) shows them all, and says where to begin.
#
# ## Traps
#
# - **`scheduler.step()` before `optimizer.step()`.** Then $s(0)$ is never used, and the curve is one update early.
#   torch's own schedulers warn of it; the one here does not.
# - **Another `total_steps` on resuming.** The value jumps. In update 5000 a cosine over 10 000 is at 0.5, one over
#   20 000 at 0.85. Keep $T$, or take a schedule that does not need it before its [decay](wsd.py).
# - **torch's checkpoints hold the arguments.** A `CosineAnnealingLR` made with `T_max=200` has 100 after it has loaded
#   the state of one with 100, and rises from update 100 on.
# - **Half a checkpoint.** The state of a recursive scheduler without that of the optimizer: in the example above the
#   rate goes on from 0.25 where it was 0.691, and everything after is too low by that factor.
# - **`interval="epoch"` in a short run.** The value is that of the first update of the epoch. A line to 0 over three
#   epochs has three values, 1, 0.667 and 0.333 of the peak, and never comes near its end.
# - **`percent` is a fraction.** And it is rounded down, from $T - 1$: 0.3 of 100 steps is step 29.
#
# ## Exercises
#
# **1.** Show that a line to 0 that ends in the last of $T$ updates has the values of one that ends after $T - 1$.
#
# ::: solution
# Both have $x = t / (T - 1)$. At $t = T - 1$ the second is past its end and holds 0.
#
# ```python
# from labml_nn_optim.schedules import WarmupDecaySchedule
#
# last = WarmupDecaySchedule(1.0, tail="linear", end="last")
# after = WarmupDecaySchedule(1.0, tail="linear", end="after")
# assert all(last.get_value(step, 10) == after.get_value(step, 9) for step in range(20))
# assert last.get_value(9, 10) == 0 < after.get_value(9, 10)
# ```
# :::
#
# **2.** How many updates at the peak are the $W$ steps of a warm-up worth, counted in the three ways?
#
# ::: solution
# $\sum_{t < W} t = W (W - 1) / 2$, so $t / W$ gives $(W - 1) / 2$, $(t + 1) / (W + 1)$ gives
# $W / 2$, and $(t + 1) / W$ gives $(W + 1) / 2$. From one to the next it is half an update.
#
# ```python
# from labml_nn_optim.schedules import WARMUP_STARTS, WarmupDecaySchedule
#
# worth = {}
# for start in WARMUP_STARTS:
#     schedule = WarmupDecaySchedule(1.0, warmup_steps=100, warmup_start=start)
#     worth[start] = sum(schedule.get_value(step, 1000) for step in range(100))
# expected = {"t/W": 49.5, "(t+1)/(W+1)": 50.0, "(t+1)/W": 50.5}
# assert all(abs(worth[start] - expected[start]) < 1e-9 for start in expected)
# ```
# :::
#
# **3.** Which overhang lets a cosine to 0 stop at a tenth of its peak?
#
# ::: solution
# $\frac{1}{2} (1 + \cos \pi x) = 0.1$ at $x = 0.795$. The last update is at $x = (T - 1) / (T' - 1)$, so for a long
# run $T' / T = 1 / 0.795 = 1.258$: an overhang of 0.258.
#
# ```python
# from labml_nn_optim.schedules import CosineDecreasingSchedule
#
# schedule = CosineDecreasingSchedule(1.0, overhang_percent=0.258)
# assert abs(schedule.get_value(9999, 10_000) - 0.1) < 1e-3
# ```
# :::
#
# **4.** Write a schedule of your own, with the value 0.1 in every fourth update and 1 in the others. What does it
# get without further work?
#
# ::: solution
# It needs `_get_value`, and a line for each argument, as in a dataclass; this one has none. The step is checked, and
# the schedule prints, compares, and can be nested and placed.
#
# ```python
# from labml_nn_optim.schedules import ScheduleBase
#
#
# class Breather(ScheduleBase):
#     counts_its_own_steps = True
#
#     def _get_value(self, step, total_steps):
#         return 1.0 if step % 4 else 0.1
#
#
# assert [Breather().get_value(step) for step in range(5)] == [0.1, 1.0, 1.0, 1.0, 0.1]
# assert Breather() == Breather() and repr(Breather()) == "Breather()"
# assert Breather().scale(2.0).get_value(1) == 2.0
# assert Breather(start_step=2, end_step=7).get_value(3, 100) == 1.0
# try:
#     Breather().get_value(-1)
# except ValueError as error:
#     assert str(error) == "step must be a number >= 0, got -1"
# ```
# :::

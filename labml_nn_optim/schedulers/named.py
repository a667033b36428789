r"""
---
title: Schedulers by their names
summary: Each closed form as a scheduler of its own for the learning rate, with a twin for the weight decay.
chapter: "9.16"
needs: [schedulers/scheduler, schedules/decay, schedules/cycles]
symbols:
  t: last_epoch
  n: total_iters
  s_0: initial_val
  s_1: end_val
  \gamma: gamma
  f_i: functions
verified_against:
  implementation: torch.optim.lr_scheduler 2.14.1 for restarts and one cycle; cerebras-pytorch 2.10.0, which computes in float32
  difference: 1e-16; 1e-6 over 120 steps
---

# A line to 0, on which nothing is learned

A thousand weights start at 1. Their losses are $\frac{1}{2} h\, \theta^2$, with curvatures $h$ from 0.01 to
1, and their gradients carry noise of size 1. [Adam](../optimizers/adam.py) makes 4000 updates under

```python
scheduler = LinearLR(optimizer, 0.015, 0.0, 4000)
```

The loss starts at 0.108. With the class of this file it ends at 0.0021. With the class of the same name in
torch it ends at 0.105, and no error is raised. Here, as in Cerebras' library, the numbers are rates. In torch
they are factors of the rate that the optimizer has, and 0.015 times Adam's default of 0.001 is next to
nothing.

Twelve names of this chapter are torch's, too. Calls that are written for torch, on an optimizer with the rate
0.0003:

| | the rates in torch | the rates here |
|---|---|---|
| `LinearLR(o, 1.0, 0.1, 80)` | from 0.0003 to 0.00003 | from 1 to 0.1 |
| `ConstantLR(o, 0.5, 10)` | 0.00015, from step 10 on 0.0003 | 0.5 for good |
| `CosineAnnealingWarmRestarts(o, 10, 2)` | restarts at 10, 30, 70, ... | 10, 5, 10, 5, ... |
| `OneCycleLR(o, 0.1, 1000)` | 0.004 up to 0.1 | 0.1 up to 1000 |
| `CyclicLR(o, 0.1, 1.0, 4)` | 0.1 up to 1 and back, momentum too | the same, momentum stays |
| the other seven | | an error at once |

Four of the twelve do harm in silence. So import by module, or write `initial_learning_rate=1.0`: torch's
class refuses that name.

## The rule

Each class is a closed form. Its arguments make a [schedule](../schedules/base.py) $s$, and
[Scheduler](scheduler.py) writes its value into the groups, whatever the optimizer had there. Update
$t = 0, 1, \dots$ runs with $s(t)$, and all counts are in updates.

$s_0$ is where a schedule starts, $s_1$ where it ends, $n$ its number of steps, $\gamma$ its factor:

| | $s(t)$ | after its end |
|---|---|---|
| `ConstantLR` | $s_0$ | has none |
| `LinearLR` | $s_1 + (s_0 - s_1) (1 - t / n)$ | holds $s_1$; with `cycle` it is [stretched](../schedules/cycles.py#PolynomialCycleSchedule) |
| `PolynomialLR` | $s_1 + (s_0 - s_1) (1 - t / n)^p$ | the same |
| `CosineDecayLR` | $s_1 + (s_0 - s_1) \frac{1}{2} (1 + \cos \pi t / n)$ | holds $s_1$ |
| `CosineAnnealingLR` | the same | rises again, back at $s_0$ in step $2n$ |
| `ExponentialLR` | $s_0\, \gamma^{t / n}$; `staircase`: $\lfloor t / n \rfloor$ | falls on |
| `StepLR` | $s_0\, \gamma^{\lfloor t / n \rfloor}$ | falls on |
| `MultiplicativeLR` | $s_0\, \gamma^t$ | falls on |
| `MultiStepLR` | $s_0\, \gamma^j$ after $j$ marks | holds after the last mark |
| `PiecewiseConstantLR` | the value number $j$ after $j$ marks, from 0 | holds the last value |
| `InverseExponentialTimeDecayLR` | $s_0 / (1 + \gamma\, t^k / n)$; `staircase`: $\lfloor t^k / n \rfloor$ | falls on |
| `InverseSquareRootDecayLR` | $s_0\, c / \sqrt{\max(t, W)}$, $c$ the `scale` | falls on |
| `CosineAnnealingWarmRestarts` | [half cosines](../schedules/cycles.py#SGDRSchedule) | goes on |
| `CyclicLR` | [triangles](../schedules/cycles.py#CyclicSchedule) | goes on |
| `OneCycleLR` | [up and down once](../schedules/cycles.py#OneCycleSchedule) | holds the end |
| `LambdaLR` | $\prod_i s_0\, f_i(t)$ | the functions decide |

Each has a twin for the weight decay, `LinearWD` for `LinearLR`. Its arguments have the plain names:
`initial_val` for `initial_learning_rate`, `val` for `learning_rate`, `max_val` for `max_lr`.

**Two names for one curve.** $\gamma^{t / n} = (\gamma^{1 / n})^t$. So `ExponentialLR` with $n$ is torch's
with $\gamma^{1 / n}$, and $n$ is the time in which the rate falls to $\gamma$ of itself. Cerebras'
documentation says "every step"; what that costs is told [elsewhere](../schedules/decay.py).

**A product of rates is no rate.** With $m$ functions `LambdaLR` contains $s_0^m$: two functions that return 1
turn 0.1 into 0.01. In Cerebras it is so, programs may rely on it, and it is kept. Give one function, or put
$s_0 = 1$ and the rate into one of them.

## One plan, two twins

What a family's arguments make is said once, in `plan`. Where the value goes, and what the arguments are
called there, is a class beside it:

```python
class PolynomialScheduler(NamedScheduler):
    def plan(self, initial_val, end_val, total_iters, power=1.0, cycle=False): ...


class PolynomialLR(LearningRate, PolynomialScheduler): ...


class PolynomialWD(WeightDecayRate, PolynomialScheduler): ...
```

`LearningRate` has two lines, the entry `"lr"` and the names. For another entry one line is enough:
`param_group_key = "momentum"`, or `"betas[0]"`. Exercise 1 does that, exercise 4 adds a family.

## What is repaired

The names are Cerebras', and so are the numbers, but for these. `o` is the optimizer:

| | Cerebras 2.10 | here |
|---|---|---|
| `CosineAnnealingWarmRestarts(o, 1, 4)` | [stands still](../schedules/cycles.py) for 8 steps of 12 | restarts every 4 |
| the same with `T_mult=2` | error | restarts at 4, 12, 28, ... |
| `LinearLR(o, 1, 0, 4, cycle=True)`, steps 3 to 6 | 0.25, 0, 0, 0 | 0.25, 0.5, 0.375, 0.25 |
| `OneCycleLR(o, 0.04, 1, 10)`, steps 9, 10, 13 | 0.000004, 0.05, 0.61 | 0.000004, then held |
| on lines | 0.000004, -0.14, -0.57 | 0.000004, then held |
| with `pct_start=0.1`, steps 0, 1 | NaN, 0.97 | 1, 0.97 |
| with `anneal_strategy="cosine"` | lines | error |
| `CyclicLR(o, 0, 1, 2, 2, "triangular2",` `scale_mode="iterations")` | 0, 0.5, 1, 0.5, 0, 0.25 | 0, 0.5, 0.5, 0.125, 0, 0.031 |
| `CyclicLR` with `mode="triangle"` | `exp_range` | error |
| `LambdaLR(o, 0.1)` | 0, 0.0003, 0.0006: functions for demonstration | error |
| `PiecewiseConstantLR(o, [1, 0.5, 0.2, 0.1], [2])` | 1, 1, 0.1: two values are dropped | error |
| `CosineDecayLR(o, 1, 0, 0)` | NaN | error |

One cycle on lines shows how such numbers come about. From its peak in step 2 the line falls to about 0 in
step 9, by $\frac{1}{7}$ a step. Nothing stops it: in step 10 it is at $-\frac{1}{7}$. A negative rate climbs
the loss. The cosine is at $\frac{1}{2} (1 + \cos \frac{8}{7} \pi) = 0.05$ then, and on its way up.

`scale_mode` may be left out here; then the mode decides, as there.

## Conventions

One line in three libraries. In the rows on resuming it runs from 1 to 0 over 100 steps, is stopped at 50, and
its state is loaded into one over 200, with a new optimizer:

| | torch 2.14 | Cerebras 2.10 | here |
|---|---|---|---|
| the arguments are | factors of each group's rate | rates | rates |
| groups with 0.0003 and 0.00003 | keep the ratio | both get $s(t)$ | both get $s(t)$, times their `lr_scale` |
| what is written | a number | a float32 tensor | a number |
| where the rate is a tensor | filled in place | replaced | filled in place |
| after resuming, its length is | 100 | 100 | 200, with a warning |
| and the next rates | 1, 0.98, 0.96 | 1, 0.49, 0.48 | 0.75, 0.745, 0.74 |
| an update left out for infinite gradients | counts | does not count | does not count |
| functions in `LambdaLR` get | a number | a tensor | a number |
| groups without the tags | there are no tags | None in `get_last_lr` | None in `get` |
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_choice, require_count, require_number
from labml_nn_optim.schedulers.scheduler import Scheduler, Tags
from labml_nn_optim.schedules.base import ScheduleBase, as_plain
from labml_nn_optim.schedules.cycles import (
    CosineAnnealingSchedule,
    CyclicSchedule,
    OneCycleSchedule,
    PolynomialCycleSchedule,
    SGDRSchedule,
)
from labml_nn_optim.schedules.decay import (
    ExponentialSchedule,
    InverseTimeSchedule,
    MultiStepSchedule,
)
from labml_nn_optim.schedules.power import InverseSqrtSchedule
from labml_nn_optim.schedules.ramp import RampSchedule
from labml_nn_optim.schedules.values import (
    ConstantSchedule,
    FunctionSchedule,
    PiecewiseConstantSchedule,
)

__all__ = [
    "ConstantLR",
    "ConstantScheduler",
    "ConstantWD",
    "CosineAnnealingLR",
    "CosineAnnealingScheduler",
    "CosineAnnealingWD",
    "CosineAnnealingWarmRestarts",
    "CosineAnnealingWarmRestartsScheduler",
    "CosineAnnealingWarmRestartsWD",
    "CosineDecayLR",
    "CosineDecayScheduler",
    "CosineDecayWD",
    "CyclicLR",
    "CyclicScheduler",
    "CyclicWD",
    "ExponentialLR",
    "ExponentialScheduler",
    "ExponentialWD",
    "InverseExponentialTimeDecayLR",
    "InverseExponentialTimeDecayScheduler",
    "InverseExponentialTimeDecayWD",
    "InverseSquareRootDecayLR",
    "InverseSquareRootDecayScheduler",
    "InverseSquareRootDecayWD",
    "LambdaLR",
    "LambdaScheduler",
    "LambdaWD",
    "LearningRate",
    "LinearLR",
    "LinearScheduler",
    "LinearWD",
    "MultiStepLR",
    "MultiStepScheduler",
    "MultiStepWD",
    "MultiplicativeLR",
    "MultiplicativeScheduler",
    "MultiplicativeWD",
    "NamedScheduler",
    "OneCycleLR",
    "OneCycleScheduler",
    "OneCycleWD",
    "PiecewiseConstantLR",
    "PiecewiseConstantScheduler",
    "PiecewiseConstantWD",
    "PolynomialLR",
    "PolynomialScheduler",
    "PolynomialWD",
    "StepLR",
    "StepScheduler",
    "StepWD",
    "WeightDecayRate",
]


class NamedScheduler(Scheduler):
    """A scheduler whose arguments make its schedule.

    A subclass has a method `plan`, whose arguments follow `optimizer` in the constructor, and a
    `param_group_key`, the entry of the groups that it writes. An argument can be read as an attribute,
    by its plain name and by that of the twin.

    - `param_group_tags`: as `tags` of [Scheduler](scheduler.py#Scheduler)
    - `last_epoch`: the last update that was done, to go on after it

    In all subclasses numbers of steps are updates, whole numbers from 1 on. Raises `TypeError` or
    `ValueError` for what is not allowed and for what is missing, before anything is written.
    """

    claims_at_once = False
    param_group_key: ClassVar[str]
    names: ClassVar[Mapping[str, str]] = {}
    signature: ClassVar[inspect.Signature]
    __signature__: ClassVar[inspect.Signature]

    def __init__(
        self,
        optimizer: Optimizer,
        *arguments: Any,
        param_group_tags: Tags = None,
        last_epoch: int = -1,
        **named: Any,
    ) -> None:
        bound = self.signature.bind(optimizer, *arguments, **named)
        bound.apply_defaults()
        self.arguments = {
            self._plain_name(name): as_plain(value)
            for name, value in bound.arguments.items()
            if name not in FRAME
        }
        super().__init__(
            optimizer,
            self.plan(**self.arguments),
            self.param_group_key,
            param_group_tags,
            last_epoch=last_epoch,
        )

    @classmethod
    def _plain_name(cls, name: str) -> str:
        """Return what `plan` calls an argument that this twin calls `name`."""
        return next((plain for plain, twin in cls.names.items() if twin == name), name)

    def plan(self, *arguments: Any, **named: Any) -> ScheduleBase:
        """Return the schedule for the arguments."""
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    @property
    def param_group_tags(self) -> frozenset[str | None] | None:
        """The tags of the groups that are written; None for all groups."""
        return self._selector.tags

    def __init_subclass__(cls, **rest: Any) -> None:
        # The arguments are those of `plan`, under the names of the twin; `help` shows them, too.
        super().__init_subclass__(**rest)
        if cls.plan is NamedScheduler.plan:
            return
        own = list(inspect.signature(cls.plan).parameters.values())[1:]
        renamed = [each.replace(name=cls.names.get(each.name, each.name)) for each in own]
        first, *after = FRAME.values()
        cls.signature = inspect.Signature([first, *renamed, *after])
        if cls.__init__ is NamedScheduler.__init__:
            cls.__signature__ = cls.signature
        else:
            made = list(inspect.signature(cls.__init__).parameters.values())[1:]
            cls.__signature__ = inspect.Signature(made)

    def __getattr__(self, name: str) -> Any:
        arguments = self.__dict__.get("arguments", {})
        key = self._plain_name(name)
        if key in arguments:
            return arguments[key]
        raise AttributeError(f"{type(self).__name__} has no attribute {name}")


# The arguments that all have.
FRAME = {
    each.name: each
    for each in (
        inspect.Parameter("optimizer", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("param_group_tags", inspect.Parameter.KEYWORD_ONLY, default=None),
        inspect.Parameter("last_epoch", inspect.Parameter.KEYWORD_ONLY, default=-1),
    )
}


class LearningRate(NamedScheduler):
    """Writes `lr`, under the names that learning rates have."""

    param_group_key = "lr"
    names: ClassVar[Mapping[str, str]] = {
        "val": "learning_rate",
        "vals": "learning_rates",
        "initial_val": "initial_learning_rate",
        "end_val": "end_learning_rate",
        "base_val": "base_lr",
        "max_val": "max_lr",
    }


class WeightDecayRate(NamedScheduler):
    """Writes `weight_decay`, also of groups where it was 0; choose the groups by tags."""

    param_group_key = "weight_decay"


class ConstantScheduler(NamedScheduler):
    """`val`, for good; `total_iters` is its length in a sequence without milestones."""

    def plan(self, val: float, total_iters: int | None = None) -> ScheduleBase:
        """Return the schedule."""
        if total_iters is not None:
            require_count("total_iters", total_iters, minimum=1)
        return ConstantSchedule(val)


class PolynomialScheduler(NamedScheduler):
    """From `initial_val` to `end_val` along a power of what is left of `total_iters` steps."""

    def plan(
        self,
        initial_val: float,
        end_val: float,
        total_iters: int,
        power: float = 1.0,
        cycle: bool = False,
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_iters", total_iters, minimum=1)
        if cycle:
            return PolynomialCycleSchedule(initial_val, end_val, steps=total_iters, power=power)
        return ramp(initial_val, end_val, total_iters, "power", power)


class LinearScheduler(NamedScheduler):
    """From `initial_val` to `end_val` on a line over `total_iters` steps."""

    def plan(
        self, initial_val: float, end_val: float, total_iters: int, cycle: bool = False
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_iters", total_iters, minimum=1)
        if cycle:
            return PolynomialCycleSchedule(initial_val, end_val, steps=total_iters)
        return ramp(initial_val, end_val, total_iters, "linear")


def ramp(start: float, end: float, steps: int, shape: str, power: float = 1.0) -> ScheduleBase:
    """Return a ramp that reaches `end` after `steps` steps."""
    return RampSchedule(start, end, shape, power=power, exclude_last=True).over(steps)


class ExponentialScheduler(NamedScheduler):
    """`initial_val`, times `decay_rate` in every `total_iters` steps."""

    def plan(
        self, initial_val: float, total_iters: int, decay_rate: float, staircase: bool = False
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_iters", total_iters, minimum=1)
        return ExponentialSchedule(initial_val, decay_rate, total_iters, staircase)


class InverseExponentialTimeDecayScheduler(NamedScheduler):
    r"""`initial_val` $/\, (1 + r\, t^k / n)$ with the `decay_rate`, `step_exponent` and `total_iters`."""

    def plan(
        self,
        initial_val: float,
        step_exponent: float,
        total_iters: int,
        decay_rate: float,
        staircase: bool = False,
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_iters", total_iters, minimum=1)
        return InverseTimeSchedule(initial_val, decay_rate, total_iters, step_exponent, staircase)


class InverseSquareRootDecayScheduler(NamedScheduler):
    r"""`initial_val` times `scale` over $\sqrt{\max(t, W)}$, with the `warmup_steps` $W$."""

    def plan(
        self, initial_val: float = 1.0, scale: float = 1.0, warmup_steps: float = 1.0
    ) -> ScheduleBase:
        """Return the schedule."""
        require_number("warmup_steps", warmup_steps, above=0.0)
        require_number("scale", scale)
        start = math.ceil(warmup_steps)
        falling = InverseSqrtSchedule(initial_val * scale / start**0.5, timescale=start)
        return ConstantSchedule(initial_val * scale / warmup_steps**0.5).then(falling, after=start)


class CosineDecayScheduler(NamedScheduler):
    """From `initial_val` to `end_val` along half a cosine over `total_iters` steps."""

    def plan(self, initial_val: float, end_val: float, total_iters: int) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_iters", total_iters, minimum=1)
        return ramp(initial_val, end_val, total_iters, "cosine")


class CosineAnnealingScheduler(NamedScheduler):
    """Half a cosine down over `T_max` steps, half a cosine up over the next, and so on."""

    def plan(self, initial_val: float, T_max: int, eta_min: float = 0.0) -> ScheduleBase:  # noqa: N803
        """Return the schedule."""
        require_count("T_max", T_max, minimum=1)
        return CosineAnnealingSchedule(initial_val, T_max, end_value=eta_min)


class CosineAnnealingWarmRestartsScheduler(NamedScheduler):
    """Half a cosine down over `T_0` steps, then again over `T_mult` times as many, and so on."""

    def plan(
        self,
        initial_val: float,
        T_0: int,  # noqa: N803
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("T_0", T_0, minimum=1)
        require_count("T_mult", T_mult, minimum=1)
        return SGDRSchedule(initial_val, T_0, T_mult, end_value=eta_min)


class StepScheduler(NamedScheduler):
    """`initial_val`, times `gamma` after every `step_size` steps."""

    def plan(self, initial_val: float, step_size: int, gamma: float) -> ScheduleBase:
        """Return the schedule."""
        require_count("step_size", step_size, minimum=1)
        return ExponentialSchedule(initial_val, gamma, step_size, staircase=True)


class MultiStepScheduler(NamedScheduler):
    """`initial_val`, times `gamma` at each of the `milestones`, which rise."""

    def plan(self, initial_val: float, gamma: float, milestones: Sequence[int]) -> ScheduleBase:
        """Return the schedule."""
        return MultiStepSchedule(initial_val, gamma, milestones)


class MultiplicativeScheduler(NamedScheduler):
    """`initial_val`, times `coefficient` after every step."""

    def plan(self, initial_val: float, coefficient: float) -> ScheduleBase:
        """Return the schedule."""
        return ExponentialSchedule(initial_val, coefficient)


class LambdaScheduler(NamedScheduler):
    r"""The product of $s_0\, f_i(t)$ over some functions $f_i$, with `initial_val` $s_0$.

    - `functions`: one function of the step, which it gets as a number, or several; if not given, a
      subclass overrides `set_value_lambda`
    """

    def plan(
        self,
        initial_val: float,
        functions: Callable[[float], float] | Sequence[Callable[[float], float]] | None = None,
    ) -> ScheduleBase:
        """Return the schedule."""
        given = self.set_value_lambda() if functions is None else functions
        listed = [given] if callable(given) else list(given)
        if not listed:
            raise ValueError("functions must be at least one function, got []")
        product: ScheduleBase = FunctionSchedule(listed[0]).scale(initial_val)
        for function in listed[1:]:
            product = product * FunctionSchedule(function).scale(initial_val)
        return product

    def set_value_lambda(self) -> Sequence[Callable[[float], float]]:
        """Return the functions."""
        raise ValueError(
            "functions must be given where set_value_lambda is not overridden, got None"
        )


class PiecewiseConstantScheduler(NamedScheduler):
    """`vals[0]` up to the first of the rising `milestones`, then `vals[1]`, and so on."""

    def plan(self, vals: Sequence[float], milestones: Sequence[int]) -> ScheduleBase:
        """Return the schedule."""
        return PiecewiseConstantSchedule(vals, milestones)


class CyclicScheduler(NamedScheduler):
    """From `base_val` up to `max_val` and down again, over and over.

    - `mode`, `gamma`, `scale_mode`, `scale_fn`: see
      [CyclicSchedule](../schedules/cycles.py#CyclicSchedule)
    """

    def plan(
        self,
        base_val: float,
        max_val: float,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_mode: str | None = None,
        scale_fn: Callable[[float], float] | None = None,
    ) -> ScheduleBase:
        """Return the schedule."""
        return CyclicSchedule(
            base_val, max_val, step_size_up, step_size_down, mode, gamma, scale_mode, scale_fn
        )


class OneCycleScheduler(NamedScheduler):
    """From `initial_val` up to `max_val`, and down to a `final_div_factor`-th of `initial_val`.

    - `pct_start`: how much of `total_steps` goes up
    - `three_phase`: go down to `initial_val` in as many steps as up, and then to the end
    - `anneal_strategy`: `"cos"` or `"linear"`
    """

    def plan(
        self,
        initial_val: float,
        max_val: float,
        total_steps: int = 1000,
        pct_start: float = 0.3,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        anneal_strategy: str = "cos",
    ) -> ScheduleBase:
        """Return the schedule."""
        require_count("total_steps", total_steps, minimum=1)
        require_number("pct_start", pct_start, maximum=1.0)
        require_number("final_div_factor", final_div_factor, above=0.0)
        require_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
        return OneCycleSchedule(
            max_val,
            start_value=initial_val,
            end_value=initial_val / final_div_factor,
            warmup_percent=pct_start,
            three_phase=three_phase,
            shape="cosine" if anneal_strategy == "cos" else "linear",
        ).over(total_steps)


# ## The twins
class ConstantLR(LearningRate, ConstantScheduler):
    """ConstantScheduler for `lr`."""


class ConstantWD(WeightDecayRate, ConstantScheduler):
    """ConstantScheduler for `weight_decay`."""


class PolynomialLR(LearningRate, PolynomialScheduler):
    """PolynomialScheduler for `lr`."""


class PolynomialWD(WeightDecayRate, PolynomialScheduler):
    """PolynomialScheduler for `weight_decay`."""


class LinearLR(LearningRate, LinearScheduler):
    """LinearScheduler for `lr`."""


class LinearWD(WeightDecayRate, LinearScheduler):
    """LinearScheduler for `weight_decay`."""


class ExponentialLR(LearningRate, ExponentialScheduler):
    """ExponentialScheduler for `lr`."""


class ExponentialWD(WeightDecayRate, ExponentialScheduler):
    """ExponentialScheduler for `weight_decay`."""


class InverseExponentialTimeDecayLR(LearningRate, InverseExponentialTimeDecayScheduler):
    """InverseExponentialTimeDecayScheduler for `lr`."""


class InverseExponentialTimeDecayWD(WeightDecayRate, InverseExponentialTimeDecayScheduler):
    """InverseExponentialTimeDecayScheduler for `weight_decay`."""


class InverseSquareRootDecayLR(LearningRate, InverseSquareRootDecayScheduler):
    """InverseSquareRootDecayScheduler for `lr`."""


class InverseSquareRootDecayWD(WeightDecayRate, InverseSquareRootDecayScheduler):
    """InverseSquareRootDecayScheduler for `weight_decay`."""


class CosineDecayLR(LearningRate, CosineDecayScheduler):
    """CosineDecayScheduler for `lr`."""


class CosineDecayWD(WeightDecayRate, CosineDecayScheduler):
    """CosineDecayScheduler for `weight_decay`."""


class CosineAnnealingLR(LearningRate, CosineAnnealingScheduler):
    """CosineAnnealingScheduler for `lr`."""


class CosineAnnealingWD(WeightDecayRate, CosineAnnealingScheduler):
    """CosineAnnealingScheduler for `weight_decay`."""


class CosineAnnealingWarmRestarts(LearningRate, CosineAnnealingWarmRestartsScheduler):
    """CosineAnnealingWarmRestartsScheduler for `lr`."""


class CosineAnnealingWarmRestartsWD(WeightDecayRate, CosineAnnealingWarmRestartsScheduler):
    """CosineAnnealingWarmRestartsScheduler for `weight_decay`."""


class StepLR(LearningRate, StepScheduler):
    """StepScheduler for `lr`."""


class StepWD(WeightDecayRate, StepScheduler):
    """StepScheduler for `weight_decay`."""


class MultiStepLR(LearningRate, MultiStepScheduler):
    """MultiStepScheduler for `lr`."""


class MultiStepWD(WeightDecayRate, MultiStepScheduler):
    """MultiStepScheduler for `weight_decay`."""


class MultiplicativeLR(LearningRate, MultiplicativeScheduler):
    """MultiplicativeScheduler for `lr`."""


class MultiplicativeWD(WeightDecayRate, MultiplicativeScheduler):
    """MultiplicativeScheduler for `weight_decay`."""


class LambdaLR(LearningRate, LambdaScheduler):
    """LambdaScheduler for `lr`."""


class LambdaWD(WeightDecayRate, LambdaScheduler):
    """LambdaScheduler for `weight_decay`."""


class PiecewiseConstantLR(LearningRate, PiecewiseConstantScheduler):
    """PiecewiseConstantScheduler for `lr`."""


class PiecewiseConstantWD(WeightDecayRate, PiecewiseConstantScheduler):
    """PiecewiseConstantScheduler for `weight_decay`."""


class CyclicLR(LearningRate, CyclicScheduler):
    """CyclicScheduler for `lr`."""


class CyclicWD(WeightDecayRate, CyclicScheduler):
    """CyclicScheduler for `weight_decay`."""


class OneCycleLR(LearningRate, OneCycleScheduler):
    """OneCycleScheduler for `lr`."""


class OneCycleWD(WeightDecayRate, OneCycleScheduler):
    """OneCycleScheduler for `weight_decay`."""


# ## Choosing
#
# - These classes for a configuration that names them, and for code that comes from Cerebras.
# - For new code one [Scheduler](scheduler.py) with a [schedule](../schedules/base.py). It writes any entry,
#   keeps the proportions of the groups if asked to, and no name means something else in torch.
# - Which curve? The [gallery](../../docs_src/schedule_gallery.md) shows them. With a known end a warm-up and
#   a line to 0 are hard to beat; it takes two parts: [SequentialLR](composite.py#SequentialLR).
#
# ## Traps
#
# - **Groups lose their own rates.** A backbone at 0.0003 and a head at 0.003 get the same value, without a
#   word. Give them an `lr_scale`, or wrap the scheduler in [ScalePerParamLR](composite.py#ScalePerParamLR).
# - **A weight decay where there was none.** `LinearWD(optimizer, 0.1, 0.0, 1000)` writes 0.1 into all groups,
#   also into that of biases and norms, whose decay was 0. Choose the groups: `param_group_tags="decay"`, with
#   `"tags": "decay"` in those that are to have one. Or take
#   `Scheduler(..., "weight_decay", mode="relative")`, under which 0 stays 0.
# - **`ExponentialLR` is slower than you think**, or faster. With $\gamma = 0.5$ and $n = 4$ step 1 is at
#   0.84, and in torch, where $n$ is 1, at 0.5.
# - **`total_iters` of an exponential is no length.** It falls on. A [sequence](composite.py#SequentialLR)
#   without marks ends it after one such period all the same.
# - **`InverseSquareRootDecayLR` does not warm up.** It holds $s_0\, c / \sqrt W$ until $W$.
# - **`CosineAnnealingLR` is no `CosineDecayLR`.** In a run that is longer than `T_max` its rate rises again.
# - **A function cannot be saved.** The checkpoint of a `LambdaLR` has the counter only, and nothing warns if
#   the function has changed.
#
# ## Exercises
#
# **1.** Let the momentum come down from 0.95 to 0.85 along a cosine over 50 updates.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import CosineDecayScheduler
#
#
# class CosineDecayMomentum(CosineDecayScheduler):
#     param_group_key = "momentum"
#
#
# optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
# scheduler = CosineDecayMomentum(optimizer, initial_val=0.95, end_val=0.85, total_iters=50)
# assert optimizer.param_groups[0]["momentum"] == 0.95
# for _ in range(60):
#     optimizer.step()
#     scheduler.step()
# assert optimizer.param_groups[0]["momentum"] == 0.85
# ```
# :::
#
# **2.** Write torch's `LinearLR(optimizer, 1.0, 0.1, 80)` with classes of this library, for groups with rates
# of their own.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import Scheduler
# from labml_nn_optim.schedules import RampSchedule
#
#
# def make():
#     params = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
#     return SGD([{"params": params[:1]}, {"params": params[1:], "lr": 3e-4}], lr=1e-3)
#
#
# ours, theirs = make(), make()
# line = RampSchedule(1.0, 0.1, exclude_last=True).over(80)
# schedulers = [
#     Scheduler(ours, line, mode="relative"),
#     torch.optim.lr_scheduler.LinearLR(theirs, 1.0, 0.1, 80),
# ]
# for _ in range(100):
#     for one, other in zip(ours.param_groups, theirs.param_groups, strict=True):
#         assert abs(one["lr"] - other["lr"]) < 1e-12
#     for optimizer, scheduler in zip((ours, theirs), schedulers, strict=True):
#         optimizer.step()
#         scheduler.step()
# ```
# :::
#
# **3.** Does a scheduled weight decay replace AdamW's multiplication of the decay by the learning rate?
#
# ::: solution
# No, both act. The scheduler writes $\lambda_t$ into the group, and the optimizer multiplies it by $\alpha_t$
# in the update, as always. If both fall to 0 on a line, with $x = t / n$ the decay falls like $(1 - x)^2$.
#
# ```python
# import torch
# from labml_nn_optim import AdamW
# from labml_nn_optim.schedulers import LinearLR, LinearWD
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = AdamW([theta])
# schedulers = [LinearLR(optimizer, 0.1, 0.0, 10), LinearWD(optimizer, 0.5, 0.0, 10)]
# for step in range(10):
#     before = theta.item()
#     theta.grad = torch.zeros_like(theta)
#     optimizer.step()
#     for scheduler in schedulers:
#         scheduler.step()
#     assert abs(1 - theta.item() / before - 0.1 * 0.5 * (1 - step / 10) ** 2) < 1e-12
# ```
# :::
#
# **4.** Add a family: the curve `rex` of [Shapes of a decay](../schedules/ramp.py), for the rate and for the
# decay.
#
# ::: solution
# The constructor, its names and `help` follow from `plan`.
#
# ```python
# import inspect
#
# import torch
# from labml_nn_optim import AdamW
# from labml_nn_optim.schedulers import LearningRate, NamedScheduler, WeightDecayRate
# from labml_nn_optim.schedules import RampSchedule
#
#
# class RexScheduler(NamedScheduler):
#     def plan(self, initial_val, end_val, total_iters):
#         curve = RampSchedule(initial_val, end_val, "rex", exclude_last=True)
#         return curve.over(total_iters)
#
#
# class RexLR(LearningRate, RexScheduler): ...
#
#
# class RexWD(WeightDecayRate, RexScheduler): ...
#
#
# optimizer = AdamW([torch.nn.Parameter(torch.zeros(1))], weight_decay=0.1)
# rate = RexLR(optimizer, initial_learning_rate=1.0, end_learning_rate=0.0, total_iters=10)
# decay = RexWD(optimizer, initial_val=0.3, end_val=0.0, total_iters=10)
# for _ in range(5):
#     optimizer.step()
#     rate.step()
#     decay.step()
# group = optimizer.param_groups[0]
# assert abs(group["lr"] - 0.5 / 0.75) < 1e-12 and abs(group["weight_decay"] - 0.2) < 1e-12
# assert "end_learning_rate" in inspect.signature(RexLR).parameters
# ```
# :::

r"""
---
title: Schedulers by their names
summary: Each closed form as a scheduler of its own for the learning rate, with a twin for the weight decay.
chapter: "9.16"
needs: [schedulers/scheduler, schedules/decay, schedules/cycles]
symbols:
  t: last_epoch
  n: total_iters
verified_against:
  implementation: values recorded from Cerebras' schedulers; torch.optim.lr_scheduler 2.14.1 for restarts and one cycle
  difference: 5e-7 and 1e-8, where those are rounded
---

# The same line, and 3333 times the rate

```python
optimizer = AdamW(model.parameters(), lr=3e-4)
scheduler = LinearLR(optimizer, 1.0, 0.1, 80)
```

With torch's `LinearLR` the rate goes from 0.0003 to 0.00003 in 80 updates: the numbers are factors. With Cerebras' class of the same name,
and the one in this file, it goes from 1.0 to 0.1: they are rates, and the optimizer's own 0.0003 is overwritten when the scheduler is
made.

Twelve of the names of this chapter are torch's, too. Import them from where you mean.

## What they have in common

$s_0$ is where a schedule starts, $s_1$ where it ends, $\gamma$ its factor, $n$ its number of steps. Each class is a closed form: its arguments make a [schedule](../schedules/base.py), and [Scheduler](scheduler.py) writes it, absolutely. The update
$t = 0, 1, \dots$ runs with $s(t)$. `total_iters` counts updates.

| | $s(t)$ | after its end |
|---|---|---|
| `ConstantLR` | $c$ | |
| `LinearLR`, `PolynomialLR` | $s_1 + (s_0 - s_1) (1 - t / n)^p$ | holds $s_1$; with `cycle` it is [stretched](../schedules/cycles.py) |
| `CosineDecayLR` | $s_1 + (s_0 - s_1) \frac{1}{2} (1 + \cos \pi t / n)$ | holds $s_1$ |
| `ExponentialLR` | $s_0\, \gamma^{t / n}$, or $\gamma^{\lfloor t / n \rfloor}$ | goes on |
| `MultiplicativeLR` | $s_0\, \gamma^t$ | goes on |
| `StepLR`, `MultiStepLR` | $s_0\, \gamma^{\lfloor t / n \rfloor}$, or $\gamma$ to the marks passed | goes on |
| `InverseExponentialTimeDecayLR` | $s_0 / (1 + \gamma\, t^k / n)$ | goes on |
| `InverseSquareRootDecayLR` | $s_0\, c / \sqrt{\max(t, W)}$ | goes on |
| `PiecewiseConstantLR` | the value of the piece | holds the last |
| `CosineAnnealingLR` | as `CosineDecayLR` | comes up again |
| `CosineAnnealingWarmRestarts`, `CyclicLR` | [cycles](../schedules/cycles.py) | go on |
| `OneCycleLR` | [one cycle](../schedules/cycles.py) | holds the end |
| `LambdaLR` with functions $f_i$ | $\prod_i s_0\, f_i(t)$ | goes on |

Each has a twin for the weight decay, `PolynomialWD` for `PolynomialLR`, with the plain argument names: `initial_val` for
`initial_learning_rate`, `val` for `learning_rate`, `max_val` for `max_lr`.

## One plan, two twins

A family says in one method what its arguments make. Where the value goes, and what the arguments are called, is a
class beside it:

```python
class PolynomialScheduler(NamedScheduler):
    def plan(self, initial_val, end_val, total_iters, power=1.0, cycle=False): ...


class PolynomialLR(LearningRate, PolynomialScheduler): ...


class PolynomialWD(WeightDecayRate, PolynomialScheduler): ...
```

For another entry of the groups, such as the momentum, one line is enough: exercise 1.

## What is repaired

The names and numbers are Cerebras'. These of its numbers are not:

- **`CosineAnnealingWarmRestarts`** stands still for a period at the top and for one at the bottom, and refuses a `T_mult`. Here it has
  [torch's values](../schedules/cycles.py).
- **`cycle`** of the polynomial does nothing there. Over four steps from 1 to 0, here: 1, 0.75, 0.5, 0.25, 0.5, 0.375, ...
- **`OneCycleLR`** goes on after its end. Ten steps up to 1: on a line it is at $-0.14$ in step 10 and at $-0.57$ in step 13, along a cosine at
  0.05 and 0.61. With `pct_start * total_steps` of 1 it begins with NaN.
- **`scale_mode`** of `CyclicLR` is overwritten by what the `mode` usually has, and an unknown mode means `exp_range`.
- **`LambdaLR`** can only be subclassed. Here it takes functions as well.
- **A checkpoint** overrides the arguments in the code, `total_iters` among them, and the value is not written until the next
  step.

One oddity is kept, as programs may rely on it. With two functions `LambdaLR` multiplies by $s_0$ twice: a rate of 0.1 and two functions that
return 1 make a rate of 0.01.
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
    `param_group_key`, the entry of the groups that it writes.

    - `param_group_tags`: as `tags` of [Scheduler](scheduler.py#Scheduler)
    - `last_epoch`: the last step that was done, to go on after it
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
        generic = {name: key for key, name in self.names.items()}
        self.arguments = {
            generic.get(name, name): as_plain(value)
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
        generic = {twin: key for key, twin in self.names.items()}
        key = generic.get(name, name)
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
    """`initial_val`, times `gamma` at each of the `milestones`."""

    def plan(self, initial_val: float, gamma: float, milestones: Sequence[int]) -> ScheduleBase:
        """Return the schedule."""
        return MultiStepSchedule(initial_val, gamma, milestones)


class MultiplicativeScheduler(NamedScheduler):
    """`initial_val`, times `coefficient` after every step."""

    def plan(self, initial_val: float, coefficient: float) -> ScheduleBase:
        """Return the schedule."""
        return ExponentialSchedule(initial_val, coefficient)


class LambdaScheduler(NamedScheduler):
    r"""The product of $v\, f_i(t)$ over some functions, with `initial_val` $v$.

    - `functions`: one function of the step, or several; or a subclass overrides `set_value_lambda`
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
    """`vals[0]` up to the first of the `milestones`, then `vals[1]`, and so on."""

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
# - [Scheduler](scheduler.py) with a [schedule](../schedules/base.py) for everything else: one class, every key, relative or
#   absolute.
#
# ## Traps
#
# - **Groups lose their own rates.** All groups get the same value. Give them an `lr_scale`, or wrap the scheduler in
#   [ScalePerParamLR](composite.py#ScalePerParamLR).
# - **A weight decay where there was none.** `LinearWD(optimizer, 0.1, 0.0, 1000)` writes 0.1 into biases and norms as well, whose decay
#   was 0. Choose the groups: `param_group_tags=["decay"]`, with that tag in the groups that are to decay. Or use
#   `Scheduler(..., "weight_decay", mode="relative")`, under which 0 stays 0.
# - **`ExponentialLR` is slower than you think**, or faster: $\gamma$ acts over `total_iters` steps here, in every step in torch. With
#   $\gamma = 0.5$ and four steps, step 1 is at 0.84 here and at 0.5 there.
# - **`InverseSquareRootDecayLR` has no rising part.** It holds $s_0\, c / \sqrt W$ until $W$.
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
# scheduler = CosineDecayMomentum(optimizer, 0.95, 0.85, 50)
# assert optimizer.param_groups[0]["momentum"] == 0.95
# for _ in range(60):
#     optimizer.step()
#     scheduler.step()
# assert optimizer.param_groups[0]["momentum"] == 0.85
# ```
# :::
#
# **2.** Write torch's `LinearLR(optimizer, 1.0, 0.1, 80)` with classes of this library, for groups with rates of their own.
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
# No, both act. The scheduler writes $\lambda_t$ into the group, and the optimizer multiplies it by $\alpha_t$ in the update, as always. If both fall to 0 on
# a line, the decay falls like $(1 - x)^2$.
# :::

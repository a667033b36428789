r"""
---
title: Schedulers by their names
summary: Each closed form as a scheduler of its own for the learning rate, with a twin for the weight decay.
chapter: "9.16"
needs: [schedulers/scheduler, schedules/decay, schedules/cycles]
symbols:
  t: last_epoch
---

# (prose to come)
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

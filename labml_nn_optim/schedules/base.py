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

# (prose to come)
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

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if bases and "get_value" in namespace:
            raise TypeError(f"{name} must implement _get_value, not get_value")
        freeze: Any = dataclasses.dataclass(frozen=True, repr=False)
        freeze(cls)

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

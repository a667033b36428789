"""Any schedule at all, and what is known of its values: a strategy, bounds and an end."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from labml_nn_optim import schedules as s
from labml_nn_optim.schedules import MEANS, SHAPES, ScheduleBase

Draw = Callable[[st.SearchStrategy[Any]], Any]

levels = st.sampled_from([0.0, 1e-6, 0.1, 1.0]) | st.floats(0, 4, allow_subnormal=False)
positive = st.sampled_from([1e-3, 0.1, 1.0]) | st.floats(1e-3, 4)
powers = st.sampled_from([0.5, 1.0, 2.0]) | st.floats(0.25, 4)
fractions = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1)
flags = st.booleans()
ends = st.sampled_from(["last", "after"])
starts = st.sampled_from([None, *s.WARMUP_STARTS])


def two_levels(draw: Draw) -> tuple[float, float]:
    low, high = sorted((draw(levels), draw(levels)))
    return low, high


def milestones(draw: Draw, count: int, most: int) -> list[int]:
    """`count` rising steps, of which the last is at most `most`, if there are so many."""
    found = st.lists(st.integers(0, max(count, most)), min_size=count, max_size=count, unique=True)
    return sorted(draw(found))


def shaped(draw: Draw, start: float, end: float, name: str, power: bool = True) -> dict[str, Any]:
    shape = draw(st.sampled_from([*SHAPES, *(MEANS if min(start, end) >= 1e-3 else [])]))
    arguments = {name: shape}
    if power:
        arguments["bend"] = draw(powers)
        arguments["power"] = 1.0 if shape in MEANS else draw(powers)
    return arguments


# ## Simple ones, for a run of so many steps
def falling(kind: type[ScheduleBase]) -> Callable[[Draw, int], ScheduleBase]:
    def make(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
        end, peak = two_levels(draw)
        more = {"power": draw(powers)} if "power" in kind.__dataclass_fields__ else {}
        if kind is s.StepDecreasingSchedule:
            more = {"factor": draw(fractions), "decreases_interval": draw(st.floats(0.01, 0.99))}
        first, last = draw(flags), draw(flags)
        return kind(peak, end_value=end, exclude_first=first, exclude_last=last, **more, **placed)

    return make


def rising(kind: type[ScheduleBase]) -> Callable[[Draw, int], ScheduleBase]:
    def make(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
        start, peak = two_levels(draw)
        more = {"power": draw(powers)} if "power" in kind.__dataclass_fields__ else {}
        first, last = draw(flags), draw(flags)
        return kind(
            peak, start_value=start, exclude_first=first, exclude_last=last, **more, **placed
        )

    return make


def ramp(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    start, end = draw(levels), draw(levels)
    shape = shaped(draw, start, end, "shape")
    first, last = draw(flags), draw(flags)
    return s.RampSchedule(start, end, **shape, exclude_first=first, exclude_last=last, **placed)


def constant(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    return s.ConstantSchedule(draw(st.floats(-2, 2, allow_subnormal=False)), **placed)


def custom(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    return s.CustomSchedule(draw(st.lists(levels, min_size=1, max_size=5)), **placed)


def pieces(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    values = draw(st.lists(levels, min_size=1, max_size=4))
    return s.PiecewiseConstantSchedule(values, milestones(draw, len(values) - 1, steps), **placed)


def interpolation(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    values = draw(st.lists(levels, min_size=1, max_size=4))
    shape = shaped(draw, min(values), min(values), "shape", power=False)
    return s.InterpolationSchedule(milestones(draw, len(values), steps), values, **shape, **placed)


def halved(step: float) -> float:
    return 1 / (2 + step)


def function(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    return s.FunctionSchedule(halved, **placed)


def step_fixed(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    at = draw(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4))
    return s.StepFixedSchedule(factor=draw(fractions), steps=at, start_value=draw(levels), **placed)


def step_interval(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    interval = draw(st.floats(0.01, 0.99))
    return s.StepIntervalSchedule(
        factor=draw(fractions), update_interval=interval, start_value=draw(levels), **placed
    )


def multi_step(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    at = milestones(draw, draw(st.integers(0, 3)), steps)
    return s.MultiStepSchedule(draw(levels), draw(fractions), at, **placed)


def exponential(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    length, staircase = draw(st.floats(0.5, 50)), draw(flags)
    return s.ExponentialSchedule(
        draw(levels), draw(fractions), length, staircase, end_value=draw(levels), **placed
    )


def inverse_time(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    length, exponent, staircase = draw(st.floats(0.5, 50)), draw(powers), draw(flags)
    return s.InverseTimeSchedule(draw(levels), draw(levels), length, exponent, staircase, **placed)


# ## Warm-ups
def warmup(draw: Draw, steps: int, peak: float, percent: bool) -> dict[str, Any]:
    start = draw(st.sampled_from([0.0, peak / 100, peak / 2]))
    given = {"warmup_percent": draw(fractions)} if percent else {}
    if not percent:
        given = {"warmup_steps": draw(st.integers(0, steps))}
    shape = shaped(draw, start, peak, "warmup_shape", power=False)
    more = {"start_value": start, "warmup_start": draw(starts), "end": draw(ends)}
    return given | shape | more


def warmup_cosine(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, peak = two_levels(draw)
    rise = warmup(draw, steps, peak, draw(flags))
    return s.LinearWarmupCosineDecaySchedule(peak, end_value=end, **rise, **placed)


def warmup_decay(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, peak = two_levels(draw)
    rise = warmup(draw, steps, peak, draw(flags))
    fall = shaped(draw, peak, end, "tail")
    return s.WarmupDecaySchedule(peak, end_value=end, **rise, **fall, **placed)


def to_zero(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    peak = draw(levels)
    return s.LinearToZeroSchedule(peak, **warmup(draw, steps, peak, draw(flags)), **placed)


def late(
    draw: Draw, steps: int, peak: float, end: float, least: float, decays: bool | None = None
) -> dict[str, Any]:
    """A warm-up, and a decay over what it leaves of the run; `least` is the lowest value before."""
    percent = draw(flags)
    arguments = warmup(draw, steps, peak, percent)
    if draw(flags) if decays is None else decays:
        if percent:
            left = max(0.0, 1 - arguments["warmup_percent"])
            arguments["decay_percent"] = draw(st.just(left) | st.floats(0, left))
        else:
            arguments["decay_steps"] = draw(st.integers(0, steps - arguments["warmup_steps"]))
    return arguments | shaped(draw, least, end, "tail") | {"end_value": end}


def wsd(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, peak = two_levels(draw)
    return s.WSDSchedule(peak, **late(draw, steps, peak, end, peak, decays=True), **placed)


def tri_stage(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    peak = draw(positive)
    arguments = late(draw, steps, peak, peak / 50, peak, decays=True)
    return (
        s.TriStageSchedule(
            peak, **{name: arguments[name] for name in arguments if "tail" not in name}, **placed
        )
        if arguments["tail"] in MEANS
        else s.TriStageSchedule(peak, **arguments, **placed)
    )


def power(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, peak = two_levels(draw)
    timescale = draw(st.none() | st.floats(0.5, 50))
    arguments = late(draw, steps, peak, end, 0.0)
    return s.PowerSchedule(
        peak, exponent=draw(st.floats(-2, 0)), timescale=timescale, **arguments, **placed
    )


def inverse_sqrt(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, peak = two_levels(draw)
    return s.InverseSqrtSchedule(peak, **late(draw, steps, peak, end, 0.0), **placed)


def infinite(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    end, level, peak = sorted(draw(levels) for _ in range(3))
    arguments = late(draw, steps, peak, end, level)
    first = shaped(draw, peak, level, "cooldown_shape", power=False)
    length = {"cooldown_steps": draw(st.integers(0, steps))}
    if draw(flags):
        length = {"cooldown_percent": draw(fractions)}
    return s.InfiniteSchedule(peak, constant_value=level, **length, **first, **arguments, **placed)


# ## Cycles
def annealing(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    period = draw(st.integers(1, steps))
    return s.CosineAnnealingSchedule(draw(levels), period, end_value=draw(levels), **placed)


def sgdr(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    return s.SGDRSchedule(
        draw(levels),
        draw(st.integers(1, steps)),
        draw(st.sampled_from([1, 2, 1.5])),
        end_value=draw(levels),
        decay=draw(fractions),
        cycles=draw(st.none() | st.integers(1, 3)),
        **placed,
    )


def polynomial_cycle(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    length = draw(st.integers(1, steps))
    return s.PolynomialCycleSchedule(
        draw(levels), draw(levels), steps=length, power=draw(powers), **placed
    )


def cyclic(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    low, high = two_levels(draw)
    return s.CyclicSchedule(
        low,
        high,
        draw(st.integers(1, steps)),
        draw(st.none() | st.integers(1, steps)),
        draw(st.sampled_from(["triangular", "triangular2", "exp_range"])),
        gamma=draw(fractions),
        scale_mode=draw(st.sampled_from([None, "cycle", "iterations"])),
        **placed,
    )


def one_cycle(draw: Draw, steps: int, **placed: Any) -> ScheduleBase:
    three = draw(flags)
    return s.OneCycleSchedule(
        draw(levels),
        start_value=draw(st.none() | levels),
        end_value=draw(st.none() | levels),
        warmup_percent=draw(fractions) / (2 if three else 1),
        three_phase=three,
        shape=draw(st.sampled_from(["cosine", "linear"])),
        end=draw(ends),
        **placed,
    )


SIMPLE: dict[type[ScheduleBase], Callable[..., ScheduleBase]] = {
    **{
        kind: falling(kind)
        for kind in (
            s.LinearDecreasingSchedule,
            s.CosineDecreasingSchedule,
            s.PolynomialDecreasingSchedule,
            s.StepDecreasingSchedule,
        )
    },
    **{
        kind: rising(kind)
        for kind in (
            s.LinearIncreasingSchedule,
            s.CosineIncreasingSchedule,
            s.PolynomialIncreasingSchedule,
        )
    },
    s.RampSchedule: ramp,
    s.ConstantSchedule: constant,
    s.CustomSchedule: custom,
    s.PiecewiseConstantSchedule: pieces,
    s.InterpolationSchedule: interpolation,
    s.FunctionSchedule: function,
    s.StepFixedSchedule: step_fixed,
    s.StepIntervalSchedule: step_interval,
    s.MultiStepSchedule: multi_step,
    s.ExponentialSchedule: exponential,
    s.InverseTimeSchedule: inverse_time,
    s.LinearWarmupCosineDecaySchedule: warmup_cosine,
    s.WarmupDecaySchedule: warmup_decay,
    s.LinearToZeroSchedule: to_zero,
    s.WSDSchedule: wsd,
    s.TriStageSchedule: tri_stage,
    s.PowerSchedule: power,
    s.InverseSqrtSchedule: inverse_sqrt,
    s.InfiniteSchedule: infinite,
    s.CosineAnnealingSchedule: annealing,
    s.SGDRSchedule: sgdr,
    s.PolynomialCycleSchedule: polynomial_cycle,
    s.CyclicSchedule: cyclic,
    s.OneCycleSchedule: one_cycle,
}


# ## Schedules of schedules; `inner(steps)` draws one for a run of so many steps
Inner = Callable[[int], ScheduleBase]


def sequence(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    count = draw(st.integers(1, 3))
    if draw(flags):
        parts = draw(
            st.lists(fractions, min_size=count - 1, max_size=count - 1, unique=True).map(sorted)
        )
        marks = [0, *(round(part * steps) for part in parts), steps]
        chosen = [inner(max(1, end - start)) for start, end in pairwise(marks)]
        return s.SequenceSchedule(chosen, fractions=parts, **placed)
    marks = milestones(draw, count - 1, steps)
    chosen = [inner(max(1, end - start)) for start, end in pairwise([0, *marks, steps])]
    return s.SequenceSchedule(chosen, marks, **placed)


def parts_of(draw: Draw, unit: str, bounds: list[Any], chosen: list[ScheduleBase]) -> list[Any]:
    """The parts between the bounds; of two bounds that touch one may be left out."""
    kind = {
        "step": s.SequentialStepScheduleConfig,
        "percent": s.SequentialPercentScheduleConfig,
    }[unit]
    told = [draw(st.sampled_from(["start", "end", "both"])) for _ in bounds]
    return [
        kind(
            schedule,
            None if told[index] == "end" and index else bounds[index],
            None if told[index + 1] == "start" and index + 1 < len(chosen) else bounds[index + 1],
        )
        for index, schedule in enumerate(chosen)
    ]


def sequential_step(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    count = draw(st.integers(1, 3))
    bounds = sorted(draw(st.integers(0, steps)) for _ in range(count))
    last = draw(st.none() | st.integers(bounds[-1], bounds[-1] + steps))
    ended = [*bounds, steps if last is None else last]
    chosen = [inner(max(1, end - start)) for start, end in pairwise(ended)]
    return s.SequentialStepSchedule(parts_of(draw, "step", [*bounds, last], chosen), **placed)


def sequential_percent(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    count = draw(st.integers(1, 3))
    bounds = sorted(draw(fractions) for _ in range(count))
    last = draw(st.none() | st.floats(bounds[-1], 1))
    marks = [
        percent_window(*each, steps) for each in pairwise([*bounds, 1.0 if last is None else last])
    ]
    chosen = [inner(length) for _, length in marks]
    return s.SequentialPercentSchedule(parts_of(draw, "percent", [*bounds, last], chosen), **placed)


def product(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    return s.ProductSchedule([inner(steps) for _ in range(draw(st.integers(1, 3)))], **placed)


def scaled(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    return s.ScaledSchedule(inner(steps), draw(st.floats(-2, 2, allow_subnormal=False)), **placed)


def clipped(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    low, high = two_levels(draw)
    low, high = (draw(st.none() | st.just(bound)) for bound in (low, high))
    return s.ClippedSchedule(inner(steps), low, high, **placed)


def span(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    own = draw(st.integers(1, 2 * steps))
    return s.SpanSchedule(inner(own), own, **placed)


def repeated(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    own = draw(st.integers(1, 2 * steps))
    return s.RepeatedSchedule(inner(own), own, **placed)


def cooldown(draw: Draw, steps: int, inner: Inner, **placed: Any) -> ScheduleBase:
    start, length, end = draw(st.integers(0, steps)), draw(st.integers(1, steps)), draw(levels)
    tail = shaped(draw, 0.0, end, "tail")
    return s.CooldownSchedule(inner(steps), start, length, end_value=end, **tail, **placed)


NESTING: dict[type[ScheduleBase], Callable[..., ScheduleBase]] = {
    s.SequenceSchedule: sequence,
    s.SequentialStepSchedule: sequential_step,
    s.SequentialPercentSchedule: sequential_percent,
    s.ProductSchedule: product,
    s.ScaledSchedule: scaled,
    s.ClippedSchedule: clipped,
    s.SpanSchedule: span,
    s.RepeatedSchedule: repeated,
    s.CooldownSchedule: cooldown,
}
WRITABLE = [kind for kind in SIMPLE if kind is not s.FunctionSchedule]


def percent_window(start: float, end: float, steps: int) -> tuple[int, int]:
    """Where a part of the run given as fractions begins, and how many steps it has, at least one."""
    first, last = int(start * (steps - 1)), steps if end == 1 else int(end * (steps - 1))
    return first, max(1, last - first)


def place(draw: Draw, steps: int) -> tuple[dict[str, Any], int]:
    """An overhang and a window, and how many steps they leave to the schedule."""
    placed: dict[str, Any] = {}
    chosen = draw(st.sampled_from([None, None, "overhang_steps", "overhang_percent"]))
    if chosen == "overhang_steps":
        placed[chosen] = draw(st.integers(1 - steps, steps))
        steps += placed[chosen]
    if chosen == "overhang_percent":
        placed[chosen] = draw(st.floats(0, 1) | st.floats(-0.5, 0))
        steps += int(steps * placed[chosen])
    window = draw(st.sampled_from([None, None, "step", "percent"]))
    if window == "step":
        start = draw(st.integers(0, steps))
        end = draw(st.integers(start + 1, start + steps))
        placed |= {"start_step": start, "end_step": end}
        steps = end - start
    if window == "percent":
        start, end = sorted(draw(st.lists(fractions, min_size=2, max_size=2, unique=True)))
        placed |= {"start_percent": start, "end_percent": end}
        steps = percent_window(start, end, steps)[1]
    return placed, steps


@st.composite
def schedules(
    draw: Draw,
    steps: int,
    kinds: list[type[ScheduleBase]] | None = None,
    depth: int = 2,
    placed: bool = True,
) -> ScheduleBase:
    """Any schedule that a run of so many steps can have, and schedules of such schedules."""
    simple = list(SIMPLE) if kinds is None else kinds
    kind = draw(st.sampled_from([*simple, *NESTING] if depth else simple))
    where, left = place(draw, steps) if placed else ({}, steps)
    if kind in SIMPLE:
        return SIMPLE[kind](draw, left, **where)
    return NESTING[kind](
        draw, left, lambda own: draw(schedules(own, simple, depth - 1, placed)), **where
    )


@st.composite
def runs(draw: Draw, **arguments: Any) -> tuple[ScheduleBase, int]:
    """A schedule and the length of its run."""
    steps = draw(st.integers(1, 40))
    return draw(schedules(steps, **arguments)), steps


# ## What is known of its values
Range = tuple[float, float]


def hull(*values: float) -> Range:
    return min(values), max(values)


def range_of(schedule: Any) -> Range:
    """The lowest and highest value that a schedule may have, by its own arguments alone."""
    match schedule:
        case s.ConstantSchedule():
            return hull(schedule.value)
        case s.FunctionSchedule():
            return 0, 0.5
        case s.CustomSchedule() | s.PiecewiseConstantSchedule() | s.InterpolationSchedule():
            return hull(*schedule.values)
        case s.ProductSchedule():
            low, high = 1.0, 1.0
            for each in schedule.schedules:
                low, high = hull(*(a * b for a in (low, high) for b in range_of(each)))
            return low, high
        case s.SequenceSchedule():
            return hull(*(value for each in schedule.schedules for value in range_of(each)))
        case s.SequentialStepSchedule() | s.SequentialPercentSchedule():
            inside = [part.schedule for part in schedule.schedule_configs]
            return hull(*(value for each in inside for value in range_of(each)))
        case s.ScaledSchedule():
            return hull(*(schedule.factor * value for value in range_of(schedule.schedule)))
        case s.ClippedSchedule():
            low = -math.inf if schedule.low is None else schedule.low
            high = math.inf if schedule.high is None else schedule.high
            return hull(*(min(max(low, value), high) for value in range_of(schedule.schedule)))
        case s.SpanSchedule():
            return range_of(schedule.schedule)
        case s.CooldownSchedule():
            return hull(*range_of(schedule.schedule), schedule.end_value)
        case s.CyclicSchedule():
            return schedule.base_value, schedule.max_value
        case s.StepDecreasingSchedule():
            return schedule.end_value, schedule.max_value
        case s.ExponentialSchedule():
            return hull(schedule.end_value, max(schedule.end_value, schedule.start_value))
        case s.StepFixedSchedule() | s.StepIntervalSchedule() | s.MultiStepSchedule():
            return 0, schedule.start_value
        case s.InverseTimeSchedule():
            return 0, schedule.start_value
        case s.PowerSchedule():
            return 0, schedule.max_value
        case s.SGDRSchedule():
            lowest = 0 if schedule.decay < 1 else schedule.max_value
            return hull(lowest, schedule.max_value, schedule.end_value)
    own = ("start_value", "max_value", "constant_value", "end_value")
    declared = s.base.own_fields(type(schedule))
    return hull(*(getattr(schedule, name) for name in own if name in declared))


def settled(schedule: Any, steps: float) -> float:
    """The step of a run from which on a schedule has one value, infinite if there is none."""
    steps += schedule.overhang_steps or 0
    steps += int(steps * (schedule.overhang_percent or 0))
    if schedule.end_step is not None:
        return float(schedule.end_step)
    if schedule.end_percent is not None:
        return float(sum(percent_window(schedule.start_percent, schedule.end_percent, int(steps))))
    match schedule:
        case s.ConstantSchedule():
            return 0
        case s.CustomSchedule():
            return len(schedule.values)
        case s.PiecewiseConstantSchedule() | s.MultiStepSchedule():
            return max(schedule.milestones, default=0)
        case s.InterpolationSchedule():
            return schedule.steps[-1]
        case s.CooldownSchedule():
            return schedule.start + schedule.steps
        case s.RepeatedSchedule():
            return math.inf
        case s.SpanSchedule():
            return settled(schedule.schedule, schedule.steps)
        case s.ScaledSchedule() | s.ClippedSchedule():
            return settled(schedule.schedule, steps)
        case s.ProductSchedule():
            return max(settled(each, steps) for each in schedule.schedules)
        case s.SequenceSchedule():
            begun = max(schedule.milestones or [0])
            if schedule.fractions:
                begun = round(schedule.fractions[-1] * steps)
            return begun + settled(schedule.schedules[-1], max(1, steps - begun))
        case s.SequentialStepSchedule():
            last = schedule.schedule_configs[-1]
            return max(last.start_step, steps if last.end_step is None else last.end_step)
        case s.SequentialPercentSchedule():
            return steps
        case s.SGDRSchedule():
            if schedule.cycles is None:
                return math.inf
            return sum(schedule.period * schedule.multiplier**n for n in range(schedule.cycles))
        case s.InfiniteSchedule() | s.PowerSchedule():
            if not (schedule.decay_steps or schedule.decay_percent):
                return math.inf
        case (
            s.FunctionSchedule()
            | s.ExponentialSchedule()
            | s.InverseTimeSchedule()
            | s.CosineAnnealingSchedule()
            | s.PolynomialCycleSchedule()
            | s.CyclicSchedule()
        ):
            return math.inf
    # A decay of no step, or of one, is over a step later.
    return steps + 1

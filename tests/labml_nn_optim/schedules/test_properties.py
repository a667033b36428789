"""What holds for every schedule, however it is made and nested."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labml_nn_optim import schedules as library
from labml_nn_optim.schedules import (
    MEANS,
    SHAPES,
    WARMUP_STARTS,
    ClippedSchedule,
    ConstantSchedule,
    CooldownSchedule,
    CosineAnnealingSchedule,
    CustomSchedule,
    CyclicSchedule,
    DecreasingProgressSchedule,
    ExponentialSchedule,
    FunctionSchedule,
    IncreasingProgressSchedule,
    InfiniteSchedule,
    InterpolationSchedule,
    InverseTimeSchedule,
    LinearWarmupCosineDecaySchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PiecewiseConstantSchedule,
    PolynomialCycleSchedule,
    PowerSchedule,
    ProductSchedule,
    ProgressSchedule,
    RampSchedule,
    RepeatedSchedule,
    ScaledSchedule,
    ScheduleBase,
    SequenceSchedule,
    SequentialPercentSchedule,
    SequentialPercentScheduleConfig,
    SequentialStepSchedule,
    SequentialStepScheduleConfig,
    SGDRSchedule,
    SpanSchedule,
    StepFixedSchedule,
    StepIntervalSchedule,
    WarmupDecaySchedule,
    WarmupSchedule,
    get_schedule,
    schedule_from_config,
    schedule_names,
    schedule_to_config,
)
from labml_nn_optim.schedules.base import percent_bounds
from tests.labml_nn_optim.schedules.examples import values

quickly = settings(max_examples=100, deadline=None, derandomize=True)
Draw = Callable[[st.SearchStrategy[Any]], Any]
Build = Callable[[Draw, int, Callable[[int], ScheduleBase]], dict[str, Any]]


# ## Arguments of a schedule for a run of some length, in which schedules may be nested
def number(draw: Draw, low: float = 0.0, high: float = 2.0) -> float:
    inner = st.floats(max(low, 1e-6), high) if high > 1e-6 else st.just(high)
    return float(draw(st.sampled_from([low, high]) | inner))


def falling(draw: Draw, count: int) -> list[float]:
    return sorted((number(draw) for _ in range(count)), reverse=True)


def flags(draw: Draw) -> dict[str, Any]:
    return {name: draw(st.booleans()) for name in ("exclude_first", "exclude_last")}


def shape_for(draw: Draw, *ends: float) -> str:
    return str(draw(st.sampled_from([*SHAPES, *MEANS] if min(ends) > 0 else [*SHAPES])))


def exponents(draw: Draw, shape: str) -> dict[str, Any]:
    power = 1.0 if shape in MEANS else draw(st.sampled_from([1.0, 0.5, 2.0]))
    return {"power": power, "bend": draw(st.sampled_from([1.0, 0.5, 2.0]))}


def steps_of(draw: Draw, length: int, count: int | None = None) -> list[int]:
    """Rising steps within the run, none at its beginning or end."""
    most = max(0, length - 1) if count is None else count
    if length < 2:
        return []
    inner = st.integers(1, length - 1)
    return sorted(draw(st.lists(inner, unique=True, max_size=min(most, length - 1, 3))))


def part_of(draw: Draw, name: str, length: int) -> dict[str, Any]:
    """The length of a part in one of the units, or none; it is shorter than `length`."""
    unit = draw(st.sampled_from(["none", "steps", "percent"]))
    steps = draw(st.integers(0, length - 1))
    if unit == "none":
        return {}
    return {f"{name}_{unit}": steps if unit == "steps" else steps / length}


def steps_in(arguments: dict[str, Any], name: str, length: int) -> int:
    return arguments.get(f"{name}_steps") or round(arguments.get(f"{name}_percent", 0) * length)


def decreasing(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    high, low = falling(draw, 2)
    return {"max_value": high, "end_value": low} | flags(draw)


def increasing(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    high, low = falling(draw, 2)
    return {"max_value": high, "start_value": low} | flags(draw)


def with_power(build: Build) -> Build:
    return lambda draw, length, nest: (
        build(draw, length, nest) | {"power": draw(st.sampled_from([0.5, 1.0, 3.0]))}
    )


def ramp(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    ends = {"start_value": number(draw), "end_value": number(draw)}
    shape = shape_for(draw, *ends.values())
    return ends | {"shape": shape} | exponents(draw, shape) | flags(draw)


def warmup(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    high, start, end = falling(draw, 3)
    return part_of(draw, "warmup", length) | {
        "max_value": high,
        "start_value": start,
        "end_value": end,
        "warmup_shape": shape_for(draw, high, start),
        "warmup_start": draw(st.sampled_from([None, *WARMUP_STARTS])),
        "end": draw(st.sampled_from(["last", "after"])),
    }


def warmup_cosine(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    arguments = warmup(draw, length, nest)
    if not arguments.keys() & {"warmup_steps", "warmup_percent"}:
        arguments["warmup_steps"] = draw(st.integers(0, length - 1))
    return arguments


def warmup_decay(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    arguments = warmup(draw, length, nest)
    tail = shape_for(draw, arguments["max_value"], arguments["end_value"])
    return arguments | {"tail": tail} | exponents(draw, tail)


def late_decay(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    arguments = warmup_decay(draw, length, nest)
    left = length - steps_in(arguments, "warmup", length)
    steps = draw(st.integers(0, left))
    unit = draw(st.sampled_from(["steps", "percent"]))
    return arguments | {f"decay_{unit}": steps if unit == "steps" else steps / length}


def power(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    arguments = late_decay(draw, length, nest)
    if draw(st.booleans()):
        arguments = {name: arguments[name] for name in arguments if "decay" not in name}
    timescale = draw(st.sampled_from([None, 0.5, 3.0]))
    return arguments | {"timescale": timescale, "exponent": draw(st.sampled_from([-0.5, 0.0, -2]))}


def infinite(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    arguments = late_decay(draw, length, nest)
    high, start, constant, end = falling(draw, 4)
    left = length - steps_in(arguments, "warmup", length)
    tail = shape_for(draw, constant, end)
    return arguments | {
        "max_value": high,
        "start_value": start,
        "constant_value": constant,
        "end_value": end,
        "warmup_shape": shape_for(draw, high, start),
        "cooldown_shape": shape_for(draw, high, constant),
        "cooldown_steps": draw(st.integers(0, left)),
        "tail": tail,
        **exponents(draw, tail),
    }


def annealing(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    high, low = falling(draw, 2)
    return {"max_value": high, "end_value": low, "period": draw(st.integers(1, 9))}


def restarts(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    return annealing(draw, length, nest) | {
        "multiplier": draw(st.sampled_from([1, 1.5, 2])),
        "decay": number(draw, high=1.0),
        "cycles": draw(st.none() | st.integers(1, 3)),
    }


def triangles(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    high, low = falling(draw, 2)
    return {
        "base_value": low,
        "max_value": high,
        "steps_up": draw(st.integers(1, 9)),
        "steps_down": draw(st.none() | st.integers(1, 9)),
        "mode": draw(st.sampled_from(["triangular", "triangular2", "exp_range"])),
        "gamma": number(draw, high=1.0),
        "scale_mode": draw(st.sampled_from([None, "cycle", "iterations"])),
    }


def one_cycle(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    return {
        "max_value": number(draw),
        "start_value": number(draw),
        "end_value": number(draw),
        "warmup_percent": number(draw, high=0.45),
        "three_phase": draw(st.booleans()),
        "shape": draw(st.sampled_from(["cosine", "linear"])),
        "end": draw(st.sampled_from(["last", "after"])),
    }


def listed(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    milestones = steps_of(draw, length)
    return {"values": [number(draw) for _ in (0, *milestones)], "milestones": milestones}


def interpolation(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
    steps = steps_of(draw, length) or [0]
    found = [number(draw) for _ in steps]
    return {"steps": steps, "values": found, "shape": shape_for(draw, *found)}


def stepwise(**more: st.SearchStrategy[Any]) -> Build:
    def build(draw: Draw, length: int, nest: Any) -> dict[str, Any]:
        start = {"start_value": number(draw), "factor": number(draw, high=1.0)}
        return start | {name: draw(strategy) for name, strategy in more.items()}

    return build


def sequence(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    milestones = steps_of(draw, length)
    parts = [nest(end - start) for start, end in pairwise([0, *milestones, length])]
    if draw(st.booleans()):
        return {"schedules": parts, "milestones": milestones}
    return {"schedules": parts, "fractions": [step / length for step in milestones]}


def in_steps(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    bounds = draw(st.lists(st.integers(0, length), min_size=2, max_size=6).map(sorted))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    parts = [SequentialStepScheduleConfig(nest(max(1, end - at)), at, end) for at, end in pairs]
    return {"schedule_configs": parts}


def in_percents(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    bounds = draw(st.lists(st.floats(0, 1), min_size=2, max_size=6).map(sorted))
    parts = []
    for start, end in zip(bounds[::2], bounds[1::2], strict=False):
        first, last = percent_bounds(start, end, length)
        part = nest(max(1, int(last - first)))
        parts.append(SequentialPercentScheduleConfig(part, start, end))
    return {"schedule_configs": parts}


def cooldown(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    start, tail = draw(st.integers(0, length - 1)), draw(st.sampled_from([*SHAPES]))
    lengths = {"start": start, "steps": draw(st.integers(1, length - start))}
    ends = {"schedule": nest(length), "end_value": number(draw), "tail": tail}
    return lengths | ends | exponents(draw, tail)


def span(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    steps = draw(st.integers(1, length))
    return {"schedule": nest(steps), "steps": steps}


def clipped(draw: Draw, length: int, nest: Callable[[int], ScheduleBase]) -> dict[str, Any]:
    high, low = falling(draw, 2)
    bounds = {"low": low, "high": high}
    kept = draw(st.sampled_from([("low", "high"), ("low",), ("high",), ()]))
    return {"schedule": nest(length)} | {name: bounds[name] for name in kept}


fraction = st.floats(0.01, 0.99)
BUILDS: dict[str, Build] = {
    "ClippedSchedule": clipped,
    "ConstantSchedule": lambda draw, length, nest: {"value": number(draw)},
    "CooldownSchedule": cooldown,
    "CosineAnnealingSchedule": annealing,
    "CosineDecreasingSchedule": decreasing,
    "CosineIncreasingSchedule": increasing,
    "CustomSchedule": lambda draw, length, nest: {
        "values": [number(draw) for _ in range(draw(st.integers(1, length)))]
    },
    "CyclicSchedule": triangles,
    "ExponentialSchedule": stepwise(
        steps=st.floats(0.5, 9.0), staircase=st.booleans(), end_value=st.floats(0, 1)
    ),
    "FunctionSchedule": lambda draw, length, nest: {"function": math.cos},
    "InfiniteSchedule": infinite,
    "InterpolationSchedule": interpolation,
    "InverseSqrtSchedule": power,
    "InverseTimeSchedule": stepwise(
        steps=st.floats(0.5, 9.0), exponent=st.sampled_from([0.5, 1, 2]), staircase=st.booleans()
    ),
    "LinearDecreasingSchedule": decreasing,
    "LinearIncreasingSchedule": increasing,
    "LinearToZeroSchedule": warmup_decay,
    "LinearWarmupCosineDecaySchedule": warmup_cosine,
    "MultiStepSchedule": lambda draw, length, nest: (
        stepwise()(draw, length, nest) | {"milestones": steps_of(draw, length)}
    ),
    "OneCycleSchedule": one_cycle,
    "PiecewiseConstantSchedule": listed,
    "PolynomialCycleSchedule": lambda draw, length, nest: {
        "start_value": number(draw),
        "end_value": number(draw),
        "steps": draw(st.integers(1, 9)),
        "power": draw(st.sampled_from([0.5, 1.0, 3.0])),
    },
    "PolynomialDecreasingSchedule": with_power(decreasing),
    "PolynomialIncreasingSchedule": with_power(increasing),
    "PowerSchedule": power,
    "ProductSchedule": lambda draw, length, nest: {
        "schedules": [nest(length) for _ in range(draw(st.integers(1, 2)))]
    },
    "RampSchedule": ramp,
    "RepeatedSchedule": span,
    "SGDRSchedule": restarts,
    "ScaledSchedule": lambda draw, length, nest: {
        "schedule": nest(length),
        "factor": draw(st.floats(-3, 3)),
    },
    "SequenceSchedule": sequence,
    "SequentialPercentSchedule": in_percents,
    "SequentialStepSchedule": in_steps,
    "SpanSchedule": span,
    "StepDecreasingSchedule": lambda draw, length, nest: (
        decreasing(draw, length, nest)
        | {"factor": number(draw, high=1.0), "decreases_interval": draw(fraction)}
    ),
    "StepFixedSchedule": stepwise(steps=st.lists(fraction, min_size=1, max_size=3)),
    "StepIntervalSchedule": stepwise(update_interval=fraction),
    "TriStageSchedule": late_decay,
    "WSDSchedule": late_decay,
    "WarmupDecaySchedule": warmup_decay,
}
NESTING = {"ClippedSchedule", "CooldownSchedule", "ProductSchedule", "RepeatedSchedule"} | {
    *("ScaledSchedule", "SequenceSchedule", "SequentialPercentSchedule"),
    *("SequentialStepSchedule", "SpanSchedule"),
}
LEAVES = sorted(BUILDS.keys() - NESTING)


def placement(draw: Draw, length: int) -> tuple[dict[str, Any], int]:
    """Arguments that place a schedule in a run, and the length that it then has itself."""
    place = draw(st.sampled_from(["whole", "whole", "overhang", "percent", "window", "part"]))
    if place == "overhang":
        overhang = draw(st.integers(1 - length, 5))
        return {"overhang_steps": overhang}, length + overhang
    if place == "percent":
        overhang = draw(st.sampled_from([0.0, -0.25, 0.5, 1.0]))
        longer = length + int(overhang * length)
        return {"overhang_percent": overhang}, longer
    if place == "window" and length > 1:
        start = draw(st.integers(0, length - 1))
        end = draw(st.integers(start + 1, length))
        return {"start_step": start, "end_step": end}, end - start
    if place == "part":
        start, end = draw(st.sampled_from([(0.0, 0.5), (0.2, 1.0), (0.4, 0.7)]))
        first, last = percent_bounds(start, end, length)
        return {"start_percent": start, "end_percent": end}, max(1, int(last - first))
    return {}, length


@st.composite
def schedules(
    draw: Draw,
    length: int,
    kinds: tuple[str, ...] = tuple(BUILDS),
    depth: int = 2,
    placed: bool = True,
    functions: bool = True,
) -> ScheduleBase:
    """A schedule of any of `kinds` that is possible in a run of `length` steps."""
    possible = [kind for kind in kinds if functions or kind != "FunctionSchedule"]
    kind = draw(st.sampled_from(possible))
    place, inner = placement(draw, length) if placed else ({}, length)
    within = tuple(BUILDS) if depth > 1 else tuple(LEAVES)

    def nest(steps: int) -> ScheduleBase:
        return draw(schedules(steps, within, depth - 1, placed, functions))

    return get_schedule(kind)(**BUILDS[kind](draw, inner, nest), **place)


lengths = st.integers(1, 24)


@st.composite
def runs(draw: Draw, kinds: tuple[str, ...] = tuple(BUILDS), **options: Any) -> Any:
    """A schedule, and the length of a run in which it is possible."""
    length = draw(lengths)
    return draw(schedules(length, kinds, **options)), length


def test_no_schedule_is_left_out() -> None:
    assert set(BUILDS) == set(schedule_names())


@pytest.mark.parametrize("kind", BUILDS)
def test_every_kind_of_schedule_is_built(kind: str) -> None:
    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(runs((kind,)))
    def check(run: tuple[ScheduleBase, int]) -> None:
        schedule, length = run
        assert type(schedule) is get_schedule(kind)
        assert all(math.isfinite(value) for value in values(schedule, length, length + 5))

    check()


# ## Bounds
def bounds(schedule: ScheduleBase) -> tuple[float, float]:
    """The lowest and the highest value that a schedule may have, by its arguments."""
    one: Any = schedule
    match schedule:
        case FunctionSchedule():
            found = [-1.0, 1.0]
        case ConstantSchedule():
            found = [one.value]
        case CustomSchedule() | PiecewiseConstantSchedule() | InterpolationSchedule():
            found = [*one.values]
        case ExponentialSchedule():
            found = [one.end_value, max(one.start_value, one.end_value)]
        case MultiStepSchedule() | StepFixedSchedule() | StepIntervalSchedule():
            found = [0, one.start_value]
        case InverseTimeSchedule():
            found = [0, one.start_value]
        case RampSchedule() | PolynomialCycleSchedule():
            found = [one.start_value, one.end_value]
        case IncreasingProgressSchedule():
            found = [one.start_value, one.max_value]
        case PowerSchedule():
            found = [0, one.max_value]
        case WarmupSchedule() | OneCycleSchedule():
            found = [one.start_value, one.max_value, one.end_value]
        case SGDRSchedule():
            found = [one.max_value, one.end_value, *([] if one.decay == 1 else [0])]
        case DecreasingProgressSchedule() | CosineAnnealingSchedule():
            found = [one.end_value, one.max_value]
        case CyclicSchedule():
            found = [one.base_value, one.max_value]
        case ScaledSchedule():
            found = [one.factor * bound for bound in bounds(one.schedule)]
        case ClippedSchedule():
            low = -math.inf if one.low is None else one.low
            high = math.inf if one.high is None else one.high
            found = [min(max(bound, low), high) for bound in bounds(one.schedule)]
        case ProductSchedule():
            found = [1.0]
            for each in one.schedules:
                found = [a * b for a in found for b in bounds(each)]
        case SequentialStepSchedule() | SequentialPercentSchedule():
            found = [bound for part in one.schedule_configs for bound in bounds(part.schedule)]
        case SequenceSchedule():
            found = [bound for each in one.schedules for bound in bounds(each)]
        case CooldownSchedule():
            found = [*bounds(one.schedule), one.end_value]
        case SpanSchedule():
            found = [*bounds(one.schedule)]
        case _:
            raise NotImplementedError(type(schedule))
    return min(found), max(found)


@quickly
@given(runs(), st.lists(st.floats(0, 60), max_size=5))
def test_values_are_finite_and_within_the_bounds_that_the_arguments_set(
    run: tuple[ScheduleBase, int], more: list[float]
) -> None:
    schedule, length = run
    low, high = bounds(schedule)
    slack = 1e-9 * max(1, abs(low), abs(high))
    for step in (*range(length + 6), 1000, *more):
        value = schedule.get_value(step, length)
        assert type(value) is float
        assert math.isfinite(value)
        assert low - slack <= value <= high + slack


# ## Ends
ENDLESS = (
    *(CosineAnnealingSchedule, CyclicSchedule, ExponentialSchedule, FunctionSchedule),
    *(InverseTimeSchedule, PolynomialCycleSchedule, RepeatedSchedule, SGDRSchedule),
)


def ends(schedule: ScheduleBase) -> bool:
    """Whether the last value has come when the run for which it was built is over."""
    one: Any = schedule
    if schedule.start_step is not None or schedule.start_percent is not None:
        return True
    if (schedule.overhang_steps or 0) > 0 or (schedule.overhang_percent or 0) > 0:
        return False
    if isinstance(schedule, ENDLESS):
        return False
    if isinstance(schedule, PowerSchedule):
        return bool(one.decay_steps or one.decay_percent)
    if isinstance(schedule, SequentialStepSchedule | SequentialPercentSchedule | CooldownSchedule):
        return True
    if isinstance(schedule, SequenceSchedule):
        return ends(one.schedules[-1])
    if isinstance(schedule, ProductSchedule):
        return all(map(ends, one.schedules))
    return ends(one.schedule) if hasattr(schedule, "schedule") else True


@quickly
@given(runs().filter(lambda run: ends(run[0])), st.integers(1, 10_000))
def test_past_its_end_the_last_value_holds(run: tuple[ScheduleBase, int], more: int) -> None:
    schedule, length = run
    last = schedule.get_value(length, length)
    for step in (length + 0.5, length + 1, length + more):
        assert schedule.get_value(step, length) == last


def kinds_of(*families: type[ScheduleBase]) -> tuple[str, ...]:
    return tuple(name for name in BUILDS if issubclass(get_schedule(name), families))


def test_the_families_below_have_members() -> None:
    assert len(kinds_of(ProgressSchedule)) == 8
    assert len(kinds_of(WarmupSchedule)) == 8


@quickly
@given(
    runs(
        tuple({*kinds_of(ProgressSchedule)} - {"StepDecreasingSchedule"}),
        placed=False,
    )
)
def test_a_progress_meets_its_ends_exactly(run: tuple[Any, int]) -> None:
    schedule, length = run
    rising = isinstance(schedule, IncreasingProgressSchedule)
    low = schedule.start_value if rising or isinstance(schedule, RampSchedule) else None
    first = schedule.max_value if low is None else low
    last = schedule.max_value if rising else schedule.end_value
    if not schedule.exclude_first:
        assert schedule.get_value(0, length) == first
    if not schedule.exclude_last and length + schedule.exclude_first > 1:
        assert schedule.get_value(length - 1, length) == last
    assert schedule.get_value(length, length) == last


@quickly
@given(runs(kinds_of(WarmupSchedule), placed=False))
def test_a_warm_up_comes_to_its_peak_and_what_follows_to_its_end(run: tuple[Any, int]) -> None:
    schedule, length = run
    warmup = int(schedule._warmup(length))
    lengths = [getattr(schedule, f"decay_{unit}", None) for unit in ("steps", "percent")]
    if isinstance(schedule, InfiniteSchedule) and schedule.cooldown_steps == 0:
        assert schedule.get_value(warmup, length) == schedule.constant_value
    else:
        assert schedule.get_value(warmup, length) == schedule.max_value
    decays = type(schedule) in (WarmupDecaySchedule, LinearWarmupCosineDecaySchedule)
    if decays or any(lengths):
        assert schedule.get_value(length, length) == schedule.end_value


# ## Order
def is_falling(found: list[float]) -> bool:
    return all(after <= before + 1e-12 for before, after in pairwise(found))


FALLING = kinds_of(
    *(DecreasingProgressSchedule, StepFixedSchedule, StepIntervalSchedule, MultiStepSchedule),
    *(ExponentialSchedule, InverseTimeSchedule),
)


@quickly
@given(runs(FALLING))
def test_what_goes_down_never_goes_up(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    assert is_falling(values(schedule, length, length + 5))


@quickly
@given(runs(kinds_of(IncreasingProgressSchedule)))
def test_what_goes_up_never_goes_down(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    assert is_falling(values(schedule, length, length + 5)[::-1])


@quickly
@given(runs(kinds_of(RampSchedule)))
def test_a_ramp_goes_one_way(run: tuple[Any, int]) -> None:
    schedule, length = run
    found = values(schedule, length, length + 5)
    rises = schedule.end_value > schedule.start_value
    assert is_falling(found[::-1] if rises else found)


@quickly
@given(runs(tuple({*kinds_of(WarmupSchedule)} - {*kinds_of(PowerSchedule)}), placed=False))
def test_a_warm_up_is_followed_by_no_other_rise(run: tuple[Any, int]) -> None:
    schedule, length = run
    warmup = int(schedule._warmup(length))
    found = values(schedule, length, length + 5)
    assert is_falling(found[:warmup][::-1])
    assert is_falling(found[warmup:])


# ## Nesting
@st.composite
def three_in_a_row(draw: Draw) -> Any:
    parts = [draw(lengths) for _ in range(3)]
    return [draw(schedules(length)) for length in parts], parts


@quickly
@given(three_in_a_row())
def test_how_a_sequence_is_nested_changes_no_value(
    made: tuple[list[ScheduleBase], list[int]],
) -> None:
    (a, b, c), parts = made
    m, n, length = parts[0], parts[0] + parts[1], sum(parts)
    expected = values(SequenceSchedule([a, b, c], [m, n]), length, length + 5)
    for nested in (a.then(b, m).then(c, n), a.then(b.then(c, n - m), m)):
        assert values(nested, length, length + 5) == expected
    each = [
        value for one, steps in zip((a, b, c), parts, strict=True) for value in values(one, steps)
    ]
    assert expected[:length] == each


@quickly
@given(runs())
def test_wrappers_that_do_nothing_change_no_value(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    expected = values(schedule, length, length + 5)
    for same in (
        schedule.scale(1.0),
        schedule.clip(),
        schedule * ConstantSchedule(1.0),
        ConstantSchedule(1.0) * schedule,
        SequenceSchedule([schedule], []),
        schedule.over(length),
    ):
        assert values(same, length, length + 5) == expected
    whole = SequentialStepSchedule([SequentialStepScheduleConfig(schedule)])
    assert values(whole, length) == expected[:length]
    repeated = values(RepeatedSchedule(schedule, length), None, 2 * length)
    assert repeated == 2 * expected[:length]


@quickly
@given(runs(), st.integers(0, 20), st.integers(1, 9), st.sampled_from([*SHAPES]))
def test_a_decay_may_begin_anywhere(
    run: tuple[ScheduleBase, int], at: int, steps: int, tail: str
) -> None:
    schedule, length = run
    ended = schedule.start_decay(at, steps, 0.25, tail)
    count = at + steps + 5
    found = values(ended, length, count)
    assert found[: at + 1] == values(schedule, length, at + 1)
    assert found[at + steps :] == [0.25] * 5
    way = found[at:]
    assert is_falling(way if way[0] >= 0.25 else way[::-1])


@quickly
@given(runs())
def test_a_length_that_is_not_needed_does_not_matter(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    if schedule.needs_total_steps:
        with pytest.raises(ValueError, match=r"^total_steps must be given for \w+, got None$"):
            schedule.get_value(0)
    else:
        expected = values(schedule, None, length + 5)
        assert values(schedule, length, length + 5) == expected
        assert values(schedule, 3 * length, length + 5) == expected


# ## Values
@quickly
@given(runs(functions=False))
def test_a_schedule_comes_back_from_its_configuration(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    back = schedule_from_config(json.loads(json.dumps(schedule_to_config(schedule))))
    assert back == schedule
    assert hash(back) == hash(schedule)
    assert values(back, length, length + 5) == values(schedule, length, length + 5)


@quickly
@given(runs())
def test_a_schedule_comes_back_from_its_bytes(run: tuple[ScheduleBase, int]) -> None:
    schedule, length = run
    back = pickle.loads(pickle.dumps(schedule))
    assert back == schedule
    assert values(back, length, length + 5) == values(schedule, length, length + 5)


@quickly
@given(runs(functions=False))
def test_a_schedule_comes_back_from_what_is_shown_of_it(run: tuple[ScheduleBase, int]) -> None:
    schedule, _ = run
    assert eval(repr(schedule), vars(library)) == schedule == copy.deepcopy(schedule)


@quickly
@given(runs(), st.integers(0, 40))
def test_a_whole_step_may_be_given_as_a_float(run: tuple[ScheduleBase, int], step: int) -> None:
    schedule, length = run
    assert schedule.get_value(float(step), float(length)) == schedule.get_value(step, length)

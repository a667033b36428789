"""Warm-ups: how they are counted, and what follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    CONVENTIONS,
    ENDS,
    SHAPES,
    WARMUP_STARTS,
    ConstantSchedule,
    InverseSqrtSchedule,
    LinearToZeroSchedule,
    LinearWarmupCosineDecaySchedule,
    ScheduleBase,
    WarmupDecaySchedule,
    WSDSchedule,
)
from labml_nn_optim.schedules.ramp import descend
from tests.labml_nn_optim.schedules.examples import values


# ## The warm-up
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("t/W", [0, 0.25, 0.5, 0.75, 1]),
        ("(t+1)/W", [0.25, 0.5, 0.75, 1, 1]),
        ("(t+1)/(W+1)", [0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_a_warm_up_is_counted_in_three_ways(start: str, expected: list[float]) -> None:
    for kind in (WarmupDecaySchedule, LinearToZeroSchedule, WSDSchedule, InverseSqrtSchedule):
        schedule = kind(1.0, warmup_steps=4, warmup_start=start)
        assert values(schedule, 20, 5) == pytest.approx(expected)
    cosine = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=4, warmup_start=start)
    assert values(cosine, 20, 5) == pytest.approx(expected)


def test_there_is_no_fourth_way() -> None:
    assert set(WARMUP_STARTS) == {"t/W", "(t+1)/W", "(t+1)/(W+1)"}
    with pytest.raises(ValueError, match=r"^warmup_start must be one of .*, got 't/\(W\+1\)'$"):
        WarmupDecaySchedule(1.0, warmup_start="t/(W+1)")


@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt", "halving"])
def test_between_two_steps_a_warm_up_goes_no_further_than_its_peak(shape: str) -> None:
    schedule = WarmupDecaySchedule(1.0, warmup_steps=4, warmup_start="(t+1)/W", warmup_shape=shape)
    assert schedule.get_value(3, 10) == schedule.get_value(3.5, 10) == 1.0


def test_a_start_above_0_is_worth_a_step_and_a_start_at_0_is_not() -> None:
    assert values(WarmupDecaySchedule(1.0, warmup_steps=4), 20, 2) == pytest.approx([0.2, 0.4])
    above = WarmupDecaySchedule(1.0, warmup_steps=4, start_value=0.2)
    assert values(above, 20, 5) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_warm_up_is_a_shape_read_backwards(shape: str) -> None:
    schedule = WarmupDecaySchedule(
        2.0, warmup_steps=8, start_value=0.5, warmup_start="t/W", warmup_shape=shape
    )
    expected = [descend(2.0, 0.5, 1 - step / 8, shape) for step in range(9)]
    found = values(schedule, 20, 9)
    assert found == pytest.approx(expected)
    assert (found[0], found[8]) == (0.5, 2.0)


def test_a_warm_up_along_a_mean_begins_above_0() -> None:
    schedule = WarmupDecaySchedule(
        1.0, warmup_steps=4, start_value=0.0001, warmup_shape="exponential"
    )
    assert values(schedule, 20, 5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    with pytest.raises(ValueError, match=r"^warmup_shape from 1.0 to 0.0 must be one of linear"):
        WarmupDecaySchedule(1.0, warmup_steps=4, warmup_shape="exponential")


def test_a_warm_up_given_as_a_fraction_is_rounded_to_the_nearest_step() -> None:
    for total_steps, warmup in {10: 2, 11: 3, 100: 25, 3: 1, 1: 0}.items():
        schedule = WarmupDecaySchedule(1.0, warmup_percent=0.25)
        assert values(schedule, total_steps).index(1.0) == warmup


def test_noethers_own_schedule_rounds_the_fraction_down_and_leaves_out_the_last_step() -> None:
    for total_steps, warmup in {10: 2, 12: 2, 13: 3, 100: 24, 101: 25}.items():
        schedule = LinearWarmupCosineDecaySchedule(1.0, warmup_percent=0.25)
        assert values(schedule, total_steps).index(1.0) == warmup


def test_without_a_warm_up_the_first_update_has_the_peak() -> None:
    for lengths in ({}, {"warmup_steps": 0}, {"warmup_percent": 0.0}):
        assert WarmupDecaySchedule(0.3, **lengths).get_value(0, 10) == 0.3


def test_a_warm_up_may_last_the_whole_run() -> None:
    schedule = WarmupDecaySchedule(1.0, warmup_steps=4, end_value=0.1, warmup_start="t/W")
    assert values(schedule, 4) == pytest.approx([0, 0.25, 0.5, 0.75])
    assert schedule.get_value(4, 4) == 1.0
    assert values(WarmupDecaySchedule(1.0, warmup_percent=1.0), 3) == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    "kind",
    [WarmupDecaySchedule, LinearToZeroSchedule, LinearWarmupCosineDecaySchedule, WSDSchedule],
)
def test_a_warm_up_longer_than_the_run_is_refused_from_its_first_step_on(
    kind: Callable[..., ScheduleBase],
) -> None:
    schedule = kind(1.0, warmup_steps=11)
    message = r"^warmup_steps must be at most total_steps, 10, got 11$"
    for step in (0, 10, 50):
        with pytest.raises(ValueError, match=message):
            schedule.get_value(step, 10)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_value": -1.0}, ValueError, "max_value must be a finite number >= 0, got -1.0"),
        ({"max_value": "1"}, TypeError, "max_value must be a finite number >= 0, got '1'"),
        ({"max_value": math.nan}, ValueError, "max_value must be a finite number >= 0, got nan"),
        ({"warmup_steps": -1}, ValueError, "warmup_steps must be a whole number >= 0, got -1"),
        ({"warmup_steps": 2.0}, TypeError, "warmup_steps must be a whole number >= 0, got 2.0"),
        ({"warmup_percent": 1.5}, ValueError, "warmup_percent must be .* <= 1, got 1.5"),
        ({"warmup_percent": "0.1"}, TypeError, "warmup_percent must be .* <= 1, got '0.1'"),
        ({"start_value": -0.1}, ValueError, "start_value must be a finite number >= 0, got -0.1"),
        ({"start_value": 1.5}, ValueError, "start_value must be at most max_value, 1.0, got 1.5"),
        ({"warmup_shape": "sine"}, ValueError, "warmup_shape must be one of .*, got 'sine'"),
        ({"tail": "sine"}, ValueError, "tail must be one of .*, got 'sine'"),
        ({"tail": "exponential"}, ValueError, "tail from 1.0 to 0.0 must be one of .*"),
        ({"end_value": -0.1}, ValueError, "end_value must be a finite number >= 0, got -0.1"),
        ({"end": "before"}, ValueError, "end must be one of last, after, got 'before'"),
        ({"power": 0.0}, ValueError, "power must be a finite number > 0, got 0.0"),
        ({"bend": 0.0}, ValueError, "bend must be a finite number > 0, got 0.0"),
        (
            {"warmup_steps": 0, "warmup_percent": 0.0},
            ValueError,
            "warmup_steps must be None when warmup_percent is given, got 0",
        ),
    ],
)
def test_a_bad_argument_of_a_warm_up_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        WarmupDecaySchedule(**{"max_value": 1.0} | arguments)


# ## The end
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("last", [1, 0.75, 0.5, 0.25, 0, 0, 0]),
        ("after", [1, 0.8, 0.6, 0.4, 0.2, 0, 0]),
    ],
)
def test_the_end_is_reached_in_the_last_update_or_after_it(end: str, expected: list[float]) -> None:
    for kind in (LinearToZeroSchedule, WSDSchedule):
        more = {"decay_percent": 1.0, "tail": "linear"} if kind is WSDSchedule else {}
        assert values(kind(1.0, end=end, **more), 5, 7) == pytest.approx(expected)
    assert set(ENDS) == {"last", "after"}


def test_a_line_to_0_is_exactly_0_at_its_end_whatever_the_peak() -> None:
    for peak in (1.0, 0.3, 1e-3, 3e-4, 7.7e-5):
        for total_steps in (5, 7, 10, 49, 1000):
            last = LinearToZeroSchedule(peak, warmup_steps=3, end="last")
            after = LinearToZeroSchedule(peak, warmup_steps=3)
            assert last.get_value(total_steps - 1, total_steps) == 0.0
            assert after.get_value(total_steps, total_steps) == 0.0
            assert after.get_value(total_steps - 1, total_steps) > 0.0
            assert after.get_value(10 * total_steps, total_steps) == 0.0


def test_a_line_to_0_is_a_warm_up_and_a_line() -> None:
    schedule = LinearToZeroSchedule(1.0, warmup_steps=2)
    expected = [1 / 3, 2 / 3, *[1 - step / 8 for step in range(9)]]
    assert values(schedule, 10, 11) == pytest.approx(expected)
    same = WarmupDecaySchedule(1.0, warmup_steps=2, tail="linear")
    assert values(schedule, 10, 20) == values(same, 10, 20)


def test_a_decay_may_end_above_where_it_starts() -> None:
    schedule = WarmupDecaySchedule(0.5, tail="linear", end_value=1.0, end="last")
    assert values(schedule, 3) == [0.5, 0.75, 1.0]


@pytest.mark.parametrize("tail", SHAPES)
def test_a_tail_is_a_shape_with_its_power_and_bend(tail: str) -> None:
    schedule = WarmupDecaySchedule(
        2.0, warmup_steps=3, tail=tail, end_value=0.5, power=2.0, bend=1.5
    )
    expected = [descend(2.0, 0.5, (step / 8) ** 1.5, tail, 2.0) for step in range(9)]
    assert values(schedule, 11, 12)[3:] == pytest.approx(expected)


# ## Conventions
def cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


CLOSED_FORMS: dict[str, Callable[[int, int, int], float]] = {
    "noether": lambda t, w, n: (t + 1) / (w + 1) if t < w else cosine((t - w) / (n - 1 - w)),
    "torch": lambda t, w, n: t / w if t < w else cosine((t - w) / (n - w)),
    "torchtitan": lambda t, w, n: (t + 1) / w if t < w else cosine((t - w) / (n - w)),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_is_its_closed_form(name: str) -> None:
    for warmup, total_steps in ((4, 10), (1, 7), (30, 100)):
        schedule = WarmupDecaySchedule(1.0, warmup_steps=warmup, **CONVENTIONS[name])
        expected = [CLOSED_FORMS[name](t, warmup, total_steps) for t in range(total_steps)]
        assert values(schedule, total_steps) == pytest.approx(expected, abs=1e-15)


def test_every_convention_has_its_closed_form_here() -> None:
    assert set(CONVENTIONS) == set(CLOSED_FORMS)


# ## noether's warm-up and cosine
GOLDEN = "0.333333 0.666667 1 0.961940 0.853554 0.691342 0.500001 0.308659 0.146447 0.038061 1e-06"


@pytest.mark.parametrize("length", [{"warmup_steps": 2}, {"warmup_percent": 0.2}])
def test_the_golden_values_of_noether(length: dict[str, Any]) -> None:
    schedule = LinearWarmupCosineDecaySchedule(max_value=1.0, **length)
    assert values(schedule, 11) == pytest.approx([*map(float, GOLDEN.split())], abs=6e-7)
    assert schedule.get_value(10, 11) == 1e-6
    general = WarmupDecaySchedule(1.0, end_value=1e-6, warmup_steps=2, **CONVENTIONS["noether"])
    assert values(general, 11) == pytest.approx(values(schedule, 11), abs=1e-15)


def test_noethers_warm_up_from_above_0_begins_there() -> None:
    schedule = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=4, start_value=0.2, end_value=0.0)
    expected = [0.2 + 0.8 * t / 4 for t in range(4)] + [cosine(t / 6) for t in range(7)]
    assert values(schedule, 11) == pytest.approx(expected, abs=1e-15)


def test_noethers_end_is_that_of_the_prolonged_run() -> None:
    schedule = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=2, overhang_steps=5)
    short = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=2)
    assert values(schedule, 11) == values(short, 16, 11)


def test_noethers_end_may_be_moved_to_the_step_after_the_run() -> None:
    after = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=2, end_value=0.1, end="after")
    last = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=2, end_value=0.1)
    assert values(after, 11, 14) == values(last, 12, 14)
    assert after.get_value(10, 11) > after.get_value(11, 11) == 0.1


def test_noethers_warm_up_must_have_a_length_and_one_alone() -> None:
    with pytest.raises(ValueError, match=r"^warmup_steps or warmup_percent must be given$"):
        LinearWarmupCosineDecaySchedule(1.0)
    with pytest.raises(ValueError, match=r"^warmup_steps must be None when warmup_percent is"):
        LinearWarmupCosineDecaySchedule(1.0, warmup_steps=0, warmup_percent=0.1)
    with pytest.raises(ValueError, match=r"^warmup_percent must be .* <= 1, got 1.2$"):
        LinearWarmupCosineDecaySchedule(1.0, warmup_percent=1.2)
    with pytest.raises(ValueError, match=r"^end_value must be .* <= 1, got 1.5$"):
        LinearWarmupCosineDecaySchedule(1.0, warmup_steps=1, end_value=1.5)


def test_a_warm_up_is_also_a_constant_after_it() -> None:
    schedule = WarmupDecaySchedule(0.5, warmup_steps=3).over(3).then(ConstantSchedule(0.5), 3)
    assert values(schedule, count=6) == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5])

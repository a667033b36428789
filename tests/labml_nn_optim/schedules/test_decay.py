"""Step schedules and exponentials."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    ExponentialSchedule,
    InverseTimeSchedule,
    MultiStepSchedule,
    ScheduleBase,
    StepDecreasingSchedule,
    StepFixedSchedule,
    StepIntervalSchedule,
)
from tests.ids import repr_without_address
from tests.labml_nn_optim.schedules.examples import values


# ## Fractions of the run
def test_what_is_left_to_the_end_value_shrinks_after_every_interval() -> None:
    schedule = StepDecreasingSchedule(1.0, end_value=0.2, factor=0.5, decreases_interval=0.25)
    assert values(schedule, 8) == pytest.approx([1, 1, 0.6, 0.6, 0.4, 0.4, 0.3, 0.3])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_the_flags_shift_and_lengthen_the_count_of_intervals(first: bool, last: bool) -> None:
    schedule = StepDecreasingSchedule(
        1.0, factor=0.5, decreases_interval=0.25, exclude_first=first, exclude_last=last
    )
    points = 8 + first + last
    expected = [0.5 ** int(round((step + first) / points / 0.25, 10)) for step in range(8)]
    assert values(schedule, 8) == expected


def test_an_interval_is_over_on_its_step_where_floats_fall_short_of_it() -> None:
    assert 0.3 / 0.1 < 3
    interval = StepIntervalSchedule(factor=0.5, update_interval=0.1)
    decreasing = StepDecreasingSchedule(1.0, factor=0.5, decreases_interval=0.1)
    for schedule in (interval, decreasing):
        assert values(schedule, 10) == [0.5**step for step in range(10)]


def test_an_interval_need_not_fit_into_the_run() -> None:
    schedule = StepIntervalSchedule(start_value=2.0, factor=0.5, update_interval=0.4)
    assert values(schedule, 5) == [2, 2, 1, 1, 0.5]


def test_no_interval_ends_with_the_run() -> None:
    for schedule in (
        StepIntervalSchedule(factor=0.5, update_interval=0.25),
        StepDecreasingSchedule(1.0, factor=0.5, decreases_interval=0.25),
    ):
        assert [schedule.get_value(step, 8) for step in (7, 8, 9, 1000)] == [0.125] * 4


def test_fixed_steps_are_sorted_and_one_that_is_reached_counts() -> None:
    schedule = StepFixedSchedule(factor=0.1, steps=[0.75, 0.5, 0.9])
    expected = [1] * 10 + [0.1] * 5 + [0.01] * 3 + [0.001] * 2
    assert values(schedule, 20) == pytest.approx(expected)
    assert schedule.steps == (0.5, 0.75, 0.9)
    assert schedule.get_value(1000, 20) == pytest.approx(0.001)


def test_the_list_of_steps_that_was_given_keeps_its_order() -> None:
    steps = [0.75, 0.5]
    StepFixedSchedule(factor=0.1, steps=steps)
    assert steps == [0.75, 0.5]


def test_fixed_steps_may_go_up_and_two_at_once() -> None:
    schedule = StepFixedSchedule(factor=3.0, steps=[0.5, 0.5], start_value=0.1)
    assert values(schedule, 4) == pytest.approx([0.1, 0.1, 0.9, 0.9])


def test_a_factor_of_0_leaves_the_end_value() -> None:
    schedule = StepDecreasingSchedule(1.0, end_value=0.2, factor=0.0, decreases_interval=0.5)
    assert values(schedule, 4) == [1, 1, 0.2, 0.2]


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "message"),
    [
        (StepFixedSchedule, {"steps": []}, ValueError, "steps must be a list of at least one"),
        (StepFixedSchedule, {"steps": [0.0]}, ValueError, r"steps\[0\] must be .* > 0 and < 1"),
        (StepFixedSchedule, {"steps": [0.5, 1.0]}, ValueError, r"steps\[1\] must be"),
        (StepFixedSchedule, {"steps": 0.5}, TypeError, "steps must be a list of numbers"),
        (StepFixedSchedule, {"steps": ["0.5"]}, TypeError, r"steps\[0\] must be"),
        (StepFixedSchedule, {"factor": -0.1}, ValueError, "factor must be"),
        (StepFixedSchedule, {"start_value": -1.0}, ValueError, "start_value must be"),
        (StepIntervalSchedule, {"update_interval": 0.0}, ValueError, "update_interval must be"),
        (StepIntervalSchedule, {"update_interval": 1.0}, ValueError, "update_interval must be"),
        (StepIntervalSchedule, {"factor": -1.0}, ValueError, "factor must be"),
        (StepIntervalSchedule, {"start_value": -1.0}, ValueError, "start_value must be"),
        (StepDecreasingSchedule, {"decreases_interval": 0}, ValueError, "decreases_interval must"),
        (StepDecreasingSchedule, {"decreases_interval": 1}, ValueError, "decreases_interval must"),
        (StepDecreasingSchedule, {"factor": 1.5}, ValueError, "factor must be"),
        (StepDecreasingSchedule, {"end_value": 2.0}, ValueError, "end_value must be at most max"),
    ],
)
def test_a_bad_argument_of_a_step_schedule_is_named(
    kind: type[ScheduleBase], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    allowed: dict[type[ScheduleBase], dict[str, Any]] = {
        StepFixedSchedule: {"steps": [0.5]},
        StepIntervalSchedule: {"update_interval": 0.5},
        StepDecreasingSchedule: {"max_value": 1.0, "decreases_interval": 0.5},
    }
    kind(**{"factor": 0.5} | allowed[kind])
    with pytest.raises(error, match=f"^{message}"):
        kind(**{"factor": 0.5} | allowed[kind] | arguments)


# ## Steps
def test_milestones_multiply_from_their_own_step_on() -> None:
    schedule = MultiStepSchedule(1.0, 0.1, [3, 5])
    assert values(schedule, count=7) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert MultiStepSchedule(0.5).get_value(1000) == 0.5
    assert MultiStepSchedule(0.5, milestones=[1]) == MultiStepSchedule(0.5, 0.1, [1])


@pytest.mark.parametrize("milestones", [[5, 3], [3, 3]])
def test_milestones_rise(milestones: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"^milestones must rise, got \[{milestones[0]}, 3\]$"):
        MultiStepSchedule(1.0, 0.1, milestones)


@pytest.mark.parametrize(
    ("milestones", "error", "message"),
    [
        (5, TypeError, "milestones must be a list of steps, got 5"),
        ("35", TypeError, "milestones must be a list of steps, got '35'"),
        ([3.0], TypeError, r"milestones\[0\] must be a whole number >= 0, got 3.0"),
        ([0, -1], ValueError, r"milestones\[1\] must be a whole number >= 0, got -1"),
    ],
)
def test_a_bad_milestone_is_named(milestones: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        MultiStepSchedule(1.0, 0.1, milestones)


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (ExponentialSchedule(2.0, 0.5), lambda t: 2 * 0.5**t),
        (ExponentialSchedule(2.0, 0.5, 4), lambda t: 2 * 0.5 ** (t / 4)),
        (ExponentialSchedule(2.0, 0.5, 4, staircase=True), lambda t: 2 * 0.5 ** (t // 4)),
        (ExponentialSchedule(2.0, 0.5, end_value=0.3), lambda t: max(0.3, 2 * 0.5**t)),
        (ExponentialSchedule(0.1, 1.1), lambda t: 0.1 * 1.1**t),
        (ExponentialSchedule(2.0, 0.0), lambda t: 2.0 * (t == 0)),
        (InverseTimeSchedule(2.0, 0.5), lambda t: 2 / (1 + 0.5 * t)),
        (InverseTimeSchedule(2.0, 0.5, 4), lambda t: 2 / (1 + 0.5 * t / 4)),
        (InverseTimeSchedule(2.0, 0.5, 4, 2.0), lambda t: 2 / (1 + 0.5 * t * t / 4)),
        (InverseTimeSchedule(2.0, 0.5, 4, 0.5), lambda t: 2 / (1 + 0.5 * math.sqrt(t) / 4)),
        (
            InverseTimeSchedule(2.0, 0.5, 4, 2.0, staircase=True),
            lambda t: 2 / (1 + 0.5 * (t * t // 4)),
        ),
    ],
    ids=repr_without_address,
)
def test_a_decay_without_end_is_its_formula(
    schedule: ScheduleBase, formula: Callable[[int], float]
) -> None:
    assert not schedule.needs_total_steps
    assert values(schedule, count=20) == pytest.approx([formula(step) for step in range(20)])


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ExponentialSchedule, {"start_value": -1.0}),
        (ExponentialSchedule, {"factor": -0.5}),
        (ExponentialSchedule, {"steps": 0}),
        (ExponentialSchedule, {"end_value": -1.0}),
        (MultiStepSchedule, {"start_value": -1.0}),
        (MultiStepSchedule, {"factor": -0.5}),
        (InverseTimeSchedule, {"start_value": -1.0}),
        (InverseTimeSchedule, {"factor": -0.5}),
        (InverseTimeSchedule, {"steps": 0.0}),
        (InverseTimeSchedule, {"exponent": 0.0}),
    ],
)
def test_a_bad_argument_of_an_exponential_is_named(
    kind: type[ScheduleBase], arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(arguments))} must be a finite number >"):
        kind(**{"start_value": 1.0, "factor": 0.5} | arguments)


@pytest.mark.parametrize("kind", [ExponentialSchedule, InverseTimeSchedule])
def test_a_staircase_is_a_flag(kind: type[ScheduleBase]) -> None:
    with pytest.raises(TypeError, match=r"^staircase must be True or False, got 1$"):
        kind(1.0, 0.5, staircase=1)

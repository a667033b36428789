"""Constants, tables, pieces and functions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    ConstantSchedule,
    CustomSchedule,
    FunctionSchedule,
    InterpolationSchedule,
    PiecewiseConstantSchedule,
    RampSchedule,
    ScheduleBase,
)
from tests.labml_nn_optim.schedules.examples import values


def test_a_constant_is_the_same_in_every_step_of_every_run() -> None:
    schedule = ConstantSchedule(0.1)
    assert {schedule.get_value(step, total) for step in (0, 3, 99) for total in (1, 10, None)} == {
        0.1
    }
    assert ConstantSchedule(-0.5).get_value(3) == -0.5


def test_listed_values_are_taken_in_turn_and_the_last_one_holds() -> None:
    schedule = CustomSchedule([0.1, 0.5, -0.2])
    assert values(schedule, 2, 6) == values(schedule, None, 6) == [0.1, 0.5, -0.2, -0.2, -0.2, -0.2]
    assert schedule.get_value(1.9) == 0.5


def test_a_list_that_is_changed_later_changes_no_schedule() -> None:
    listed = [0.1, 0.5]
    schedule = CustomSchedule(listed)
    listed[0] = 7.0
    assert schedule.get_value(0) == 0.1
    assert schedule == CustomSchedule((0.1, 0.5))


def test_pieces_change_on_their_milestones() -> None:
    schedule = PiecewiseConstantSchedule([0.1, 0.5, 0.2], [2, 3])
    assert values(schedule, count=6) == [0.1, 0.1, 0.5, 0.2, 0.2, 0.2]
    assert schedule.get_value(2.999) == 0.5
    assert PiecewiseConstantSchedule([0.3], []).get_value(100) == 0.3


@pytest.mark.parametrize("milestones", [[], [2], [2, 3, 4]])
def test_there_is_one_piece_more_than_milestones(milestones: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^milestones must be 2 steps, got \["):
        PiecewiseConstantSchedule([0.1, 0.5, 0.2], milestones)


def test_points_are_met_and_joined_by_lines_and_the_ends_hold() -> None:
    schedule = InterpolationSchedule([2, 4, 8], [1.0, 0.5, 0.9])
    expected = [1, 1, 1, 0.75, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9]
    assert values(schedule, count=11) == pytest.approx(expected)
    assert schedule.get_value(2.5) == pytest.approx(0.875)


def test_points_that_are_changed_later_change_no_schedule() -> None:
    steps, listed = [0, 4], [1.0, 0.5]
    schedule = InterpolationSchedule(steps, listed)
    steps[1], listed[0] = 2, 7.0
    assert values(schedule, count=5) == [1, 0.875, 0.75, 0.625, 0.5]
    assert hash(schedule) == hash(InterpolationSchedule((0, 4), (1.0, 0.5)))


@pytest.mark.parametrize("shape", ["cosine", "1-sqrt", "exponential"])
def test_points_are_joined_by_any_shape(shape: str) -> None:
    schedule = InterpolationSchedule([0, 4, 10], [1.0, 0.2, 0.6], shape)
    first = values(RampSchedule(1.0, 0.2, shape), 5)
    second = values(RampSchedule(0.2, 0.6, shape), 7)
    assert values(schedule, count=11) == pytest.approx([*first, *second[1:]])


def test_one_point_is_a_constant() -> None:
    assert values(InterpolationSchedule([3], [0.5]), count=6) == [0.5] * 6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": [0, 4]}, ValueError, r"steps must be 3 steps, got \[0, 4\]"),
        ({"steps": [0, 4, 4]}, ValueError, r"steps must rise, got \[0, 4, 4\]"),
        ({"steps": [0, 4, 8.5]}, TypeError, r"steps\[2\] must be a whole number >= 0, got 8.5"),
        ({"values": [1.0, -0.5, 0.9]}, ValueError, r"values\[1\] must be a finite number >= 0"),
        ({"values": []}, ValueError, r"values must be a list of at least one number, got \[\]"),
        ({"shape": "spline"}, ValueError, "shape must be one of linear, .*, got 'spline'"),
        ({"shape": "inverse", "values": [1.0, 0.5, 0.0]}, ValueError, "shape from 0.5 to 0.0"),
    ],
)
def test_a_bad_argument_of_an_interpolation_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        InterpolationSchedule(**{"steps": [0, 4, 8], "values": [1.0, 0.5, 0.9]} | arguments)


@pytest.mark.parametrize(
    ("kind", "value", "error", "message"),
    [
        (ConstantSchedule, "fast", TypeError, "value must be a finite number, got 'fast'"),
        (ConstantSchedule, None, TypeError, "value must be a finite number, got None"),
        (ConstantSchedule, True, TypeError, "value must be a finite number, got True"),
        (ConstantSchedule, math.inf, ValueError, "value must be a finite number, got inf"),
        (CustomSchedule, [], ValueError, "values must be a list of at least one number"),
        (CustomSchedule, 0.1, TypeError, "values must be a list of numbers, got 0.1"),
        (CustomSchedule, "0.1", TypeError, "values must be a list of numbers, got '0.1'"),
        (CustomSchedule, [0.1, math.nan], ValueError, r"values\[1\] must be a finite number"),
        (FunctionSchedule, 0.1, TypeError, "function must be callable, got 0.1"),
    ],
)
def test_a_bad_value_is_named(
    kind: type[ScheduleBase], value: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        kind(value)


def test_a_function_of_the_step_is_a_schedule() -> None:
    schedule = FunctionSchedule(lambda step: 1 / (1 + step))
    assert values(schedule, count=3) == [1, 0.5, 1 / 3]
    assert not schedule.needs_total_steps
    assert FunctionSchedule(abs) == FunctionSchedule(abs) != FunctionSchedule(math.sqrt)


def test_a_function_that_returns_no_finite_number_is_refused_at_the_step() -> None:
    schedule = FunctionSchedule(lambda step: math.inf if step == 2 else 0.5)
    assert schedule.get_value(1) == 0.5
    with pytest.raises(ValueError, match=r"^function must return a finite .* got inf at step 2$"):
        schedule.get_value(2)

"""Schedules made of schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    ClippedSchedule,
    ConstantSchedule,
    CosineDecreasingSchedule,
    CustomSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    MultiStepSchedule,
    ProductSchedule,
    RepeatedSchedule,
    ScaledSchedule,
    ScheduleBase,
    SequenceSchedule,
    SpanSchedule,
    WSDSchedule,
)
from tests.labml_nn_optim.schedules.examples import values

DOWN = LinearDecreasingSchedule(max_value=1.0)
UP = LinearIncreasingSchedule(max_value=1.0)
ONE = ConstantSchedule(1.0)
COUNT = CustomSchedule([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])


# ## One after the other
def test_each_schedule_counts_from_its_own_beginning_up_to_the_next() -> None:
    schedule = SequenceSchedule([UP, DOWN, COUNT], [3, 7])
    expected = [0, 1 / 2, 1, 1, 2 / 3, 1 / 3, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert values(schedule, 10, len(expected)) == pytest.approx(expected)


def test_the_last_schedule_has_the_rest_of_the_run_and_holds_its_end() -> None:
    for total_steps in (7, 11, 25):
        schedule = ONE.then(DOWN, 5)
        rest = values(DOWN, total_steps - 5)
        assert values(schedule, total_steps) == [1.0] * 5 + rest
        assert values(schedule, total_steps, total_steps + 9)[total_steps:] == [rest[-1]] * 9


def test_the_golden_sequence_of_cerebras() -> None:
    line = LinearIncreasingSchedule(1.0, exclude_last=True)
    cosine = CosineDecreasingSchedule(1.0, exclude_last=True)
    schedule = line.then(cosine, 3).then(ConstantSchedule(0.05), 7)
    expected = [0, 0.3333, 0.6667, 1, 0.85355, 0.5, 0.14645, 0.05, 0.05]
    assert values(schedule, count=9) == pytest.approx(expected, abs=5e-5)


def test_a_milestone_at_0_leaves_the_first_schedule_out() -> None:
    assert values(ONE.then(DOWN, 0), 5) == values(DOWN, 5)


def test_a_schedule_that_begins_at_or_after_the_end_of_the_run_has_a_run_of_one_step() -> None:
    for milestone in (4, 6):
        schedule = ONE.then(ConstantSchedule(0.5) * DOWN, milestone)
        expected = [1.0] * milestone + [0.5] + [0.0] * (9 - milestone)
        assert values(schedule, 4, 10) == expected


def test_fractions_are_rounded_to_the_nearest_step_of_the_run() -> None:
    parts = [ConstantSchedule(float(number)) for number in range(3)]
    schedule = SequenceSchedule(parts, fractions=[0.25, 0.5])
    for total_steps, milestones in {10: [2, 5], 11: [3, 6], 100: [25, 50], 1: [0, 0]}.items():
        found = values(schedule, total_steps, 120)
        first, second = milestones
        assert found == [0] * first + [1] * (second - first) + [2] * (120 - second)


def test_fractions_that_fall_on_the_same_step_skip_what_lies_between() -> None:
    schedule = SequenceSchedule([UP, UP, DOWN], fractions=[0.5, 0.51])
    assert values(schedule, 4) == [0, 1, 1, 0]


def test_a_sequence_needs_the_length_of_the_run_for_its_last_schedule_or_its_fractions() -> None:
    assert not DOWN.then(COUNT, 4).needs_total_steps
    assert values(DOWN.then(COUNT, 4), count=6) == pytest.approx([1, 2 / 3, 1 / 3, 0, 0, 1])
    assert COUNT.then(DOWN, 4).needs_total_steps
    assert SequenceSchedule([ONE, ONE], fractions=[0.5]).needs_total_steps
    assert not SequenceSchedule([ONE], fractions=[]).needs_total_steps
    with pytest.raises(ValueError, match=r"^total_steps must be given for SequenceSchedule, got N"):
        COUNT.then(DOWN, 4).get_value(0)


def test_a_warm_up_that_is_longer_than_its_part_is_refused() -> None:
    schedule = WSDSchedule(1.0, warmup_steps=6).then(ONE, 5)
    with pytest.raises(ValueError, match=r"^warmup_steps must be at most total_steps, 5, got 6$"):
        schedule.get_value(0, 100)


def test_nesting_changes_no_value() -> None:
    flat = SequenceSchedule([UP, DOWN, COUNT, DOWN], [3, 7, 9])
    left = UP.then(DOWN, 3).then(COUNT, 7).then(DOWN, 9)
    right = UP.then(DOWN.then(COUNT.then(DOWN, 2), 4), 3)
    expected = values(flat, 14, 20)
    for nested in (left, right, SequenceSchedule([left], []), SequenceSchedule([right], [])):
        assert values(nested, 14, 20) == expected


def test_the_lists_that_were_given_are_copied() -> None:
    schedules, milestones = [UP, DOWN], [3]
    schedule = SequenceSchedule(schedules, milestones)
    before = values(schedule, 10)
    schedules.reverse()
    milestones[0] = 7
    assert values(schedule, 10) == before


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SequenceSchedule([], []), ValueError, "schedules must be a list of at least one"),
        (lambda: SequenceSchedule(UP, []), TypeError, "schedules must be a list of schedules, got"),
        (lambda: SequenceSchedule("ab", [1]), TypeError, "schedules must be a list of schedules"),
        (lambda: SequenceSchedule([UP, 1], [1]), TypeError, r"schedules\[1\] must be a schedule"),
        (lambda: SequenceSchedule([UP, UP]), ValueError, "milestones or fractions must be given"),
        (
            lambda: SequenceSchedule([UP, UP], [1], fractions=[0.1]),
            ValueError,
            "milestones or fractions must be given, and not both$",
        ),
        (lambda: SequenceSchedule([UP, UP], []), ValueError, "milestones must be 1 steps, got"),
        (lambda: SequenceSchedule([UP, UP], [1, 2]), ValueError, "milestones must be 1 steps, got"),
        (lambda: SequenceSchedule([UP] * 3, [4, 2]), ValueError, "milestones must rise, got"),
        (lambda: SequenceSchedule([UP] * 3, [4, 4]), ValueError, "milestones must rise, got"),
        (lambda: UP.then(UP, 1.0), TypeError, r"milestones\[0\] must be a whole number >= 0, got"),
        (lambda: UP.then(UP, -1), ValueError, r"milestones\[0\] must be a whole number >= 0, got"),
        (lambda: UP.then(1.0, 3), TypeError, r"schedules\[1\] must be a schedule, got 1.0"),
        (
            lambda: SequenceSchedule([UP] * 3, fractions=[0.5, 0.5]),
            ValueError,
            r"fractions must be 2 rising numbers, got \[0.5, 0.5\]$",
        ),
        (
            lambda: SequenceSchedule([UP] * 2, fractions=[0.1, 0.2]),
            ValueError,
            "fractions must be 1 rising numbers",
        ),
        (
            lambda: SequenceSchedule([UP] * 2, fractions=[1.1]),
            ValueError,
            r"fractions\[0\] must be .* <= 1, got 1.1$",
        ),
        (
            lambda: SequenceSchedule([UP] * 2, fractions=0.5),
            TypeError,
            "fractions must be a list of numbers, got 0.5$",
        ),
    ],
)
def test_a_sequence_that_cannot_be_is_refused_in_one_line(
    make: Callable[[], ScheduleBase], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


# ## Products, factors and bounds
def test_a_product_multiplies_values_that_have_the_same_step_and_run() -> None:
    product = ProductSchedule([DOWN, UP, ConstantSchedule(4.0)])
    found = values(product, 11)
    assert found == pytest.approx([4 * (1 - t / 10) * t / 10 for t in range(11)])
    assert values(DOWN * UP * ConstantSchedule(4.0), 11) == pytest.approx(found)
    assert ProductSchedule((DOWN, UP)) == DOWN * UP


def test_only_a_schedule_is_multiplied_by_a_schedule() -> None:
    # A schedule is multiplied by a number with scale.
    with pytest.raises(TypeError, match=r"^unsupported operand"):
        DOWN * 2.0


def test_a_product_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^schedules must be a list of at least one schedule"):
        ProductSchedule([])


def test_a_factor_may_be_below_0() -> None:
    assert values(DOWN.scale(3.0), 4) == pytest.approx([3, 2, 1, 0])
    assert values(ONE.scale(-0.5), count=2) == [-0.5, -0.5]
    assert DOWN.scale(3.0) == ScaledSchedule(DOWN, 3.0)


def test_factors_and_bounds_are_finite_numbers() -> None:
    for bad, error in ((math.nan, ValueError), (math.inf, ValueError), ("2", TypeError)):
        with pytest.raises(error, match=r"^factor must be a finite number, got"):
            DOWN.scale(bad)
        with pytest.raises(error, match=r"^low must be a finite number, got"):
            DOWN.clip(low=bad)
        with pytest.raises(error, match=r"^high must be a finite number, got"):
            DOWN.clip(high=bad)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"low": 0.3}, [1, 0.75, 0.5, 0.3, 0.3]),
        ({"high": 0.6}, [0.6, 0.6, 0.5, 0.25, 0]),
        ({"low": 0.3, "high": 0.6}, [0.6, 0.6, 0.5, 0.3, 0.3]),
        ({"low": 0.4, "high": 0.4}, [0.4] * 5),
        ({}, [1, 0.75, 0.5, 0.25, 0]),
    ],
)
def test_values_are_held_between_bounds(bounds: dict[str, float], expected: list[float]) -> None:
    assert values(DOWN.clip(**bounds), 5) == pytest.approx(expected)
    assert DOWN.clip(**bounds) == ClippedSchedule(DOWN, **bounds)


def test_a_low_bound_above_the_high_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^low must be at most high, 0.3, got 0.5$"):
        DOWN.clip(0.5, 0.3)


# ## Runs of their own
def test_a_span_is_a_run_of_its_own_and_holds_after_it() -> None:
    schedule = DOWN.over(5)
    assert schedule == SpanSchedule(DOWN, 5)
    assert not schedule.needs_total_steps
    expected = [1, 0.75, 0.5, 0.25, 0, 0, 0, 0]
    for total_steps in (None, 3, 5, 100):
        assert values(schedule, total_steps, 8) == pytest.approx(expected)


def test_a_repeated_schedule_begins_again() -> None:
    schedule = RepeatedSchedule(DOWN, 3)
    for total_steps in (None, 3, 100):
        assert values(schedule, total_steps, 10) == [1, 0.5, 0, 1, 0.5, 0, 1, 0.5, 0, 1]
    once = RepeatedSchedule(MultiStepSchedule(1.0, 0.5, [2]), 3)
    assert values(once, count=7) == [1, 1, 0.5, 1, 1, 0.5, 1]


@pytest.mark.parametrize("steps", [0, -1])
def test_a_span_has_a_step(steps: int) -> None:
    for kind in (SpanSchedule, RepeatedSchedule):
        with pytest.raises(ValueError, match=rf"^steps must be a whole number >= 1, got {steps}$"):
            kind(DOWN, steps)


@pytest.mark.parametrize(
    ("wrap", "needs"),
    [
        (lambda schedule: schedule.scale(2.0), True),
        (lambda schedule: schedule.clip(0.1), True),
        (lambda schedule: schedule * ONE, True),
        (lambda schedule: ONE * schedule, True),
        (lambda schedule: schedule.over(3), False),
        (lambda schedule: RepeatedSchedule(schedule, 3), False),
    ],
)
def test_a_wrapper_needs_the_length_of_the_run_where_what_is_in_it_does(
    wrap: Callable[[ScheduleBase], ScheduleBase], needs: bool
) -> None:
    assert wrap(DOWN).needs_total_steps is needs
    assert not wrap(COUNT).needs_total_steps
    wrap(COUNT).get_value(3)


@pytest.mark.parametrize(
    ("wrap", "where"),
    [
        (lambda schedule: schedule.scale(2.0), "schedule"),
        (lambda schedule: schedule.over(2), "schedule"),
        (lambda schedule: schedule.start_decay(2, 2), "schedule"),
        (lambda schedule: ONE * schedule, r"schedules\[1\]"),
        (lambda schedule: schedule.then(ONE, 3), r"schedules\[0\]"),
    ],
)
def test_only_the_outermost_schedule_changes_once_an_epoch(
    wrap: Callable[[ScheduleBase], Any], where: str
) -> None:
    message = rf"^interval must be given to the outermost schedule, got 'epoch' in {where}$"
    with pytest.raises(ValueError, match=message):
        wrap(LinearDecreasingSchedule(max_value=1.0, interval="epoch"))


@pytest.mark.parametrize("kind", [ScaledSchedule, SpanSchedule, RepeatedSchedule])
def test_what_is_wrapped_is_a_schedule(kind: type[ScheduleBase]) -> None:
    with pytest.raises(TypeError, match=r"^schedule must be a schedule, got 0.5$"):
        kind(0.5, 2)


def test_a_window_and_an_overhang_hold_for_a_combination_as_for_one_schedule() -> None:
    combined = SequenceSchedule([UP, DOWN], [3], start_step=2, end_step=9)
    plain = values(SequenceSchedule([UP, DOWN], [3]), 7)
    assert values(combined, 20, 12) == [plain[0]] * 2 + plain + [plain[-1]] * 3
    longer = ScaledSchedule(DOWN, 2.0, overhang_steps=5)
    assert values(longer, 6) == values(DOWN.scale(2.0), 11, 6)

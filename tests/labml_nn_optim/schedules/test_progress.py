"""Lines, cosines and powers, and what leaving out their first or last point does."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from labml_nn_optim.schedules import (
    CosineDecreasingSchedule,
    CosineIncreasingSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    PolynomialDecreasingSchedule,
    PolynomialIncreasingSchedule,
    ProgressSchedule,
    cosine,
    linear,
    polynomial,
)
from tests.labml_nn_optim.schedules.examples import values

FALLING = [LinearDecreasingSchedule, CosineDecreasingSchedule, PolynomialDecreasingSchedule]
RISING = [LinearIncreasingSchedule, CosineIncreasingSchedule, PolynomialIncreasingSchedule]
EXCLUDED = [(first, last) for first in (False, True) for last in (False, True)]


# ## Functions
@pytest.mark.parametrize(
    ("function", "quarter"),
    [
        (linear, 0.25),
        (cosine, (1 - math.cos(math.pi / 4)) / 2),
        (polynomial, 0.25),
        (lambda step, points: polynomial(step, points, 2.0), 1 - 0.75**2),
        (lambda step, points: polynomial(step, points, 0.5), 1 - math.sqrt(0.75)),
    ],
)
def test_a_progress_goes_from_0_to_1_at_the_last_point_and_stays(
    function: Callable[[float, float], float], quarter: float
) -> None:
    assert function(0, 9) == 0
    assert function(2, 9) == pytest.approx(quarter, abs=1e-15)
    assert [function(step, 9) for step in (8, 9, 16, 17, 999)] == [1] * 5


def test_a_run_of_one_point_is_at_its_beginning() -> None:
    for function in (linear, cosine, polynomial):
        assert function(0, 1) == 0


# ## Leaving out points
@pytest.mark.parametrize("total_steps", [1, 2, 3, 10, 11])
@pytest.mark.parametrize(
    ("first", "last", "closed_form"),
    [
        (False, False, lambda t, total: t / max(1, total - 1)),
        (False, True, lambda t, total: t / total),
        (True, False, lambda t, total: (t + 1) / total),
        (True, True, lambda t, total: (t + 1) / (total + 1)),
    ],
)
def test_a_line_without_its_first_or_last_point_has_a_closed_form(
    first: bool, last: bool, closed_form: Callable[[int, int], float], total_steps: int
) -> None:
    flags = {"exclude_first": first, "exclude_last": last}
    up = LinearIncreasingSchedule(max_value=0.9, start_value=0.1, **flags)
    down = LinearDecreasingSchedule(max_value=0.9, end_value=0.1, **flags)
    expected = [closed_form(step, total_steps) for step in range(total_steps)]
    assert values(up, total_steps) == pytest.approx([0.1 + 0.8 * each for each in expected])
    assert values(down, total_steps) == pytest.approx([0.9 - 0.8 * each for each in expected])


@pytest.mark.parametrize(("first", "last"), EXCLUDED)
@pytest.mark.parametrize("kind", [*FALLING, *RISING])
def test_what_is_left_is_a_part_of_a_longer_schedule(
    kind: type[ProgressSchedule], first: bool, last: bool
) -> None:
    whole = values(kind(max_value=1.0), 7 + first + last)
    part = values(kind(max_value=1.0, exclude_first=first, exclude_last=last), 7)
    assert part == whole[int(first) : len(whole) - last]


def test_a_schedule_without_its_last_point_comes_to_it_after_the_run() -> None:
    schedule = LinearDecreasingSchedule(max_value=1.0, end_value=0.2, exclude_last=True)
    assert values(schedule, 4, 8) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2, 0.2])


@pytest.mark.parametrize("flag", ["exclude_first", "exclude_last"])
def test_a_flag_is_true_or_false(flag: str) -> None:
    with pytest.raises(TypeError, match=rf"^{flag} must be True or False, got 1$"):
        LinearDecreasingSchedule(max_value=1.0, **{flag: 1})


# ## Ends
@pytest.mark.parametrize("kind", FALLING)
def test_a_falling_schedule_meets_both_its_ends_exactly(kind: type[ProgressSchedule]) -> None:
    found = values(kind(max_value=0.3, end_value=0.1), 7)
    assert (found[0], found[-1]) == (0.3, 0.1)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("kind", RISING)
def test_a_rising_schedule_meets_both_its_ends_exactly(kind: type[ProgressSchedule]) -> None:
    found = values(kind(max_value=0.3, start_value=0.1), 7)
    assert (found[0], found[-1]) == (0.1, 0.3)
    assert found == sorted(found)


@pytest.mark.parametrize("kind", FALLING)
def test_a_run_of_one_step_has_the_first_value_of_a_falling_schedule(
    kind: type[ProgressSchedule],
) -> None:
    assert kind(max_value=0.3, end_value=0.1).get_value(0, 1) == 0.3


@pytest.mark.parametrize("kind", RISING)
def test_a_run_of_one_step_has_the_first_value_of_a_rising_schedule(
    kind: type[ProgressSchedule],
) -> None:
    assert kind(max_value=0.3, start_value=0.1).get_value(0, 1) == 0.1


@pytest.mark.parametrize("kind", FALLING)
def test_an_end_above_the_start_is_refused_going_down(kind: type[ProgressSchedule]) -> None:
    with pytest.raises(ValueError, match=r"^end_value must be at most max_value, 0\.1, got 0\.3$"):
        kind(max_value=0.1, end_value=0.3)


@pytest.mark.parametrize("kind", RISING)
def test_a_start_above_the_end_is_refused_going_up(kind: type[ProgressSchedule]) -> None:
    message = r"^start_value must be at most max_value, 0\.1, got 0\.3$"
    with pytest.raises(ValueError, match=message):
        kind(max_value=0.1, start_value=0.3)


@pytest.mark.parametrize("kind", [*FALLING, *RISING])
@pytest.mark.parametrize(
    ("value", "error"), [(None, TypeError), (-0.1, ValueError), (math.nan, ValueError)]
)
def test_a_bad_peak_is_named(
    kind: type[ProgressSchedule], value: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=rf"^max_value must be a finite number >= 0, got {value}$"):
        kind(max_value=value)


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_a_bad_end_or_start_is_named(value: float) -> None:
    message = rf"_value must be a finite number >= 0, got {value}$"
    for down in FALLING:
        with pytest.raises(ValueError, match=f"^end{message}"):
            down(max_value=1.0, end_value=value)
    for up in RISING:
        with pytest.raises(ValueError, match=f"^start{message}"):
            up(max_value=1.0, start_value=value)


# ## Powers
def test_a_rising_power_is_steep_at_first_and_flat_at_the_end() -> None:
    schedule = PolynomialIncreasingSchedule(max_value=1.0, power=2.0)
    expected = [0, 0.19, 0.36, 0.51, 0.64, 0.75, 0.84, 0.91, 0.96, 0.99, 1]
    assert values(schedule, 11) == pytest.approx(expected)


def test_a_falling_power_is_the_rising_one_upside_down() -> None:
    for power in (0.5, 2.0, 3.0):
        up = values(PolynomialIncreasingSchedule(max_value=1.0, power=power), 11)
        down = values(PolynomialDecreasingSchedule(max_value=1.0, power=power), 11)
        assert down == pytest.approx([1 - value for value in up])


def test_a_power_of_1_is_the_line() -> None:
    line = values(LinearDecreasingSchedule(max_value=1.0), 11)
    assert values(PolynomialDecreasingSchedule(max_value=1.0), 11) == pytest.approx(line)


@pytest.mark.parametrize("kind", [PolynomialDecreasingSchedule, PolynomialIncreasingSchedule])
@pytest.mark.parametrize("power", [0, -1.0, math.inf])
def test_a_power_is_above_0(kind: type[ProgressSchedule], power: float) -> None:
    with pytest.raises(ValueError, match=r"^power must be a finite number > 0, got"):
        kind(max_value=1.0, power=power)

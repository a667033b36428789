"""Powers of time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labml_nn_optim.schedules import InverseSqrtSchedule, PowerSchedule
from tests.labml_nn_optim.schedules.examples import values


@pytest.mark.parametrize("exponent", [0.0, -0.3, -0.51, -1.0, -2.0])
def test_after_the_warm_up_the_value_is_a_power_of_the_step(exponent: float) -> None:
    schedule = PowerSchedule(0.5, warmup_steps=4, exponent=exponent)
    found = values(schedule, count=40)
    assert found[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert found[4] == 0.5
    assert found[4:] == pytest.approx([0.5 * (t / 4) ** exponent for t in range(4, 40)])


def test_the_exponents_that_are_not_given() -> None:
    assert PowerSchedule(1.0).exponent == -0.51
    assert InverseSqrtSchedule(1.0).exponent == -0.5


def test_the_inverse_root_is_the_formula_of_the_transformer() -> None:
    schedule = InverseSqrtSchedule(0.3, warmup_steps=10, warmup_start="t/W")
    expected = [0.3 * min(t / 10, math.sqrt(10 / t) if t else 0) for t in range(200)]
    assert values(schedule, count=200) == pytest.approx(expected)


def test_without_a_warm_up_time_is_counted_from_1() -> None:
    assert values(InverseSqrtSchedule(1.0), count=9) == pytest.approx(
        [1 / math.sqrt(t + 1) for t in range(9)]
    )


@pytest.mark.parametrize("warmup", [0, 3])
def test_with_a_timescale_the_power_starts_there(warmup: int) -> None:
    schedule = PowerSchedule(1.0, warmup_steps=warmup, exponent=-1.0, timescale=8.5)
    expected = [8.5 / (t + 8.5) for t in range(30)]
    assert values(schedule, count=30 + warmup)[warmup:] == pytest.approx(expected)


def test_without_a_decay_the_length_of_the_run_does_not_matter() -> None:
    for kind in (PowerSchedule, InverseSqrtSchedule):
        schedule = kind(1.0, warmup_steps=3)
        assert not schedule.needs_total_steps
        assert values(schedule, 10, 50) == values(schedule, 1000, 50) == values(schedule, count=50)
        for more in ({"decay_steps": 4}, {"decay_percent": 0.1}):
            assert kind(1.0, warmup_steps=3, **more).needs_total_steps
    assert PowerSchedule(1.0, warmup_percent=0.1).needs_total_steps


def test_a_decay_goes_down_from_the_value_at_its_start() -> None:
    schedule = PowerSchedule(1.0, warmup_steps=2, exponent=-1.0, decay_steps=4, end_value=0.1)
    plain = PowerSchedule(1.0, warmup_steps=2, exponent=-1.0)
    # It begins at step 8, where the value is a quarter.
    assert values(schedule, 12)[:9] == values(plain, count=9)
    assert plain.get_value(8) == pytest.approx(0.25)
    down = [0.25 - 0.15 * step / 4 for step in range(5)]
    assert values(schedule, 12, 14)[8:] == pytest.approx([*down, 0.1])
    assert schedule.get_value(12, 12) == schedule.get_value(99, 12) == 0.1


def test_a_decay_has_any_shape_and_length() -> None:
    schedule = InverseSqrtSchedule(1.0, decay_percent=0.5, tail="1-sqrt")
    assert schedule.get_value(10, 20) == pytest.approx(11**-0.5)
    assert schedule.get_value(15, 20) == pytest.approx(11**-0.5 * (1 - math.sqrt(0.5)))
    assert schedule.get_value(20, 20) == 0
    with pytest.raises(ValueError, match=r"^decay_steps must be at most the 5 steps after the w"):
        PowerSchedule(1.0, warmup_steps=5, decay_steps=6).get_value(0, 10)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"exponent": 0.5}, ValueError, "exponent must be a finite number <= 0, got 0.5"),
        ({"exponent": -math.inf}, ValueError, "exponent must be a finite number <= 0, got -inf"),
        ({"exponent": "-1"}, TypeError, "exponent must be a finite number <= 0, got '-1'"),
        ({"timescale": 0.0}, ValueError, "timescale must be a finite number > 0, got 0.0"),
        ({"timescale": -1}, ValueError, "timescale must be a finite number > 0, got -1.0"),
        ({"max_value": -1.0}, ValueError, "max_value must be a finite number >= 0, got -1.0"),
    ],
)
def test_a_bad_argument_of_a_power_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    for kind in (PowerSchedule, InverseSqrtSchedule):
        with pytest.raises(error, match=f"^{message}$"):
            kind(**{"max_value": 1.0} | arguments)

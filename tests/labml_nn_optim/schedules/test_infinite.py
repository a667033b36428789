"""Rates that hold for as long as the data last, and a decay from wherever they are."""

from __future__ import annotations

from typing import Any

import pytest

from labml_nn_optim.schedules import (
    MEANS,
    SHAPES,
    ConstantSchedule,
    CooldownSchedule,
    InfiniteSchedule,
    InverseSqrtSchedule,
    LinearDecreasingSchedule,
    LinearToZeroSchedule,
    RampSchedule,
    WSDSchedule,
)
from tests.labml_nn_optim.schedules.examples import values


def endless(**arguments: Any) -> InfiniteSchedule:
    lengths = {"warmup_steps": 2, "cooldown_steps": 4, "constant_value": 0.2}
    return InfiniteSchedule(0.8, **lengths | arguments)


# ## Without an end
def test_it_rises_falls_to_a_constant_and_stays_there_without_a_run() -> None:
    schedule = endless(cooldown_shape="linear")
    assert not schedule.needs_total_steps
    expected = [0.8 / 3, 1.6 / 3, 0.8, 0.65, 0.5, 0.35, 0.2, 0.2]
    assert values(schedule, count=8) == pytest.approx(expected)
    assert schedule.get_value(10**9) == 0.2


@pytest.mark.parametrize("shape", [*SHAPES, *MEANS])
def test_the_first_decay_has_any_of_the_shapes_a_cosine_by_default(shape: str) -> None:
    found = values(endless(cooldown_shape=shape), count=8)
    assert found[2:7] == pytest.approx(values(RampSchedule(0.8, 0.2, shape), 5))
    assert endless().cooldown_shape == "cosine"


def test_without_a_first_decay_it_is_at_the_constant_after_the_warm_up() -> None:
    assert values(endless(cooldown_steps=0), count=4)[2:] == [0.2, 0.2]


def test_its_lengths_may_be_fractions_of_the_run() -> None:
    fractions = InfiniteSchedule(
        0.8, constant_value=0.2, warmup_percent=0.1, cooldown_percent=0.2, decay_percent=0.3
    )
    assert fractions.needs_total_steps
    assert values(fractions, 20) == values(endless(decay_steps=6), 20)


def test_a_decay_at_the_end_begins_from_the_constant() -> None:
    found = values(endless(decay_steps=4), 12, 14)
    assert found[:9] == values(endless(), count=9)
    assert found[8:] == pytest.approx([0.2, 0.15, 0.1, 0.05, 0, 0])


def test_a_decay_at_the_end_may_cut_the_first_one_short() -> None:
    found = values(endless(decay_steps=4, cooldown_shape="linear"), 8, 10)
    assert found[4:] == pytest.approx([0.5, 0.375, 0.25, 0.125, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"constant_value": 0.9}, "constant_value must be a finite number >= 0 and <= 0.8"),
        ({"cooldown_steps": -1}, "cooldown_steps must be a whole number >= 0"),
        ({"cooldown_percent": 0.1}, "cooldown_steps must be None when cooldown_percent is given"),
        ({"cooldown_shape": "line"}, "cooldown_shape must be one of linear"),
        ({"cooldown_shape": "inverse", "constant_value": 0.0}, "cooldown_shape from 0.8 to 0.0"),
        ({"tail": "inverse"}, "tail from 0.8 to 0.0 must be one of"),
        (
            {"tail": "exponential", "end_value": 0.1, "constant_value": 0.0},
            "tail from 0.0 to 0.1 must be one of",
        ),
    ],
)
def test_a_bad_argument_of_an_endless_schedule_is_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        endless(**arguments)


# ## An end on demand
@pytest.mark.parametrize(
    "schedule",
    [
        ConstantSchedule(0.3),
        endless(),
        InverseSqrtSchedule(0.8, warmup_steps=4),
        LinearDecreasingSchedule(max_value=0.8),
        WSDSchedule(0.8, warmup_steps=10, decay_steps=5),
    ],
    ids=repr,
)
@pytest.mark.parametrize("at", [1, 7, 25])
def test_a_decay_begins_at_the_value_that_the_schedule_has_and_reaches_its_end(
    schedule: Any, at: int
) -> None:
    decaying = schedule.start_decay(at, 5, end_value=0.01, tail="cosine")
    before, found = values(schedule, 30, 40), values(decaying, 30, 40)
    assert found[: at + 1] == before[: at + 1]
    assert found[at : at + 6] == pytest.approx(
        values(RampSchedule(before[at], 0.01, "cosine"), 6), abs=1e-15
    )
    assert found[at + 5 :] == [0.01] * (40 - at - 5)


def test_a_decay_on_demand_is_a_line_to_0() -> None:
    schedule = ConstantSchedule(0.4).start_decay(at=2, steps=4)
    assert schedule == CooldownSchedule(ConstantSchedule(0.4), 2, 4, end_value=0.0, tail="linear")
    assert values(schedule, count=8) == pytest.approx([0.4, 0.4, 0.4, 0.3, 0.2, 0.1, 0, 0])
    assert not schedule.needs_total_steps


def test_a_decay_may_begin_at_once_and_take_one_step() -> None:
    assert values(ConstantSchedule(0.4).start_decay(0, 1), count=3) == [0.4, 0, 0]


def test_a_decay_on_demand_bends_and_has_a_power() -> None:
    schedule = CooldownSchedule(ConstantSchedule(0.4), 0, 4, tail="power", power=2.0, bend=3.0)
    expected = [0.4 * (1 - (step / 4) ** 3) ** 2 for step in range(5)]
    assert values(schedule, count=5) == pytest.approx(expected)


def test_a_second_decay_begins_from_where_the_first_one_is() -> None:
    schedule = ConstantSchedule(0.4).start_decay(0, 4).start_decay(2, 2, end_value=0.1)
    assert values(schedule, count=6) == pytest.approx([0.4, 0.3, 0.2, 0.15, 0.1, 0.1])


@pytest.mark.parametrize("tail", MEANS)
def test_a_mean_from_0_is_refused_at_the_step_that_would_need_it(tail: str) -> None:
    at_zero = LinearToZeroSchedule(0.4).start_decay(10, 5, 0.1, tail)
    assert at_zero.get_value(10, 10) == 0
    with pytest.raises(ValueError, match=rf"^tail from 0\.0 to 0\.1 must be .*, got '{tail}'$"):
        at_zero.get_value(11, 10)
    below_zero = ConstantSchedule(-0.4).start_decay(10, 5, 0.1, tail)
    with pytest.raises(ValueError, match=rf"^tail from -0\.4 to 0\.1 must be .*, got '{tail}'$"):
        below_zero.get_value(11)
    above_zero = LinearToZeroSchedule(0.4).start_decay(5, 5, 0.1, tail)
    assert 0.1 < above_zero.get_value(6, 10) < 0.2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"at": -1}, ValueError, "start must be a whole number >= 0, got -1"),
        ({"at": 1.5}, TypeError, "start must be a whole number >= 0, got 1.5"),
        ({"steps": 0}, ValueError, "steps must be a whole number >= 1, got 0"),
        ({"end_value": -0.1}, ValueError, "end_value must be a finite number >= 0"),
        ({"tail": "line"}, ValueError, "tail must be one of linear"),
        ({"tail": "exponential"}, ValueError, "tail from 1.0 to 0.0 must be one of"),
    ],
)
def test_a_bad_argument_of_a_decay_on_demand_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        ConstantSchedule(0.4).start_decay(**{"at": 2, "steps": 4} | arguments)

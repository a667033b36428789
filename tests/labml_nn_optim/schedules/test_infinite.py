"""Schedules without an end, and ends on demand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    MEANS,
    SHAPES,
    ConstantSchedule,
    CooldownSchedule,
    CosineAnnealingSchedule,
    CyclicSchedule,
    InfiniteSchedule,
    InverseSqrtSchedule,
    LinearDecreasingSchedule,
    OneCycleSchedule,
    PowerSchedule,
    ScheduleBase,
    SequenceSchedule,
    SGDRSchedule,
    StepFixedSchedule,
    WSDSchedule,
)
from labml_nn_optim.schedules.ramp import descend
from tests.labml_nn_optim.schedules.examples import values


# ## Without an end
def infinite(**arguments: Any) -> InfiniteSchedule:
    lengths = {"warmup_steps": 2, "cooldown_steps": 4, "constant_value": 0.2}
    return InfiniteSchedule(**{"max_value": 1.0} | lengths | arguments)


def test_up_then_down_to_a_constant_that_holds_for_ever() -> None:
    schedule = infinite()
    down = [0.2 + 0.8 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)]
    expected = [1 / 3, 2 / 3, *down, 0.2, 0.2, 0.2]
    assert not schedule.needs_total_steps
    for total_steps in (None, 7, 1_000):
        assert values(schedule, total_steps, 10) == pytest.approx(expected)
    assert schedule.get_value(1_000_000) == 0.2


@pytest.mark.parametrize("shape", [*SHAPES, *MEANS])
def test_the_first_decay_has_any_shape(shape: str) -> None:
    found = values(infinite(cooldown_shape=shape), count=9)
    assert found[2:7] == [descend(1.0, 0.2, step / 4, shape) for step in range(5)]
    assert found[7:] == [0.2, 0.2]


def test_without_a_first_decay_the_constant_follows_the_warm_up() -> None:
    schedule = InfiniteSchedule(1.0, constant_value=0.2, warmup_steps=2)
    assert values(schedule, count=4) == pytest.approx([1 / 3, 2 / 3, 0.2, 0.2])


def test_a_planned_end_goes_down_from_the_constant_over_the_last_steps() -> None:
    schedule = infinite(decay_steps=4, end_value=0.1)
    assert schedule.needs_total_steps
    expected = [0.2, 0.2, 0.175, 0.15, 0.125, 0.1, 0.1]
    assert values(schedule, 13, 15)[8:] == pytest.approx(expected)


def test_a_planned_end_within_the_first_decay_goes_down_from_what_that_has() -> None:
    schedule = infinite(decay_steps=4)
    assert schedule.get_value(4, 8) == infinite().get_value(4) == pytest.approx(0.6)
    assert values(schedule, 8, 10)[4:] == pytest.approx([0.6, 0.45, 0.3, 0.15, 0, 0])


def test_fractions_of_the_run_need_its_length() -> None:
    schedule = infinite(cooldown_steps=None, cooldown_percent=0.25)
    assert schedule.needs_total_steps
    assert values(schedule, 20).index(0.2) == 2 + 5
    with pytest.raises(ValueError, match=r"^total_steps must be given for InfiniteSchedule, got N"):
        schedule.get_value(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"constant_value": 1.5}, "constant_value must be a finite number >= 0 and <= 1, got 1.5"),
        ({"constant_value": -1}, "constant_value must be a finite number >= 0 and <= 1, got -1.0"),
        ({"cooldown_steps": -1}, "cooldown_steps must be a whole number >= 0, got -1"),
        ({"cooldown_percent": 0.5}, "cooldown_steps must be None when cooldown_percent is given"),
        ({"cooldown_shape": "sine"}, "cooldown_shape must be one of"),
        ({"cooldown_shape": "inverse", "constant_value": 0.0}, "cooldown_shape from 1.0 to 0.0 mu"),
        ({"tail": "exponential"}, "tail from 1.0 to 0.0 must be one of"),
        (
            {"tail": "exponential", "end_value": 0.1, "constant_value": 0.0},
            "tail from 0.0 to 0.1 must be one of",
        ),
    ],
)
def test_a_bad_argument_of_an_infinite_schedule_is_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        infinite(**arguments)


# ## Ends on demand
SCHEDULES: dict[str, ScheduleBase] = {
    "constant": ConstantSchedule(0.3),
    "infinite": infinite(),
    "inverse root": InverseSqrtSchedule(1.0, warmup_steps=3),
    "annealing": CosineAnnealingSchedule(1.0, 7, end_value=0.1),
    "restarts": SGDRSchedule(1.0, 3, 2, end_value=0.1),
    "triangles": CyclicSchedule(0.1, 1.0, 3, 5),
    "line": LinearDecreasingSchedule(max_value=1.0),
    "one cycle": OneCycleSchedule(1.0),
    "steps": StepFixedSchedule(factor=0.1, steps=[0.2, 0.4]),
    "wsd": WSDSchedule(1.0, warmup_steps=3, decay_steps=5),
    "sequence": InverseSqrtSchedule(1.0).then(SGDRSchedule(1.0, 5), 8),
    "fractions": SequenceSchedule([ConstantSchedule(0.3)] * 2, fractions=[0.5]),
    "product": ConstantSchedule(0.5) * LinearDecreasingSchedule(max_value=1.0),
    "window": LinearDecreasingSchedule(max_value=1.0, start_step=3, end_step=9),
    "ended": ConstantSchedule(1.0).start_decay(2, 3, end_value=0.5),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("at", [0, 1, 5, 10, 24])
def test_a_decay_begins_at_whatever_value_a_schedule_has_and_ends_exactly(
    name: str, at: int
) -> None:
    schedule = SCHEDULES[name]
    for tail in SHAPES:
        for end_value in (0.0, 0.01):
            ended = schedule.start_decay(at, 6, end_value=end_value, tail=tail)
            found = values(ended, 25, at + 20)
            assert found[: at + 1] == values(schedule, 25, at + 1)
            assert found[at + 6 :] == [end_value] * 14
            way = [descend(found[at], end_value, step / 6, tail) for step in range(7)]
            assert found[at : at + 7] == pytest.approx(way, abs=1e-15)


def test_what_the_schedule_would_have_had_later_does_not_matter() -> None:
    schedule = ConstantSchedule(1.0).then(ConstantSchedule(9.0), 6).start_decay(5, 4)
    assert values(schedule, count=11) == [1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]


def test_a_decay_of_one_step_is_a_drop() -> None:
    assert values(ConstantSchedule(1.0).start_decay(2, 1, 0.5), count=5) == [1, 1, 1, 0.5, 0.5]


def test_a_decay_on_demand_needs_the_length_of_the_run_where_the_schedule_does() -> None:
    assert not infinite().start_decay(5, 5).needs_total_steps
    assert LinearDecreasingSchedule(max_value=1.0).start_decay(5, 5).needs_total_steps


def test_a_branch_of_a_schedule_that_never_ends_is_one_that_was_planned() -> None:
    for at, steps, total_steps in ((8, 2, 10), (80, 20, 100)):
        trunk = WSDSchedule(1.0, warmup_steps=4, decay_steps=0)
        planned = WSDSchedule(1.0, warmup_steps=4, decay_steps=steps)
        branch = trunk.start_decay(at, steps, tail="1-sqrt")
        assert values(branch, 1000, total_steps + 5) == values(
            planned, total_steps, total_steps + 5
        )
    trunk, planned = PowerSchedule(1.0), PowerSchedule(1.0, decay_steps=5)
    assert values(trunk.start_decay(15, 5), count=30) == pytest.approx(values(planned, 20, 30))


def test_a_decay_has_a_power_and_a_bend_and_may_lead_up() -> None:
    bent = CooldownSchedule(ConstantSchedule(1.0), 0, 4, power=2.0, bend=2.0)
    assert values(bent, count=5) == pytest.approx([(1 - (t / 4) ** 2) ** 2 for t in range(5)])
    assert values(ConstantSchedule(0.5).start_decay(0, 2, 1.0), count=4) == [0.5, 0.75, 1, 1]


@pytest.mark.parametrize("tail", MEANS)
def test_a_mean_from_0_is_refused_when_the_decay_begins(tail: str) -> None:
    schedule = LinearDecreasingSchedule(max_value=1.0).start_decay(9, 5, 0.1, tail)
    assert schedule.get_value(9, 10) == 0
    message = rf"^tail from 0.0 to 0.1 must be one of .*, got '{tail}'$"
    with pytest.raises(ValueError, match=message):
        schedule.get_value(10, 10)
    assert schedule.get_value(14, 20) == 0.1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda one: one.start_decay(-1, 5), ValueError, "start must be a whole number >= 0"),
        (lambda one: one.start_decay(1.0, 5), TypeError, "start must be a whole number >= 0"),
        (lambda one: one.start_decay(1, 0), ValueError, "steps must be a whole number >= 1"),
        (lambda one: one.start_decay(1, 5, -0.1), ValueError, "end_value must be a finite number"),
        (lambda one: one.start_decay(1, 5, tail="sine"), ValueError, "tail must be one of"),
        (lambda one: one.start_decay(1, 5, tail="exponential"), ValueError, "tail from 1.0 to 0.0"),
        (lambda one: CooldownSchedule(1.0, 1, 5), TypeError, "schedule must be a schedule, got"),
        (
            lambda one: CooldownSchedule(one, 1, 5, 0.1),
            TypeError,
            r".*takes 4 positional arguments but 5 were given",
        ),
    ],
)
def test_a_bad_decay_on_demand_is_named(
    make: Callable[[ScheduleBase], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        make(ConstantSchedule(1.0))

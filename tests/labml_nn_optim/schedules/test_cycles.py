"""Schedules that rise again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer, lr_scheduler

from labml_nn_optim.schedules import (
    CosineAnnealingSchedule,
    CyclicSchedule,
    OneCycleSchedule,
    PolynomialCycleSchedule,
    ScheduleBase,
    SGDRSchedule,
)
from tests.labml_nn_optim.schedules.examples import values


def of_torch(make: Callable[[Optimizer], Any], count: int, lr: float = 1.0) -> list[float]:
    """The rates that one of torch's schedulers gives to the first updates."""
    optimizer = SGD([Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for step in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return found


# ## Cosines
@pytest.mark.parametrize(("period", "end_value"), [(1, 0.0), (4, 0.1), (7, 0.0)])
def test_annealing_is_torchs_and_rises_again(period: int, end_value: float) -> None:
    schedule = CosineAnnealingSchedule(1.0, period, end_value=end_value)
    expected = of_torch(
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, period, end_value), 30
    )
    assert values(schedule, count=30) == pytest.approx(expected, abs=1e-9)
    assert schedule.get_value(period) == end_value
    assert schedule.get_value(2 * period) == 1.0


@pytest.mark.parametrize("period", [1, 2, 5])
@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("end_value", [0.0, 0.1])
def test_warm_restarts_are_torchs(period: int, multiplier: int, end_value: float) -> None:
    schedule = SGDRSchedule(1.0, period, multiplier, end_value=end_value)
    expected = of_torch(
        lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(
            optimizer, period, multiplier, end_value
        ),
        50,
    )
    assert values(schedule, count=50) == pytest.approx(expected, abs=1e-9)


def test_every_period_begins_at_the_top_and_is_longer_by_the_multiplier() -> None:
    found = values(SGDRSchedule(1.0, 3, 2), count=46)
    assert [step for step, value in enumerate(found) if value == 1.0] == [0, 3, 9, 21, 45]
    one_and_a_half = SGDRSchedule(1.0, 4, 1.5)
    assert [t for t in range(20) if one_and_a_half.get_value(t) == 1.0] == [0, 4, 10, 19]


def test_a_cosine_that_restarts_falls_within_every_period() -> None:
    found = values(SGDRSchedule(1.0, 4), count=12)
    period = [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    assert found == pytest.approx(period * 3)


def test_the_top_shrinks_with_every_period_and_the_last_one_is_followed_by_the_end() -> None:
    schedule = SGDRSchedule(1.0, 2, end_value=0.1, decay=0.5, cycles=3)
    expected = [1, 0.55, 0.5, 0.3, 0.25, 0.175, 0.1, 0.1, 0.1]
    assert values(schedule, count=9) == pytest.approx(expected)
    assert schedule.get_value(6) == schedule.get_value(10_000) == 0.1
    grown = SGDRSchedule(1.0, 2, 2, cycles=2)
    assert values(grown, count=8) == pytest.approx([1, 0.5, 1, 0.8535534, 0.5, 0.1464466, 0, 0])


def test_a_late_step_of_growing_periods_is_found_at_once() -> None:
    # 2 ** 40 - 1 steps have 40 periods.
    assert SGDRSchedule(1.0, 1, 2).get_value(2**40 - 1) == 1.0
    assert SGDRSchedule(1.0, 1, 2).get_value(2**40 + 2**39 - 1) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"period": 0}, ValueError, "period must be a whole number >= 1, got 0"),
        ({"period": 2.5}, TypeError, "period must be a whole number >= 1, got 2.5"),
        ({"max_value": -1.0}, ValueError, "max_value must be a finite number >= 0, got -1.0"),
        ({"end_value": -1.0}, ValueError, "end_value must be a finite number >= 0, got -1.0"),
        ({"multiplier": 0.5}, ValueError, "multiplier must be a finite number >= 1, got 0.5"),
        ({"decay": 1.5}, ValueError, "decay must be a finite number >= 0 and <= 1, got 1.5"),
        ({"cycles": 0}, ValueError, "cycles must be a whole number >= 1, got 0"),
    ],
)
def test_a_bad_argument_of_a_cosine_that_rises_again_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    kinds: list[type[ScheduleBase]] = [SGDRSchedule]
    if not arguments.keys() & {"multiplier", "decay", "cycles"}:
        kinds.append(CosineAnnealingSchedule)
    for kind in kinds:
        with pytest.raises(error, match=f"^{message}$"):
            kind(**{"max_value": 1.0, "period": 4} | arguments)


# ## Powers
@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_a_power_whose_length_grows_when_it_is_used_up_is_its_formula(power: float) -> None:
    schedule = PolynomialCycleSchedule(1.0, 0.2, steps=4, power=power)
    expected = [0.2 + 0.8 * (1 - t / (4 * math.ceil((t + 1) / 4))) ** power for t in range(1, 30)]
    assert values(schedule, count=30) == pytest.approx([1.0, *expected])


def test_a_power_that_is_used_up_begins_again_lower() -> None:
    found = values(PolynomialCycleSchedule(1.0, 0.0, steps=4), count=13)
    assert found[:4] == [1, 0.75, 0.5, 0.25]
    # Of 8 steps 4 are over, of 12 there are 8.
    assert [found[4], found[8], found[12]] == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert all(value > 0 for value in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number >= 1, got 0"),
        ({"power": 0.0}, "power must be a finite number > 0, got 0.0"),
        ({"start_value": -1.0}, "start_value must be a finite number >= 0, got -1.0"),
        ({"end_value": -1.0}, "end_value must be a finite number >= 0, got -1.0"),
    ],
)
def test_a_bad_argument_of_a_power_that_begins_again_is_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        PolynomialCycleSchedule(**{"start_value": 1.0, "end_value": 0.0, "steps": 4} | arguments)


# ## Triangles
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize(("up", "down"), [(2, 3), (4, None), (1, 1)])
def test_triangles_are_torchs(mode: str, up: int, down: int | None) -> None:
    gamma = 0.9 if mode == "exp_range" else 1.0
    schedule = CyclicSchedule(0.1, 1.0, up, down, mode, gamma)
    expected = of_torch(
        lambda optimizer: lr_scheduler.CyclicLR(
            optimizer, 0.1, 1.0, up, down, mode, gamma, cycle_momentum=False
        ),
        30,
    )
    assert values(schedule, count=30) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_a_height_of_your_own_is_torchs(scale_mode: str) -> None:
    def height(number: float) -> float:
        return 1 / (1 + number)

    schedule = CyclicSchedule(0.1, 1.0, 2, 3, scale_mode=scale_mode, scale_function=height)
    expected = of_torch(
        lambda optimizer: lr_scheduler.CyclicLR(
            optimizer, 0.1, 1.0, 2, 3, "triangular", 1.0, height, scale_mode, cycle_momentum=False
        ),
        30,
    )
    assert values(schedule, count=30) == pytest.approx(expected, abs=1e-9)


def test_a_height_of_your_own_is_given_the_number_of_the_cycle_unless_told_otherwise() -> None:
    schedule = CyclicSchedule(0.0, 1.0, 2, scale_function=lambda number: number)
    assert values(schedule, count=12) == [0, 0.5, 1, 0.5, 0, 1, 2, 1, 0, 1.5, 3, 1.5]


def test_triangles_last_twice_2000_steps_and_are_equally_high_unless_told_otherwise() -> None:
    assert CyclicSchedule(0.1, 1.0) == CyclicSchedule(0.1, 1.0, 2000, None, "triangular")
    assert [CyclicSchedule(0.1, 1.0).get_value(step) for step in (2000, 4000, 6000)] == [1, 0.1, 1]
    level = CyclicSchedule(0.1, 1.0, 2, mode="exp_range")
    assert values(level, count=9) == values(CyclicSchedule(0.1, 1.0, 2), count=9)


def test_the_scale_mode_takes_the_place_of_that_of_the_mode() -> None:
    by_step = CyclicSchedule(0.0, 1.0, 1, mode="triangular2", scale_mode="iterations")
    assert values(by_step, count=6) == [0, 1, 0, 0.25, 0, 0.0625]
    by_cycle = CyclicSchedule(0.0, 1.0, 1, mode="exp_range", gamma=0.5, scale_mode="cycle")
    assert values(by_cycle, count=6) == [0, 0.5, 0, 0.25, 0, 0.125]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_value": 0.05}, ValueError, "max_value must be a finite number >= 0.1, got 0.05"),
        ({"base_value": -0.1}, ValueError, "base_value must be a finite number >= 0, got -0.1"),
        ({"steps_up": 0}, ValueError, "steps_up must be a whole number >= 1, got 0"),
        ({"steps_down": 0}, ValueError, "steps_down must be a whole number >= 1, got 0"),
        ({"mode": "square"}, ValueError, "mode must be one of triangular, .*, got 'square'"),
        ({"gamma": -1.0}, ValueError, "gamma must be a finite number >= 0, got -1.0"),
        ({"scale_mode": "step"}, ValueError, "scale_mode must be one of cycle, iterations, got .*"),
        ({"scale_function": 0.5}, TypeError, "scale_function must be callable, got 0.5"),
    ],
)
def test_a_bad_argument_of_triangles_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        CyclicSchedule(**{"base_value": 0.1, "max_value": 1.0} | arguments)


# ## One cycle
@pytest.mark.parametrize("total_steps", [10, 37, 100])
@pytest.mark.parametrize("warmup_percent", [0.25, 0.3, 0.45])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("shape", "strategy"), [("cosine", "cos"), ("linear", "linear")])
def test_one_cycle_is_torchs(
    total_steps: int, warmup_percent: float, three_phase: bool, shape: str, strategy: Any
) -> None:
    schedule = OneCycleSchedule(
        1.0, warmup_percent=warmup_percent, three_phase=three_phase, shape=shape
    )
    expected = of_torch(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer,
            1.0,
            total_steps,
            pct_start=warmup_percent,
            three_phase=three_phase,
            anneal_strategy=strategy,
            cycle_momentum=False,
        ),
        total_steps,
    )
    assert values(schedule, total_steps) == pytest.approx(expected, abs=1e-9)


def test_a_rise_of_one_update_is_no_division_by_0() -> None:
    # Cerebras has NaN at step 0 where the fraction times the length is 1.
    for end in ("last", "after"):
        for shape in ("cosine", "linear"):
            schedule = OneCycleSchedule(1.0, warmup_percent=0.1, shape=shape, end=end)
            found = values(schedule, 10, 14)
            assert all(math.isfinite(value) for value in found)
            assert max(found) == 1.0
            assert found[10:] == [schedule.end_value] * 4
    assert OneCycleSchedule(1.0, warmup_percent=0.1).get_value(0, 10) == 1.0


@pytest.mark.parametrize(
    ("warmup_percent", "three_phase"),
    [(0.0, False), (0.1, False), (0.3, False), (1.0, False), (0.1, True), (0.5, True)],
)
@pytest.mark.parametrize("end", ["last", "after"])
@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 10, 11])
def test_past_its_end_one_cycle_holds_the_end_value(
    warmup_percent: float, three_phase: bool, end: str, total_steps: int
) -> None:
    schedule = OneCycleSchedule(
        1.0, end_value=0.01, warmup_percent=warmup_percent, three_phase=three_phase, end=end
    )
    found = values(schedule, total_steps, total_steps + 20)
    assert all(0.01 <= value <= 1 for value in found)
    assert found[total_steps + 1 :] == [0.01] * 19
    # Where no step is left for the way to the end, it comes one later.
    if warmup_percent * (1 + three_phase) < 1:
        assert found[total_steps] == 0.01


def test_one_cycle_begins_at_a_25th_and_ends_far_below_unless_told_otherwise() -> None:
    schedule = OneCycleSchedule(0.5)
    assert (schedule.start_value, schedule.end_value) == (0.02, 0.02 / 10_000)
    assert schedule.get_value(0, 100) == 0.02
    assert schedule.get_value(99, 100) == 0.02 / 10_000
    given = OneCycleSchedule(0.5, start_value=0.1, end_value=0.2)
    assert given.get_value(0, 100) == 0.1
    assert given.get_value(99, 100) == 0.2
    assert OneCycleSchedule(0.5, start_value=0.1).end_value == 0.1 / 10_000


def test_marks_lie_on_the_step_after_a_phase_if_the_end_does() -> None:
    found = values(OneCycleSchedule(1.0, end="after", shape="linear", end_value=0.0), 10, 13)
    assert found[:4] == pytest.approx([0.04, 0.36, 0.68, 1])
    assert found[4:] == pytest.approx([1 - step / 7 for step in range(1, 8)] + [0, 0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_value": -1.0}, ValueError, "max_value must be a finite number >= 0, got -1.0"),
        ({"max_value": "1"}, TypeError, "max_value must be a finite number >= 0, got '1'"),
        ({"start_value": -1.0}, ValueError, "start_value must be a finite number >= 0, got -1.0"),
        ({"end_value": -1.0}, ValueError, "end_value must be a finite number >= 0, got -1.0"),
        ({"warmup_percent": 1.1}, ValueError, "warmup_percent must be .* <= 1, got 1.1"),
        (
            {"warmup_percent": 0.6, "three_phase": True},
            ValueError,
            "warmup_percent must be at most 0.5 for three phases, got 0.6",
        ),
        ({"three_phase": 1}, TypeError, "three_phase must be True or False, got 1"),
        ({"shape": "cos"}, ValueError, "shape must be one of cosine, linear, got 'cos'"),
        ({"end": "never"}, ValueError, "end must be one of last, after, got 'never'"),
    ],
)
def test_a_bad_argument_of_one_cycle_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        OneCycleSchedule(**{"max_value": 1.0} | arguments)

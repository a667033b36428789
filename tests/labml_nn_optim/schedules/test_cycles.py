"""Cycles and restarts, compared with torch where torch has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import lr_scheduler

from labml_nn_optim.schedules import (
    CosineAnnealingSchedule,
    CyclicSchedule,
    OneCycleSchedule,
    PolynomialCycleSchedule,
    ScheduleBase,
    SGDRSchedule,
)
from tests.labml_nn_optim.schedules.examples import values


def torch_values(kind: Callable[..., Any], count: int, **arguments: Any) -> list[float]:
    """The learning rates that torch's scheduler gives an optimizer whose own is 1."""
    optimizer = torch.optim.SGD([Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = kind(optimizer, **arguments)
    found = []
    for step in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return found


# ## Cosines
def test_a_cosine_goes_down_and_up_again_as_in_torch() -> None:
    theirs = torch_values(lr_scheduler.CosineAnnealingLR, 20, T_max=6, eta_min=0.1)
    schedule = CosineAnnealingSchedule(1.0, 6, end_value=0.1)
    assert values(schedule, count=20) == pytest.approx(theirs, abs=1e-12)
    assert (schedule.get_value(0), schedule.get_value(6), schedule.get_value(12)) == (1, 0.1, 1)


@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_warm_restarts_are_those_of_torch(multiplier: int) -> None:
    theirs = torch_values(
        lr_scheduler.CosineAnnealingWarmRestarts, 40, T_0=3, T_mult=multiplier, eta_min=0.1
    )
    schedule = SGDRSchedule(1.0, 3, multiplier, end_value=0.1)
    assert values(schedule, count=40) == pytest.approx(theirs, abs=1e-12)


def test_every_period_begins_at_the_top_and_is_longer_by_the_multiplier() -> None:
    schedule = SGDRSchedule(1.0, 4, 1.5)
    begun = [0, 4, 10, 19]
    assert [schedule.get_value(step) for step in begun] == [1.0] * 4
    assert schedule.get_value(7) == pytest.approx(0.5)
    assert all(schedule.get_value(step - 0.01) < 0.01 for step in begun[1:])


def test_every_period_may_be_lower_than_the_one_before() -> None:
    schedule = SGDRSchedule(1.0, 2, decay=0.5, end_value=0.1)
    assert values(schedule, count=6) == pytest.approx([1, 0.55, 0.5, 0.3, 0.25, 0.175])


def test_after_the_last_period_the_end_value_holds() -> None:
    schedule = SGDRSchedule(1.0, 2, 2, cycles=2, end_value=0.1)
    found = values(schedule, count=20)
    assert found[2] == 1
    assert found[6:] == [0.1] * 14
    assert found[:6] == values(SGDRSchedule(1.0, 2, 2, end_value=0.1), count=6)


# ## Powers
def test_a_power_begins_anew_with_a_longer_run_and_never_ends() -> None:
    schedule = PolynomialCycleSchedule(1.0, 0.1, steps=4, power=2.0)
    expected = [0.1 + 0.9 * (1 - step / (4 * math.ceil((step + 1) / 4))) ** 2 for step in range(20)]
    assert values(schedule, count=20) == pytest.approx(expected)
    # It has used up three quarters of four steps, then half of eight.
    line = PolynomialCycleSchedule(1.0, 0.0, steps=4)
    assert values(line, count=9) == pytest.approx(
        [1, 0.75, 0.5, 0.25, 0.5, 0.375, 0.25, 0.125, 1 / 3]
    )


# ## Triangles
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize(("up", "down"), [(3, None), (2, 5)])
def test_triangles_are_those_of_torch(mode: str, up: int, down: int | None) -> None:
    theirs = torch_values(
        lr_scheduler.CyclicLR,
        30,
        base_lr=0.1,
        max_lr=1.0,
        step_size_up=up,
        step_size_down=down,
        mode=mode,
        gamma=0.95,
    )
    schedule = CyclicSchedule(0.1, 1.0, up, down, mode, gamma=0.95)
    assert values(schedule, count=30) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_a_height_of_your_own_follows_cycles_or_steps_as_in_torch(scale_mode: str) -> None:
    arguments = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "step_size_down": 3}
    theirs = torch_values(
        lr_scheduler.CyclicLR,
        30,
        **arguments,
        scale_fn=lambda x: 1 / (1 + x),
        scale_mode=scale_mode,
    )
    schedule = CyclicSchedule(
        0.1, 1.0, 2, 3, scale_function=lambda x: 1 / (1 + x), scale_mode=scale_mode
    )
    assert values(schedule, count=30) == pytest.approx(theirs, abs=1e-12)


def test_the_height_follows_what_it_is_told_to_even_if_the_mode_would_not() -> None:
    by_cycle = CyclicSchedule(0.0, 1.0, 2, 2, "exp_range", gamma=0.5, scale_mode="cycle")
    assert [by_cycle.get_value(step) for step in (2, 6, 10)] == [0.5, 0.25, 0.125]
    by_step = CyclicSchedule(0.0, 1.0, 2, 2, "triangular2", scale_mode="iterations")
    assert [by_step.get_value(step) for step in (2, 6, 10)] == [0.5**1, 0.5**5, 0.5**9]
    usual = CyclicSchedule(0.0, 1.0, 2, 2, scale_function=lambda number: number / 10)
    assert [usual.get_value(step) for step in (2, 6, 10)] == [0.1, 0.2, 0.3]


# ## One cycle
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("shape", "theirs"), [("cosine", "cos"), ("linear", "linear")])
@pytest.mark.parametrize(("total_steps", "part"), [(10, 0.3), (37, 0.3), (20, 0.45), (9, 0.25)])
def test_one_cycle_is_that_of_torch(
    total_steps: int, part: float, shape: str, theirs: str, three_phase: bool
) -> None:
    expected = torch_values(
        lr_scheduler.OneCycleLR,
        total_steps,
        max_lr=1.0,
        total_steps=total_steps,
        pct_start=part,
        three_phase=three_phase,
        anneal_strategy=theirs,
        cycle_momentum=False,
    )
    schedule = OneCycleSchedule(1.0, warmup_percent=part, three_phase=three_phase, shape=shape)
    assert values(schedule, total_steps) == pytest.approx(expected, abs=1e-12)


def test_one_cycle_begins_at_a_25th_and_ends_at_a_10_000th_of_that() -> None:
    schedule = OneCycleSchedule(0.5)
    assert (schedule.start_value, schedule.end_value) == (0.02, 2e-6)
    assert values(schedule, 11)[-1] == 2e-6
    assert OneCycleSchedule(0.5, start_value=0.1).end_value == 1e-5


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_past_its_end_one_cycle_holds_where_others_rise_or_go_below_0(shape: str) -> None:
    schedule = OneCycleSchedule(1.0, end_value=0.01, shape=shape)
    assert [schedule.get_value(step, 10) for step in (9, 10, 15, 1000)] == [0.01] * 4


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("part", [0.0, 0.05, 0.1])
def test_a_rise_of_no_step_is_left_out(part: float, three_phase: bool) -> None:
    schedule = OneCycleSchedule(1.0, end_value=0.1, warmup_percent=part, three_phase=three_phase)
    found = values(schedule, 10)
    first = schedule.start_value if three_phase else 1.0
    assert found[0] == first
    assert found[-1] == 0.1
    assert found == sorted(found, reverse=not three_phase)


def test_the_marks_of_one_cycle_may_lie_after_the_steps() -> None:
    schedule = OneCycleSchedule(1.0, start_value=0.2, end_value=0.0, shape="linear", end="after")
    expected = [0.2, 0.2 + 0.8 / 3, 0.2 + 1.6 / 3, *(1 - step / 7 for step in range(8))]
    assert values(schedule, 10, 11) == pytest.approx(expected)


def test_three_phases_go_down_in_as_many_steps_as_up() -> None:
    schedule = OneCycleSchedule(
        1.0, start_value=0.2, end_value=0.0, shape="linear", three_phase=True, end="after"
    )
    expected = [0.2 + 0.8 * step / 3 for step in (0, 1, 2, 3, 2, 1)]
    assert values(schedule, 10, 11) == pytest.approx([*expected, 0.2, 0.15, 0.1, 0.05, 0])


@pytest.mark.parametrize("total_steps", [1, 2, 3])
def test_one_cycle_fits_into_a_run_of_few_steps(total_steps: int) -> None:
    for three_phase in (False, True):
        schedule = OneCycleSchedule(1.0, end_value=0.1, three_phase=three_phase)
        assert values(schedule, total_steps)[-1] == 0.1


# ## What is refused
@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (CosineAnnealingSchedule, {"period": 0}, "period must be a whole number >= 1, got 0"),
        (CosineAnnealingSchedule, {"end_value": -1.0}, "end_value must be a finite number >= 0"),
        (SGDRSchedule, {"period": 0}, "period must be a whole number >= 1, got 0"),
        (SGDRSchedule, {"multiplier": 0.5}, "multiplier must be a finite number >= 1, got 0.5"),
        (SGDRSchedule, {"decay": 1.5}, "decay must be a finite number >= 0 and <= 1"),
        (SGDRSchedule, {"cycles": 0}, "cycles must be a whole number >= 1, got 0"),
        (PolynomialCycleSchedule, {"steps": 0}, "steps must be a whole number >= 1, got 0"),
        (PolynomialCycleSchedule, {"power": 0.0}, "power must be a finite number > 0"),
        (CyclicSchedule, {"max_value": 0.1}, "max_value must be a finite number >= 0.5, got 0.1"),
        (CyclicSchedule, {"steps_up": 0}, "steps_up must be a whole number >= 1, got 0"),
        (CyclicSchedule, {"steps_down": 0}, "steps_down must be a whole number >= 1, got 0"),
        (CyclicSchedule, {"mode": "exp"}, "mode must be one of triangular, triangular2, exp_range"),
        (CyclicSchedule, {"scale_mode": "step"}, "scale_mode must be one of cycle, iterations"),
        (CyclicSchedule, {"gamma": -1.0}, "gamma must be a finite number >= 0"),
        (OneCycleSchedule, {"warmup_percent": 1.5}, "warmup_percent must be a finite number"),
        (
            OneCycleSchedule,
            {"warmup_percent": 0.6, "three_phase": True},
            "warmup_percent must be at most 0.5 for three phases, got 0.6",
        ),
        (OneCycleSchedule, {"shape": "cos"}, "shape must be one of cosine, linear, got 'cos'"),
        (OneCycleSchedule, {"end": "then"}, "end must be one of last, after, got 'then'"),
        (OneCycleSchedule, {"start_value": -1.0}, "start_value must be a finite number >= 0"),
    ],
)
def test_a_bad_argument_of_a_cycle_is_named(
    kind: type[ScheduleBase], arguments: dict[str, Any], message: str
) -> None:
    allowed: dict[type[ScheduleBase], dict[str, Any]] = {
        CosineAnnealingSchedule: {"max_value": 1.0, "period": 4},
        SGDRSchedule: {"max_value": 1.0, "period": 4},
        PolynomialCycleSchedule: {"start_value": 1.0, "end_value": 0.0, "steps": 4},
        CyclicSchedule: {"base_value": 0.5, "max_value": 1.0},
        OneCycleSchedule: {"max_value": 1.0},
    }
    with pytest.raises(ValueError, match=f"^{message}"):
        kind(**allowed[kind] | arguments)


def test_a_height_that_is_no_function_and_a_phase_that_is_no_flag_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^scale_function must be callable, got 0\.5$"):
        CyclicSchedule(0.1, 1.0, scale_function=0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^three_phase must be True or False, got 1$"):
        OneCycleSchedule(1.0, three_phase=1)  # type: ignore[arg-type]

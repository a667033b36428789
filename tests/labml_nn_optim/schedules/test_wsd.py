"""Warm-up, stable, decay."""

from __future__ import annotations

from typing import Any

import pytest

from labml_nn_optim.schedules import (
    MEANS,
    SHAPES,
    LinearToZeroSchedule,
    TriStageSchedule,
    WSDSchedule,
)
from labml_nn_optim.schedules.ramp import descend
from tests.labml_nn_optim.schedules.examples import values


def test_up_then_the_peak_then_down_over_the_last_steps() -> None:
    schedule = WSDSchedule(1.0, warmup_steps=3, decay_steps=4, tail="linear")
    expected = [0.25, 0.5, 0.75, *[1.0] * 6, 0.75, 0.5, 0.25, 0, 0, 0]
    assert values(schedule, 12, 15) == pytest.approx(expected)


def test_with_the_end_in_the_last_step_one_step_less_is_left_for_the_decay() -> None:
    schedule = WSDSchedule(1.0, decay_steps=5, tail="linear", end="last")
    assert values(schedule, 8, 10) == pytest.approx([1] * 4 + [0.75, 0.5, 0.25, 0, 0, 0])


@pytest.mark.parametrize("tail", [*SHAPES, *MEANS])
def test_a_tail_has_any_shape_and_meets_both_ends_exactly(tail: str) -> None:
    schedule = WSDSchedule(0.3, warmup_steps=5, decay_steps=10, tail=tail, end_value=0.1)
    found = values(schedule, 40, 45)
    assert found[5:31] == [0.3] * 26
    assert found[30:41] == [descend(0.3, 0.1, step / 10, tail) for step in range(11)]
    assert found[40:] == [0.1] * 5
    assert found[30:] == sorted(found[30:], reverse=True)


@pytest.mark.parametrize("tail", SHAPES)
def test_a_tail_leads_to_exactly_0(tail: str) -> None:
    schedule = WSDSchedule(0.3, tail=tail)
    assert schedule.get_value(100, 100) == 0 < schedule.get_value(99, 100)


def test_a_tail_has_a_power_and_a_bend() -> None:
    schedule = WSDSchedule(1.0, decay_steps=8, tail="cosine", power=2.0, bend=0.5)
    expected = [descend(1.0, 0.0, (step / 8) ** 0.5, "cosine", 2.0) for step in range(9)]
    assert values(schedule, 10, 11)[2:] == pytest.approx(expected)


def test_a_decay_that_is_not_given_is_a_fifth_of_the_run_along_1_minus_a_root() -> None:
    schedule = WSDSchedule(1.0)
    assert schedule == WSDSchedule(1.0, decay_percent=0.2, tail="1-sqrt")
    for total_steps in (10, 50, 1000):
        found = values(schedule, total_steps)
        assert found.count(1.0) == total_steps - total_steps // 5 + 1
    assert schedule.get_value(925, 1000) == pytest.approx(1 - (125 / 200) ** 0.5)


def test_a_decay_in_steps_takes_the_place_of_the_fifth() -> None:
    assert WSDSchedule(1.0, decay_steps=3).decay_percent is None
    assert values(WSDSchedule(1.0, decay_steps=0), 5, 8) == [1.0] * 8
    assert values(WSDSchedule(1.0, decay_percent=0.0), 5, 8) == [1.0] * 8


def test_a_decay_over_all_of_the_run_is_the_line_to_zero() -> None:
    for end in ("last", "after"):
        wsd = WSDSchedule(1.0, warmup_steps=3, decay_steps=9, tail="linear", end=end)
        line = LinearToZeroSchedule(1.0, warmup_steps=3, end=end)
        assert values(wsd, 12, 16) == values(line, 12, 16)


def test_the_peak_must_be_given() -> None:
    for kind in (WSDSchedule, TriStageSchedule):
        with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'max_value'"):
            kind(warmup_steps=3)
        with pytest.raises(TypeError, match=r"^max_value must be a finite number >= 0, got '1e-3'"):
            kind("1e-3")


# ## Lengths that do not fit
def test_a_warm_up_and_a_decay_longer_than_the_run_together_are_refused() -> None:
    schedule = WSDSchedule(1.0, warmup_steps=4, decay_steps=7)
    message = r"^decay_steps must be at most the 6 steps after the warm-up, got 7$"
    for step in (0, 4, 9, 100):
        with pytest.raises(ValueError, match=message):
            schedule.get_value(step, 10)
    assert values(schedule, 11)[4] == 1.0


def test_a_decay_after_a_warm_up_as_long_as_the_run_is_refused() -> None:
    schedule = WSDSchedule(1.0, warmup_steps=10, decay_steps=1)
    message = r"^decay_steps must be at most the 0 steps after the warm-up, got 1$"
    with pytest.raises(ValueError, match=message):
        schedule.get_value(0, 10)
    assert schedule.get_value(10, 11) == 1.0


def test_a_decay_in_steps_and_a_warm_up_in_fractions_are_checked_together() -> None:
    schedule = WSDSchedule(1.0, warmup_percent=0.5, decay_steps=6)
    with pytest.raises(ValueError, match=r"^decay_steps must be at most the 5 steps after"):
        schedule.get_value(0, 10)
    assert values(schedule, 12, 13)[-1] == 0


def test_fractions_above_1_together_are_refused_when_the_schedule_is_made() -> None:
    message = r"^warmup_percent and decay_percent must be at most 1 together, got 1.1$"
    with pytest.raises(ValueError, match=message):
        WSDSchedule(1.0, warmup_percent=0.5, decay_percent=0.6)
    with pytest.raises(ValueError, match=r"at most 1 together"):
        WSDSchedule(1.0, warmup_percent=0.9)


@pytest.mark.parametrize("total_steps", range(2, 30))
def test_fractions_that_fill_the_run_do_so_when_both_are_rounded_up(total_steps: int) -> None:
    for warmup, decay in ((0.5, 0.5), (0.3, 0.7), (0.75, 0.25), (0.1, 0.9)):
        schedule = WSDSchedule(1.0, warmup_percent=warmup, decay_percent=decay, tail="linear")
        found = values(schedule, total_steps, total_steps + 1)
        # A warm-up that is rounded up to the whole run leaves no step for the decay.
        assert found[-1] == (0 if round(warmup * total_steps) < total_steps else 1)
        assert all(0 <= value <= 1 for value in found)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"decay_steps": -1}, ValueError, "decay_steps must be a whole number >= 0, got -1"),
        ({"decay_steps": 2.0}, TypeError, "decay_steps must be a whole number >= 0, got 2.0"),
        ({"decay_percent": -0.1}, ValueError, "decay_percent must be a finite number >= 0 and"),
        ({"decay_percent": 1.1}, ValueError, "decay_percent must be a finite number >= 0 and"),
        (
            {"decay_steps": 3, "decay_percent": 0.1},
            ValueError,
            "decay_steps must be None when decay_percent is given, got 3",
        ),
        ({"tail": "exponential"}, ValueError, "tail from 1.0 to 0.0 must be one of linear"),
        ({"tail": "inverse"}, ValueError, "tail from 1.0 to 0.0 must be one of linear"),
    ],
)
def test_a_bad_decay_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        WSDSchedule(1.0, **arguments)


# ## Three stages
def test_three_stages_go_from_a_hundredth_and_back_to_one() -> None:
    schedule = TriStageSchedule(0.5, warmup_steps=4, decay_steps=4)
    up = [0.005 + (0.5 - 0.005) * step / 4 for step in range(4)]
    down = [0.5 * 0.01 ** (step / 4) for step in range(5)]
    assert values(schedule, 12, 13) == pytest.approx([*up, *[0.5] * 4, *down])
    assert schedule.get_value(0, 12) == schedule.get_value(12, 12) == 0.005
    assert schedule.get_value(500, 12) == 0.005


def test_three_stages_have_the_ends_that_are_given() -> None:
    schedule = TriStageSchedule(1.0, warmup_steps=2, start_value=0.0, end_value=0.1)
    assert schedule.get_value(0, 10) == pytest.approx(1 / 3)
    assert schedule.get_value(10, 10) == 0.1
    assert TriStageSchedule(1.0, end_value=0.0, tail="linear").get_value(10, 10) == 0


def test_three_stages_are_a_wsd_schedule_with_other_defaults() -> None:
    ends = {"start_value": 0.01, "end_value": 0.01, "tail": "exponential"}
    same = WSDSchedule(1.0, warmup_steps=3, **ends)
    assert values(TriStageSchedule(1.0, warmup_steps=3), 20, 25) == values(same, 20, 25)

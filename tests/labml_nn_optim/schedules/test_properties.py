"""What is true of every schedule, whatever it is made of."""

from __future__ import annotations

import copy
import json
import math
import pickle
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labml_nn_optim import schedules as s
from labml_nn_optim.schedules import (
    MEANS,
    SHAPES,
    ConstantSchedule,
    ProductSchedule,
    ScheduleBase,
    SequenceSchedule,
    schedule_from_config,
    schedule_names,
    schedule_to_config,
)
from tests.labml_nn_optim.schedules import any_schedule as made
from tests.labml_nn_optim.schedules.any_schedule import range_of, runs, schedules, settled
from tests.labml_nn_optim.schedules.examples import values

Run = tuple[ScheduleBase, int]
many = settings(max_examples=150, deadline=None)
some = settings(max_examples=20, deadline=None)
# Steps of the run and past it, and between two of them.
parts = st.integers(0, 100) | st.floats(0, 100) | st.just(10**6)


def test_every_schedule_is_made_here() -> None:
    assert {kind.__name__ for kind in (*made.SIMPLE, *made.NESTING)} == set(schedule_names())


# ## Values
@many
@given(runs(), st.lists(parts, min_size=1, max_size=5))
def test_a_value_is_a_finite_number_within_those_of_the_arguments(
    run: Run, steps: list[float]
) -> None:
    schedule, total_steps = run
    low, high = range_of(schedule)
    slack = 1e-12 * max(1, abs(low), abs(high))
    for step in steps:
        value = schedule.get_value(step, total_steps)
        assert type(value) is float
        assert low - slack <= value <= high + slack


@pytest.mark.parametrize("kind", made.SIMPLE)
def test_every_schedule_keeps_to_the_values_of_its_arguments(kind: type[ScheduleBase]) -> None:
    @some
    @given(st.data(), st.integers(1, 30))
    def keeps(data: st.DataObject, total_steps: int) -> None:
        schedule = data.draw(schedules(total_steps, [kind], depth=0, placed=False))
        low, high = range_of(schedule)
        slack = 1e-12 * max(1, high)
        for step in range(total_steps + 3):
            assert low - slack <= schedule.get_value(step, total_steps) <= high + slack
            assert math.isfinite(schedule.get_value(step + 0.5, total_steps))

    keeps()


@many
@given(runs(), st.integers(0, 80))
def test_a_step_is_the_same_as_a_whole_number_and_as_a_float(run: Run, step: int) -> None:
    schedule, total_steps = run
    value = schedule.get_value(step, total_steps)
    assert schedule.get_value(float(step), total_steps) == value
    assert schedule.get_value(step, total_steps) == value


@many
@given(runs(), st.floats(0, 1e6))
def test_what_has_ended_holds(run: Run, more: float) -> None:
    schedule, total_steps = run
    end = settled(schedule, total_steps)
    assume(end < math.inf)
    held = schedule.get_value(end, total_steps)
    assert schedule.get_value(end + 1, total_steps) == held
    assert schedule.get_value(end + more, total_steps) == held


COUNTING = [kind for kind in made.SIMPLE if kind.counts_its_own_steps]


@many
@given(runs(kinds=COUNTING, depth=1, placed=False), st.integers(1, 40), st.integers(0, 80))
def test_what_needs_no_length_of_the_run_has_the_same_values_in_every_run(
    run: Run, other: int, step: int
) -> None:
    schedule, total_steps = run
    assume(not schedule.needs_total_steps)
    value = schedule.get_value(step)
    assert schedule.get_value(step, total_steps) == schedule.get_value(step, other) == value


# ## Ends
ENDING = [
    s.WarmupDecaySchedule,
    s.LinearToZeroSchedule,
    s.LinearWarmupCosineDecaySchedule,
    s.WSDSchedule,
    s.TriStageSchedule,
]


@pytest.mark.parametrize("kind", ENDING)
def test_a_decay_meets_its_end_exactly_where_it_says(kind: type[ScheduleBase]) -> None:
    @some
    @given(st.data(), st.integers(3, 60))
    def meets(data: st.DataObject, total_steps: int) -> None:
        schedule: Any = data.draw(schedules(total_steps, [kind], depth=0, placed=False))
        before = [schedule.get_value(step, total_steps) for step in range(total_steps + 2)]
        peak = before.index(max(before))
        # There is something to decay.
        assume(peak < total_steps - 1 and before[-1] < max(before))
        assume(total_steps - max(t for t, value in enumerate(before) if value == max(before)) > 1)
        last = total_steps - (schedule.end == "last")
        assert before[last:] == [schedule.end_value] * (total_steps + 2 - last)

    meets()


@many
@given(
    st.integers(2, 200),
    st.sampled_from([*SHAPES, *MEANS]),
    made.positive,
    made.positive,
    made.powers,
    made.powers,
)
def test_a_ramp_meets_both_ends_exactly_and_turns_nowhere(
    total_steps: int, shape: str, start: float, end: float, bend: float, power: float
) -> None:
    arguments = {"bend": bend} if shape in MEANS else {"bend": bend, "power": power}
    found = values(s.RampSchedule(start, end, shape, **arguments), total_steps)
    assert (found[0], found[-1]) == (start, end)
    sign = 1 if end > start else -1
    assert all(sign * (b - a) >= -1e-12 for a, b in pairwise(found))


FALLING = [
    s.LinearDecreasingSchedule,
    s.CosineDecreasingSchedule,
    s.PolynomialDecreasingSchedule,
    s.StepDecreasingSchedule,
    s.StepFixedSchedule,
    s.StepIntervalSchedule,
    s.MultiStepSchedule,
    s.ExponentialSchedule,
    s.InverseTimeSchedule,
]
RISING = [s.LinearIncreasingSchedule, s.CosineIncreasingSchedule, s.PolynomialIncreasingSchedule]
PEAKED = [*ENDING, s.PowerSchedule, s.InverseSqrtSchedule, s.InfiniteSchedule]


@pytest.mark.parametrize("kind", [*FALLING, *RISING, *PEAKED])
def test_a_schedule_falls_or_rises_or_does_one_after_the_other(kind: type[ScheduleBase]) -> None:
    @some
    @given(st.data(), st.integers(1, 30))
    def turns_once(data: st.DataObject, total_steps: int) -> None:
        schedule: Any = data.draw(schedules(total_steps, [kind], depth=0, placed=False))
        # A decay at the end leads up where a power of time has gone below its end.
        assume(not (isinstance(schedule, s.PowerSchedule) and schedule.end_value > 0))
        found = [schedule.get_value(step / 2, total_steps) for step in range(2 * total_steps + 5)]
        peak = found.index(max(found))
        rise, fall = found[: peak + 1], found[peak:]
        slack = 1e-12 * max(1, max(found))
        assert all(b >= a - slack for a, b in pairwise(rise))
        assert all(b <= a + slack for a, b in pairwise(fall))
        if kind in FALLING:
            assert found[0] >= max(found) - slack
        if kind in RISING:
            assert found[-1] >= max(found) - slack

    turns_once()


# ## Nesting
@st.composite
def three(draw: Any) -> tuple[list[ScheduleBase], list[int], int]:
    """Three schedules, the milestones of the second and third, and the length of the run."""
    first, second, third = (draw(st.integers(1, 15)) for _ in range(3))
    found = [draw(schedules(steps, depth=1)) for steps in (first, second, third)]
    return found, [first, first + second], first + second + third


@many
@given(three(), st.lists(parts, min_size=1, max_size=5))
def test_it_does_not_matter_which_two_of_three_are_put_together_first(
    run: tuple[list[ScheduleBase], list[int], int], more: list[float]
) -> None:
    (a, b, c), (second, third), total_steps = run
    flat = SequenceSchedule([a, b, c], [second, third])
    left = a.then(b, second).then(c, third)
    right = a.then(b.then(c, third - second), second)
    for step in (*range(total_steps + 2), *more):
        value = flat.get_value(step, total_steps)
        assert left.get_value(step, total_steps) == value
        # Subtracting two milestones one after the other may round a step between two.
        assert right.get_value(step, total_steps) == pytest.approx(value, rel=1e-9, abs=1e-12)
        if step == int(step):
            assert right.get_value(step, total_steps) == value


@many
@given(runs(), st.lists(parts, min_size=1, max_size=5))
def test_wrapping_that_says_nothing_changes_nothing(run: Run, steps: list[float]) -> None:
    schedule, total_steps = run
    low, high = range_of(schedule)
    wrapped = [
        schedule.scale(1),
        schedule.scale(2.0).scale(0.5),
        schedule.clip(None, None),
        schedule.clip(low - 1e-9, high + 1e-9),
        schedule * ConstantSchedule(1),
        ConstantSchedule(1) * schedule,
        ProductSchedule([schedule]),
        SequenceSchedule([schedule], []),
        SequenceSchedule([schedule], fractions=[]),
        ConstantSchedule(7).then(schedule, 0),
        schedule.over(total_steps),
    ]
    for step in steps:
        value = schedule.get_value(step, total_steps)
        assert [each.get_value(step, total_steps) for each in wrapped] == [value] * len(wrapped)


@many
@given(runs(), runs(), runs(), st.integers(0, 60))
def test_products_may_be_taken_in_any_order(a: Run, b: Run, c: Run, step: int) -> None:
    first, second, third = (schedule for schedule, _ in (a, b, c))
    total_steps = a[1]
    second, third = second.over(b[1]), third.over(c[1])
    whole = ProductSchedule([first, second, third])
    expected = pytest.approx(whole.get_value(step, total_steps), rel=1e-12, abs=1e-300)
    for nested in (first * second * third, first * (second * third), third * (second * first)):
        assert nested.get_value(step, total_steps) == expected


# ## Round trips
@many
@given(runs(kinds=made.WRITABLE), st.sampled_from(["update", "epoch"]))
def test_a_schedule_is_the_same_after_a_round_trip_through_its_configuration(
    run: Run, interval: str
) -> None:
    schedule = s.SequenceSchedule([run[0]], [], interval=interval)
    config = schedule_to_config(schedule)
    assert schedule_from_config(config) == schedule
    assert schedule_from_config(json.loads(json.dumps(config))) == schedule
    assert schedule_from_config(yaml.safe_load(yaml.safe_dump(config))) == schedule
    # JSON writes a millionth as 1e-06, which YAML reads as text.
    assert schedule_from_config(yaml.safe_load(json.dumps(config))) == schedule


@many
@given(runs(), st.integers(0, 60))
def test_a_schedule_is_the_same_after_pickling_copying_and_showing(run: Run, step: int) -> None:
    schedule, total_steps = run
    copies = [pickle.loads(pickle.dumps(schedule)), copy.copy(schedule), copy.deepcopy(schedule)]
    if "function" not in repr(schedule):
        copies.append(eval(repr(schedule), vars(s)))
    for each in copies:
        assert each == schedule
        assert hash(each) == hash(schedule)
        assert each.get_value(step, total_steps) == schedule.get_value(step, total_steps)

"""noether's two containers: parts of the run with bounds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineDecreasingSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    LinearWarmupCosineDecaySchedule,
    ScheduleBase,
    SequentialPercentSchedule,
    SequentialPercentScheduleConfig,
    SequentialStepSchedule,
    SequentialStepScheduleConfig,
)
from tests.labml_nn_optim.schedules.examples import values

Percent = SequentialPercentScheduleConfig
Step = SequentialStepScheduleConfig
DOWN = LinearDecreasingSchedule(max_value=1.0)
ONE, TWO, THREE = (ConstantSchedule(float(number)) for number in (1, 2, 3))


def in_steps(*bounds: tuple[int | None, int | None]) -> SequentialStepSchedule:
    return SequentialStepSchedule(
        [Step(ConstantSchedule(index + 1.0), *pair) for index, pair in enumerate(bounds)]
    )


def in_percents(*bounds: tuple[float | None, float | None]) -> SequentialPercentSchedule:
    return SequentialPercentSchedule(
        [Percent(ConstantSchedule(index + 1.0), *pair) for index, pair in enumerate(bounds)]
    )


def bounds_of(schedule: SequentialStepSchedule | SequentialPercentSchedule) -> list[Any]:
    name = "step" if isinstance(schedule, SequentialStepSchedule) else "percent"
    return [
        (getattr(part, f"start_{name}"), getattr(part, f"end_{name}"))
        for part in schedule.schedule_configs
    ]


# ## Bounds
@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ([(None, None)], [(0, None)]),
        ([(None, 4)], [(0, 4)]),
        ([(None, 4), (None, None)], [(0, 4), (4, None)]),
        ([(None, None), (4, None)], [(0, 4), (4, None)]),
        ([(None, 3), (None, None), (6, None)], [(0, 3), (3, 6), (6, None)]),
        ([(None, 3), (None, 5), (None, 9)], [(0, 3), (3, 5), (5, 9)]),
        ([(2, 3), (5, 7)], [(2, 3), (5, 7)]),
        ([(None, 3), (3, 3), (None, None)], [(0, 3), (3, 3), (3, None)]),
    ],
)
def test_missing_steps_follow_from_the_neighbours(given: Any, filled: Any) -> None:
    assert bounds_of(in_steps(*given)) == filled


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ([(None, None)], [(0, 1)]),
        ([(None, 0.4), (None, None)], [(0, 0.4), (0.4, 1)]),
        ([(None, None), (0.4, None)], [(0, 0.4), (0.4, 1)]),
        ([(None, 0.3), (None, None), (0.6, None)], [(0, 0.3), (0.3, 0.6), (0.6, 1)]),
        ([(0.2, 0.3), (0.5, 0.7)], [(0.2, 0.3), (0.5, 0.7)]),
    ],
)
def test_missing_fractions_follow_from_the_neighbours(given: Any, filled: Any) -> None:
    assert bounds_of(in_percents(*given)) == filled


@pytest.mark.parametrize(
    ("given", "unknown"),
    [
        ([(None, None), (None, None)], "[0].end_"),
        ([(None, 1), (None, None), (None, None)], "[1].end_"),
        ([(None, 1), (None, None), (None, None), (1, None)], "[1].end_"),
    ],
)
def test_a_bound_that_no_neighbour_tells_must_be_given(given: Any, unknown: str) -> None:
    for make, unit in ((in_steps, "step"), (in_percents, "percent")):
        with pytest.raises(ValueError, match=r"must be given, as no neighbour tells it$") as caught:
            make(*given)
        assert str(caught.value).startswith(f"schedule_configs{unknown}{unit} ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(3, 2)], "schedule_configs[0].end_step must be at least the bound before, 3, got 2"),
        (
            [(0, 5), (4, None)],
            "schedule_configs[1].start_step must be at least the bound before, 5, got 4",
        ),
        (
            [(None, 5), (None, 4)],
            "schedule_configs[1].end_step must be at least the bound before, 5, got 4",
        ),
    ],
)
def test_bounds_do_not_fall(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"must be at least") as caught:
        in_steps(*given)
    assert str(caught.value) == message
    with pytest.raises(ValueError, match=r"_percent must be at least the bound before"):
        in_percents(*[tuple(b if b is None else b / 10 for b in pair) for pair in given])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Step(ONE, -1), ValueError, "start_step must be a whole number >= 0, got -1"),
        (lambda: Step(ONE, 0, 1.5), TypeError, "end_step must be a whole number >= 0, got 1.5"),
        (lambda: Step(0.1), TypeError, "schedule must be a schedule, got 0.1"),
        (lambda: Percent(ONE, -0.1), ValueError, "start_percent must be a finite number >= 0 and"),
        (lambda: Percent(ONE, 0, 1.1), ValueError, "end_percent must be a finite number >= 0 and"),
        (lambda: Percent(ONE, "0"), TypeError, "start_percent must be a finite number >= 0 and"),
        (lambda: Percent(None), TypeError, "schedule must be a schedule, got None"),
        (
            lambda: Step(ConstantSchedule(1.0, interval="epoch")),
            ValueError,
            "interval must be given to the outermost schedule, got 'epoch' in schedule",
        ),
    ],
)
def test_a_bad_part_is_named(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        make()


@pytest.mark.parametrize("kind", [SequentialStepSchedule, SequentialPercentSchedule])
def test_parts_are_a_list_of_parts(kind: type[ScheduleBase]) -> None:
    with pytest.raises(ValueError, match=r"^schedule_configs must hold at least one schedule, got"):
        kind([])
    for value in (ONE, "ab", {"schedule": ONE}):
        with pytest.raises(TypeError, match=r"^schedule_configs must be a list, got"):
            kind(value)
    other = Percent if kind is SequentialStepSchedule else Step
    own = Step if kind is SequentialStepSchedule else Percent
    message = rf"^schedule_configs\[1\] must be a {own.__name__}, got {other.__name__}\("
    with pytest.raises(TypeError, match=message):
        kind([own(ONE), other(TWO)])


@pytest.mark.parametrize(
    ("kind", "part"), [(SequentialStepSchedule, Step), (SequentialPercentSchedule, Percent)]
)
def test_nothing_that_was_given_is_changed(kind: Any, part: Any) -> None:
    parts = [part(ONE, None, 1), part(TWO)]
    before = copy.deepcopy(parts)
    schedule = kind(parts)
    assert parts == before
    assert schedule == kind(parts)
    parts.pop()
    assert len(schedule.schedule_configs) == 2


# ## Values in steps
def test_every_part_counts_from_its_own_start_to_its_own_end() -> None:
    schedule = SequentialStepSchedule([Step(DOWN, end_step=3), Step(DOWN, end_step=7), Step(DOWN)])
    expected = [1, 1 / 2, 0, 1, 2 / 3, 1 / 3, 0, 1, 1 / 2, 0]
    assert values(schedule, 10) == pytest.approx(expected)
    assert [schedule.get_value(step, 10) for step in (10, 11, 99)] == [0, 0, 0]


def test_before_its_start_the_first_part_stands_and_in_a_gap_the_last_value_holds() -> None:
    schedule = SequentialStepSchedule([Step(DOWN, 2, 6), Step(DOWN, 8, 10)])
    expected = [1, 1, 1, 2 / 3, 1 / 3, 0, 0, 0, 1, 0, 0, 0, 0]
    assert values(schedule, 11, 13) == pytest.approx(expected)


def test_in_a_gap_the_value_is_that_of_the_last_step_and_not_of_one_after_it() -> None:
    without_end = LinearDecreasingSchedule(max_value=1.0, exclude_last=True)
    schedule = SequentialStepSchedule([Step(without_end, 0, 4), Step(ONE, 8, 10)])
    assert values(schedule, 10) == [1, 0.75, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 1, 1]


def test_a_part_without_steps_is_skipped_or_holds_its_first_value_at_the_end() -> None:
    assert values(in_steps((0, 3), (3, 3), (3, 6)), 7) == [1, 1, 1, 3, 3, 3, 3]
    last = SequentialStepSchedule([Step(TWO, 0, 3), Step(DOWN, 3, 3)])
    assert values(last, 3, 6) == [2, 2, 2, 1, 1, 1]
    first = SequentialStepSchedule([Step(DOWN, 0, 0), Step(TWO)])
    assert values(first, 3) == [2, 2, 2]


def test_a_part_without_steps_counts_as_one_of_one_step_and_one_of_one_step_holds_it() -> None:
    inside = LinearDecreasingSchedule(1.0, exclude_first=True, exclude_last=True)
    last = SequentialStepSchedule([Step(TWO, 0, 3), Step(inside, 3, 3)])
    assert values(last, 3, 6) == [2, 2, 2, 0.5, 0.5, 0.5]
    gap = SequentialStepSchedule([Step(DOWN, 0, 1), Step(TWO, 3)])
    assert values(gap, 5) == [1, 1, 1, 2, 2]


def test_an_end_at_step_0_is_no_missing_end() -> None:
    # noether reads it as the end of the run.
    assert values(SequentialStepSchedule([Step(DOWN, 0, 0)]), 4) == [1, 1, 1, 1]


def test_a_part_that_begins_after_a_short_run_holds_its_first_value() -> None:
    schedule = SequentialStepSchedule([Step(TWO, end_step=5), Step(DOWN)])
    assert values(schedule, 3, 8) == [2, 2, 2, 2, 2, 1, 1, 1]


def test_steps_need_the_length_of_the_run_only_for_a_last_part_without_an_end() -> None:
    assert not in_steps((0, 3), (5, 7)).needs_total_steps
    assert values(in_steps((0, 3), (5, 7)), count=8) == [1, 1, 1, 1, 1, 2, 2, 2]
    assert in_steps((0, 3), (5, None)).needs_total_steps
    assert in_percents((0, 0.5), (0.5, 0.7)).needs_total_steps


def test_an_overhang_prolongs_the_last_part() -> None:
    parts = [Step(ONE, end_step=2), Step(DOWN)]
    longer = SequentialStepSchedule(parts, overhang_steps=3)
    assert values(longer, 7) == values(SequentialStepSchedule(parts), 10, 7)


def test_a_warm_up_and_a_cosine_are_what_noethers_own_schedule_is_made_of() -> None:
    warmup = LinearIncreasingSchedule(1.0, exclude_first=True, exclude_last=True)
    cosine = CosineDecreasingSchedule(1.0, end_value=1e-6)
    made = SequentialStepSchedule([Step(warmup, end_step=2), Step(cosine)])
    percents = SequentialPercentSchedule([Percent(warmup, end_percent=0.2), Percent(cosine)])
    whole = LinearWarmupCosineDecaySchedule(1.0, warmup_steps=2)
    assert values(made, 11) == pytest.approx(values(whole, 11), abs=1e-15)
    assert values(percents, 11) == values(made, 11)


def test_a_warm_up_as_long_as_the_run_is_no_error_at_its_end() -> None:
    # noether asks its cosine for step -1 of 0 here.
    warmup = LinearIncreasingSchedule(1.0, exclude_first=True)
    made = SequentialStepSchedule([Step(warmup, end_step=4), Step(CosineDecreasingSchedule(1.0))])
    assert values(made, 4, 6) == [0.25, 0.5, 0.75, 1, 1, 1]


# ## Values in fractions
@pytest.mark.parametrize("total_steps", [1, 2, 3, 7, 10, 11, 20, 100, 101])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.3, 0.5, 0.99, 1.0])
def test_a_fraction_begins_at_that_of_the_last_step_rounded_down(
    fraction: float, total_steps: int
) -> None:
    found = values(in_percents((None, fraction), (None, None)), total_steps)
    assert found.count(1) == int(fraction * (total_steps - 1))
    assert found == sorted(found)


def test_an_end_of_1_is_the_end_of_the_run_and_any_other_is_rounded_down() -> None:
    halves = SequentialPercentSchedule([Percent(DOWN, end_percent=0.5), Percent(DOWN)])
    # int(0.5 * 9) = 4 steps, then 6.
    expected = [1, 2 / 3, 1 / 3, 0, 1, 0.8, 0.6, 0.4, 0.2, 0]
    assert values(halves, 10) == pytest.approx(expected)
    nearly = SequentialPercentSchedule([Percent(DOWN, end_percent=0.999)])
    # int(0.999 * 9) = 8 steps.
    assert values(nearly, 10) == pytest.approx([1 - t / 7 for t in range(8)] + [0, 0])


def test_gaps_between_fractions_hold_the_last_value() -> None:
    schedule = SequentialPercentSchedule([Percent(DOWN, 0.0, 0.3), Percent(DOWN, 0.6, 0.9)])
    assert values(schedule, 11) == [1, 0.5, 0, 0, 0, 0, 1, 0.5, 0, 0, 0]


def test_a_part_without_steps_in_a_short_run_has_its_first_value() -> None:
    schedule = SequentialPercentSchedule([Percent(DOWN, 0.5, 0.5)])
    assert values(schedule, 5, 7) == [1] * 7


def test_containers_are_nested() -> None:
    inner = SequentialPercentSchedule([Percent(ONE, end_percent=0.5), Percent(TWO)])
    outer = SequentialStepSchedule([Step(THREE, end_step=2), Step(inner, end_step=7), Step(inner)])
    # int(0.5 * 4) = 2 of 5 steps, then 1 of 4.
    assert values(outer, 11) == [3, 3, 1, 1, 2, 2, 2, 1, 2, 2, 2]

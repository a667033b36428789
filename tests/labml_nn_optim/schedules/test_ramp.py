"""Shapes of a decay: their formulas, their ends, their power and bend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from labml_nn_optim.schedules import MEANS, SHAPES, CosineDecreasingSchedule, RampSchedule
from tests.labml_nn_optim.schedules.examples import values

FORMULAS: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "power": lambda x: 1 - x,
    "cosine": lambda x: math.cos(math.pi * x / 2) ** 2,
    "1-sqrt": lambda x: 1 - x**0.5,
    "1-square": lambda x: (1 - x) * (1 + x),
    "mirror-cosine": lambda x: 2 * (1 - x) - math.cos(math.pi * x / 2) ** 2,
    "rex": lambda x: 2 * (1 - x) / (2 - x),
    "halving": lambda x: 2 ** (1 - x) - 1,
}
LEVELS: dict[str, Callable[[float], float]] = {
    "exponential": math.log,
    "inverse": lambda value: 1 / value,
    "inverse-sqrt": lambda value: 1 / value**2,
}


def test_every_shape_has_a_formula_here() -> None:
    assert FORMULAS.keys() == SHAPES.keys()
    assert LEVELS.keys() == MEANS.keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_its_formula(shape: str) -> None:
    found = values(RampSchedule(1.0, 0.2, shape), 9)
    expected = [0.2 + 0.8 * FORMULAS[shape](step / 8) for step in range(9)]
    assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("shape", MEANS)
def test_a_mean_is_a_line_between_logarithms_or_powers(shape: str) -> None:
    level = LEVELS[shape]
    for start, end in ((1.0, 0.2), (0.7, 0.2), (0.2, 3.0)):
        found = [level(value) for value in values(RampSchedule(start, end, shape), 9)]
        expected = [(1 - step / 8) * level(start) + step / 8 * level(end) for step in range(9)]
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", MEANS)
def test_a_mean_of_values_whose_powers_are_no_floats_is_one(shape: str) -> None:
    ordinary = values(RampSchedule(0.7, 0.2, shape), 9)
    tiny = values(RampSchedule(0.7e-200, 0.2e-200, shape), 9)
    assert [value * 1e200 for value in tiny] == pytest.approx(ordinary)


def test_the_exponential_is_a_power_of_the_floor() -> None:
    found = values(RampSchedule(1.0, 0.01, "exponential"), 5)
    assert found == pytest.approx([0.01 ** (step / 4) for step in range(5)])


@pytest.mark.parametrize("shape", [*SHAPES, *MEANS])
@pytest.mark.parametrize(("start", "end"), [(0.7, 0.1), (0.1, 0.7), (0.3, 0.3)])
def test_every_shape_meets_its_ends_exactly_and_turns_nowhere(
    shape: str, start: float, end: float
) -> None:
    found = values(RampSchedule(start, end, shape), 50, 60)
    assert found[0] == start
    assert found[49:] == [end] * 11
    assert found == sorted(found, reverse=start > end)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_leads_to_exactly_0(shape: str) -> None:
    assert RampSchedule(0.7, 0.0, shape).get_value(49, 50) == 0


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("bend", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_power_is_that_of_the_shape_and_the_bend_that_of_the_progress(
    shape: str, bend: float, power: float
) -> None:
    found = values(RampSchedule(1.0, 0.1, shape, power=power, bend=bend), 9)
    expected = [0.1 + 0.9 * max(0, FORMULAS[shape]((t / 8) ** bend)) ** power for t in range(9)]
    assert found == pytest.approx(expected, abs=1e-7)


def test_a_mean_bends_but_has_no_power() -> None:
    found = values(RampSchedule(1.0, 0.01, "exponential", bend=2.0), 5)
    assert found == pytest.approx([0.01 ** ((step / 4) ** 2) for step in range(5)])
    with pytest.raises(ValueError, match=r"^power must be 1 where shape is exponential, got 2"):
        RampSchedule(1.0, 0.01, "exponential", power=2.0)


def test_a_ramp_leaves_out_points_as_the_cosine_does() -> None:
    for flags in ({"exclude_first": True}, {"exclude_last": True}):
        cosine = CosineDecreasingSchedule(max_value=1.0, end_value=0.2, **flags)
        assert values(RampSchedule(1.0, 0.2, "cosine", **flags), 7) == pytest.approx(
            values(cosine, 7)
        )


@pytest.mark.parametrize("shape", MEANS)
@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_a_mean_with_0_is_refused(shape: str, ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"^shape from .* must be one of linear, .*, got"):
        RampSchedule(*ends, shape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "cosin"}, r"^shape must be one of linear, power, cosine, .*, got 'cosin'$"),
        ({"start_value": -1.0}, r"^start_value must be a finite number >= 0, got -1"),
        ({"end_value": math.inf}, r"^end_value must be a finite number >= 0, got inf"),
        ({"power": 0.0}, r"^power must be a finite number > 0, got 0"),
        ({"bend": -2.0}, r"^bend must be a finite number > 0, got -2"),
    ],
)
def test_a_bad_argument_of_a_ramp_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RampSchedule(**{"start_value": 1.0, "end_value": 0.1} | arguments)

"""The length of a run in every unit."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from labml_nn_optim.schedules import RunLength, WSDSchedule
from tests.labml_nn_optim.schedules.examples import values


@pytest.mark.parametrize(
    ("drop_last", "updates"),
    [(False, 4), (True, 3)],
)
def test_epochs_are_counted_in_batches_full_or_not(drop_last: bool, updates: int) -> None:
    run = RunLength.of_epochs(3, samples=100, batch_size=32, drop_last=drop_last)
    assert run == RunLength(3 * updates, samples_per_update=32, updates_per_epoch=updates)
    even = RunLength.of_epochs(3, samples=96, batch_size=32, drop_last=drop_last)
    assert even.total_steps == 9
    assert RunLength.of_epochs(3, 100, 32) == RunLength.of_epochs(3, 100, 32, drop_last=False)


def test_a_part_of_an_epoch_is_rounded_to_the_nearest_update_and_at_least_one() -> None:
    assert RunLength.of_epochs(1.5, samples=100, batch_size=10).total_steps == 15
    assert RunLength.of_epochs(0.26, samples=100, batch_size=10).total_steps == 3
    assert RunLength.of_epochs(0.001, samples=100, batch_size=10).total_steps == 1


@pytest.mark.parametrize(
    ("amount", "unit", "steps"),
    [
        (7, "updates", 7),
        (7.4, "updates", 7),
        (2, "epochs", 100),
        (0.5, "epochs", 25),
        (320, "samples", 10),
        (335, "samples", 10),
        (340, "samples", 11),
        (1_000_000, "tokens", 244),
        (0.1, "fraction", 100),
        (1, "fraction", 1000),
        (0, "tokens", 0),
    ],
)
def test_an_amount_of_any_unit_is_a_number_of_updates(amount: float, unit: str, steps: int) -> None:
    run = RunLength(1000, samples_per_update=32, tokens_per_update=4096, updates_per_epoch=50)
    found = run.steps(amount, unit)
    assert found == steps
    assert type(found) is int


def test_what_it_returns_is_the_length_of_a_schedule() -> None:
    run = RunLength.of_epochs(5, samples=160, batch_size=32)
    schedule = WSDSchedule(
        1.0, warmup_steps=run.steps(1, "epochs"), decay_steps=run.steps(0.2, "fraction")
    )
    assert values(schedule, run.total_steps).count(1.0) == 25 - 5 - 5 + 1


@pytest.mark.parametrize("unit", ["epochs", "samples", "tokens"])
def test_a_unit_whose_size_is_not_known_is_refused(unit: str) -> None:
    message = rf"^unit must be one whose size the run knows, got '{unit}'$"
    with pytest.raises(ValueError, match=message):
        RunLength(1000).steps(1, unit)
    assert RunLength(1000).steps(0.5, "fraction") == RunLength(1000).steps(500, "updates")


def test_an_unknown_unit_or_amount_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unit must be one of updates, epochs, .*, got 'weeks'$"):
        RunLength(1000).steps(1, "weeks")
    with pytest.raises(ValueError, match=r"^amount must be a finite number >= 0, got -1.0$"):
        RunLength(1000).steps(-1, "updates")
    with pytest.raises(TypeError, match=r"^amount must be a finite number >= 0, got '1'$"):
        RunLength(1000).steps("1", "updates")


@pytest.mark.parametrize(
    "name", ["total_steps", "samples_per_update", "tokens_per_update", "updates_per_epoch"]
)
def test_the_sizes_of_a_run_are_whole_numbers_above_0(name: str) -> None:
    for value, error in ((0, ValueError), (-1, ValueError), (2.0, TypeError), ("3", TypeError)):
        with pytest.raises(error, match=rf"^{name} must be a whole number >= 1, got {value!r}$"):
            RunLength(**{"total_steps": 10} | {name: value})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a finite number > 0, got 0.0"),
        ({"samples": 0}, ValueError, "samples must be a whole number >= 1, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number >= 1, got 0"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be a whole number >= 1, got 1.5"),
        ({"drop_last": 1}, TypeError, "drop_last must be True or False, got 1"),
        (
            {"batch_size": 200, "drop_last": True},
            ValueError,
            "batch_size must be at most samples, 100, got 200",
        ),
    ],
)
def test_epochs_that_cannot_be_counted_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        RunLength.of_epochs(**{"epochs": 1, "samples": 100, "batch_size": 10} | arguments)


def test_a_length_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunLength(10).total_steps = 20

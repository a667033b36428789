"""Epochs, samples, tokens and fractions as updates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from labml_nn_optim.schedules import RunLength

RUN = RunLength(
    total_steps=1000, samples_per_update=64, tokens_per_update=8192, updates_per_epoch=250
)


@pytest.mark.parametrize(
    ("amount", "unit", "updates"),
    [
        (7, "updates", 7),
        (7.6, "updates", 8),
        (1.5, "epochs", 375),
        (640, "samples", 10),
        (670, "samples", 10),
        (680, "samples", 11),
        (1_000_000, "tokens", 122),
        (0.25, "fraction", 250),
        (0.0, "tokens", 0),
        (1.5, "fraction", 1500),
    ],
)
def test_an_amount_of_a_unit_is_so_many_updates(amount: float, unit: str, updates: int) -> None:
    assert RUN.steps(amount, unit) == updates


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("samples", "batch_size"), [(100, 10), (101, 10), (109, 10), (10, 10)])
def test_an_epoch_has_as_many_updates_as_a_data_loader_has_batches(
    samples: int, batch_size: int, drop_last: bool
) -> None:
    loader = DataLoader(torch.zeros(samples), batch_size, drop_last=drop_last)
    run = RunLength.of_epochs(3, samples, batch_size, drop_last=drop_last)
    assert run.updates_per_epoch == len(loader)
    assert run.total_steps == 3 * len(loader)
    assert run.samples_per_update == batch_size
    assert run.tokens_per_update is None


def test_a_part_of_an_epoch_is_rounded_and_is_at_least_one_update() -> None:
    assert RunLength.of_epochs(0.26, 100, 10).total_steps == 3
    assert RunLength.of_epochs(0.001, 100, 10).total_steps == 1
    assert RunLength.of_epochs(1.5, 100, 10).steps(0.5, "epochs") == 5


@pytest.mark.parametrize("unit", ["epochs", "samples", "tokens"])
def test_a_unit_whose_size_is_unknown_is_refused(unit: str) -> None:
    message = rf"^unit must be one whose size the run knows, got '{unit}'$"
    with pytest.raises(ValueError, match=message):
        RunLength(1000).steps(1, unit)
    assert RunLength(1000).steps(0.5, "fraction") == 500


@pytest.mark.parametrize(
    ("amount", "unit", "error", "message"),
    [
        (1, "hours", ValueError, "unit must be one of updates, epochs, samples, tokens, fraction"),
        (-1, "epochs", ValueError, "amount must be a finite number >= 0, got -1"),
        ("1", "epochs", TypeError, "amount must be a finite number >= 0, got '1'"),
    ],
)
def test_a_bad_amount_is_named(
    amount: Any, unit: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        RUN.steps(amount, unit)


@pytest.mark.parametrize(
    "name", ["total_steps", "samples_per_update", "tokens_per_update", "updates_per_epoch"]
)
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_a_length_is_a_whole_number_above_0(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"^{name} must be a whole number >= 1, got {value}$"):
        RunLength(**{"total_steps": 10} | {name: value})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a finite number > 0, got 0"),
        ({"samples": 0}, ValueError, "samples must be a whole number >= 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be a whole number >= 1, got 2.5"),
        ({"drop_last": 1}, TypeError, "drop_last must be True or False, got 1"),
        (
            {"batch_size": 101, "drop_last": True},
            ValueError,
            "batch_size must be at most samples, 100, got 101",
        ),
    ],
)
def test_a_bad_argument_of_a_run_of_epochs_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        RunLength.of_epochs(**{"epochs": 3, "samples": 100, "batch_size": 10} | arguments)


def test_the_length_of_a_run_is_a_value() -> None:
    assert RunLength(10, tokens_per_update=5) == RunLength(10, None, 5)
    assert len({RunLength(10), RunLength(10), RunLength(11)}) == 2

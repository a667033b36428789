"""Bad hyper-parameters are refused at construction, in one line that says what is allowed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import WeightDecay, get_optimizer
from tests.labml_nn_optim.examples import NAMES

Bad = tuple[dict[str, Any], type[Exception], str]

FOR_ALL: list[Bad] = [
    ({"lr": -0.1}, ValueError, r"lr must be a finite number >= 0, got -0\.1"),
    ({"lr": float("inf")}, ValueError, r"lr must be .* got inf"),
    ({"lr": True}, TypeError, r"lr must be .* got True"),
    ({"lr": torch.ones(2)}, TypeError, r"lr must be"),
    ({"weight_decay": -1.0}, ValueError, r"weight_decay must be .* got -1\.0"),
    ({"weight_decay": "l2"}, TypeError, r"weight_decay must be .* got 'l2'"),
    ({"maximize": 1}, TypeError, r"maximize must be True or False, got 1"),
    ({"compile": "yes"}, TypeError, r"compile must be True or False, got 'yes'"),
    ({"per_tensor": True, "compile": True}, ValueError, r"per_tensor must be False when compile"),
    ({"foreach": True}, TypeError, r"foreach is no argument of"),
]
FOR_BETAS: list[Bad] = [
    ({"betas": 0.9}, TypeError, r"betas must be \d numbers in \[0, 1\), got 0\.9"),
    ({"betas": (0.9,) * 7}, TypeError, r"betas must be \d numbers in \[0, 1\), got \(0\.9"),
]
FOR_EPS: list[Bad] = [({"eps": None}, TypeError, r"eps must be .* got None")]
# Arguments that may be negative, or that mean something else when they are None.
SIGNED = {("adafactor", "beta2_decay")}

# Whole numbers; all other numbers may have a fraction.
COUNTS = {
    "balance_frequency",
    "max_precond_dim",
    "max_size_triangular",
    "min_8bit_size",
    "min_ndim_triangular",
    "ns_steps",
    "precondition_frequency",
    "rank",
    "seed",
    "update_proj_gap",
}


def bad_betas(defaults: tuple[float, ...]) -> Iterator[Bad]:
    for index in range(len(defaults)):
        for wrong, error in ((1.0, ValueError), (-0.1, ValueError), ("a", TypeError)):
            betas = tuple(wrong if place == index else beta for place, beta in enumerate(defaults))
            yield {"betas": betas}, error, rf"betas\[{index}\] must be .* got"


def bad_arguments(name: str) -> Iterator[Bad]:
    """Wrong values for every argument of the constructor, by the kind of its default."""
    kind = get_optimizer(name)
    yield from FOR_ALL
    yield from FOR_BETAS if kind.beta_count else [({"betas": (0.9, 0.9)}, TypeError, "betas is no")]
    no_eps = rf"eps {'must be two' if name == 'adafactor' else 'is no argument'}"
    yield from FOR_EPS if kind.has_eps else [({"eps": 1e-8}, TypeError, no_eps)]
    for key, parameter in inspect.signature(kind).parameters.items():
        if key == "betas":
            yield from bad_betas(parameter.default)
        elif isinstance(parameter.default, bool):
            yield {key: 1}, TypeError, rf"{key} must be True or False, got 1"
        elif key in COUNTS:
            yield {key: -1}, ValueError, rf"{key} must be a whole number >= \d, got -1"
            yield {key: 1.5}, TypeError, rf"{key} must be a whole number >= \d, got 1.5"
        elif isinstance(parameter.default, int | float):
            if (name, key) not in SIGNED:
                yield {key: -1.0}, ValueError, rf"{key} must be .* got -1"
            yield {key: float("nan")}, ValueError, rf"{key} must be .* got nan"
            yield {key: "a"}, TypeError, rf"{key} must be .* got 'a'"


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_argument_is_named(name: str) -> None:
    for arguments, error, message in bad_arguments(name):
        with pytest.raises(error, match=message) as caught:
            get_optimizer(name)([Parameter(torch.zeros(2))], **arguments)
        assert "\n" not in str(caught.value), arguments


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_value_of_one_group_is_refused_and_the_group_not_added(name: str) -> None:
    optimizer = get_optimizer(name)([Parameter(torch.zeros(2))])
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.add_param_group({"params": [Parameter(torch.zeros(2))], "lr": -1.0})
    assert len(optimizer.param_groups) == 1


def test_a_decay_can_be_neither_negative_nor_both_absolute_and_coupled() -> None:
    with pytest.raises(ValueError, match=r"weight_decay must be .* got -0\.5"):
        WeightDecay(-0.5)
    with pytest.raises(ValueError, match="absolute must be False when weight_decouple is False"):
        WeightDecay(0.1, weight_decouple=False, absolute=True)

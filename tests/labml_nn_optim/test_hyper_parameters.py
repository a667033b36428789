"""Bad hyper-parameters are refused at construction, in one line that says what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import WeightDecay
from tests.labml_nn_optim.examples import NAMES, make

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"lr": -0.1}, ValueError, r"lr must be a finite number >= 0, got -0\.1"),
    ({"lr": float("nan")}, ValueError, r"lr must be .* got nan"),
    ({"lr": float("inf")}, ValueError, r"lr must be .* got inf"),
    ({"lr": "fast"}, TypeError, r"lr must be .* got 'fast'"),
    ({"lr": True}, TypeError, r"lr must be .* got True"),
    ({"lr": torch.ones(2)}, TypeError, r"lr must be"),
    ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] must be .* < 1, got 1\.0"),
    ({"betas": (-0.1, 0.9)}, ValueError, r"betas\[0\] must be .* got -0\.1"),
    ({"betas": (0.9,)}, TypeError, r"betas must be 2 numbers in \[0, 1\), got \(0\.9,\)"),
    ({"betas": 0.9}, TypeError, r"betas must be 2 numbers"),
    ({"betas": ("a", 0.9)}, TypeError, r"betas\[0\] must be"),
    ({"eps": -1e-8}, ValueError, r"eps must be .* got -1e-08"),
    ({"eps": None}, TypeError, r"eps must be .* got None"),
    ({"weight_decay": -1.0}, ValueError, r"weight_decay must be .* got -1\.0"),
    ({"weight_decay": "l2"}, TypeError, r"weight_decay must be .* got 'l2'"),
    ({"maximize": 1}, TypeError, r"maximize must be True or False, got 1"),
    ({"compile": "yes"}, TypeError, r"compile must be True or False, got 'yes'"),
    ({"per_tensor": True, "compile": True}, ValueError, r"per_tensor must be False when compile"),
    ({"foreach": True}, TypeError, r"foreach is no argument of"),
    ({"optimized_update": None}, TypeError, r"optimized_update must be True or False, got None"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("arguments", "error", "message"), BAD, ids=str)
def test_a_bad_argument_is_named(
    name: str, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        make(name, [Parameter(torch.zeros(2))], **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_value_of_one_group_is_refused_and_the_group_not_added(name: str) -> None:
    optimizer = make(name, [Parameter(torch.zeros(2))])
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.add_param_group({"params": [Parameter(torch.zeros(2))], "lr": -1.0})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("name", "flag"), [("amsgrad", "amsgrad"), ("radam", "degenerated_to_sgd")]
)
def test_flags_of_single_optimizers_are_checked(name: str, flag: str) -> None:
    with pytest.raises(TypeError, match=f"{flag} must be True or False, got 1"):
        make(name, [Parameter(torch.zeros(2))], **{flag: 1})


def test_a_decay_can_be_neither_negative_nor_both_absolute_and_coupled() -> None:
    with pytest.raises(ValueError, match=r"weight_decay must be .* got -0\.5"):
        WeightDecay(-0.5)
    with pytest.raises(ValueError, match="absolute must be False when weight_decouple is False"):
        WeightDecay(0.1, weight_decouple=False, absolute=True)

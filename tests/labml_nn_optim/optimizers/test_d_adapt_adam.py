"""The bound of D-Adaptation: whom it is compared with, and who takes part in it."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import DAdaptAdam, WeightDecay
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), **arguments), steps=100)


@pytest.mark.usefixtures("float64_by_default")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"lr": 0.5, "d0": 1e-3}, {}),
        ({"d0": 1e-3, "growth_rate": 1.02}, {}),
        ({"use_bias_correction": True, "d0": 1e-2}, {"bias_correction": True, "d0": 1e-2}),
        ({"weight_decay": 0.1}, {"weight_decay": 0.1, "weight_decouple": True}),
        (
            {"weight_decay": WeightDecay(0.1, weight_decouple=False)},
            {"weight_decay": 0.1, "weight_decouple": False},
        ),
    ],
)
def test_the_bound_is_that_of_pytorch_optimizer(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    found = run(DAdaptAdam, **ours)
    assert largest_difference(found, run(pytorch_optimizer.DAdaptAdam, **(theirs or ours))) < 1e-12


def one_weight_a_group(steps: int, *rates: float, **arguments: Any) -> tuple[Any, list[float]]:
    """Weights at 1 whose gradient is their value."""
    params = [Parameter(torch.ones(1, dtype=torch.float64)) for _ in rates]
    groups = [{"params": [param], "lr": lr} for param, lr in zip(params, rates, strict=True)]
    optimizer = DAdaptAdam(groups, **arguments)
    for _ in range(steps):
        for param in params:
            param.grad = param.detach().clone()
        optimizer.step()
    return optimizer, [param.item() for param in params]


def test_the_first_bound_stands_until_two_gradients_can_be_compared() -> None:
    optimizer, _ = one_weight_a_group(1, 1.0)
    assert optimizer.param_groups[0]["d"] == 1e-6
    optimizer, _ = one_weight_a_group(10, 1.0)
    assert optimizer.param_groups[0]["d"] > 1e-6


def test_the_bound_never_falls_and_grows_no_faster_than_allowed() -> None:
    optimizer = DAdaptAdam(make_params(shapes=SMALL_SHAPES), d0=1e-3, growth_rate=1.1)
    last = 1e-3
    for step in range(1, 40):
        train(optimizer, steps=1, first=step)
        d = optimizer.param_groups[0]["d"]
        assert last <= d <= 1.1 * last * (1 + 1e-12)
        last = d


def test_a_group_with_half_of_the_rate_moves_half_as_far_and_shares_the_bound() -> None:
    _, (whole, half) = one_weight_a_group(1, 1.0, 0.5)
    assert (1 - half) / (1 - whole) == pytest.approx(0.5, rel=1e-6)
    optimizer, _ = one_weight_a_group(10, 1.0, 0.5)
    first, second = optimizer.param_groups
    assert first["d"] == second["d"] > 1e-6


def test_a_group_without_a_rate_is_left_out_and_keeps_its_averages() -> None:
    optimizer, (moving, frozen) = one_weight_a_group(30, 1.0, 0.0, weight_decay=0.1)
    _, expected = one_weight_a_group(30, 1.0, weight_decay=0.1)
    assert frozen == 1.0
    assert moving == expected[0]
    state = optimizer.state[optimizer.param_groups[1]["params"][0]]
    assert not any(state[key].any() for key in ("exp_avg", "exp_avg_sq", "s"))


def test_momentum_that_is_left_does_not_move_a_group_whose_rate_falls_to_zero() -> None:
    optimizer, (before,) = one_weight_a_group(10, 1.0)
    group = optimizer.param_groups[0]
    assert optimizer.state[group["params"][0]]["exp_avg"].item() > 0
    group["lr"] = 0.0
    optimizer.step()
    assert group["params"][0].item() == before


def test_nothing_moves_before_the_first_gradient_that_is_not_zero() -> None:
    param = Parameter(torch.ones(3))
    optimizer = DAdaptAdam([param], weight_decay=0.1)
    for gradient in (0.0, 0.0, 1.0):
        assert torch.equal(param, torch.ones(3))
        param.grad = torch.full((3,), gradient)
        optimizer.step()
    assert (param < 1).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"d0": 0.0}, ValueError, r"d0 must be a finite number > 0, got 0\.0"),
        ({"growth_rate": 0.9}, ValueError, r"growth_rate must be a finite number >= 1, got 0\.9"),
        ({"use_bias_correction": 1}, TypeError, r"use_bias_correction must be True or False"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DAdaptAdam([Parameter(torch.zeros(2))], **arguments)

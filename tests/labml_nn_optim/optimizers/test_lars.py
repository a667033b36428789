"""The ratio of LARS, who has none, and the programs that differ in that."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import LARS, SGD, L1WeightDecay, WeightDecay, WeightDecayToStart
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def run(kind: Any, **arguments: Any) -> list[Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=2.0, **arguments), steps=100)


def step(start: list[float], gradient: list[float], **arguments: Any) -> Tensor:
    """The first step of one tensor, downwards."""
    param = Parameter(torch.tensor(start, dtype=torch.float64))
    param.grad = torch.tensor(gradient, dtype=torch.float64)
    before = param.detach().clone()
    LARS([param], **arguments).step()
    return before - param.detach()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_a_step_is_the_same_part_of_every_tensor(scale: float) -> None:
    moved = step([3.0, 4.0], [2 * scale, -scale], lr=10.0, weight_decay=0.0, always_adapt=True)
    assert moved.norm().item() == pytest.approx(0.05, rel=1e-4)


def test_no_step_is_longer_than_the_ratio_promises() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        start, gradient = (torch.randn(4, generator=generator) for _ in range(2))
        moved = step(start.tolist(), gradient.tolist(), lr=10.0, weight_decay=0.3)
        assert moved.norm() <= 0.01 * start.norm() * (1 + 1e-6)


def test_the_ratio_counts_the_decay() -> None:
    # The norms are 5 and 10, so the ratio is 0.001 * 5 / (10 + 0.4 * 5).
    moved = step([3.0, 4.0], [6.0, 8.0], lr=1.0, weight_decay=0.4)
    expected = torch.tensor([7.2, 9.6], dtype=torch.float64).mul(0.001 * 5 / 12)
    torch.testing.assert_close(moved, expected, rtol=1e-8, atol=0)


def test_the_ratio_counts_the_length_of_any_kind_of_decay() -> None:
    decay = L1WeightDecay(3.0, weight_decouple=False)
    moved = step([3.0, 4.0], [6.0, 8.0], lr=1.0, weight_decay=decay)
    ratio = 0.001 * 5 / (10 + 3 * math.sqrt(2))
    expected = torch.tensor([9.0, 11.0], dtype=torch.float64).mul(ratio)
    torch.testing.assert_close(moved, expected, rtol=1e-8, atol=0)


def test_the_ratio_counts_the_way_back_to_the_start() -> None:
    decay = WeightDecayToStart(0.5, weight_decouple=False)
    param = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = LARS([param], lr=0.0, momentum=0.0, weight_decay=decay)
    param.grad = torch.tensor([6.0, 8.0], dtype=torch.float64)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 1.0
    with torch.no_grad():
        param.copy_(torch.tensor([6.0, 8.0]))
    before = param.detach().clone()
    optimizer.step()
    # The weight is 10 long and 5 from its start.
    expected = torch.tensor([7.5, 10.0], dtype=torch.float64).mul(0.001 * 10 / (10 + 0.5 * 5))
    torch.testing.assert_close(before - param.detach(), expected, rtol=1e-8, atol=0)


def test_decoupled_decay_is_not_scaled() -> None:
    moved = step([3.0, 4.0], [0.0, 0.0], lr=0.5, weight_decay=WeightDecay(0.1))
    torch.testing.assert_close(moved, torch.tensor([0.15, 0.2], dtype=torch.float64))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_decay_it_is_sgd(momentum: float) -> None:
    arguments = {"momentum": momentum, "weight_decay": 0.0}
    ours = train(LARS(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=20)
    plain = train(SGD(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=20)
    assert largest_difference(ours, plain) < 1e-15


def test_without_decay_it_may_adapt_all_the_same() -> None:
    theirs = run(timm.optim.Lars, momentum=0.9, always_adapt=True)
    assert largest_difference(run(LARS, weight_decay=0.0, always_adapt=True), theirs) < 1e-12


def test_weights_of_zero_are_thrown_by_their_first_gradient() -> None:
    param = Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = LARS([param], lr=1.0, momentum=0.0)
    lengths = []
    for _ in range(2):
        before = param.detach().clone()
        param.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
        optimizer.step()
        lengths.append((param.detach() - before).norm().item())
    assert lengths == pytest.approx([5.0, 0.005], rel=2e-3)


def test_a_gradient_of_zero_is_the_limit_of_small_ones_and_in_timm_is_not() -> None:
    def lost(kind: Any, gradient: float) -> float:
        param = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
        param.grad = torch.full_like(param, gradient)
        kind([param], lr=1.0, momentum=0.0, weight_decay=0.1).step()
        return 5 - param.detach().norm().item()

    assert lost(LARS, 0.0) == pytest.approx(lost(LARS, 1e-12)) == pytest.approx(0.005)
    assert lost(timm.optim.Lars, 1e-12) == pytest.approx(0.005)
    assert lost(timm.optim.Lars, 0.0) == pytest.approx(0.5)


def test_pytorch_optimizer_leaves_vectors_out() -> None:
    ours, theirs = (run(kind, weight_decay=0.1) for kind in (LARS, pytorch_optimizer.LARS))
    for shape, left, right in zip(SMALL_SHAPES, ours, theirs, strict=True):
        difference = largest_difference([left], [right])
        assert difference < 1e-8 if len(shape) > 1 else difference > 0.5


def test_without_decay_and_with_momentum_a_weight_that_counts_by_direction_grows() -> None:
    def length(decay: float) -> float:
        generator = torch.Generator().manual_seed(0)
        weight = Parameter(torch.ones(100, dtype=torch.float64).div(10))
        optimizer = LARS([weight], lr=10.0, weight_decay=decay, always_adapt=True)
        for _ in range(1000):
            noise = torch.randn(100, generator=generator, dtype=torch.float64) / 10
            norm = weight.detach().norm()
            axis = weight.detach() / norm
            weight.grad = (noise - axis * (axis @ noise)) / norm
            optimizer.step()
        return weight.detach().norm().item()

    assert length(0.0) > 30
    assert length(0.1) < 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"trust_coefficient": 0.0}, ValueError, "trust_coefficient must be a finite number > 0"),
        ({"momentum": 1.0}, ValueError, "momentum must be a finite number >= 0 and < 1"),
        ({"always_adapt": 1}, TypeError, "always_adapt must be True or False"),
        ({"compile": True}, ValueError, "compile and flat must be False for LARS"),
    ],
)
def test_bad_arguments_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LARS([Parameter(torch.zeros(2))], **arguments)

"""Signum: steps of one length, what that costs, and what a sign cannot see."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Signum, WeightDecay
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import CustomSchedule
from tests.labml_nn_optim.examples import largest_difference, make_params, train


def walk(gradients: list[float], **arguments: Any) -> list[float]:
    """Where a weight that starts at 0 is after each of the `gradients`."""
    theta = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = Signum([theta], **arguments)
    places = []
    for gradient in gradients:
        theta.grad = torch.full_like(theta, gradient)
        optimizer.step()
        places.append(theta.item())
    return places


def test_the_average_decides_the_direction_and_the_rate_the_length() -> None:
    # m = 0.5, 0.25, -0.375, 0
    found = walk([1.0, 0.0, -1.0, 0.375], lr=0.25, momentum=0.5)
    assert found == [-0.25, -0.5, -0.25, -0.25]


def test_an_average_begins_when_a_schedule_lets_it() -> None:
    theta = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = Signum([theta], lr=0.25, momentum=0.5)
    scheduler = Scheduler(optimizer, CustomSchedule((0.0, 0.0, 0.5, 0.5, 0.5)), "momentum")
    places = []
    # From the third gradient on, m = 0.5, -0.25, 0
    for gradient in (1.0, -1.0, 1.0, -1.0, 0.25):
        theta.grad = torch.full_like(theta, gradient)
        optimizer.step()
        scheduler.step()
        places.append(theta.item())
    assert places == [-0.25, 0.0, -0.25, 0.0, 0.0]


def test_without_momentum_it_is_sign_descent_and_stores_nothing() -> None:
    assert walk([3.0, -1e-30, 0.0], lr=0.25, momentum=0.0) == [-0.25, 0.0, 0.0]
    params = make_params(shapes=[(3,)])
    optimizer = Signum(params, momentum=0.0)
    train(optimizer, steps=1)
    assert list(optimizer.state[params[0]]) == ["step"]


@settings(max_examples=20, deadline=None)
@given(
    gradients=st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=8),
    factor=st.sampled_from([2.0**-40, 0.5, 1024.0]),
)
def test_a_factor_on_all_gradients_changes_nothing(gradients: list[int], factor: float) -> None:
    plain = walk([float(g) for g in gradients], lr=0.25)
    assert walk([g * factor for g in gradients], lr=0.25) == plain


@pytest.mark.parametrize("steepness", [100.0, 1e6])
def test_steps_down_a_bowl_do_not_depend_on_how_steep_it_is(steepness: float) -> None:
    curvature = torch.tensor([steepness, 1.0], dtype=torch.float64)
    theta = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = Signum([theta], lr=0.01, momentum=0.0)
    for _ in range(100):
        theta.grad = curvature * theta.detach()
        optimizer.step()
    assert theta.detach().abs().max().item() < 1e-12
    for _ in range(5):
        theta.grad = curvature * theta.detach()
        optimizer.step()
    assert theta.detach().abs().max().item() == pytest.approx(0.01)


def test_a_rare_large_gradient_is_outvoted_without_a_long_average() -> None:
    def place(momentum: float) -> float:
        generator = torch.Generator().manual_seed(0)
        theta = Parameter(torch.zeros(400, dtype=torch.float64))
        optimizer = Signum([theta], lr=0.001, momentum=momentum)
        for _ in range(2000):
            rare = torch.rand(400, generator=generator, dtype=torch.float64) < 0.1
            theta.grad = torch.where(rare, -10.0, 1.0).double()
            optimizer.step()
        return theta.detach().mean().item()

    assert place(0.0) == pytest.approx(-1.6, abs=0.01)
    assert place(0.99) == pytest.approx(0.62, abs=0.1)


def test_after_one_gradient_it_walks_on_for_ever_even_in_float32() -> None:
    theta = Parameter(torch.zeros(1))
    optimizer = Signum([theta], lr=0.001)
    theta.grad = torch.ones(1)
    optimizer.step()
    theta.grad = torch.zeros(1)
    for _ in range(1999):
        optimizer.step()
    assert theta.item() == pytest.approx(-2.0, abs=0.01)


def test_one_huge_gradient_holds_the_sign_of_the_average_for_43_steps() -> None:
    places = walk([1000.0] + [-1.0] * 60, lr=1.0, momentum=0.9)
    assert places.index(min(places)) == 43


@settings(max_examples=20, deadline=None)
@given(start=st.floats(-100, 100), weight_decay=st.floats(0.1, 2))
def test_decoupled_decay_keeps_a_weight_within_its_inverse(
    start: float, weight_decay: float
) -> None:
    theta = Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = Signum([theta], lr=0.4, momentum=0.0, weight_decay=weight_decay)
    for _ in range(500):
        theta.grad = -theta.detach().sign()
        optimizer.step()
    assert abs(theta.item()) <= 1 / weight_decay + 1e-5


def test_decay_in_the_gradient_is_lost_where_gradients_are_large() -> None:
    def left(**kind: bool) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        size = torch.tensor([[10.0], [0.1]], dtype=torch.float64)
        theta = Parameter(torch.ones(2, 500, dtype=torch.float64))
        optimizer = Signum([theta], lr=0.001, weight_decay=WeightDecay(0.5, **kind))
        for _ in range(2000):
            theta.grad = size * torch.randn(2, 500, generator=generator, dtype=torch.float64)
            optimizer.step()
        return theta.detach().mean(1)

    expected = torch.full((2,), math.exp(-1), dtype=torch.float64)
    torch.testing.assert_close(left(), expected, atol=0.02, rtol=0)
    expected = torch.tensor([0.71, 0.0], dtype=torch.float64)
    torch.testing.assert_close(left(weight_decouple=False), expected, atol=0.02, rtol=0)


def test_a_complex_step_is_the_root_of_two_longer_than_pytorch_optimizers() -> None:
    def moved(kind: Any, **arguments: Any) -> complex:
        theta = Parameter(torch.zeros(1, dtype=torch.complex128))
        theta.grad = torch.full_like(theta, 3 + 4j)
        kind([theta], lr=1.0, momentum=0.0, **arguments).step()
        return complex(theta.item())

    assert moved(pytorch_optimizer.SignSGD, foreach=False) == pytest.approx(-0.6 - 0.8j)
    assert moved(Signum) == -1 - 1j


def test_pytorch_optimizer_makes_the_same_steps_without_momentum() -> None:
    theirs = pytorch_optimizer.SignSGD(make_params(shapes=[(13, 7), ()]), lr=0.02, momentum=0.0)
    ours = Signum(make_params(shapes=[(13, 7), ()]), lr=0.02, momentum=0.0)
    assert largest_difference(train(ours, steps=100), train(theirs, steps=100)) == 0

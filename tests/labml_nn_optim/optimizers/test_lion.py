"""Lion: two averages in one state, steps of one length, and decay that no sign may see."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import AdamW, Lion, Signum, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def run(kind: Any, **arguments: Any) -> list[Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)


def test_the_step_looks_at_the_momentum_of_the_step_before() -> None:
    # c = 0.5, 0.25, -0.125, 0; m = 0.25, 0.25, 0.078125
    found = steps_of(Lion, [1.0, 0.25, -0.4375, -0.078125], lr=0.25, betas=(0.5, 0.75))
    assert found == [0.25, 0.25, -0.25, 0.0]


def test_the_state_is_one_tensor_and_follows_the_second_beta() -> None:
    param = Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Lion([param], betas=(0.5, 0.75))
    for _ in range(2):
        param.grad = torch.ones_like(param)
        optimizer.step()
    assert optimizer.state[param].keys() == {"step", "exp_avg"}
    assert optimizer.state[param]["exp_avg"].tolist() == [1 - 0.75**2] * 3


@settings(max_examples=20, deadline=None)
@given(gradients=st.lists(st.floats(1e-20, 1e20), min_size=1, max_size=8))
def test_every_step_is_as_long_as_the_rate(gradients: list[float]) -> None:
    signed = [g * (-1) ** index for index, g in enumerate(gradients)]
    assert {abs(step) for step in steps_of(Lion, signed, lr=0.25)} == {0.25}


def test_equal_betas_make_signum() -> None:
    theirs = run(Signum, momentum=0.9)
    assert largest_difference(run(Lion, betas=(0.9, 0.9)), theirs) == 0
    assert largest_difference(run(Lion), theirs) > 0.1


def test_the_authors_formula_gives_the_same_steps() -> None:
    def formula(params: list[Parameter]) -> list[Tensor]:
        momenta = [torch.zeros_like(param) for param in params]

        class Authors(torch.optim.Optimizer):
            def step(self, closure: Any = None) -> None:
                for param, momentum in zip(params, momenta, strict=True):
                    assert param.grad is not None
                    direction = torch.sign(0.9 * momentum + 0.1 * param.grad)
                    param.data = param.data * (1 - 0.02 * 0.1) - 0.02 * direction
                    momentum.copy_(0.99 * momentum + 0.01 * param.grad)

        return train(Authors(params, {}), steps=100)

    ours = run(Lion, weight_decay=0.1)
    assert largest_difference(ours, formula(make_params(shapes=SMALL_SHAPES))) < 1e-12


@pytest.mark.parametrize("decouple", [True, False])
def test_pytorch_optimizer_makes_the_same_steps_with_either_decay(decouple: bool) -> None:
    theirs = run(pytorch_optimizer.Lion, weight_decay=0.1, weight_decouple=decouple)
    ours = run(Lion, weight_decay=WeightDecay(0.1, weight_decouple=decouple))
    assert largest_difference(ours, theirs) == 0


def test_caution_is_that_of_timm() -> None:
    theirs = run(timm.optim.Lion, weight_decay=0.1, caution=True)
    assert largest_difference(run(Lion, weight_decay=0.1, cautious=True), theirs) < 1e-12


def test_decay_in_the_gradient_ignores_its_own_size_where_gradients_are_small() -> None:
    def left(**kind: bool) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        size = torch.tensor([[10.0], [0.1]], dtype=torch.float64)
        theta = Parameter(torch.ones(2, 1000, dtype=torch.float64))
        optimizer = Lion([theta], lr=0.001, weight_decay=WeightDecay(0.5, **kind))
        for _ in range(2000):
            noise = torch.randn(2, 1000, generator=generator, dtype=torch.float64)
            theta.grad = size * noise
            optimizer.step()
        return theta.detach().mean(1)

    expected = torch.full((2,), math.exp(-1), dtype=torch.float64)
    torch.testing.assert_close(left(), expected, atol=0.02, rtol=0)
    expected = torch.tensor([0.51, 0.0], dtype=torch.float64)
    torch.testing.assert_close(left(weight_decouple=False), expected, atol=0.03, rtol=0)


@settings(max_examples=20, deadline=None)
@given(start=st.floats(-100, 100), weight_decay=st.floats(0.1, 2))
def test_decoupled_decay_leads_into_the_box_and_keeps_there(
    start: float, weight_decay: float
) -> None:
    theta = Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = Lion([theta], lr=0.4, weight_decay=weight_decay)
    beyond = max(abs(start) - 1 / weight_decay, 0.0)
    for _ in range(50):
        theta.grad = -theta.detach().sign()
        optimizer.step()
        beyond *= 1 - 0.4 * weight_decay
        assert abs(theta.item()) <= 1 / weight_decay + beyond + 1e-9


def test_noise_keeps_adamw_from_the_wall_and_hardly_lion() -> None:
    def place(kind: Any) -> float:
        generator = torch.Generator().manual_seed(0)
        theta = Parameter(torch.zeros(200, dtype=torch.float64))
        optimizer = kind([theta], lr=0.001, weight_decay=1.0)
        for _ in range(5000):
            noise = torch.randn(200, generator=generator, dtype=torch.float64)
            theta.grad = theta.detach() - 3 + 10 * noise
            optimizer.step()
        return theta.detach().mean().item()

    assert place(Lion) == pytest.approx(0.92, abs=0.02)
    assert place(AdamW) == pytest.approx(0.26, abs=0.02)


@pytest.mark.parametrize(("sign", "weight_decay"), [(1.0, 0.0), (-1.0, 0.0), (-1.0, 10.0)])
def test_weights_in_bfloat16_stand_still_where_neighbours_are_far_apart(
    sign: float, weight_decay: float
) -> None:
    start = torch.tensor([0.01, 0.03, 0.032, 0.04, 0.5], dtype=torch.bfloat16)
    theta = Parameter(start.clone())
    optimizer = Lion([theta], lr=1e-4, weight_decay=weight_decay)
    for _ in range(20):
        theta.grad = torch.full_like(theta, sign)
        optimizer.step()
    moved = theta.detach() != start
    assert moved.tolist() == [True, True, False, False, False]


def test_after_one_gradient_it_walks_on() -> None:
    theta = Parameter(torch.zeros(1))
    optimizer = Lion([theta], lr=1e-4)
    theta.grad = torch.ones(1)
    optimizer.step()
    theta.grad = torch.zeros(1)
    for _ in range(1999):
        optimizer.step()
    assert theta.item() == pytest.approx(-0.2, abs=1e-3)


@pytest.mark.parametrize(("size", "steps"), [(10.0, 1), (100.0, 60), (1000.0, 230)])
def test_a_large_gradient_holds_the_direction_for_long(size: float, steps: int) -> None:
    moves = steps_of(Lion, [size] + [-1.0] * steps, lr=1.0)
    assert moves == [1.0] * steps + [-1.0]


def test_the_average_of_noise_is_that_of_its_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    theta = Parameter(torch.zeros(20_000))
    optimizer = Lion([theta], lr=1.0)
    for step in range(601):
        before = theta.detach().clone()
        theta.grad = 0.1 + torch.randn(20_000, generator=generator)
        optimizer.step()
        if step in (0, 9, 600):
            progress = (before - theta.detach()).mean().item()
            expected = {0: 0.08, 9: 0.14, 600: 0.60}[step]
            assert progress == pytest.approx(expected, abs=0.02)

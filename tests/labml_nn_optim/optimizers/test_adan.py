"""The difference of gradients in Adan, its first step, its decay, and the programs that differ in them."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from torch.nn import Parameter

from labml_nn_optim import Adan, NAdamW, ProximalWeightDecay, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make_params,
    steps_of,
    train,
)

NOT_COMPILED = [way for way in WAYS if "compile" not in way]
BETAS = (0.98, 0.92, 0.99)


def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)


def steps_for(gradients: list[float], **arguments: Any) -> list[float]:
    return steps_of(Adan, gradients, lr=1.0, **arguments)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_number_is_the_proximal_decay_of_timm(decay: float, foreach: bool) -> None:
    theirs = run(timm.optim.Adan, weight_decay=decay, foreach=foreach)
    assert largest_difference(run(Adan, weight_decay=decay), theirs) < 1e-14
    spelled = run(Adan, weight_decay=ProximalWeightDecay(decay))
    assert largest_difference(spelled, theirs) < 1e-14


def test_pytorch_optimizer_decays_by_its_flag() -> None:
    proximal = run(pytorch_optimizer.Adan, weight_decay=0.1)
    decoupled = run(pytorch_optimizer.Adan, weight_decay=0.1, weight_decouple=True)
    assert largest_difference(run(Adan, weight_decay=0.1), proximal) < 1e-14
    assert largest_difference(run(Adan, weight_decay=WeightDecay(0.1)), decoupled) < 1e-14
    assert largest_difference(proximal, decoupled) == pytest.approx(0.00143, abs=2e-5)


def test_a_group_with_a_number_keeps_the_kind_that_the_optimizer_was_given() -> None:
    def kind_of(**arguments: Any) -> str:
        groups = [{"params": [Parameter(torch.ones(1))], "weight_decay": 0.2}]
        return Adan(groups, **arguments).param_groups[0]["weight_decay_kind"]

    assert kind_of() == kind_of(weight_decay=0.1) == "ProximalWeightDecay"
    assert kind_of(weight_decay=WeightDecay(0.1)) == "WeightDecay"


def test_a_constant_gradient_makes_constant_steps() -> None:
    assert steps_for([3.0] * 5) == pytest.approx([1.0] * 5)


@pytest.mark.parametrize("way", NOT_COMPILED)
def test_the_first_gradient_differs_from_none(way: str) -> None:
    param = Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = Adan([param], **WAYS[way])
    first, second = torch.tensor([[1.0, -2.0], [4.0, -2.0]], dtype=torch.float64)
    for gradient, difference in ((first, torch.zeros(2)), (second, 0.08 * (second - first))):
        param.grad = gradient.clone()
        optimizer.step()
        state = optimizer.state[param]
        torch.testing.assert_close(state["exp_avg_diff"], difference.double())
        assert torch.equal(state["previous_grad"], gradient)
    squares = 0.01 * (0.99 * first**2 + (second + 0.92 * (second - first)) ** 2)
    torch.testing.assert_close(state["exp_avg_sq"], squares)
    assert sorted(state) == ["exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad", "step"]


def test_its_average_of_differences_is_the_gradient_less_an_average_of_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.zeros(50, dtype=torch.float64))
    optimizer = Adan([param])
    average = None
    for _ in range(30):
        param.grad = torch.randn(50, generator=generator, dtype=torch.float64)
        average = param.grad.clone() if average is None else average.lerp(param.grad, 0.08)
        optimizer.step()
        expected = 0.08 / 0.92 * (param.grad - average)
        torch.testing.assert_close(optimizer.state[param]["exp_avg_diff"], expected)


def test_with_one_rate_its_direction_is_that_of_nadamw() -> None:
    # After many steps nothing is left of where the averages began, nor of the corrections.
    gradients = torch.randn(1500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = Parameter(torch.zeros(1, dtype=torch.float64))
    theirs = Parameter(torch.zeros(1, dtype=torch.float64))
    # Without memory of squares, each divides by a size of the moment, which is taken out again.
    first = Adan([ours], lr=1.0, betas=(0.98, 0.98, 0.0), eps=0.0)
    second = NAdamW([theirs], lr=1.0, betas=(0.98, 0.0), eps=0.0, weight_decay=0.0)
    previous = torch.zeros(1)
    for gradient in gradients:
        before = ours.item(), theirs.item()
        for param, optimizer in ((ours, first), (theirs, second)):
            param.grad = gradient.reshape(1)
            optimizer.step()
        size = (gradient + 0.98 * (gradient - previous)).abs().item()
        directions = (ours.item() - before[0]) * size, (theirs.item() - before[1]) * abs(gradient)
        previous = gradient
    assert directions[0] == pytest.approx(float(directions[1]), rel=1e-9)


def test_nesterov_in_three_forms_goes_the_same_way() -> None:
    alpha, beta = 0.1, 0.9
    point, velocity = 1.0, 0.0
    ahead, average = 1.0, 0.0
    theta, speed, previous = 1.0, 0.0, 0.0
    for step in range(50):
        velocity = beta * velocity + (point - alpha * beta * velocity)
        point -= alpha * velocity
        average = beta * average + ahead
        ahead -= alpha * (ahead + beta * average)
        gradient = theta
        speed = beta * speed + gradient + beta * (gradient - (previous if step else 0.0))
        theta, previous = theta - alpha * speed, gradient
        assert theta == pytest.approx(ahead, abs=1e-14)
        assert theta == pytest.approx(point - alpha * beta * velocity, abs=1e-14)


def test_on_noise_its_steps_are_a_quarter_of_those_of_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.zeros(4000, dtype=torch.float64))
    optimizer = Adan([param], lr=1.0)
    for _ in range(600):
        before = param.detach().clone()
        param.grad = torch.randn(4000, generator=generator, dtype=torch.float64)
        optimizer.step()
    length = (param.detach() - before).square().mean().sqrt().item()
    assert length == pytest.approx(0.0600, abs=0.003)
    divisor = optimizer.state[param]["exp_avg_sq"].mean().sqrt().item()
    assert divisor == pytest.approx(((1 + 0.92) ** 2 + 0.92**2) ** 0.5, rel=0.02)


def test_decay_in_the_gradient_is_in_the_differences() -> None:
    param = Parameter(torch.full((1,), 2.0, dtype=torch.float64))
    optimizer = Adan([param], lr=0.0, weight_decay=WeightDecay(0.5, weight_decouple=False))
    param.grad = torch.ones_like(param)
    optimizer.step()
    assert optimizer.state[param]["previous_grad"].item() == 2.0


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.02, 0.08, 0.01, 0.5)])
def test_it_wants_three_rates(betas: Any) -> None:
    with pytest.raises(TypeError, match=r"betas must be 3 numbers in \[0, 1\), got"):
        Adan([Parameter(torch.zeros(2))], betas=betas)

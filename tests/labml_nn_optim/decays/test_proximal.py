"""Proximal decay divides after the update."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import SGD, AdamW, ProximalWeightDecay, WeightDecay
from tests.labml_nn_optim.examples import largest_difference


def after_steps(decay: WeightDecay, gradients: list[float], start: float = 2.0) -> float:
    param = Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = SGD([param], lr=0.5, momentum=0.0, weight_decay=decay)
    for gradient in gradients:
        param.grad = torch.full_like(param, gradient)
        optimizer.step()
    return param.item()


def test_it_divides_what_the_update_has_left() -> None:
    assert after_steps(ProximalWeightDecay(0.2), [1.0]) == pytest.approx((2 - 0.5) / 1.1)
    assert after_steps(WeightDecay(0.2), [1.0]) == pytest.approx(2 * 0.9 - 0.5)


def test_absolute_decay_does_not_multiply_by_lr() -> None:
    decay = ProximalWeightDecay(0.2, absolute=True)
    assert after_steps(decay, [1.0]) == pytest.approx((2 - 0.5) / 1.2)


@pytest.mark.parametrize("strength", [1e-6, 1.0, 1e6])
def test_no_strength_takes_a_weight_across_zero(strength: float) -> None:
    assert 0 < after_steps(ProximalWeightDecay(strength), [0.0] * 3) < 2
    assert after_steps(WeightDecay(3.0), [0.0]) < 0


def test_the_two_kinds_lie_on_two_sides_of_the_exponential() -> None:
    for amount in (0.01, 0.1, 0.5):
        proximal = after_steps(ProximalWeightDecay(2 * amount), [0.0], start=1.0)
        decoupled = after_steps(WeightDecay(2 * amount), [0.0], start=1.0)
        assert decoupled < math.exp(-amount) < proximal
        assert proximal * (1 - amount**2) == pytest.approx(decoupled)


@pytest.mark.parametrize("kind", [WeightDecay, ProximalWeightDecay])
def test_both_kinds_come_to_rest_in_one_place(kind: Any) -> None:
    def rest(optimizer_kind: Any, gradient: Any, **arguments: Any) -> float:
        param = Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = optimizer_kind([param], weight_decay=kind(0.4), **arguments)
        for _ in range(2000):
            param.grad = gradient(param.detach())
            optimizer.step()
        return param.item()

    assert rest(SGD, lambda theta: theta - 3, lr=0.1, momentum=0.0) == pytest.approx(3 / 1.4)
    assert rest(AdamW, lambda theta: -torch.ones_like(theta), lr=0.1) == pytest.approx(1 / 0.4)


def test_it_is_the_minimum_of_distance_and_penalty() -> None:
    # $\frac{1}{2} (x - z)^2 + \frac{1}{2} \alpha\lambda x^2$ on a fine grid.
    place = torch.linspace(-3, 3, 600_001, dtype=torch.float64)
    target = 2 - 0.5
    cost = 0.5 * (place - target) ** 2 + 0.5 * 0.1 * place**2
    found = after_steps(ProximalWeightDecay(0.2), [1.0])
    assert found == pytest.approx(place[cost.argmin()].item(), abs=1e-5)


def test_it_cannot_be_coupled() -> None:
    with pytest.raises(ValueError, match="weight_decouple must be True for ProximalWeightDecay"):
        ProximalWeightDecay(0.1, weight_decouple=False)


def test_a_hundred_steps_equal_the_division_around_torchs_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(400, generator=generator, dtype=torch.float64)
    ours, theirs = Parameter(start.clone()), Parameter(start.clone())
    optimizer = AdamW([ours], lr=0.02, weight_decay=ProximalWeightDecay(0.5))
    adam = torch.optim.Adam([theirs], lr=0.02)
    for _ in range(100):
        noise = torch.randn(400, generator=generator, dtype=torch.float64)
        for param, each in ((ours, optimizer), (theirs, adam)):
            param.grad = 0.3 * param.detach() + noise
            each.step()
        with torch.no_grad():
            theirs.div_(1 + 0.02 * 0.5)
    assert largest_difference([ours.detach()], [theirs.detach()]) < 1e-14
    assert largest_difference([ours.detach()], [start]) > 0.1

"""Grams: Adam's size, the gradient's sign, and the programs that differ in the rest."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import Adam, Grams, RMSprop, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    noise,
    steps_of,
    train,
)


def test_after_a_turn_of_the_gradient_it_turns_at_once() -> None:
    gradients = [1.0] * 100 + [-1.0] * 11
    ours, adams = steps_of(Grams, gradients, lr=1.0), steps_of(Adam, gradients, lr=1.0)
    assert ours[100:106] == pytest.approx([-step for step in adams[100:106]], abs=1e-5)
    assert ours[106:] == pytest.approx(adams[106:], abs=1e-5)
    assert ours[99:104] == pytest.approx([1, -0.8, -0.62, -0.458, -0.312], abs=1e-3)


def test_every_step_has_the_size_of_adams_and_the_sign_of_the_gradient() -> None:
    params = [make_params(shapes=[(30, 4)])[0] for _ in range(2)]
    optimizers = [Grams([params[0]], lr=0.1, eps=1e-8), Adam([params[1]], lr=0.1)]
    for step in range(1, 8):
        gradient = noise(params[0].shape, step, 0)
        moved = []
        for param, optimizer in zip(params, optimizers, strict=True):
            before = param.detach().clone()
            param.grad = gradient.clone()
            optimizer.step()
            moved.append(before - param.detach())
        ours, adams = moved
        torch.testing.assert_close(ours.abs(), adams.abs(), rtol=1e-9, atol=1e-13)
        assert torch.equal(ours.sign(), gradient.sign())


def test_a_gradient_of_zero_does_not_move_a_weight() -> None:
    assert steps_of(Grams, [1.0, 0.0], lr=1.0)[1] == 0
    assert steps_of(Adam, [1.0, 0.0], lr=1.0)[1] > 0.6


def test_epsilon_is_added_to_the_corrected_root() -> None:
    # The authors add it before the correction, and would go 0.031.
    assert steps_of(Grams, [1e-6], lr=1.0) == pytest.approx([0.5])


def test_without_beta1_it_is_rmsprop_with_a_correction() -> None:
    gradients = [0.3, -1.0, 0.2, 0.7]
    ours = steps_of(Grams, gradients, lr=1.0, betas=(0.0, 0.9), eps=1e-8)
    assert ours == pytest.approx(steps_of(Adam, gradients, lr=1.0, betas=(0.0, 0.9)))
    plain = steps_of(RMSprop, gradients, lr=1.0, alpha=0.9)
    corrections = [(1 - 0.9**step) ** 0.5 for step in range(1, 5)]
    assert ours == pytest.approx(
        [step * factor for step, factor in zip(plain, corrections, strict=True)], rel=1e-6
    )


def test_gradients_that_swing_around_a_mean_are_answered_with_half_of_adams_drift() -> None:
    gradients = [0.1 + (-1.0) ** step for step in range(3000)]

    def drift(kind: Any) -> float:
        return sum(steps_of(kind, gradients, lr=1.0)[-1000:]) / 1000

    assert drift(Adam) == pytest.approx(0.0995, abs=1e-3)
    assert drift(Grams) == pytest.approx(0.0524, abs=1e-3)


def test_in_skewed_noise_the_majority_wins() -> None:
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.zeros(500))
    optimizer = Grams([param], lr=0.02)
    for _ in range(1500):
        rare = torch.rand(500, generator=generator) < 0.1
        param.grad = param.detach() + torch.where(rare, 9.0, -1.0)
        optimizer.step()
    assert param.mean().item() == pytest.approx(1.0, abs=0.05)


def test_decay_in_the_gradient_decides_on_the_sign_too() -> None:
    param = Parameter(torch.full((1,), 2.0, dtype=torch.float64))
    param.grad = torch.full_like(param, -0.5)
    Grams([param], lr=0.1, weight_decay=WeightDecay(0.5, weight_decouple=False)).step()
    assert param.item() == pytest.approx(1.9, rel=1e-6)


def test_pytorch_optimizer_loses_decay_that_is_in_the_gradient() -> None:
    def run(**arguments: Any) -> list[torch.Tensor]:
        params = make_params(shapes=SMALL_SHAPES)
        return train(pytorch_optimizer.Grams(params, lr=0.02, **arguments), steps=10)

    coupled = run(weight_decay=0.1, weight_decouple=False)
    assert largest_difference(coupled, run(weight_decay=0.0)) == 0


def test_the_gradient_is_left_as_it_was() -> None:
    param = Parameter(torch.zeros(2))
    param.grad = torch.tensor([3.0, -4.0])
    Grams([param]).step()
    assert param.grad.tolist() == [3.0, -4.0]

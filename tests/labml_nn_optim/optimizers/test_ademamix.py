"""The two averages of AdEMAMix, their warm-up, and the programs that differ in it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import AdamW, AdEMAMix, WeightDecay
from labml_nn_optim.optimizers.ademamix import decay_rate, half_life
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)


def scalars_at(step: int, **arguments: Any) -> dict[str, Any]:
    optimizer = AdEMAMix([Parameter(torch.zeros(1))], **arguments)
    return optimizer.scalars(optimizer.param_groups[0], step)


def reference(
    gradients: list[float], alpha: float, beta3s: list[float], alphas: list[float]
) -> list[float]:
    """Written from the paper's formulas, one weight, no decay."""
    fast = slow = square = 0.0
    steps = []
    for step, (gradient, beta3, mixing) in enumerate(
        zip(gradients, beta3s, alphas, strict=True), start=1
    ):
        fast = 0.9 * fast + 0.1 * gradient
        slow = beta3 * slow + (1 - beta3) * gradient
        square = 0.999 * square + 0.001 * gradient**2
        above = fast / (1 - 0.9**step) + mixing * slow
        steps.append(alpha * above / (math.sqrt(square / (1 - 0.999**step)) + 1e-8))
    return steps


@pytest.mark.parametrize("warmup", [None, 1, 4, 30])
def test_it_is_the_formula_of_the_paper(warmup: int | None) -> None:
    gradients = [math.sin(0.7 * step) + 0.2 for step in range(1, 21)]
    low, high = math.log(0.9), math.log(0.9999)
    beta3s, alphas = [], []
    for step in range(1, 21):
        part = 1.0 if warmup is None else min(1.0, step / warmup)
        beta3s.append(math.exp(low * high / ((1 - part) * high + part * low)))
        alphas.append(5.0 * part)
    expected = reference(gradients, 0.01, beta3s, alphas)
    found = steps_of(AdEMAMix, gradients, lr=0.01, t_alpha_beta3=warmup)
    assert found == pytest.approx(expected, rel=1e-11)


def test_the_half_life_rises_in_a_straight_line_and_so_does_alpha() -> None:
    first, last = half_life(0.9), half_life(0.9999)
    for step in (1, 250, 500, 999, 1000, 5000):
        part = min(1.0, step / 1000)
        found = scalars_at(step, lr=1.0, t_alpha_beta3=1000)
        without = scalars_at(step, lr=1.0)
        life = half_life(1 - found["slow_weight"])
        assert life == pytest.approx((1 - part) * first + part * last, rel=1e-9)
        assert found["slow_rate"] == pytest.approx(part * without["slow_rate"])
        assert found["fast_rate"] == without["fast_rate"]


def test_half_lives_and_decay_rates_belong_together() -> None:
    assert half_life(0.5) == 1.0
    assert half_life(0.9999) == pytest.approx(6931.125, abs=1e-3)
    assert half_life(0.0) == decay_rate(0.0) == 0.0
    for beta in (0.0, 1e-300, 0.3, 0.9, 0.9999, 1 - 1e-12):
        assert decay_rate(half_life(beta)) == pytest.approx(beta, rel=1e-12)


@pytest.mark.parametrize("betas", [(0.0, 0.999, 0.9999), (0.0, 0.0, 0.0), (0.99, 0.9, 0.5)])
def test_the_warm_up_goes_between_any_two_rates(betas: tuple[float, float, float]) -> None:
    rates = [
        1 - scalars_at(step, betas=betas, t_alpha_beta3=10)["slow_weight"] for step in range(1, 11)
    ]
    assert rates == sorted(rates, reverse=betas[0] > betas[2])
    assert rates[-1] == pytest.approx(betas[2], abs=1e-15)


def test_without_a_slow_average_it_is_adamw() -> None:
    decay = {"weight_decay": 0.1}
    assert largest_difference(run(AdEMAMix, alpha=0.0, **decay), run(AdamW, **decay)) < 1e-12


def test_the_slow_average_is_not_corrected() -> None:
    found = steps_of(AdEMAMix, [3.0] * 1000, lr=1.0)
    expected = [1 + 5 * (1 - 0.9999**step) for step in (1, 10, 1000)]
    assert [found[0], found[9], found[999]] == pytest.approx(expected, rel=1e-6)


def test_a_memory_longer_than_the_run_never_turns_round() -> None:
    gradients = [1.0] * 300 + [-0.2] * 2700

    def steps_for(beta3: float, **arguments: Any) -> list[float]:
        return steps_of(AdEMAMix, gradients, lr=1.0, betas=(0.9, 0.999, beta3), **arguments)

    def turns_after(steps: list[float]) -> int:
        return next(place for place, step in enumerate(steps, start=1) if step < 0) - 300

    assert turns_after(steps_for(0.9967)) == 376
    assert turns_after(steps_for(0.9967, t_alpha_beta3=3000)) == 36
    too_long = steps_for(0.9999, t_alpha_beta3=3000)
    assert min(too_long) > 0
    assert too_long[-1] == pytest.approx(4.85, abs=0.01)


def test_the_weights_at_the_end_of_the_warm_up_are_a_power_of_the_half_life() -> None:
    def first_tenth(length: int) -> float:
        weights: list[float] = []
        for step in range(1, length + 1):
            new = scalars_at(step, t_alpha_beta3=length)["slow_weight"]
            weights = [*(weight * (1 - new) for weight in weights), new]
        return sum(weights[: length // 10]) / sum(weights)

    assert first_tenth(3000) == pytest.approx(0.43, abs=0.005)


def test_the_state_is_three_tensors() -> None:
    param = Parameter(torch.ones(3, 2))
    param.grad = torch.ones_like(param)
    optimizer = AdEMAMix([param])
    optimizer.step()
    state = optimizer.state[param]
    assert list(state) == ["step", "exp_avg", "exp_avg_sq", "exp_avg_slow"]
    torch.testing.assert_close(state["exp_avg_slow"], torch.full((3, 2), 1e-4))


def test_decay_is_computed_from_the_weight_before_the_step() -> None:
    param = Parameter(torch.ones(1, dtype=torch.float64))
    param.grad = torch.ones_like(param)
    AdEMAMix([param], lr=0.02, weight_decay=0.1).step()
    assert param.item() == pytest.approx(1 - 0.02 * (1 + 5e-4 + 0.1 * 1), abs=1e-9)


@pytest.mark.parametrize("warmup", [None, 1, 40, 1000])
def test_pytorch_optimizer_has_the_same_schedules(warmup: int | None) -> None:
    theirs = run(pytorch_optimizer.AdEMAMix, t_alpha_beta3=warmup)
    assert largest_difference(run(AdEMAMix, t_alpha_beta3=warmup), theirs) < 1e-12


def test_pytorch_optimizer_decays_in_the_gradient_unless_told_otherwise() -> None:
    theirs = run(pytorch_optimizer.AdEMAMix, weight_decay=0.1)
    coupled = WeightDecay(0.1, weight_decouple=False)
    assert largest_difference(run(AdEMAMix, weight_decay=coupled), theirs) < 1e-12
    ours = run(AdEMAMix, weight_decay=0.1)
    assert largest_difference(ours, theirs) == pytest.approx(0.144, abs=2e-3)


def test_pytorch_optimizer_cannot_warm_up_from_a_rate_of_zero() -> None:
    betas = (0.0, 0.999, 0.9999)
    with pytest.raises(ValueError, match="math domain error"):
        run(pytorch_optimizer.AdEMAMix, betas=betas, t_alpha_beta3=40)
    assert all(param.isfinite().all() for param in run(AdEMAMix, betas=betas, t_alpha_beta3=40))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-3, ValueError),
        (0.05, TypeError),
        (math.inf, TypeError),
        (True, TypeError),
        ("all", TypeError),
    ],
)
def test_a_bad_warm_up_is_named(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"t_alpha_beta3 must be a whole number >= 1, got"):
        AdEMAMix([Parameter(torch.zeros(2))], t_alpha_beta3=value)  # type: ignore[arg-type]


def test_two_betas_are_refused() -> None:
    with pytest.raises(TypeError, match=r"betas must be 3 numbers in \[0, 1\), got \(0\.9, 0\.99"):
        AdEMAMix([Parameter(torch.zeros(2))], betas=(0.9, 0.999))  # type: ignore[arg-type]

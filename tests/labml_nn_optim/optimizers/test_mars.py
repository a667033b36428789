"""What is left of variance reduction in MARS, its cut, and the programs that differ."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import MARS, AdamW, NAdamW, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def run(kind: Any, shapes: list[tuple[int, ...]] | None = None, **arguments: Any) -> list[Tensor]:
    params = make_params(shapes=SMALL_SHAPES if shapes is None else shapes)
    return train(kind(params, lr=0.003, **arguments), steps=100)


def gradients(count: int, size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(count)]


def feed(optimizer: torch.optim.Optimizer, gradient: Tensor) -> Tensor:
    (param,) = optimizer.param_groups[0]["params"]
    before = param.detach().clone()
    param.grad = gradient.clone()
    optimizer.step()
    return before - param.detach()


def on(size: int, kind: Any = MARS, **arguments: Any) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = kind(
        [Parameter(torch.zeros(size, dtype=torch.float64))], lr=1.0, weight_decay=0.0, **arguments
    )
    return made


@pytest.mark.parametrize("gamma", [0.0, 0.025, 0.3, 1.0])
def test_without_a_cut_momentum_is_a_mixture_of_average_and_gradient(gamma: float) -> None:
    optimizer = on(10, gamma=gamma, max_norm=None)
    average = torch.zeros(10, dtype=torch.float64)
    for gradient in gradients(50, 10):
        feed(optimizer, gradient)
        average = 0.95 * average + 0.05 * gradient
        (state,) = optimizer.state.values()
        expected = (1 - gamma) * average + gamma * gradient
        torch.testing.assert_close(state["exp_avg"], expected, rtol=0, atol=1e-13)


def test_without_change_and_cut_it_is_adamw() -> None:
    ours = run(MARS, betas=(0.9, 0.95), weight_decay=0.1, gamma=0.0, max_norm=None)
    assert largest_difference(ours, run(AdamW, betas=(0.9, 0.95), weight_decay=0.1)) < 1e-14


def test_one_gamma_has_the_numerator_of_nadamw() -> None:
    ours, theirs = on(10, gamma=0.05, max_norm=None), on(10, NAdamW, betas=(0.95, 0.99))
    for gradient in gradients(30, 10):
        feed(ours, gradient)
        feed(theirs, gradient)
        (mine,), (other,) = ours.state.values(), theirs.state.values()
        lookahead = 0.95 * other["exp_avg"] + 0.05 * gradient
        torch.testing.assert_close(mine["exp_avg"], lookahead, rtol=0, atol=1e-14)


def test_noise_counts_more_in_the_divisor_than_a_steady_gradient() -> None:
    ours, theirs = on(4000, max_norm=None), on(4000, AdamW, betas=(0.95, 0.99))
    squares = [0.0, 0.0]
    for step, gradient in enumerate(gradients(400, 4000)):
        for place, optimizer in enumerate((ours, theirs)):
            length = feed(optimizer, gradient).square().mean().item()
            squares[place] += length if step >= 300 else 0.0
    assert math.sqrt(squares[0] / squares[1]) == pytest.approx(0.67, abs=0.01)
    steady = steps_of(MARS, [0.3] * 400, lr=1.0)
    assert min(steady) == pytest.approx(0.9764, abs=1e-4)
    assert steady[-1] == pytest.approx(1, abs=0.02)


def test_a_tensor_that_is_always_cut_hardly_notices_a_large_batch() -> None:
    optimizer = on(10_000)
    lengths = []
    for step, gradient in enumerate(gradients(330, 10_000)):
        factor = 10.0 if step == 300 else 0.1
        lengths.append(feed(optimizer, factor * gradient).square().mean().sqrt().item())
    assert max(lengths[300:]) < 1.1 * sum(lengths[250:300]) / 50


@pytest.mark.parametrize("max_norm", [1.0, 0.25])
def test_the_corrected_gradient_is_cut_tensor_by_tensor(max_norm: float) -> None:
    params = [Parameter(torch.zeros(4, dtype=torch.float64)) for _ in range(3)]
    optimizer = MARS(params, betas=(0.0, 0.0), gamma=0.5, max_norm=max_norm)
    # Two steps, for the stack is made in the second.
    for _ in range(2):
        for param, size in zip(params, (30.0, 0.01, 0.0), strict=True):
            param.grad = torch.full_like(param, size)
        optimizer.step()
    norms = [optimizer.state[param]["exp_avg"].norm().item() for param in params]
    assert norms == pytest.approx([max_norm, 0.02, 0.0])


def test_the_last_gradient_is_a_copy() -> None:
    def in_place(zero: bool) -> list[Tensor]:
        param = Parameter(torch.ones(6, dtype=torch.float64))
        optimizer = MARS([param])
        for gradient in gradients(20, 6):
            if zero and param.grad is not None:
                param.grad.zero_().add_(gradient)
            else:
                param.grad = gradient.clone()
            optimizer.step()
        return [param.detach()]

    assert largest_difference(in_place(zero=True), in_place(zero=False)) == 0


def test_absolute_sizes_matter() -> None:
    def end(kind: Any, factor: float, **arguments: Any) -> Tensor:
        optimizer = on(50, kind, **arguments)
        return sum(feed(optimizer, factor * each) for each in gradients(50, 50))  # type: ignore[return-value]

    for arguments, is_same in (({}, False), ({"max_norm": None}, True)):
        difference = (end(MARS, 1.0, **arguments) - end(MARS, 1e-2, **arguments)).abs().max()
        assert (difference.item() < 1e-4) == is_same


def test_timm_starts_with_the_plain_gradient() -> None:
    def theirs(shapes: list[tuple[int, ...]]) -> list[Tensor]:
        return run(timm.optim.Mars, shapes, optimize_1d=True, betas=(0.95, 0.99))

    difference = largest_difference(run(MARS), theirs(SMALL_SHAPES))
    assert difference == pytest.approx(1.3e-4, abs=2e-5)
    large = [(70, 80), (30, 3, 3, 3)]
    assert largest_difference(run(MARS, large), theirs(large)) < 1e-13


def test_cautious_is_what_timm_calls_caution() -> None:
    large = [(70, 80), (30, 3, 3, 3)]
    theirs = run(timm.optim.Mars, large, optimize_1d=True, betas=(0.95, 0.99), caution=True)
    assert largest_difference(run(MARS, large, cautious=True), theirs) < 1e-13


def test_timm_has_another_default_for_beta1() -> None:
    theirs = run(timm.optim.Mars, optimize_1d=True)
    assert largest_difference(run(MARS), theirs) == pytest.approx(0.022, abs=1e-3)
    assert largest_difference(run(MARS, betas=(0.9, 0.99)), theirs) < 1e-3


def test_pytorch_optimizer_adds_two_constants_to_the_divisor() -> None:
    def difference(shapes: list[tuple[int, ...]]) -> float:
        return largest_difference(
            run(MARS, shapes), run(pytorch_optimizer.MARS, shapes, optimize_1d=True)
        )

    assert difference(SMALL_SHAPES) == pytest.approx(3.4e-7, rel=0.1)
    assert difference([(700, 800)]) == pytest.approx(2.1e-3, rel=0.1)


def test_vectors_of_pytorch_optimizer_are_a_group_of_ours() -> None:
    def end(kind: Any, **arguments: Any) -> list[Tensor]:
        matrix, vector = make_params(shapes=[(13, 7), (5,)])
        groups = [{"params": [matrix]}, {"params": [vector], **arguments}]
        return train(kind(groups, lr=0.003), steps=100)

    plain = {"betas": (0.9, 0.95), "weight_decay": 0.1, "gamma": 0.0, "max_norm": None}
    assert largest_difference(end(MARS, **plain), end(pytorch_optimizer.MARS)) < 1e-6


def test_decay_in_the_gradient_of_pytorch_optimizer_works_backwards() -> None:
    def end(kind: Any, **arguments: Any) -> float:
        param = Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = kind([param], lr=0.003, **arguments)
        for _ in range(100):
            param.grad = torch.zeros_like(param)
            optimizer.step()
        return param.item()

    assert end(MARS, weight_decay=WeightDecay(0.1, weight_decouple=False)) == pytest.approx(
        0.712, abs=1e-3
    )
    theirs = {"optimize_1d": True, "weight_decay": 0.1, "weight_decouple": False}
    assert end(pytorch_optimizer.MARS, **theirs) == pytest.approx(1.301, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "error", "allowed"),
    [
        ("gamma", -0.1, ValueError, ">= 0"),
        ("gamma", None, TypeError, ">= 0"),
        ("gamma", math.nan, ValueError, ">= 0"),
        ("max_norm", 0.0, ValueError, "> 0"),
        ("max_norm", "one", TypeError, "> 0"),
        ("max_norm", math.inf, ValueError, "> 0"),
    ],
)
def test_a_bad_hyper_parameter_is_named(
    name: str, value: object, error: type[Exception], allowed: str
) -> None:
    with pytest.raises(error, match=rf"{name} must be a finite number {allowed}, got"):
        MARS([Parameter(torch.zeros(2))], **{name: value})  # type: ignore[arg-type]

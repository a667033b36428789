"""The steps of schedule-free AdamW, where its decay acts, and the programs that differ."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import ScheduleFreeAdamW, ScheduleFreeSGD, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)


def arrived(step: int, after: int) -> float:
    """The part of the gradient of `step` that has come to y `after` steps later."""
    gradients = [float(t == step) for t in range(1, step + after)]
    return sum(steps_of(ScheduleFreeSGD, gradients, lr=1.0))


def test_a_constant_gradient_moves_y_by_a_full_step_and_then_by_half_of_one() -> None:
    found = steps_of(ScheduleFreeAdamW, [3.0] * 6, lr=1.0)
    assert found == pytest.approx([1.0] + [0.55] * 5, rel=1e-7)


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        (10, [0.19, 0.57, 0.72, 0.93, 0.99]),
        (100, [0.11, 0.18, 0.25, 0.55, 0.92]),
        (1000, [0.10, 0.11, 0.12, 0.18, 0.55]),
    ],
)
def test_a_gradient_arrives_within_the_length_of_the_run_so_far(
    step: int, parts: list[float]
) -> None:
    found = [arrived(step, after) for after in (1, 10, 20, 100, 1000)]
    assert found == pytest.approx(parts, abs=5.1e-3)


def test_decoupled_decay_overshoots_zero() -> None:
    param = Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = ScheduleFreeAdamW([param], lr=0.1, weight_decay=0.1)
    averages = []
    for step in range(1, 1001):
        param.grad = torch.zeros_like(param)
        optimizer.step()
        if step in (100, 300, 700, 1000):
            optimizer.eval()
            averages.append(param.item())
            optimizer.train()
    assert averages == pytest.approx([0.58, 0.12, -0.09, -0.06], abs=0.01)


def test_decay_in_the_gradient_is_another_optimizer() -> None:
    coupled = run(ScheduleFreeAdamW, weight_decay=WeightDecay(0.1, weight_decouple=False))
    difference = largest_difference(run(ScheduleFreeAdamW, weight_decay=0.1), coupled)
    assert difference == pytest.approx(0.088, abs=1e-3)


@pytest.mark.parametrize("arguments", [{"warmup": 30}, {"r": 0.5}, {"weight_lr_power": 1.0}])
def test_the_weights_are_those_of_pytorch_optimizer(arguments: dict[str, Any]) -> None:
    names = {"warmup": "warmup_steps"}
    theirs = {names.get(key, key): value for key, value in arguments.items()}
    found = run(ScheduleFreeAdamW, **arguments)
    assert largest_difference(found, run(pytorch_optimizer.ScheduleFreeAdamW, **theirs)) < 1e-12


def test_pytorch_optimizer_changes_the_gradient() -> None:
    def gradient_after(kind: Any) -> float:
        param = Parameter(torch.ones(1))
        param.grad = torch.full_like(param, 5.0)
        kind([param], lr=0.1, weight_decay=0.1).step()
        return param.grad.item()

    assert gradient_after(pytorch_optimizer.ScheduleFreeAdamW) == pytest.approx(1.1)
    assert gradient_after(ScheduleFreeAdamW) == 5.0


def test_rounded_weights_put_the_average_off() -> None:
    def average(dtype: torch.dtype) -> float:
        param = Parameter(torch.ones(1, dtype=dtype))
        optimizer = ScheduleFreeAdamW([param])
        for _ in range(1000):
            param.grad = torch.ones_like(param)
            optimizer.step()
        optimizer.eval()
        return param.item()

    assert average(torch.float32) == pytest.approx(-0.251, abs=1e-3)
    assert average(torch.bfloat16) == pytest.approx(-0.025, abs=5e-3)


def test_a_parameter_that_comes_late_begins_its_own_average() -> None:
    early, late = make_params(shapes=[(3,), (3,)])
    optimizer = ScheduleFreeAdamW([early, late], lr=0.1, eps=0.0)
    for step in range(6):
        early.grad = torch.ones_like(early)
        late.grad = torch.ones_like(late) if step == 5 else None
        before = late.detach().clone()
        optimizer.step()
    torch.testing.assert_close(before - late.detach(), torch.full_like(before, 0.1))


@pytest.mark.parametrize("value", [0.0, 0, 1.0, -0.1, math.nan])
def test_a_first_beta_from_which_x_cannot_be_recovered_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"betas\[0\] must be .* got"):
        ScheduleFreeAdamW([Parameter(torch.zeros(2))], betas=(value, 0.999))

"""The falling rate and the average of ASGD, and what torch does later."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import ASGD, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def walk(steps: int, **arguments: Any) -> tuple[list[float], float]:
    """The points of a noisy walk in a bowl around 1, and their average."""
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.full((1,), 3.0, dtype=torch.float64))
    optimizer = ASGD([param], **arguments)
    points = []
    for _ in range(steps):
        noise = torch.randn(1, generator=generator, dtype=torch.float64)
        param.grad = param.detach() - 1 + noise
        optimizer.step()
        points.append(param.item())
    return points, optimizer.state[param]["ax"].item()


def test_the_rate_falls_with_the_power() -> None:
    found = steps_of(ASGD, [1.0] * 50, lr=0.5, lambd=0.0, alpha=0.75)
    assert found == pytest.approx([0.5] * 50)
    # A decay of a weight near 0 is felt little, and is taken off here.
    param = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = ASGD([param], lr=0.5, lambd=0.2, alpha=0.6)
    for step in range(1, 30):
        before = param.item()
        param.grad = torch.ones_like(param)
        optimizer.step()
        rate = 0.5 / (1 + 0.2 * 0.5 * (step - 1)) ** 0.6
        assert before - param.item() == pytest.approx(rate * (1 + 0.2 * before))
        assert optimizer.state[param]["eta"].item() == pytest.approx(
            0.5 / (1 + 0.2 * 0.5 * step) ** 0.6
        )


@pytest.mark.parametrize("t0", [0, 10, 50])
def test_weights_after_t0_count_alike(t0: int) -> None:
    points, average = walk(200, lr=0.1, t0=t0)
    assert average == pytest.approx(sum(points[t0 + 1 :]) / (199 - t0), rel=1e-12)


def test_by_default_nothing_is_averaged() -> None:
    points, average = walk(100)
    assert average == points[-1]


def test_the_average_is_quieter_and_does_not_depend_on_the_rate() -> None:
    ends = [walk(3000, lr=lr, lambd=0.0, t0=300)[1] for lr in (0.3, 0.1, 0.05)]
    assert max(ends) - min(ends) < 0.02
    assert all(abs(end - 1) < 0.06 for end in ends)


def test_lambd_moves_the_minimum() -> None:
    param = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = ASGD([param], lr=0.3, lambd=0.1)
    for _ in range(3000):
        param.grad = 0.1 * (param.detach() - 1)
        optimizer.step()
    assert param.item() == pytest.approx(0.5, abs=1e-3)


def test_decay_falls_with_the_rate_and_is_the_same_in_the_gradient() -> None:
    ends = [
        train(
            ASGD(
                make_params(shapes=SMALL_SHAPES),
                lr=0.5,
                lambd=0.3,
                weight_decay=WeightDecay(0.1, weight_decouple=decouple),
            ),
            steps=50,
        )
        for decouple in (True, False)
    ]
    # Decoupled decay comes before that of lambd, whose product is of second order.
    assert largest_difference(*ends) < 0.02


def test_torch_hears_a_schedule_one_step_late() -> None:
    def steps(kind: Any) -> list[float]:
        param = Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = kind([param], lr=1.0, lambd=0.0)
        lengths = []
        for lr in (1.0, 1.0, 0.1, 0.1):
            optimizer.param_groups[0]["lr"] = lr
            before = param.item()
            param.grad = torch.ones_like(param)
            optimizer.step()
            lengths.append(before - param.item())
        return lengths

    assert steps(ASGD) == pytest.approx([1, 1, 0.1, 0.1])
    assert steps(torch.optim.ASGD) == pytest.approx([1, 1, 1, 0.1])


@pytest.mark.usefixtures("float64_by_default")
def test_with_a_rate_in_float64_torch_makes_the_same_steps() -> None:
    runs = [
        train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, lambd=0.1, t0=20), steps=100)
        for kind in (ASGD, torch.optim.ASGD)
    ]
    assert largest_difference(*runs) < 1e-14


def test_a_checkpoint_of_torch_goes_on_averaging() -> None:
    runs = []
    for second in (ASGD, torch.optim.ASGD):
        params = make_params(shapes=SMALL_SHAPES)
        first = torch.optim.ASGD(params, lr=0.02, t0=5)
        train(first, steps=20)
        then = second(params, lr=0.02, t0=5)
        then.load_state_dict(first.state_dict())
        train(then, steps=20, first=21)
        runs.append([then.state[param]["ax"] for param in params])
    assert largest_difference(*runs) < 1e-6


@pytest.mark.parametrize("name", ["lambd", "alpha", "t0"])
@pytest.mark.parametrize(
    ("value", "error"), [(-0.1, ValueError), (math.nan, ValueError), ("much", TypeError)]
)
def test_a_bad_number_is_named(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"^{name} must be a finite number >= 0, got"):
        ASGD([Parameter(torch.zeros(2))], **{name: value})  # type: ignore[arg-type]

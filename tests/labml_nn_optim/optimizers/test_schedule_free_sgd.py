"""How large a rate schedule-free SGD bears, and what its average is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import ScheduleFreeSGD, WeightDecay
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def descend(lr: float, steps: int, **arguments: Any) -> tuple[float, float]:
    """Return the largest y on the way down a parabola from 10, and x in the end."""
    param = Parameter(torch.full((1,), 10.0, dtype=torch.float64))
    optimizer = ScheduleFreeSGD([param], lr=lr, **arguments)
    worst = 10.0
    for _ in range(steps):
        param.grad = param.detach().clone()
        optimizer.step()
        worst = max(worst, abs(param.item()))
    optimizer.eval()
    return worst, param.item()


@pytest.mark.parametrize(
    ("lr", "warmup", "worst"),
    [(5.0, 0, 70.0), (10.0, 0, 2270.0), (10.0, 10, 10.0), (15.0, 30, 10.0), (19.0, 30, 542.0)],
)
def test_a_warmup_bridges_the_steps_in_which_the_limit_is_that_of_gradient_descent(
    lr: float, warmup: int, worst: float
) -> None:
    found, end = descend(lr, 1000, warmup=warmup)
    assert found == pytest.approx(worst, rel=0.01)
    assert abs(end) < 1e-10


@pytest.mark.parametrize("momentum", [0.8, 0.9])
def test_the_limit_grows_as_y_comes_nearer_to_the_average(momentum: float) -> None:
    limit = 2 / (1 - momentum)
    arguments = {"momentum": momentum, "warmup": 200}
    assert abs(descend(0.97 * limit, 1500, **arguments)[1]) < 1e-6
    assert abs(descend(1.03 * limit, 1500, **arguments)[1]) > 1e3


def test_the_start_is_forgotten_like_the_tenth_power_of_the_steps() -> None:
    early, late = descend(5.0, 1000)[1], descend(5.0, 3000)[1]
    assert math.log(early / late, 3) == pytest.approx(10, abs=0.3)


def test_decay_in_the_gradient_is_decoupled_decay() -> None:
    def run(decay: WeightDecay) -> list[torch.Tensor]:
        optimizer = ScheduleFreeSGD(make_params(shapes=SMALL_SHAPES), lr=0.1, weight_decay=decay)
        return train(optimizer, steps=20)

    coupled = run(WeightDecay(0.1, weight_decouple=False))
    assert largest_difference(run(WeightDecay(0.1)), coupled) < 1e-14


@pytest.mark.parametrize("arguments", [{"warmup": 30}, {"r": 0.5}, {"weight_lr_power": 1.0}])
def test_the_weights_are_those_of_pytorch_optimizer(arguments: dict[str, Any]) -> None:
    names = {"warmup": "warmup_steps"}
    theirs = {names.get(key, key): value for key, value in arguments.items()}
    first, second = (make_params(shapes=SMALL_SHAPES) for _ in range(2))
    found = train(ScheduleFreeSGD(first, lr=0.1, **arguments), steps=50)
    expected = train(pytorch_optimizer.ScheduleFreeSGD(second, lr=0.1, **theirs), steps=50)
    assert largest_difference(found, expected) < 1e-12


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan])
def test_a_momentum_from_which_x_cannot_be_recovered_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"momentum must be a finite number > 0 and < 1, got"):
        ScheduleFreeSGD([Parameter(torch.zeros(2))], momentum=value)

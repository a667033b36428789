"""Lion: two averages in one state, steps of one length, and decay that no sign may see."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Lion, Signum, WeightDecay
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
    # c = 0.5, 0.25, -0.125; m = 0.25, 0.1875, -0.109375
    found = steps_of(Lion, [1.0, 0.25, -0.4375], lr=0.25, betas=(0.5, 0.75))
    assert found == [0.25, 0.25, -0.25]


def test_the_state_is_one_tensor_with_the_second_beta() -> None:
    param = Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Lion([param], betas=(0.5, 0.75))
    for _ in range(2):
        param.grad = torch.ones_like(param)
        optimizer.step()
    assert optimizer.state[param].keys() == {"step", "exp_avg"}
    assert optimizer.state[param]["exp_avg"].tolist() == [1 - 0.75**2] * 3


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

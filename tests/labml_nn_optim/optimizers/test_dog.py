"""Distances and sums of DoG and of DoWG, over all groups and over time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import DoG, DoWG, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make_params,
    train,
)

both = pytest.mark.parametrize("kind", [DoG, DoWG])
NOT_COMPILED = [way for way in WAYS if "compile" not in way]


def weight(value: float = 1.0) -> Parameter:
    return Parameter(torch.full((1,), value, dtype=torch.float64))


@both
def test_the_first_step_is_as_long_as_the_first_distance(kind: Any) -> None:
    param = weight(3.0)
    param.grad = torch.full_like(param, 100.0)
    kind([param], reps_rel=0.01).step()
    assert 3 - param.item() == pytest.approx(0.01 * (1 + 3), rel=1e-9)


@both
def test_a_scale_of_the_loss_does_not_matter(kind: Any) -> None:
    def end(scale: float) -> list[torch.Tensor]:
        params = make_params(shapes=SMALL_SHAPES)
        optimizer = kind(params, eps=0.0, reps_rel=1e-3)
        for _ in range(20):
            for param in params:
                param.grad = scale * param.detach()
            optimizer.step()
        return [param.detach() for param in params]

    assert largest_difference(end(1e3), end(1.0)) < 1e-12


def test_the_numbers_of_two_steps_by_hand() -> None:
    param = weight(0.0)
    optimizers = {kind: kind([param], reps_rel=1.0, eps=0.0) for kind in (DoG, DoWG)}
    param.grad = torch.full_like(param, 2.0)
    for optimizer in optimizers.values():
        param.data.zero_()
        optimizer.step()
        # $\eta_1 = 1 / 2$, so the weight goes to -1.
        assert param.item() == pytest.approx(-1.0)
    for kind, optimizer in optimizers.items():
        param.data.fill_(-3.0)
        param.grad = torch.full_like(param, 1.0)
        optimizer.step()
        group = optimizer.param_groups[0]
        assert group["r_bar"] == 3.0
        assert group["grad_sum"] == (4 + 1 if kind is DoG else 4 + 9)
        assert group["eta"] == pytest.approx(
            3 / math.sqrt(5) if kind is DoG else 9 / math.sqrt(13), rel=1e-14
        )


@both
def test_all_groups_share_one_distance(kind: Any) -> None:
    def end(split: bool) -> list[torch.Tensor]:
        params = make_params(shapes=SMALL_SHAPES)
        groups = [{"params": params[:1]}, {"params": params[1:]}] if split else params
        return train(kind(groups, reps_rel=1e-2), steps=30)

    assert largest_difference(end(split=True), end(split=False)) < 1e-14


@both
def test_the_distance_never_falls_on_the_way_back(kind: Any) -> None:
    param = weight(0.0)
    optimizer = kind([param], reps_rel=0.1)
    for position, farthest in ((0.0, 0.1), (5.0, 5.0), (1.0, 5.0)):
        param.data.fill_(position)
        param.grad = torch.ones_like(param)
        optimizer.step()
        assert optimizer.param_groups[0]["r_bar"] == pytest.approx(farthest)


@both
@pytest.mark.parametrize("way", NOT_COMPILED)
def test_coupled_decay_is_in_the_sum_of_squares(kind: Any, way: str) -> None:
    param = weight(2.0)
    param.grad = torch.ones_like(param)
    coupled = WeightDecay(0.5, weight_decouple=False)
    optimizer = kind([param], reps_rel=1.0, eps=0.0, weight_decay=coupled, **WAYS[way])
    optimizer.step()
    group = optimizer.param_groups[0]
    assert group["grad_sum"] / (1.0 if kind is DoG else group["r_bar"] ** 2) == pytest.approx(4.0)
    assert param.item() == pytest.approx(2.0 - 3.0)


@both
def test_decoupled_decay_is_times_the_rate_that_is_found(kind: Any) -> None:
    param = weight(2.0)
    param.grad = torch.full_like(param, 4.0)
    optimizer = kind([param], reps_rel=0.1, eps=0.0, weight_decay=0.5)
    optimizer.step()
    eta = 0.3 / 4
    assert param.item() == pytest.approx(2.0 * (1 - 0.5 * eta) - eta * 4.0)


@both
def test_gradients_of_zero_move_nothing(kind: Any) -> None:
    param = weight()
    optimizer = kind([param], eps=0.0)
    for _ in range(2):
        param.grad = torch.zeros_like(param)
        optimizer.step()
    assert param.item() == 1.0


@both
def test_a_bad_first_distance_is_named(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"reps_rel must be a finite number > 0, got 0\.0"):
        kind([weight()], reps_rel=0.0)

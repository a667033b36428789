"""Adam in the leading directions of a gradient, and what becomes of its averages when they change."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer.utils.galore import GaLoreProjector
from torch.nn import Parameter

from labml_nn_optim import Adam, GaLore, WeightDecay
from labml_nn_optim.optimizers import galore
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    noisy_gradient,
    train,
)

MATRICES: list[tuple[int, ...]] = [(13, 7), (7, 13), (6, 6)]


def theirs(gap: int, weight_decay: float = 0.0, counts_from: int = 0) -> list[torch.Tensor]:
    """100 steps of pytorch_optimizer's, with singular vectors in float64."""
    params = make_params(shapes=MATRICES)
    group = {"params": params, "rank": 3, "update_proj_gap": gap}
    group |= {"scale": 0.25, "projection_type": "std"}
    optimizer = pytorch_optimizer.GaLore([group], lr=0.02, weight_decay=weight_decay)
    project = GaLoreProjector.project

    def counted(self: Any, grad: torch.Tensor, step: int) -> torch.Tensor:
        return project(self, grad, step - 1 + counts_from)

    with (
        mock.patch.object(torch.Tensor, "float", torch.Tensor.clone),
        mock.patch.object(GaLoreProjector, "project", counted),
    ):
        return train(optimizer, steps=100)


def ours(**arguments: Any) -> list[torch.Tensor]:
    return train(GaLore(make_params(shapes=MATRICES), lr=0.02, rank=3, **arguments), steps=100)


def test_directions_are_renewed_as_by_the_authors_who_count_from_0() -> None:
    assert largest_difference(ours(update_proj_gap=20), theirs(20)) < 1e-12
    late = largest_difference(ours(update_proj_gap=20), theirs(20, counts_from=1))
    assert late > 1e-3


def test_decay_comes_before_the_step_and_theirs_after_it() -> None:
    difference = largest_difference(ours(weight_decay=0.1), theirs(200, weight_decay=0.1))
    assert 1e-7 < difference < 1e-3


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6), (4, 3, 2, 2)])
def test_a_step_stays_in_the_leading_directions(shape: tuple[int, ...]) -> None:
    (param,) = make_params(shapes=[shape])
    before = param.detach().clone()
    optimizer = GaLore([param], lr=0.02, rank=2)
    for step in range(1, 4):
        param.grad = noisy_gradient(param, step, 0)
        if step == 1:
            left, _, right = torch.linalg.svd(param.grad.flatten(1), full_matrices=False)
        optimizer.step()
    moved = (param.detach() - before).flatten(1)
    assert torch.linalg.matrix_rank(moved, atol=1e-12) == 2
    rows, columns = moved.shape
    if rows >= columns:
        outside = moved - moved @ right[:2].mT @ right[:2]
    else:
        outside = moved - left[:, :2] @ left[:, :2].mT @ moved
    assert outside.abs().max() < 1e-15


def test_signs_of_directions_do_not_matter_until_they_change() -> None:
    vectors = galore.leading_directions

    def run(gap: int, signs: list[float]) -> list[torch.Tensor]:
        left = iter(signs)

        def signed(matrices: torch.Tensor, rank: int) -> torch.Tensor:
            return vectors(matrices, rank) * next(left)

        params = make_params(shapes=[(7, 13)])
        with mock.patch.object(galore, "leading_directions", signed):
            return train(GaLore(params, lr=0.02, rank=3, update_proj_gap=gap), steps=60)

    assert largest_difference(run(60, [-1.0]), run(60, [1.0])) < 1e-15
    assert largest_difference(run(30, [-1.0, -1.0]), run(30, [1.0, 1.0])) < 1e-15
    assert largest_difference(run(30, [1.0, -1.0]), run(30, [1.0, 1.0])) > 0.01


def test_vectors_and_groups_without_a_rank_have_adam() -> None:
    shapes: list[tuple[int, ...]] = [(5,), (), (13, 7)]

    def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
        return train(kind(make_params(shapes=shapes), lr=0.02, **arguments), steps=50)

    found = run(GaLore, rank=None, eps=1e-8)
    assert largest_difference(found, run(Adam, eps=1e-8, optimized_update=False)) < 1e-4
    assert torch.equal(run(GaLore, rank=2, eps=1e-8)[0], found[0])
    assert not torch.equal(run(GaLore, rank=2, eps=1e-8)[2], found[2])


def test_a_gradient_of_low_rank_loses_nothing_in_plain_descent() -> None:
    # Without momentum and second moments all that is left of the rule is the projection.
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    right = torch.randn(2, 9, generator=generator, dtype=torch.float64)
    directions = galore.leading_directions((left @ right)[None], 2)[0]
    torch.testing.assert_close(directions @ directions.mT @ left @ right, left @ right)


def test_a_first_gradient_of_zero_fixes_directions_that_mean_nothing() -> None:
    param = Parameter(torch.zeros(4, 6, dtype=torch.float64))
    optimizer = GaLore([param], lr=0.1, rank=2)
    for step in range(5):
        param.grad = torch.full_like(param, float(step > 0))
        optimizer.step()
    assert param[:2].all()
    assert not param[2:].any()


def numbers(shape: tuple[int, ...], **arguments: Any) -> int:
    (param,) = make_params(torch.float32, [shape])
    param.grad = torch.ones_like(param)
    optimizer = GaLore([param], **arguments)
    optimizer.step()
    return sum(value.numel() for key, value in optimizer.state[param].items() if key != "step")


def test_the_state_is_small_for_wide_matrices_and_large_for_small_ones() -> None:
    assert numbers((96, 384), rank=16) == 96 * 16 + 2 * 16 * 384
    assert numbers((384, 96), rank=16) == 96 * 16 + 2 * 16 * 384
    assert numbers((24, 16, 3, 3), rank=4) == 24 * 4 + 2 * 4 * 144
    assert numbers((64, 64), rank=128) == 3 * 64 * 64
    assert numbers((64, 64), rank=None) == 2 * 64 * 64


def test_decay_in_the_gradient_is_projected_too() -> None:
    params = make_params(shapes=SMALL_SHAPES)
    before = [param.detach().clone() for param in params]
    optimizer = GaLore(params, rank=2, weight_decay=WeightDecay(0.1, weight_decouple=False))
    for param in params:
        param.grad = torch.zeros_like(param)
    optimizer.step()
    assert torch.linalg.matrix_rank(params[0].detach() - before[0], atol=1e-12) == 2


def test_a_gradient_that_is_no_number_stops_in_a_step_that_looks() -> None:
    param = Parameter(torch.zeros(4, 6))
    optimizer = GaLore([param], rank=2)
    param.grad = torch.full_like(param, float("nan"))
    with pytest.raises(torch.linalg.LinAlgError):
        optimizer.step()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rank": 0}, ValueError, "rank must be a whole number >= 1, got 0"),
        ({"rank": 0.25}, TypeError, "rank must be a whole number >= 1, got 0.25"),
        ({"update_proj_gap": 0}, ValueError, "update_proj_gap must be a whole number >= 1, got 0"),
        ({"scale": -1.0}, ValueError, "scale must be a finite number >= 0, got -1"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        GaLore([Parameter(torch.zeros(2))], **arguments)

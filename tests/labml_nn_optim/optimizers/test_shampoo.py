"""The roots of Shampoo, when they are found, whose length a step has, and what has no matrix."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Adam, Shampoo
from labml_nn_optim.optimizers.shampoo import gram_along, multiply_along
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    train,
)

PAPER: dict[str, Any] = {
    "betas": (0.0, 0.0),
    "eps": 1e-6,
    "accumulate": True,
    "grafting": "none",
    "precondition_frequency": 1,
    "precondition_1d": True,
}


def power(symmetric: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    result: Tensor = vectors * values**exponent @ vectors.mT
    return result


def gradients(count: int, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def moves(given: Tensor, kind: Any = Shampoo, **arguments: Any) -> list[Tensor]:
    """How one parameter that starts at 0 moves down in each step."""
    param = Parameter(torch.zeros_like(given[0]))
    optimizer = kind([param], **({"lr": 1.0} | arguments))
    found = []
    for gradient in given:
        before = param.detach().clone()
        param.grad = gradient.clone()
        optimizer.step()
        found.append(before - param.detach())
    return found


def cosine(left: Tensor, right: Tensor) -> float:
    return float((left * right).sum() / (left.norm() * right.norm()))


def test_products_along_a_dimension() -> None:
    stack = gradients(2, 3, 4, 5)
    for dim, letters in enumerate(("abc,xbc", "abc,axc", "abc,abx")):
        expected = torch.stack(
            [torch.einsum(f"{letters}->{'abc'[dim]}x", each, each) for each in stack]
        )
        torch.testing.assert_close(gram_along(stack, dim), expected)
        matrices = gradients(2, *[stack.shape[dim + 1]] * 2, seed=1)
        product = torch.stack(
            [torch.tensordot(*pair, dims=([dim], [0])).movedim(-1, dim)
             for pair in zip(stack, matrices, strict=True)]
        )  # fmt: skip
        torch.testing.assert_close(multiply_along(stack, matrices, dim), product)


@pytest.mark.parametrize(("exponent", "used"), [(None, 0.25), (0.5, 0.5)])
def test_it_is_the_formula_of_the_paper(exponent: float | None, used: float) -> None:
    given = gradients(9, 4, 3)
    left = 1e-6 * torch.eye(4, dtype=torch.float64) + (given @ given.mT).sum(0)
    right = 1e-6 * torch.eye(3, dtype=torch.float64) + (given.mT @ given).sum(0)
    expected = power(left, -used) @ given[-1] @ power(right, -used)
    torch.testing.assert_close(moves(given, **PAPER, exponent=exponent)[-1], expected)


def test_a_vector_is_adagrad_with_the_full_matrix() -> None:
    given = gradients(9, 4)
    expected = power(1e-6 * torch.eye(4, dtype=torch.float64) + given.T @ given, -0.5) @ given[-1]
    torch.testing.assert_close(moves(given, **PAPER)[-1], expected)


def test_a_long_dimension_has_no_matrix_and_does_not_count() -> None:
    given = gradients(9, 3, 5)
    left = 1e-6 * torch.eye(3, dtype=torch.float64) + (given @ given.mT).sum(0)
    param = Parameter(torch.zeros(3, 5))
    optimizer = Shampoo([param], max_precond_dim=4)
    param.grad = torch.ones_like(param)
    optimizer.step()
    assert {"gram_0", "root_0"} <= optimizer.state[param].keys()
    assert "gram_1" not in optimizer.state[param]
    found = moves(given, **PAPER, max_precond_dim=4)[-1]
    torch.testing.assert_close(found, power(left, -0.5) @ given[-1])


def test_without_memory_a_step_is_the_polar_factor() -> None:
    given = gradients(1, 5, 5)
    u, _, vt = torch.linalg.svd(given[0])
    torch.testing.assert_close(moves(given, **PAPER | {"eps": 0.0})[0], u @ vt)


def test_before_the_first_roots_a_step_is_that_of_the_graft() -> None:
    given = gradients(6, 4, 3)
    adams = moves(given, Adam)
    ours = moves(given, precondition_frequency=5)
    torch.testing.assert_close(ours[:4], adams[:4])
    for mine, theirs in zip(ours[4:], adams[4:], strict=True):
        assert cosine(mine, theirs) < 0.99
        assert mine.norm().item() == pytest.approx(theirs.norm().item())


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_what_has_no_matrix_makes_the_steps_of_the_graft(shape: tuple[int, ...]) -> None:
    given = gradients(12, *shape)
    longest = {"max_precond_dim": 1, "precondition_frequency": 1}
    torch.testing.assert_close(moves(given, **longest), moves(given, Adam))


def test_roots_are_used_until_the_next_ones_are_due() -> None:
    param = Parameter(torch.zeros(4, 3, dtype=torch.float64))
    optimizer = Shampoo([param], precondition_frequency=3)
    roots = []
    for gradient in gradients(9, 4, 3):
        param.grad = gradient.clone()
        optimizer.step()
        roots.append(optimizer.state[param]["root_0"].clone())
    changed = [not torch.equal(*pair) for pair in itertools.pairwise(roots)]
    assert torch.equal(roots[0], torch.eye(4, dtype=torch.float64))
    assert changed == [step % 3 == 0 for step in range(2, 10)]


@pytest.mark.parametrize(("grafting", "low", "high"), [("none", 9.0, 11.0), ("adam", 5.5, 6.5)])
def test_grafting_shortens_the_steps_of_old_roots(grafting: str, low: float, high: float) -> None:
    given = gradients(301, 16, 16, seed=3)
    given[300] *= 10
    found = moves(given, grafting=grafting, betas=(0.0, 0.99), precondition_frequency=100)
    assert low < float(found[300].norm() / found[299].norm()) < high


@pytest.mark.parametrize(
    ("shape", "expected"), [((16, 16), 0.25), ((8, 32), 0.25), ((4, 4, 2, 2), 0.2102)]
)
def test_the_length_without_grafting_depends_on_the_shape(
    shape: tuple[int, ...], expected: float
) -> None:
    for scale in (1.0, 1e-3):
        given = scale * gradients(400, *shape)
        arguments: dict[str, Any] = {"grafting": "none", "eps": 1e-16, "betas": (0.0, 0.99)}
        found = moves(given, precondition_frequency=1, **arguments)[-50:]
        length = torch.stack(found).square().mean().sqrt().item()
        assert length == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("frequency", "low", "high"), [(1, 0.6, 0.8), (10, -0.05, 0.05)])
def test_old_roots_of_matrices_without_full_rank_lose_the_gradient(
    frequency: int, low: float, high: float
) -> None:
    left, right = gradients(16, 64, 4), gradients(16, 4, 64, seed=1)
    given = left @ right
    given = given[1:] + 0.5 * given[0]
    found = moves(given, precondition_frequency=frequency)
    assert low < cosine(found[14], left[0] @ right[0]) < high


def test_pytorch_optimizer_does_not_move_before_its_first_roots() -> None:
    theirs = pytorch_optimizer.Shampoo
    found = moves(gradients(3, 4, 3), theirs, preconditioning_compute_steps=3)
    assert [bool(each.any()) for each in found] == [False, False, True]


def test_averages_are_not_sums() -> None:
    def run(**changes: Any) -> list[Tensor]:
        arguments = PAPER | changes
        return train(Shampoo(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)

    averaged = run(accumulate=False, betas=(0.0, 0.999))
    assert largest_difference(averaged, run()) == pytest.approx(0.34, abs=0.01)


def test_a_gradient_of_zero_moves_nothing() -> None:
    for each in moves(torch.zeros(3, 4, 3), precondition_frequency=1):
        assert not each.any()


def test_a_nan_is_an_error_when_roots_are_due() -> None:
    with pytest.raises(RuntimeError, match="eigh"):
        moves(torch.full((2, 4, 3), math.nan), precondition_frequency=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": 0.0}, "exponent must be"),
        ({"grafting": "lamb"}, "grafting must be"),
        ({"precondition_frequency": 0}, "precondition_frequency must be"),
        ({"max_precond_dim": 0}, "max_precond_dim must be"),
        ({"accumulate": 1}, "accumulate must be"),
        ({"precondition_1d": "yes"}, "precondition_1d must be"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Shampoo([Parameter(torch.zeros(2))], **arguments)

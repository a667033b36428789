"""The coordinates of SOAP, when they are renewed, and what is done with the averages then."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import SOAP, Adam, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    train,
)


def gradients(count: int, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def follow(given: Tensor, kind: Any = SOAP, **arguments: Any) -> tuple[Tensor, dict[str, Any]]:
    """Where a parameter that starts at 1 ends, and its state."""
    param = Parameter(torch.ones_like(given[0]))
    optimizer = kind([param], **({"weight_decay": 0.0} | arguments))
    for gradient in given:
        param.grad = gradient.clone()
        optimizer.step()
    return param.detach(), optimizer.state[param]


def test_the_first_step_only_looks() -> None:
    given = gradients(1, 4, 3)
    end, state = follow(given, weight_decay=0.1)
    assert torch.equal(end, torch.ones_like(end))
    assert not state["exp_avg"].any()
    torch.testing.assert_close(state["gram_0"], 0.05 * given[0] @ given[0].T)
    basis = state["basis_0"]
    found = basis.T @ state["gram_0"] @ basis
    torch.testing.assert_close(found, found.diagonal().diag())
    assert (found.diagonal().diff() < 1e-12).all()


def test_a_turned_problem_gives_the_turned_steps() -> None:
    given = gradients(40, 5, 5)
    u, v = (torch.linalg.qr(each)[0] for each in gradients(2, 5, 5, seed=1))
    ends = [follow(each)[0] - 1 for each in (given, u @ given @ v.T)]
    torch.testing.assert_close(u @ ends[0] @ v.T, ends[1])
    adams = [follow(each, Adam)[0] - 1 for each in (given, u @ given @ v.T)]
    assert (u @ adams[0] @ v.T - adams[1]).abs().max() > 1e-3


def test_it_solves_a_turned_quadratic_on_which_adam_does_not() -> None:
    def left_over(kind: Any, lr: float) -> float:
        scales = torch.logspace(0, -3, 6, dtype=torch.float64)
        u, v = (torch.linalg.qr(each)[0] for each in gradients(2, 6, 6, seed=1))
        a, b = u * scales @ u.T, v * scales @ v.T
        param = Parameter(gradients(1, 6, 6)[0])
        optimizer = kind([param], lr=lr, betas=(0.9, 0.999), weight_decay=0.0)
        losses = []
        for step in range(300):
            optimizer.param_groups[0]["lr"] = lr * (1 - step / 300)
            param.grad = a @ param.detach() @ b
            losses.append(float((param.detach() * param.grad).sum()))
            optimizer.step()
        return losses[-1] / losses[0]

    rates = (0.2, 0.5, 1.0)
    assert min(left_over(SOAP, lr) for lr in rates) < 1e-9
    assert min(left_over(Adam, lr) for lr in rates) > 1e-5


def test_bases_are_renewed_in_every_tenth_step_after_the_first() -> None:
    param = Parameter(torch.zeros(4, 3, dtype=torch.float64))
    optimizer = SOAP([param])
    bases = []
    for gradient in gradients(25, 4, 3):
        param.grad = gradient.clone()
        optimizer.step()
        bases.append(optimizer.state[param]["basis_1"].clone())
    changed = [not torch.equal(*pair) for pair in itertools.pairwise(bases)]
    assert changed == [step in (11, 21) for step in range(2, 26)]


def test_momentum_turns_with_the_basis_and_the_second_moment_only_changes_places() -> None:
    given = gradients(11, 4, 3)
    before, after = (follow(given[:10])[1], follow(given)[1])
    turned = []
    for state, extra in ((before, given[10]), (after, None)):
        left, right = state["basis_0"], state["basis_1"]
        momentum = left @ state["exp_avg"] @ right.T
        turned.append(momentum if extra is None else momentum.lerp(extra, 0.05))
    torch.testing.assert_close(*turned)
    squares = (before["basis_0"].T @ given[10] @ before["basis_1"]).square()
    expected = before["exp_avg_sq"].lerp(squares, 0.05)
    torch.testing.assert_close(
        after["exp_avg_sq"].flatten().sort()[0], expected.flatten().sort()[0]
    )
    identity = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(after["basis_0"].T @ after["basis_0"], identity)


def test_repeated_renewals_find_the_eigenvectors() -> None:
    given = gradients(1, 5, 3).expand(200, -1, -1) * 1.0
    given = given + 0.3 * torch.eye(5, 3, dtype=torch.float64)
    state = follow(given, precondition_frequency=1)[1]
    found = state["basis_1"].T @ state["gram_1"] @ state["basis_1"]
    torch.testing.assert_close(found, found.diagonal().diag(), atol=1e-10, rtol=0)


def test_decay_comes_after_the_step() -> None:
    given = gradients(2, 4, 3)
    plain = follow(given, lr=0.1)[0]
    decayed = follow(given, lr=0.1, weight_decay=0.2)[0]
    torch.testing.assert_close(decayed, 0.98 * plain)


def test_decay_in_the_gradient_is_in_the_matrices() -> None:
    given = torch.zeros(1, 4, 3, dtype=torch.float64)
    state = follow(given, weight_decay=WeightDecay(0.5, weight_decouple=False))[1]
    torch.testing.assert_close(state["gram_0"], torch.full_like(state["gram_0"], 0.05 * 0.75))


def test_a_vector_has_no_basis_and_gets_adam() -> None:
    given = gradients(9, 6)
    end, state = follow(given, lr=0.01, eps=0.0)
    assert not any(name.startswith("basis") for name in state)
    adams = follow(given[1:], Adam, lr=0.01, betas=(0.95, 0.95), eps=0.0)[0]
    torch.testing.assert_close(end, adams)


def test_a_long_dimension_keeps_its_coordinates() -> None:
    state = follow(gradients(2, 5, 3), max_precond_dim=4)[1]
    assert "basis_0" not in state
    assert state["basis_1"].shape == (3, 3)


@pytest.mark.parametrize(
    ("shape", "numbers"), [((24, 24), 6.0), ((24, 96), 10.5), ((8, 8, 3, 3), 2.5069444)]
)
def test_memory_is_what_the_formula_says(shape: tuple[int, ...], numbers: float) -> None:
    _, state = follow(gradients(1, *shape))
    held = sum(value.numel() for name, value in state.items() if name != "step")
    assert held / math.prod(shape) == pytest.approx(numbers)


def test_a_long_dimension_is_where_memory_goes() -> None:
    rows, columns = 50_257, 768
    assert 2 + 2 * columns / rows == pytest.approx(2.03, abs=0.005)
    assert 2 + 2 * (rows**2 + columns**2) / (rows * columns) == pytest.approx(133, abs=0.5)


def test_pytorch_optimizer_finds_its_bases_in_float32() -> None:
    ours, theirs = (
        train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, weight_decay=0.0), steps=100)
        for kind in (SOAP, pytorch_optimizer.SOAP)
    )
    assert 1e-9 < largest_difference(ours, theirs) < 1e-5


def test_a_nan_is_an_error_at_first_and_nan_later() -> None:
    with pytest.raises(RuntimeError, match="eigh"):
        follow(torch.full((1, 4, 3), math.nan))
    given = gradients(15, 4, 3)
    given[4] = math.nan
    assert follow(given)[0].isnan().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shampoo_beta": 1.0}, "shampoo_beta must be"),
        ({"precondition_frequency": 0}, "precondition_frequency must be"),
        ({"max_precond_dim": 2.5}, "max_precond_dim must be"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SOAP([Parameter(torch.zeros(2))], **arguments)

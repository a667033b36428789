"""How the factors of Kron whiten, when they are fitted, and where its noise comes from."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Kron
from labml_nn_optim.optimizers.kron import balance, fit, largest, multiply, probe, solve
from labml_nn_optim.optimizers.kron import update_probability as probability
from tests.labml_nn_optim.examples import largest_difference, make_params, train

REPEATED: list[tuple[int, ...]] = [(6, 4), (5,), (6, 4), (), (3, 2, 5), (6, 4)]


def factors_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]]:
    return [
        {name: value for name, value in state.items() if name.startswith("q_")}
        for state in optimizer.state.values()
    ]


def shapes_for(shape: tuple[int, ...], **arguments: Any) -> list[tuple[int, ...]]:
    param = Parameter(torch.zeros(shape))
    param.grad = torch.ones(shape)
    optimizer = Kron([param], **arguments)
    optimizer.step()
    return [tuple(factor.shape) for factor in factors_of(optimizer)[0].values()]


def covariance(size: int, generator: torch.Generator) -> Tensor:
    """A matrix that makes noise correlated, with singular values from 0.1 to 1."""
    turns = [
        torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))[0]
        for _ in range(2)
    ]
    return turns[0] * torch.logspace(0, -1, size, dtype=torch.float64) @ turns[1]


def test_fitting_makes_correlated_noise_white() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = covariance(8, generator), covariance(6, generator)
    factors = [torch.eye(size, dtype=torch.float64)[None] for size in (8, 6)]
    for _ in range(2000):
        noise, other = torch.randn(2, 1, 8, 6, generator=generator, dtype=torch.float64)
        fit(factors, left @ noise @ right, other, 0.05)
    sizes = [
        torch.linalg.svdvals(q[0].T @ q[0] @ c)
        for q, c in zip(factors, (left, right.T), strict=True)
    ]
    before = torch.linalg.cond(left) * torch.linalg.cond(right)
    after = sizes[0][0] / sizes[0][-1] * sizes[1][0] / sizes[1][-1]
    assert before == pytest.approx(100)
    assert after < 3
    assert all(torch.equal(factor, factor.triu()) for factor in factors)


def test_one_weight_learns_the_inverse_of_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.ones(1, 1, dtype=torch.float64)
    found = []
    for step in range(3000):
        seen, noise = torch.randn(2, 1, 1, generator=generator, dtype=torch.float64)
        fit([factor], 0.2 * seen[None], noise[None], 0.01)
        if step >= 1000:
            found.append(factor.item() ** 2)
    assert sum(found) / len(found) == pytest.approx(1 / 0.2, rel=0.1)


@pytest.mark.parametrize(
    ("step", "expected"), [(1, 1), (501, 1), (502, math.exp(-0.001)), (4008, 0.03), (99_999, 0.03)]
)
def test_the_share_of_fits_falls(step: int, expected: float) -> None:
    assert probability(step) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("share", "expected"), [(1.0, 12), (0.5, 6), (0.3, 3), (0.01, 0)])
def test_fits_are_counted_and_not_drawn(share: float, expected: int) -> None:
    (param,) = make_params(shapes=[(4, 3)])
    optimizer = Kron([param], update_probability=share)
    train(optimizer, steps=12)
    assert optimizer.state[param]["fits"] == expected


def test_without_a_fit_a_step_is_that_of_sgd() -> None:
    (param,) = make_params(shapes=[(4, 3)])
    optimizer = Kron([param], lr=0.1, momentum=0.0, update_probability=0.01, clip_rms=None)
    before = param.detach().clone()
    train(optimizer, steps=1)
    assert param.grad is not None
    torch.testing.assert_close(param.detach(), before - 0.1 * param.grad)


@pytest.mark.parametrize(("clip", "size"), [(1.1, 1.1), (0.5, 0.5), (None, 100.0)])
def test_a_step_is_cut_to_a_root_of_the_mean_square(clip: float | None, size: float) -> None:
    param = Parameter(torch.zeros(4, 3, dtype=torch.float64))
    param.grad = torch.full_like(param, 100.0)
    Kron([param], lr=1.0, update_probability=0.01, clip_rms=clip).step()
    assert -param[0, 0].item() == pytest.approx(size)


@pytest.mark.parametrize(
    ("shape", "arguments", "expected"),
    [
        ((6, 4), {}, [(6, 6), (4, 4)]),
        ((6, 4), {"max_size_triangular": 5}, [(6,), (4, 4)]),
        ((6, 4), {"memory_save_mode": "one_diag"}, [(6,), (4, 4)]),
        ((4, 4), {"memory_save_mode": "one_diag"}, [(4, 4), (4,)]),
        ((4, 4), {"memory_save_mode": "smart_one_diag"}, [(4, 4), (4, 4)]),
        ((4, 6), {"memory_save_mode": "smart_one_diag"}, [(4, 4), (6,)]),
        ((6, 4), {"memory_save_mode": "all_diag"}, [(6,), (4,)]),
        ((6, 1), {}, [(6, 6), (1,)]),
        ((6,), {}, [(6,)]),
        ((6,), {"min_ndim_triangular": 1}, [(6, 6)]),
        ((), {}, [(1,)]),
        ((2, 3, 4), {}, [(2, 2), (3, 3), (4, 4)]),
        ((0, 3), {}, []),
    ],
    ids=str,
)
def test_a_dimension_has_a_triangle_or_a_diagonal(
    shape: tuple[int, ...], arguments: dict[str, Any], expected: list[tuple[int, ...]]
) -> None:
    assert shapes_for(shape, **arguments) == expected


def test_the_noise_is_that_of_seed_and_step_however_tensors_are_stacked() -> None:
    def run(**arguments: Any) -> list[Tensor]:
        optimizer = Kron(make_params(shapes=REPEATED), lr=0.1, **arguments)
        train(optimizer, steps=5)
        return [q for own in factors_of(optimizer) for q in own.values()]

    torch.manual_seed(1)
    expected = run()
    torch.manual_seed(2)
    drawn = torch.get_rng_state()
    assert largest_difference(run(per_tensor=True), expected) < 1e-13
    assert torch.equal(torch.get_rng_state(), drawn)
    assert largest_difference(run(seed=1), expected) > 1e-3


def test_noise_differs_from_step_to_step() -> None:
    like = torch.zeros(())
    first, again, other = (probe((50,), 3, step, like) for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_parameter_that_was_frozen_is_fitted_from_its_own_first_step() -> None:
    first, late = make_params(shapes=[(4, 3), (4, 3)])
    optimizer = Kron([first, late], update_probability=0.5)
    for step in range(5):
        first.grad = torch.ones_like(first)
        late.grad = torch.ones_like(late) if step >= 3 else None
        optimizer.step()
    assert [float(optimizer.state[each]["fits"]) for each in (first, late)] == [2, 1]


def test_a_bound_from_below_is_exact_for_one_direction_and_never_above() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        root = torch.randn(3, 7, 7, generator=generator, dtype=torch.float64)
        found, top = largest(root @ root.mT), torch.linalg.matrix_norm(root @ root.mT, 2)
        assert (found.flatten() <= top * (1 + 1e-12)).all()
        assert (found.flatten() > 0.5 * top).all()
    vector = torch.randn(1, 7, 1, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(largest(vector @ vector.mT).sum(), vector.square().sum())
    assert largest(torch.zeros(1, 3, 3)).item() == 0


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_factors_act_along_one_dimension(dim: int) -> None:
    generator = torch.Generator().manual_seed(0)
    stack = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    size = stack.size(dim + 1)
    factor = torch.randn(2, size, size, generator=generator, dtype=torch.float64).triu()
    factor.diagonal(dim1=-2, dim2=-1).add_(4.0)
    for index in range(2):
        expected = torch.tensordot(factor[index], stack[index], dims=([1], [dim])).movedim(0, dim)
        torch.testing.assert_close(multiply(stack, factor, dim)[index], expected)
    back = solve(multiply(stack, factor, dim, transpose=True), factor, dim)
    torch.testing.assert_close(back, stack)


def test_balancing_leaves_the_product_as_it_is() -> None:
    factors = [torch.full((1, 3), 100.0), torch.eye(2)[None]]
    balance(factors)
    torch.testing.assert_close(factors[0], torch.full((1, 3), 10.0))
    torch.testing.assert_close(factors[1], 10 * torch.eye(2)[None])


def test_a_gradient_of_zero_and_an_empty_tensor_are_no_trouble() -> None:
    params = make_params(shapes=[(4, 3), (0, 3), ()])
    optimizer = Kron(params, lr=0.1)
    before = [param.detach().clone() for param in params]
    for _ in range(50):
        for param in params:
            param.grad = torch.zeros_like(param)
        optimizer.step()
    assert largest_difference([param.detach() for param in params], before) == 0
    factors = [q for own in factors_of(optimizer) for q in own.values()]
    assert all(
        torch.equal(q, torch.eye(len(q), dtype=q.dtype) if q.dim() == 2 else q.clamp(1, 1))
        for q in factors
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"momentum": 1.0}, ValueError, "momentum must be a finite number >= 0 and < 1, got 1.0"),
        ({"update_probability": 0.0}, ValueError, "update_probability must be a finite number > 0"),
        ({"precond_lr": 2.0}, ValueError, "precond_lr must be a finite number > 0 and <= 1"),
        ({"precond_init_scale": 0.0}, ValueError, "precond_init_scale must be a finite number > 0"),
        ({"max_size_triangular": 2.5}, TypeError, "max_size_triangular must be a whole number"),
        ({"min_ndim_triangular": -1}, ValueError, "min_ndim_triangular must be a whole number"),
        ({"memory_save_mode": None}, ValueError, "memory_save_mode must be one of none, smart"),
        ({"momentum_into_precond_update": 1}, TypeError, "momentum_into_precond_update must be"),
        ({"clip_rms": 0.0}, ValueError, "clip_rms must be a finite number > 0"),
        ({"balance_frequency": 0}, ValueError, "balance_frequency must be a whole number >= 1"),
        ({"seed": 0.5}, TypeError, "seed must be a whole number >= 0"),
        ({"betas": (0.9, 0.99)}, TypeError, "unexpected keyword argument|betas is no argument"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_hyper_parameters_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Kron([Parameter(torch.zeros(2))], **arguments)


def test_pytorch_optimizer_fits_a_tensor_without_gradients_until_its_step_overflows() -> None:
    def after_zeros(kind: Any) -> float:
        torch.manual_seed(0)
        param = Parameter(torch.zeros(8, 4))
        optimizer = kind([param], lr=1.0)
        for step in range(401):
            param.grad = torch.full_like(param, 1.0 if step == 400 else 0.0)
            optimizer.step()
        return param.detach().square().mean().sqrt().item()

    assert after_zeros(pytorch_optimizer.Kron) == 0
    assert after_zeros(Kron) > 0.1

"""Sophia: the authors' algorithm, its curvature, and what happens without one."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Signum, Sophia, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make_params,
    noisy_gradient,
    train,
)

DECAYS = {
    "no decay": WeightDecay(),
    "decay in the gradient": WeightDecay(0.1, weight_decouple=False),
    "decoupled decay": WeightDecay(0.1),
}


def sampled_gradient(param: Tensor, step: int, index: int) -> Tensor:
    """A gradient of sampled labels: small noise, for curvatures on both sides of the clipping."""
    return noisy_gradient(param, 10_000 + step, index).mul(0.1)


def set_gradients(params: list[Parameter], gradient: Any, step: int) -> None:
    for index, param in enumerate(params):
        param.grad = gradient(param, step, index)


def run(optimizer: Sophia, steps: int, n_tokens: int = 64, k: int = 10) -> list[Tensor]:
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in range(1, steps + 1):
        if step % k == 1:
            set_gradients(params, sampled_gradient, step)
            optimizer.update_hessian(n_tokens)
        set_gradients(params, noisy_gradient, step)
        optimizer.step()
    return [param.detach() for param in params]


def authors_form(
    params: list[Parameter],
    decay: WeightDecay,
    steps: int,
    lr: float,
    betas: tuple[float, float],
    rho: float,
    n_tokens: int,
) -> list[Tensor]:
    """The published code: curvature without the number of tokens, which stands in the step."""
    values = [param.detach().clone() for param in params]
    averages = [torch.zeros_like(value) for value in values]
    curvatures = [torch.zeros_like(value) for value in values]
    for step in range(1, steps + 1):
        for index, value in enumerate(values):
            if step % 10 == 1:
                sampled = sampled_gradient(value, step, index)
                curvatures[index] = betas[1] * curvatures[index] + (1 - betas[1]) * sampled**2
            gradient = noisy_gradient(value, step, index)
            if decay.weight_decouple:
                value *= 1 - lr * decay.weight_decay
            else:
                gradient = gradient + decay.weight_decay * value
            averages[index] = betas[0] * averages[index] + (1 - betas[0]) * gradient
            divisor = rho * n_tokens * curvatures[index] + 1e-15
            ratio = (averages[index].abs() / divisor).clamp(max=1)
            value -= lr * averages[index].sign() * ratio
    return values


@pytest.mark.parametrize("kind", DECAYS)
def test_a_hundred_noisy_steps_equal_the_authors_algorithm(kind: str) -> None:
    params, theirs = make_params(shapes=SMALL_SHAPES), make_params(shapes=SMALL_SHAPES)
    found = run(Sophia(params, lr=0.02, rho=0.5, weight_decay=DECAYS[kind]), steps=100)
    expected = authors_form(theirs, DECAYS[kind], 100, 0.02, (0.9, 0.95), 0.5, n_tokens=64)
    assert largest_difference(found, expected) < 1e-11


@pytest.mark.parametrize("way", WAYS)
def test_every_way_with_its_curvature_equals_the_authors_algorithm(way: str) -> None:
    decay = DECAYS["decoupled decay"]
    optimizer = Sophia(make_params(), lr=0.02, rho=0.5, weight_decay=decay, **WAYS[way])
    found = run(optimizer, steps=21)
    expected = authors_form(make_params(), decay, 21, 0.02, (0.9, 0.95), 0.5, n_tokens=64)
    assert largest_difference(found, expected) < 1e-11


def test_both_weights_that_are_clipped_and_weights_that_are_not_are_compared() -> None:
    optimizer = Sophia(make_params(shapes=SMALL_SHAPES), lr=0.02, rho=0.5)
    run(optimizer, steps=100)
    states = optimizer.state.values()
    clipped = [(own["exp_avg"].abs() > 0.5 * own["hessian"]).flatten() for own in states]
    assert 0.2 < torch.cat(clipped).double().mean() < 0.8


@pytest.mark.parametrize("coupled", [False, True])
def test_fed_with_the_same_curvature_it_equals_sophia_h_of_pytorch_optimizer(coupled: bool) -> None:
    """That one cuts at +-p, where ours multiplies the curvature with rho and cuts at +-1."""
    lr, p = 0.5, 0.04
    theirs = pytorch_optimizer.SophiaH(
        make_params(shapes=SMALL_SHAPES),
        lr=lr,
        p=p,
        betas=(0.9, 0.95),
        weight_decay=0.1,
        weight_decouple=not coupled,
        update_period=1000,
    )
    decay = WeightDecay(0.1 if coupled else 0.1 / p, weight_decouple=not coupled)
    ours = Sophia(
        make_params(shapes=SMALL_SHAPES), lr * p, rho=p, eps=p * 1e-12, weight_decay=decay
    )
    their_params, our_params = theirs.param_groups[0]["params"], ours.param_groups[0]["params"]
    for step in range(1, 101):
        hessian = None
        if step % 10 == 1:
            set_gradients(our_params, sampled_gradient, step)
            ours.update_hessian(64)
            hessian = [64 * param.grad**2 for param in our_params]
        set_gradients(our_params, noisy_gradient, step)
        set_gradients(their_params, noisy_gradient, step)
        ours.step()
        theirs.step(hessian=hessian)
    assert largest_difference(our_params, their_params) < 1e-11


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_fault_14_without_a_curvature_the_step_is_that_of_signum(way: str) -> None:
    ours = Sophia(make_params(), lr=0.02, weight_decay=0.1, **WAYS[way])
    signum = Signum(make_params(), lr=0.02, weight_decay=0.1)
    assert largest_difference(train(ours, steps=20), train(signum, steps=20)) < 1e-14


def test_no_weight_moves_by_more_than_the_learning_rate() -> None:
    params = make_params()
    optimizer = Sophia(params, lr=0.02, rho=0.5)
    for step in range(1, 30):
        before = [param.detach().clone() for param in params]
        if step % 10 == 1:
            set_gradients(params, sampled_gradient, step)
            optimizer.update_hessian(64)
        set_gradients(params, noisy_gradient, step)
        optimizer.step()
        for param, old in zip(params, before, strict=True):
            assert ((param - old).abs() <= 0.02 * (1 + 1e-12)).all()


def test_drawn_labels_give_the_diagonal_of_the_gauss_newton_matrix() -> None:
    """The mean of the estimate over all labels of a batch, each with its probability."""
    inputs = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)
    weight = Parameter(torch.tensor([[0.3, -0.1], [0.2, 0.5], [-0.4, 0.1]], dtype=torch.float64))
    probabilities = (inputs @ weight.detach().t()).softmax(1)
    mean = torch.zeros_like(weight)
    for labels in torch.cartesian_prod(torch.arange(3), torch.arange(3)):
        optimizer = Sophia([weight], betas=(0.9, 0.0))
        weight.grad = None
        torch.nn.functional.cross_entropy(inputs @ weight.t(), labels).backward()
        optimizer.update_hessian(2)
        chance = probabilities[0, labels[0]] * probabilities[1, labels[1]]
        mean += chance * optimizer.state[weight]["hessian"]
    variances = probabilities * (1 - probabilities)
    exact = torch.einsum("bc,bi->ci", variances, inputs**2) / 2
    torch.testing.assert_close(mean.detach(), exact)


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_the_curvature_is_an_average_over_updates_and_no_step_changes_it(way: str) -> None:
    param = Parameter(torch.ones(3))
    optimizer = Sophia([param], betas=(0.9, 0.75), **WAYS[way])
    for gradient, expected in ((2.0, 0.25 * 40.0), (0.0, 0.75 * 10.0)):
        param.grad = torch.full((3,), gradient)
        optimizer.update_hessian(10)
        for _ in range(3):
            param.grad = torch.ones(3)
            optimizer.step()
        torch.testing.assert_close(optimizer.state[param]["hessian"], torch.full((3,), expected))


@pytest.mark.parametrize("way", ["pieces", "flat"])
def test_parameters_without_a_gradient_keep_their_curvature(way: str) -> None:
    used, unused = make_params(shapes=[(70, 60), (3,)])
    optimizer = Sophia([used, unused], lr=0.1, **WAYS[way])
    used.grad = torch.ones_like(used)
    optimizer.update_hessian(1)
    assert unused not in optimizer.state
    unused.grad = torch.ones_like(unused)
    optimizer.update_hessian(1)
    kept = optimizer.state[unused]["hessian"].clone()
    unused.grad = None
    optimizer.update_hessian(1)
    assert torch.equal(optimizer.state[unused]["hessian"], kept)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_curvature_of_half_precision_neither_overflows_nor_underflows(
    dtype: torch.dtype,
) -> None:
    param = Parameter(torch.ones(2, dtype=dtype))
    optimizer = Sophia([param], betas=(0.9, 0.0))
    param.grad = torch.tensor([1e-5, 1e3], dtype=dtype)
    optimizer.update_hessian(1)
    hessian = optimizer.state[param]["hessian"]
    assert hessian.dtype == torch.float32
    torch.testing.assert_close(hessian, param.grad.float() ** 2)
    optimizer.step()
    assert torch.isfinite(param).all()


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_a_complex_parameter_is_two_real_ones(way: str) -> None:
    start = [param.detach() for param in make_params()]
    whole = [Parameter(torch.complex(each, each.cos())) for each in start]
    halves = [Parameter(torch.stack([each, each.cos()], dim=-1)) for each in start]
    complex_one = Sophia(whole, lr=0.02, rho=0.5, **WAYS[way])
    real_one = Sophia(halves, lr=0.02, rho=0.5)
    for step in range(1, 6):
        for gradient in (sampled_gradient, noisy_gradient):
            set_gradients(halves, gradient, step)
            for param, half in zip(whole, halves, strict=True):
                param.grad = torch.view_as_complex(half.grad.contiguous())
            if gradient is sampled_gradient:
                complex_one.update_hessian(64)
                real_one.update_hessian(64)
        complex_one.step()
        real_one.step()
    found = [torch.view_as_real(param.detach()) for param in whole]
    assert largest_difference(found, halves) < 1e-12


@pytest.mark.parametrize(
    ("wrong", "error"), [(0, ValueError), (float("nan"), ValueError), ("64", TypeError)]
)
def test_a_number_of_tokens_below_one_is_refused(wrong: Any, error: type[Exception]) -> None:
    optimizer = Sophia([Parameter(torch.ones(2))])
    with pytest.raises(error, match="n_tokens must be a finite number >= 1, got"):
        optimizer.update_hessian(wrong)


def test_a_sparse_gradient_is_refused() -> None:
    table = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = Sophia(table.parameters())
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="Sophia takes dense gradients"):
        optimizer.update_hessian(1)

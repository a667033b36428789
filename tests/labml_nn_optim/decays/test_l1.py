"""L1 decay takes the same from every weight, and stops at zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.linear_model import Lasso
from torch.nn import Parameter

from labml_nn_optim import SGD, AdamW, L1WeightDecay, WeightDecay
from tests.labml_nn_optim.examples import largest_difference


def after_one_step(
    decay: WeightDecay, weights: list[float], gradients: list[float], **arguments: Any
) -> list[float]:
    param = Parameter(torch.tensor(weights, dtype=torch.float64))
    param.grad = torch.tensor(gradients, dtype=torch.float64)
    SGD([param], lr=0.5, momentum=0.0, weight_decay=decay, **arguments).step()
    return param.tolist()


WEIGHTS = [2.0, -2.0, 0.04, 0.0]
NONE = [0.0] * 4


def test_every_weight_loses_lr_times_decay_and_small_ones_become_zero() -> None:
    found = after_one_step(L1WeightDecay(0.1), WEIGHTS, NONE)
    assert found == pytest.approx([1.95, -1.95, 0.0, 0.0])
    assert found[2:] == [0.0, 0.0]


def test_absolute_l1_decay_does_not_multiply_by_lr() -> None:
    found = after_one_step(L1WeightDecay(0.1, absolute=True), WEIGHTS, NONE)
    assert found == pytest.approx([1.9, -1.9, 0.0, 0.0])


def test_coupled_l1_decay_adds_the_sign_to_the_gradient() -> None:
    found = after_one_step(L1WeightDecay(0.1, weight_decouple=False), WEIGHTS, [1.0, 0.0, 0.0, 1.0])
    assert found == pytest.approx([2 - 0.5 * 1.1, -1.95, 0.04 - 0.05, -0.5])


def test_the_threshold_is_taken_after_the_step() -> None:
    # The step goes to 0.02 and to -0.06; the threshold is 0.05.
    found = after_one_step(L1WeightDecay(0.1), [0.52, 0.44], [1.0, 1.0])
    assert found[0] == 0.0
    assert found[1] == pytest.approx(-0.01)


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    """100 noisy samples of a sum of 20 inputs, of which 3 matter."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(100, 20, generator=generator, dtype=torch.float64)
    truth = torch.zeros(20, dtype=torch.float64)
    truth[:3] = torch.tensor([3.0, -2.0, 1.0])
    noise = torch.randn(100, generator=generator, dtype=torch.float64)
    return inputs, inputs @ truth + 0.3 * noise


def fit(decay: WeightDecay, inputs: torch.Tensor, targets: torch.Tensor) -> list[float]:
    param = Parameter(torch.zeros(20, dtype=torch.float64))
    optimizer = SGD([param], lr=0.1, momentum=0.0, weight_decay=decay)
    for _ in range(500):
        optimizer.zero_grad()
        (0.5 * (inputs @ param - targets).square().mean()).backward()
        optimizer.step()
    return param.tolist()


def test_weights_that_do_not_matter_end_at_exactly_zero() -> None:
    found = fit(L1WeightDecay(0.2), *problem())
    assert [weight != 0 for weight in found] == [True] * 3 + [False] * 17
    # The price: what matters is too small by about the decay.
    assert found[0] == pytest.approx(2.8, abs=0.1)
    assert min(map(abs, fit(WeightDecay(0.2), *problem()))) > 0
    assert min(map(abs, fit(L1WeightDecay(0.2, weight_decouple=False), *problem()))) > 0


def test_a_weight_of_zero_leaves_it_only_if_its_gradient_is_larger_than_the_decay() -> None:
    found = after_one_step(L1WeightDecay(0.1), [0.0, 0.0], [0.09, 0.11])
    assert found[0] == 0.0
    assert found[1] == pytest.approx(-0.5 * 0.01)


def test_half_precision_weights_become_exactly_zero_too() -> None:
    param = Parameter(torch.full((5,), 0.01, dtype=torch.bfloat16))
    optimizer = AdamW([param], lr=0.1, weight_decay=L1WeightDecay(0.2))
    param.grad = torch.zeros_like(param)
    optimizer.step()
    assert torch.equal(param, torch.zeros_like(param))


def test_a_least_squares_fit_ends_where_scikit_learns_lasso_does() -> None:
    inputs, targets = problem()
    lasso = Lasso(alpha=0.2, fit_intercept=False, tol=1e-14, max_iter=100_000)
    expected = torch.tensor(lasso.fit(inputs.numpy(), targets.numpy()).coef_)
    found = torch.tensor(fit(L1WeightDecay(0.2), inputs, targets), dtype=torch.float64)
    assert largest_difference([found], [expected]) < 1e-12
    assert torch.equal(found == 0, expected == 0)

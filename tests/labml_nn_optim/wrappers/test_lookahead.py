"""Lookahead: the rule, the variance that it leaves, when it synchronizes, and how others start."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import timm.optim.lookahead
import torch
from torch.nn import Parameter

from labml_nn_optim import SGD, AdamW, Lookahead, ScheduleFreeSGD
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def params_() -> list[Parameter]:
    return make_params(shapes=SMALL_SHAPES)


def one(value: float = 0.0, **arguments: Any) -> tuple[Parameter, Lookahead]:
    param = Parameter(torch.full((1,), value, dtype=torch.float64))
    return param, Lookahead(SGD([param], lr=1.0), **arguments)


def step(param: Parameter, optimizer: Lookahead, gradient: float) -> float:
    param.grad = torch.full_like(param, gradient)
    optimizer.step()
    return param.item()


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (6, 0.5), (5, 0.8), (1, 0.3)])
@pytest.mark.parametrize("kind", ["AdamW", "SGD"])
def test_every_number_is_that_of_pytorch_optimizer(kind: str, k: int, alpha: float) -> None:
    arguments = {"lr": 0.02} | ({"momentum": 0.9} if kind == "SGD" else {})
    ours = {"AdamW": AdamW, "SGD": SGD}[kind](params_(), **arguments)
    theirs = getattr(torch.optim, kind)(params_(), **arguments)
    other = pytorch_optimizer.Lookahead(theirs, k=k, alpha=alpha, pullback_momentum="none")
    expected = train(other, 100)
    assert largest_difference(train(Lookahead(ours, k=k, alpha=alpha), 100), expected) < 1e-14


def test_timm_starts_its_slow_weights_at_the_first_synchronization() -> None:
    other = timm.optim.lookahead.Lookahead(torch.optim.AdamW(params_(), lr=0.02), k=6)
    difference = largest_difference(
        train(Lookahead(AdamW(params_(), lr=0.02), k=6), 100), train(other, 100)
    )
    assert difference == pytest.approx(0.044, abs=0.001)


def test_the_slow_weights_start_where_training_starts() -> None:
    param, optimizer = one(5.0, k=2)
    # Loaded after the optimizer was made.
    param.data.fill_(1.0)
    assert [step(param, optimizer, -1.0) for _ in range(4)] == [2.0, 2.0, 3.0, 3.0]
    late = Parameter(torch.full((1,), 7.0, dtype=torch.float64))
    optimizer.add_param_group({"params": [late]})
    step(param, optimizer, -1.0)
    assert optimizer.slow[late].item() == 7.0


@pytest.mark.parametrize(("alpha", "end"), [(0.0, 0.0), (0.25, 0.75), (1.0, 3.0)])
def test_alpha_is_how_far_the_slow_weights_go(alpha: float, end: float) -> None:
    param, optimizer = one(k=3, alpha=alpha)
    assert [step(param, optimizer, -1.0) for _ in range(3)] == [1.0, 2.0, end]


def test_synchronize_moves_both_and_applied_moves_nothing() -> None:
    param, optimizer = one(k=4)
    step(param, optimizer, -2.0)
    with optimizer.applied():
        assert param.item() == 0.0
    assert param.item() == 2.0
    optimizer.synchronize()
    assert param.item() == optimizer.slow[param].item() == 1.0
    # The count goes on: the next synchronization comes after the fourth step.
    assert [step(param, optimizer, -1.0) for _ in range(3)] == [2.0, 3.0, 2.5]


def test_applied_brings_the_fast_weights_back_after_an_error() -> None:
    param, optimizer = one(k=4)
    step(param, optimizer, -2.0)
    with pytest.raises(KeyError), optimizer.applied():
        raise KeyError
    assert param.item() == 2.0


def test_momentum_is_kept() -> None:
    param = Parameter(torch.zeros(1, dtype=torch.float64))
    inside = SGD([param], lr=1.0, momentum=0.9)
    optimizer = Lookahead(inside, k=2)
    for _ in range(2):
        step(param, optimizer, -1.0)
    assert inside.state[param]["momentum_buffer"].item() == pytest.approx(-1.9)


def test_a_schedule_free_optimizer_inside_has_its_average_torn_away() -> None:
    """Why the two are not to be combined."""
    param = Parameter(torch.ones(1, dtype=torch.float64))
    inside = ScheduleFreeSGD([param], lr=0.1, momentum=0.9)
    optimizer = Lookahead(inside, k=100)
    for _ in range(20):
        step(param, optimizer, param.item())

    def average() -> float:
        optimizer.eval()
        found = param.item()
        optimizer.train()
        return found

    fast, before = param.item(), average()
    optimizer.synchronize()
    assert average() - before == pytest.approx((param.item() - fast) / 0.9)


def rest(steepness: float, k: int, steps: int = 400) -> float:
    """The mean square of the slow weights where noise and curvature are in balance."""
    param = Parameter(torch.zeros(20_000, dtype=torch.float64))
    optimizer = Lookahead(SGD([param], lr=0.1), k=k)
    generator = torch.Generator().manual_seed(0)
    found = []
    for done in range(1, steps // k * k + 1):
        noise = torch.randn(20_000, generator=generator, dtype=torch.float64)
        param.grad = 10 * steepness * param.detach() + noise
        optimizer.step()
        if done > steps / 2 and done % k == 0:
            found.append(param.detach().square().mean().item())
    return sum(found) / len(found)


@pytest.mark.parametrize(("steepness", "k"), [(0.1, 5), (1.9, 5), (1.9, 6), (2.1, 5)])
def test_the_variance_is_that_of_the_chapter(steepness: float, k: int) -> None:
    rho = 1 - steepness
    of_fast = 0.01 * (1 - rho ** (2 * k)) / (1 - rho**2)
    variance = 0.25 * of_fast / (1 - (0.5 + 0.5 * rho**k) ** 2)
    assert rest(steepness, k) == pytest.approx(variance, rel=0.02)


def test_an_odd_k_is_stable_where_an_even_one_is_not() -> None:
    def far(k: int) -> float:
        param, optimizer = one(1.0, k=k)
        for _ in range(60):
            step(param, optimizer, 2.1 * param.item())
        return abs(param.item())

    assert far(5) < 1e-5
    assert far(6) > 25


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be"),
        ({"k": 2.5}, TypeError, "k must be"),
        ({"alpha": 1.5}, ValueError, r"alpha must be a finite number >= 0 and <= 1, got 1\.5"),
        ({"alpha": "half"}, TypeError, "alpha must be"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one(**arguments)

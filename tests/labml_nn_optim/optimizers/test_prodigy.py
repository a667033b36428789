"""Prodigy's estimate: whom it is compared with, who takes part in it, and what keeps it still."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import Prodigy, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make_params,
    noisy_gradient,
    train,
)

NOT_COMPILED = [way for way in WAYS if "compile" not in way]


def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), **arguments), steps=100)


@pytest.mark.usefixtures("float64_by_default")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"lr": 0.5, "d0": 1e-3, "d_coef": 2.0}, {}),
        ({"d0": 1e-3, "growth_rate": 1.02}, {}),
        ({"beta3": 0.9, "safeguard_warmup": True}, {}),
        ({"use_bias_correction": True, "d0": 1e-2}, {"bias_correction": True, "d0": 1e-2}),
        ({"weight_decay": 0.1}, {}),
    ],
)
def test_the_estimate_is_that_of_pytorch_optimizer(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    found = run(Prodigy, **ours)
    assert largest_difference(found, run(pytorch_optimizer.Prodigy, **(theirs or ours))) < 1e-12


@pytest.mark.usefixtures("float64_by_default")
def test_coupled_decay_of_pytorch_optimizer_does_nothing() -> None:
    coupled = {"weight_decay": 0.1, "weight_decouple": False}
    theirs = run(pytorch_optimizer.Prodigy, **coupled)
    assert largest_difference(theirs, run(pytorch_optimizer.Prodigy)) == 0
    ours = run(Prodigy, weight_decay=WeightDecay(0.1, weight_decouple=False))
    assert largest_difference(ours, theirs) > 0.5


@pytest.mark.parametrize("way", NOT_COMPILED)
def test_coupled_decay_is_a_term_of_the_gradient_for_the_estimate_too(way: str) -> None:
    def end(penalty: float, decay: float) -> tuple[list[torch.Tensor], float]:
        params = make_params(shapes=SMALL_SHAPES)
        coupled = WeightDecay(decay, weight_decouple=False)
        optimizer = Prodigy(params, weight_decay=coupled, **WAYS[way])
        for step in range(1, 51):
            for index, param in enumerate(params):
                param.grad = noisy_gradient(param, step, index) + penalty * param.detach()
            optimizer.step()
        return [param.detach() for param in params], optimizer.param_groups[0]["d"]

    by_hand, found = end(0.1, 0.0), end(0.0, 0.1)
    assert largest_difference(found[0], by_hand[0]) < 1e-12
    assert found[1] == pytest.approx(by_hand[1], rel=1e-12)


def test_to_maximize_is_to_descend_on_the_negated_gradient() -> None:
    def end(sign: float) -> float:
        params = make_params(shapes=SMALL_SHAPES)
        optimizer = Prodigy(params, maximize=sign < 0)
        for step in range(1, 51):
            for index, param in enumerate(params):
                param.grad = sign * noisy_gradient(param, step, index)
            optimizer.step()
        return float(optimizer.param_groups[0]["d"])

    assert end(-1.0) == end(1.0)


# ## Who takes part
def one_weight_a_group(steps: int, *rates: float, **arguments: Any) -> tuple[Any, list[float]]:
    """Weights at 1 whose gradient is their value."""
    params = [Parameter(torch.ones(1, dtype=torch.float64)) for _ in rates]
    groups = [{"params": [param], "lr": lr} for param, lr in zip(params, rates, strict=True)]
    optimizer = Prodigy(groups, **arguments)
    for _ in range(steps):
        for param in params:
            param.grad = param.detach().clone()
        optimizer.step()
    return optimizer, [param.item() for param in params]


def test_all_groups_share_one_estimate() -> None:
    optimizer, _ = one_weight_a_group(20, 1.0, 1.0)
    together = Prodigy(params := [Parameter(torch.ones(2, dtype=torch.float64))])
    for _ in range(20):
        params[0].grad = params[0].detach().clone()
        together.step()
    first, second = optimizer.param_groups
    for key in ("d", "d_max", "d_numerator", "k"):
        assert first[key] == second[key] == pytest.approx(together.param_groups[0][key], rel=1e-14)


def test_a_group_with_half_of_the_rate_moves_half_as_far() -> None:
    optimizer, (whole, half) = one_weight_a_group(1, 1.0, 0.5)
    assert (1 - half) / (1 - whole) == pytest.approx(0.5, rel=1e-6)
    # It also counts half: of equal gradients 1 + 1/2 is left in the norm of s.
    optimizer, _ = one_weight_a_group(2, 1.0, 0.5)
    alone, _ = one_weight_a_group(2, 1.0)
    r, s = (each.param_groups[0]["d_numerator"] for each in (optimizer, alone))
    assert r / s == pytest.approx(1.5, rel=1e-5)
    assert optimizer.param_groups[0]["d_max"] == pytest.approx(alone.param_groups[0]["d_max"])


def test_a_group_without_a_rate_is_left_out_and_keeps_its_averages() -> None:
    optimizer, (moving, frozen) = one_weight_a_group(30, 1.0, 0.0, weight_decay=0.1)
    alone, expected = one_weight_a_group(30, 1.0, weight_decay=0.1)
    assert frozen == 1.0
    assert moving == expected[0]
    assert optimizer.param_groups[1]["d"] == alone.param_groups[0]["d"]
    state = optimizer.state[optimizer.param_groups[1]["params"][0]]
    assert not any(state[key].any() for key in ("exp_avg", "exp_avg_sq", "s"))


def test_a_group_that_is_added_late_gets_the_estimate_of_the_others() -> None:
    optimizer, _ = one_weight_a_group(30, 1.0)
    d = optimizer.param_groups[0]["d"]
    late = Parameter(torch.ones(1, dtype=torch.float64))
    late.grad = torch.ones_like(late)
    optimizer.add_param_group({"params": [late]})
    optimizer.step()
    # m and v hold (1 - beta1) and (1 - beta2) of their first gradient: 0.1 / sqrt(0.001) = 3.16.
    assert 1 - late.item() == pytest.approx(d * 0.1 / math.sqrt(0.001), rel=1e-6)


# ## What keeps it still
def test_nothing_moves_before_the_first_gradient_that_is_not_zero() -> None:
    param = Parameter(torch.ones(3))
    optimizer = Prodigy([param], weight_decay=0.1)
    for gradient in (0.0, 0.0, 1.0):
        assert torch.equal(param, torch.ones(3))
        param.grad = torch.full((3,), gradient)
        optimizer.step()
    assert optimizer.param_groups[0]["k"] == 1
    assert (param < 1).all()


def test_a_rate_of_zero_changes_nothing_but_the_count() -> None:
    optimizer, (value,) = one_weight_a_group(3, 0.0)
    assert value == 1.0
    assert optimizer.param_groups[0]["d"] == 1e-6
    assert not optimizer.state[optimizer.param_groups[0]["params"][0]]["exp_avg_sq"].any()


def test_the_estimate_never_falls_and_grows_no_faster_than_allowed() -> None:
    params = make_params(shapes=SMALL_SHAPES)
    optimizer = Prodigy(params, d0=1e-3, growth_rate=1.5)
    last = 1e-3
    for step in range(1, 40):
        train(optimizer, steps=1, first=step)
        d = optimizer.param_groups[0]["d"]
        assert last <= d <= 1.5 * last * (1 + 1e-12)
        last = d


def test_the_gradients_of_the_caller_are_not_changed() -> None:
    param = Parameter(torch.ones(4))
    param.grad = torch.arange(4.0)
    coupled = WeightDecay(0.5, weight_decouple=False)
    Prodigy([param], weight_decay=coupled, maximize=True).step()
    assert torch.equal(param.grad, torch.arange(4.0))


def test_the_estimate_is_found_by_a_checkpoint_in_other_groups() -> None:
    named = [(f"layer.{index}", param) for index, param in enumerate(make_params())]
    optimizer = Prodigy(named)
    train(optimizer, steps=30)
    half = len(named) // 2
    other = Prodigy([{"params": named[half:]}, {"params": named[:half]}])
    other.load_state_dict(optimizer.state_dict())
    for group in other.param_groups:
        for key in Prodigy.shared:
            assert group[key] == optimizer.param_groups[0][key]
    assert other.param_groups[0]["d"] > 1e-6


# ## Bad input
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beta3": 1.0}, ValueError, r"beta3 must be a finite number >= 0 and < 1, got 1\.0"),
        ({"beta3": "a"}, TypeError, r"beta3 must be .* got 'a'"),
        ({"d0": 0.0}, ValueError, r"d0 must be a finite number > 0, got 0\.0"),
        ({"d_coef": 0.0}, ValueError, r"d_coef must be a finite number > 0, got 0\.0"),
        ({"growth_rate": 0.9}, ValueError, r"growth_rate must be a finite number >= 1, got 0\.9"),
        ({"safeguard_warmup": 1}, TypeError, r"safeguard_warmup must be True or False, got 1"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Prodigy([Parameter(torch.zeros(2))], **arguments)

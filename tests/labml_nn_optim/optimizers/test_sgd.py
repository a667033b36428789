"""SGD: its three rules, their rates, and torch's checkpoints, which count no steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import timm.optim
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import SGD, WeightDecay
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import CustomSchedule
from tests.labml_nn_optim.examples import SMALL_SHAPES, WAYS, largest_difference, make_params, train

KINDS: dict[str, dict[str, Any]] = {
    "heavy ball": {"momentum": 0.9},
    "damped": {"momentum": 0.9, "dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def scalar(value: float) -> Parameter:
    return Parameter(torch.tensor(value, dtype=torch.float64))


def follow(gradients: list[float], **arguments: Any) -> list[float]:
    """Where a weight that starts at 0 is after each of the `gradients`."""
    theta = scalar(0.0)
    optimizer = SGD([theta], **arguments)
    places = []
    for gradient in gradients:
        theta.grad = torch.full_like(theta, gradient)
        optimizer.step()
        places.append(theta.item())
    return places


def descend(curvature: Tensor, steps: int, **arguments: Any) -> list[float]:
    """Distances from the bottom of a bowl, from a start at 1 in every direction."""
    theta = Parameter(torch.ones_like(curvature))
    optimizer = SGD([theta], **arguments)
    distances = []
    for _ in range(steps):
        theta.grad = curvature * theta.detach()
        optimizer.step()
        distances.append(float(theta.detach().norm()))
    return distances


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [-1.0, -3.0, -2.0]),
        ({"momentum": 0.5}, [-1.0, -3.5, -3.75]),
        ({"momentum": 0.5, "nesterov": True}, [-1.5, -4.75, -3.875]),
        ({"momentum": 0.5, "dampening": 0.5}, [-1.0, -2.5, -2.75]),
    ],
)
def test_three_steps_are_those_of_the_formula(
    arguments: dict[str, Any], expected: list[float]
) -> None:
    assert follow([1.0, 2.0, -1.0], lr=1.0, **arguments) == expected


@every_kind
@pytest.mark.parametrize("coupled", [False, True])
def test_every_kind_of_momentum_equals_torchs_or_timms_for_a_hundred_steps(
    kind: str, coupled: bool
) -> None:
    public = torch.optim.SGD if coupled else timm.optim.SGDW
    theirs = public(make_params(shapes=SMALL_SHAPES), lr=0.02, weight_decay=0.1, **KINDS[kind])
    ours = SGD(
        make_params(shapes=SMALL_SHAPES),
        lr=0.02,
        weight_decay=WeightDecay(0.1, weight_decouple=not coupled),
        **KINDS[kind],
    )
    assert largest_difference(train(ours, steps=100), train(theirs, steps=100)) < 1e-14


@pytest.mark.parametrize("way", WAYS)
def test_a_damped_velocity_is_the_same_in_every_way(way: str) -> None:
    def run(**options: bool) -> list[Tensor]:
        params = make_params(shapes=[(70, 60), (30,), ()])
        return train(SGD(params, lr=0.02, **KINDS["damped"], **options), steps=4)

    assert largest_difference(run(**WAYS[way]), run(per_tensor=True)) < 1e-13


def test_nesterovs_form_is_sutskevers_seen_from_the_point_ahead() -> None:
    curvature = torch.tensor([3.0, 0.1], dtype=torch.float64)
    lr, momentum = 0.1, 0.9
    theta = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = SGD([theta], lr=lr, momentum=momentum, nesterov=True)
    phi, velocity = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for _ in range(20):
        velocity = momentum * velocity + curvature * (phi - lr * momentum * velocity)
        phi = phi - lr * velocity
        theta.grad = curvature * theta.detach()
        optimizer.step()
        torch.testing.assert_close(theta.detach(), phi - lr * momentum * velocity)


def test_the_table_of_steps_down_the_bowl_is_as_printed() -> None:
    curvature = torch.tensor([100.0, 1.0], dtype=torch.float64)

    def last_outside(**arguments: Any) -> int:
        distances = descend(curvature, steps=500, lr=0.01, **arguments)
        return max(step for step, distance in enumerate(distances, start=1) if distance > 0.01)

    assert last_outside() + 1 == 459
    assert last_outside(momentum=0.9) + 1 == 91
    assert last_outside(momentum=0.9, nesterov=True) + 1 == 82


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0.1, 0.9), momentum=st.floats(0.5, 0.8))
def test_the_heavy_ball_shrinks_with_the_root_of_momentum_whatever_the_curvature(
    share: float, momentum: float
) -> None:
    low, high = (1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2
    curvature = torch.tensor([low + share * (high - low)], dtype=torch.float64)
    distances = descend(curvature, steps=200, lr=1.0, momentum=momentum)
    rates = [math.log(d) / step for step, d in enumerate(distances, start=1) if d > 0]
    # Oscillating, so the largest of the last rates counts.
    assert max(rates[-20:]) == pytest.approx(math.log(momentum) / 2, abs=0.03)


@pytest.mark.parametrize(("nesterov", "limit"), [(False, 3.8), (True, 3.8 / 2.8)])
def test_the_range_of_stable_rates_ends_where_the_formula_says(
    nesterov: bool, limit: float
) -> None:
    curvature = torch.ones(1, dtype=torch.float64)
    arguments = {"momentum": 0.9, "nesterov": nesterov}
    assert descend(curvature, 400, lr=0.99 * limit, **arguments)[-1] < 0.1
    assert descend(curvature, 400, lr=1.01 * limit, **arguments)[-1] > 10


@pytest.mark.parametrize(
    ("lr", "momentum", "expected"), [(0.1, 0.0, 0.1 / (2 - 0.1)), (0.01, 0.9, 0.0501)]
)
def test_a_constant_rate_leaves_the_variance_of_the_formula(
    lr: float, momentum: float, expected: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    theta = Parameter(torch.zeros(20_000, dtype=torch.float64))
    optimizer = SGD([theta], lr=lr, momentum=momentum)
    for _ in range(300):
        noise = torch.randn(20_000, generator=generator, dtype=torch.float64)
        theta.grad = theta.detach() + noise
        optimizer.step()
    assert theta.detach().square().mean().item() == pytest.approx(expected, rel=0.04)


def test_the_learning_rate_stands_outside_the_velocity() -> None:
    theta = scalar(0.0)
    optimizer = SGD([theta], lr=0.1, momentum=0.9)
    for _ in range(300):
        theta.grad = torch.ones_like(theta)
        optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.01
    before = theta.item()
    optimizer.step()
    assert before - theta.item() == pytest.approx(0.1)


def test_decay_in_the_velocity_acts_ten_times_as_long() -> None:
    def left(**kind: bool) -> float:
        theta = scalar(1.0)
        optimizer = SGD([theta], lr=0.1, momentum=0.9, weight_decay=WeightDecay(0.01, **kind))
        for _ in range(1000):
            theta.grad = torch.zeros_like(theta)
            optimizer.step()
        return theta.item()

    assert left() == pytest.approx(0.999**1000)
    assert left(weight_decouple=False) == pytest.approx(1.56e-5, rel=0.01)


@pytest.mark.parametrize(
    "arguments",
    [
        {"nesterov": True},
        {"nesterov": True, "momentum": 0},
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
    ],
)
def test_nesterov_without_momentum_or_with_dampening_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nesterov must be False unless momentum > 0"):
        SGD([scalar(0.0)], **arguments)


def test_a_momentum_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"momentum must be .* < 1, got 1\.0"):
        SGD([scalar(0.0)], momentum=1.0)


def test_nothing_but_the_step_is_stored_without_momentum() -> None:
    params = make_params(shapes=SMALL_SHAPES)
    optimizer = SGD(params)
    train(optimizer, steps=2)
    assert {tuple(state) for state in optimizer.state.values()} == {("step",)}


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_momentum_that_a_schedule_raises_from_zero_equals_torchs(way: str) -> None:
    def run(kind: Callable[..., torch.optim.Optimizer], **options: bool) -> list[Tensor]:
        params = make_params(shapes=SMALL_SHAPES)
        optimizer = kind(params, lr=0.02, **options)
        scheduler = Scheduler(
            optimizer, CustomSchedule((0.0, 0.0, 0.0, 0.5, 0.9, 0.0, 0.9)), "momentum"
        )
        for step in range(1, 8):
            train(optimizer, steps=1, first=step)
            scheduler.step()
        return [param.detach() for param in params]

    assert largest_difference(run(SGD, **WAYS[way]), run(torch.optim.SGD)) < 1e-14


def test_a_parameter_that_has_slept_finds_its_momentum_when_it_wakes() -> None:
    first, second = scalar(0.0), scalar(0.0)
    optimizer = SGD([first, second], lr=1.0)
    for momentum, awake in [(0.0, True), (0.5, False), (0.5, True), (0.5, True)]:
        optimizer.param_groups[0]["momentum"] = momentum
        first.grad = torch.ones_like(first)
        second.grad = torch.ones_like(second) if awake else None
        optimizer.step()
    assert first.item() == -(1 + 1 + 1.5 + 1.75)
    assert second.item() == -(1 + 1 + 1.5)


def test_a_late_velocity_is_damped_from_its_first_gradient_on() -> None:
    theta = scalar(0.0)
    optimizer = SGD([theta], lr=1.0, dampening=0.25)
    for momentum in (0.0, 0.5, 0.5):
        optimizer.param_groups[0]["momentum"] = momentum
        theta.grad = torch.ones_like(theta)
        optimizer.step()
    assert theta.item() == -(1 + 0.75 + 0.5 * 0.75 + 0.75)


@every_kind
def test_a_checkpoint_of_torch_has_made_its_undamped_step(kind: str) -> None:
    theirs = torch.optim.SGD(make_params(shapes=SMALL_SHAPES), lr=0.02, **KINDS[kind])
    params = [Parameter(param) for param in train(theirs, steps=3)]
    saved = copy.deepcopy(theirs.state_dict())
    assert all("step" not in state for state in saved["state"].values())
    ours = SGD(params, lr=0.5, **KINDS[kind])
    ours.load_state_dict(saved)
    found = train(ours, steps=3, first=4)
    assert largest_difference(found, train(theirs, steps=3, first=4)) < 1e-14


def test_a_checkpoint_of_torch_without_momentum_is_read() -> None:
    theirs = torch.optim.SGD(make_params(shapes=SMALL_SHAPES), lr=0.02)
    params = [Parameter(param) for param in train(theirs, steps=2)]
    saved = copy.deepcopy(theirs.state_dict())
    saved["state"] = {index: {"momentum_buffer": None} for index in range(len(params))}
    ours = SGD(params, lr=0.5)
    ours.load_state_dict(saved)
    found = train(ours, steps=2, first=3)
    assert largest_difference(found, train(theirs, steps=2, first=3)) < 1e-14

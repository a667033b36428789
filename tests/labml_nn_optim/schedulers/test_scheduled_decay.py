"""A scheduled weight decay, seen in the weights that it decays."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import AdamW, WeightDecay
from labml_nn_optim.schedulers import (
    ConstantLR,
    CosineDecayWD,
    LinearLR,
    Scheduler,
    SequentialLR,
)
from labml_nn_optim.schedules import LinearDecreasingSchedule
from tests.labml_nn_optim.examples import noisy_gradient

STEPS = 8
WAYS: dict[str, dict[str, Any]] = {
    "pieces": {},
    "per_tensor": {"per_tensor": True},
    "flat": {"flat": True},
}
KINDS = {
    "a number": 0.1,
    "decoupled": WeightDecay(0.1),
    "in the gradient": WeightDecay(0.1, weight_decouple=False),
    "absolute": WeightDecay(0.1, absolute=True),
}


def by_hand(weight: Parameter, kind: str, rates: list[float], decays: list[float]) -> list[float]:
    """AdamW, written out, with a rate and a decay for every step."""
    mean = torch.zeros_like(weight)
    square = torch.zeros_like(weight)
    for t, (rate, decay) in enumerate(zip(rates, decays, strict=True), start=1):
        gradient = noisy_gradient(weight, t, 0)
        with torch.no_grad():
            if kind == "in the gradient":
                gradient = gradient + decay * weight
            else:
                weight.mul_(1 - (decay if kind == "absolute" else rate * decay))
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            root = (square / (1 - 0.999**t)).sqrt() + 1e-8
            weight -= rate * mean / (1 - 0.9**t) / root
    return weight.tolist()


def a_weight() -> Parameter:
    return Parameter(torch.linspace(-2, 3, 5, dtype=torch.float64))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduled_decay_is_that_of_a_loop_by_hand(kind: str, way: str) -> None:
    weight = a_weight()
    optimizer = AdamW([weight], lr=0.5, weight_decay=KINDS[kind], **WAYS[way])
    warmup = [LinearLR(optimizer, 0, 0.2, 3), ConstantLR(optimizer, 0.2)]
    schedulers = [SequentialLR(optimizer, warmup), CosineDecayWD(optimizer, 0.4, 0, 6)]
    for t in range(1, STEPS + 1):
        weight.grad = noisy_gradient(weight, t, 0)
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    rates = [0.2 * min(t / 3, 1) for t in range(STEPS)]
    decays = [0.2 * (1 + math.cos(math.pi * min(t / 6, 1))) for t in range(STEPS)]
    expected = by_hand(a_weight(), kind, rates, decays)
    assert weight.tolist() == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(by_hand(a_weight(), kind, rates, [0.1] * STEPS), rel=1e-3)


def test_a_relative_decay_shrinks_each_group_by_its_own() -> None:
    weights = [Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(3)]
    own = (0.1, 0.02, 0.0)
    groups = [
        {"params": [weight], "weight_decay": decay}
        for weight, decay in zip(weights, own, strict=True)
    ]
    optimizer = AdamW(groups, lr=0.5)
    line = LinearDecreasingSchedule(1.0)
    scheduler = Scheduler(optimizer, line, "weight_decay", total_steps=5, mode="relative")
    for _ in range(5):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        scheduler.step()
    for weight, decay in zip(weights, own, strict=True):
        expected = math.prod(1 - 0.5 * decay * left for left in (1, 0.75, 0.5, 0.25, 0))
        assert weight.tolist() == pytest.approx([expected] * 2, rel=1e-12)
    assert weights[2].tolist() == [1, 1]


def test_a_decay_of_0_on_the_way_is_taken_up_again() -> None:
    weight = Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = AdamW([weight], lr=0.5, weight_decay=0.1)
    scheduler = Scheduler(optimizer, LinearDecreasingSchedule(0.2), "weight_decay", total_steps=2)
    for epoch in (0, 1, 0):
        scheduler.step(epoch)
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    assert weight.item() == pytest.approx(0.9 * 0.9)

"""CautiousAdamW is AdamW whose option is on."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import AdamW, CautiousAdamW
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def zeros(size: int) -> Parameter:
    return Parameter(torch.zeros(size, dtype=torch.float64))


@pytest.mark.parametrize("options", [{}, {"per_tensor": True}, {"maximize": True}], ids=str)
def test_it_is_adamw_with_the_option(options: dict[str, bool]) -> None:
    ours = train(CautiousAdamW(make_params(shapes=SMALL_SHAPES), lr=0.02, **options), steps=20)
    plain = AdamW(make_params(shapes=SMALL_SHAPES), lr=0.02, cautious=True, **options)
    assert largest_difference(ours, train(plain, steps=20)) == 0


def test_the_option_may_be_said_and_cannot_be_denied() -> None:
    assert CautiousAdamW([zeros(1)]).cautious
    assert CautiousAdamW([zeros(1)], cautious=True).cautious
    with pytest.raises(ValueError, match="cautious must be True for CautiousAdamW, got False"):
        CautiousAdamW([zeros(1)], cautious=False)
    with pytest.raises(TypeError, match="cautious must be True or False, got 1"):
        CautiousAdamW([zeros(1)], cautious=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["compile", "flat"])
def test_ways_that_cut_or_join_tensors_are_refused(way: str) -> None:
    with pytest.raises(ValueError, match="compile and flat must be False for CautiousAdamW"):
        CautiousAdamW([zeros(1)], **{way: True})


def test_decay_is_that_of_adamw_unless_given() -> None:
    assert CautiousAdamW([zeros(1)]).param_groups[0]["weight_decay"] == 0.01


def test_after_a_turn_of_the_gradient_it_waits_until_momentum_has_turned() -> None:
    param = zeros(1)
    optimizer = CautiousAdamW([param], lr=1.0, weight_decay=0.0)
    lengths = []
    for step in range(110):
        before = param.item()
        param.grad = torch.full_like(param, 1.0 if step < 100 else -1.0)
        optimizer.step()
        lengths.append(before - param.item())
    assert lengths[99:106] == pytest.approx([1, 0, 0, 0, 0, 0, 0], abs=1e-4)
    assert lengths[106] == pytest.approx(-0.043, abs=1e-3)


def in_noise(kind: Any, mean: float = 0.0) -> tuple[float, float, float]:
    """The share that moves, the length of a step and the mean step, once the moments have settled."""
    param = zeros(4000)
    optimizer = kind([param], lr=1.0, weight_decay=0.0, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(0)
    shares, squares, drift = 0.0, 0.0, 0.0
    for step in range(500):
        param.grad = torch.randn(4000, generator=generator, dtype=torch.float64) + mean
        before = param.detach().clone()
        optimizer.step()
        if step >= 200:
            moved = before - param.detach()
            shares += float(moved.mul(param.grad).gt(0).double().mean()) / 300
            squares += float(moved.square().mean()) / 300
            drift += float(moved.mean()) / 300
    return shares, math.sqrt(squares), drift


def test_in_noise_it_is_adamw_with_a_rate_that_is_a_tenth_larger() -> None:
    share, length, _ = in_noise(CautiousAdamW)
    plain_share, plain_length, _ = in_noise(AdamW)
    expected = 0.5 + math.asin(math.sqrt(1 - 0.9**2)) / math.pi
    assert share == pytest.approx(expected, abs=0.005)
    assert plain_share == pytest.approx(expected, abs=0.005)
    assert length / plain_length == pytest.approx(1.36, abs=0.02)
    ratio = in_noise(CautiousAdamW, 0.2)[2] / in_noise(AdamW, 0.2)[2]
    assert ratio == pytest.approx(1.1, abs=0.02)

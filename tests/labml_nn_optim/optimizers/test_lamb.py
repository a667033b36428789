"""The ratio of LAMB, its bounds, the clipping of NVLAMB, and the programs that differ."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import LAMB, Adam, WeightDecay
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def run(kind: Any, **arguments: Any) -> list[Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments), steps=100)


def step(start: list[float], gradient: list[float], **arguments: Any) -> Tensor:
    """The first step of one tensor, downwards."""
    param = Parameter(torch.tensor(start, dtype=torch.float64))
    param.grad = torch.tensor(gradient, dtype=torch.float64)
    before = param.detach().clone()
    LAMB([param], **arguments).step()
    return before - param.detach()


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_every_step_is_the_same_part_of_a_tensor(size: float) -> None:
    moved = step([3 * size, 4 * size], [2.0, -70.0], lr=0.1, weight_decay=0.3)
    assert moved.norm().item() == pytest.approx(0.5 * size, rel=1e-9)


def test_decay_turns_the_update_before_it_is_scaled() -> None:
    moved = step([3.0, 4.0], [2.0, -70.0], lr=0.1, eps=0.0, weight_decay=0.3)
    update = torch.tensor([1.0 + 0.9, -1.0 + 1.2], dtype=torch.float64)
    torch.testing.assert_close(moved, update / update.norm() * 0.5)


def test_decoupled_decay_comes_first_and_the_ratio_sees_what_it_leaves() -> None:
    moved = step([3.0, 4.0], [2.0, -70.0], lr=0.1, eps=0.0, weight_decay=WeightDecay(2.0))
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    start = torch.tensor([3.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(moved, 0.2 * start + 0.1 * 0.8 * 5 * sign / sign.norm())


def test_without_decay_it_is_adam_and_may_adapt_all_the_same() -> None:
    plain = run(LAMB, weight_decay=0.0)
    assert largest_difference(plain, run(Adam, eps=1e-6)) < 1e-12
    theirs = run(timm.optim.Lamb, weight_decay=0.0, always_adapt=True, max_grad_norm=None)
    ours = run(LAMB, weight_decay=0.0, always_adapt=True)
    assert largest_difference(ours, theirs) < 1e-12
    assert largest_difference(ours, plain) > 0.1


def test_the_bounds_are_those_of_norm_and_ratio() -> None:
    arguments: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.0, "always_adapt": True, "eps": 0.0}
    gradient = [2.0, -70.0]
    assert step([3.0, 4.0], gradient, max_norm=2.0, **arguments).norm().item() == pytest.approx(0.2)
    moved = step([3.0, 4.0], gradient, max_ratio=1.0, **arguments)
    assert moved.abs().tolist() == pytest.approx([0.1, 0.1])
    theirs = run(timm.optim.Lamb, weight_decay=0.01, trust_clip=True, max_grad_norm=None)
    assert largest_difference(run(LAMB, max_ratio=1.0), theirs) < 1e-12


@pytest.mark.parametrize("options", [{}, {"per_tensor": True}], ids=str)
def test_timm_clips_by_default_and_with_the_same_bound_they_agree(options: dict[str, bool]) -> None:
    theirs = run(timm.optim.Lamb, weight_decay=0.01)
    assert largest_difference(run(LAMB, **options), theirs) == pytest.approx(0.052, abs=1e-3)
    assert largest_difference(run(LAMB, max_grad_norm=1.0, **options), theirs) < 1e-12


def test_the_norm_is_that_of_all_groups_and_each_group_has_its_own_bound() -> None:
    first, second, third = (Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(3))
    groups = [
        {"params": [first]},
        {"params": [second], "max_grad_norm": 10.0},
        {"params": [third], "max_grad_norm": None},
    ]
    optimizer = LAMB(groups, max_grad_norm=1.0, betas=(0.0, 0.0))
    first.grad, second.grad = torch.full_like(first, 3.0), torch.full_like(second, 4.0)
    third.grad = torch.full_like(third, 0.0)
    optimizer.step()
    # 2 * 9 + 2 * 16 = 50
    seen = [optimizer.state[param]["exp_avg"][0].item() for param in (first, second)]
    assert seen == pytest.approx([3 / 50**0.5, 4.0])
    assert first.grad[0].item() == 3.0


def test_half_precision_gradients_do_not_overflow_their_norm() -> None:
    param = Parameter(torch.ones(1000, dtype=torch.float16))
    optimizer = LAMB([param], max_grad_norm=1.0)
    param.grad = torch.full_like(param, 30_000.0)
    optimizer.step()
    assert optimizer.param_groups[0]["divisor"] == pytest.approx(30_000 * 1000**0.5, rel=1e-3)
    assert param.isfinite().all()


def test_a_bad_gradient_turns_the_step_and_clipping_helps() -> None:
    def cosine(**arguments: Any) -> float:
        generator = torch.Generator().manual_seed(0)
        good = torch.randn(1000, generator=generator, dtype=torch.float64)
        good /= good.norm()
        param = Parameter(torch.randn(1000, generator=generator, dtype=torch.float64))
        optimizer = LAMB([param], **arguments)
        for count in range(102):
            bad = torch.randn(1000, generator=generator, dtype=torch.float64)
            before = param.detach().clone()
            param.grad = 50 * bad / bad.norm() if count == 100 else 0.5 * good
            optimizer.step()
        moved = before - param.detach()
        return float(moved @ good / moved.norm())

    assert cosine() < 0.2
    assert cosine(max_grad_norm=1.0) > 0.6


def test_pytorch_optimizer_has_no_corrections() -> None:
    theirs = run(pytorch_optimizer.Lamb, weight_decay=0.01, weight_decouple=False)
    assert largest_difference(run(LAMB), theirs) == pytest.approx(0.34, abs=0.01)


def test_a_cautious_lamb_looks_at_the_gradient_and_not_at_its_decayed_update() -> None:
    param = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = LAMB([param], lr=0.1, weight_decay=0.0, cautious=True)
    other = Parameter(torch.ones(2, dtype=torch.float64))
    decayed = LAMB([other], lr=0.1, weight_decay=0.1, cautious=True)
    for each, rule in ((param, optimizer), (other, decayed)):
        for gradient in ([1.0, 1.0], [0.9, -0.1]):
            before = each.detach().clone()
            each.grad = torch.tensor(gradient, dtype=torch.float64)
            rule.step()
        # Momentum still goes down in the second element, which the gradient contradicts.
        moved = before - each.detach()
        assert moved[0] > 0
        assert moved[1] == 0


@pytest.mark.parametrize("name", ["max_norm", "max_ratio", "max_grad_norm"])
def test_a_bad_bound_is_named(name: str) -> None:
    for wrong, error in ((0.0, ValueError), (float("nan"), ValueError), ("one", TypeError)):
        with pytest.raises(error, match=rf"{name} must be a finite number > 0, got"):
            LAMB([Parameter(torch.zeros(2))], **{name: wrong})  # type: ignore[arg-type]


def test_it_is_neither_compiled_nor_flat() -> None:
    with pytest.raises(ValueError, match="compile and flat must be False for LAMB"):
        LAMB([Parameter(torch.zeros(2))], flat=True)

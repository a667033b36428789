"""Cautious decay pulls a weight only where the update does not push it away from zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import SGD, Adam, AdamFP16, AdamW, CautiousWeightDecay, StableAdamW, WeightDecay
from labml_nn_optim.optimizers.adam import Adam as AdamFromItsFile
from tests.labml_nn_optim.examples import largest_difference


def after_one_step(
    decay: WeightDecay, weights: list[float], gradients: list[float], **arguments: Any
) -> list[float]:
    param = Parameter(torch.tensor(weights, dtype=torch.float64))
    param.grad = torch.tensor(gradients, dtype=torch.float64)
    SGD([param], lr=0.5, momentum=0.0, weight_decay=decay, **arguments).step()
    return param.tolist()


# The updates of the four weights are towards zero, away from it, none, and away from it.
WEIGHTS = [2.0, 2.0, 2.0, -2.0]
GRADIENTS = [1.0, -1.0, 0.0, 1.0]


def test_a_weight_that_is_moved_towards_zero_or_not_at_all_decays_by_lr_times_decay() -> None:
    found = after_one_step(CautiousWeightDecay(0.1), WEIGHTS, GRADIENTS)
    assert found == pytest.approx([2 - 0.5 - 0.5 * 0.1 * 2, 2.5, 2 - 0.5 * 0.1 * 2, -2.5])


def test_absolute_cautious_decay_does_not_multiply_by_lr() -> None:
    found = after_one_step(CautiousWeightDecay(0.1, absolute=True), WEIGHTS, GRADIENTS)
    assert found == pytest.approx([2 - 0.5 - 0.1 * 2, 2.5, 2 - 0.1 * 2, -2.5])


def test_it_is_the_weight_before_the_step_that_decays() -> None:
    # The step takes the weight to 0: a decay of what is there after it would do nothing.
    assert after_one_step(CautiousWeightDecay(0.1), [1.0], [2.0]) == pytest.approx([-0.05])


def test_a_weight_of_zero_stays_where_the_step_leaves_it() -> None:
    assert after_one_step(CautiousWeightDecay(0.1), [0.0], [1.0]) == pytest.approx([-0.5])


def test_maximizing_looks_at_the_update_and_not_at_the_gradient() -> None:
    found = after_one_step(CautiousWeightDecay(0.1), [2.0, 2.0], [1.0, -1.0], maximize=True)
    assert found == pytest.approx([2.5, 2 - 0.5 - 0.1])


def test_signs_are_compared_however_small_the_numbers() -> None:
    # The product of weight and update is 0 in float32.
    param = Parameter(torch.tensor([-1e-25, 1e-25]))
    param.grad = torch.tensor([1e-25, 1e-25])
    SGD([param], lr=0.5, momentum=0.0, weight_decay=CautiousWeightDecay(1.0)).step()
    assert param[0].item() == pytest.approx(-1.5e-25)
    assert param[1].item() == pytest.approx(0.0, abs=1e-32)


def test_momentum_may_overrule_the_gradient_of_the_step() -> None:
    param = Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = SGD([param], lr=0.1, momentum=0.9, weight_decay=CautiousWeightDecay(0.1))
    places = []
    for gradient in (1.0, -0.5):
        param.grad = torch.full_like(param, gradient)
        optimizer.step()
        places.append(param.item())
    # The second velocity is $0.9 - 0.5 = 0.4$: still towards zero.
    assert places[0] == pytest.approx(1 - 0.1 - 0.01)
    assert places[1] == pytest.approx(places[0] - 0.04 - 0.01 * places[0])


def test_it_cannot_be_coupled() -> None:
    with pytest.raises(ValueError, match="weight_decouple must be True for CautiousWeightDecay"):
        CautiousWeightDecay(0.1, weight_decouple=False)


class WarmedUp(AdamFromItsFile):
    """Adam whose learning rate is scheduled inside: a hundredth at its first step."""

    def scalars(self, group, step):
        scheduled = dict(group, lr=group["lr"] * min(1.0, step / 100))
        return {"lr": scheduled["lr"]} | super().scalars(scheduled, step)


def test_it_follows_the_learning_rate_that_the_step_really_has() -> None:
    param = Parameter(torch.ones(3))
    param.grad = torch.zeros(3)
    WarmedUp([param], lr=1.0, weight_decay=CautiousWeightDecay(0.1)).step()
    torch.testing.assert_close(param.detach(), torch.full((3,), 1 - 0.01 * 0.1))


def test_it_follows_the_rate_that_stable_adamw_has_shortened() -> None:
    def run(kind: Any, decay: WeightDecay) -> float:
        param = Parameter(torch.tensor([2.0], dtype=torch.float64))
        optimizer = kind([param], lr=0.1, betas=(0.0, 0.99), weight_decay=decay)
        for gradient in (0.01, 1.0):
            param.grad = torch.full_like(param, gradient)
            optimizer.step()
        return param.item()

    # Both steps go towards zero, so all that differs from plain decay is its place: after the update,
    # by what the weight was before it.
    plain = run(StableAdamW, WeightDecay(0.1))
    assert run(StableAdamW, CautiousWeightDecay(0.1)) == pytest.approx(plain, rel=1e-12)
    assert run(AdamW, CautiousWeightDecay(0.1)) != pytest.approx(plain, rel=1e-3)


def test_the_float32_copy_of_a_half_precision_weight_decays() -> None:
    def run(kind: Any, dtype: torch.dtype) -> Parameter:
        param = Parameter(torch.tensor([2.0, 2.0], dtype=dtype))
        optimizer = kind([param], lr=1e-4, weight_decay=CautiousWeightDecay(0.1))
        for _ in range(100):
            param.grad = torch.tensor([1.0, -1.0], dtype=dtype)
            optimizer.step()
        return param

    # Every step but the last is lost in a bfloat16 weight without the copy.
    expected = run(Adam, torch.float32)
    assert torch.equal(run(AdamFP16, torch.bfloat16), expected.bfloat16())
    assert expected[0] < 2 - 0.01 - 0.0015


def test_a_hundred_steps_equal_the_published_rule_around_torchs_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(400, generator=generator, dtype=torch.float64)
    ours, theirs = Parameter(start.clone()), Parameter(start.clone())
    optimizer = Adam([ours], lr=0.02, weight_decay=CautiousWeightDecay(0.5))
    adam = torch.optim.Adam([theirs], lr=0.02)
    for _ in range(100):
        noise = torch.randn(400, generator=generator, dtype=torch.float64)
        ours.grad = 0.3 * ours.detach() + noise
        optimizer.step()
        theirs.grad = 0.3 * theirs.detach() + noise
        # Algorithm 1: the update of torch's Adam, and the decay of the weight from before it.
        before = theirs.detach().clone()
        adam.step()
        update = (before - theirs.detach()) / 0.02
        with torch.no_grad():
            theirs.copy_(before - 0.02 * (update + 0.5 * (update * before >= 0) * before))
    assert largest_difference([ours.detach()], [theirs.detach()]) < 1e-13
    assert largest_difference([ours.detach()], [start]) > 0.1


@pytest.mark.parametrize(("noise", "place"), [(0.0, 3.0), (1.0, 2.624), (10.0, 2.494)])
def test_noise_switches_half_of_the_decay_on(noise: float, place: float) -> None:
    # Plain decay of 0.4 ends at $3 / 1.4 = 2.143$, and of 0.2 at $3 / 1.2 = 2.5$.
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.full((20_000,), 3.0, dtype=torch.float64))
    optimizer = SGD([param], lr=0.05, momentum=0.0, weight_decay=CautiousWeightDecay(0.4))
    for _ in range(200):
        deviation = torch.randn(20_000, generator=generator, dtype=torch.float64)
        param.grad = param.detach() - 3 + noise * deviation
        optimizer.step()
    assert param.mean().item() == pytest.approx(place, abs=0.04)

"""What each kind of weight decay does to a parameter and to its gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import Adam, GenericAdaptiveOptimizer, WeightDecay
from labml_nn_optim.optimizers.adam import Adam as AdamFromItsFile
from tests.labml_nn_optim.examples import NAMES, WAYS, largest_difference, make, make_params, train


def decayed(decay: WeightDecay, lr: float = 0.5) -> tuple[float, float]:
    """Where a parameter of 2 and its gradient of 1 are after the decay."""
    param, grad = torch.tensor([2.0]), torch.tensor([1.0])
    out = decay(param, grad, {"lr": lr, **decay.defaults()})
    assert grad.item() == 1.0
    return param.item(), out.item()


def test_decoupled_decay_shrinks_the_parameter_by_lr_times_decay() -> None:
    assert decayed(WeightDecay(0.1)) == (pytest.approx(2 * (1 - 0.5 * 0.1)), 1.0)


def test_absolute_decay_shrinks_the_parameter_whatever_lr_is() -> None:
    assert decayed(WeightDecay(0.1, absolute=True)) == (pytest.approx(2 * (1 - 0.1)), 1.0)


def test_coupled_decay_adds_the_parameter_to_the_gradient() -> None:
    assert decayed(WeightDecay(0.1, weight_decouple=False)) == (2.0, pytest.approx(1 + 0.1 * 2))


def test_no_decay_returns_the_gradient_itself() -> None:
    grad = torch.ones(2)
    decay = WeightDecay()
    assert decay(torch.ones(2), grad, {"lr": 1.0, **decay.defaults()}) is grad


@pytest.mark.parametrize("name", NAMES)
def test_a_number_is_decoupled_decay_times_lr(name: str) -> None:
    plain = train(make(name, make_params(), lr=0.02, weight_decay=0.1), steps=3)
    spelled = train(make(name, make_params(), lr=0.02, weight_decay=WeightDecay(0.1)), steps=3)
    assert largest_difference(plain, spelled) == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_group_may_have_its_own_kind_of_decay(way: str) -> None:
    first, second = Parameter(torch.full((3,), 2.0)), Parameter(torch.full((3,), 2.0))
    groups = [
        {"params": [first]},
        {"params": [second], "weight_decay": WeightDecay(0.1, absolute=True)},
    ]
    optimizer = Adam(groups, lr=0.5, weight_decay=0.1, **WAYS[way])
    for param in (first, second):
        param.grad = torch.zeros(3)
    optimizer.step()
    torch.testing.assert_close(first.detach(), torch.full((3,), 2 * (1 - 0.05)))
    torch.testing.assert_close(second.detach(), torch.full((3,), 2 * (1 - 0.1)))


class WarmedUp(AdamFromItsFile):
    """Adam whose learning rate is scheduled inside: a hundredth at its first step."""

    def scalars(self, group, step):
        scheduled = dict(group, lr=group["lr"] * min(1.0, step / 100))
        return {"lr": scheduled["lr"]} | super().scalars(scheduled, step)


@pytest.mark.parametrize("way", WAYS)
def test_decay_follows_the_learning_rate_that_the_step_really_has(way: str) -> None:
    param = Parameter(torch.ones(3))
    optimizer: GenericAdaptiveOptimizer = WarmedUp([param], lr=1.0, weight_decay=0.1, **WAYS[way])
    param.grad = torch.zeros(3)
    optimizer.step()
    torch.testing.assert_close(param.detach(), torch.full((3,), 1 - 0.01 * 0.1))

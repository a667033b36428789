"""What each kind of weight decay does to a parameter and to its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import Adam, GenericAdaptiveOptimizer, ProximalWeightDecay, WeightDecay
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
    # Adan's paper and all its programs mean another decoupled kind.
    decay = ProximalWeightDecay(0.1) if name == "adan" else WeightDecay(0.1)
    # And those with a ratio of norms mean a term of the update, which the ratio sees.
    if name in ("lamb", "lars", "novograd"):
        decay = WeightDecay(0.1, weight_decouple=False)
    spelled = train(make(name, make_params(), lr=0.02, weight_decay=decay), steps=3)
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


@dataclass(frozen=True)
class DecayToFloor(WeightDecay):
    """Decay that leaves alone what is no larger than `floor`, if it is `on`."""

    floor: float = 1.0
    on: bool = True

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        if not self.on:
            return param.mul(0)
        return param.sub(param.clamp_min(-self.floor).clamp_max_(self.floor))

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        param.sub_(self.gradient(param, group).mul(amount))


@pytest.mark.parametrize("way", WAYS)
def test_fields_of_ones_own_kind_differ_between_groups(way: str) -> None:
    def run(**options: bool) -> list[float]:
        params = [Parameter(torch.full((3,), 4.0)) for _ in range(4)]
        decays = [DecayToFloor(0.2, floor=2.0), DecayToFloor(0.2), DecayToFloor(0.2, on=False)]
        groups: list[dict[str, Any]] = [{"params": [params[0]], "weight_decay": 0.1}]
        groups += [
            {"params": [param], "weight_decay": decay}
            for param, decay in zip(params[1:], decays, strict=True)
        ]
        optimizer = Adam(groups, lr=0.5, weight_decay=DecayToFloor(floor=3.0), **options)
        for param in params:
            param.grad = torch.zeros(3)
        optimizer.step()
        return [param[0].item() for param in params]

    assert run(**WAYS[way]) == pytest.approx([4 - 0.05 * 1, 4 - 0.1 * 2, 4 - 0.1 * 3, 4.0])


def test_fields_of_ones_own_kind_are_entries_of_the_group_and_can_be_scheduled() -> None:
    param = Parameter(torch.full((3,), 4.0))
    optimizer = Adam([param], lr=0.5, weight_decay=DecayToFloor(0.2, floor=2.0))
    group = optimizer.param_groups[0]
    assert group["weight_decay_kind"] == "DecayToFloor"
    assert (group["weight_decay_floor"], group["weight_decay_on"]) == (2.0, True)
    group["weight_decay_floor"] = 3.0
    param.grad = torch.zeros(3)
    optimizer.step()
    torch.testing.assert_close(param.detach(), torch.full((3,), 4 - 0.1 * 1))


def test_a_kind_of_ones_own_may_store_what_it_needs() -> None:
    class DecayOfLargest(WeightDecay):
        state_names = ("largest",)

        def init_state(self, state: Any, group: Any, param: torch.Tensor) -> None:
            state["largest"] = param.abs()

        def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
            param.sub_(group["largest"].mul(amount))

    param = Parameter(torch.tensor([3.0, -2.0]))
    optimizer = Adam([param], lr=0.5, weight_decay=DecayOfLargest(0.1))
    for _ in range(2):
        param.grad = torch.zeros(2)
        optimizer.step()
    torch.testing.assert_close(param.detach(), torch.tensor([3 - 2 * 0.15, -2 - 2 * 0.1]))


def test_two_classes_of_one_name_in_one_optimizer_are_refused() -> None:
    first = type("Mine", (WeightDecay,), {})
    second = type("Mine", (WeightDecay,), {})
    params = [Parameter(torch.ones(2)), Parameter(torch.ones(2))]
    groups = [{"params": [params[0]], "weight_decay": first(0.1)}, {"params": [params[1]]}]
    with pytest.raises(ValueError, match="weight_decay must be of one class Mine, got two"):
        Adam(groups, weight_decay=second(0.1))
    # Another optimizer goes on with the class that it was given.
    optimizer = Adam(params, weight_decay=first(0.1))
    assert type(optimizer._decay_of(optimizer.param_groups[0])) is first


def test_the_decay_that_was_given_is_there_before_and_after_a_step() -> None:
    decay = WeightDecay(0.1)
    optimizer = Adam([Parameter(torch.ones(2))], weight_decay=decay)
    train(optimizer, steps=1)
    assert optimizer.weight_decay is decay


class Failing(GenericAdaptiveOptimizer):
    beta_count = 0
    has_eps = False

    def step_param(self, state: Any, group: Any, grad: Any, param: Any) -> None:
        raise RuntimeError("a fault in the rule")


def test_a_step_that_fails_leaves_the_decay_that_was_given() -> None:
    decay = WeightDecay(0.1)
    optimizer = Failing([Parameter(torch.ones(2))], weight_decay=decay)
    with pytest.raises(RuntimeError, match="a fault in the rule"):
        train(optimizer, steps=1)
    assert optimizer.weight_decay is decay


def test_a_kind_that_is_written_into_a_group_is_refused_before_anything_moves() -> None:
    params = [Parameter(torch.ones(2)), Parameter(torch.ones(2))]
    optimizer = Adam([{"params": [param]} for param in params], lr=0.1, weight_decay=0.1)
    for param in params:
        param.grad = torch.ones(2)
    optimizer.param_groups[1]["weight_decay"] = WeightDecay(0.2)
    with pytest.raises(TypeError, match="weight_decay must be a number in a group that is made"):
        optimizer.step()
    assert torch.equal(params[0].detach(), torch.ones(2))
    assert not optimizer.state

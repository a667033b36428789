"""Several optimizers as one: every number as with each of them by hand, and one checkpoint."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from labml_nn_optim import AdamW, ScheduleFreeAdamW
from labml_nn_optim.named_state import load_state_dict_by_name
from labml_nn_optim.param_groups import Glob, Ndim, Rule, param_groups
from labml_nn_optim.param_groups.composite import CompositeOptimizer, split_by_tag
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import CosineDecreasingSchedule, LinearDecreasingSchedule

INPUTS = torch.randn(16, 6, generator=torch.Generator().manual_seed(1))


def a_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 3))


HIDDEN = Ndim(2) & ~Glob("3.*")


def parts_of(model: nn.Module, **options: Any) -> list[Optimizer]:
    groups = param_groups(model, [Rule(HIDDEN, tags="matrix"), Rule("3.*", tags="head")])
    matrices, others = split_by_tag(groups, "matrix")
    return [Muon(matrices, lr=0.02), AdamW(others, lr=0.003, weight_decay=0.1, **options)]


def composite_of(model: nn.Module) -> CompositeOptimizer:
    return CompositeOptimizer(parts_of(model))


def loss_of(model: nn.Module) -> Tensor:
    loss: Tensor = model(INPUTS).square().mean()
    return loss


def weights_of(model: nn.Module) -> list[Tensor]:
    return [param.detach().clone() for param in model.parameters()]


def train(
    model: nn.Module, optimizers: list[Any], steps: int, schedulers: Any = ()
) -> list[Tensor]:
    for _ in range(steps):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss_of(model).backward()
        for each in (*optimizers, *schedulers):
            each.step()
    return weights_of(model)


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    assert all(map(torch.equal, found, expected))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


# ## As by hand
def ours(optimizer: Optimizer) -> LRScheduler:
    schedule = CosineDecreasingSchedule(1.0, exclude_last=True)
    return Scheduler(optimizer, schedule, mode="relative", total_steps=6)


def lambda_lr(optimizer: Optimizer) -> LRScheduler:
    return LambdaLR(optimizer, lambda step: 0.8**step)


def one_cycle(optimizer: Optimizer) -> LRScheduler:
    peaks = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, peaks, total_steps=6, cycle_momentum=False)


SCHEDULERS = [ours, lambda_lr, one_cycle]


@pytest.mark.parametrize("scheduler", [None, *SCHEDULERS])
def test_every_number_is_that_of_the_optimizers_by_hand(
    scheduler: Callable[[Optimizer], LRScheduler] | None,
) -> None:
    by_hand, together = a_model(), a_model()
    parts, composite = parts_of(by_hand), composite_of(together)
    schedulers = [scheduler(part) for part in parts] if scheduler else []
    one = [scheduler(composite)] if scheduler else []
    for _ in range(6):
        assert_same(train(together, [composite], 1, one), train(by_hand, parts, 1, schedulers))
        rates = [group["lr"] for part in parts for group in part.param_groups]
        assert [group["lr"] for group in composite.param_groups] == rates


@pytest.mark.parametrize("scheduler", [None, *SCHEDULERS])
def test_a_resumed_run_is_the_straight_run(
    scheduler: Callable[[Optimizer], LRScheduler] | None,
) -> None:
    model = a_model()
    composite = composite_of(model)
    one = [scheduler(composite)] if scheduler else []
    train(model, [composite], 3, one)
    saved = through_a_file(composite.state_dict())
    counters = [copy.deepcopy(each.state_dict()) for each in one]
    resumed = a_model()
    resumed.load_state_dict(model.state_dict())
    other = composite_of(resumed)
    again = [scheduler(other)] if scheduler else []
    other.load_state_dict(saved)
    for each, counter in zip(again, counters, strict=True):
        each.load_state_dict(counter)
    assert_same(train(resumed, [other], 3, again), train(model, [composite], 3, one))


def test_a_cycle_of_momentum_works_where_all_have_the_same_kind() -> None:
    model, by_hand = a_model(), a_model()
    cycle: dict[str, Any] = {"max_lr": 0.01, "total_steps": 6}

    def halves(model: nn.Module) -> list[Optimizer]:
        params = list(model.parameters())
        return [Adam(params[:3]), AdamW(params[3:])]

    composite, parts = CompositeOptimizer(halves(model)), halves(by_hand)
    found = train(model, [composite], 5, [OneCycleLR(composite, **cycle)])
    expected = train(by_hand, parts, 5, [OneCycleLR(part, **cycle) for part in parts])
    assert_same(found, expected)
    with pytest.raises(ValueError, match="must support momentum or beta1"):
        OneCycleLR(composite_of(a_model()), **cycle)


def test_the_closure_is_evaluated_once_with_gradients_and_its_loss_returned() -> None:
    model, by_hand = a_model(), a_model()
    composite = composite_of(model)
    losses = []

    def closure() -> float:
        composite.zero_grad()
        loss = loss_of(model)
        loss.backward()
        losses.append(loss.item())
        return losses[-1]

    with torch.no_grad():
        assert composite.step(closure) == losses[0]
    assert len(losses) == 1
    assert_same(weights_of(model), train(by_hand, parts_of(by_hand), 1))


# ## With a scaler
def scaled_step(model: nn.Module, scaler: Any, optimizers: list[Any], spoil: str = "") -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    scaler.scale(loss_of(model)).backward()
    if spoil:
        gradient = model.get_parameter(spoil).grad
        assert gradient is not None
        gradient.fill_(torch.inf)
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()


def test_a_scaler_steps_all_as_it_does_by_hand() -> None:
    by_hand, together = a_model(), a_model()
    parts, composite = parts_of(by_hand), composite_of(together)
    scalers = [torch.amp.GradScaler("cpu", init_scale=8.0) for _ in range(2)]
    for _ in range(3):
        scaled_step(by_hand, scalers[0], parts)
        scaled_step(together, scalers[1], [composite])
    assert_same(weights_of(together), weights_of(by_hand))


@pytest.mark.parametrize("spoil", ["0.weight", "3.bias"])
def test_a_scaler_leaves_out_the_step_of_all_or_of_none(spoil: str) -> None:
    model = a_model()
    composite = composite_of(model)
    scheduler = ours(composite)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    before = weights_of(model)
    scaled_step(model, scaler, [composite], spoil)
    scheduler.step()
    assert_same(weights_of(model), before)
    assert len(composite.state) == 0
    assert scheduler.last_epoch == 0
    assert scaler.get_scale() == 4.0
    scaled_step(model, scaler, [composite])
    scheduler.step()
    assert scheduler.last_epoch == 1


# ## Groups and state
def test_the_groups_are_those_of_the_optimizers_and_stay_so() -> None:
    model = a_model()
    parts = parts_of(model)
    composite = CompositeOptimizer(parts)
    train(model, [composite], 1)

    def shared() -> bool:
        groups = [group for part in parts for group in part.param_groups]
        same = [a is b for a, b in zip(composite.param_groups, groups, strict=True)]
        return all(same) and len(same) == 4

    assert shared()
    scheduler = ours(composite)
    parts[1].load_state_dict(parts[1].state_dict())
    assert shared()
    scheduler.step()
    rates = [group["lr"] for group in composite.param_groups]
    assert rates == [group["lr"] for part in parts for group in part.param_groups]
    assert rates[-1] < 0.003
    composite.load_state_dict(composite.state_dict())
    assert shared()


def test_the_state_is_that_of_the_optimizers() -> None:
    model = a_model()
    composite = composite_of(model)
    state = composite.state
    assert len(state) == 0
    assert state.get(model[0].weight) is None
    assert model[0].weight not in state
    train(model, [composite], 1)
    assert set(state) == set(model.parameters())
    for part in composite.optimizers:
        for param, own in part.state.items():
            assert state[param] is own
            assert state.get(param) is own
    state[model[0].weight] = {"momentum_buffer": torch.zeros(8, 6)}
    assert composite.optimizers[0].state[model[0].weight] is state[model[0].weight]
    del state[model[0].weight]
    assert model[0].weight not in composite.optimizers[0].state
    state[model[0].weight] = {}
    assert model[0].weight in composite.optimizers[0].state
    with pytest.raises(KeyError):
        state[torch.zeros(1)]


def test_zero_grad_is_that_of_each_optimizer() -> None:
    model = a_model()
    composite = CompositeOptimizer(parts_of(model, flat=True))
    train(model, [composite], 1)
    composite.zero_grad()
    assert model[0].weight.grad is None
    assert model[3].bias.grad is not None
    assert not model[3].bias.grad.any()


def test_the_defaults_are_what_all_have() -> None:
    assert composite_of(a_model()).defaults.items() >= {"lr": 0.02, "eps": 1e-7}.items()
    assert composite_of(a_model()).defaults.keys() <= {
        "lr",
        "eps",
        "weight_decay",
        "differentiable",
    }


def test_a_group_is_added_to_one_of_them_and_comes_last() -> None:
    model = a_model()
    extra = nn.Linear(4, 4)
    composite = composite_of(model)
    scheduler = ours(composite)
    names = [group["param_names"] for group in composite.param_groups]
    group = {"params": (pair for pair in [("extra.weight", extra.weight)]), "lr": 0.5}
    composite.add_param_group(group, optimizer=0)
    assert [each["param_names"] for each in composite.param_groups] == [*names, ["extra.weight"]]
    assert composite.param_groups[-1] is composite.optimizers[0].param_groups[-1]
    scheduler.step()
    assert composite.param_groups[-1]["initial_lr"] == 0.5
    assert composite.param_groups[1]["initial_lr"] == 0.003
    train(model, [composite], 1)
    saved = composite.state_dict()
    train(model, [composite], 1)
    composite.load_state_dict(saved)
    assert [each["param_names"] for each in composite.param_groups] == [*names, ["extra.weight"]]


def test_a_group_that_an_optimizer_lost_is_lost() -> None:
    composite = composite_of(a_model())
    groups = composite.param_groups
    composite.optimizers[1].param_groups.pop(0)
    assert [id(each) for each in composite.param_groups] == [
        id(each) for place, each in enumerate(groups) if place != 1
    ]


@pytest.mark.parametrize("optimizer", [None, 2, -1, 1.0, "Muon"])
def test_to_which_a_group_is_added_must_be_said(optimizer: Any) -> None:
    composite = composite_of(a_model())
    with pytest.raises(ValueError, match=r"must be one of 0 \(Muon\), 1 \(AdamW\), got"):
        composite.add_param_group({"params": [nn.Parameter(torch.zeros(2, 2))]}, optimizer)
    assert len(composite.param_groups) == 4


def test_a_parameter_is_added_once() -> None:
    model = a_model()
    composite = composite_of(model)
    for params in (model[3].bias, [("head", model[3].bias)], [model[3].bias]):
        with pytest.raises(ValueError, match=r"params must be in no optimizer yet, got .* 1 \(Ad"):
            composite.add_param_group({"params": params}, optimizer=0)
    assert len(composite.param_groups) == 4


# ## Hooks and copies
def test_hooks_are_called() -> None:
    model = a_model()
    composite = composite_of(model)
    calls: list[str] = []
    composite.register_step_pre_hook(lambda *_: calls.append("before"))
    composite.register_step_post_hook(lambda *_: calls.append("after"))
    composite.optimizers[0].register_step_post_hook(lambda *_: calls.append("part"))
    train(model, [composite], 1)
    assert calls == ["before", "part", "after"]
    calls.clear()
    composite.register_state_dict_pre_hook(lambda _: calls.append("before"))
    composite.register_state_dict_post_hook(lambda _, saved: saved | {"version": 2})
    composite.optimizers[1].register_state_dict_post_hook(lambda *_: calls.append("part"))
    saved = composite.state_dict()
    assert saved["version"] == 2
    assert calls == ["before", "part"]
    calls.clear()
    composite.register_load_state_dict_pre_hook(lambda _, given: given.pop("version"))
    composite.register_load_state_dict_pre_hook(lambda *_: saved)
    composite.register_load_state_dict_post_hook(lambda _: calls.append("loaded"))
    given = {"version": None}
    composite.load_state_dict(given)
    assert calls == ["loaded"]
    assert given == {"version": None}


@pytest.mark.parametrize("way", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_train_on_by_themselves(way: Callable[[Any], Any]) -> None:
    model = a_model()
    composite = composite_of(model)
    composite.add_param_group({"params": [("extra", nn.Parameter(torch.zeros(2, 2)))]}, 0)
    train(model, [composite], 2)
    other_model, other = way((model, composite))
    before = weights_of(model)
    found = train(other_model, [other], 2)
    assert_same(weights_of(model), before)
    assert_same(found, train(model, [composite], 2))
    names = [group["param_names"] for group in composite.param_groups]
    assert [group["param_names"] for group in other.param_groups] == names
    assert isinstance(other, CompositeOptimizer)


# ## The checkpoint
def test_the_checkpoint_has_the_usual_form() -> None:
    model = a_model()
    composite = composite_of(model)
    train(model, [composite], 1)
    saved = composite.state_dict()
    assert set(saved) == {"state", "param_groups"}
    assert [group["params"] for group in saved["param_groups"]] == [
        [0, 1],
        [2, 3, 4, 5],
        [6],
        [7],
    ]
    assert [group["stepped_by"] for group in saved["param_groups"]] == ["Muon"] + ["AdamW"] * 3
    params = [param for group in composite.param_groups for param in group["params"]]
    assert saved["state"] == {place: composite.state[param] for place, param in enumerate(params)}
    assert all("stepped_by" not in group for group in composite.param_groups)
    composite.load_state_dict(saved)
    assert all("stepped_by" not in group for group in composite.param_groups)


def test_state_that_belongs_to_no_parameter_finds_its_optimizer() -> None:
    composite = composite_of(a_model())
    for number, part in enumerate(composite.optimizers):
        part.state["calls"] = {"count": number}  # type: ignore[index]
    saved = composite.state_dict()
    other = composite_of(a_model())
    other.load_state_dict(saved)
    assert [part.state["calls"]["count"] for part in other.optimizers] == [0, 1]  # type: ignore[index]


def test_other_groups_in_another_order_are_matched_by_name() -> None:
    model = a_model()
    composite = composite_of(model)
    train(model, [composite], 3)
    saved = through_a_file(composite.state_dict())
    resumed = a_model()
    resumed.load_state_dict(model.state_dict())
    groups = param_groups(resumed, [Rule(HIDDEN, tags="matrix")], merge=False)
    matrices, others = split_by_tag(groups, "matrix")
    other = CompositeOptimizer(
        [AdamW(others, lr=0.003, weight_decay=0.1), Muon(matrices[::-1], lr=0.02)]
    )
    other.load_state_dict(saved)
    assert len(other.param_groups) == 8
    assert_same(train(resumed, [other], 3), train(model, [composite], 3))


def test_state_does_not_change_to_another_class_of_optimizer() -> None:
    model = a_model()
    composite = composite_of(model)
    train(model, [composite], 1)
    saved = composite.state_dict()
    groups = param_groups(model, [Rule("2.weight", tags="matrix")])
    matrices, others = split_by_tag(groups, "matrix")
    other = CompositeOptimizer([Muon(matrices), AdamW(others)])
    expected = "0.weight has state of Muon, and is stepped by AdamW$"
    with pytest.raises(ValueError, match=expected):
        other.load_state_dict(saved)
    assert len(other.state) == 0
    keys = load_state_dict_by_name(other, saved, strict=False)
    assert keys == (["0.weight"], [])
    assert set(other.state) == set(model.parameters()) - {model[0].weight}
    train(model, [other], 1)
    alone = AdamW(param_groups(model))
    with pytest.raises(ValueError, match=r"2.weight has state of Muon, and is stepped by AdamW"):
        load_state_dict_by_name(alone, saved)


def unnamed(model: nn.Module) -> CompositeOptimizer:
    matrices, others = (
        [{"params": group["params"]} for group in groups]
        for groups in split_by_tag(param_groups(model, [Rule(HIDDEN, tags="matrix")]), "matrix")
    )
    return CompositeOptimizer([SGD(matrices, momentum=0.9, lr=0.1), AdamW(others)])


def test_without_names_places_count() -> None:
    model = a_model()
    composite = unnamed(model)
    train(model, [composite], 2)
    saved = through_a_file(composite.state_dict())
    resumed = a_model()
    resumed.load_state_dict(model.state_dict())
    other = unnamed(resumed)
    other.load_state_dict(saved)
    assert_same(train(resumed, [other], 2), train(model, [composite], 2))


def without_group(saved: dict[str, Any]) -> None:
    saved["param_groups"].pop()


def without_parameter(saved: dict[str, Any]) -> None:
    saved["param_groups"][1]["params"].pop()


def with_another_class(saved: dict[str, Any]) -> None:
    saved["param_groups"][0]["stepped_by"] = "Muon"


def with_another_shape(saved: dict[str, Any]) -> None:
    saved["state"][0]["momentum_buffer"] = torch.zeros(8, 7)


def with_a_decay_that_is_unknown(saved: dict[str, Any]) -> None:
    saved["param_groups"][1]["weight_decay_kind"] = "Nonsense"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_group, "state_dict must have 3 parameter groups, got 2"),
        (without_parameter, "group 1 of state_dict must have"),
        (with_another_class, "parameter 0 of group 0 has state of Muon, and is stepped by SGD"),
        (with_another_shape, r"parameter 0 of group 0 has state of shape \(8, 7\) for"),
        (with_a_decay_that_is_unknown, "Nonsense"),
        (lambda saved: saved.pop("state"), "state_dict must have state"),
    ],
)
def test_nothing_is_loaded_if_something_does_not_fit(
    spoil: Callable[[dict[str, Any]], Any], message: str
) -> None:
    model = a_model()
    composite = unnamed(model)
    train(model, [composite], 1)
    saved = copy.deepcopy(composite.state_dict())
    train(model, [composite], 1)
    before = [(part.state, part.param_groups) for part in composite.optimizers]
    copied = copy.deepcopy(composite.state_dict())
    spoil(saved)
    with pytest.raises(ValueError, match=message):
        composite.load_state_dict(saved)
    for part, (state, groups) in zip(composite.optimizers, before, strict=True):
        assert part.state is state
        assert part.param_groups is groups
    torch.testing.assert_close(composite.state_dict()["state"], copied["state"], rtol=0, atol=0)
    resumed = a_model()
    resumed.load_state_dict(model.state_dict())
    other = unnamed(resumed)
    other.load_state_dict(copied)
    assert_same(train(model, [composite], 2), train(resumed, [other], 2))


# ## What can be put together
def test_what_is_no_list_of_optimizers_is_refused() -> None:
    model = a_model()
    parts = parts_of(model)
    with pytest.raises(TypeError, match="optimizers must be a list of optimizers, got a Muon"):
        CompositeOptimizer(parts[0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="optimizers must be at least one, got none"):
        CompositeOptimizer([])
    with pytest.raises(TypeError, match=r"optimizers must be torch.optim.Optimizer, got 3"):
        CompositeOptimizer([parts[0], 3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="must not be composite"):
        CompositeOptimizer([CompositeOptimizer(parts)])
    with pytest.raises(ValueError, match="must step without a closure, got LBFGS"):
        CompositeOptimizer([LBFGS(model.parameters())])


def test_no_parameter_has_two_optimizers() -> None:
    model = a_model()
    parts = parts_of(model)
    expected = r"got 3.weight in 1 \(AdamW\) and 2 \(SGD\)$"
    with pytest.raises(ValueError, match=expected):
        CompositeOptimizer([*parts, SGD([("3.weight", model[3].weight)])])
    with pytest.raises(ValueError, match=r"got a parameter of shape \(3,\) in"):
        CompositeOptimizer([SGD([model[3].bias]), SGD([model[3].bias])])
    with pytest.raises(ValueError, match=r"got 0.weight in 0 \(Muon\) and 1 \(Muon\)$"):
        CompositeOptimizer([parts[0], parts[0]])


def test_groups_are_split_with_all_that_rules_have_set() -> None:
    model = a_model()
    rules = [Rule(HIDDEN, tags="matrix"), Rule("0.*", lr_scale=0.5), Rule("3.*", tags=["b", "a"])]
    groups = param_groups(model, rules, lr=0.1, weight_decay=0.3)
    matrices, others = split_by_tag(groups, "matrix")
    assert [*matrices, *others] == sorted(
        groups, key=lambda group: group.get("tags") != ("matrix",)
    )
    assert [group["lr"] for group in matrices] == [0.05, 0.1]
    assert matrices[0] is not groups[0]
    assert matrices[0]["params"][0] is model[0].weight
    with pytest.raises(
        ValueError, match="tag must be that of a group, which are a, b, matrix; got"
    ):
        split_by_tag(groups, "matrices")


def test_each_part_may_have_a_base_rate_of_its_own() -> None:
    model = a_model()
    rules = [Rule(HIDDEN, tags="matrix"), Rule("0.*", lr_scale=0.5)]
    matrices, _ = split_by_tag(param_groups(model, rules, lr=0.02), "matrix")
    _, others = split_by_tag(param_groups(model, rules, lr=0.001), "matrix")
    composite = CompositeOptimizer([Muon(matrices), AdamW(others)])
    rates = {name: group["lr"] for group in composite.param_groups for name in group["param_names"]}
    assert rates["0.weight"] == 0.01
    assert rates["2.weight"] == 0.02
    assert rates["0.bias"] == 0.0005
    assert rates["3.weight"] == 0.001
    schedule = LinearDecreasingSchedule(1.0, exclude_last=True)
    scheduler = Scheduler(composite, schedule, mode="relative", total_steps=4)
    train(model, [composite], 2, [scheduler])
    halved = {
        name: group["lr"] for group in composite.param_groups for name in group["param_names"]
    }
    assert halved == {name: rate / 2 for name, rate in rates.items()}


def test_the_modes_of_a_schedule_free_part_are_switched_and_the_other_part_stays() -> None:
    first, second = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    free = ScheduleFreeAdamW([first], lr=0.1)
    optimizer = CompositeOptimizer([free, AdamW([second], lr=0.1)])
    for _ in range(3):
        for param in (first, second):
            param.grad = torch.ones(3)
        optimizer.step()
    y, other = first.detach().clone(), second.detach().clone()
    optimizer.eval()
    assert not torch.equal(first, y)
    assert torch.equal(second, other)
    optimizer.train()
    torch.testing.assert_close(first.detach(), y)

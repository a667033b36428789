"""A wrapper is an optimizer to everything that takes one."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LinearLR

from labml_nn_optim import EMA, SAM, SGD, AdamW, Lookahead, ScheduleFreeAdamW
from labml_nn_optim.named_state import load_state_dict_by_name
from labml_nn_optim.param_groups import CompositeOptimizer
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import LinearDecreasingSchedule
from labml_nn_optim.wrappers import Wrapper
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train

Make = Callable[[Optimizer], Wrapper]
AROUND: dict[str, Make] = {
    "Lookahead": lambda inside: Lookahead(inside, k=3),
    "EMA": lambda inside: EMA(inside, decay=0.9, every=2),
    "EMA of Lookahead": lambda inside: EMA(Lookahead(inside, k=3), decay=0.9),
    "Wrapper": Wrapper,
}
all_kinds = pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)


def params_() -> list[Parameter]:
    return make_params(shapes=SMALL_SHAPES)


def kept_by(wrapper: Optimizer) -> list[Tensor]:
    """What wrappers keep for the parameters, from outside in."""
    found: list[Tensor] = []
    while isinstance(wrapper, Wrapper):
        for name in wrapper.kept:
            value = getattr(wrapper, name)
            if isinstance(value, dict):
                found += [value[param] for param in wrapper.params()]
        wrapper = wrapper.optimizer
    return found


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


# What is shared
@all_kinds
@pytest.mark.parametrize("kind", [AdamW, torch.optim.SGD])
def test_groups_state_and_defaults_are_those_inside(around: Make, kind: Any) -> None:
    inside = kind(params_(), lr=0.02)
    wrapper = around(inside)
    assert wrapper.param_groups is inside.param_groups
    assert wrapper.state is inside.state
    assert wrapper.defaults is inside.defaults
    inside.load_state_dict(inside.state_dict())
    assert wrapper.param_groups is inside.param_groups
    wrapper.add_param_group({"params": [Parameter(torch.ones(2, dtype=torch.float64))], "lr": 0.5})
    assert [group["lr"] for group in inside.param_groups] == [0.02, 0.5]
    train(wrapper, 3)
    assert type(wrapper).__name__ in repr(wrapper)


def test_a_wrapper_without_a_rule_changes_nothing() -> None:
    for make in (lambda: SGD(params_(), lr=0.1), lambda: torch.optim.SGD(params_(), lr=0.1)):
        assert largest_difference(train(Wrapper(make()), 5), train(make(), 5)) == 0


@pytest.mark.parametrize("bad", [None, params_(), "AdamW"])
def test_what_is_no_optimizer_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"optimizer must be a torch\.optim\.Optimizer, got"):
        Lookahead(bad)


def test_one_of_each_kind() -> None:
    message = "optimizer must not be in a EMA already, got a EMA"
    with pytest.raises(TypeError, match=message):
        EMA(Lookahead(EMA(SGD(params_(), lr=0.1))))


def test_hooks_run_once_and_on_both_sides() -> None:
    Wrapper(SGD(params_(), lr=0.1))
    inside = SGD(params_(), lr=0.1)
    wrapper = EMA(Lookahead(inside))
    calls: list[str] = []
    wrapper.register_step_pre_hook(lambda *_: calls.append("outside before"))
    wrapper.register_step_post_hook(lambda *_: calls.append("outside after"))
    inside.register_step_post_hook(lambda *_: calls.append("inside after"))
    train(wrapper, 1)
    assert calls == ["outside before", "inside after", "outside after"]


def test_hooks_of_checkpoints_run() -> None:
    wrapper = Lookahead(SGD(params_(), lr=0.1))
    calls: list[str] = []
    wrapper.register_state_dict_pre_hook(lambda _: calls.append("save"))
    wrapper.register_state_dict_post_hook(lambda _, state: state | {"more": 1})
    wrapper.register_load_state_dict_pre_hook(lambda _, state: state | {"seen": 1})
    wrapper.register_load_state_dict_post_hook(lambda _: calls.append("loaded"))
    state = wrapper.state_dict()
    assert state["more"] == 1
    wrapper.load_state_dict(state)
    assert calls == ["save", "loaded"]


# Schedulers, scalers, clipping
@all_kinds
def test_a_scheduler_of_torch(around: Make) -> None:
    wrapper = around(SGD(params_(), lr=0.1))
    scheduler = LinearLR(wrapper, start_factor=0.5, total_iters=2)
    rates = []
    for step in range(3):
        rates.append(wrapper.optimizer.param_groups[0]["lr"])
        train(wrapper, 1, first=step + 1)
        scheduler.step()
    assert rates == pytest.approx([0.05, 0.075, 0.1])
    # The step that the scheduler has put in place is not copied.
    assert "step" not in vars(copy.deepcopy(wrapper))


@all_kinds
def test_a_scheduler_of_ours_counts_steps_that_were_made(around: Make) -> None:
    wrapper = around(SGD(params_(), lr=1.0))
    line = LinearDecreasingSchedule(1.0, exclude_last=True)
    scheduler = Scheduler(wrapper, line, total_steps=4)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    rates = []
    for step in range(4):
        rates.append(wrapper.param_groups[0]["lr"])
        for param in wrapper.params():
            param.grad = torch.full_like(param, torch.inf if step == 1 else 4.0)
        scaler.scale(torch.zeros(()))
        scaler.step(wrapper)
        scaler.update()
        scheduler.step()
    assert rates == [1.0, 0.75, 0.75, 0.5]


@all_kinds
def test_a_scaler_skips_the_whole_step(around: Make) -> None:
    def run(kind: Make) -> tuple[list[Tensor], Optimizer]:
        wrapper = kind(SGD(params_(), lr=0.1))
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=100)
        for step in range(5):
            scale = scaler.scale(torch.ones(())).item()
            for param in wrapper.params():
                gradient = torch.inf if step == 2 else 1.0
                param.grad = torch.full_like(param, scale * gradient)
            scaler.step(wrapper)
            scaler.update()
        return [param.detach() for param in wrapper.params()], wrapper

    _, wrapper = run(around)
    by_hand = around(SGD(params_(), lr=0.1))
    for _ in range(4):
        for param in by_hand.params():
            param.grad = torch.ones_like(param)
        by_hand.step()
    assert largest_difference(list(wrapper.params()), list(by_hand.params())) == 0
    assert largest_difference(kept_by(wrapper), kept_by(by_hand)) == 0


def test_a_clipped_gradient_is_what_the_optimizer_sees() -> None:
    param = Parameter(torch.zeros(2, dtype=torch.float64))
    wrapper = EMA(SGD([param], lr=1.0))
    param.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    nn.utils.clip_grad_norm_(list(wrapper.params()), 1.0)
    wrapper.step()
    assert param.tolist() == pytest.approx([-0.6, -0.8], abs=1e-5)


def test_accumulated_gradients_are_one_step() -> None:
    for around, name in ((lambda o: Lookahead(o, k=2), "count"), (EMA, "count")):
        param = Parameter(torch.ones(3))
        wrapper: Any = around(SGD([param], lr=0.1))
        for _ in range(3):
            wrapper.zero_grad()
            for _ in range(4):
                (param.square().sum() / 4).backward()
            wrapper.step()
        assert getattr(wrapper, name) == 3


# Copies and checkpoints
@all_kinds
@pytest.mark.parametrize("kind", [AdamW, torch.optim.SGD])
def test_copies_go_on_alike(around: Make, kind: Any) -> None:
    wrapper = around(kind(params_(), lr=0.02))
    train(wrapper, 4)
    copies = [copy.deepcopy(wrapper), pickle.loads(pickle.dumps(wrapper))]
    expected, kept = train(wrapper, 5, first=5), kept_by(wrapper)
    for each in copies:
        assert largest_difference(train(each, 5, first=5), expected) == 0
        assert largest_difference(kept_by(each), kept) == 0


@all_kinds
@pytest.mark.parametrize("kind", [AdamW, torch.optim.Adam])
def test_a_checkpoint_goes_on_alike(around: Make, kind: Any) -> None:
    wrapper = around(kind(params_(), lr=0.02))
    train(wrapper, 4)
    other = around(kind([param.detach().clone().requires_grad_() for param in wrapper.params()]))
    other.load_state_dict(through_a_file(wrapper.state_dict()))
    assert largest_difference(train(other, 5, first=5), train(wrapper, 5, first=5)) == 0
    assert largest_difference(kept_by(other), kept_by(wrapper)) == 0


@all_kinds
def test_a_checkpoint_loads_inside_and_one_from_inside_loads_here(around: Make) -> None:
    wrapper = around(AdamW(params_(), lr=0.02))
    train(wrapper, 4)
    state = wrapper.state_dict()
    for plain in (AdamW(params_()), torch.optim.AdamW(params_())):
        plain.load_state_dict(copy.deepcopy(state))
        assert plain.param_groups[0]["lr"] == 0.02
        saved = plain.state_dict()
        assert saved.keys() == {"state", "param_groups"}
        wrapper.load_state_dict(saved)
        assert kept_of(wrapper) in ((), (0,), (0, 0))
        train(wrapper, 1)


def kept_of(wrapper: Optimizer) -> tuple[int, ...]:
    """How many steps each wrapper has counted."""
    counts = []
    while isinstance(wrapper, Wrapper):
        counts += [getattr(wrapper, name) for name in wrapper.kept if name == "count"]
        wrapper = wrapper.optimizer
    return tuple(counts)


def test_what_does_not_fit_is_refused_and_nothing_is_loaded() -> None:
    wrapper = Lookahead(AdamW(params_(), lr=0.02), k=4)
    train(wrapper, 2)
    before, state = copy.deepcopy(wrapper.state_dict()), wrapper.state_dict()
    state["param_groups"][0]["lr"] = 7.0
    state["Lookahead"]["slow"][1] = torch.zeros(99)
    with pytest.raises(ValueError, match=r"slow of parameter 1 .* shape \(5,\), got \(99,\)"):
        wrapper.load_state_dict(state)
    with pytest.raises(ValueError, match="state_dict must have slow in Lookahead, got count"):
        wrapper.load_state_dict(state | {"Lookahead": {"count": 2}})
    assert wrapper.param_groups[0]["lr"] == 0.02
    assert wrapper.count == 2
    assert torch.equal(before["Lookahead"]["slow"][0], wrapper.slow[next(wrapper.params())])


def named(order: list[str], groups: bool = False) -> tuple[dict[str, Parameter], list[Any]]:
    shapes = {"a": (2, 3), "b": (3, 2), "c": (4,)}
    params = {
        name: Parameter(torch.full(shape, float(index), dtype=torch.float64))
        for index, (name, shape) in enumerate(shapes.items())
    }
    listed = [(name, params[name]) for name in order]
    return params, [{"params": [each]} for each in listed] if groups else [{"params": listed}]


@all_kinds
@pytest.mark.parametrize("kind", [AdamW, torch.optim.AdamW])
@pytest.mark.parametrize("by_function", [False, True])
def test_regrouped_checkpoints_are_matched_by_name(
    around: Make, kind: Any, by_function: bool
) -> None:
    params, groups = named(["a", "b", "c"])
    wrapper = around(kind(groups, lr=0.02))
    train(wrapper, 4)
    others, groups = named(["c", "a", "b"], groups=True)
    other = around(kind(groups, lr=0.02))
    state = through_a_file(wrapper.state_dict())
    if by_function:
        assert load_state_dict_by_name(other, state) == ([], [])
    else:
        other.load_state_dict(state)
    inside, inside_other = wrapper, other
    while isinstance(inside, Wrapper) and isinstance(inside_other, Wrapper):
        for entry in inside.kept:
            mine, theirs = getattr(inside, entry), getattr(inside_other, entry)
            if not isinstance(mine, dict):
                assert mine == theirs
                continue
            for name, param in params.items():
                assert torch.equal(mine[param], theirs[others[name]])
        inside, inside_other = inside.optimizer, inside_other.optimizer
    for name, param in params.items():
        assert torch.equal(wrapper.state[param]["exp_avg"], other.state[others[name]]["exp_avg"])


# Composite optimizers
def composite(around: Make | None = None) -> CompositeOptimizer:
    first, *rest = params_()
    part: Optimizer = SGD(rest, lr=0.1, momentum=0.9)
    return CompositeOptimizer([AdamW([first], lr=0.02), part if around is None else around(part)])


@all_kinds
def test_around_a_composite_optimizer(around: Make) -> None:
    wrapper = around(composite())
    train(wrapper, 4)
    other = around(composite())
    with torch.no_grad():
        for param, own in zip(wrapper.params(), other.params(), strict=True):
            own.copy_(param)
    other.load_state_dict(through_a_file(wrapper.state_dict()))
    assert largest_difference(train(other, 5, first=5), train(wrapper, 5, first=5)) == 0
    assert largest_difference(kept_by(other), kept_by(wrapper)) == 0
    composite().load_state_dict(wrapper.state_dict())


@all_kinds
def test_inside_a_composite_optimizer(around: Make) -> None:
    one = composite(around)
    train(one, 4)
    other = composite(around)
    with torch.no_grad():
        for group, own in zip(one.param_groups, other.param_groups, strict=True):
            for param, mine in zip(group["params"], own["params"], strict=True):
                mine.copy_(param)
    other.load_state_dict(through_a_file(one.state_dict()))
    assert largest_difference(train(other, 5, first=5), train(one, 5, first=5)) == 0
    assert largest_difference(kept_by(other.optimizers[1]), kept_by(one.optimizers[1])) == 0
    # The class that has stepped is the one inside, so it also fits without the wrapper.
    composite().load_state_dict(one.state_dict())


def test_a_composite_optimizer_that_fails_to_load_leaves_its_wrappers_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *rest = params_()
    lookahead = Lookahead(AdamW([first], lr=0.02), k=4)
    other = SGD(rest, lr=0.1)
    both = CompositeOptimizer([lookahead, other])
    train(both, 3)
    slow = lookahead.slow

    def refuse(state: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr(other, "load_state_dict", refuse)
    with pytest.raises(ValueError, match="no"):
        both.load_state_dict(both.state_dict())
    assert lookahead.slow is slow


@pytest.mark.parametrize("around", [lambda each: each, EMA])
def test_sam_in_a_composite_optimizer_is_refused(around: Any) -> None:
    with pytest.raises(ValueError, match="optimizers must step without a closure, got"):
        CompositeOptimizer([around(SAM(SGD(params_(), lr=0.1)))])


# Modes, closures
def test_modes_reach_a_schedule_free_optimizer() -> None:
    inside = ScheduleFreeAdamW(params_(), lr=0.02)
    wrapper = EMA(SAM(inside))
    wrapper.eval()
    assert not inside.param_groups[0]["train_mode"]
    with pytest.raises(RuntimeError, match="must be in train mode"):
        wrapper.step(lambda: train_gradients(wrapper))
    wrapper.train()
    assert inside.param_groups[0]["train_mode"]
    wrapper.step(lambda: train_gradients(wrapper))
    for without in (Lookahead(AdamW(params_())), Wrapper(torch.optim.SGD(params_()))):
        without.eval()
        without.train()


def train_gradients(wrapper: Wrapper) -> float:
    for param in wrapper.params():
        param.grad = param.detach().clone()
    return 1.0


@all_kinds
def test_a_closure_goes_through(around: Make) -> None:
    param = Parameter(torch.tensor([3.0], dtype=torch.float64))
    wrapper = around(LBFGS([param]))

    def closure() -> float:
        wrapper.zero_grad()
        loss = (param - 1).square().sum()
        loss.backward()
        return loss.item()

    assert wrapper.step(closure) == 4.0
    assert param.item() == pytest.approx(1.0)


# The order of nested wrappers
def closure_for(params: list[Parameter], step: int) -> Callable[[], float]:
    def closure() -> float:
        for param in params:
            param.grad = param.detach() ** 3 + 0.1 * step
        return float(step)

    return closure


def run(make: Callable[[Optimizer], Wrapper]) -> tuple[list[Tensor], dict[str, list[Tensor]]]:
    params = params_()
    wrapper = make(SGD(params, lr=0.02, momentum=0.9))
    for step in range(7):
        assert wrapper.step(closure_for(params, step)) == step
    kept: dict[str, list[Tensor]] = {}
    inside: Optimizer = wrapper
    while isinstance(inside, Wrapper):
        for name in inside.kept:
            if name != "count":
                kept[name] = list(getattr(inside, name).values())
        inside = inside.optimizer
    return [param.detach() for param in params], kept


def test_sam_inside_or_outside_is_the_same() -> None:
    for outer in (lambda each: EMA(each, decay=0.5), lambda each: Lookahead(each, k=3)):
        weights, kept = run(lambda each, outer=outer: outer(SAM(each, rho=0.5)))
        others, kept_too = run(lambda each, outer=outer: SAM(outer(each), rho=0.5))
        assert largest_difference(weights, others) == 0
        for name, values in kept.items():
            assert largest_difference(values, kept_too[name]) == 0


def test_an_average_outside_of_lookahead_sees_what_lookahead_leaves() -> None:
    outside, average = run(lambda each: EMA(Lookahead(each, k=1), decay=0.5))
    inside, other = run(lambda each: Lookahead(EMA(each, decay=0.5), k=1))
    assert largest_difference(outside, inside) == 0
    assert largest_difference(average["average"], other["average"]) > 0.01

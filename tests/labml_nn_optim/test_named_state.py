"""State finds its parameters by name, whatever the groups, and what does not fit is told."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import LBFGS, SGD, Adafactor, Adam, Muon, Optimizer

from labml_nn_optim import AdamW, get_optimizer
from labml_nn_optim.named_state import load_state_dict_by_name, match_by_name
from tests.labml_nn_optim.examples import NAMES, make

Params = dict[str, Parameter]
Kind = Callable[..., Optimizer]

SHAPES = {"a": (4, 4), "b": (4, 4), "c": (4, 4), "d": (4, 4)}
ONE = [["a", "b", "c", "d"]]
TWO = [["d", "b"], ["a", "c"]]


def params_of(shapes: dict[str, tuple[int, ...]], dtype: torch.dtype = torch.float64) -> Params:
    generator = torch.Generator().manual_seed(0)
    return {
        name: Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))
        for name, shape in shapes.items()
    }


def grouped(params: Params, names: Sequence[Sequence[str]], **entries: Any) -> list[dict[str, Any]]:
    return [{"params": [(name, params[name]) for name in own], **entries} for own in names]


def train(optimizer: Optimizer, steps: Iterable[int], leave_out: str = "") -> None:
    """Steps whose gradients depend on the parameter, its name and the step, not on its place."""
    for step in steps:
        for group in optimizer.param_groups:
            for name, param in zip(group["param_names"], group["params"], strict=True):
                generator = torch.Generator().manual_seed(1000 * step + ord(name[0]))
                noise = torch.randn(param.shape, generator=generator, dtype=torch.float64)
                param.grad = 0.3 * param.detach() + noise.to(param.dtype)
                if name == leave_out:
                    param.grad = None
        optimizer.step()


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def saved_by(kind: Kind, params: Params, names: Sequence[Sequence[str]] = ONE) -> dict[str, Any]:
    optimizer = kind(grouped(params, names), lr=0.02)
    train(optimizer, range(3))
    return through_a_file(optimizer.state_dict())


def momentum(params: Any, **arguments: Any) -> Optimizer:
    return SGD(params, momentum=0.9, **arguments)


# ## What is found
@pytest.mark.parametrize("kind", [momentum, Adam, Muon, Adafactor, AdamW, get_optimizer("rprop")])
@pytest.mark.parametrize("names", [TWO, [["c", "d", "a", "b"]], [["a"], ["b"], ["c"], ["d"]]])
def test_a_run_in_other_groups_goes_on_as_if_it_had_not_been_stopped(
    kind: Kind, names: list[list[str]]
) -> None:
    straight, resumed = params_of(SHAPES), params_of(SHAPES)
    optimizer = kind(grouped(straight, ONE), lr=0.02)
    train(optimizer, range(6))
    saved = saved_by(kind, resumed)
    other = kind(grouped(resumed, names), lr=0.02)
    assert load_state_dict_by_name(other, saved) == ([], [])
    train(other, range(3, 6))
    for name, param in resumed.items():
        assert torch.equal(param, straight[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_our_optimizers_find_their_state_by_name_without_being_asked(
    name: str, dtype: torch.dtype
) -> None:
    straight, resumed = params_of(SHAPES, dtype), params_of(SHAPES, dtype)
    optimizer = make(name, grouped(straight, ONE), lr=0.02)
    train(optimizer, range(3))
    saved = through_a_file(optimizer.state_dict())
    for own, value in straight.items():
        resumed[own].data.copy_(value.data)
    other = make(name, grouped(resumed, TWO), lr=0.02)
    other.load_state_dict(saved)
    for own, value in straight.items():
        expected, found = optimizer.state[value], other.state[resumed[own]]
        assert expected.keys() == found.keys()
        for entry in expected:
            assert torch.equal(found[entry], expected[entry])
            assert found[entry].dtype == expected[entry].dtype
    train(optimizer, range(3, 5))
    train(other, range(3, 5))
    # A product of two matrices rounds otherwise than that of two stacks, and groups are stacked apart.
    most = 0.0 if get_optimizer(name).elementwise else 1e-4
    for own, value in straight.items():
        torch.testing.assert_close(resumed[own], value, rtol=most, atol=most)


def test_parameters_are_numbered_through_the_present_groups() -> None:
    params = params_of(SHAPES)
    saved = saved_by(momentum, params)
    matched = match_by_name(momentum(grouped(params, TWO), lr=0.02), saved)
    assert [group["params"] for group in matched["param_groups"]] == [[0, 1], [2, 3]]
    assert [group["param_names"] for group in matched["param_groups"]] == TWO
    order = [3, 1, 0, 2]
    for place, old in enumerate(order):
        assert matched["state"][place] is saved["state"][old]


def test_neither_the_optimizer_nor_the_checkpoint_is_changed() -> None:
    params = params_of(SHAPES)
    saved = saved_by(momentum, params)
    optimizer = momentum(grouped(params, TWO), lr=0.3)
    train(optimizer, range(1))
    copies = copy.deepcopy([saved, optimizer.state_dict()])
    match_by_name(optimizer, saved)
    for present, before in zip([saved, optimizer.state_dict()], copies, strict=True):
        assert present["param_groups"] == before["param_groups"]
        torch.testing.assert_close(present["state"], before["state"], rtol=0, atol=0)
    assert not optimizer._optimizer_load_state_dict_pre_hooks


def test_a_parameter_that_had_no_gradient_has_no_state() -> None:
    params = params_of(SHAPES)
    optimizer = momentum(grouped(params, ONE), lr=0.02)
    train(optimizer, range(2), leave_out="b")
    other = momentum(grouped(params, TWO), lr=0.02)
    train(other, range(1))
    assert load_state_dict_by_name(other, optimizer.state_dict()) == ([], [])
    assert set(other.state) == {params[name] for name in "acd"}


def test_the_keys_of_the_state_may_be_names() -> None:
    params = params_of(SHAPES)
    saved = saved_by(momentum, params)
    saved["param_groups"][0]["params"] = list(SHAPES)
    saved["state"] = dict(zip(SHAPES, saved["state"].values(), strict=True))
    matched = match_by_name(momentum(grouped(params, TWO), lr=0.02), saved)
    assert list(matched["state"]) == [0, 1, 2, 3]
    assert matched["state"][0] is saved["state"]["d"]


def test_what_belongs_to_no_parameter_stays_in_the_checkpoint() -> None:
    params = params_of(SHAPES)
    saved = saved_by(momentum, params) | {"version": 3}
    saved["state"] |= {"calls": 7, 99: {"momentum_buffer": torch.zeros(1)}}
    matched = match_by_name(momentum(grouped(params, TWO), lr=0.02), saved)
    assert matched["version"] == 3
    assert set(matched["state"]) == {0, 1, 2, 3, "calls"}


# ## What the groups hold
def test_the_same_groups_take_their_numbers_from_the_checkpoint() -> None:
    params = params_of(SHAPES)
    saved = SGD(grouped(params, TWO), lr=0.02, weight_decay=0.3).state_dict()
    saved["param_groups"][1]["lr"] = 0.04
    other = SGD(grouped(params, TWO), lr=0.5)
    load_state_dict_by_name(other, saved)
    assert [group["lr"] for group in other.param_groups] == [0.02, 0.04]
    assert [group["weight_decay"] for group in other.param_groups] == [0.3, 0.3]


@pytest.mark.parametrize("names", [ONE, [["b", "d"], ["a", "c"]], [["a", "c"], ["d", "b"]]])
def test_other_groups_keep_theirs(names: list[list[str]]) -> None:
    params = params_of(SHAPES)
    saved = SGD(grouped(params, TWO), lr=0.02, weight_decay=0.3).state_dict()
    other = SGD(grouped(params, names), lr=0.5)
    load_state_dict_by_name(other, saved)
    assert {group["lr"] for group in other.param_groups} == {0.5}
    assert {group["weight_decay"] for group in other.param_groups} == {0}
    assert [group["param_names"] for group in other.param_groups] == names


# ## What does not fit
def test_one_message_says_all_that_does_not_fit() -> None:
    shapes = {"body.weight": (4, 3), "body.bias": (4,), "head.weight": (2, 4), "head.bias": (2,)}
    saved = saved_by(momentum, params_of(shapes), [list(shapes)])
    shapes = {"body.weight": (4, 5), "body.bias": (4,), "heads.weight": (2, 4), "extra": (2,)}
    other = momentum(grouped(params_of(shapes), [list(shapes)]), lr=0.02)
    expected = (
        "state_dict must fit the optimizer: it lacks heads.weight, extra; the optimizer has no "
        "head.weight (nearest: heads.weight), head.bias; body.weight has state of shape (4, 3) "
        "for a parameter of shape (4, 5)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        load_state_dict_by_name(other, saved)
    assert not other.state
    assert not other._optimizer_load_state_dict_pre_hooks


def test_a_long_list_of_names_is_cut() -> None:
    old = {f"old.{number}": (1,) for number in range(9)}
    new = {f"new.{number}": (1,) for number in range(8)}
    saved = saved_by(momentum, params_of(old), [list(old)])
    with pytest.raises(ValueError, match=r"it lacks new.0, .*, new.4 and 3 more; .* and 4 more$"):
        match_by_name(momentum(grouped(params_of(new), [list(new)]), lr=0.02), saved)


def test_what_is_known_is_loaded_if_that_is_enough() -> None:
    saved = saved_by(momentum, params_of(SHAPES))
    params = params_of({"b": (4, 4), "new": (3,), "d": (4, 4)})
    other = momentum(grouped(params, [["d", "new"], ["b"]]), lr=0.02)
    train(other, range(1))
    own = other.state[params["new"]]["momentum_buffer"].clone()
    keys = load_state_dict_by_name(other, saved, strict=False)
    assert keys.missing_keys == ["new"]
    assert keys.unexpected_keys == ["a", "c"]
    for name, place in {"b": 1, "d": 3}.items():
        expected = saved["state"][place]["momentum_buffer"]
        assert torch.equal(other.state[params[name]]["momentum_buffer"], expected)
    assert torch.equal(other.state[params["new"]]["momentum_buffer"], own)


@pytest.mark.parametrize("strict", [True, False])
def test_state_of_another_shape_is_refused_in_any_case(strict: bool) -> None:
    saved = saved_by(Adam, params_of({"a": (1, 4)}), [["a"]])
    other = Adam(grouped(params_of({"a": (3, 4)}), [["a"]]), lr=0.02)
    with pytest.raises(ValueError, match=r"a has state of shape \(1, 4\) for .* shape \(3, 4\)$"):
        load_state_dict_by_name(other, saved, strict=strict)
    assert not other.state


def test_state_of_one_element_does_not_fit_a_number() -> None:
    saved = saved_by(Adam, params_of({"a": (1,)}), [["a"]])
    with pytest.raises(ValueError, match=r"a has state of shape \(1,\) for .* shape \(\)$"):
        match_by_name(Adam(grouped(params_of({"a": ()}), [["a"]])), saved)


def test_state_for_rows_and_columns_has_its_parameters_shape() -> None:
    saved = saved_by(Adafactor, params_of({"a": (3, 4)}), [["a"]])
    load_state_dict_by_name(Adafactor(grouped(params_of({"a": (3, 4)}), [["a"]])), saved)
    for shape in [(3, 5), (4, 3), (12,)]:
        other = Adafactor(grouped(params_of({"a": shape}), [["a"]]))
        with pytest.raises(ValueError, match="a has state of shape"):
            load_state_dict_by_name(other, saved)


def test_names_must_be_on_both_sides() -> None:
    params = params_of(SHAPES)
    named = saved_by(momentum, params)
    bare = momentum(list(params.values()), lr=0.02)
    with pytest.raises(ValueError, match=r"^optimizer must have param_names, got none in"):
        load_state_dict_by_name(bare, named)
    with pytest.raises(ValueError, match=r"^state_dict must have param_names, got none in"):
        load_state_dict_by_name(momentum(grouped(params, ONE), lr=0.02), bare.state_dict())


def test_names_must_be_complete_and_differ() -> None:
    params = params_of(SHAPES)
    optimizer = momentum(grouped(params, ONE), lr=0.02)
    saved = optimizer.state_dict()
    saved["param_groups"][0]["param_names"] = ["a", "b", "c"]
    with pytest.raises(ValueError, match="param_names in group 0 of state_dict must be 4, got 3"):
        match_by_name(optimizer, saved)
    optimizer.param_groups[0]["param_names"] = ["a", "b", "a", "b"]
    with pytest.raises(ValueError, match="of optimizer must differ, got a, b more than once"):
        match_by_name(optimizer, saved)


@pytest.mark.parametrize("name", ["state", "param_groups"])
def test_what_is_no_checkpoint_is_refused(name: str) -> None:
    optimizer = momentum(grouped(params_of(SHAPES), ONE), lr=0.02)
    saved = optimizer.state_dict()
    del saved[name]
    with pytest.raises(ValueError, match=f"state_dict must have {name}, got only"):
        match_by_name(optimizer, saved)


def test_state_that_another_class_made_is_not_taken() -> None:
    params = params_of(SHAPES)
    saved = saved_by(momentum, params, TWO)
    saved["param_groups"][0]["stepped_by"] = "Muon"
    other = momentum(grouped(params, TWO), lr=0.02)
    expected = "d has state of Muon, and is stepped by SGD, b has state of Muon"
    with pytest.raises(ValueError, match=expected):
        load_state_dict_by_name(other, saved)
    saved["state"][0]["momentum_buffer"] = torch.zeros(9)
    keys = load_state_dict_by_name(other, saved, strict=False)
    assert keys.missing_keys == ["d", "b"]
    assert set(other.state) == {params["a"], params["c"]}
    assert "stepped_by" not in other.param_groups[0]
    saved["state"][0] = saved["state"][1] = {}
    assert load_state_dict_by_name(other, saved) == ([], [])


def test_the_one_state_of_lbfgs_needs_the_same_order() -> None:
    params = params_of({"a": (2,), "b": (3,)})
    optimizer = LBFGS(grouped(params, [["a", "b"]]), lr=0.1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = sum(param.square().sum() for param in params.values())
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        return loss

    optimizer.step(closure)
    saved = through_a_file(optimizer.state_dict())
    load_state_dict_by_name(LBFGS(grouped(params, [["a", "b"]])), saved)
    with pytest.raises(ValueError, match="the same order for LBFGS"):
        load_state_dict_by_name(LBFGS(grouped(params, [["b", "a"]])), saved)


# ## What load_state_dict of ours does
def test_our_load_state_dict_refuses_other_names() -> None:
    saved = saved_by(AdamW, params_of(SHAPES))
    params = params_of({"a": (4, 4), "b": (4, 4), "c": (4, 4), "e": (4, 4)})
    other = AdamW(grouped(params, [list(params)]), lr=0.02)
    with pytest.raises(ValueError, match=r"it lacks e; the optimizer has no d"):
        other.load_state_dict(saved)
    assert not other.state
    assert other.param_groups[0]["param_names"] == list(params)


def test_our_load_state_dict_goes_by_place_without_names() -> None:
    params = params_of(SHAPES)
    saved = saved_by(AdamW, params)
    del saved["param_groups"][0]["param_names"]
    other = AdamW(grouped(params, [["d", "c", "b", "a"]]), lr=0.02)
    other.load_state_dict(saved)
    assert torch.equal(other.state[params["d"]]["exp_avg"], saved["state"][0]["exp_avg"])


@pytest.mark.parametrize("by_name", [True, False])
def test_a_hook_may_change_the_names_first(by_name: bool) -> None:
    params = params_of(SHAPES, torch.bfloat16)
    saved = saved_by(AdamW, params)
    saved["param_groups"][0]["param_names"] = [f"module.{name}" for name in SHAPES]

    def without_prefix(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
        groups = [
            group | {"param_names": [re.sub("^module.", "", name) for name in group["param_names"]]}
            for group in state_dict["param_groups"]
        ]
        return state_dict | {"param_groups": groups}

    other = AdamW(grouped(params, TWO), lr=0.02)
    other.register_load_state_dict_pre_hook(without_prefix)
    if by_name:
        load_state_dict_by_name(other, saved)
    else:
        other.load_state_dict(saved)
    for place, name in enumerate(SHAPES):
        found = other.state[params[name]]["exp_avg"]
        assert found.dtype == torch.float32
        assert torch.equal(found, saved["state"][place]["exp_avg"])


def test_a_checkpoint_that_is_none_is_refused_by_its_type() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(TypeError, match="state_dict must be a dictionary, got a str"):
        load_state_dict_by_name(optimizer, "checkpoint.pt")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"optimizer must be a torch.optim.Optimizer, got a dict"):
        load_state_dict_by_name({}, {})  # type: ignore[arg-type]

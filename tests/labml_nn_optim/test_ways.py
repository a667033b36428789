"""One rule, run in several ways, gives the same parameters."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn import Parameter

from labml_nn_optim import WeightDecay
from labml_nn_optim.compiled import apply_rule
from labml_nn_optim.pieces import Listed, Member, TensorList
from labml_nn_optim.weight_decay import DecayInRule
from tests.labml_nn_optim.examples import (
    DECAY,
    NAMES,
    WAYS,
    WAYS_OF,
    largest_difference,
    make,
    make_params,
    noisy_gradient,
    params_for,
    train,
)

OTHER_WAYS_OF = [(name, way) for name, way in WAYS_OF if way != "per_tensor"]
COMPILED = [name for name, way in WAYS_OF if way == "compile"]
every_way_of_every_name = pytest.mark.parametrize(("name", "way"), WAYS_OF)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 0.02, torch.float16: 2e-3}


@functools.lru_cache(maxsize=len(TOLERANCE))
def tensor_by_tensor(name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    return train(make(name, params_for(name, dtype), lr=0.02, **DECAY, per_tensor=True), steps=8)


# One optimizer stands for all in compiling for half precision.
@pytest.mark.parametrize(
    ("name", "way", "dtype"),
    [
        (name, way, dtype)
        for name, way in OTHER_WAYS_OF
        for dtype in TOLERANCE
        if "compile" not in way or name == "adam" or dtype in (torch.float64, torch.float32)
    ],
    ids=str,
)
def test_every_way_gives_what_the_rule_gives_tensor_by_tensor(
    name: str, way: str, dtype: torch.dtype
) -> None:
    found = train(make(name, params_for(name, dtype), lr=0.02, **DECAY, **WAYS[way]), steps=8)
    assert largest_difference(found, tensor_by_tensor(name, dtype)) <= TOLERANCE[dtype]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("way", WAYS)
def test_two_threads_give_what_the_rule_gives_tensor_by_tensor(way: str) -> None:
    found = train(make("adam", make_params(), lr=0.02, **DECAY, **WAYS[way]), steps=8)
    expected = tensor_by_tensor("adam", torch.float64)
    assert largest_difference(found, expected) <= TOLERANCE[torch.float64]


@every_way_of_every_name
def test_parameters_whose_gradient_comes_and_goes_keep_their_own_step(name: str, way: str) -> None:
    def run(**options: bool) -> tuple[list[torch.Tensor], list[float]]:
        params = make_params(shapes=[(70, 60), (30,), (3, 4), (7,)])
        optimizer = make(name, params, lr=0.02, **DECAY, **options)
        for step in range(1, 10):
            for index, param in enumerate(params):
                present = index == 0 or (step + index) % 3 != 0
                param.grad = noisy_gradient(param, step, index) if present else None
            optimizer.step()
        steps = [float(optimizer.state[param]["step"]) for param in params]
        return [param.detach() for param in params], steps

    expected, steps = run(per_tensor=True)
    found, found_steps = run(**WAYS[way])
    assert steps == found_steps == [9, 6, 6, 6]
    assert largest_difference(found, expected) < 1e-12


@every_way_of_every_name
def test_two_groups_follow_their_own_hyper_parameters(name: str, way: str) -> None:
    def run(**options: bool) -> list[torch.Tensor]:
        first, second = make_params(shapes=[(70, 60), (30,)])
        groups = [{"params": [first], "lr": 0.1}, {"params": [second], "weight_decay": 0.5}]
        return train(make(name, groups, lr=0.01, **DECAY, **options), steps=6)

    assert largest_difference(run(**WAYS[way]), run(per_tensor=True)) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_groups_differ_from_one_another(name: str) -> None:
    start = make_params(shapes=[(30,)])[0].detach()
    params = [Parameter(start.clone()) for _ in range(3)]
    groups = [
        {"params": [params[0]]},
        {"params": [params[1]], "lr": 0.1},
        {"params": [params[2]], "weight_decay": 0.5},
    ]
    optimizer = make(name, groups, lr=0.01, **DECAY)
    for step in range(3):
        for param in params:
            param.grad = noisy_gradient(start, step, 0)
        optimizer.step()
    assert not torch.equal(params[0], params[1])
    assert not torch.equal(params[0], params[2])


@pytest.mark.parametrize("name", COMPILED)
def test_lists_of_tensors_which_a_gpu_runs_give_the_same(name: str) -> None:
    params = make_params()
    expected = train(make(name, make_params(), lr=0.02, **DECAY, per_tensor=True), steps=5)
    optimizer = make(name, params, lr=0.02, **DECAY)
    states: list[dict[str, Any]] = [{} for _ in params]
    group = optimizer.param_groups[0]
    for param, state in zip(params, states, strict=True):
        optimizer.init_state(state, group, param.detach())
    numbers = optimizer.scalar_state
    # One kind of decay, that of Adan, acts after the update.
    optimizer.weight_decay = decay = DecayInRule(optimizer.weight_decay)
    with torch.no_grad():
        for step in range(1, 6):
            for index, param in enumerate(params):
                param.grad = noisy_gradient(param, step, index)
            members = [Member(*each, numbers) for each in zip(params, states, strict=True)]
            optimizer.prepare([(group, members)])
            scalars = optimizer.scalars(
                group | {key: float(states[0][key]) for key in numbers}, step
            )
            for key in numbers:
                for state in states:
                    state[key].fill_(scalars[key])
            piece = Listed(members)
            operands = piece.load()
            apply_rule(optimizer.step_param, group | scalars, operands, decay)
            piece.store(operands)
    assert largest_difference([param.detach() for param in params], expected) < 1e-12


def test_a_method_without_a_list_form_is_run_one_by_one() -> None:
    tensors = [torch.tensor([1.0, 4.0]), torch.tensor([9.0])]
    found = TensorList(tensors).fmod(TensorList([torch.tensor(3.0), torch.tensor(5.0)]))
    assert [each.tolist() for each in found.tensors] == [[1.0, 1.0], [4.0]]


@pytest.mark.parametrize("name", COMPILED)
def test_nothing_is_compiled_again_when_step_lr_or_sizes_change(name: str) -> None:
    params = make_params(torch.float32)
    optimizer = make(name, params, lr=0.02, weight_decay=0.1, compile=True)
    train(optimizer, steps=2)
    before = counters["stats"]["unique_graphs"]
    for step in range(3, 12):
        optimizer.param_groups[0]["lr"] = 0.0 if step == 5 else 0.02 / step
        optimizer.param_groups[0]["weight_decay"] = 0.1 / step
        train(optimizer, steps=1, first=step)
    other = [Parameter(torch.randn(size)) for size in (40_000, 50_000, 3, 900_000)]
    train(make(name, other, lr=0.01, weight_decay=0.1, compile=True), steps=2)
    assert counters["stats"]["unique_graphs"] == before


def train_with(
    changes: list[dict[str, Any]], name: str, **arguments: Any
) -> tuple[list[torch.Tensor], list[int]]:
    """Train with these entries written into the group, one step each; count what each compiles."""
    optimizer = make(name, make_params(torch.float32), lr=0.02, **arguments)
    compiled = []
    for step, change in enumerate(changes, start=1):
        optimizer.param_groups[0].update(change)
        before = counters["stats"]["unique_graphs"]
        found = train(optimizer, steps=1, first=step)
        compiled.append(counters["stats"]["unique_graphs"] - before)
    return found, compiled


def decays(*values: float) -> list[dict[str, Any]]:
    return [{"weight_decay": value} for value in values]


BETAS = [{"betas": (beta1, 0.999)} for beta1 in (0.9, 0.8, 0.7, 0.85, 0.95, 0.5)]
MOMENTUM = [{"momentum": momentum} for momentum in (0.9, 0.8, 0.7, 0.85, 0.95, 0.5)]
COUPLED = WeightDecay(0.1, weight_decouple=False)
CHANGES: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any]]] = {
    "decay": (decays(0.1, 0.2, 1, 2, 3, 0.3, 0.01), "adam", DECAY),
    "coupled_decay": (decays(0.1, 0.2, 1, 2, 3, 0.3, 0.01), "adam", {"weight_decay": COUPLED}),
    "betas": (BETAS, "adam", DECAY),
    "momentum": (MOMENTUM, "sgd", DECAY | {"momentum": 0.9}),
}


@pytest.mark.parametrize("way", ["compile", "compile_flat"])
@pytest.mark.parametrize("case", CHANGES)
def test_a_hyper_parameter_that_changes_in_every_step_compiles_nothing(case: str, way: str) -> None:
    changes, name, arguments = CHANGES[case]
    expected, _ = train_with(changes, name, **arguments, per_tensor=True)
    found, compiled = train_with(changes, name, **arguments, **WAYS[way])
    assert compiled[1:] == [0] * (len(changes) - 1)
    assert largest_difference(found, expected) <= TOLERANCE[torch.float32]


@pytest.mark.parametrize("way", ["compile", "compile_flat"])
def test_a_decay_that_reaches_0_compiles_once_more_at_most(way: str) -> None:
    changes = decays(0.1, 0.05, 0.0, 0, 0.1, 2, 0.0, 0.2)
    expected, _ = train_with(changes, "adam", **DECAY, per_tensor=True)
    found, compiled = train_with(changes, "adam", **DECAY, **WAYS[way])
    assert compiled[2] <= 1
    assert compiled[1] == sum(compiled[3:]) == 0
    assert largest_difference(found, expected) <= TOLERANCE[torch.float32]


def test_a_decay_in_a_tensor_reaches_0_in_the_same_kernel() -> None:
    changes = decays(0.1, 0.0, 0.0, 0.2)
    expected, _ = train_with(changes, "adam", **DECAY, per_tensor=True)
    changes = [{"weight_decay": torch.tensor(change["weight_decay"])} for change in changes]
    found, compiled = train_with(changes, "adam", weight_decay=torch.tensor(0.1), compile=True)
    assert sum(compiled[1:]) == 0
    assert largest_difference(found, expected) <= TOLERANCE[torch.float32]


def test_an_optimizer_with_other_numbers_takes_the_kernel_that_is_there() -> None:
    train_with([{}], "noam", warmup=2, d_model=1, weight_decay=0.1, compile=True)
    others: list[dict[str, Any]] = [
        {"warmup": 5, "d_model": 16, "weight_decay": 0.2},
        {"warmup": 6.0, "d_model": 1, "weight_decay": 3},
    ]
    for other in others:
        expected, _ = train_with([{}, {}], "noam", **other, per_tensor=True)
        found, compiled = train_with([{}, {}], "noam", **other, compile=True)
        assert compiled == [0, 0]
        assert largest_difference(found, expected) <= TOLERANCE[torch.float32]


class HalfDecay(WeightDecay):
    """A decay of half the number that it was made with."""

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        return super().__call__(param, grad, {**group, "weight_decay": 0.5 * self.weight_decay})


def test_a_decay_of_ones_own_keeps_its_number() -> None:
    def run(**options: bool) -> list[torch.Tensor]:
        params = make_params(shapes=[(30, 20), (7,)])
        return train(make("adam", params, lr=0.02, weight_decay=HalfDecay(0.5), **options), steps=2)

    assert largest_difference(run(compile=True), run(per_tensor=True)) < 1e-12


@pytest.mark.parametrize("way", WAYS)
def test_zero_decay_leaves_large_parameters_without_a_pass_for_it(way: str) -> None:
    param = Parameter(torch.full((40_000,), 2.0))
    optimizer = make("adam", [param], lr=0.5, weight_decay=0.0, **WAYS[way])
    param.grad = torch.zeros(40_000)
    optimizer.step()
    assert torch.equal(param, torch.full((40_000,), 2.0))


def test_flat_storage_holds_parameters_and_gradients_side_by_side() -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = make("adam", layer.parameters(), flat=True)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    weight, bias = layer.weight, layer.bias
    assert bias.data_ptr() == weight.data_ptr() + weight.numel() * 4
    assert bias.grad.data_ptr() == weight.grad.data_ptr() + weight.numel() * 4


def test_flat_storage_is_made_anew_when_a_parameter_is_given_other_storage() -> None:
    def run(flat: bool) -> list[torch.Tensor]:
        params = make_params()
        optimizer = make("adam", params, lr=0.02, flat=flat)
        train(optimizer, steps=3)
        for param in params:
            param.data = param.data.clone() + 1
        return train(optimizer, steps=3, first=4)

    assert largest_difference(run(flat=True), run(flat=False)) < 1e-12


@pytest.mark.parametrize("way", WAYS)
def test_state_that_is_replaced_by_hand_is_used_from_then_on(way: str) -> None:
    def run(**options: bool) -> list[torch.Tensor]:
        params = make_params()
        optimizer = make("adam", params, lr=0.02, **options)
        train(optimizer, steps=4)
        for param in params:
            optimizer.state[param]["exp_avg"] = torch.ones_like(param)
            optimizer.state[param]["step"].fill_(1.0)
        return train(optimizer, steps=3, first=5)

    assert largest_difference(run(**WAYS[way]), run(per_tensor=True)) < 1e-12


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_compiled_function_makes_the_steps_that_are_made_outside_of_one(name: str) -> None:
    def run(compiled: bool) -> tuple[list[Parameter], list[int]]:
        params = make_params(torch.float64)
        optimizer = make(name, params, lr=0.02)

        def train_step(step: torch.Tensor) -> None:
            sum((param * param * step).sum() for param in params).backward()
            optimizer.step()
            optimizer.zero_grad()

        call = torch.compile(train_step, backend="eager") if compiled else train_step
        graphs = []
        for step in range(1, 6):
            call(torch.tensor(float(step)))
            graphs.append(counters["stats"]["unique_graphs"])
        return params, graphs

    expected, _ = run(False)
    found, graphs = run(True)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    # The gradients are None in the first step, and zero_grad makes them so again.
    assert graphs[1:] == [graphs[1]] * 4

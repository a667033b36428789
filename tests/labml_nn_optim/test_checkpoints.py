"""Checkpoints are interchanged with torch.optim, and keep their precision."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from tests.labml_nn_optim.examples import NAMES, WAYS, largest_difference, make, make_params, train
from tests.labml_nn_optim.test_parity import PUBLIC

every_name = pytest.mark.parametrize("name", NAMES)
every_way = pytest.mark.parametrize("way", WAYS)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def copy_params(params: list[torch.Tensor]) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(param.detach().clone()) for param in params]


@every_way
@every_name
def test_training_goes_on_from_a_saved_state_with_the_same_numbers(name: str, way: str) -> None:
    straight = make(name, make_params(), lr=0.02, weight_decay=0.1, **WAYS[way])
    saved_params = train(straight, steps=4)
    saved = through_a_file(straight.state_dict())
    resumed = make(name, copy_params(saved_params), lr=0.5, **WAYS[way])
    resumed.load_state_dict(saved)
    assert (
        largest_difference(train(resumed, steps=4, first=5), train(straight, steps=4, first=5))
        < 1e-12
    )


@every_way
@every_name
@pytest.mark.parametrize("decoupled", [False, True])
def test_torch_continues_from_our_checkpoint(name: str, way: str, decoupled: bool) -> None:
    public, arguments = PUBLIC[name]
    ours = make(name, make_params(), lr=0.02, **WAYS[way])
    ours.param_groups[0]["decoupled_weight_decay"] = decoupled
    ours.param_groups[0]["weight_decay"] = 0.1
    params = train(ours, steps=4)
    theirs = public(copy_params(params), lr=0.5, **arguments)
    theirs.load_state_dict(through_a_file(ours.state_dict()))
    theirs.param_groups[0]["amsgrad"] = arguments.get("amsgrad", False)
    assert (
        largest_difference(train(theirs, steps=4, first=5), train(ours, steps=4, first=5)) < 1e-12
    )


@every_way
@every_name
@pytest.mark.parametrize("decoupled", [False, True])
def test_we_continue_from_torchs_checkpoint(name: str, way: str, decoupled: bool) -> None:
    public, arguments = PUBLIC[name]
    theirs = public(
        make_params(), lr=0.02, weight_decay=0.1, decoupled_weight_decay=decoupled, **arguments
    )
    params = train(theirs, steps=4)
    ours = make(name, copy_params(params), lr=0.5, **WAYS[way])
    ours.load_state_dict(through_a_file(theirs.state_dict()))
    assert (
        largest_difference(train(ours, steps=4, first=5), train(theirs, steps=4, first=5)) < 1e-12
    )


@every_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_float32_state_of_half_precision_parameters_survives(name: str, dtype: torch.dtype) -> None:
    straight = make(name, make_params(dtype), lr=0.02)
    params = train(straight, steps=3)
    resumed = make(name, copy_params(params), lr=0.02)
    resumed.load_state_dict(through_a_file(straight.state_dict()))
    old = straight.state_dict()["state"]
    for key, state in resumed.state_dict()["state"].items():
        for entry, value in state.items():
            assert value.dtype == torch.float32
            assert torch.equal(value, old[key][entry])
    assert (
        largest_difference(train(resumed, steps=3, first=4), train(straight, steps=3, first=4)) == 0
    )

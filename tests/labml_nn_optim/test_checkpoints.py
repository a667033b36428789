"""Checkpoints are interchanged with torch.optim, and keep their precision."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import WeightDecay, get_optimizer
from tests.labml_nn_optim.examples import (
    DECAY,
    NAMES,
    SMALL_SHAPES,
    WAYS,
    WAYS_OF,
    largest_difference,
    make,
    make_params,
    params_for,
    train,
)
from tests.labml_nn_optim.public import PUBLIC, STRENGTH, Public

every_name = pytest.mark.parametrize("name", NAMES)
every_way_of_every_name = pytest.mark.parametrize(("name", "way"), WAYS_OF)
SHARED_WITH_TORCH = [
    (name, way) for name, way in WAYS_OF if PUBLIC[name].is_torchs and way in ("pieces", "flat")
]


def params_of(public: Public) -> list[Parameter]:
    return make_params() if public.on_empty else make_params(shapes=SMALL_SHAPES)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def copy_params(params: list[torch.Tensor]) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(param.detach().clone()) for param in params]


@every_way_of_every_name
def test_training_goes_on_from_a_saved_state_with_the_same_numbers(name: str, way: str) -> None:
    straight = make(name, params_for(name), lr=0.02, **DECAY, **WAYS[way])
    saved_params = train(straight, steps=4)
    saved = through_a_file(straight.state_dict())
    resumed = make(name, copy_params(saved_params), lr=0.5, **WAYS[way])
    resumed.load_state_dict(saved)
    assert (
        largest_difference(train(resumed, steps=4, first=5), train(straight, steps=4, first=5))
        < 1e-12
    )


@pytest.mark.parametrize(("name", "way"), SHARED_WITH_TORCH)
def test_torch_continues_from_our_checkpoint(name: str, way: str) -> None:
    public = PUBLIC[name]
    for their_decay, our_decay in public.decays():
        ours = get_optimizer(name)(
            params_of(public), lr=0.02, weight_decay=our_decay, **public.ours, **WAYS[way]
        )
        params = train(ours, steps=4)
        theirs = public.kind(copy_params(params), lr=0.5, **public.options, **their_decay)
        theirs.load_state_dict(through_a_file(ours.state_dict()))
        difference = largest_difference(
            train(theirs, steps=4, first=5), train(ours, steps=4, first=5)
        )
        assert difference < max(1e-12, public.tolerance), our_decay


@pytest.mark.parametrize(("name", "way"), SHARED_WITH_TORCH)
def test_we_continue_from_torchs_checkpoint(name: str, way: str) -> None:
    public = PUBLIC[name]
    for their_decay, our_decay in public.decays():
        theirs = public.kind(params_of(public), lr=0.02, **public.options, **their_decay)
        params = train(theirs, steps=4)
        # Most of torch's groups do not say which kind of decay they mean: ours says it.
        ours = get_optimizer(name)(
            copy_params(params), lr=0.5, weight_decay=our_decay, **public.ours, **WAYS[way]
        )
        ours.load_state_dict(through_a_file(theirs.state_dict()))
        difference = largest_difference(
            train(ours, steps=4, first=5), train(theirs, steps=4, first=5)
        )
        assert difference < max(1e-12, public.tolerance), our_decay


def test_a_checkpoint_that_says_its_kind_of_decay_brings_it_along() -> None:
    for decoupled in (False, True):
        theirs = torch.optim.Adam(
            make_params(), lr=0.02, weight_decay=STRENGTH, decoupled_weight_decay=decoupled
        )
        params = train(theirs, steps=2)
        other = WeightDecay(0.5, weight_decouple=not decoupled)
        ours = make("adam", copy_params(params), weight_decay=other)
        ours.load_state_dict(through_a_file(theirs.state_dict()))
        assert (
            largest_difference(train(ours, steps=2, first=3), train(theirs, steps=2, first=3))
            < 1e-12
        )


def test_a_checkpoint_without_steps_and_with_empty_entries_is_understood() -> None:
    params = make_params()
    ours = make("adam", params)
    state = {
        index: {"exp_avg": torch.ones_like(p), "exp_avg_sq": torch.ones_like(p), "other": None}
        for index, p in enumerate(params)
    }
    ours.load_state_dict(ours.state_dict() | {"state": state})
    assert {float(own["step"]) for own in ours.state.values()} == {1.0}
    train(ours, steps=1)
    assert {float(own["step"]) for own in ours.state.values()} == {2.0}


@every_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_float32_state_of_half_precision_parameters_survives(name: str, dtype: torch.dtype) -> None:
    straight = make(name, params_for(name, dtype), lr=0.02)
    params = train(straight, steps=3)
    resumed = make(name, copy_params(params), lr=0.02)
    resumed.load_state_dict(through_a_file(straight.state_dict()))
    old = straight.state_dict()["state"]
    for key, state in resumed.state_dict()["state"].items():
        for entry, value in state.items():
            single = entry in get_optimizer(name).scalar_state
            whole = old[key][entry].dtype == torch.uint8
            kept = torch.uint8 if whole else torch.float32
            assert value.dtype == (torch.float64 if single else kept)
            assert torch.equal(value, old[key][entry])
    assert (
        largest_difference(train(resumed, steps=3, first=4), train(straight, steps=3, first=4)) == 0
    )


def test_a_checkpoint_with_another_number_of_betas_is_refused_before_anything_is_taken_over() -> (
    None
):
    saved = make("adamw", make_params()).state_dict()
    optimizer = make("adan", make_params(), lr=0.5)
    with pytest.raises(TypeError, match=r"betas must be 3 numbers in \[0, 1\), got \(0.9, 0.999\)"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.5

"""Decay towards the start remembers where each parameter began."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import SGD, Adam, AdamW, WeightDecay, WeightDecayToStart
from tests.labml_nn_optim.examples import WAYS, largest_difference, make_params, train
from tests.labml_nn_optim.test_checkpoints import copy_params, through_a_file


def second_step(decay: WeightDecay) -> float:
    """Where a weight is that starts at 1, is then at 3, and has a gradient of 1."""
    param = Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = SGD([param], lr=0.5, momentum=0.0, weight_decay=decay)
    param.grad = torch.full_like(param, -4.0)
    optimizer.step()
    assert param.item() == 3.0
    param.grad = torch.ones_like(param)
    optimizer.step()
    return param.item()


def test_a_weight_goes_a_part_of_its_way_back_to_where_it_started() -> None:
    assert second_step(WeightDecayToStart(0.1)) == pytest.approx(3 - 0.05 * (3 - 1) - 0.5)


def test_absolute_decay_to_the_start_does_not_multiply_by_lr() -> None:
    found = second_step(WeightDecayToStart(0.1, absolute=True))
    assert found == pytest.approx(3 - 0.1 * (3 - 1) - 0.5)


def test_coupled_decay_to_the_start_adds_the_distance_to_the_gradient() -> None:
    found = second_step(WeightDecayToStart(0.1, weight_decouple=False))
    assert found == pytest.approx(3 - 0.5 * (1 + 0.1 * (3 - 1)))


def test_a_first_step_does_not_decay() -> None:
    def run(decay: WeightDecay | float) -> list[torch.Tensor]:
        return train(Adam(make_params(), lr=0.02, weight_decay=decay), steps=1)

    assert largest_difference(run(WeightDecayToStart(0.5)), run(0.0)) == 0


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_without_gradients_the_weights_return_to_where_they_started(way: str) -> None:
    params = make_params()
    start = [param.detach().clone() for param in params]
    decay = WeightDecayToStart(5.0)
    optimizer = AdamW(params, lr=0.1, betas=(0.0, 0.9), weight_decay=decay, **WAYS[way])
    train(optimizer, steps=3)
    assert largest_difference(params, start) > 0.1
    for _ in range(40):
        for param in params:
            param.grad = torch.zeros_like(param)
        optimizer.step()
    assert largest_difference(params, start) < 1e-8


def test_an_absolute_decay_of_one_sets_a_weight_back_exactly() -> None:
    start = make_params()
    params = copy_params(start)
    optimizer = AdamW(
        params, lr=0.1, betas=(0.0, 0.9), weight_decay=WeightDecayToStart(1.0, absolute=True)
    )
    train(optimizer, steps=2)
    for param in params:
        param.grad = torch.zeros_like(param)
    optimizer.step()
    assert all(map(torch.equal, params, start))


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_a_resumed_run_remembers_where_the_first_one_started(way: str) -> None:
    decay = WeightDecayToStart(2.0)
    straight = AdamW(make_params(), lr=0.02, weight_decay=decay, **WAYS[way])
    params = train(straight, steps=4)
    saved = through_a_file(straight.state_dict())
    # The group says its kind, so the resumed optimizer need not be told.
    resumed = AdamW(copy_params(params), lr=0.5, **WAYS[way])
    resumed.load_state_dict(saved)
    found = train(resumed, steps=4, first=5)
    assert largest_difference(found, train(straight, steps=4, first=5)) < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_the_start_of_a_half_precision_weight_is_kept_in_float32(dtype: torch.dtype) -> None:
    params = make_params(dtype, shapes=[(70, 60), (7,)])
    optimizer = AdamW(params, lr=0.1, weight_decay=WeightDecayToStart(0.5))
    start = [param.detach().float() for param in params]
    moved = train(optimizer, steps=3)
    resumed = AdamW(copy_params(moved), weight_decay=WeightDecayToStart(0.5))
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    for each in (optimizer, resumed):
        held = [own["initial_param"] for own in each.state.values()]
        assert all(map(torch.equal, held, start))
        assert {value.dtype for value in held} == {torch.float32}


def test_a_layer_that_is_unfrozen_late_starts_where_it_is_then() -> None:
    first, second = Parameter(torch.ones(3)), Parameter(torch.ones(3))
    optimizer = SGD([first, second], lr=0.1, weight_decay=WeightDecayToStart(0.5))
    first.grad = torch.ones(3)
    optimizer.step()
    with torch.no_grad():
        second.fill_(7.0)
    second.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[second]["initial_param"].tolist() == [7.0] * 3


def test_a_checkpoint_without_the_start_is_refused_and_nothing_of_it_taken() -> None:
    plain = AdamW(make_params(), lr=0.02)
    params = train(plain, steps=2)
    saved = through_a_file(plain.state_dict())
    for group in saved["param_groups"]:
        group["weight_decay_kind"] = "WeightDecayToStart"
    theirs = torch.optim.AdamW(copy_params(params), lr=0.02)
    train(theirs, steps=2)
    for checkpoint in (saved, theirs.state_dict()):
        optimizer = AdamW(copy_params(params), lr=0.5, weight_decay=WeightDecayToStart(0.1))
        with pytest.raises(
            ValueError,
            match="must hold initial_param of parameter 0 for AdamW with WeightDecayToStart",
        ) as caught:
            optimizer.load_state_dict(checkpoint)
        assert "\n" not in str(caught.value)
        assert not optimizer.state
        assert optimizer.param_groups[0]["lr"] == 0.5

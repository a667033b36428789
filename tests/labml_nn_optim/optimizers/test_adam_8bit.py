"""Averages in bytes: which parameters have them, what they weigh, and where they go wrong."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import Adam, Adam8bit
from labml_nn_optim.quantize import dequantize
from tests.labml_nn_optim.examples import largest_difference, make_params, train
from tests.labml_nn_optim.public import WrittenOutAdam8bit

LARGE: list[tuple[int, ...]] = [(70, 60), (64, 64), (16, 8, 6, 6)]


def test_blocks_that_are_full_and_one_that_is_not_follow_the_written_out_rule() -> None:
    ours = Adam8bit(make_params(shapes=LARGE), lr=0.02, weight_decay=0.1)
    theirs = WrittenOutAdam8bit(
        make_params(shapes=LARGE), lr=0.02, weight_decay=0.1, decoupled=True
    )
    assert largest_difference(train(ours, steps=20), train(theirs, steps=20)) < 1e-12


def test_it_stays_near_adam_and_is_not_adam() -> None:
    difference = largest_difference(
        train(Adam8bit(make_params(shapes=LARGE), lr=0.02), steps=100),
        train(Adam(make_params(shapes=LARGE), lr=0.02), steps=100),
    )
    assert 0.005 < difference < 0.1


def test_small_parameters_are_adams() -> None:
    shapes: list[tuple[int, ...]] = [(4095,), (13, 7), ()]
    ours = Adam8bit(make_params(shapes=shapes), lr=0.02)
    theirs = Adam(make_params(shapes=shapes), lr=0.02)
    assert largest_difference(train(ours, steps=20), train(theirs, steps=20)) < 1e-12
    assert all("exp_avg" in state for state in ours.state.values())


def test_a_group_keeps_its_averages_whole() -> None:
    matrix, embedding = make_params(torch.float32, [(64, 64), (64, 64)])
    optimizer = Adam8bit([{"params": [matrix]}, {"params": [embedding], "quantize": False}])
    train(optimizer, steps=2)
    assert set(optimizer.state[matrix]) == {
        "step",
        "exp_avg_codes",
        "exp_avg_scales",
        "exp_avg_sq_codes",
        "exp_avg_sq_scales",
    }
    assert set(optimizer.state[embedding]) == {"step", "exp_avg", "exp_avg_sq"}


def bytes_of(optimizer: torch.optim.Optimizer) -> int:
    (state,) = optimizer.state.values()
    return sum(value.nbytes for key, value in state.items() if key != "step")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_matrix_of_a_transformer_has_two_bytes_a_weight(dtype: torch.dtype) -> None:
    def measured(kind: Any) -> float:
        param = Parameter(torch.zeros(768, 3072, dtype=dtype))
        param.grad = torch.ones_like(param)
        optimizer = kind([param])
        optimizer.step()
        return bytes_of(optimizer) / param.numel()

    assert measured(Adam) == 8
    assert measured(Adam8bit) == 2 + 8 / 256


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex64], ids=str
)
def test_bytes_survive_a_checkpoint(dtype: torch.dtype) -> None:
    straight = Adam8bit(make_params(dtype, LARGE), lr=0.02)
    params = [Parameter(param) for param in train(straight, steps=3)]
    file = io.BytesIO()
    torch.save(straight.state_dict(), file)
    file.seek(0)
    resumed = Adam8bit(params, lr=0.02)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for ours, old in zip(resumed.state.values(), straight.state.values(), strict=True):
        for name, value in old.items():
            assert ours[name].dtype == value.dtype, name
            assert torch.equal(ours[name], value), name
        assert ours["exp_avg_codes"].dtype == torch.uint8
        assert ours["exp_avg_codes"].data_ptr() != old["exp_avg_codes"].data_ptr()
    more = zip(train(resumed, steps=3, first=4), train(straight, steps=3, first=4), strict=True)
    assert all(torch.equal(*pair) for pair in more)


def test_a_checkpoint_of_adam_goes_on_in_float32() -> None:
    theirs = torch.optim.Adam(make_params(shapes=LARGE), lr=0.02)
    params = [Parameter(param) for param in train(theirs, steps=4)]
    ours = Adam8bit(params, lr=0.02)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    assert (
        largest_difference(train(ours, steps=4, first=5), train(theirs, steps=4, first=5)) < 1e-12
    )


def test_large_parameters_of_one_shape_are_stacked_and_move_as_alone() -> None:
    shapes: list[tuple[int, ...]] = [(65, 64)] * 3

    def run(**options: bool) -> list[torch.Tensor]:
        return train(Adam8bit(make_params(shapes=shapes), lr=0.02, **options), steps=5)

    assert largest_difference(run(), run(per_tensor=True)) < 1e-12


def steps_of_the_first(
    kind: Any, small: float, pattern: Callable[[int], bool], steps: int = 1200, **arguments: Any
) -> list[float]:
    """Steps of one weight beside 255 whose gradients are 1; `pattern` says when its own is not 0."""
    param = Parameter(torch.zeros(256))
    optimizer = kind([param], lr=1.0, **arguments)
    lengths = []
    for step in range(1, steps + 1):
        param.grad = torch.ones(256)
        param.grad[0] = small * pattern(step)
        before = param[0].item()
        optimizer.step()
        lengths.append(before - param[0].item())
    return lengths


def test_a_second_moment_that_rounds_to_zero_makes_steps_of_twenty() -> None:
    for small, expected in ((5e-4, 0.87), (4e-4, 25.3), (1e-5, 20.5)):
        found = steps_of_the_first(Adam8bit, small, lambda _: True, min_8bit_size=1)
        assert found[-1] == pytest.approx(expected, rel=0.02), small
        assert steps_of_the_first(Adam, small, lambda _: True)[-1] == pytest.approx(1.0, rel=0.01)


def test_it_divides_by_eps_when_the_next_gradient_is_zero() -> None:
    def fifth(step: int) -> bool:
        return step % 5 == 0

    def largest(kind: Any, **arguments: Any) -> float:
        return max(steps_of_the_first(kind, 3e-4, fifth, **arguments)[1000:])

    assert largest(Adam8bit, min_8bit_size=1) == pytest.approx(7990, rel=0.01)
    assert largest(Adam8bit, min_8bit_size=1, quantize=False) == pytest.approx(0.545, rel=0.01)
    assert largest(Adam8bit, min_8bit_size=1, eps=1e-4) < 1


def test_a_second_moment_does_not_fall_while_its_neighbours_stay() -> None:
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.zeros(4096))
    optimizer = Adam8bit([param])
    half = torch.arange(4096) % 2 == 0

    def root() -> float:
        state = optimizer.state[param]
        found = dequantize(state["exp_avg_sq_codes"][None], state["exp_avg_sq_scales"][None], False)
        return float(found[0, half].median().sqrt())

    for step in range(4000):
        param.grad = torch.randn(4096, generator=generator)
        if step >= 1000:
            param.grad[half] *= 0.01
        optimizer.step()
        if step == 999:
            before = root()
    # Adam's would be 0.22 times as large, and fall on.
    assert 0.75 < root() / before < 1


def test_a_gradient_that_is_no_number_spoils_the_weights_of_its_block() -> None:
    def spoilt(kind: Any) -> int:
        param = Parameter(torch.zeros(4096))
        optimizer = kind([param])
        for step in range(3):
            param.grad = torch.ones(4096)
            if step == 1:
                param.grad[0] = float("nan")
            optimizer.step()
        return int(param.isnan().sum())

    assert (spoilt(Adam), spoilt(Adam8bit)) == (1, 256)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"quantize": 8}, TypeError, "quantize must be True or False, got 8"),
        ({"min_8bit_size": 4096.0}, TypeError, "min_8bit_size must be a whole number >= 0"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Adam8bit([Parameter(torch.zeros(2))], **arguments)

"""What Adafactor stores and loses, how far it steps, and the programs that differ."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
from torch.nn import Parameter

from labml_nn_optim import Adafactor, Adam
from tests.labml_nn_optim.examples import largest_difference, make_params, train

SHAPES: list[tuple[int, ...]] = [(40, 30), (17, 18), (50,)]


def run(kind: Any, shapes: list[tuple[int, ...]] | None = None, **arguments: Any) -> Any:
    return train(kind(make_params(shapes=shapes or SHAPES), **arguments), steps=100)


def stepped(
    kind: Any, param: torch.Tensor, grad: torch.Tensor, **arguments: Any
) -> tuple[Parameter, Any]:
    moved = Parameter(param.clone())
    moved.grad = grad.clone()
    optimizer = kind([moved], **arguments)
    optimizer.step()
    return moved, optimizer


def rms(tensor: torch.Tensor) -> float:
    return tensor.detach().float().square().mean().sqrt().item()


def bytes_of(kind: Any, shape: tuple[int, ...]) -> int:
    param, optimizer = stepped(kind, torch.ones(shape), torch.ones(shape))
    tensors = [value for value in optimizer.state[param].values() if value.dim()]
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def test_a_matrix_costs_a_number_for_each_row_and_column() -> None:
    assert bytes_of(Adam, (768, 3072)) == 18_874_368
    assert bytes_of(Adafactor, (768, 3072)) == 15_360 == 4 * (768 + 3072)
    assert bytes_of(Adafactor, (3072,)) == 4 * 3072


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((6, 5), (6, 1), (1, 5)),
        ((8, 4, 3), (8, 4, 1), (8, 1, 3)),
        ((8, 4, 3, 3), (8, 4, 3, 1), (8, 4, 1, 3)),
    ],
)
def test_the_last_two_dimensions_are_the_matrix(
    shape: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]
) -> None:
    for kind in (Adafactor, torch.optim.Adafactor):
        param, optimizer = stepped(kind, torch.ones(shape), torch.ones(shape))
        state = optimizer.state[param]
        assert state["row_var"].shape == rows
        assert state["col_var"].shape == columns


def test_squares_of_rank_one_are_found_again_from_their_margins() -> None:
    grad = torch.tensor([[1.0, 2.0], [3.0, 6.0]], dtype=torch.float64)
    param, optimizer = stepped(Adafactor, torch.ones_like(grad), grad)
    state = optimizer.state[param]
    found = state["row_var"] @ state["col_var"] / state["row_var"].mean()
    torch.testing.assert_close(found, grad.square())
    # Each gradient is divided by its own size, and the tensor has the size 1.
    torch.testing.assert_close(param.detach(), torch.full_like(grad, 0.99))


def test_other_squares_are_not() -> None:
    grad = torch.tensor([[101.0, 1.0], [1.0, 101.0]], dtype=torch.float64).sqrt()
    param, _ = stepped(Adafactor, torch.ones_like(grad), grad, d=1e9)
    expected = 1 - 0.01 * grad / math.sqrt(51)
    torch.testing.assert_close(param.detach(), expected)


def test_the_first_squares_are_taken_as_they_are_and_the_memory_grows() -> None:
    param = Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = Adafactor([param])
    expected = 0.0
    for step, size in enumerate([3.0, 1.0, 2.0], start=1):
        param.grad = torch.full_like(param, size)
        optimizer.step()
        expected += step**-0.8 * (size**2 - expected)
        assert optimizer.state[param]["variance"][0].item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("size", "step"), [(0.02, 2e-4), (1.0, 1e-2), (0.0, 1e-5)])
def test_a_step_is_a_hundredth_of_the_size_of_the_tensor(size: float, step: float) -> None:
    param = torch.full((30, 40), size)
    moved, _ = stepped(Adafactor, param, torch.ones(30, 40))
    assert rms(moved - param) == pytest.approx(step, rel=1e-4)


def test_weights_that_start_at_zero_need_hundreds_of_steps() -> None:
    param = Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Adafactor([param])
    reached: dict[float, int] = {}
    for step in range(1, 800):
        param.grad = -torch.ones_like(param)
        optimizer.step()
        for size in (1e-3, 0.01, 0.1, 1.0):
            if param[0].item() >= size * (1 - 1e-9):
                reached.setdefault(size, step)
    assert reached == {1e-3: 100, 0.01: 332, 0.1: 563, 1.0: 795}


@pytest.mark.parametrize(("d", "expected"), [(1.0, 1.0), (1e9, 23.9)])
def test_a_jump_of_the_gradients_is_no_jump_of_the_weights(d: float, expected: float) -> None:
    param = Parameter(torch.ones(2, 2, dtype=torch.float64))
    optimizer = Adafactor([param], d=d)
    for step in range(1, 3002):
        before = param.detach().clone()
        param.grad = torch.full_like(param, 0.01 if step <= 3000 else 1.0)
        optimizer.step()
    assert rms(before - param) / rms(before) / 0.01 == pytest.approx(expected, rel=1e-3)


def test_a_rate_over_one_by_the_root_of_the_step_is_cut() -> None:
    param = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = Adafactor([param], lr=0.4)
    steps = []
    for _ in range(9):
        before = param.detach().clone()
        param.grad = torch.ones_like(param)
        optimizer.step()
        steps.append(rms(before - param) / rms(before))
    assert steps == pytest.approx([min(0.4, step**-0.5) for step in range(1, 10)])


def after_half_a_batch(kind: Any, size: float, **arguments: Any) -> float:
    """The length, in units of alpha, of a step whose gradients are half as large as 299 before."""
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.randn(100, 100, generator=generator))
    optimizer = kind([param], **arguments)
    for step in range(1, 301):
        before = param.detach().clone()
        noise = torch.randn(100, 100, generator=generator)
        param.grad = noise * size * (0.5 if step == 300 else 1.0)
        optimizer.step()
    return rms(param - before) / rms(before) / 0.01


@pytest.mark.parametrize("kind", [Adafactor, torch.optim.Adafactor])
def test_small_gradients_lose_their_size_unless_eps_is_smaller(kind: Any) -> None:
    assert after_half_a_batch(kind, 1e-3) == pytest.approx(0.5, abs=0.01)
    assert after_half_a_batch(kind, 1e-4) == pytest.approx(1.0, abs=0.01)
    assert after_half_a_batch(kind, 1e-4, eps=(1e-15, 1e-3)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", [Adafactor, torch.optim.Adafactor])
@pytest.mark.parametrize(("eps", "is_nan"), [(None, False), (1e-15, False), (1e-30, True)])
def test_the_eps_of_the_paper_gives_nan_without_a_gradient(
    kind: Any, eps: float | None, is_nan: bool
) -> None:
    param, _ = stepped(kind, torch.ones(3, 3), torch.zeros(3, 3), eps=(eps, 1e-3))
    assert bool(param.isnan().any()) == is_nan


def test_half_precision_has_the_eps_of_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    param = torch.randn(100, 100, generator=generator).bfloat16()
    grad = (1e-4 * torch.randn(100, 100, generator=generator)).bfloat16()
    for kind, expected in ((Adafactor, 1.0), (torch.optim.Adafactor, 0.0115)):
        moved, _ = stepped(kind, param, grad, lr=0.1)
        assert rms(moved.float() - param.float()) / rms(param) / 0.1 == pytest.approx(
            expected, rel=0.05
        )


def test_an_empty_parameter_is_left_alone_where_torch_fails() -> None:
    stepped(Adafactor, torch.zeros(0, 3), torch.zeros(0, 3))
    with pytest.raises(ZeroDivisionError):
        stepped(torch.optim.Adafactor, torch.zeros(0, 3), torch.zeros(0, 3))


def test_timm_without_a_rate_is_this_rule_and_with_one_is_not() -> None:
    ours = run(Adafactor)
    assert largest_difference(run(timm.optim.Adafactor), ours) < 1e-12
    assert largest_difference(run(timm.optim.Adafactor, lr=0.01), ours) == pytest.approx(
        0.073, abs=2e-3
    )


def test_pytorch_optimizer_without_momentum_is_this_rule() -> None:
    ours = run(Adafactor)
    theirs = pytorch_optimizer.AdaFactor
    assert largest_difference(run(theirs, lr=None, betas=(None, 0.999)), ours) < 1e-12
    assert largest_difference(run(theirs), ours) == pytest.approx(0.058, abs=2e-3)


@pytest.mark.parametrize("shape", [(13, 7), (40, 30, 3, 3)])
def test_timm_takes_other_dimensions_and_no_small_matrices(shape: tuple[int, ...]) -> None:
    ours, theirs = run(Adafactor, [shape]), run(timm.optim.Adafactor, [shape])
    assert largest_difference(ours, theirs) > 0.05


def test_decay_is_times_lr_and_in_timm_times_the_relative_step() -> None:
    start = torch.full((20, 20), 0.1, dtype=torch.float64)
    for kind, lost in ((Adafactor, 1e-3), (timm.optim.Adafactor, 1e-4)):
        moved, _ = stepped(kind, start, torch.zeros_like(start), weight_decay=0.1)
        assert 1 - moved[0, 0].item() / 0.1 == pytest.approx(lost)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"eps": (1e-30,)}, TypeError, r"eps must be two numbers, the first may be None, got"),
        ({"eps": (-1.0, 1e-3)}, ValueError, r"eps\[0\] must be a finite number >= 0, got -1"),
        ({"eps": (None, None)}, TypeError, r"eps\[1\] must be a finite number >= 0, got None"),
        ({"d": 0.0}, ValueError, r"d must be a finite number > 0, got 0"),
        ({"beta2_decay": 0.8}, ValueError, r"beta2_decay must be a finite number <= 0, got 0\.8"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Adafactor([Parameter(torch.zeros(2))], **arguments)

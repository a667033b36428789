"""How Adam-mini divides tensors, what a number for a block loses, and programs that divide by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch.nn import Parameter

from labml_nn_optim import Adam, AdamMini, AdamW
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    noisy_gradient,
    train,
)

HEADS = 3
Division = int | str | None


def run(kind: Any, shapes: list[tuple[int, ...]] | None = None, **arguments: Any) -> Any:
    params = make_params(shapes=shapes or SMALL_SHAPES)
    return train(kind(params, lr=0.02, **arguments), steps=100)


def state_of(shape: tuple[int, ...], dtype: torch.dtype, **arguments: Any) -> dict[str, Any]:
    param = Parameter(torch.ones(shape, dtype=dtype))
    param.grad = torch.ones_like(param)
    optimizer = AdamMini([param], **arguments)
    optimizer.step()
    return optimizer.state[param]


@pytest.mark.parametrize(
    ("shape", "blocks", "count"),
    [
        ((6, 4), None, 6),
        ((6, 4), HEADS, HEADS),
        ((6, 4), "tensor", 1),
        ((6, 4), "element", 24),
        ((8, 4, 3, 3), None, 8),
        ((6,), None, 1),
        ((6,), 2, 2),
        ((6,), "element", 6),
        ((), None, 1),
        ((0, 3), None, 0),
        ((3, 0), None, 3),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128, torch.bfloat16], ids=str)
def test_a_tensor_is_divided_as_its_group_says(
    shape: tuple[int, ...], blocks: Division, count: int, dtype: torch.dtype
) -> None:
    state = state_of(shape, dtype, blocks=blocks)
    assert state["block_sq"].shape == (count,)
    assert state["exp_avg"].shape == shape
    assert state["block_sq"].dtype == (torch.float32 if dtype == torch.bfloat16 else torch.float64)


def test_the_state_is_half_of_adams() -> None:
    def bytes_of(kind: Any) -> int:
        param = Parameter(torch.ones(768, 3072))
        param.grad = torch.ones_like(param)
        optimizer = kind([param])
        optimizer.step()
        tensors = [value for value in optimizer.state[param].values() if value.dim()]
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors)

    assert bytes_of(Adam) == 18_874_368
    assert bytes_of(AdamMini) == 9_440_256


def test_blocks_of_one_weight_are_adamw() -> None:
    ours = run(AdamMini, blocks="element", weight_decay=0.1)
    assert largest_difference(ours, run(torch.optim.AdamW, weight_decay=0.1)) < 1e-12


def test_two_rows_a_block_are_the_rows_of_a_flattened_matrix() -> None:
    tall = run(AdamMini, [(6, 4)], blocks=3)
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    wide = Parameter(start.view(3, 8).clone())
    optimizer = AdamMini([wide], lr=0.02)
    for step in range(1, 101):
        wide.grad = noisy_gradient(wide.view(6, 4), step, 0).view(3, 8)
        optimizer.step()
    assert largest_difference(tall, [wide.detach().view(6, 4)]) < 1e-12


def test_heads_are_those_of_pytorch_optimizer() -> None:
    model = torch.nn.Module()
    model.q_proj = torch.nn.Linear(12, 12, bias=False)
    start = model.q_proj.weight.detach().clone()
    theirs = pytorch_optimizer.AdamMini(
        model, lr=0.02, weight_decay=0.1, num_embeds=12, num_heads=HEADS
    )
    ours = AdamMini([Parameter(start)], lr=0.02, weight_decay=0.1, blocks=HEADS)
    assert largest_difference(train(ours, 100), train(theirs, 100)) < 1e-6


def test_pytorch_optimizer_has_one_number_for_what_it_knows_no_name_of() -> None:
    def moved(kind: Callable[[torch.nn.Module], torch.optim.Optimizer]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(20, 30), torch.nn.Linear(30, 10)]
        model = torch.nn.ModuleDict({"fc1": layers[0], "fc2": layers[1]}).double()
        return train(kind(model), steps=100)

    theirs = moved(lambda model: pytorch_optimizer.AdamMini(model, lr=0.02, weight_decay=0.0))
    whole = moved(lambda model: AdamMini(model.parameters(), lr=0.02, blocks="tensor"))
    rows = moved(lambda model: AdamMini(model.parameters(), lr=0.02))
    assert largest_difference(theirs, whole) < 1e-6
    assert largest_difference(theirs, rows) == pytest.approx(0.0176, abs=1e-3)


# Curvatures 1 to 3, 99 to 301 and 30 000 to 90 000, in three groups that are rotated.
def bowl() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    groups = []
    for lowest, highest in ((1, 3), (99, 301), (3e4, 9e4)):
        noise = torch.randn(30, 30, generator=generator, dtype=torch.float64)
        rotation = torch.linalg.qr(noise)[0]
        spectrum = torch.linspace(lowest, highest, 30, dtype=torch.float64)
        groups.append(rotation @ spectrum.diag() @ rotation.T)
    return torch.block_diag(*groups)


def test_three_numbers_descend_like_ninety_and_two_across_the_groups_do_not() -> None:
    hessian = bowl()

    def loss_after(blocks: Division, lr: float) -> float:
        generator = torch.Generator().manual_seed(1)
        param = Parameter(torch.randn(90, generator=generator, dtype=torch.float64))
        optimizer = AdamMini([param], lr=lr, blocks=blocks)
        for step in range(300):
            optimizer.param_groups[0]["lr"] = lr * (1 - step / 300)
            param.grad = (hessian @ param).detach()
            optimizer.step()
        end = param.detach()
        return float(end @ hessian @ end / 2)

    rates = (0.3, 0.56, 1.0, 1.8)
    best = {blocks: min(loss_after(blocks, lr) for lr in rates) for blocks in (3, 2, 1, "element")}
    assert best[3] < 1e-7
    assert best["element"] < 1e-7
    assert best[2] > 1
    assert best[1] > 10


def test_inputs_of_different_sizes_are_not_told_apart() -> None:
    def first_step(kind: Any) -> list[float]:
        weight = Parameter(torch.zeros(1, 2, dtype=torch.float64))
        weight.grad = torch.tensor([[-1.0, -0.01]], dtype=torch.float64)
        kind([weight], lr=1.0).step()
        found: list[float] = weight.detach()[0].tolist()
        return found

    assert first_step(Adam) == pytest.approx([1.0, 1.0], rel=1e-5)
    assert first_step(AdamMini) == pytest.approx([math.sqrt(2), 0.01 * math.sqrt(2)], rel=1e-3)


@pytest.mark.parametrize(("blocks", "quiet"), [(4, 0.23), (None, 0.23), ("tensor", 0.005)], ids=str)
def test_a_loud_head_silences_the_others_of_its_block(blocks: Division, quiet: float) -> None:
    generator = torch.Generator().manual_seed(0)
    param = Parameter(torch.zeros(64, 64))
    optimizer = AdamMini([param], lr=1.0, blocks=blocks)
    for _ in range(100):
        before = param.detach().clone()
        param.grad = torch.randn(64, 64, generator=generator)
        param.grad[:16] *= 100
        optimizer.step()
    step = (param.detach() - before)[16:].square().mean().sqrt().item()
    assert step == pytest.approx(quiet, rel=0.1)


def test_a_checkpoint_of_adamw_has_no_blocks() -> None:
    params = make_params(shapes=SMALL_SHAPES)
    other = AdamW(params)
    train(other, steps=1)
    optimizer = AdamMini(params)
    with pytest.raises(ValueError, match="must hold block_sq of parameter 0 for AdamMini"):
        optimizer.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        (0, ValueError, r"blocks must be a whole number >= 1, got 0"),
        (2.0, TypeError, r"blocks must be a whole number >= 1, got 2\.0"),
        (True, TypeError, r"blocks must be a whole number >= 1, got True"),
        ("row", ValueError, r"blocks must be one of tensor, element, got 'row'"),
        (4, ValueError, r"blocks must divide the rows .* got 4 for the shape \(6, 4\)"),
    ],
)
def test_a_bad_division_is_named(blocks: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        AdamMini([Parameter(torch.zeros(6, 4))], blocks=blocks)


def test_a_group_that_cannot_be_divided_is_not_added() -> None:
    optimizer = AdamMini([Parameter(torch.zeros(6, 4))], blocks=3)
    with pytest.raises(ValueError, match="blocks must divide"):
        optimizer.add_param_group({"params": [Parameter(torch.zeros(4, 4))]})
    assert len(optimizer.param_groups) == 1

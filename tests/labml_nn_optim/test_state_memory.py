"""What every optimizer stores between two steps, to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import EMA, SAM, Lookahead
from tests.labml_nn_optim.examples import NAMES, make, train

ROWS, COLUMNS = 256, 512
DTYPES = [torch.float32, torch.bfloat16]

# Bytes of float32 tensors: one of the weight's shape, and one with a number for each row or each column.
FULL, ROW, COLUMN = 4 * ROWS * COLUMNS, 4 * ROWS, 4 * COLUMNS
# A float32 matrix for each side of the weight, a float64 number, and a byte for each element.
SIDES, NUMBER, CODES = 4 * (ROWS**2 + COLUMNS**2), 8, ROWS * COLUMNS

# With the default arguments. Averages of a bfloat16 weight are float32, so the number of bytes is the same for
# it unless there are two.
STATE: dict[str, int | tuple[int, int]] = {
    "ada_belief": 2 * FULL,
    "ada_bound": 2 * FULL,
    "adadelta": 2 * FULL,
    "adafactor": ROW + COLUMN,
    "adagrad": FULL,
    "adam": 2 * FULL,
    # Two averages in codes, with a float32 scale for 256 of them.
    "adam_8bit": 2 * (CODES + 4 * CODES // 256),
    "adam_fp16": (2 * FULL, 3 * FULL),
    "adam_mini": FULL + ROW,
    "adam_warmup": 2 * FULL,
    "adam_warmup_cosine_decay": 2 * FULL,
    "adamax": 2 * FULL,
    "adamw": 2 * FULL,
    "adan": 4 * FULL,
    "ademamix": 3 * FULL,
    "adopt": 2 * FULL,
    "amsgrad": 3 * FULL,
    "asgd": FULL + 2 * NUMBER,
    "cautious_adamw": 2 * FULL,
    "d_adapt_adam": 3 * FULL,
    "dog": FULL,
    "dowg": FULL,
    # Two averages of 128 projected rows, and the 128 directions that project the rows.
    "galore": 2 * 128 * COLUMN + 128 * ROW,
    "grams": 2 * FULL,
    "kron": FULL + SIDES + 2 * NUMBER,
    "lamb": 2 * FULL,
    "laprop": 2 * FULL,
    "lars": FULL,
    "lion": FULL,
    "mars": 3 * FULL,
    "muon": FULL,
    "nadam": 2 * FULL + NUMBER,
    "nadamw": 2 * FULL,
    "noam": 2 * FULL,
    "normuon": FULL + ROW,
    # One float32 number.
    "novograd": FULL + 4,
    "prodigy": 4 * FULL,
    "radam": 2 * FULL,
    "rmsprop": FULL,
    "rprop": 2 * FULL,
    "schedule_free_adamw": 2 * FULL + 2 * NUMBER,
    "schedule_free_sgd": FULL + 2 * NUMBER,
    "scion": FULL,
    "sgd": 0,
    # Grafted on Adam; each side has its factor and the root of it.
    "shampoo": 2 * FULL + 2 * SIDES,
    "signum": FULL,
    # Each side has its factor and the basis.
    "soap": 2 * FULL + 2 * SIDES,
    "sophia": 2 * FULL,
    "stable_adamw": 2 * FULL,
    "yogi": 2 * FULL,
}
# Arguments that store more or less.
OPTIONS: list[tuple[str, dict[str, Any], int | tuple[int, int]]] = [
    ("sgd", {"momentum": 0.9}, FULL),
    ("sgd", {"momentum": 0.9, "nesterov": True}, FULL),
    ("lars", {"momentum": 0.0}, 0),
    ("signum", {"momentum": 0.0}, 0),
    ("rmsprop", {"momentum": 0.9}, 2 * FULL),
    ("rmsprop", {"momentum": 0.9, "centered": True}, 3 * FULL),
    ("ada_bound", {"amsbound": True}, 3 * FULL),
    ("adam_8bit", {"quantize": False}, 2 * FULL),
    ("adam_mini", {"blocks": 1}, FULL + 4),
    ("galore", {"rank": 32}, 2 * 32 * COLUMN + 32 * ROW),
    ("kron", {"memory_save_mode": "one_diag"}, FULL + 4 * ROWS**2 + COLUMN + 2 * NUMBER),
    ("kron", {"memory_save_mode": "all_diag"}, FULL + ROW + COLUMN + 2 * NUMBER),
    ("shampoo", {"grafting": "none"}, FULL + 2 * SIDES),
    ("soap", {"max_precond_dim": ROWS}, 2 * FULL + 2 * 4 * ROWS**2),
    ("adamw", {"cautious": True}, 2 * FULL),
    ("adamw", {"rounding": "stochastic"}, 2 * FULL),
    # What rounding has taken away is kept in bfloat16.
    ("adamw", {"rounding": "kahan"}, (2 * FULL, 2 * FULL + FULL // 2)),
]


def of_type(expected: int | tuple[int, int], dtype: torch.dtype) -> int:
    return expected if isinstance(expected, int) else expected[DTYPES.index(dtype)]


def stored(optimizer: torch.optim.Optimizer) -> int:
    """How many bytes the state holds, without the counts of steps."""
    return sum(
        value.nbytes
        for own in optimizer.state.values()
        for name, value in own.items()
        if name != "step"
    )


def weight(dtype: torch.dtype) -> Parameter:
    generator = torch.Generator().manual_seed(0)
    return Parameter(torch.randn(ROWS, COLUMNS, generator=generator).to(dtype))


def test_every_optimizer_has_a_row() -> None:
    assert sorted(STATE) == sorted(NAMES)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_matrix_costs_what_the_row_says(name: str, dtype: torch.dtype) -> None:
    optimizer = make(name, [weight(dtype)])
    train(optimizer, 2)
    assert stored(optimizer) == of_type(STATE[name], dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"), OPTIONS, ids=[f"{name} {own}" for name, own, _ in OPTIONS]
)
def test_arguments_change_what_is_stored(
    name: str, arguments: dict[str, Any], expected: int | tuple[int, int], dtype: torch.dtype
) -> None:
    optimizer = make(name, [weight(dtype)], **arguments)
    train(optimizer, 2)
    assert stored(optimizer) == of_type(expected, dtype)


# A wrapper keeps what it needs beside the state.
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("around", "entry", "expected"),
    [
        (lambda inside: Lookahead(inside, k=2), "slow", (FULL, FULL // 2)),
        (EMA, "average", FULL),
        (SAM, "kept_weights", 0),
    ],
    ids=["Lookahead", "EMA", "SAM"],
)
def test_a_wrapper_keeps_a_copy_or_nothing(
    around: Any, entry: str, expected: int | tuple[int, int], dtype: torch.dtype
) -> None:
    wrapper = around(make("adamw", [weight(dtype)]))
    for _ in range(2):
        wrapper.step(lambda: set_gradient(wrapper))
    assert stored(wrapper) == 2 * FULL
    kept = getattr(wrapper, entry).values()
    assert sum(tensor.nbytes for tensor in kept) == of_type(expected, dtype)


def set_gradient(optimizer: torch.optim.Optimizer) -> float:
    for group in optimizer.param_groups:
        for param in group["params"]:
            param.grad = param.detach().clone()
    return 0.0

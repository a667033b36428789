"""Parameters, gradients and ways of running that the tests of the library share."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import get_optimizer, optimizer_names

SHARED = Path(__file__).parents[2].parent / "shared"
NAMES = optimizer_names()
# Arguments without which an optimizer would hardly move in the few steps of a test.
BRISK: dict[str, dict[str, Any]] = {
    "d_adapt_adam": {"d0": 1.0},
    "dog": {"reps_rel": 0.1},
    "dowg": {"reps_rel": 0.1},
    "noam": {"warmup": 2, "d_model": 1},
    "prodigy": {"d0": 0.02, "d_coef": 200.0},
}
WAYS: dict[str, dict[str, bool]] = {
    "pieces": {},
    "per_tensor": {"per_tensor": True},
    "compile": {"compile": True},
    "flat": {"flat": True},
    "compile_flat": {"compile": True, "flat": True},
}
WAYS_OF = [
    (name, way)
    for name in NAMES
    for way, options in WAYS.items()
    if get_optimizer(name).elementwise or not options.keys() & {"compile", "flat"}
]
# Compiling takes seconds, once for each data type and kind of decay. So what is compiled here has this
# decay, unless a test is about another one.
DECAY = {"weight_decay": 0.1}
SMALL_SHAPES: list[tuple[int, ...]] = [(13, 7), (5,), (), (2, 3, 4)]
# With the sizes of a plan that `conftest.py` sets: cut into two parts, into one, packed, of one element, of
# none, laid out in another order.
SHAPES: list[tuple[int, ...]] = [(250, 280), (70, 60), (30, 20), (), (1,), (0, 3), (7,)]


def vectors(name: str) -> dict[str, Any]:
    path = SHARED / "vectors" / name
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is missing")
        pytest.skip(f"the vectors {name} lie in a folder beside the checkout")
    return json.loads(path.read_text())


def make_params(
    dtype: torch.dtype = torch.float64, shapes: list[tuple[int, ...]] | None = None
) -> list[Parameter]:
    generator = torch.Generator().manual_seed(1)
    made = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in (SHAPES if shapes is None else shapes)
    ]
    if shapes is None:
        made.append(torch.randn(5, 6, generator=generator, dtype=torch.float64).t())
        image = torch.randn(16, 10, 3, 3, generator=generator, dtype=torch.float64)
        made.append(image.to(memory_format=torch.channels_last))
    return [Parameter(tensor.to(dtype)) for tensor in made]


def params_for(name: str, dtype: torch.dtype = torch.float64) -> list[Parameter]:
    """Parameters of every kind that matters to an optimizer.

    A rule on whole tensors cuts none into parts, and on matrices the time grows with the third power.
    """
    params = make_params(dtype)
    if not get_optimizer(name).elementwise:
        params[0] = Parameter(params[0].detach()[:150, :110].clone())
    return params


# Drawing the noise takes longer than the steps; all ways of all rules get the same.
@functools.lru_cache(maxsize=128)
def noise(shape: torch.Size, step: int, index: int) -> Tensor:
    generator = torch.Generator().manual_seed(1000 * step + index)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def noisy_gradient(param: Tensor, step: int, index: int) -> Tensor:
    """The gradient of a quadratic bowl with a noise that depends on the step, the place alone."""
    return 0.3 * param.detach() + noise(param.shape, step, index).to(param.dtype)


def train(optimizer: torch.optim.Optimizer, steps: int, first: int = 1) -> list[Tensor]:
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in range(first, first + steps):
        for index, param in enumerate(params):
            gradient = noisy_gradient(param, step, index)
            if param.grad is None:
                param.grad = gradient
            else:
                param.grad.copy_(gradient)
        optimizer.step()
    return [param.detach().clone() for param in params]


def steps_of(
    kind: Callable[..., torch.optim.Optimizer], gradients: Iterable[float], **arguments: Any
) -> list[float]:
    """How far one weight that starts at 0 moves down in each step, in float64."""
    param = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = kind([param], **arguments)
    lengths = []
    for gradient in gradients:
        before = param.item()
        param.grad = torch.full_like(param, gradient)
        optimizer.step()
        lengths.append(before - param.item())
    return lengths


def make(name: str, params: Any, **arguments: Any) -> torch.optim.Optimizer:
    return get_optimizer(name)(params, **BRISK.get(name, {}) | arguments)


def largest_difference(left: list[Tensor], right: list[Tensor]) -> float:
    """Largest difference over all elements, relative to values that are larger than 1."""
    worst = 0.0
    for a, b in zip(left, right, strict=True):
        if a.numel():
            error = (a.detach() - b.detach()).abs() / b.detach().abs().clamp_min(1)
            worst = max(worst, float(error.max()))
    return worst

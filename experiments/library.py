"""The library as it is now, also while its files are edited: what is imported is read anew."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.training import DTYPES

LIBRARY = "labml_nn_optim"
BYTES_OF_FLOAT32 = 4


def state_numbers(
    name: str, options: Mapping[str, Any] | None = None, dtype: str = "float32"
) -> float:
    """Return how many numbers of state the optimizer keeps for one parameter, by counting them.

    The optimizer is made for one matrix and takes one step; step counts and other single numbers
    are not counted.

    * `options`: arguments of the optimizer
    * `dtype`: the data type of the run, a key of `DTYPES`
    """
    forget_changes()
    registry = importlib.import_module(f"{LIBRARY}.registry")
    matrix = torch.nn.Parameter(torch.zeros(64, 64, dtype=DTYPES[dtype]))
    optimizer = registry.get_optimizer(name)([matrix], **_plain(options or {}))
    matrix.grad = torch.ones_like(matrix)
    optimizer.step()
    state = optimizer.state_dict()["state"].values()
    tensors = [item for entry in state for item in entry.values() if isinstance(item, torch.Tensor)]
    return sum(item.numel() for item in tensors if item.numel() > 1) / matrix.numel()


def describe_state(numbers: float, options: Mapping[str, Any] | None = None) -> str:
    """Say how much memory that is, and with which options if any are set."""
    plural = "number" if numbers == 1 else "numbers"
    size = f"{numbers * BYTES_OF_FLOAT32:.3g} bytes in float32"
    named = "".join(f", {name} {value}" for name, value in (options or {}).items())
    return f"{numbers:.3g} {plural} for each parameter ({size}){named and f' with{named[1:]}'}"


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without `compile`, which takes a minute and changes no state."""
    return {name: value for name, value in options.items() if name != "compile"}


_seen = 0


def forget_changes() -> None:
    """Let the next import read the library anew where its files changed since the last call."""
    global _seen
    root = Path(importlib.import_module(LIBRARY).__file__ or "").parent
    newest = max(path.stat().st_mtime_ns for path in root.rglob("*.py"))
    if _seen and newest > _seen:
        for name in [name for name in sys.modules if name.split(".")[0] == LIBRARY]:
            del sys.modules[name]
    _seen = newest

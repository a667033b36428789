"""The library as it is now, also while its files are edited: what is imported is read anew."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from experiments.code_versions import same_code
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
    kind = importlib.import_module(f"{LIBRARY}.registry").get_optimizer(name)
    return _count(kind, json.dumps(_plain(options or {}), sort_keys=True), dtype)


# A class that was read anew is another class.
@lru_cache(maxsize=256)
def _count(kind: type[torch.optim.Optimizer], options: str, dtype: str) -> float:
    matrix = torch.nn.Parameter(torch.zeros(64, 64, dtype=DTYPES[dtype]))
    optimizer = kind([matrix], **json.loads(options))
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


_seen: dict[str, tuple[int, str]] = {}
"""The files of the library at the last look: when each was written, and what it says."""


def forget_changes() -> None:
    """Let the next import read the library anew where its code changed since the last call.

    A change of docstrings, comments or layout is none: it would cost seconds to read all anew.
    """
    global _seen
    now = {}
    for path, written in _library_files():
        known = _seen.get(path)
        if known is None or known[0] != written:
            known = (written, Path(path).read_text(encoding="utf-8"))
        now[path] = known
    if _seen and not _same(_seen, now):
        for name in [name for name in sys.modules if name.split(".")[0] == LIBRARY]:
            del sys.modules[name]
    _seen = now


def last_change() -> int:
    """Return when the newest file of the library was written, in nanoseconds."""
    return max(written for _, written in _library_files())


def _library_files() -> Iterator[tuple[str, int]]:
    return _files(str(Path(importlib.import_module(LIBRARY).__file__ or "").parent))


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the Python files below a folder, and when they were written."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry.path, entry.stat().st_mtime_ns


def _same(before: dict[str, tuple[int, str]], now: dict[str, tuple[int, str]]) -> bool:
    return before.keys() == now.keys() and all(
        before[path] is now[path] or same_code(before[path][1], now[path][1]) for path in now
    )

"""Run a module in two processes that know each other, and read what they have found."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist

from tests.forked import Forked, run_module

LONE = "ignore:torch.distributed is disabled"
# The measured difference is 0, to the last bit. It need not be on every machine: a vector instruction may
# round otherwise than the loop over what is left at the end of a piece.
ROUNDING = 1e-14
WAIT = 240


def found_by_two(module: ModuleType, folder: Path) -> dict[str, Any]:
    """Run `module`, which calls `report`, in two processes, and return what the first one has found."""
    processes = [Forked(_run, module.__name__, str(rank), str(folder)) for rank in range(2)]
    try:
        ends = [process.communicate(WAIT) for process in processes]
    finally:
        for process in processes:
            process.kill()
    errors = "\n".join(errors[-3000:] for _, errors in ends)
    assert [process.returncode for process in processes] == [0, 0], errors
    content: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return content


def _run(module: str, *words: str) -> None:
    """Do as `python -W error -W ignore:... -m module words`."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", LONE.partition(":")[2])
    run_module(module, *words)


def report(everything: Callable[[Path], dict[str, Any]]) -> None:
    """Join the other process, and let the first one write what `everything` returns."""
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    found = everything(folder)
    if rank == 0:
        (folder / "found.json").write_text(json.dumps(found))
    dist.destroy_process_group()

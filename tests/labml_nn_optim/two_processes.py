"""Run a module in two processes that know each other, and read what they have found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist

ROOT = Path(__file__).parents[2]
LONE = "ignore:torch.distributed is disabled"
# The measured difference is 0, to the last bit. It need not be on every machine: a vector instruction may
# round otherwise than the loop over what is left at the end of a piece.
ROUNDING = 1e-14
WAIT = 240


def found_by_two(module: ModuleType, folder: Path) -> dict[str, Any]:
    """Run `module`, which calls `report`, in two processes, and return what the first one has found."""
    command = [sys.executable, "-W", "error", "-W", LONE, "-m", module.__name__]
    logs = [folder / f"process_{rank}.log" for rank in range(2)]
    processes = [_start([*command, str(rank), str(folder)], log) for rank, log in enumerate(logs)]
    try:
        ends = [process.wait(timeout=WAIT) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert ends == [0, 0], "\n".join(log.read_text()[-3000:] for log in logs)
    content: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return content


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


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

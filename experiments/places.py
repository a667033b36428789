"""Where the runs of a sweep are made, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Where runs are made, and with what.

    * `address`: of a Ray cluster; None starts one on this machine, for as long as the sweep lasts
    * `jobs`: how many runs go on side by side; None for as many as the cluster has room for
    * `threads`, `device`, `data_root`: as the options of an experiment
    * `cpus`, `gpus`: what one run takes of a machine, also a part of a GPU
    * `retries`: how often a run whose process was killed goes on
    """

    address: str | None
    jobs: int | None
    threads: int
    device: str
    data_root: Path
    cpus: float
    gpus: float
    retries: int

"""Where a run runs: device, threads, versions. These decide the last digits of its numbers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import torch


class DeviceError(Exception):
    """The device that was asked for is not there; the message is one line."""


def choose_device(name: str) -> torch.device:
    """Return the device `cpu` or `cuda`; `auto` is `cuda` where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("--device cuda: torch finds no CUDA device; use --device cpu")
    return torch.device(name)


def make_reproducible(device: torch.device, threads: int | None) -> None:
    """Make torch repeat itself: fixed threads, and on a GPU only deterministic kernels.

    In this thread the CPU takes numbers below 1e-38 for zero, since it computes many times more
    slowly with them, and weights that learn no more fill the state of an optimizer with them.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if device.type == "cuda":
        # cuBLAS reads this once, when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def describe_environment(device: torch.device) -> dict[str, str | int]:
    """Return versions and hardware as a record stores them."""
    on_gpu = device.type == "cuda"
    return {
        "device": device.type,
        "labml_nn_optim": importlib.metadata.version("labml-nn-optim"),
        "processor": torch.cuda.get_device_name(device) if on_gpu else processor_name(),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def processor_name() -> str:
    """Return the model of the CPU, or its architecture where the model is not told."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()

"""The processes that share a run: those that `torchrun` has started, or one.

What is written here holds for one process too, where every sum is the number itself. The batches of a
run are shared out, sums are taken over the processes, and the first process alone writes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from experiments.environment import DeviceError

T = TypeVar("T")

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process of its place among the others."""


class LostProcessError(Exception):
    """Another process of the run has ended, and the run cannot go on; the message is one line."""


def launched() -> bool:
    """Return whether torchrun has started this process."""
    return dist.is_available() and all(name in os.environ for name in VARIABLES)


def is_first() -> bool:
    """Return whether this process writes: files, and lines for the user."""
    return not launched() or os.environ["RANK"] == "0"


def size() -> int:
    """Return the number of processes that share the run."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if _together() else 0


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the other processes that torchrun has started, for as long as the context lasts.

    Sums on the CPU go through gloo, those on a GPU through NCCL, and each process of a machine gets a
    GPU of its own. Raises `DeviceError` where there are too few, and `LostProcessError`.
    """
    if not launched():
        yield
        return
    if device.type == "cuda":
        _take_gpu(int(os.environ["LOCAL_RANK"]))
    with _others():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def share(samples: Tensor) -> Tensor:
    """Return the part of `samples`, shape `[n, ...]`, that this process works on: every `size()`-th.

    The parts differ by one sample at most. With fewer samples than processes some are empty.
    """
    return samples[rank() :: size()]


def whole(part: Tensor, samples: int) -> Tensor:
    """Put together the parts of all processes, in the order from which `share` took them.

    * `part`: what this process has for its share, shape `[n, ...]`
    * `samples`: how many there are together
    """
    if size() == 1:
        return part
    together = part.new_zeros(samples, *part.shape[1:])
    together[rank() :: size()] = part
    add_up([together])
    return together


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace tensors on one device by their sums over the processes, which get the same bits.

    All go through one buffer, because a call costs more than a thousand numbers do. They are added in
    float32 at least.
    """
    if size() == 1:
        return
    dtype = reduce(torch.promote_types, {tensor.dtype for tensor in tensors}, torch.float32)
    buffer = torch.cat([tensor.flatten().to(dtype) for tensor in tensors])
    with _others():
        dist.all_reduce(buffer)
    for tensor, added in zip(tensors, buffer.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(added.view(tensor.shape))


def largest(number: int) -> int:
    """Return the largest of the numbers that the processes have."""
    return _reduced(number, dist.ReduceOp.MAX)


def total(number: int) -> int:
    """Return the sum of the numbers that the processes have."""
    return _reduced(number, dist.ReduceOp.SUM)


def from_first(find: Callable[[], T]) -> T:
    """Return to all processes what `find` returns to the first, which alone calls it."""
    if size() == 1:
        return find()
    found = [find() if is_first() else None]
    with _others():
        dist.broadcast_object_list(found, src=0, device=torch.device("cpu"))
    result: T = found[0]  # type: ignore[assignment]
    return result


def first_before_others(find: Callable[[], T]) -> T:
    """Call `find` in the first process, then in all others: what the first downloads, they find."""
    if is_first():
        result = find()
        largest(0)
        return result
    largest(0)
    return find()


def _reduced(number: int, operation: dist.ReduceOp.RedOpType) -> int:
    if size() == 1:
        return number
    # On the CPU, so that no process waits for its GPU.
    result = torch.tensor(number)
    with _others():
        dist.all_reduce(result, operation)
    return int(result)


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _take_gpu(number: int) -> None:
    if number >= torch.cuda.device_count():
        raise DeviceError(
            f"--device cuda: there are {torch.cuda.device_count()} GPUs for "
            f"{os.environ.get('LOCAL_WORLD_SIZE', number + 1)} processes; each needs its own"
        )
    torch.cuda.set_device(number)


@contextlib.contextmanager
def _others() -> Iterator[None]:
    """Turn the failure of a call that needs all processes into one line."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise LostProcessError(f"another process of this run has ended ({reason[:120]})") from error

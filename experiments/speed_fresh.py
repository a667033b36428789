"""What a step costs the first time: a compilation from nothing, and memory.

Both are measured in a process of their own. A process that has compiled once keeps the compiler
loaded, and one that was profiled stays slower: neither should touch the timing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch._dynamo.exc import TorchDynamoException
from torch._dynamo.utils import counters

from experiments.speed_first import Compilation, Fresh
from experiments.speed_lists import Shapes
from experiments.speed_memory import peak_of_step
from experiments.speed_ways import COMPILE, Subject, ways_of

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
FIRST_STEPS = 2
LATER_STEPS = 5


class FreshProcessError(Exception):
    """The fresh process failed; the message is one line."""


@dataclass(frozen=True)
class Request:
    """What to measure: the ways of an optimizer on tensors of these shapes."""

    optimizer: str
    ways: Sequence[str]
    shapes: Shapes
    device: str
    threads: int


def measure_fresh(request: Request, cache: Path) -> Fresh:
    """Measure in a new process that keeps what it compiles in the empty folder `cache`.

    Raises `FreshProcessError`.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(request, cache, sender), daemon=True)
    with _interrupts_ignored():
        process.start()
    sender.close()
    try:
        answer: Fresh | FreshProcessError = receiver.recv()
        process.join()
    except EOFError:
        process.join()
        raise FreshProcessError(
            f"the process that measures memory ended with status {process.exitcode}; "
            "is there too little memory?"
        ) from None
    finally:
        process.kill()
    if isinstance(answer, FreshProcessError):
        raise answer
    return answer


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let a process that is started meanwhile ignore Ctrl-C, which reaches all of a terminal's."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _send(request: Request, cache: Path, sender: Connection) -> None:
    try:
        sender.send(_measure(request, cache))
    except FreshProcessError as error:
        sender.send(error)


def graphs_compiled() -> int:
    """Return how many graphs this process has compiled so far."""
    return int(counters["stats"]["unique_graphs"])


def compiler_failure(error: TorchDynamoException) -> str:
    """Say in one line that the compiler failed, why, and what to do."""
    reason = str(error).strip().splitlines()[0]
    return f"torch.compile does not work here ({reason}); --no-compile leaves it out"


def _measure(request: Request, cache: Path) -> Fresh:
    # Read at its first use; without it the profiler writes lines of its own to standard error.
    os.environ["KINETO_LOG_LEVEL"] = "99"
    os.environ[CACHE_VARIABLE] = str(cache)
    torch.set_num_threads(request.threads)
    compilation = _compile(request) if COMPILE in request.ways else None
    makes, device = ways_of(request.optimizer), torch.device(request.device)
    return Fresh(
        compilation,
        {name: peak_of_step(makes[name], request.shapes, device) for name in request.ways},
    )


def _compile(request: Request) -> Compilation:
    make = ways_of(request.optimizer)[COMPILE]
    subject = Subject(make, request.shapes, torch.device(request.device))
    start = time.perf_counter()
    try:
        for _ in range(FIRST_STEPS):
            subject.step()
    except TorchDynamoException as error:
        raise FreshProcessError(compiler_failure(error)) from None
    seconds, graphs = time.perf_counter() - start, graphs_compiled()
    for _ in range(LATER_STEPS):
        subject.optimizer.param_groups[0]["lr"] *= 0.9
        subject.step()
    return Compilation(seconds, graphs, graphs_compiled() - graphs)

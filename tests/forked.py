"""Programs in processes of their own, for which what takes seconds to import is imported once.

A server loads the libraries, and each process is a copy of it: it has its own number, hears signals,
can be killed and ends with a status, as one that was started from the shell.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROCESSES = multiprocessing.get_context("forkserver")
# Libraries of others alone: what is tested, each process imports by itself.
PROCESSES.set_forkserver_preload(
    ["torch._dynamo", "torch.distributed.run", "click", "tqdm", "ray.tune"]
)


class Forked:
    """A process that was started, with what of `subprocess.Popen` is of use here."""

    def __init__(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder = Path(tempfile.mkdtemp(prefix="forked-"))
        weakref.finalize(self, shutil.rmtree, folder)
        self.output, self.errors = folder / "out", folder / "err"
        given = dict(os.environ) | {"OMP_WAIT_POLICY": "PASSIVE"} | dict(environment or {})
        self.process = PROCESSES.Process(
            target=_carry_out, args=(self.output, self.errors, given, function, arguments)
        )
        for path in (self.output, self.errors):
            path.touch()
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end, and return what was printed and the errors."""
        self.wait(timeout)
        return self.output.read_text(), self.errors.read_text()


def start_module(
    module: str, *words: object, environment: Mapping[str, str] | None = None
) -> Forked:
    """Start `python -m module words`."""
    return Forked(run_module, module, *map(str, words), environment=environment)


def run_module(module: str, *words: str) -> None:
    """Do in this process as `python -m module words`."""
    sys.argv = [module, *words]
    sys.path[:1] = [str(ROOT)]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _carry_out(
    output: Path,
    errors: Path,
    environment: Mapping[str, str],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    for descriptor, path in ((1, output), (2, errors)):
        with path.open("a") as stream:
            os.dup2(stream.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    # Where the tests run in the background of a shell, Ctrl-C is ignored, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise SystemExit(function(*arguments))

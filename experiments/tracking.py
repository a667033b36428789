"""labml's tracker, and the only module that knows of it.

labml 0.5.3 keeps its state in module-level singletons, prints in colour even into a file, and
writes from a thread that outlives the run. What is done about each stands beside the line.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labml import experiment, lab, tracker
from labml.internal.tracker.writers.file import FileWriterThread

SERVER_VARIABLE = "labml_app_url"
FOLDER = "labml"

Log = Callable[[int, str, Mapping[str, float]], None]
"""Called with the step, the name of a table, and a row of it."""


@contextlib.contextmanager
def tracking(
    out: Path, run: str, configuration: dict[str, Any], notice: Callable[[str], None]
) -> Iterator[Log]:
    """Log a run to `out/labml/<run>/<uuid>/log.jsonl`; gives a function to log with.

    The file is complete when the context has ended. A run does not fail because its log does: the
    first thing that goes wrong is one line for `notice`, and nothing is logged after it.
    """
    attempts = _Attempts(notice)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_failures_of_writers(attempts))
        stack.callback(_end_writers, set(threading.enumerate()))
        with attempts.one():
            watcher = _start(out / FOLDER, run, configuration)
            stack.push(functools.partial(_finish, attempts, watcher))
        yield functools.partial(_log, attempts)


class _Attempts:
    """What labml was asked to do. The first failure is told, and then nothing more is asked."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.notice = notice
        self.failed = False

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Tell of an exception instead of raising it."""
        try:
            yield
        except Exception as error:  # labml reads and writes in many places, where much can go wrong
            self.tell(error)

    def tell(self, error: BaseException | None) -> None:
        """Tell of a failure if it is the first."""
        if not self.failed:
            self.failed = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self.notice(f"labml cannot log this run ({reason})")


@contextlib.contextmanager
def _failures_of_writers(attempts: _Attempts) -> Iterator[None]:
    """Tell of a writer's thread that fails; Python would print its traceback."""
    before = threading.excepthook

    def tell(failure: threading.ExceptHookArgs) -> None:
        if isinstance(failure.thread, FileWriterThread):
            attempts.tell(failure.exc_value)
        else:
            before(failure)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = before


def _end_writers(others: set[threading.Thread]) -> None:
    """Wait for the threads that write; `others` were there before."""
    for thread in set(threading.enumerate()) - others:
        if isinstance(thread, FileWriterThread):
            # The thread is no daemon, and where labml fails to write a status it forgets to end it.
            thread.push("done")
            thread.join()


def _finish(attempts: _Attempts, watcher: Any, *error: Any) -> None:
    """Write how the run ended."""
    with attempts.one():
        watcher.__exit__(*error)


def _start(folder: Path, run: str, configuration: dict[str, Any]) -> Any:
    """Set labml up for one run and return its context manager."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without a file of this name labml looks for one up to the root, and complains.
    marker = folder / ".labml.yaml"
    marker.touch()
    with _offline(), _silent():
        lab.configure({"path": str(folder), "experiments_path": ".", "app_url": None})
        # The module keeps the step: that of an earlier run in this process would leak in.
        tracker.set_global_step(None)
        # Only the file writer puts curves on disk; `python_file` is where the search above starts.
        experiment.create(name=run, python_file=str(marker), writers={"file"})
        experiment.configs(dict(configuration))
        return experiment.start()


def _log(attempts: _Attempts, step: int, table: str, row: Mapping[str, float]) -> None:
    if attempts.failed:
        return
    # labml would write NaN and Infinity bare, which is no JSON.
    values = {
        f"{table}.{name}": float(value)
        for name, value in row.items()
        if name != "step" and math.isfinite(value)
    }
    with attempts.one():
        tracker.add(values)
        # Anything but an int of Python's is written as a string.
        tracker.save(int(step))


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Hide the address of a labml server: one out of reach keeps a process from ending."""
    address = os.environ.pop(SERVER_VARIABLE, None)
    try:
        yield
    finally:
        if address is not None:
            os.environ[SERVER_VARIABLE] = address


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield

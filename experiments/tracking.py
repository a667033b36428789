"""labml's tracker, and the only module that knows of it.

labml 0.5.3 keeps its state in module-level singletons, prints in colour even into a file, and
writes from a thread that outlives the run. What is done about each stands beside the line.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labml import experiment, lab, tracker

SERVER_VARIABLE = "labml_app_url"
FOLDER = "labml"

Log = Callable[[int, str, Mapping[str, float]], None]
"""Called with the step, the name of a table, and a row of it."""


class TrackingError(Exception):
    """labml cannot log here; the message is one line."""


@contextlib.contextmanager
def tracking(out: Path, run: str, configuration: dict[str, Any]) -> Iterator[Log]:
    """Log a run to `out/labml/<run>/<uuid>/log.jsonl`; gives a function to log with.

    The file is complete when the context has ended. Raises `TrackingError` if labml cannot start.
    """
    threads = set(threading.enumerate())
    try:
        watcher = _start(out / FOLDER, run, configuration)
    except Exception as error:  # labml reads and writes in the home folder, where much can go wrong
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise TrackingError(f"labml cannot log this run ({reason})") from None
    try:
        with watcher:
            yield _log
    finally:
        # The writer's thread is no daemon and flushes late: the file is whole once it has ended.
        for thread in set(threading.enumerate()) - threads:
            if type(thread).__name__ == "FileWriterThread":
                thread.join()


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


def _log(step: int, table: str, row: Mapping[str, float]) -> None:
    # labml would write NaN and Infinity bare, which is no JSON.
    values = {
        f"{table}.{name}": float(value)
        for name, value in row.items()
        if name != "step" and math.isfinite(value)
    }
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

"""A run from its configuration to its record: the loop, with all that surrounds it.

The loop itself stands in `experiments.training` and knows nothing of progress bars, trackers,
checkpoints and signals. It gives back control after every step; what happens then stands here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn

from experiments import processes
from experiments.batch_norm import synchronised
from experiments.checkpoints import Checkpoints
from experiments.code_versions import code_versions
from experiments.configuration import Configuration
from experiments.data import HELD_OUT, Data
from experiments.environment import describe_environment
from experiments.optimizers import OptimizerChoice
from experiments.progress import Progress
from experiments.records import Record
from experiments.rules import NO_RULES, Rules
from experiments.schedules import make_schedulers
from experiments.tracking import Log, tracking
from experiments.training import DTYPES, PLAIN, History, Plan, Regime, subset_stride, train

CHECKPOINT_SECONDS = 20.0
"""A kill loses at most the work of about so many seconds."""

Notice = Callable[[str], None]
"""Called with a line that the user ought to see."""


@dataclass(frozen=True)
class Task:
    """What to run, and where.

    * `make_model`: returns a new model; called after the seed is set
    * `out`: the folder for record, curves, checkpoints and logs
    * `regime`: what the network is trained with; `mixed` follows from the configuration
    * `rules`: make the parameter groups
    * `prepare`: called with the new model and the data, to set parameters that depend on the data
    """

    configuration: Configuration
    make_model: Callable[[], nn.Module]
    choice: OptimizerChoice
    data: Data
    device: torch.device
    out: Path
    regime: Regime = PLAIN
    rules: Rules = NO_RULES
    prepare: Callable[[nn.Module, Data], None] | None = None


class StoppedError(Exception):
    """The run was asked to stop.

    * `signal`: the number of the signal that asked
    * `step`: the last step that was done
    * `checkpoint`: the newest there is; it is of an earlier step if none could be written now
    """

    def __init__(self, signal: int, step: int, checkpoint: Path | None) -> None:
        left = f"the checkpoint is {checkpoint}" if checkpoint else "there is no checkpoint"
        super().__init__(f"stopped after step {step}; {left}")
        self.signal = signal


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a wish that is granted after the current step.

    A second one acts at once. Outside the main thread, where Python gives no signals, it waits for
    none. When the wish has been granted, a further one is ignored: what is left is a message and the end
    of the process, and it would only put a traceback or nothing in their place. Of several processes the
    first to end makes torchrun send the others SIGTERM.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._restore()
        if kind is StoppedError:
            for number in self._before:
                signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Run:
    """A run that is under way: model, optimizer, schedulers, history, and the clock."""

    def __init__(self, task: Task) -> None:
        configuration, data = task.configuration, task.data
        torch.manual_seed(configuration.seed)
        self.task = task
        self.model = task.make_model().to(task.device, DTYPES[configuration.dtype])
        self.plan = Plan(
            samples=len(data.train_labels),
            batch_size=configuration.batch_size,
            epochs=configuration.epochs,
            seed=configuration.seed,
        )
        if task.prepare is not None:
            task.prepare(self.model, data)
        self.model = synchronised(self.model, task.device)
        self.regime = dataclasses.replace(task.regime, mixed=configuration.dtype == "mixed")
        self.optimizer = task.choice.make(
            task.rules.groups(self.model, task.choice), total_steps=self.plan.total_steps
        )
        self.schedulers = make_schedulers(self.optimizer, configuration, self.plan)
        self.history = History(task.device)
        self.checkpoints = Checkpoints(task.out / configuration.name, configuration.name)
        self.code = code_versions(configuration, task)
        self.environment = describe_environment(task.device) | {"processes": processes.size()}
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.seconds_before = 0.0
        self.clock = time.perf_counter()

    def steps(self) -> Iterator[int]:
        """Train, and yield the number of each step when it is done."""
        return train(
            self.model,
            self.optimizer,
            self.schedulers,
            self.task.data,
            self.plan,
            self.history,
            self.regime,
        )

    @property
    def seconds(self) -> float:
        """Seconds of work, over all the processes that did it."""
        return self.seconds_before + time.perf_counter() - self.clock

    def save_checkpoint(self) -> None:
        """Write down everything that the next step depends on."""
        state = {
            "history": self.history.state_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),
            "code": self.code,
            "environment": self.environment,
            "started": self.started,
            "seconds": self.seconds,
        }
        self.checkpoints.save(self.history.step, state)

    def resume(self, notice: Notice) -> None:
        """Go back to the newest checkpoint that can be read, if there is one."""
        state, problems = processes.from_first(self.checkpoints.load_newest)
        for problem in problems:
            notice(problem)
        if state is None:
            notice(f"there is no checkpoint in {self.checkpoints.folder}: starting at step 1")
            return
        for key, value in self.environment.items():
            if state["environment"].get(key) != value:
                notice(
                    f"the checkpoint was made with {key} {state['environment'].get(key)}, this run "
                    f"has {value}: its numbers will differ from those of a run in one go"
                )
        for part, version in self.code.items():
            if state["code"][part] != version:
                notice(
                    f"the {part} has changed since the checkpoint was made: the record will count as "
                    "one of the older code"
                )
        self.code = state["code"]
        self.history.load_state_dict(state["history"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        torch.set_rng_state(state["random"])
        torch.cuda.set_rng_state_all(state["random_cuda"])
        self.started = state["started"]
        self.seconds_before = state["seconds"]
        notice(f"going on after step {self.history.step} of {self.plan.total_steps}")

    def record(self) -> Record:
        """Return the record of the finished run."""
        configuration, data = self.task.configuration, self.task.data
        curves = {name: table.columns for name, table in self.history.curves.items()}
        if configuration.data.endswith(HELD_OUT):
            # A search is read for its losses, and there are many of them.
            curves["train"] = {name: curves["train"][name] for name in ("step", "loss")}
        seconds = self.seconds
        subset = len(data.test_labels[:: subset_stride(len(data.test_labels))])
        return Record(
            experiment=configuration.experiment,
            optimizer=configuration.optimizer,
            configuration=configuration.to_dict(),
            code=self.code,
            data={**data.describe(), "test_subset_samples": subset},
            environment=self.environment,
            curves=curves,
            final={
                "step": self.history.step,
                "train_loss": curves["train"]["loss"][-1],
                "test_loss": curves["test"]["loss"][-1],
                "test_accuracy": curves["test"]["accuracy"][-1],
            },
            times={
                "started": self.started,
                "duration_seconds": round(seconds, 2),
                "samples_per_second": self.plan.samples_after(self.history.step) / seconds,
            },
        )


class Watcher(Protocol):
    """Is told what happens in a run."""

    def step(self, step: int) -> None:
        """Hear that a step is done."""

    def show(self, step: int, table: str, row: Mapping[str, float]) -> None:
        """Hear of a new row of one of the history's tables."""


Watch = Callable[[Run, Notice], contextlib.AbstractContextManager[Watcher]]
"""Returns who is told of a run, as a context that lasts as long as the run."""


def execute(task: Task, *, resume: bool, notice: Notice, watch: Watch | None = None) -> Record:
    """Train, and return the record.

    * `watch`: a bar on the terminal and labml's log if not given

    Of several processes the first alone writes and shows, and all return the same record but for its
    times.

    Raises `StoppedError` on Ctrl-C and SIGTERM, after an attempt to write a checkpoint.
    """
    run = _begin(task, resume, notice)
    keeper = _Keeper(run, notice, fresh=not resume)
    shown = (watch or _shown_and_logged) if processes.is_first() else _unseen
    with StopSignal() as stop, shown(run, notice) as watcher:
        _train(run, stop, watcher, keeper)
    _warn_of_divergence(run.history, notice)
    return run.record()


def _begin(task: Task, resume: bool, notice: Notice) -> Run:
    """Return the run as it is before its next step."""
    run = Run(task)
    if not resume:
        if steps := run.checkpoints.steps():
            notice(f"starting anew; --resume would have gone on after step {steps[0]}")
        return run
    try:
        run.resume(notice)
    except Exception as error:  # whole, but of another version: what it lacks shows anywhere
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        notice(f"the checkpoint does not fit this run ({reason[:120]}): starting at step 1")
        return Run(task)
    return run


class _Keeper:
    """Writes a run's checkpoints. One that cannot be written costs a note, not the run.

    * `fresh`: the run has begun at step 1, so that older checkpoints are removed before the first
    """

    def __init__(self, run: Run, notice: Notice, *, fresh: bool) -> None:
        self.run = run
        self.notice = notice
        self.fresh = fresh
        self.told: set[int | None] = set()

    def save(self) -> None:
        """Write a checkpoint; a reason why that fails is told once."""
        if not processes.is_first():
            return
        try:
            if self.fresh:
                self.run.checkpoints.clear()
                self.fresh = False
            self.run.save_checkpoint()
        except OSError as error:
            if error.errno not in self.told:
                self.told.add(error.errno)
                self.notice(f"a checkpoint cannot be written, the run goes on without: {error}")


def _train(run: Run, stop: StopSignal, watcher: Watcher, keeper: _Keeper) -> None:
    """Run the loop, and after every step do what is due."""
    saved = time.perf_counter()
    for step in run.steps():
        watcher.step(step)
        for name, table in run.history.curves.items():
            if row := table.at(step):
                watcher.show(step, name, row)
        # Whichever process hears the signal, all stop after the same step: the next would wait for ever.
        stopped = processes.largest(stop.received or 0)
        due = time.perf_counter() - saved > CHECKPOINT_SECONDS
        if due or run.plan.evaluates(step) or stopped:
            keeper.save()
            saved = time.perf_counter()
            if stopped and step < run.plan.total_steps:
                raise StoppedError(stopped, step, run.checkpoints.newest())


@dataclass(frozen=True)
class _ShownAndLogged:
    """Shows a run on the terminal and logs it with labml."""

    progress: Progress
    log: Log

    def step(self, step: int) -> None:
        self.progress.step(step)

    def show(self, step: int, table: str, row: Mapping[str, float]) -> None:
        self.log(step, table, row)
        self.progress.show(table, row)


class _Unseen:
    """Shows nothing."""

    def step(self, step: int) -> None:
        pass

    def show(self, step: int, table: str, row: Mapping[str, float]) -> None:
        pass


@contextlib.contextmanager
def _unseen(run: Run, notice: Notice) -> Iterator[Watcher]:
    yield _Unseen()


@contextlib.contextmanager
def _shown_and_logged(run: Run, notice: Notice) -> Iterator[Watcher]:
    configuration, done = run.task.configuration, run.history.step
    with (
        tracking(run.task.out, configuration.name, configuration.to_dict(), notice) as log,
        Progress(run.plan, configuration.optimizer, done) as progress,
    ):
        yield _ShownAndLogged(progress, log)


def _warn_of_divergence(history: History, notice: Notice) -> None:
    train_table = history.curves["train"].columns
    for step, loss in zip(train_table["step"], train_table["loss"], strict=True):
        if not math.isfinite(loss):
            notice(f"the run diverged: the loss is not finite from step {step:g} on")
            return

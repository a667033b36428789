"""The runs of sweeps side by side, on Ray Tune: on this machine, or on a cluster that is there."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import click
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from tqdm import tqdm

from experiments.cli import notice
from experiments.places import Places
from experiments.records import RecordError
from experiments.sweep_plan import Run, Sweep
from experiments.trial import Order, carry_out

OBJECT_STORE_BYTES = 100 * 2**20
"""Ray's store for what processes share; a record is all that is shared here."""

FIRST_LOOK = 25
"""A run is stopped early after so many per cent of its steps, if others were better there."""

KEPT_PART = 3
"""One of so many runs is let go on at each look."""


def run_all(sweeps: Sequence[Sweep], places: Places) -> None:
    """Make all runs that are due, and print a line for each that has ended.

    Raises `KeyboardInterrupt` on Ctrl-C and `SystemExit` on SIGTERM. Runs that are under way leave
    their checkpoints, and the next sweep goes on from there.
    """
    plan = _Plan(sweeps, places)
    if plan.is_done:
        return
    with (
        _cluster(places),
        tempfile.TemporaryDirectory(prefix="sweep-") as scratch,
        _Progress(plan) as progress,
    ):
        plan.tell = progress.tell
        tune.Tuner(
            tune.with_resources(_trial, {"cpu": places.cpus, "gpu": places.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=plan,
                scheduler=_PerSweep(),
                num_samples=-1,
                max_concurrent_trials=places.jobs,
                # A process that has loaded torch once makes one run after the other.
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=places.retries),
                callbacks=[progress],
            ),
        ).fit()
        if not plan.is_done:
            raise KeyboardInterrupt


def _trial(config: Mapping[str, Any]) -> None:
    carry_out(config["order"], tune.report)


def _name(trial: Any) -> str:
    name: str = trial.trial_id
    return name


class _Plan(Searcher):
    """Gives Tune the runs of all sweeps, those of the first one first."""

    def __init__(self, sweeps: Sequence[Sweep], places: Places) -> None:
        super().__init__(metric="loss", mode="min")
        self.sweeps = sweeps
        self.places = places
        self.waiting: list[tuple[Sweep, Run]] = []
        self.running: dict[str, tuple[Sweep, Run]] = {}
        self.done = 0
        self.tell = click.echo
        self._look()

    def _look(self) -> None:
        self.waiting += [(sweep, run) for sweep in self.sweeps for run in sweep.due()]
        self.waiting.sort(key=lambda item: self.sweeps.index(item[0]))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be run."""
        return not self.waiting and not self.running

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next run; none while one must be waited for."""
        if not self.waiting:
            self._look()
        if not self.waiting:
            return None if self.running else Searcher.FINISHED
        sweep, run = self.waiting.pop(0)
        self.running[trial_id] = sweep, run
        places = self.places
        order = Order(
            run.configuration,
            run.folder.resolve(),
            places.data_root.resolve(),
            places.device,
            places.threads,
            sweep.conditions.renews,
        )
        # Runs at the chosen point compete with nobody.
        rivals = self.sweeps.index(sweep) if run.point and sweep.conditions.early else None
        return {"order": order, "rivals": rivals}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Hear that a run has ended, and print the line about it."""
        sweep, run = self.running.pop(trial_id)
        result = result or {}
        for line in result.get("notes", ()):
            notice(line)
        try:
            line = self._outcome(sweep, run, result, killed=error)
        except (RecordError, OSError) as problem:
            line = sweep.fail(run, str(problem))
        self.done += 1
        self._look()
        self.tell(f"[{self.done}, {len(self.waiting)} waiting] {line}")

    def _outcome(self, sweep: Sweep, run: Run, result: dict[str, Any], *, killed: bool) -> str:
        """Tell the sweep what came of its run, and return the line about it."""
        if killed:
            return sweep.fail(run, f"its process was killed {self.places.retries + 1} times")
        if "failed" in result:
            return sweep.fail(run, result["failed"])
        if "record" in result:
            return sweep.finish(run, result["record"])
        return sweep.give_up(run, result["progress"])

    def save(self, checkpoint_path: str) -> None:
        """Leave nothing behind: the plan follows from the records."""

    def restore(self, checkpoint_path: str) -> None:
        """Take nothing over."""


class _PerSweep(FIFOScheduler):  # type: ignore[misc]
    """Stops runs early that are worse than others of the same sweep, by successive halving.

    Runs of different optimizers never compete: each is to be seen at its best.
    """

    def __init__(self) -> None:
        super().__init__()
        self.brackets: dict[int, ASHAScheduler] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        return True

    def _of(self, trial: Any) -> TrialScheduler | None:
        rivals = trial.config["rivals"]
        if rivals is None:
            return None
        if rivals not in self.brackets:
            self.brackets[rivals] = ASHAScheduler(
                time_attr="progress",
                metric="loss",
                mode="min",
                max_t=101,
                grace_period=FIRST_LOOK,
                reduction_factor=KEPT_PART,
            )
        return self.brackets[rivals]

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if bracket := self._of(trial):
            bracket.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        bracket = self._of(trial)
        if bracket is None or "progress" not in result:
            return TrialScheduler.CONTINUE
        decision: str = bracket.on_trial_result(tune_controller, trial, result)
        return decision


class _Progress(tune.Callback):  # type: ignore[misc]
    """Shows a bar on a terminal, and hears of runs that are killed."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.shares: dict[str, float] = {}
        self.bar = tqdm(unit=" runs", dynamic_ncols=True, leave=False, disable=None)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def tell(self, line: str) -> None:
        """Print a line above the bar."""
        with tqdm.external_write_mode():
            click.echo(line)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self.shares[trial.trial_id] = result.get("progress", 0.0) / 100
        self._show()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.shares.pop(trial.trial_id, None)
        self._show()

    on_trial_error = on_trial_complete

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        path = trial.config["order"].path
        notice(f"the process of {path.name} was killed; it goes on from its last checkpoint")

    def _show(self) -> None:
        plan = self.plan
        self.bar.total = plan.done + len(plan.running) + len(plan.waiting)
        self.bar.n = round(plan.done + sum(self.shares.values()), 2)
        self.bar.refresh()


@contextlib.contextmanager
def _cluster(places: Places) -> Iterator[None]:
    """Connect to the cluster, or start one on this machine and end it afterwards."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What goes wrong is told here, in one line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="ray-") as session:
        try:
            ray.init(**(_connection(places) if places.address else _local(places, session)))
            # Ray has set a handler of its own by now.
            with _sigterm_as_ctrl_c():
                yield
        finally:
            ray.shutdown()


def _connection(places: Places) -> dict[str, Any]:
    return {"address": places.address, "log_to_driver": False, "logging_level": "ERROR"}


def _local(places: Places, session: str) -> dict[str, Any]:
    jobs = places.jobs or 1
    return {
        "address": "local",
        "num_cpus": math.ceil(jobs * places.cpus),
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "ERROR",
        "object_store_memory": OBJECT_STORE_BYTES,
        "_temp_dir": session,
    }


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, which Tune hears of, and exit with its own status."""
    received = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        if received:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)

"""Which runs a sweep is made of: a function of the records that are there."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from experiments.arms import Arm
from experiments.committed import SEARCHES
from experiments.configuration import Configuration
from experiments.data import HELD_OUT
from experiments.experiment import Experiment
from experiments.records import Record, loads, save
from experiments.runner import Notice
from experiments.search_space import Point, Space
from experiments.sensitivity import held_out_loss
from experiments.trial import existing


class Search(Protocol):
    """What proposes points, from the losses of those that were tried."""

    def next(self, losses: Mapping[Point, float], pending: Collection[Point]) -> Sequence[Point]:
        """Return points that are to be tried; none when no other is needed now."""


@dataclass(frozen=True)
class Conditions:
    """What all runs of a sweep have in common.

    * `data`: the data of the runs at the chosen point; the search holds images of it back
    * `epochs`, `seeds`: of the runs at the chosen point; no epochs are those of the recipe
    * `search_epochs`, `search_seeds`: of the runs of the search
    * `space`: what the search chooses from
    * `early`: whether the search stops runs that are worse than others at the same step
    * `renews`: whether records are made again whose code has changed since
    """

    experiment: Experiment
    model: str
    data: str
    seeds: tuple[int, ...]
    search_epochs: float
    search_seeds: tuple[int, ...]
    space: Space
    out: Path
    epochs: float | None = None
    batch_size: int | None = None
    dtype: str | None = None
    early: bool = False
    renews: bool = False


@dataclass(frozen=True)
class Run:
    """One run that is to be made: its configuration, and the folder of its record.

    * `point`: what the search tries with it; None for a run at the chosen point
    """

    configuration: Configuration
    folder: Path
    point: Point | None = None

    @property
    def path(self) -> Path:
        """Where its record lies when it is done."""
        return self.configuration.record_in(self.folder)

    @property
    def given_up(self) -> Path:
        """The file that says that it was stopped early, among its checkpoints."""
        return self.folder / self.configuration.name / "given-up.json"


@dataclass(eq=False)
class Sweep:
    """The runs of one arm.

    First the search, then the runs at the point that it chose. `due` names what can be run now;
    whoever runs it tells `finish`.

    * `notice`: called with a line about a record that is damaged
    """

    arm: Arm
    search: Search
    conditions: Conditions
    notice: Notice = lambda line: None
    searched: dict[Point, dict[int, Record | None]] = field(default_factory=dict)
    finals: list[Record] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    begun: dict[Path, Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.conditions.space.trials is not None:
            self._find_earlier_trials()

    @property
    def losses(self) -> dict[Point, float]:
        """The held-out loss at each point that was tried with all seeds: their median.

        It is infinite where they diverged or were given up.
        """
        seeds = self.conditions.search_seeds
        return {
            point: median(held_out_loss(run) if run else math.inf for run in runs.values())
            for point, runs in self.searched.items()
            if len(runs) == len(seeds)
        }

    @property
    def chosen(self) -> Point | None:
        """The only point, or the one with the least loss so far.

        None if every one diverged, or none is tried.
        """
        if given := self.conditions.space.given:
            return given
        losses = {point: loss for point, loss in self.losses.items() if math.isfinite(loss)}
        return min(losses, key=lambda point: (losses[point], point.lr)) if losses else None

    def due(self) -> Iterator[Run]:
        """Yield what can be run now. A record that is there already is taken in its place."""
        for run in self._next():
            if run.path not in self.begun:
                self.begun[run.path] = run
                if record := existing(run.path, self.notice, renews=self.conditions.renews):
                    self._take(run, record)
                    yield from self.due()
                elif self.conditions.early and run.point and run.given_up.exists():
                    self._take(run, None)
                    yield from self.due()
                else:
                    yield run

    def _next(self) -> list[Run]:
        losses = self.losses
        pending = {run.point for run in self.begun.values() if run.point} - set(losses)
        searches = self.conditions.space.given is None
        if searches and (points := self.search.next(losses, pending)):
            seeds = self.conditions.search_seeds
            return [self._search(point, seed) for point in points for seed in seeds]
        if pending or self.chosen is None:
            return []
        return [self._final(self.chosen, seed) for seed in self.conditions.seeds]

    def _search(self, point: Point, seed: int) -> Run:
        conditions = self.conditions
        data = conditions.data + HELD_OUT
        configuration = self._configuration(point, data, seed, conditions.search_epochs)
        return Run(configuration, conditions.out / SEARCHES, point)

    def _final(self, point: Point, seed: int) -> Run:
        conditions = self.conditions
        configuration = self._configuration(point, conditions.data, seed, conditions.epochs)
        return Run(configuration, conditions.out)

    def _configuration(
        self, point: Point, data: str, seed: int, epochs: float | None
    ) -> Configuration:
        conditions, arm = self.conditions, self.arm
        options = arm.choice.options | dict(point.options)
        return conditions.experiment.configure(
            conditions.model,
            dataclasses.replace(arm.choice, lr=point.lr, options=options),
            arm.schedules,
            arm.rules,
            data=data,
            seed=seed,
            epochs=epochs,
            batch_size=conditions.batch_size,
            dtype=conditions.dtype,
        )

    def _take(self, run: Run, record: Record | None) -> None:
        """Take over a record, or that the run was given up."""
        if run.point:
            self.searched.setdefault(run.point, {})[run.configuration.seed] = record
        elif record:
            self.finals = sorted([*self.finals, record], key=lambda final: final.seed)

    def _find_earlier_trials(self) -> None:
        """Take over the runs of an earlier search over the same space.

        A tuned search does not know beforehand which points it will try.
        """
        folder = self.conditions.out / SEARCHES
        for path in sorted(folder.glob(f"{self.arm.choice.name}-*.json")):
            if record := existing(path, self.notice, renews=self.conditions.renews):
                point = self._point_of(record)
                run = self._search(point, record.seed)
                if run.path == path and record.seed in self.conditions.search_seeds:
                    self.begun[path] = run
                    self._take(run, record)

    def _point_of(self, record: Record) -> Point:
        options = record.configuration["options"]
        varied = self.conditions.space.varied
        return Point(
            record.configuration["lr"],
            tuple((name, as_tuples(options[name])) for name in varied if name in options),
        )

    def finish(self, run: Run, text: str) -> str:
        """Take over the record that a run has come to, and return the line about it."""
        record = loads(text, run.path)
        if existing(run.path, renews=self.conditions.renews) is None:
            # Another machine, whose disk is not ours, has made it.
            save(record, run.folder)
        self._take(run, record)
        loss, accuracy = record.final["test_loss"], record.final["test_accuracy"]
        if loss is None:
            return f"{self._name(run)}: diverged"
        kind = "held-out" if run.point else "test"
        return f"{self._name(run)}: {kind} loss {loss:.4f}, accuracy {accuracy:.2%}"

    def fail(self, run: Run, reason: str) -> str:
        """Hear that a run has failed, and return the line about it."""
        self.failed[run.path] = reason
        return f"{self._name(run)}: failed, {reason}"

    def give_up(self, run: Run, progress: float) -> str:
        """Hear that a run was stopped early, and return the line about it."""
        run.given_up.parent.mkdir(parents=True, exist_ok=True)
        run.given_up.write_text(json.dumps({"progress": round(progress, 1)}), encoding="utf-8")
        self._take(run, None)
        return f"{self._name(run)}: given up after {progress:.0f} % of its steps"

    def _name(self, run: Run) -> str:
        configuration = run.configuration
        point = run.point or self.chosen
        options = (f" {name} {value}" for name, value in (point.options if point else ()))
        return (
            f"{self.arm.label} lr {configuration.lr:g}{''.join(options)} seed {configuration.seed}"
        )


def as_tuples(value: Any) -> Any:
    """Return a value of a record as it was before JSON made lists of tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value

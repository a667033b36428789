r"""---
title: Choosing a learning rate
summary: >-
  A comparison of optimizers is a comparison of their learning rates, unless each one's rate is
  searched for: with the same effort, on images that decide nothing else.
chapter: "12.4"
needs: [experiments/mnist, experiments/training]
symbols:
  \alpha: lr
---

Is RAdam worse than Adam? Both have a default learning rate of 0.001. Train the
[MNIST network](mnist.py) for one epoch and look at the loss on images that were held back: Adam
comes to 0.046, RAdam to 0.082, nearly twice as much. That is a clear answer, and a wrong one:

| $\alpha$ | 0.0001 | 0.0003 | 0.001 | 0.003 | 0.01 | 0.03 |
|---|---|---|---|---|---|---|
| Adam | 0.190 | 0.089 | 0.046 | **0.038** | 2.302 | |
| RAdam | 0.375 | 0.185 | 0.082 | 0.049 | **0.035** | 0.042 |

RAdam shortens its first steps, and wants a larger rate. Each at its own best rate, they come out
nearly the same. The first comparison was one of two defaults, and a default is somebody's guess
about somebody else's network.

The table shows a second thing. One point beyond its best rate Adam learns nothing at all: 2.302 is
$\log 10$, the loss of a network that finds all ten digits equally likely. The best rate often lies
just before the cliff.

So the rate has to be searched for, and in the search one can cheat oneself in several ways.

**Factors, not differences.** From 0.001 to 0.002 is as far as from 0.1 to 0.2. The grid of this
chapter goes up by half a power of ten at each point, rounded to one digit:

$$\dots, \quad 0.0001, \quad 0.0003, \quad 0.001, \quad 0.003, \quad 0.01, \quad \dots$$

Five points around the optimizer's own default span a factor of one hundred.

**The best must not lie on the edge.** If it does, only one slope of the valley has been seen. Then
the grid gets one more point on that side, up to four times.

**The test images stay out of it.** Who tries five rates and reports the best of five test
accuracies reports a little luck with it: one of the five happened to fit just these 10,000 images.
The search trains on the first 50,000 training images and looks at the other 10,000. When the test
images are looked at, they have nothing left to decide.

**The loss chooses, not the accuracy.** At 0.003 Adam reads 20 of the 10,000 images more than at
0.001. Another seed may turn that around. The loss, the mean of $-\log p$, hears all 10,000 images: also
those that both get right, one by a hair and one by far.

**The same effort for everyone.** One epoch for each rate, one seed, five points, at most four
extensions. If an author tunes one optimizer for a week and its rivals for an afternoon, the
comparison is one of patience.

## Run it

```sh
python -m experiments.sweep --optimizer yogi
python -m experiments.sweep --optimizer sgd --set momentum=0.9 --jobs 2
python -m experiments.sweep --all --jobs 8
```

The first command makes some eight runs: five or more of one epoch each, then three of three epochs
with the chosen rate on all training images, with the seeds 0, 1 and 2. The records of the search
lie in `runs/mnist/sweep`, those of the three runs in `runs/mnist`. A record that is there already
is not made again. So a command that was broken off, or in which one run failed, is simply given
once more.

What this search cannot see: the best rate for one epoch need not be the best for three, and one
seed may favour a neighbour of the best point. All optimizers have the same handicap. A search of
three epochs with three seeds would cost nine times as much.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from experiments.cli import run_command
from experiments.configuration import Configuration
from experiments.data import HELD_OUT
from experiments.jobs import Job, Processes, last_line
from experiments.mnist import MNIST
from experiments.optimizers import OptimizerChoice
from experiments.records import Record, RecordError, load
from experiments.schedules import schedule_words
from experiments.sweep_cli import Conditions, Request, sweep_command
from experiments.tracking import FOLDER as LOGS

# ## The grid
#
# Five points, and up to four more.
POINTS = 5
MOST_EXTENSIONS = 4

SEARCH_SEED = 0
SEARCH_FOLDER = "sweep"


def rate_at(index: int) -> float:
    """Return the point of the grid with this number: 1 for 0, 3 for 1, 10 for 2, 0.3 for -1.

    It is made from its decimal digits: as a product of powers it would be
    0.00030000000000000003, and another run would be made for it than for 0.0003.
    """
    return float(f"{(1, 3)[index % 2]}e{index // 2}")


def index_of(lr: float) -> int:
    """Return the number of the point that is nearest to `lr` in terms of factors."""
    return round(2 * math.log10(lr))


def grid_around(lr: float) -> tuple[float, ...]:
    """Return the points of the grid that a search begins with; the middle one is nearest to `lr`."""
    middle = index_of(lr)
    return tuple(rate_at(middle + offset - POINTS // 2) for offset in range(POINTS))


def best(losses: Mapping[float, float]) -> float:
    """Return the rate with the least loss; of equal ones, such as infinite ones, the smallest."""
    return min(sorted(losses), key=lambda lr: losses[lr])


def rates_to_try(first: Sequence[float], losses: Mapping[float, float]) -> tuple[float, ...]:
    """## The search

    Return the rates to be tried next, none when the search has ended.

    * `first`: the rates that the search begins with, all to be tried whatever comes out
    * `losses`: what came out so far; infinity for a run that diverged

    The search is a function of its results, so it needs no memory: after an interruption the
    records in the folder are the results, and it goes on from there.
    """
    if missing := tuple(lr for lr in first if lr not in losses):
        return missing
    if len(losses) - len(first) >= MOST_EXTENSIONS:
        return ()
    chosen = best(losses)
    if chosen == min(losses):
        return (rate_at(index_of(chosen) - 1),)
    if chosen == max(losses):
        return (rate_at(index_of(chosen) + 1),)
    return ()


@dataclass(frozen=True)
class Run:
    """One run that is to be made: its configuration, and the folder of its record."""

    configuration: Configuration
    folder: Path

    @property
    def path(self) -> Path:
        """Where its record lies when it is done."""
        return self.folder / f"{self.configuration.name}.json"

    def job(self, conditions: Conditions) -> Job:
        """Return the command that makes this run: the one that a person would type."""
        configuration = self.configuration
        return Job(
            command=(
                *(sys.executable, "-m", f"experiments.{configuration.experiment}"),
                *("--optimizer", configuration.optimizer),
                *("--lr", repr(configuration.lr)),
                *(part for setting in conditions.settings for part in ("--set", setting)),
                *("--data", configuration.data),
                *schedule_words(configuration.to_dict()),
                *("--epochs", repr(configuration.epochs)),
                *("--batch-size", str(configuration.batch_size)),
                *("--seed", str(configuration.seed)),
                *("--dtype", configuration.dtype),
                *conditions.places,
                *("--out", str(self.folder)),
                "--no-curves",
            ),
            log=self.path.with_suffix(".log"),
        )


@dataclass(eq=False)
class Sweep:
    """## One optimizer's runs

    First the search, then the runs at the rate that it chose. `due` names what can be run now;
    whoever runs it hands the record to `add`.
    """

    choice: OptimizerChoice
    conditions: Conditions
    records: list[Record] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    begun: set[Path] = field(default_factory=set)

    @property
    def losses(self) -> dict[float, float]:
        """The held-out loss at each rate that was tried, by rate; infinite where it diverged."""
        losses = {
            record.configuration["lr"]: record.final["test_loss"]
            for record in self.records
            if _is_search(record)
        }
        return {lr: math.inf if losses[lr] is None else losses[lr] for lr in sorted(losses)}

    @property
    def finals(self) -> list[Record]:
        """The records of the runs at the chosen rate."""
        finals = [record for record in self.records if not _is_search(record)]
        return sorted(finals, key=lambda record: record.seed)

    def due(self) -> Iterator[Run]:
        """Yield what can be run now. A record that is there already is taken in its place."""
        for run in self._next():
            if run.path not in self.begun:
                self.begun.add(run.path)
                if record := _existing(run.path):
                    self.records.append(record)
                    yield from self.due()
                else:
                    yield run

    def _next(self) -> list[Run]:
        rates = rates_to_try(self.first_rates, self.losses)
        if rates:
            return [self._search(lr) for lr in rates]
        if math.isinf(min(self.losses.values())):
            return []
        return [self._final(best(self.losses), seed) for seed in self.conditions.seeds]

    @property
    def first_rates(self) -> tuple[float, ...]:
        """The rates that the search begins with."""
        return self.conditions.rates or grid_around(self.choice.lr)

    def _search(self, lr: float) -> Run:
        data = self.conditions.data + HELD_OUT
        folder = self.conditions.out / SEARCH_FOLDER
        return Run(
            self._configuration(data, lr, self.conditions.search_epochs, SEARCH_SEED), folder
        )

    def _final(self, lr: float, seed: int) -> Run:
        data, epochs = self.conditions.data, self.conditions.epochs
        return Run(self._configuration(data, lr, epochs, seed), self.conditions.out)

    def _configuration(self, data: str, lr: float, epochs: float, seed: int) -> Configuration:
        return Configuration(
            experiment=MNIST.name,
            model=MNIST.model,
            optimizer=self.choice.name,
            data=data,
            lr=lr,
            **self.conditions.schedules.configuration(),
            epochs=epochs,
            batch_size=MNIST.recipe.batch_size,
            seed=seed,
            dtype=self.conditions.dtype,
            options=self.choice.options,
        )

    def finish(self, run: Run, status: int) -> str:
        """Take over what a process has left, and return the line about it."""
        name = f"{self.choice.name} lr {run.configuration.lr:g} seed {run.configuration.seed}"
        record = _existing(run.path)
        if status != 0 or record is None:
            log = run.path.with_suffix(".log")
            reason = last_line(log) if status != 0 else f"{run.path} is missing or damaged"
            self.failed.append(run.path)
            return f"{name}: failed, {reason}"
        self.records.append(record)
        # The checkpoints of a finished run are of no use, and its log says what the record says.
        for left in (run.path.stem, f"{LOGS}/{run.path.stem}"):
            shutil.rmtree(run.folder / left, ignore_errors=True)
        loss, accuracy = record.final["test_loss"], record.final["test_accuracy"]
        if loss is None:
            return f"{name}: diverged"
        kind = "held-out" if _is_search(record) else "test"
        return f"{name}: {kind} loss {loss:.4f}, accuracy {accuracy:.2%}"


def _is_search(record: Record) -> bool:
    return str(record.configuration["data"]).endswith(HELD_OUT)


def _existing(path: Path) -> Record | None:
    """Return the record that lies there; a damaged one counts as none, and is made again."""
    try:
        return load(path) if path.exists() else None
    except RecordError:
        return None


def run_all(sweeps: Sequence[Sweep], processes: Processes) -> None:
    """## All sweeps at once

    Run everything that is due, side by side, and print a line for each run that has ended.

    One optimizer's search leaves places empty while it waits for the point that it would extend
    its grid by. So all sweeps share the places, and the first in the list goes first: the results
    come in one optimizer after the other.
    """
    owners: dict[Job, tuple[Sweep, Run]] = {}
    done = 0
    waiting: list[tuple[Sweep, Run]] = []
    while True:
        waiting += [(sweep, run) for sweep in sweeps for run in sweep.due()]
        waiting.sort(key=lambda item: sweeps.index(item[0]))
        while waiting and processes.free:
            sweep, run = waiting.pop(0)
            job = run.job(sweep.conditions)
            owners[job] = sweep, run
            processes.start(job)
        if not processes.busy:
            return
        for job, status, seconds in processes.wait():
            sweep, run = owners[job]
            done += 1
            line = sweep.finish(run, status)
            click.echo(f"[{done}, {len(waiting)} waiting] {line} ({seconds:.0f} s)")


def table(sweeps: Sequence[Sweep]) -> str:
    """Return what came out, one line for each optimizer.

    The rates that were tried stand with their held-out loss behind the chosen one and the test
    accuracies that it came to.
    """
    width = max(len(sweep.choice.name) for sweep in sweeps)
    head = f"{'optimizer':{width}}  {'lr':>7}  {'test accuracy, seeds':28}  held-out loss by lr"
    return "\n".join([head, *(_row(sweep, width) for sweep in sweeps)])


def _row(sweep: Sweep, width: int) -> str:
    losses = sweep.losses
    tried = ", ".join(f"{lr:g}: {_loss(loss)}" for lr, loss in losses.items())
    accuracies = [100 * record.final["test_accuracy"] for record in sweep.finals]
    chosen = f"{sweep.finals[0].configuration['lr']:g}" if sweep.finals else "none"
    values = " ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    middle = f"{median(accuracies):.2f} % ({values})" if accuracies else "no run"
    return f"{sweep.choice.name:{width}}  {chosen:>7}  {middle:28}  {tried}"


def _loss(loss: float) -> str:
    return "diverged" if math.isinf(loss) else f"{loss:.4f}"


def sweep(request: Request) -> int:
    """Make all runs, print the table, and return the exit status: 1 if anything failed."""
    for problem in request.problems:
        click.echo(problem, err=True)
    sweeps = [Sweep(choice, request.conditions) for choice in request.choices]
    with Processes(request.jobs) as processes:
        run_all(sweeps, processes)
    if sweeps:
        click.echo(table(sweeps))
    failed = sum(len(sweep.failed) for sweep in sweeps)
    if failed or request.problems:
        click.echo(
            f"{failed} runs failed, {len(request.problems)} optimizers could not be loaded; "
            "the same command does what is missing",
            err=True,
        )
        return 1
    return 0


main = sweep_command(sweep)

if __name__ == "__main__":
    sys.exit(run_command(main))

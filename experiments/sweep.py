r"""---
title: Choosing a learning rate
summary: >-
  A comparison of optimizers is a comparison of their learning rates, unless each one's rate is
  searched for: by the same rule, on images that decide nothing else.
chapter: "12.4"
needs: [experiments/mnist, experiments/training]
symbols:
  \alpha: lr
---

Is RAdam worse than Adam? Both have a default learning rate of 0.001. Train the
[MNIST network](mnist.py) for one epoch of 782 steps, with a rate that falls evenly to zero, and look at the loss on images that were held
back: Adam comes to 0.046, RAdam to 0.082, nearly twice as much. But:

| $\alpha$ | 0.0001 | 0.0003 | 0.001 | 0.003 | 0.01 | 0.03 |
|---|---|---|---|---|---|---|
| Adam | 0.190 | 0.089 | 0.046 | **0.038** | 2.302 | |
| RAdam | 0.375 | 0.185 | 0.082 | 0.049 | **0.035** | 0.042 |

RAdam shortens its steps for as long as it has seen few of them, to 0.2 of Adam's at step 100 and 0.6 at the end of the epoch. So it wants a
larger rate here, and in a longer run perhaps not. Each at its own best rate, they come out nearly the same. The first comparison was one
of two defaults, and a default is somebody's guess about somebody else's network.

The table shows a second thing. One point beyond its best rate Adam learns nothing at all: 2.302 is the loss of a network that finds all ten
digits about equally likely, $\log 10 = 2.3026$. For 17 of 49 optimizers the best rate lies just before such a cliff. For them, try one point less
before a longer run. With a warm-up of 200 steps Adam learns at 0.01 as well, and best there: the cliff stands at the start.

So the rate has to be searched for.

**Factors, not differences.** A step is the rate times a direction, so what twice the rate does is to double every step, from 0.001 to 0.002
as from 0.1 to 0.2. The grid of this chapter goes up by half a power of ten at each point, rounded to one digit:

$$\dots, \quad 0.0001, \quad 0.0003, \quad 0.001, \quad 0.003, \quad 0.01, \quad \dots$$

Five points around the one that is nearest to the optimizer's own default span a factor of one hundred.

**The best must not lie on the edge.** If it does, only one slope of the valley has been seen. Then
the grid gets one more point on that side, up to four times. If it still does then, the search ends there, and only the losses in the table show it.

**The test images stay out of it.** Who tries five rates and reports the best of five test
accuracies reports a little luck with it: one of the five happened to fit just these 10,000 images.
The search trains on the first 50,000 training images and looks at the other 10,000. When the test
images are looked at, they have no rate left to choose.

**The loss chooses, not the accuracy.** StableAdamW reads 9879 of the 10,000 images at 0.001 and 9879 at
0.003. The losses are 0.0440 and 0.0383. The loss, the mean of $-\log p$, hears all 10,000 images: also
those that both rates get right, one by a hair and the other by far. If you are paid for accuracy, and a loss is spoiled by few very sure mistakes, look
at both.

**The same rule for everyone.** One epoch for each rate, one seed, five points, at most four
extensions. The effort is not quite the same: a default far from the best rate gets more runs. What else a [fair comparison](comparison.py) needs has a chapter of
its own.

## Run it

```sh
python -m experiments.sweep --optimizers yogi
python -m experiments.sweep --experiment cifar --optimizers sgd --set momentum=0.9 --jobs 2
python -m experiments.sweep --optimizers all --lr 1e-4:1:9 --seeds 3 --jobs 8
```

The first command makes some eight runs: five or more of one epoch each, then three of three epochs
with the chosen rate on all training images, with the seeds 0, 1 and 2. The records of the search
lie in `runs/mnist/sweep`, those of the three runs in `runs/mnist`. At the end come a table and three pictures:
the loss over the rate, the learning curves with bands from the worst seed to the best, and the first step with an accuracy of 98 % on MNIST and
70 % on CIFAR-10.

`--lr 1e-4:1:9` is a grid of nine rates, and the only one there is: it grows at its edges as well, unless `--no-extend` says no. One rate
alone, `--lr 0.003`, means no search. `--set` holds for all optimizers, and is an error where one of them has no such argument.

A record that is there already is not made again. So a command that was broken off, or in which one run
failed, is simply given once more, and one with more seeds makes only theirs. A run that was broken off
goes on from its last checkpoint, at most twenty seconds of work behind. A run whose loss is no longer finite counts as infinitely bad. One that
failed, for want of memory perhaps, holds its search up: no rate is chosen without it.

More can be searched for than the rate, and more compared than optimizers:

| option | what it does |
|---|---|
| `--vary 'weight_decay=0;0.01;0.1'` | searches over any argument of the optimizers, each value with a grid of rates |
| `--search 30` | tries 30 points that follow from [those before](tuned_search.py), over the ranges of `--lr` and `--vary` |
| `--schedule wsd --schedule cosine` | compares schedules, each at its own best rate |
| `--rules none --rules layer-decay=0.75` | compares rules for parameter groups |
| `--search-seeds 3` | takes the median of three seeds at each point |
| `--stop-early asha` | stops runs that are worse than others of the same search at the same step |

The runs are made by [Ray Tune](https://docs.ray.io/en/latest/tune/index.html), on this machine or, with `--address`,
on a cluster whose machines all see the folder of the records. `--gpus-per-trial 0.25` puts four runs on one GPU. If the process of a run is killed, for want of memory
perhaps, it is started again, twice at most. Two sweeps in one folder share the work: whoever comes second to
a run waits for the first and takes the record. If the first is killed, its lock goes with it, and the second makes the run.

Does early stopping stop the best? It looks at a quarter of the steps for the first time, and lets the best
third go on. In 46 of the 49 searches on MNIST the rate that won belonged to that third. Adafactor's
came third of six, less than 2 % behind the second, and Prodigy's second of three. The last exception is Adam with a
warm-up of 200 steps: at step 196 it had made all its steps but the last few at smaller rates. So early stopping is a
risk with schedules that start slowly, and it is off unless asked for. No record of this course was made with it.

What this search cannot see: the best rate for one epoch need not be the best for three, and one
seed may favour a neighbour of the best point. Not all have the same handicap: RAdam, a warm-up of fixed length and a rate just
before a cliff suffer more from it. A search of three epochs with three seeds would cost nine times as much.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import click

from experiments.arms import Arm
from experiments.cli import notice, prepare, run_command
from experiments.search_space import Point, Range, Space
from experiments.sensitivity import best
from experiments.sweep_cli import Request, sweep_command
from experiments.sweep_plan import Search, Sweep
from experiments.sweep_report import save_pictures, table
from experiments.tuned_search import TunedSearch

# ## The grid
POINTS = 5
MOST_EXTENSIONS = 4


def rate_at(index: int) -> float:
    """Return the point of the grid with this number: 1 for 0, 3 for 1, 10 for 2, 0.3 for -1.

    It is made from its decimal digits: as a product of powers it would be
    0.00030000000000000003, and another run would be made for it than for 0.0003.
    """
    return float(f"{(1, 3)[index % 2]}e{index // 2}")


def index_of(lr: float) -> int:
    """Return the number of the point nearest to `lr`, in factors and before the points are rounded."""
    return round(2 * math.log10(lr))


def grid_around(lr: float) -> tuple[float, ...]:
    """Return the points of the grid that a search begins with; the middle one is nearest to `lr`."""
    middle = index_of(lr)
    return tuple(rate_at(middle + offset - POINTS // 2) for offset in range(POINTS))


def rates_to_try(
    first: Sequence[float],
    losses: Mapping[float, float],
    most_extensions: int = MOST_EXTENSIONS,
) -> tuple[float, ...]:
    """## The search

    Return the rates to be tried next, none when the search has ended.

    * `first`: the rates that the search begins with, all to be tried whatever comes out
    * `losses`: what came out so far; infinity for a run that diverged

    The search is a function of its results, so it needs no memory: after an interruption the
    records in the folder are the results, and it goes on from there.
    """
    if missing := tuple(lr for lr in first if lr not in losses):
        return missing
    if len(losses) - len(first) >= most_extensions:
        return ()
    chosen = best(losses)
    if chosen == min(losses):
        return (rate_at(index_of(chosen) - 1),)
    if chosen == max(losses):
        return (rate_at(index_of(chosen) + 1),)
    return ()


@dataclass(frozen=True)
class GridSearch:
    r"""### More than one dimension

    A rate that is best for one $\beta_1$ need not be the best for another. So each combination of the
    arguments that are varied beside the rate gets a grid of rates of its own, which grows by itself.
    This multiplies: three values of one argument and three of another make nine searches. `--search`
    tries as many points as it is told, wherever the [ones before](tuned_search.py) were good.
    """

    space: Space
    lr: float

    def next(self, losses: Mapping[Point, float], pending: Collection[Point]) -> list[Point]:
        """Return the points that every combination still needs."""
        extensions = MOST_EXTENSIONS if self.space.extends else 0
        return [
            Point(lr, options)
            for options in self.space.combinations()
            for lr in rates_to_try(
                self._first,
                {point.lr: loss for point, loss in losses.items() if point.options == options},
                extensions,
            )
        ]

    @property
    def _first(self) -> tuple[float, ...]:
        rates = self.space.rates or grid_around(self.lr)
        return rates.grid() if isinstance(rates, Range) else rates


def search_for(arm: Arm, space: Space) -> Search:
    """Return the search for the best point of an arm: tuned if the space says how long, else a grid."""
    kind = GridSearch if space.trials is None else TunedSearch
    return kind(space, arm.choice.lr)


def sweeps_of(request: Request) -> list[Sweep]:
    """Return the arms of a request, each with its search."""
    conditions = request.conditions
    return [
        Sweep(arm, search_for(arm, conditions.space), conditions, notice) for arm in request.arms
    ]


def sweep(request: Request, *, pictures: bool = True) -> int:
    """## All arms at once

    Make all runs, print a table, draw the pictures, and return the exit status: 1 if anything failed.

    One arm's search leaves places empty while it waits for the point that it would extend its grid
    by. So all arms share the places, and the first in the list goes first: the results come in one
    arm after the other.
    """
    # Ray takes seconds to import, and whoever imports this file for its grid needs none.
    from experiments.trials import run_all

    conditions = request.conditions
    # Missing data is an error now, and is downloaded once, not by each of the runs.
    conditions.experiment.load_data(conditions.data, request.places.data_root, notice)
    prepare(conditions.out)
    for problem in request.problems:
        click.echo(problem, err=True)
    sweeps = sweeps_of(request)
    run_all(sweeps, request.places)
    if sweeps:
        click.echo(table(sweeps, request.target))
    if pictures:
        for picture in save_pictures(sweeps, conditions.out, request.target):
            click.echo(f"picture {picture}")
    failed = sum(len(sweep.failed) for sweep in sweeps)
    if failed or request.problems:
        click.echo(
            f"{failed} runs failed, {len(request.problems)} optimizers could not be loaded; "
            "the same command does what is missing",
            err=True,
        )
    return 1 if failed or request.problems else 0


main = sweep_command(sweep)

if __name__ == "__main__":
    sys.exit(run_command(main))

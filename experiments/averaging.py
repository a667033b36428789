r"""---
title: Averages of weights, measured
summary: >-
  The last weights of a run, averages of them, and a falling learning rate, side by side on the same
  steps of Adam.
chapter: "12.6"
needs: [averaging, experiments/mnist, experiments/training]
symbols:
  \beta: decay
---

What do [averages of weights](../docs_src/averaging.md) gain on a real network? Adam trains that of
[MNIST](mnist.py) with $\alpha = 0.001$ for three epochs, with the seeds 0, 1 and 2. Four averages follow each
run: three exponential ones, and the equal average of every tenth step from the end of the first epoch on.
Then once more, with a learning rate that falls to 0. This is the loss on the 10,000 test images after the last
step, the median and the range over the seeds, and the median of the accuracy:

| learning rate | weights | test loss | range | test accuracy |
|---|---|---:|---:|---:|
| constant | last weights | 0.0314 | 0.0287 to 0.0320 | 99.09 % |
| constant | EMA, $\beta = 0.99$ | 0.0198 | 0.0184 to 0.0213 | 99.33 % |
| constant | EMA, $\beta = 0.996$ | 0.0191 | 0.0175 to 0.0200 | 99.37 % |
| constant | EMA, $\beta = 0.999$ | 0.0205 | 0.0191 to 0.0210 | 99.32 % |
| constant | equal average | 0.0196 | 0.0175 to 0.0197 | 99.35 % |
| linear | last weights | 0.0204 | 0.0198 to 0.0205 | 99.30 % |
| linear | EMA, $\beta = 0.99$ | 0.0204 | 0.0198 to 0.0205 | 99.29 % |
| linear | EMA, $\beta = 0.996$ | 0.0202 | 0.0197 to 0.0204 | 99.32 % |
| linear | EMA, $\beta = 0.999$ | 0.0219 | 0.0219 to 0.0223 | 99.33 % |
| linear | equal average | 0.0206 | 0.0202 to 0.0209 | 99.32 % |

## Four tenths of the loss are noise

With the constant rate the last weights end at 0.0314. They had 0.0281 an epoch earlier. In the third epoch the
run learns, but it does not show: from one look at the thousand images to the next, the loss changes by 0.008 in
the mean, up or down. The averages of the same run end at 0.0191 to 0.0205. The EMA with $\beta = 0.99$ has 0.0289 after
the *first* epoch, less than the last weights after the third.

All four averages beat the last weights with every seed. Among the averages $\beta = 0.996$ is ahead of 0.99 and
0.999 with every seed, by 0.0007 to 0.0016. Between it and the equal average nothing is decided: one seed is for
each, and the third sees no difference.

## Too long a memory

$\beta = 0.999$ looks a thousand steps back, and the run has 2814. At step 118 its loss is 2.05, while the weights
themselves have 0.15, and a network that knows nothing has 2.30. At the end of the first epoch it is 0.27 against
0.036. At the last step it has caught up, and still 6 % of it are the weights of step 1. The chapter's rule, a
tenth of the run, asks for $1 - 10 / 2814 = 0.9964$.

## Beside a falling rate

The falling rate takes the noise away by itself: 0.0204, as far down as the averages. On top of it the best
average gains one per cent, and the one with the longest memory loses seven.

With each seed the EMA with $\beta = 0.996$ of the constant rate is a little better than the falling rate. Do not
conclude much: both begin at 0.001, and the falling one is half of that in the mean. With the 0.003 that
[the sweep](sweep.py) chose for it, the falling rate ends at 0.0192, and there is nothing between them.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from experiments.averaging_cli import Options, averaging_command
from experiments.averaging_results import LAST, Comparison, load, panels, save
from experiments.cli import notice, prepare, run_command
from experiments.configuration import Configuration
from experiments.data import data_root
from experiments.drawing import to_svg
from experiments.environment import choose_device, make_reproducible
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.optimizers import choose_optimizer
from experiments.progress import Progress
from experiments.records import write_atomically
from experiments.runner import Run, Task
from experiments.training import History, Plan, check

SCHEDULES = ("constant", "linear")

# The equal average begins when a third of the steps is done, the end of the first of three epochs,
# and takes every tenth step from there on.
FIRST_THIRD = 3
EQUAL_EVERY = 10


@dataclass(frozen=True)
class Average:
    r"""## The averages

    * `decay`: $\beta$ of an exponential average; None for an equal one
    """

    decay: float | None = None

    def start(self, model: nn.Module) -> AveragedModel:
        """Return an average of which no weights are a part yet."""
        rule = None if self.decay is None else get_ema_multi_avg_fn(self.decay)
        return AveragedModel(model, multi_avg_fn=rule)

    def takes(self, step: int, plan: Plan) -> bool:
        """Return whether the weights after `step` become a part of it."""
        if self.decay is not None:
            return True
        first = max(1, plan.total_steps // FIRST_THIRD)
        return step >= first and (step - first) % EQUAL_EVERY == 0


AVERAGES = {
    "ema-0.99": Average(0.99),
    "ema-0.996": Average(0.996),
    "ema-0.999": Average(0.999),
    "swa": Average(),
}


def compare(run: Run) -> Comparison:
    """## One run, five networks

    Train to the end, and return what was seen of the last weights and of every average.

    An average looks on. It changes nothing in the run, so all of them can follow the same one, and
    no difference between them is luck in the order of the images.
    """
    plan, data = run.plan, run.task.data
    averages = {name: average.start(run.model) for name, average in AVERAGES.items()}
    histories = {LAST: run.history}
    histories |= {name: History(run.task.device) for name in averages}
    with Progress(plan, run.task.configuration.name, 0) as progress:
        for step in run.steps():
            progress.step(step)
            for name, averaged in averages.items():
                if AVERAGES[name].takes(step, plan):
                    averaged.update_parameters(run.model)
                if plan.checks(step) and averaged.n_averaged > 0:
                    whole = plan.evaluates(step)
                    check(averaged, data, histories[name], step, whole=whole)
            for name, table in run.history.curves.items():
                if row := table.at(step):
                    progress.show(name, row)
    record = run.record()
    return Comparison(
        configuration=record.configuration,
        data=record.data,
        environment=record.environment,
        times=record.times,
        curves={name: looks(history) for name, history in histories.items()},
    )


def looks(history: History) -> dict[str, dict[str, list[float]]]:
    """Return what a history knows of the test images, table by table."""
    return {name: history.curves[name].columns for name in ("test", "test_subset")}


def run(options: Options) -> None:
    """Make the runs that the command line asks for, print what came out, and save it."""
    device = choose_device(options.device)
    make_reproducible(device, options.threads)
    root = data_root(options.data_root)
    data = MNIST.load_data(options.data_choice, root, notice).to(device)
    prepare(options.out)
    choice = choose_optimizer("adam", options.lr, ())
    comparisons = []
    for schedule, seed in itertools.product(SCHEDULES, options.seeds):
        configuration = Configuration(
            experiment="averaging",
            model=MNIST.model,
            optimizer=choice.name,
            data=data.name,
            lr=choice.lr,
            schedule=schedule,
            epochs=options.epochs,
            batch_size=MNIST.recipe.batch_size,
            seed=seed,
        )
        place = (data, device, options.out)
        task = Task(configuration, MNIST.recipe.make_model, choice, *place)
        comparison = compare(Run(task))
        click.echo(describe(comparison))
        record = save(comparison, options.out)
        click.echo(f"  record {record}")
        comparisons.append(load(record))
    draw(comparisons, options.out / "averaging.svg")


def draw(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw what the records say, unless every run has diverged."""
    if not (drawn := panels(comparisons)):
        notice("no loss is finite: there is no chart")
        return
    write_atomically(path, to_svg(line_chart(drawn)).encode())
    click.echo(f"chart {path}")


def describe(comparison: Comparison) -> str:
    """Say what each kind of weights has come to."""
    finals = {weights: comparison.final(weights) for weights in comparison.curves}
    texts = (
        f"{weights} {final['loss']:.4f}, {final['accuracy']:.2%}"
        for weights, final in finals.items()
    )
    head = f"{comparison.schedule}, seed {comparison.configuration['seed']}"
    return f"{head}: test loss and accuracy {'; '.join(texts)}"


main = averaging_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Running it
#
# ```
# python -m experiments.averaging
# python -m experiments.averaging --lr 0.003 --seeds 1
# python -m experiments.averaging --data digits --epochs 20
# ```
#
# Every seed trains twice. A run leaves one record with the loss and accuracy of its weights and its four
# averages, and the command one chart.
#
# ## Exercises
#
# **1.** The equal average begins after the first epoch. What would it be if it began at step 1?
#
# ::: solution
# An average of half as many weights again, all of them worse than the others. An equal average never
# forgets: at the end the first 300 steps, in which the loss fell from 2.3 to 0.1, would still make up a tenth of
# it. An EMA forgets them by itself, if its memory is short enough.
# :::
#
# **2.** Suppose that each of the four averages had followed a run of its own, with a seed of its own. What could the
# table still tell?
#
# ::: solution
# That averages are better than last weights: 0.011 lies between them, and 0.003 between the seeds.
# Nothing about the averages among each other. On the same run they see the same noise, and what is left when two
# of them are compared is the difference of their rules.
# :::
#
# **3.** The loss of the last weights fell by four tenths when they were averaged. If all of the difference is noise
# around the middle of a bowl, what would the loss of the last weights be with $\alpha = 0.0005$?
#
# ::: solution
# Near the floor the gradient is mostly noise, so $\sqrt v$ hardly depends on $\alpha$, and Adam is gradient
# descent with the rate $\alpha / \sqrt v$. Its floor is proportional to that as long as the rate is small. So 0.019
# are left without noise, and half of the 0.012 above it: 0.025. Whether the run would have come as far with half
# the step is another question.
# :::

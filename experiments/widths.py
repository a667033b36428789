r"""---
title: The best rate at every width
summary: >-
  Networks of five widths are trained with ten learning rates each, in the standard parametrization
  and in muP: in the one the best rate falls with the width.
chapter: "12.9"
needs: [param_groups/width, experiments/mnist]
symbols:
  n: width
---

Networks with two hidden layers read MNIST, each for one pass with [Adam](../labml_nn_optim/optimizers/adam.py): five widths, ten learning rates from
$2^{-13}$ to $2^{-4}$, three seeds. Once with torch's initialization and one rate for all layers, and once in
[muP](../labml_nn_optim/param_groups/width.py), scaled from the width 64. A loss below is the median over the seeds, and the best rate is the lowest
point of a parabola through the best of the ten and its neighbours.

| width | best rate, standard | loss there | loss at $2^{-8}$ |
|---:|---:|---:|---:|
| 64 | $2^{-7.9}$ | 0.1683 | 0.1683 |
| 128 | $2^{-8.4}$ | 0.1431 | 0.1431 |
| 256 | $2^{-9.0}$ | 0.1253 | 0.1395 |
| 512 | $2^{-9.7}$ | 0.1213 | 0.1434 |
| 1024 | $2^{-10.3}$ | 0.1155 | 0.1580 |

| width | best rate, muP | loss there | loss at $2^{-8}$ |
|---:|---:|---:|---:|
| 64 | $2^{-7.9}$ | 0.1683 | 0.1683 |
| 128 | $2^{-7.9}$ | 0.1424 | 0.1424 |
| 256 | $2^{-7.7}$ | 0.1329 | 0.1329 |
| 512 | $2^{-7.4}$ | 0.1273 | 0.1286 |
| 1024 | $2^{-7.5}$ | 0.1239 | 0.1245 |

$2^{-8}$ is the rate that a search at the width 64 finds.

## The best rate falls by a factor of five

In the standard parametrization it falls at every doubling, by 2.4 octaves in all: sixteen times the width, a fifth of the
rate. Nobody who has searched at 64 would know. At 1024 the rate of the narrow network costs 37 %, and beyond 256 a wider network is *worse*.

Why a fifth and not a sixteenth? The hidden layer asks for a rate that falls like $1/n$, and the input layer for one that stays. With one rate for
both it is a compromise, and here that is $n^{-0.6}$. Another network makes another compromise, so this exponent is no rule.

## In muP it rises a little

By half an octave from 64 to 512, and not further. The rate of the narrow network costs 1 % at the most, less than the seeds differ, and a wider network is better at
every doubling.

The charts at the end of the page show more than the lowest points. On the left of the muP panel, where rates are small, the five lines are nearly one: at $2^{-11}$ the losses go
from 0.265 to 0.250, and in the standard parametrization from 0.265 to 0.118. A step of muP moves the network equally far at every
width. On the right the wide networks bear more: at $2^{-5}$ the loss is 0.36 at 64 and 0.16 at 1024.

## What it does not give

At 1024 the search in the standard parametrization ends at 0.1155, below the 0.1239 of muP, with all three seeds. muP keeps the balance between the
layers that the base has. It says how to keep it, not that it is a good one.

A standard network of 256 is a muP network with the base 256, and it had 0.1253, where muP from 64 had 0.1329. So a wider base
should help, and it does: scaled from 256 to 1024 muP comes to 0.1192, and its best rate stays at $2^{-9}$, where it was. At the rate of the base it was 0.0090
behind the search, and is now 0.0037.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from experiments.cli import notice, prepare, run_command
from experiments.data import data_root
from experiments.drawing import to_svg
from experiments.environment import choose_device, describe_environment, make_reproducible
from experiments.grids import Grid, save
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.records import write_atomically
from experiments.training import Plan, batches
from experiments.widths_cli import Options, widths_command
from experiments.widths_results import MUP, STANDARD, best_lr, median, panels
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.param_groups import WidthScaling, param_groups

LRS = tuple(2.0**power for power in range(-13, -3))
BATCH_SIZE = 128

# The loss of a run is the mean over this share of its steps, the last ones.
LAST_SHARE = 5

PIXELS, CLASSES = 28 * 28, 10


def make_model(width: int) -> nn.Sequential:
    """## The network

    Return a network with two hidden layers of `width` units, on images of shape `[batch, 784]`.
    """
    return nn.Sequential(
        nn.Linear(PIXELS, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, CLASSES),
    )


@dataclass(frozen=True)
class Setting:
    """One run.

    * `parametrization`: `standard`, with torch's initialization and one learning rate, or `mup`
    * `base_width`: the width at which both are the same
    """

    parametrization: str
    width: int
    base_width: int
    lr: float
    seed: int

    def start(self, device: torch.device) -> tuple[nn.Sequential, Adam]:
        """Return a new model and its optimizer."""
        torch.manual_seed(self.seed)
        model = make_model(self.width)
        rules = []
        if self.parametrization == MUP:
            scaling = WidthScaling(make_model(self.base_width))
            scaling.scale_init_(model)
            rules = [scaling]
        model.to(device)
        groups = param_groups(model, rules, lr=self.lr, weight_decay=0.0)
        return model, Adam(groups)


def train(setting: Setting, images: Tensor, labels: Tensor, epochs: float) -> float:
    r"""## One run

    Return the mean of the training loss over the last fifth of the steps.

    In the first pass every batch is new to the network, so this is as good as a loss on test images. The rate is
    constant: a falling one would blur what a rate does.

    * `images`: float32, shape `[samples, 784]`
    * `labels`: int64, shape `[samples]`
    """
    model, optimizer = setting.start(images.device)
    losses = []
    for _, batch in batches(Plan(len(labels), BATCH_SIZE, epochs, setting.seed), 0, labels.device):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    last = losses[-max(1, len(losses) // LAST_SHARE) :]
    return torch.stack(last).mean().item()


def settings(widths: Sequence[int], seeds: Sequence[int]) -> Iterator[Setting]:
    """Yield the settings of all runs; at the least width, the base, both parametrizations are one."""
    base = min(widths)
    for width, parametrization in itertools.product(widths, (STANDARD, MUP)):
        if width > base or parametrization == STANDARD:
            for lr, seed in itertools.product(LRS, seeds):
                yield Setting(parametrization, width, base, lr, seed)


def run(options: Options) -> None:
    """Train with all settings, print what came out, and save it."""
    device = choose_device(options.device)
    make_reproducible(device, options.threads)
    root = data_root(options.data_root)
    data = MNIST.load_data(options.data_choice, root, notice).to(device)
    images, labels = data.train_images.flatten(1), data.train_labels
    prepare(options.out)
    clock = time.perf_counter()
    rows: list[dict[str, Any]] = []
    listed = list(settings(options.widths, options.seeds))
    for setting in tqdm(listed, desc="runs", leave=False, disable=None):
        loss = train(setting, images, labels, options.epochs)
        rows.append(
            {
                "parametrization": setting.parametrization,
                "width": setting.width,
                "lr": setting.lr,
                "seed": setting.seed,
                "loss": loss,
            }
        )
    grid = Grid(
        experiment="widths",
        configuration={
            "data": data.name,
            "optimizer": "adam",
            "batch_size": BATCH_SIZE,
            "epochs": options.epochs,
            "widths": list(options.widths),
            "base_width": min(options.widths),
            "lrs": list(LRS),
            "seeds": list(options.seeds),
        },
        data=data.describe(),
        environment=describe_environment(device),
        seconds=round(time.perf_counter() - clock, 1),
        rows=rows,
    )
    for parametrization, width in itertools.product((STANDARD, MUP), options.widths):
        click.echo(describe(grid, parametrization, width))
    click.echo(f"record {save(grid, options.out)}")
    path = options.out / f"{grid.file_name.removesuffix('.json')}.svg"
    write_atomically(path, to_svg(line_chart(panels(grid))).encode())
    click.echo(f"chart {path}")


def describe(grid: Grid, parametrization: str, width: int) -> str:
    """Say which rate is the best for a width, and what the base's best rate is worth there."""
    lr = best_lr(grid, parametrization, width)
    base = best_lr(grid, parametrization, grid.configuration["base_width"])
    return (
        f"{parametrization}, width {width}: loss {median(grid, parametrization, width, lr):.4f} with "
        f"the best rate {lr:.3g}, {median(grid, parametrization, width, base):.4f} with {base:.3g}"
    )


main = widths_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Running it
#
# ```
# python -m experiments.widths
# python -m experiments.widths --widths 256,1024
# python -m experiments.widths --data digits --widths 16,64 --epochs 4
# ```
#
# The least of the widths is the base. The first command makes 270 runs, and 60 of them, those of the width 1024, take more than half of the time.
#
# ## Traps
#
# - **The edge of the grid.** A best rate at the first or the last rate that was tried is none. The ten rates reach nearly three octaves
#   beyond the best ones of the tables, to either side.
# - **A constant rate.** Here the loss at the end of a run holds the noise of the last steps, which large rates have more of. How much the best
#   rate moves under one that falls to 0 was not run.
# - **Short runs.** 469 steps are few. A small rate has no time to arrive, so the left side of every curve is about speed and
#   not about what a rate could reach.
#
# ## Exercises
#
# **1.** A search at the width 1024 costs a hundred runs of a large network. What does one at 64 cost, and what does its result lose in either
# parametrization?
#
# ::: solution
# A step at the width 64 took 0.63 ms on one core, and 16 ms at 1024: a twenty-fifth, run for run. Without muP the result loses 37 %. With muP it loses
# $0.1245 / 0.1155 - 1 = 8\,\%$ against a search in the standard parametrization at 1024, and 0.5 % against one in muP.
# :::
#
# **2.** Somebody divides the rate of *all* layers by $n / 64$. What do the numbers say of that?
#
# ::: solution
# At 1024 the rate is then $2^{-8} / 16 = 2^{-12}$. The loss in the standard parametrization is 0.143 there, against 0.116 at the best rate. That is 23 %
# instead of 37 % without any scaling, and now the input layer is too slow. $n^{-0.6}$ would have been right, and nothing but the search could
# tell.
#
# ```python
# from experiments.widths_results import STANDARD, best_lr, find, median
#
# grid = find(64)
# scaled = best_lr(grid, STANDARD, 64) / 16
# (lr,) = [lr for lr in grid.configuration["lrs"] if abs(lr / scaled - 1) < 1e-4]
# losses = [median(grid, STANDARD, 1024, each) for each in (lr, best_lr(grid, STANDARD, 1024))]
# assert [round(loss, 3) for loss in losses] == [0.143, 0.116]
# ```
# :::

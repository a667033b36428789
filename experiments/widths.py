r"""---
title: The best rate at every width
summary: >-
  Networks of five widths are trained with ten learning rates each, in the standard parametrization
  and in muP: in the one the best rate falls with the width.
chapter: "12.9"
needs: [param_groups/width, experiments/mnist]
symbols:
  \alpha: lr
  t: step
---

(prose to come)
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
from experiments.curves import to_svg
from experiments.data import data_root
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

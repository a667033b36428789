r"""---
title: Kinds of weight decay, measured
summary: >-
  A network that has learned a thousand digits by heart, with weight decay in the gradient, beside it,
  cautious, and by the same amount for all weights.
chapter: "12.7"
needs: [weight_decay, decays/cautious, decays/l1, experiments/mnist]
symbols:
  \alpha: lr
  \lambda: weight_decay
---

(prose to come)
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.cli import notice, prepare, run_command
from experiments.curves import to_svg
from experiments.data import Data, data_root
from experiments.decay_cli import Options, decay_command
from experiments.decay_results import LAYERS, NAMES, NO_DECAY, accuracy_panel, loss_panel
from experiments.environment import choose_device, describe_environment, make_reproducible
from experiments.grids import Grid, save
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.optimizers import OptionError
from experiments.records import write_atomically
from experiments.training import Plan, batches, evaluate, generator_for
from labml_nn_optim.decays import CautiousWeightDecay, L1WeightDecay
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.param_groups import param_groups
from labml_nn_optim.schedulers.scheduler import Scheduler
from labml_nn_optim.schedules import LinearDecreasingSchedule
from labml_nn_optim.weight_decay import WeightDecay

BATCH_SIZE = 50
CLASSES = 10

SMALL = 0.001
"""A weight below this counts as small."""


@dataclass(frozen=True)
class Kind:
    r"""## The kinds

    * `make`: returns a weight decay of the strength $\lambda$
    * `weight_decays`: the strengths that are tried, from one that does little to one that does harm
    """

    make: Callable[[float], WeightDecay]
    weight_decays: tuple[float, ...]


# Only within one kind do two numbers mean the same thing, so each has a grid of its own.
KINDS = {
    NO_DECAY: Kind(WeightDecay, (0.0,)),
    "coupled": Kind(
        lambda decay: WeightDecay(decay, weight_decouple=False),
        (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    ),
    "decoupled": Kind(WeightDecay, (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    "cautious": Kind(CautiousWeightDecay, (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    "l1": Kind(L1WeightDecay, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)),
}


@dataclass(frozen=True)
class Setting:
    """One run of many: what it has of its own."""

    kind: str
    weight_decay: float
    lr: float
    seed: int


def settings(options: Options) -> Iterator[Setting]:
    """Yield all runs that the command line asks for, those without decay first."""
    for kind in (NO_DECAY, *options.kinds):
        for decay in KINDS[kind].weight_decays:
            for lr in options.lrs:
                for seed in options.seeds:
                    yield Setting(kind, decay, lr, seed)


@dataclass(frozen=True)
class Samples:
    """## The images

    * `images`: float32, shape `[samples, 1, 28, 28]`
    * `labels`: int64, shape `[samples]`
    """

    images: Tensor
    labels: Tensor

    def loss_and_accuracy(self, model: nn.Module) -> tuple[float, float]:
        """Return the mean loss of `model`, and the share that it reads right."""
        losses, correct = evaluate(model, self.images, self.labels)
        return losses.mean().item(), correct.mean().item()


@dataclass(frozen=True)
class Parts:
    """The images to learn from, those to choose a strength by, and those of the test."""

    train: Samples
    held_out: Samples
    test: Samples


def split(data: Data, samples: int, wrong_labels: float) -> Parts:
    """Return the first training images to learn from, and the last ones to choose by.

    The network is far too large for a thousand images: it will know them by heart. Weight decay has
    something to do then.

    Raises `OptionError` if there are not so many images.
    """
    kept = data.hold_out()
    if samples > len(kept.train_labels):
        raise OptionError(f"--samples {samples}: there are {len(kept.train_labels)} images")
    labels = with_wrong_labels(kept.train_labels[:samples], wrong_labels)
    return Parts(
        train=Samples(kept.train_images[:samples], labels),
        held_out=Samples(kept.test_images, kept.test_labels),
        test=Samples(data.test_images, data.test_labels),
    )


def with_wrong_labels(labels: Tensor, share: float) -> Tensor:
    """Return the labels, int64, shape `[samples]`, a share of them replaced by other digits.

    The images and their wrong digits are drawn once, so that all seeds learn from the same ones.
    """
    generator = generator_for("wrong labels")
    chosen = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    shift = torch.randint(1, CLASSES, (len(chosen),), generator=generator)
    replaced = labels.clone()
    chosen, shift = chosen.to(labels.device), shift.to(labels.device)
    replaced[chosen] = (labels[chosen] + shift) % CLASSES
    return replaced


def train(setting: Setting, samples: Samples, steps: int) -> tuple[nn.Module, Adam]:
    r"""## One run

    Return the trained network and its optimizer.

    Runs with one seed begin with the same weights and see the same batches. Biases have no decay:
    [param_groups](../labml_nn_optim/param_groups/groups.py) leaves them out unless told otherwise. The
    learning rate falls to 0.
    """
    torch.manual_seed(setting.seed)
    model = MNIST.make_model().to(samples.images.device)
    decay = KINDS[setting.kind].make(setting.weight_decay)
    optimizer = Adam(param_groups(model, weight_decay=decay), lr=setting.lr)
    falling = LinearDecreasingSchedule(max_value=1, exclude_last=True)
    scheduler = Scheduler(optimizer, falling, mode="relative", total_steps=steps)
    epoch = math.ceil(len(samples.labels) / BATCH_SIZE)
    plan = Plan(len(samples.labels), BATCH_SIZE, steps / epoch, setting.seed)
    for _, batch in batches(plan, 0, samples.labels.device):
        optimizer.zero_grad()
        functional.cross_entropy(model(samples.images[batch]), samples.labels[batch]).backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer


def row(setting: Setting, parts: Parts, steps: int) -> dict[str, Any]:
    """Make one run, and return its row of the grid."""
    model, optimizer = train(setting, parts.train, steps)
    found: dict[str, Any] = {
        "kind": setting.kind,
        "weight_decay": setting.weight_decay,
        "lr": setting.lr,
        "seed": setting.seed,
    }
    for name in ("train", "held_out", "test"):
        samples: Samples = getattr(parts, name)
        found[f"{name}_loss"], found[f"{name}_accuracy"] = samples.loss_and_accuracy(model)
    return found | weight_sizes(model, optimizer, steps)


def weight_sizes(model: nn.Module, optimizer: Adam, steps: int) -> dict[str, float]:
    r"""## What is looked at

    Return for each layer the length of its weights, and the size of its gradients; and of all weights
    the share that is exactly 0, and that is smaller than 0.001.

    Adam has measured the gradients: $\hat v$ is the mean of their squares over the last thousand steps,
    so over the whole run here. What a layer has is the root of the mean over its weights.
    """
    (beta2,) = {group["betas"][1] for group in optimizer.param_groups}
    found = {}
    weights = {layer: model.get_parameter(f"{layer}.weight") for layer in LAYERS}
    for layer, weight in weights.items():
        mean_square = optimizer.state[weight]["exp_avg_sq"].mean().item() / (1 - beta2**steps)
        found[f"norm_{layer}"] = weight.norm().item()
        found[f"gradient_{layer}"] = math.sqrt(mean_square)
    every = torch.cat([weight.detach().flatten() for weight in weights.values()]).abs()
    found["zero"] = (every == 0).float().mean().item()
    found["small"] = (every < SMALL).float().mean().item()
    return found


def run(options: Options) -> None:
    """Make the runs that the command line asks for, print what came out, and save it."""
    device = choose_device(options.device)
    make_reproducible(device, options.threads)
    root = data_root(options.data_root)
    data = MNIST.load_data(options.data_choice, root, notice).to(device)
    parts = split(data, options.samples, options.wrong_labels)
    prepare(options.out)
    clock = time.perf_counter()
    rows = []
    for setting in settings(options):
        rows.append(row(setting, parts, options.steps))
        click.echo(describe(rows[-1]))
    described = data.describe() | {
        "train_samples": options.samples,
        "held_out_samples": len(parts.held_out.labels),
    }
    grid = Grid(
        experiment="decay",
        configuration=configuration_of(options, data),
        data=described,
        environment=describe_environment(device),
        seconds=round(time.perf_counter() - clock, 1),
        rows=rows,
    )
    click.echo(f"record {save(grid, options.out)}")
    if len(options.lrs) == 1:
        draw(grid, options)


def draw(grid: Grid, options: Options) -> None:
    """Draw loss and errors over the strength."""
    path = options.out / f"{grid.file_name.removesuffix('.json')}.svg"
    panels = [loss_panel(grid, options.kinds), accuracy_panel(grid, options.kinds)]
    write_atomically(path, to_svg(line_chart(panels)).encode())
    click.echo(f"chart {path}")


def configuration_of(options: Options, data: Data) -> dict[str, Any]:
    """Return what all runs of a command have in common, and which values they differ in."""
    return {
        "data": data.name,
        "samples": options.samples,
        "wrong_labels": options.wrong_labels,
        "steps": options.steps,
        "batch_size": BATCH_SIZE,
        "optimizer": "adam",
        "schedule": "linear",
        "kinds": {kind: list(KINDS[kind].weight_decays) for kind in (NO_DECAY, *options.kinds)},
        "lr": list(options.lrs),
        "seeds": list(options.seeds),
    }


def describe(found: dict[str, Any]) -> str:
    """Say what one run has come to."""
    strength = f" {found['weight_decay']:g}" if found["weight_decay"] else ""
    return (
        f"{NAMES[found['kind']]}{strength}, learning rate {found['lr']:g}, seed {found['seed']}: "
        f"train loss {found['train_loss']:.4f}, test loss {found['test_loss']:.4f}, "
        f"test accuracy {found['test_accuracy']:.2%}"
    )


main = decay_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

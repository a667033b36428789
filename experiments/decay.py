r"""---
title: Kinds of weight decay, measured
summary: >-
  A network that learns a thousand digits by heart, with decay in the gradient, decoupled, cautious, and
  L1.
chapter: "12.7"
needs: [weight_decay, decays/cautious, decays/l1, experiments/mnist]
symbols:
  \alpha: lr
  \lambda: weight_decay
---

What does [weight decay](../labml_nn_optim/weight_decay.py) do to a real network, and does its kind matter?
The network of [MNIST](mnist.py) gets 1000 training images, and so 430 weights for each. Adam sees them 20
times, in 400 steps, while $\alpha$ falls from 0.001 to 0. In the end it knows all of them by heart.

Each kind of decay runs with six strengths, half a power of ten apart, and the seeds 0, 1 and 2. The last
10,000 training images, of which the network learns nothing, choose the strength. Then the 10,000 test images
say, median and range:

| decay | $\lambda$ | training loss | test loss | range | test accuracy |
|---|---:|---:|---:|---:|---:|
| no decay | 0 | 0.0042 | 0.1801 | 0.1794 to 0.1866 | 94.83 % |
| in the gradient | 0.01 | 0.0239 | 0.1604 | 0.1477 to 0.1650 | 94.82 % |
| decoupled | 3 | 0.0306 | 0.1563 | 0.1535 to 0.1623 | 94.96 % |
| cautious | 10 | 0.0108 | 0.1433 | 0.1395 to 0.1525 | 95.28 % |
| L1 | 0.1 | 0.0363 | 0.1566 | 0.1543 to 0.1624 | 94.98 % |

Each kind lowers the loss, with every seed. Only cautious decay moves the accuracy by more than the seeds differ.
The numbers $\lambda$ of different kinds do not mean the same.

## The same loss, other weights

Between decay in the gradient and decoupled decay the loss decides nothing: two seeds are for the one, the third
is for the other. The networks are not the same at all. This is the norm of each layer, as a share of its
norm without decay, median of the seeds:

| layer | size of its gradients | in the gradient | decoupled |
|---|---:|---:|---:|
| hidden | 0.0009 | 0.34 | 0.62 |
| conv2 | 0.0032 | 0.69 | 0.71 |
| conv1 | 0.0093 | 0.90 | 0.67 |
| output | 0.0170 | 0.87 | 0.69 |

Adam divides what is in the gradient by $\sqrt v$, the decay with the rest. The layer with the smallest
gradients pays for it.

Within a layer it is the same. Sort the 400,000 weights of the hidden layer by the size that their gradients
have without decay, and divide them into ten equal parts. From the smallest gradients to the largest:

| decay | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| in the gradient | 0.07 | 0.08 | 0.08 | 0.14 | 0.24 | 0.32 | 0.38 | 0.44 | 0.50 | 0.60 |
| decoupled | 0.55 | 0.55 | 0.60 | 0.66 | 0.66 | 0.64 | 0.63 | 0.62 | 0.62 | 0.61 |

The 0.55 is decay alone: the 400 rates sum to 0.2005, and $e^{-3 \cdot 0.2005} = 0.548$. In the gradient, too,
these weights hear little but decay, and Adam makes a step of nearly $\alpha$ of it, however small $\lambda$ is.
With $\lambda = 0.0003$ the loss has noticed nothing yet (0.1823), but 16 % of all weights are already below 0.001,
in place of 3 %. None is exactly 0.

## Another learning rate

Two seeds, three rates. The strength with the least held-out loss, and the median of the test loss there:

| decay | $\alpha = 0.0003$ | $\alpha = 0.001$ | $\alpha = 0.003$ |
|---|---:|---:|---:|
| no decay | 0.2207 | 0.1834 | 0.1877 |
| in the gradient | 0.0003: 0.2212 | 0.01: 0.1627 | 0.01: 0.1455 |
| decoupled | 0.3: 0.2215 | 3: 0.1593 | 3: 0.1422 |
| cautious | 30: 0.1994 | 30: 0.1438 | 10: 0.1288 |
| L1 | 0.003: 0.2207 | 0.1: 0.1595 | 0.1: 0.1411 |

At 0.0003 the 400 steps are too few to learn everything by heart, and three of the kinds have nothing to improve:
for them the weakest decay of the grid is the best one. From 0.001 to 0.003 the best $\lambda$ of these
three stays where it is. If $\alpha\lambda$ alone counted, that of decoupled decay would have gone to a third. There is
little in it, though: at $\alpha = 0.003$ its held-out loss is 0.1511 with $\lambda = 1$ and 0.1491 with 3.

From 0.001 to 0.003 the loss without decay does not fall, and with every kind of decay it does.

## Cautious decay

[It](../labml_nn_optim/decays/cautious.py) is ahead of the others at all three rates and with every seed. It
leaves the training loss alone: 0.0108, a third of what the decoupled one has. And it forgives. From
$\lambda = 0.3$ to 100 all its strengths are better than no decay, with all three seeds, while decoupled decay does
harm from 10 on. At $\alpha = 0.003$ it forgives less: with $\lambda = 30$ one of two seeds ends at 0.1415, the other at
0.4323.

## L1

[It](../labml_nn_optim/decays/l1.py) has the loss of decoupled decay, with a third of all weights at exactly
zero. With $\lambda = 0.3$ it is 79 %, for 0.8 points of accuracy. At $\alpha = 0.003$ and $\lambda = 0.1$ it is
84 and 78 %, with no harm: 95.64 and 95.20 %, where no decay has 95.22 and 95.57 %.

## Wrong labels

Let 200 of the 1000 labels be wrong, drawn once. Now the accuracy on the images held out, whose labels are right,
chooses:

| decay | $\lambda$ | training accuracy | test images read wrong | range |
|---|---:|---:|---:|---:|
| no decay | 0 | 92.1 % | 11.96 % | 11.87 to 12.68 % |
| in the gradient | 0.03 | 80.5 % | 7.41 % | 7.00 to 7.90 % |
| decoupled | 10 | 77.9 % | 7.75 % | 7.57 to 7.91 % |
| cautious | 100 | 78.1 % | 7.14 % | 7.06 to 8.07 % |
| L1 | 0.1 | 82.3 % | 8.32 % | 7.47 to 8.54 % |

Without decay the network knows 92 % of its labels, and so at least 60 % of the wrong ones. With decay it knows
about as many as are right. Among the kinds the ranges overlap, and for cautious decay the grid ends at its best
strength.

## What this does not show

One small network and short runs. $\lambda = 3$ is 300 times the default of AdamW: so few steps need so much. That
cautious decay wins here says nothing about a network that never sees an image twice.
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
from experiments.data import Data, data_root
from experiments.decay_cli import Options, decay_command
from experiments.decay_results import LAYERS, NAMES, NO_DECAY, accuracy_panel, loss_panel
from experiments.drawing import to_svg
from experiments.environment import choose_device, describe_environment, make_reproducible
from experiments.grids import Grid, save
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.optimizers import OptionError
from experiments.randomness import generator_for
from experiments.records import write_atomically
from experiments.training import Plan, batches, evaluate
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
    model = MNIST.recipe.make_model().to(samples.images.device)
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

# ## Running it
#
# ```
# python -m experiments.decay
# python -m experiments.decay --wrong-labels 0.2
# python -m experiments.decay --lr 0.0003,0.001,0.003 --seeds 0,1
# python -m experiments.decay --data digits --seeds 1 --steps 20 --kinds decoupled,coupled
# ```
#
# The first three made the results of this page: 300 runs of some five seconds on a core that does nothing else.
# Each command leaves one file. The last needs no MNIST.
#
# The ten parts of the hidden layer are not in these files. For them the runs without decay, with
# `coupled` at 0.01 and `decoupled` at 3 were made once more by [train](#train).
#
# ## Exercises
#
# **1.** A weight of the hidden layer begins at 0.03 and never gets a gradient from the loss. Where does it end with
# $\lambda = 0.0003$ in the gradient, and where with the same $\lambda$ decoupled?
#
# ::: solution
# In the gradient its $m$ and $\sqrt v$ are both about $\lambda\theta$ at first, so Adam moves it by $\alpha$ a step. After
# 40 steps it is at 0.0007, swings through zero, and comes to rest there. Decoupled it loses $0.2005 \cdot 0.0003$,
# which is 0.006 %.
#
# ```python
# import torch
#
# from labml_nn_optim import Adam, WeightDecay
#
#
# def end(weight_decay):
#     theta = torch.nn.Parameter(torch.full((1,), 0.03, dtype=torch.float64))
#     optimizer = Adam([theta], weight_decay=weight_decay)
#     for step in range(400):
#         optimizer.param_groups[0]["lr"] = 0.001 * (1 - step / 400)
#         theta.grad = torch.zeros_like(theta)
#         optimizer.step()
#     return theta.item()
#
#
# assert abs(end(WeightDecay(0.0003, weight_decouple=False))) < 1e-6
# assert round(end(WeightDecay(0.0003)) / 0.03, 5) == 0.99994
# ```
# :::
#
# **2.** With wrong labels the errors of decoupled decay are fewest at $\lambda = 10$. The test loss is 0.5377 there, and
# 0.4397 without decay. How can a network that reads more images right have the larger loss?
#
# ::: solution
# It is less sure. Where a fifth of the labels is wrong, a network that has understood this gives its digit 0.8, and
# $-\log 0.8 = 0.22$ is what it pays for an image that it reads right. Strong decay makes it less sure than that. The
# loss counts how much is bet on the right digit, the accuracy only whether it is the largest bet.
# :::
#
# **3.** Cautious decay decays a weight only in steps that take it towards zero. If that were a coin toss, which
# decoupled decay would $\lambda = 10$ be like? What in the tables speaks against it?
#
# ::: solution
# Like $\lambda = 5$, between 3 and 10. The training losses there are 0.0306 and 0.1395, and that of cautious decay is
# 0.0108. So it is no coin toss: what the network needs to keep its labels is spared.
# :::

r"""---
title: Fine-tuning with rules
summary: >-
  A network that reads MNIST learns other digits from fifty images, under different rules for its
  parameters.
chapter: "12.8"
needs: [param_groups/groups, experiments/mnist]
symbols:
  \alpha: lr
  \lambda: weight_decay
---

[A network that has learned MNIST](mnist.py) reads 64 % of the digits that come with scikit-learn. They were
written by other people, and have 8 x 8 pixels, enlarged. Turn them into their negatives, white for black, and
it reads 7 %.

Now it gets fifty of the new digits to learn from, and a new last layer: a hundred steps of ten images with
[AdamW](../labml_nn_optim/optimizers/adamw.py), at a rate that falls to 0. Three layers know something and one
knows nothing. Should all four move at the same rate?

Each line below is a rule at its best learning rate of six, from 0.0001 to 0.03. A quarter of the other images
has chosen that rate, and the accuracy in % is that on the rest, 1311 of them. Ten seeds draw the fifty
images, the new layer, and the order. The *gain* over one rate for all is taken seed by seed, and the last
column counts the seeds that have one.

| images | rule | $\alpha$ | accuracy | quartiles | gain | seeds |
|---|---|---:|---:|---:|---:|---:|
| digits | from scratch | 0.001 | 79.4 | 76.6 to 81.6 | -5.5 | 0 |
| digits | one rate | 0.001 | 85.2 | 84.0 to 86.7 | | |
| digits | head only | 0.03 | 86.9 | 83.1 to 88.2 | -1.0 | 4 |
| digits | head x 10 | 0.001 | 87.4 | 83.9 to 88.6 | +0.2 | 6 |
| digits | layer decay 0.75 | 0.001 | 85.4 | 84.3 to 87.2 | +0.2 | 5 |
| digits | layer decay 0.5 | 0.003 | 86.7 | 84.5 to 88.2 | +0.6 | 8 |
| digits | layer decay 0.25 | 0.01 | 87.1 | 83.7 to 88.5 | +1.1 | 7 |
| inverted | from scratch | 0.003 | 78.9 | 78.0 to 80.8 | -1.0 | 3 |
| inverted | one rate | 0.003 | 80.1 | 77.6 to 83.6 | | |
| inverted | head only | 0.01 | 70.7 | 69.5 to 73.4 | -9.4 | 0 |
| inverted | head x 10 | 0.001 | 77.5 | 72.8 to 80.0 | -3.1 | 0 |
| inverted | layer decay 0.75 | 0.001 | 78.9 | 76.6 to 81.0 | -0.8 | 2 |
| inverted | layer decay 0.5 | 0.003 | 79.7 | 76.3 to 81.9 | -1.0 | 2 |
| inverted | layer decay 0.25 | 0.01 | 79.7 | 75.4 to 81.8 | -1.0 | 3 |

## The seeds are louder than the rules

With one rate for all, half of the seeds lie within 2.7 points, and all of them within 9.1. Which fifty images
are drawn decides more than any rule for pretrained layers does. So look at the gain before the accuracy: both
runs of a gain have the same images. The two may disagree. The frozen backbone has a higher median than one
rate, and is behind with six of ten seeds.

[Layer decay](../labml_nn_optim/param_groups/layer_decay.py) of 0.25 gains one point on the digits, with seven
seeds of ten; 0.5 gains 0.6, with eight. A coin gives eight or more heads or tails of ten in one case of nine.
So this is a hint and no proof. What is certain is what pretraining gives: 5.5 points, with all ten seeds.

## At which rates it helps

*At large ones.* With one rate for all, 0.01 is too much: 79.9 %, and 0.03 ends at chance. There a layer decay
of 0.25 is ahead by 6.3 and by 74.6 points, with every seed. *At small ones it harms.* At 0.0003 it is 16
points behind, since the first layer moves at a sixty-fourth of that. One rate is within 2.5 points of its
best from 0.0003 to 0.003, a layer decay of 0.25 from 0.003 to 0.03: the curve has moved by a factor of ten.
Who tries it at 0.001, the best rate without it, loses 1.7 points.

A head with ten times the rate (`lr_scale=10`) shows what is behind it. It has its best at 0.001, with 87.4 %:
0.01 for the new layer and 0.001 for the old ones. A layer decay of 0.25 has it at 0.01, with 87.1 %: 0.01 for
the new layer, and 0.0025, 0.0006, and 0.00016 for the old ones. Both give the layer that knows nothing a
large step, and the others small ones. How small these are matters less: at 0, and with 0.03 for the head, it
is still 86.9 %.

## Where the first layers are what is wrong

The negatives change what the first layer sees. Now every rule that spares it loses: a frozen backbone 9.4
points, and a head with ten times the rate 3.1, with every seed. Layer decay loses about one. MNIST itself is
worth no more than one point here, and three seeds do better without.

So layer decay is a bet that what is new is at the top. It is the usual case for new classes. Where the input
has changed, it is the wrong way round.

## Decay

Five hundred more runs on the digits, with one rate for all and decays from weak to very strong. This is the
median of the accuracy at the best rate and at one that is too large:

| $\alpha$ | decay of | $\lambda = 0$ | 1 | 3 | 10 | 30 |
|---:|---|---:|---:|---:|---:|---:|
| 0.001 | backbone to zero | 85.2 | 85.1 | 85.1 | 84.1 | 81.4 |
| 0.001 | backbone to its start | 85.2 | 85.4 | 85.2 | 85.5 | 85.0 |
| 0.001 | everything | 85.2 | 85.2 | 84.9 | 83.6 | 77.2 |
| 0.001 | all but biases | 85.2 | 85.1 | 84.9 | 83.7 | 76.8 |
| 0.01 | backbone to zero | 79.9 | 80.3 | 82.3 | 79.7 | 72.8 |
| 0.01 | backbone to its start | 79.9 | 83.7 | 84.0 | 86.0 | 87.8 |
| 0.01 | everything | 79.9 | 82.5 | 81.8 | 79.3 | 65.0 |
| 0.01 | all but biases | 79.9 | 82.2 | 81.8 | 79.2 | 64.9 |

*[To the start](../labml_nn_optim/decays/start.py).* At 0.001, the best rate without decay, it hardly counts: the gain, seed by seed, has a
median of no more than 0.2 points. At 0.003 the strongest gains 1.4. At 0.01 the largest $\lambda$ that was tried gains 7.2 points, with all ten seeds. Its
87.8 % are the highest number of this page, 1.3 points above one rate at its best, with eight seeds. But
$\alpha\lambda = 0.3$ means that the first steps take back three tenths of the way from the start. The
backbone is all but frozen, and the rule belongs to those above: it spares what is known. A frozen one at the
same rate is 0.7 points behind, with nine seeds.

*To zero.* No $\lambda$ helps at 0.001, and 30 costs 3.9 points. At 0.01 a decay of 3 repairs a part of what
the rate does, 2.7 points. Then it destroys the network.

*Biases.* They are 580 of 431,080 parameters. With them or without them the difference has a median of at most
0.4 points at every rate and $\lambda$, and a sign that changes. Only $\lambda = 30$ at 0.001 is against the
exemption with ten seeds, by 0.3 points, on networks that decay has already brought down by 8. This network is
no case for a rule about biases.

## When the backbone joins in

A schedule of its own, [by tag](../docs_src/tags.md), lets the backbone wait for the head. At the best rate of each that wins nothing:
waiting a third of the steps gains 0.04 points in the median, waiting two thirds loses 0.6, a slow warm-up loses 0.8. At 0.03, where all at
once ends at chance, those that wait or warm up come to 42 to 67 %.

## What is forgotten

With its old head the network read 99.2 % of MNIST. After fifty digits, one rate for all reads 59.0 % of it,
layer decay of 0.25 reads 66.5 %, decay to the start with $\lambda = 30$ at 0.01 reads 69.5 %, and a frozen
backbone 72.2 %: there, all that is lost was lost with the head. Decay to zero with the same $\lambda$ and
rate leaves 24.1 %.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.cli import notice, prepare, run_command
from experiments.configuration import Configuration
from experiments.data import Data, data_root, load_digits
from experiments.drawing import to_svg
from experiments.environment import choose_device, describe_environment, make_reproducible
from experiments.finetune_cli import Options, finetune_command
from experiments.finetune_results import NO_DECAY, panels, quartiles
from experiments.grids import Grid, save
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.optimizers import OptionError, choose_optimizer
from experiments.randomness import generator_for
from experiments.records import write_atomically
from experiments.runner import Run, Task
from experiments.training import Plan, batches, evaluate, subset_stride
from labml_nn_optim.decays import WeightDecayToStart
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.param_groups import Biases, Glob, LayerDecay, Rule, RuleFamily, param_groups
from labml_nn_optim.schedulers.scheduler import Scheduler
from labml_nn_optim.schedules import (
    ConstantSchedule,
    LinearDecreasingSchedule,
    LinearToZeroSchedule,
    ScheduleBase,
)

# The rate that the sweep over MNIST chose for Adam with a linear fall.
PRETRAINING_LR = 0.003
BATCH_SIZE = 10
HELD_OUT_SHARE = 4


# ## The rules
#
# The last layer is new: a network for other classes would need one. All rules here are about it, and
# about the three layers below it.
HEAD = Glob("output.*")
BACKBONE = ~HEAD

FALLING = LinearDecreasingSchedule(max_value=1, exclude_last=True)


@dataclass(frozen=True)
class Variant:
    """One way to fine-tune.

    * `rules`: what [param_groups](../labml_nn_optim/param_groups/groups.py) is given
    * `pretrained`: whether the layers below the head are those that MNIST has trained
    * `schedules`: what multiplies the rate of the groups with a tag, made for the number of steps. Groups
      without a tag among these have a rate that falls on a line to 0
    """

    name: str
    rules: tuple[Rule | RuleFamily, ...] = ()
    pretrained: bool = True
    schedules: Mapping[str, Callable[[int], ScheduleBase]] = field(default_factory=dict)


VARIANTS = (
    Variant("from scratch", pretrained=False),
    Variant("one rate"),
    Variant("head only", (Rule(BACKBONE, freeze=True),)),
    Variant("head x 10", (Rule(HEAD, lr_scale=10),)),
    Variant("layer decay 0.75", (LayerDecay(0.75),)),
    Variant("layer decay 0.5", (LayerDecay(0.5),)),
    Variant("layer decay 0.25", (LayerDecay(0.25),)),
)
LRS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)

# The head always learns from the first step on. What differs is when the backbone joins in.
TAGS = (Rule(BACKBONE, tags="backbone"),)
BACKBONE_SCHEDULES: dict[str, Callable[[int], ScheduleBase]] = {
    "waits a third": lambda steps: ConstantSchedule(0).then(FALLING, after=steps // 3),
    "waits two thirds": lambda steps: ConstantSchedule(0).then(FALLING, after=2 * steps // 3),
    "warms up for a half": lambda _: LinearToZeroSchedule(max_value=1, warmup_percent=0.5),
}
SCHEDULED = (
    Variant("together", TAGS),
    *(
        Variant(name, TAGS, schedules={"backbone": make})
        for name, make in BACKBONE_SCHEDULES.items()
    ),
)

# For the weight decay all layers have one rate.
DECAYS: dict[str, Callable[[float], Rule]] = {
    "backbone to zero": lambda decay: Rule(BACKBONE, weight_decay=decay),
    "backbone to its start": lambda decay: Rule(BACKBONE, weight_decay=WeightDecayToStart(decay)),
    "everything": lambda decay: Rule("*", weight_decay=decay),
    "all but biases": lambda decay: Rule(~Biases(), weight_decay=decay),
}
WEIGHT_DECAYS = (1.0, 3.0, 10.0, 30.0)
DECAY_LRS = (0.001, 0.003, 0.01)


def settings(study: str) -> Iterator[tuple[Variant, float, float]]:
    """Yield every variant of a study with a learning rate and a weight decay."""
    if study in ("rates", "schedules"):
        variants = VARIANTS if study == "rates" else SCHEDULED
        for variant, lr in itertools.product(variants, LRS):
            yield variant, lr, 0.0
        return
    for lr in DECAY_LRS:
        yield Variant(NO_DECAY), lr, 0.0
        for (name, rule), decay in itertools.product(DECAYS.items(), WEIGHT_DECAYS):
            yield Variant(name, (rule(decay),)), lr, decay


@dataclass(frozen=True)
class Samples:
    """## The images

    * `images`: float32, shape `[samples, 1, 28, 28]`
    * `labels`: int64, shape `[samples]`
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: Tensor) -> Samples:
        """Return those whose numbers are in `chosen`, int64."""
        return Samples(self.images[chosen], self.labels[chosen])

    def split(self, images: int, seed: int) -> tuple[Samples, Samples, Samples]:
        """Draw `images` to fine-tune on, from the rest a quarter to choose by, and leave the test."""
        order = torch.randperm(len(self), generator=generator_for(seed, "images"))
        few, rest = order[:images], order[images:]
        held_out = len(rest) // HELD_OUT_SHARE
        return self.take(few), self.take(rest[:held_out]), self.take(rest[held_out:])

    def accuracy(self, model: nn.Module) -> float:
        """Return the share that the model reads right."""
        _, correct = evaluate(model, self.images, self.labels)
        return correct.mean().item()


def unseen(source: Data, target: str) -> Samples:
    """Return images to fine-tune on and to test with, for a network that `source` has trained.

    That is all of scikit-learn's digits or, where they are the source, those that were kept from
    training.
    """
    if source.name == "digits":
        images, labels = source.test_images, source.test_labels
    else:
        digits = load_digits()
        images = torch.cat([digits.train_images, digits.test_images])
        labels = torch.cat([digits.train_labels, digits.test_labels])
    # The mean of all pixels is 0, so the photographic negative is the negative number.
    return Samples(-images if target == "inverted" else images, labels)


def pretrain(source: Data, options: Options, device: torch.device) -> nn.Module:
    """Return the network after its training on `source`: [that of MNIST](mnist.py), with seed 0."""
    choice = choose_optimizer("adam", PRETRAINING_LR, ())
    configuration = Configuration(
        experiment="finetune",
        model=MNIST.model,
        optimizer=choice.name,
        data=source.name,
        lr=choice.lr,
        schedule="linear",
        epochs=options.epochs,
        batch_size=MNIST.recipe.batch_size,
        seed=0,
    )
    run = Run(Task(configuration, MNIST.recipe.make_model, choice, source, device, options.out))
    for _ in run.steps():
        pass
    return run.model


def start(variant: Variant, pretrained: nn.Module, seed: int) -> nn.Module:
    """Return a new network with a random head, on layers that are random or `pretrained`."""
    # Not the seed itself: the network that was pretrained with it began with the same head.
    torch.manual_seed(generator_for(seed, "start").initial_seed())
    model = MNIST.recipe.make_model().to(next(pretrained.parameters()).device)
    if variant.pretrained:
        known = pretrained.state_dict()
        below = {name: value for name, value in known.items() if not name.startswith("output.")}
        model.load_state_dict(below, strict=False)
    return model


def fine_tune(
    model: nn.Module,
    variant: Variant,
    lr: float,
    few: Samples,
    plan: Plan,
) -> None:
    r"""## One fine-tuning

    Train `model` on `few` images with [AdamW](../labml_nn_optim/optimizers/adamw.py), under the rules
    of `variant`.

    The rules make the groups. The [scheduler](../labml_nn_optim/schedulers/scheduler.py) lets the rate of
    every group fall from its own peak to 0, and so leaves them in proportion.
    """
    groups = param_groups(model, variant.rules, lr=lr, weight_decay=0.0)
    optimizer = AdamW(groups)
    schedulers = make_schedulers(optimizer, variant, plan.total_steps)
    for _, batch in batches(plan, 0, few.labels.device):
        optimizer.zero_grad()
        functional.cross_entropy(model(few.images[batch]), few.labels[batch]).backward()
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


def make_schedulers(optimizer: AdamW, variant: Variant, total_steps: int) -> list[Scheduler]:
    """Return a scheduler for each tag of `variant` that has a schedule, and one for all other groups."""
    chosen = {tag: make(total_steps) for tag, make in variant.schedules.items()}
    tags = [*chosen, None] if chosen else [None]
    return [
        Scheduler(
            optimizer,
            FALLING if tag is None else chosen[tag],
            tags=[tag] if chosen else None,
            mode="relative",
            total_steps=total_steps,
        )
        for tag in tags
    ]


@dataclass(frozen=True)
class Bench:
    """What all fine-tunings of a command share.

    * `pretrained`: the network that they begin with
    * `pool`: images to draw from
    * `known`: test images of the data that the network comes from
    """

    pretrained: nn.Module
    pool: Samples
    known: Samples
    images: int
    steps: int

    def row(self, variant: Variant, lr: float, weight_decay: float, seed: int) -> dict[str, Any]:
        """Fine-tune once, and return a row of the grid.

        `accuracy` is that on the test images, `held_out` that on images to choose by, and `kept` that on
        images of the kind that the network comes from: what it has not forgotten.
        """
        few, held_out, test = self.pool.split(self.images, seed)
        model = start(variant, self.pretrained, seed)
        epochs = self.steps / math.ceil(self.images / BATCH_SIZE)
        fine_tune(model, variant, lr, few, Plan(self.images, BATCH_SIZE, epochs, seed))
        return {
            "variant": variant.name,
            "lr": lr,
            "weight_decay": weight_decay,
            "seed": seed,
            "accuracy": test.accuracy(model),
            "held_out": held_out.accuracy(model),
            "kept": self.known.accuracy(model),
        }


def run(options: Options) -> None:
    """Pretrain, fine-tune under all rules, print what came out, and save it."""
    device = choose_device(options.device)
    make_reproducible(device, options.threads)
    root = data_root(options.data_root)
    source = MNIST.load_data(options.data_choice, root, notice).to(device)
    pool = unseen(source, options.target)
    if options.images > len(pool) // 2:
        raise OptionError(f"--images {options.images}: at most {len(pool) // 2} can be had")
    pool = Samples(pool.images.to(device), pool.labels.to(device))
    prepare(options.out)
    clock = time.perf_counter()
    pretrained = pretrain(source, options, device)
    stride = subset_stride(len(source.test_labels))
    known = Samples(source.test_images[::stride], source.test_labels[::stride])
    before = {"known": known.accuracy(pretrained), "pool": pool.accuracy(pretrained)}
    click.echo(
        f"before: accuracy {before['known']:.2%} on {source.name}, {before['pool']:.2%} on "
        f"{options.target}"
    )
    bench = Bench(pretrained, pool, known, options.images, options.steps)
    rows = []
    for variant, lr, weight_decay in settings(options.study):
        found = [bench.row(variant, lr, weight_decay, seed) for seed in options.seeds]
        click.echo(describe(found))
        rows += found
    grid = Grid(
        experiment="finetune",
        configuration=configuration_of(options, source),
        data={**source.describe(), "target_samples": len(pool), "accuracy_before": before},
        environment=describe_environment(device),
        seconds=round(time.perf_counter() - clock, 1),
        rows=rows,
    )
    click.echo(f"record {save(grid, options.out)}")
    path = options.out / f"{grid.file_name.removesuffix('.json')}.svg"
    write_atomically(path, to_svg(line_chart(panels(grid))).encode())
    click.echo(f"chart {path}")


def configuration_of(options: Options, source: Data) -> dict[str, Any]:
    """Return what all runs of a command have in common."""
    return {
        "study": options.study,
        "target": options.target,
        "source": source.name,
        "images": options.images,
        "steps": options.steps,
        "batch_size": BATCH_SIZE,
        "optimizer": "adamw",
        "schedule": "linear",
        "pretraining": {"optimizer": "adam", "lr": PRETRAINING_LR, "epochs": options.epochs},
        "seeds": list(options.seeds),
    }


def describe(rows: Sequence[dict[str, Any]]) -> str:
    """Say what one variant has come to."""
    low, median, high = quartiles([row["accuracy"] for row in rows])
    one = rows[0]
    decay = f", weight decay {one['weight_decay']:g}" if one["weight_decay"] else ""
    return (
        f"{one['variant']}, learning rate {one['lr']:g}{decay}: "
        f"accuracy {median:.1%}, quartiles {low:.1%} and {high:.1%}"
    )


main = finetune_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Running it
#
# ```
# python -m experiments.finetune
# python -m experiments.finetune --target inverted
# python -m experiments.finetune --study decays
# python -m experiments.finetune --study schedules
# python -m experiments.finetune --data digits --target inverted --steps 20 --seeds 1
# ```
#
# The first four made the results of this page, in about five minutes of one core each. Each leaves one file
# and one chart. The last needs no MNIST: it trains on four fifths of scikit-learn's digits, and fine-tunes on
# the rest.
#
# ## Traps
#
# - **The seed of the new head.** The first draft of this experiment made the head of seed 0 after
#   `torch.manual_seed(0)`, as the training on MNIST had done. That "new" head read 98.9 % of MNIST without a single
#   step: it was the head with which the other layers had grown up. Those of the seeds 1 to 4 read 2 to 16 %.
# - **The same rate for every rule.** At 0.01 layer decay gains six points, and at 0.0003 it loses 16. A
#   comparison at one rate says which rate it was.
# - **Images to choose by.** Here 436 images choose the rate, nearly nine times as many as there are to learn
#   from. In practice nobody has them. The curves show what a wrong choice costs.
#
# ## Exercises
#
# **1.** Which rates do the four layers get from `LayerDecay(0.25)` at 0.01, and from `lr_scale=10` for the head at 0.001?
#
# ::: solution
# The head gets 0.01 from both. The layer below gets 0.0025 or 0.001, and the first one 0.00016 or 0.001.
#
# ```python
# from experiments.finetune import VARIANTS
# from experiments.mnist import Model
# from labml_nn_optim.param_groups import param_groups
#
# rules = {variant.name: variant.rules for variant in VARIANTS}
# decayed = param_groups(Model(), rules["layer decay 0.25"], lr=0.01, weight_decay=0.0)
# assert [group.get("lr_scale", 1) for group in decayed] == [1 / 64, 1 / 16, 1 / 4, 1]
# body, head = param_groups(Model(), rules["head x 10"], lr=0.001, weight_decay=0.0)
# assert (body["lr"], head["lr"]) == (0.001, 0.01)
# ```
# :::
#
# **2.** How much does decay alone leave of a weight in a hundred steps, while $\alpha$ falls from 0.001 to 0 on a line, with
# $\lambda = 10$? And from 0.01, with $\lambda = 30$?
#
# ::: solution
# The rates add up to $50.5\, \alpha$, so about $e^{-0.5} = 0.6$ and $e^{-15}$. In the second case the weights are what the
# last few gradients have made of them, and whether a bias is among them is no longer the question.
#
# ```python
# import math
#
#
# def left(lr, decay):
#     return math.prod(1 - lr * (1 - step / 100) * decay for step in range(100))
#
#
# assert round(left(0.001, 10), 2) == 0.6
# assert left(0.01, 30) < math.exp(-15)
# ```
# :::
#
# **3.** Eight of ten seeds are for a rule. How often does a coin do as well, for one side or the other?
#
# ::: solution
# In $2\, (45 + 10 + 1) / 1024 = 11$ % of all cases. And five rules were tried.
#
# ```python
# import math
#
# ways = sum(math.comb(10, heads) for heads in (8, 9, 10))
# assert round(2 * ways / 2**10, 3) == 0.109
# ```
# :::

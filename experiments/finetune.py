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

(prose to come)
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.cli import notice, prepare, run_command
from experiments.configuration import Configuration
from experiments.curves import to_svg
from experiments.data import Data, data_root, load_digits
from experiments.environment import choose_device, describe_environment, make_reproducible
from experiments.finetune_cli import Options, finetune_command
from experiments.finetune_results import NO_DECAY, panels, quartiles
from experiments.grids import Grid, save
from experiments.line_charts import line_chart
from experiments.mnist import MNIST
from experiments.optimizers import OptionError, choose_optimizer
from experiments.records import write_atomically
from experiments.runner import Run, Task
from experiments.training import Plan, batches, evaluate, generator_for, subset_stride
from labml_nn_optim.decays import WeightDecayToStart
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.param_groups import Biases, Glob, LayerDecay, Rule, RuleFamily, param_groups
from labml_nn_optim.schedulers.scheduler import Scheduler
from labml_nn_optim.schedules import LinearDecreasingSchedule

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


@dataclass(frozen=True)
class Variant:
    """One way to fine-tune.

    * `rules`: what [param_groups](../labml_nn_optim/param_groups/groups.py) is given
    * `pretrained`: whether the layers below the head are those that MNIST has trained
    """

    name: str
    rules: tuple[Rule | RuleFamily, ...] = ()
    pretrained: bool = True


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
    if study == "rates":
        for variant, lr in itertools.product(VARIANTS, LRS):
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
        optimizer=choice.name,
        data=source.name,
        lr=choice.lr,
        schedule="linear",
        epochs=options.epochs,
        batch_size=MNIST.batch_size,
        seed=0,
    )
    run = Run(Task(configuration, MNIST.make_model, choice, source, device, options.out))
    for _ in run.steps():
        pass
    return run.model


def start(variant: Variant, pretrained: nn.Module, seed: int) -> nn.Module:
    """Return a new network with a random head, on layers that are random or `pretrained`."""
    # Not the seed itself: the network that was pretrained with it began with the same head.
    torch.manual_seed(generator_for(seed, "start").initial_seed())
    model = MNIST.make_model().to(next(pretrained.parameters()).device)
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
    falling = LinearDecreasingSchedule(max_value=1, exclude_last=True)
    scheduler = Scheduler(optimizer, falling, mode="relative", total_steps=plan.total_steps)
    for _, batch in batches(plan, 0, few.labels.device):
        optimizer.zero_grad()
        functional.cross_entropy(model(few.images[batch]), few.labels[batch]).backward()
        optimizer.step()
        scheduler.step()


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

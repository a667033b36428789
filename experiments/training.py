r"""---
title: The training loop
summary: >-
  One loop trains any model with any optimizer, measures what happens on the way, and can stop
  after any step and go on as if it had not.
chapter: "11.2"
needs: [optimizers/adam]
symbols:
  \theta: parameters
  g: gradients
  \alpha: lr
  t: step
---
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import get_total_norm

from experiments.data import Data

MOST_POINTS = 300
MOST_CHECKS = 100
CHECKS_PER_EPOCH = 8
SUBSET_SAMPLES = 1000
EVALUATION_BATCH = 250


def constant(step: int, total_steps: int) -> float:
    """Return 1."""
    return 1.0


def linear(step: int, total_steps: int) -> float:
    """Return a factor that falls evenly from 1 at step 1 to 1 / total_steps at the last."""
    return 1 - (step - 1) / total_steps


SCHEDULES: dict[str, Callable[[int, int], float]] = {"linear": linear, "constant": constant}


@dataclass(frozen=True)
class Plan:
    """## How long, and where to look

    * `samples`: images in the training set
    * `batch_size`: images in a batch; the last batch of an epoch may hold fewer
    * `epochs`: passes over the training set; 0.5 stops in the middle of the first
    * `seed`: decides the order of the images
    * `lr`, `schedule`: the learning rate, and the name of what it is multiplied with
    """

    samples: int
    batch_size: int
    epochs: float
    seed: int
    lr: float
    schedule: str

    @property
    def steps_per_epoch(self) -> int:
        """Batches that it takes to see every image once."""
        return math.ceil(self.samples / self.batch_size)

    @property
    def total_steps(self) -> int:
        """The last step, which is $T$ in the schedules' formulas."""
        return max(1, round(self.epochs * self.steps_per_epoch))

    def samples_after(self, step: int) -> int:
        """Images that have been seen after `step`, over all epochs."""
        epochs, position = divmod(step, self.steps_per_epoch)
        return epochs * self.samples + position * self.batch_size

    def lr_at(self, step: int) -> float:
        """The learning rate of `step`."""
        return self.lr * SCHEDULES[self.schedule](step, self.total_steps)

    def measures(self, step: int) -> bool:
        """Whether losses and norms are written down after `step`."""
        every = math.ceil(self.total_steps / (MOST_POINTS - 2))
        return step == 1 or step % every == 0 or step == self.total_steps

    def evaluates(self, step: int) -> bool:
        """Whether `step` is followed by a look at the whole test set."""
        every = math.ceil(self.epochs / (MOST_CHECKS - 2)) * self.steps_per_epoch
        return step % every == 0 or step == self.total_steps

    def checks(self, step: int) -> bool:
        """Whether `step` is followed by a look at some of the test images."""
        per_epoch = min(CHECKS_PER_EPOCH, int((MOST_CHECKS - 2) / self.epochs))
        if self.evaluates(step) or per_epoch < 2:
            return self.evaluates(step)
        return step % self.steps_per_epoch % math.ceil(self.steps_per_epoch / per_epoch) == 0


class Table:
    """Columns of numbers that grow by one row at a time; the first column is the step."""

    def __init__(self, *names: str) -> None:
        self.columns: dict[str, list[float]] = {name: [] for name in ("step", *names)}

    def append(self, step: int, **values: float) -> None:
        """Add a row."""
        for name, value in {"step": step, **values}.items():
            self.columns[name].append(value)

    def at(self, step: int) -> dict[str, float] | None:
        """Return the last row if it belongs to `step`."""
        if not self.columns["step"] or self.columns["step"][-1] != step:
            return None
        return {name: column[-1] for name, column in self.columns.items()}


class History:
    """## What a run remembers"""

    def __init__(self, device: torch.device) -> None:
        self.step = 0
        self.curves = {
            "train": Table("loss", "lr", "gradient_norm", "update_norm"),
            "test": Table("loss", "accuracy"),
            "test_subset": Table("loss", "accuracy"),
        }
        self.loss_sum = torch.zeros((), device=device)
        self.loss_count = 0

    def add_loss(self, loss: Tensor) -> None:
        """Add the loss of one batch, a 0-dimensional tensor."""
        self.loss_sum += loss.detach()
        self.loss_count += 1

    def take_mean_loss(self) -> float:
        """Return the mean of the losses since the last call."""
        mean = self.loss_sum.item() / self.loss_count
        self.loss_sum.zero_()
        self.loss_count = 0
        return mean

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors, numbers and lists, for a checkpoint."""
        return {
            "step": self.step,
            "curves": {name: table.columns for name, table in self.curves.items()},
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.step = state["step"]
        for name, columns in state["curves"].items():
            self.curves[name].columns = {key: list(column) for key, column in columns.items()}
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_count = state["loss_count"]


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """## The order of the images"""
    generator = torch.Generator().manual_seed(random.Random(f"{seed} {epoch}").getrandbits(63))
    return torch.randperm(samples, generator=generator)


def batches(plan: Plan, done: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of every step after `done` and the indices of its images."""
    for step in range(done + 1, plan.total_steps + 1):
        epoch, position = divmod(step - 1, plan.steps_per_epoch)
        if position == 0 or step == done + 1:
            order = shuffled(plan.samples, plan.seed, epoch).to(device)
        yield step, order[position * plan.batch_size : (position + 1) * plan.batch_size]


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Data,
    plan: Plan,
    history: History,
) -> Iterator[int]:
    """## The loop"""
    for step, batch in batches(plan, history.step, data.train_labels.device):
        set_lr(optimizer, plan.lr_at(step))
        optimizer.zero_grad()
        logits = model(data.train_images[batch])
        loss = functional.cross_entropy(logits, data.train_labels[batch])
        loss.backward()
        history.add_loss(loss)
        if plan.measures(step):
            row = measured_step(model, optimizer)
            history.curves["train"].append(step, loss=history.take_mean_loss(), **row)
        else:
            optimizer.step()
        if plan.checks(step):
            check(model, data, history, step, whole=plan.evaluates(step))
        history.step = step
        yield step


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Write the learning rate where every optimizer of torch's form reads it."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def measured_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """## A step under observation"""
    parameters = list(model.parameters())
    lr = float(optimizer.param_groups[0]["lr"])
    gradients = [p.grad for p in parameters if p.grad is not None]
    gradient_norm = get_total_norm(gradients).item()
    before = [p.detach().clone() for p in parameters]
    optimizer.step()
    updates = [p.detach() - old for p, old in zip(parameters, before, strict=True)]
    update_norm = get_total_norm(updates).item()
    return {"lr": lr, "gradient_norm": gradient_norm, "update_norm": update_norm}


@torch.inference_mode()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """## Evaluation"""
    was_training = model.training
    model.eval()
    losses, correct = [], []
    batches = zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True)
    for image_batch, label_batch in batches:
        logits = model(image_batch)
        losses.append(functional.cross_entropy(logits, label_batch, reduction="none"))
        correct.append((logits.argmax(dim=1) == label_batch).float())
    model.train(was_training)
    return torch.cat(losses), torch.cat(correct)


def check(model: nn.Module, data: Data, history: History, step: int, *, whole: bool) -> None:
    """Write down loss and accuracy on the subset, and on the whole test set if `whole`."""
    stride = subset_stride(len(data.test_labels))
    if whole:
        losses, correct = evaluate(model, data.test_images, data.test_labels)
        row = {"loss": losses.mean().item(), "accuracy": correct.mean().item()}
        history.curves["test"].append(step, **row)
        losses, correct = losses[::stride], correct[::stride]
    else:
        losses, correct = evaluate(model, data.test_images[::stride], data.test_labels[::stride])
    row = {"loss": losses.mean().item(), "accuracy": correct.mean().item()}
    history.curves["test_subset"].append(step, **row)


def subset_stride(samples: int) -> int:
    """Return the distance between the test images that make the subset."""
    return max(1, samples // SUBSET_SAMPLES)

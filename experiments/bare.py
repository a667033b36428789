"""The same training without a harness: what the harness's cost is measured against.

No record, no checkpoint, no progress bar, no tracker, no curve. Model, data, order of the batches,
optimizer and the evaluation once an epoch are those of `experiments.training`, so that both end
with the same parameters.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from experiments.data import Data
from experiments.training import (
    Plan,
    UsesCurvature,
    estimate_curvature,
    evaluate,
    shuffled,
)
from labml_nn_optim.schedulers.scheduler import Scheduler


def train_bare(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Scheduler,
    data: Data,
    plan: Plan,
) -> float:
    """Train `model` in place and return its accuracy on the test set, from 0 to 1.

    * `scheduler`: writes the learning rate
    * `plan`: with a whole number of epochs
    """
    step = 0
    accuracy = float("nan")
    for epoch in range(int(plan.epochs)):
        order = shuffled(plan.samples, plan.seed, epoch).to(data.train_labels.device)
        for batch in order.split(plan.batch_size):
            step += 1
            if isinstance(optimizer, UsesCurvature) and plan.estimates_curvature(step):
                estimate_curvature(model, optimizer, data.train_images[batch], plan.seed, step)
            optimizer.zero_grad()
            logits = model(data.train_images[batch])
            functional.cross_entropy(logits, data.train_labels[batch]).backward()
            optimizer.step()
            scheduler.step()
        _, correct = evaluate(model, data.test_images, data.test_labels)
        accuracy = correct.mean().item()
    return accuracy

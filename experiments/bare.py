"""The same training without a harness: what the harness's cost is measured against.

No record, no checkpoint, no progress bar, no tracker, no curve. Model, data, order of the batches,
changes of the images, optimizer and the evaluation once an epoch are those of `experiments.training`,
so that both end with the same parameters.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from experiments.data import Data
from experiments.training import (
    PLAIN,
    Changes,
    Plan,
    Regime,
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
    regime: Regime = PLAIN,
) -> float:
    """Train `model` in place and return its accuracy on the test set, from 0 to 1.

    * `scheduler`: writes the learning rate
    * `plan`: with a whole number of epochs
    """
    device = data.train_labels.device
    changes = Changes(regime.augmentation, plan, device)
    step = 0
    accuracy = float("nan")
    for epoch in range(int(plan.epochs)):
        order = shuffled(plan.samples, plan.seed, epoch).to(device)
        for batch in order.split(plan.batch_size):
            step += 1
            images = changes.apply(data.train_images, batch, step)
            if isinstance(optimizer, UsesCurvature) and plan.estimates_curvature(step):
                with regime.precision(device):
                    estimate_curvature(model, optimizer, images, plan.seed, step)
            optimizer.zero_grad()
            with regime.precision(device):
                logits = model(images).float()
            functional.cross_entropy(
                logits, data.train_labels[batch], label_smoothing=regime.label_smoothing
            ).backward()
            optimizer.step()
            scheduler.step()
        _, correct = evaluate(model, data.test_images, data.test_labels, regime)
        accuracy = correct.mean().item()
    return accuracy

"""Optimizers and loops that the tests of schedulers share."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from labml_nn_optim import schedulers
from labml_nn_optim.schedulers import NamedScheduler

Make = Callable[[Optimizer, Callable[[str], Any]], NamedScheduler]

# Every kind of scheduler, of which the first argument gives the class for a name.
KINDS: dict[str, Make] = {
    "Constant": lambda opt, of: of("Constant")(opt, 0.3),
    "Polynomial": lambda opt, of: of("Polynomial")(opt, 1, 0.2, 6, power=2),
    "Polynomial cycle": lambda opt, of: of("Polynomial")(opt, 1, 0.2, 4, cycle=True),
    "Linear": lambda opt, of: of("Linear")(opt, 0, 1, 4),
    "Exponential": lambda opt, of: of("Exponential")(opt, 1, 4, 0.5),
    "InverseExponentialTimeDecay": lambda opt, of: of("InverseExponentialTimeDecay")(
        opt, 1, 2, 4, 0.5
    ),
    "InverseSquareRootDecay": lambda opt, of: of("InverseSquareRootDecay")(opt, 1, 2, 4),
    "CosineDecay": lambda opt, of: of("CosineDecay")(opt, 1, 0.1, 6),
    "CosineAnnealing": lambda opt, of: of("CosineAnnealing")(opt, 1, 4, 0.1),
    "CosineAnnealingWarmRestarts": lambda opt, of: of("CosineAnnealingWarmRestarts")(
        opt, 1, 2, T_mult=2, eta_min=0.1
    ),
    "Step": lambda opt, of: of("Step")(opt, 1, 3, 0.5),
    "MultiStep": lambda opt, of: of("MultiStep")(opt, 1, 0.1, [2, 5]),
    "Multiplicative": lambda opt, of: of("Multiplicative")(opt, 1, 0.7),
    "Lambda": lambda opt, of: of("Lambda")(opt, 0.5, lambda t: 1 / (1 + t)),
    "PiecewiseConstant": lambda opt, of: of("PiecewiseConstant")(opt, [1, 0.5, 0.1], [2, 5]),
    "Cyclic": lambda opt, of: of("Cyclic")(opt, 0.1, 1, 2, 3, mode="exp_range", gamma=0.9),
    "OneCycle": lambda opt, of: of("OneCycle")(opt, 0.1, 1, total_steps=10),
    "Sequential": lambda opt, of: of("Sequential")(
        opt,
        [of("Linear")(opt, 0, 1, 3), of("CosineDecay")(opt, 1, 0, 4), of("Constant")(opt, 0.05)],
    ),
    "Chained": lambda opt, of: of("Chained")(
        [of("Linear")(opt, 0, 1, 4), of("Exponential")(opt, 1, 4, 0.5)]
    ),
    "ScalePerParam": lambda opt, of: of("ScalePerParam")(opt, of("CosineDecay")(opt, 1, 0, 6)),
}


def lr_class(name: str) -> Any:
    """The class of this name for the learning rate."""
    return getattr(schedulers, f"{name}LR", None) or getattr(schedulers, name)


def wd_class(name: str) -> Any:
    """The class of this name for the weight decay."""
    return getattr(schedulers, f"{name}WD")


def a_group(**entries: Any) -> dict[str, Any]:
    return {"params": [Parameter(torch.zeros(1))], **entries}


def groups_of(*entries: Mapping[str, Any]) -> Optimizer:
    """SGD with a group for each of the `entries`, and a rate of 0.5 where they give none."""
    return SGD([a_group(**each) for each in entries or ({},)], lr=0.5)


def entries(optimizer: Optimizer, key: str = "lr") -> list[float]:
    return [float(group[key]) for group in optimizer.param_groups]


def step(scheduler: LRScheduler, count: int = 1) -> None:
    """Do updates, each followed by a step of the scheduler."""
    for _ in range(count):
        scheduler.optimizer.step()
        scheduler.step()


def walk(scheduler: LRScheduler, count: int, key: str = "lr", group: int = 0) -> list[float]:
    """What a group has in the next `count` updates."""
    seen = []
    for _ in range(count):
        seen.append(entries(scheduler.optimizer, key)[group])
        step(scheduler)
    return seen


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded

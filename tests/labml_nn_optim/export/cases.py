"""Expressions over the names of chapters, which tests compute with the package and with exported files."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import torch

import labml_nn_optim
from labml_nn_optim import get_optimizer, param_groups, schedulers, schedules
from tests.labml_nn_optim.examples import BRISK, NAMES
from tests.labml_nn_optim.schedules.test_config import EVERY


class Case(NamedTuple):
    """What is copied into one file, and what is computed with it."""

    names: tuple[str, ...]
    kind: str
    expression: str


def package() -> dict[str, Any]:
    """Every public name of the package."""
    found: dict[str, Any] = {"torch": torch}
    for module in (labml_nn_optim, schedules, schedulers, param_groups):
        found |= {name: getattr(module, name) for name in module.__all__}
    return found


def classes(expression: str) -> tuple[str, ...]:
    """The classes of ours that an expression calls, in their order."""
    found = re.findall(r"(?<![.\w])[A-Z]\w*(?=\()", expression)
    return tuple(dict.fromkeys(found))


OPTIMIZERS = [
    Case(
        (f"optimizers/{name}",),
        "optimizer",
        f"{get_optimizer(name).__name__}(params, **{BRISK.get(name, {})!r} | options)",
    )
    for name in NAMES
]

OTHERS = [
    Case(classes(expression), "optimizer", expression)
    for expression in (
        "EMA(torch.optim.SGD(params, lr=0.1), decay=0.9)",
        "Lookahead(torch.optim.SGD(params, lr=0.1), k=2)",
        "SAM(torch.optim.SGD(params, lr=0.1))",
        "LBFGS(params, lr=0.1)",
        "AdamW(params, weight_decay=CautiousWeightDecay(0.1))",
        "AdamW(params, weight_decay=L1WeightDecay(0.1))",
        "AdamW(params, weight_decay=ProximalWeightDecay(0.1))",
        "AdamW(params, weight_decay=WeightDecayToStart(0.1))",
        "SAM(Lookahead(RAdam(params, **options), k=2))",
    )
]

SCHEDULES = [
    Case(classes(expression), "schedule", expression)
    for expression in (*map(repr, EVERY), "FunctionSchedule(lambda step: 1 / (1 + step))")
]

# For the learning rate; those with a twin for the decay are tested for both.
RATES = (
    "ConstantLR(optimizer, 0.3)",
    "PolynomialLR(optimizer, 1, 0.2, 6, power=2)",
    "LinearLR(optimizer, 0, 1, 4)",
    "ExponentialLR(optimizer, 1, 4, 0.5)",
    "InverseExponentialTimeDecayLR(optimizer, 1, 2, 4, 0.5)",
    "InverseSquareRootDecayLR(optimizer, 1, 2, 4)",
    "CosineDecayLR(optimizer, 1, 0.1, 6)",
    "CosineAnnealingLR(optimizer, 1, 4, 0.1)",
    "CosineAnnealingWarmRestartsLR(optimizer, 1, 2, T_mult=2, eta_min=0.1)",
    "StepLR(optimizer, 1, 3, 0.5)",
    "MultiStepLR(optimizer, 1, 0.1, [2, 5])",
    "MultiplicativeLR(optimizer, 1, 0.7)",
    "LambdaLR(optimizer, 0.5, lambda t: 1 / (1 + t))",
    "PiecewiseConstantLR(optimizer, [1, 0.5, 0.1], [2, 5])",
    "CyclicLR(optimizer, 0.1, 1, 2, 3, mode='exp_range', gamma=0.9)",
    "OneCycleLR(optimizer, 0.1, 1, total_steps=10)",
    "SequentialLR(optimizer, [LinearLR(optimizer, 0, 1, 3), ConstantLR(optimizer, 0.05)])",
    "ChainedLR([LinearLR(optimizer, 0, 1, 4), ExponentialLR(optimizer, 1, 4, 0.5)])",
    "ScalePerParamLR(optimizer, CosineDecayLR(optimizer, 1, 0, 6))",
)
SCHEDULERS = [
    Case(classes(expression), "scheduler", expression)
    for expression in (
        *(each.replace("WarmRestartsLR", "WarmRestarts") for each in RATES),
        *(each.replace("LR(", "WD(") for each in RATES),
        "Scheduler(optimizer, WSDSchedule(1.0, warmup_steps=3, decay_steps=4), total_steps=12)",
        "PlateauScheduler(optimizer, patience=1)",
        "GreedyScheduler(optimizer, patience=1)",
    )
]

RULES = [
    Case(classes(expression), "rule", f"param_groups(model, [{expression}], 0.1, 0.05)")
    for expression in (
        "LayerDecay(0.75)",
        "WidthScaling(base)",
        "Rule('head.*', lr_scale=10, tags='head')",
        "Rule(Regex('.*bias') | ModuleType(nn.Embedding), weight_decay=0.1)",
        "Rule(Depth(at_most=1) & Ndim(2) & ~Glob('embed*'), freeze=True)",
        "LrScaleByNameModifier('head.weight', 0.5)",
        "WeightDecayByNameModifier('head.weight', 0.5)",
    )
]

FUNCTIONS = [
    Case(
        ("scheduler", "schedule_from_config"),
        "scheduler",
        "Scheduler(optimizer, schedule_from_config({'kind': 'OneCycle', 'max_value': 1.0}), "
        "total_steps=12)",
    ),
    Case(("no_decay",), "rule", "param_groups(model, built_in_rules())"),
    Case(
        ("param_groups/composite", "adamw", "sgd"),
        "any",
        "CompositeOptimizer([AdamW([torch.nn.Parameter(torch.ones(2))]), "
        "SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)]).state_dict()",
    ),
]

CASES = [*OPTIMIZERS, *OTHERS, *SCHEDULES, *SCHEDULERS, *RULES, *FUNCTIONS]

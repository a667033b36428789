"""What making parameter groups costs: rules over a large model, beside a bare walk over its parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from labml_nn_optim.param_groups import (
    LayerDecay,
    ModuleType,
    Name,
    Ndim,
    Regex,
    Rule,
    RuleFamily,
    Substring,
    param_groups,
)

BLOCKS = 100
LAYERS = 48
"""Linear layers in a block, each with a weight and a bias; two more are a normalization and a scale."""

WALK = "bare walk"
BUILT_IN = "built-in rules"
FIVE = "five rules more"
DEPTHS = "layer decay"


class Block(nn.Module):
    """A hundred small parameters, as a block of a large network has large ones."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2)
        self.attention = nn.ModuleList([nn.Linear(2, 2) for _ in range(LAYERS // 2)])
        self.mlp = nn.ModuleList([nn.Linear(2, 2) for _ in range(LAYERS // 2)])
        self.scale = nn.Parameter(torch.ones(2))
        self.gate = nn.Parameter(torch.ones(1))


class Model(nn.Module):
    """A network of 100 blocks of 100 parameters each."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])


FIVE_RULES: tuple[Rule | RuleFamily, ...] = (
    Rule("blocks.0.*", lr_scale=0.1),
    Rule(Regex(r"^blocks\.9\d\."), weight_decay=0.3),
    Rule(ModuleType(nn.LayerNorm), lr_scale=2),
    Rule(Substring("mlp.0."), tags="first"),
    Rule(Ndim(2) & ~Name("blocks.0.mlp.0.weight"), betas=(0.9, 0.95)),
)


def runs() -> dict[str, Callable[[], float]]:
    """Return what is timed, by its name; each call returns the seconds of one turn."""
    model = Model()
    return {
        WALK: partial(seconds, partial(walk, model)),
        BUILT_IN: partial(seconds, partial(make, model, ())),
        FIVE: partial(seconds, partial(make, model, FIVE_RULES)),
        DEPTHS: partial(seconds, partial(make, model, (LayerDecay(0.9),))),
    }


def parameter_count() -> int:
    """Return how many parameters the model has."""
    with torch.device("meta"):
        return sum(1 for _ in Model().parameters())


def walk(model: nn.Module) -> None:
    """Visit every parameter and its name: the least that anything can do."""
    for _ in model.named_parameters():
        pass


def make(model: nn.Module, rules: Sequence[Rule | RuleFamily]) -> None:
    """Make the groups."""
    param_groups(model, rules, lr=1e-3, weight_decay=0.1)


def seconds(call: Callable[[], None]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start

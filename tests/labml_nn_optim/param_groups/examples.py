"""Models that the tests of parameter groups share, and ways to look at groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import timm
import torch
import torchvision
from torch import nn

from labml_nn_optim.param_groups import ParameterTable, Rule, Selector, param_groups

NAMES = [
    "embed.weight",
    *("blocks.0.fc.weight", "blocks.0.fc.bias", "blocks.0.norm.weight", "blocks.0.norm.bias"),
    *("blocks.1.fc.weight", "blocks.1.fc.bias", "blocks.1.norm.weight", "blocks.1.norm.bias"),
    *("head.weight", "head.bias"),
]


class Block(nn.Module):
    """A layer and a normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)


class Net(nn.Module):
    """An embedding, two blocks and a head: the names in `NAMES`."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(4, 3)


class Tied(nn.Module):
    """An embedding that is the output layer, too, which has no name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.fc = nn.Linear(4, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight


def tree(**parts: nn.Module | int | None) -> nn.Module:
    """A module of these parts; a number stands for a parameter of that many elements."""
    module = nn.Module()
    for name, part in parts.items():
        if isinstance(part, int):
            module.register_parameter(name, nn.Parameter(torch.zeros(part)))
        else:
            module.add_module(name, part)
    return module


def public(name: str) -> nn.Module:
    """A model of torchvision or timm without numbers: `torchvision.swin_t`."""
    library, _, own = name.partition(".")
    with torch.device("meta"):
        if library == "timm":
            return timm.create_model(own)
        model: nn.Module = torchvision.models.get_model(own, weights=None)
        return model


def row(make: Callable[[], nn.Module], count: int = 2) -> nn.ModuleList:
    return nn.ModuleList(make() for _ in range(count))


def chosen(model: nn.Module, selector: Selector) -> list[str]:
    """The names that a selector chooses, in the order of the model."""
    table = ParameterTable(model)
    return [table.names[index] for index in sorted(selector.select(table))]


def refusal(model: nn.Module, *rules: Any) -> str:
    """What is said of rules that match nothing."""
    try:
        param_groups(model, rules, lr=1.0, weight_decay=0.5)
    except ValueError as error:
        return str(error)
    raise AssertionError("nothing was refused")


def named(groups: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The group of each parameter, by name."""
    return {name: group for group in groups for name in group["param_names"]}


def entry(groups: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    """What each parameter has in its group under `key`, None where that has no such entry."""
    return {name: group.get(key) for name, group in named(groups).items()}


def parts(groups: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The names in each group."""
    return [group["param_names"] for group in groups]


def scaled(pattern: str, by: float = 2.0) -> Rule:
    return Rule(pattern, lr_scale=by)

r"""
---
title: How deep is a parameter?
summary: The depth of a parameter is that of its layer, from the stem at 0 to the head; the model says it, a list of patterns, or its structure.
chapter: "11.6"
needs: [base]
---

# Layer zero is not where it seems

(prose to come)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from torch import nn
from torch.nn.modules.conv import _ConvNd

from labml_nn_optim.checks import require_choice

__all__ = ["FINAL_NORMS", "LayerPatterns", "Layers", "find_layers", "is_norm"]

LayerPatterns: TypeAlias = Sequence[str]

FINAL_NORMS = ("head", "last_block")

HEAD = re.compile(
    r"(?:^|\.)(?:heads?|head_dist|classifier|lm_head|fc|fc_norm|cls|pooler|score|logits)(?:\.|$)"
)
STEM = re.compile(
    r"(?:^|\.)(?:\w*embed\w*|\w*token|stem|conv_proj|wte|wpe|embedder|shared)(?:\.|$)"
)
ROWS = ("blocks", "layers", "layer")


@dataclass(frozen=True)
class Layers:
    """The depth of each parameter, from 0 for the stem to `num_layers - 1` for the head."""

    depths: list[int]
    num_layers: int


def find_layers(
    model: nn.Module,
    names: Sequence[str],
    modules: Sequence[nn.Module],
    layers: LayerPatterns | None = None,
    final_norm: str = "head",
) -> Layers:
    """Find the depth of each parameter.

    - `names`, `modules`: name and module of each parameter, in the order of `named_parameters()`
    - `layers`: regular expressions from the stem to the head, see [by_patterns](#by_patterns). Without
      them the model's `get_layer_depth` is asked, or one of a direct child, and then the structure
    - `final_norm`: whether the normalization behind the last block counts as `"head"` or `"last_block"`;
      for the structure only

    Raises `ValueError` if a parameter has no layer, or there is nothing to tell layers apart by.
    """
    require_choice("final_norm", final_norm, FINAL_NORMS)
    if layers is not None:
        return by_patterns(names, layers)
    ask = own_depth(model)
    if ask is not None:
        return by_model(names, ask)
    return by_structure(model, names, modules, final_norm)


# ## The list says it
def by_patterns(names: Sequence[str], layers: LayerPatterns) -> Layers:
    r"""Find depths by regular expressions: the first that is found in a name is its layer.

    One with a group, such as `r"blocks\.(\d+)\."`, stands for as many layers as there are numbers.
    """
    if isinstance(layers, str) or not all(isinstance(each, str) for each in layers):
        raise TypeError(f"layers must be a list of regular expressions, got {layers!r}")
    if len(layers) == 0:
        raise ValueError("layers must be at least one regular expression, got []")
    try:
        compiled = [re.compile(pattern) for pattern in layers]
    except re.error as error:
        raise ValueError(f"layers must be regular expressions, got {layers!r}: {error}") from None
    keys = [_pattern_key(name, compiled) for name in names]
    found = {key[0] for key in keys}
    for index, pattern in enumerate(layers):
        if index not in found:
            raise ValueError(f"layers must each match a parameter, got {pattern!r}, which does not")
    depth_of = {key: depth for depth, key in enumerate(sorted(set(keys)))}
    return Layers([depth_of[key] for key in keys], len(depth_of))


def _pattern_key(name: str, patterns: Sequence[re.Pattern[str]]) -> tuple[int, ...]:
    for index, pattern in enumerate(patterns):
        if match := pattern.search(name):
            numbers = [group for group in match.groups() if group is not None]
            if not all(number.isdecimal() for number in numbers):
                raise ValueError(
                    f"layers must have groups for numbers only, got {pattern.pattern!r} for {name}"
                )
            return (index, *map(int, numbers))
    raise ValueError(f"layers must match every parameter, got no match for {name}")


# ## The model says it
def own_depth(model: nn.Module) -> Callable[[str], Any] | None:
    """Return the model's `get_layer_depth`, or that of the first direct child that has one."""
    ask: Callable[[str], Any] | None = getattr(model, "get_layer_depth", None)
    if ask is not None:
        return ask
    for name, child in model.named_children():
        ask_child = getattr(child, "get_layer_depth", None)
        if ask_child is not None:
            return lambda param_name: ask_child(param_name, f"{name}.")
    return None


def by_model(names: Sequence[str], ask: Callable[[str], Any]) -> Layers:
    """Ask the model for the depth of each parameter and the number of layers."""
    answers = [ask(name) for name in names]
    counts = {count for _, count in answers}
    if len(counts) != 1:
        raise ValueError(f"get_layer_depth must tell one number of layers, got {sorted(counts)}")
    count = counts.pop()
    for name, (depth, _) in zip(names, answers, strict=True):
        if not 0 <= depth < count:
            raise ValueError(
                f"get_layer_depth must tell a depth from 0 to {count - 1}, got {depth} for {name}"
            )
    return Layers([depth for depth, _ in answers], count)


# ## The structure says it
def by_structure(
    model: nn.Module, names: Sequence[str], modules: Sequence[nn.Module], final_norm: str
) -> Layers:
    """Find blocks in numbered modules; what is before them is the stem, what is behind them the head."""
    blocks = find_blocks(model)
    if not blocks:
        return by_modules(names, modules)
    known = depths_in_blocks(names, blocks)
    placed = [row for row, depth in enumerate(known) if depth is not None]
    head = len(blocks) + 1
    behind = {True: head if final_norm == "head" else head - 1, False: head}
    depths: list[int] = []
    following = head
    for row in reversed(range(len(names))):
        depth = known[row]
        if depth is None:
            if HEAD.search(names[row]):
                depth = head
            elif row < placed[0] or STEM.search(names[row]):
                depth = 0
            else:
                depth = behind[is_norm(modules[row])] if row > placed[-1] else following
        else:
            following = depth
        depths.append(depth)
    return Layers(depths[::-1], head + 1)


class Block(NamedTuple):
    """The path of a block, and that of the stage it is in, empty without stages; with dots at the end."""

    path: str
    stage: str


def find_blocks(module: nn.Module, path: str = "") -> list[Block]:
    """Return the blocks of a model: the outermost numbered modules, or those inside of stages.

    Where some modules of a row are stages, the others stand between stages and hold no block.
    """
    found: list[Block] = []
    numbered: list[Block] = []
    for name, child in module.named_children():
        inside = f"{path}{name}."
        if not is_unit(inside, child):
            found += find_blocks(child, inside)
        elif blocks := stage_blocks(child, inside):
            found += blocks
        else:
            numbered.append(Block(inside, ""))
    return found if any(block.stage for block in found) else found + numbered


def is_unit(path: str, module: nn.Module) -> bool:
    """Whether a module is numbered, made of others, has parameters, and is neither stem, norm nor head."""
    if not path[-2].isdigit() or not is_composed(module) or is_norm(module):
        return False
    return not (STEM.search(path) or HEAD.search(path))


def is_composed(module: nn.Module) -> bool:
    """Whether a module with parameters is made of other modules."""
    return bool(module._modules) and has_parameters(module)


def has_parameters(module: nn.Module) -> bool:
    """Whether the module or one inside of it has a parameter."""
    return next(module.parameters(), None) is not None


def stage_blocks(module: nn.Module, path: str) -> list[Block]:
    """Return the blocks of a stage, none if the module is no stage.

    A stage holds modules of one class in a row, itself or in a module named `blocks` or alike.
    """
    rows: list[tuple[str, nn.Module]] = [("", module)] if isinstance(module, nn.Sequential) else []
    rows += [(f"{name}.", child) for name, child in module.named_children() if name in ROWS]
    for own, row in rows:
        children = {name: each for name, each in row.named_children() if has_parameters(each)}
        kinds = {type(each) for each in children.values()}
        if len(kinds) == 1 and all(map(is_composed, children.values())):
            return [Block(f"{path}{own}{name}.", path) for name in children]
    return []


def depths_in_blocks(names: Sequence[str], blocks: Sequence[Block]) -> list[int | None]:
    """Return the depth of each parameter that is in a block or a stage, counted from 1.

    What is in a stage, but in none of its blocks, joins the first one if it stands before it, else the last.
    """
    depth_of = {block.path: depth for depth, block in enumerate(blocks, 1)}
    ends: dict[str, tuple[int, int]] = {}
    for block in blocks:
        first, _ = ends.get(block.stage, (depth_of[block.path], 0))
        ends[block.stage] = first, depth_of[block.path]
    ends.pop("", None)
    begun: set[str] = set()
    depths: list[int | None] = []
    for name in names:
        paths = [name[: dot + 1] for dot, letter in enumerate(name) if letter == "."]
        depth = next((depth_of[path] for path in paths if path in depth_of), None)
        stage = next((path for path in paths if path in ends), None)
        if stage is not None:
            if depth is None:
                depth = ends[stage][stage in begun]
            else:
                begun.add(stage)
        depths.append(depth)
    return depths


def by_modules(names: Sequence[str], modules: Sequence[nn.Module]) -> Layers:
    """Take each module with parameters of its own for a layer, and a normalization as part of the one before."""
    depths: list[int] = []
    depth_of: dict[int, int] = {}
    count = 0
    for module in modules:
        if id(module) not in depth_of:
            joins = count > 0 and is_norm(module)
            depth_of[id(module)] = depths[-1] if joins else count
            count += not joins
        depths.append(depth_of[id(module)])
    if count < 2:
        raise ValueError(
            f"layers must be given for a model with one layer only, {names[:1]}, got None"
        )
    return Layers(depths, count)


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalizes: its class, or one that it is made from, has the word in its name.

    `NormedLinear` and other layers made from a linear one, a convolution or an embedding do not count.
    """
    return _normalizes(type(module).__mro__)


@cache
def _normalizes(classes: tuple[type, ...]) -> bool:
    is_layer = any(issubclass(classes[0], kind) for kind in (nn.Linear, nn.Embedding, _ConvNd))
    return not is_layer and any("norm" in each.__name__.lower() for each in classes)

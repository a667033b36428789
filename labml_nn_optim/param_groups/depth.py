r"""
---
title: How deep is a parameter?
summary: The depth of a parameter is that of its layer, from the stem at 0 to the head; the model says it, a list of patterns, or its structure.
chapter: "11.6"
needs: [base]
---

# The decay that decays nothing

mmpretrain has a backbone named HiViT, whose blocks are `blocks.0`, `blocks.1` and so on. Its function that tells how
deep a parameter is looks for `layers`. It finds none, and puts every block at the depth of the head. Set
`layer_decay_rate=0.65` there, and all blocks train at the full rate. No error, no warning.

Its function for ResNet looks for `backbone.layer`. Under any other prefix it puts all of the backbone at depth 0,
which at 0.65 and eight depths is a twentieth of the rate.

A [layer-wise rate](layer_decay.py) is a power of the depth. It is as good as the depth is.

## What a depth is

A network is a stem, a row of blocks, and a head. The stem, with all embeddings and tokens, has depth 0. The blocks count from 1
on. What is behind the last one has depth $D - 1$:

$$d = 0,\; 1,\; \dots,\; D - 2,\; D - 1, \qquad D = \text{blocks} + 2$$

Three sources can tell it. The first that is there is asked.

**A list of patterns.** Each regular expression is a layer, from the stem to the head. The first that is found in a name
decides. One with a group counts: `r"blocks\.(\d+)\."` is as many layers as there are numbers.

```python
layers = [r"embed", r"blocks\.(\d+)\.", r"norm|head"]
```

A name that no pattern matches is an error, and so is a pattern without a name.

**The model.** If it, or a direct child such as `backbone`, has a method `get_layer_depth(name, prefix="")` that returns
$d$ and $D$, it is believed, as in mmpretrain.

**The structure.** Otherwise the modules are looked at.

## How blocks are found

A block is a module whose name ends in a number and that is made of other modules: `blocks.3` of timm, `encoder_layer_3` of
torchvision, `h.3` of GPT-2, `layer.3` of BERT. The outermost such module counts, so that the experts inside of a block are not
blocks.

In a Swin or a ConvNeXt the outermost numbered modules are *stages*. A stage holds modules of one class in a row, itself or
in a child named `blocks`, `layers` or `layer`, and these are the blocks. The rest of a stage, such as the layer that halves the
resolution, joins the first block if it stands before it, and the last if behind. One that stands between two stages joins the block after
it.

What is in no block goes by its name, if it is one of the usual names of a head or of an embedding, and else by where it stands. A
network without blocks, such as the [MNIST network](../../experiments/mnist.py), has one depth for each module with
parameters; a normalization joins the module before it.

| model | $D$ by structure | $D$ in mmpretrain |
|---|---:|---:|
| ViT-B/16 | 14 | 14 |
| Swin-T | 14 | 14 |
| ConvNeXt-T | 20 | 8 |
| ResNet-50 | 18 | 8 |
| the MNIST network | 4 | |

This was tried on the models of torchvision and timm above, and on the names of Hugging Face's BERT, GPT-2, LLaMA, ViT, Swin, ConvNeXt and ResNet. It
is a guess all the same. Read [the table](report.py) before you train.

## Conventions

- **The final normalization.** mmpretrain gives it the depth of the head, and so the full rate. timm counts it to the
  last block in a ViT and a Swin, to the head in a ConvNeXt. `final_norm` chooses.
- **Coarse depths.** For ConvNeXt mmpretrain follows the code of BEiT and of ConvNeXt: stages 1 and 2 have one depth each, the nine
  blocks of stage 3 are taken in threes, stage 4 has one. For ResNet it takes blocks in twos to sixes. So $D$ is 8 where
  the structure has 20 or 18.
- **Between stages.** The layer that halves the resolution goes with the block behind it in torchvision's and timm's Swin, and so it does in timm's
  groups. mmpretrain counts it to the block before, a factor $r$ apart.
- **Position embeddings.** mmpretrain's Swin counts `absolute_pos_embed` to the head. Here an embedding is the stem.
- **Encoder and decoder.** Blocks of both count on, the decoder's after the encoder's.

A rate belongs to a count of depths. To bring one from $D'$ to $D$ depths so that the stem keeps its scale, take
$r^{(D' - 1) / (D - 1)}$: the 0.7 that mmpretrain has for a ConvNeXt V2-T with 8 depths is $0.7^{7/19} = 0.88$ with 20.
"""

from __future__ import annotations

import numbers
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
    check_layers(layers, final_norm)
    if layers is not None:
        return by_patterns(names, layers)
    ask = own_depth(model)
    if ask is not None:
        return by_model(names, ask)
    return by_structure(model, names, modules, final_norm)


def check_layers(layers: LayerPatterns | None, final_norm: str) -> None:
    """Raise `TypeError` or `ValueError` for arguments of [find_layers](#find_layers) that are not allowed."""
    require_choice("final_norm", final_norm, FINAL_NORMS)
    if layers is not None:
        compiled_patterns(layers)
        if final_norm != FINAL_NORMS[0]:
            raise ValueError(f"final_norm must not be given where layers are, got {final_norm!r}")


# ## The list says it
def compiled_patterns(layers: LayerPatterns) -> list[re.Pattern[str]]:
    """Return the regular expressions; raises `TypeError` or `ValueError` for what is none."""
    is_list = isinstance(layers, Sequence) and not isinstance(layers, str)
    if not is_list or not all(isinstance(each, str) for each in layers):
        raise TypeError(f"layers must be a list of regular expressions, got {layers!r}")
    if len(layers) == 0:
        raise ValueError("layers must be at least one regular expression, got []")
    try:
        return [re.compile(pattern) for pattern in layers]
    except re.error as error:
        raise ValueError(f"layers must be regular expressions, got {layers!r}: {error}") from None


def by_patterns(names: Sequence[str], layers: LayerPatterns) -> Layers:
    r"""Find depths by regular expressions: the first that is found in a name is its layer.

    One with a group, such as `r"blocks\.(\d+)\."`, stands for as many layers as there are numbers.
    """
    compiled = compiled_patterns(layers)
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
            found = [group for group in match.groups() if group is not None]
            if not all(number.isdecimal() for number in found):
                raise ValueError(
                    f"layers must have groups for numbers only, got {pattern.pattern!r} for {name}"
                )
            return (index, *map(int, found))
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
    answers = [checked_answer(ask(name), name) for name in names]
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


def checked_answer(answer: Any, name: str) -> tuple[int, int]:
    """Return what the model said of a parameter; raises `TypeError` unless that is two whole numbers."""
    is_pair = isinstance(answer, tuple | list) and len(answer) == 2
    if not is_pair or not all(isinstance(each, numbers.Integral) for each in answer):
        raise TypeError(
            "get_layer_depth must return a depth and the number of layers, "
            f"got {answer!r} for {name}"
        )
    return answer[0], answer[1]


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
    tail = range(placed[-1] + 1, len(names))
    # A norm behind anything else, in a pooling for instance, is not the one that ends the blocks.
    after_norm = next((row for row in tail if not is_norm(modules[row])), len(names))
    depths: list[int] = []
    following = head
    for row in reversed(range(len(names))):
        depth = known[row]
        if depth is None:
            if HEAD.search(names[row]):
                depth = head
            elif row < placed[0] or STEM.search(names[row]):
                depth = 0
            elif row > placed[-1]:
                depth = head - (final_norm == "last_block" and row < after_norm)
            else:
                depth = following
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

    Where some modules of a row are stages, another one is a stage of different blocks, a block if it is made
    of composed modules, or stands between stages and holds no block.
    """
    parts: list[tuple[str, nn.Module, list[Block] | None]] = []
    for name, child in module.named_children():
        inside = f"{path}{name}."
        if is_unit(inside, child):
            parts.append((inside, child, stage_blocks(child, inside) or None))
        else:
            parts.append((inside, child, find_blocks(child, inside)))
    staged = any(block.stage for _, _, blocks in parts for block in blocks or ())
    found: list[Block] = []
    for inside, child, blocks in parts:
        if blocks is None:
            blocks = blocks_among_stages(child, inside) if staged else [Block(inside, "")]
        found += blocks
    return found


def is_unit(path: str, module: nn.Module) -> bool:
    """Whether a module is numbered, made of others, has parameters, and is neither stem, norm nor head."""
    if not path[-2].isdigit() or not is_composed(module):
        return False
    # torchvision's `Conv2dNormActivation` is a layer, timm's `EvaBlockPostNorm` a block.
    if _normalizes(type(module).__mro__) and not holds_composed(module):
        return False
    return not (STEM.search(path) or HEAD.search(path))


def is_composed(module: nn.Module) -> bool:
    """Whether a module with parameters is made of other modules."""
    return bool(module._modules) and has_parameters(module)


def holds_composed(module: nn.Module) -> bool:
    """Whether a module inside of this one is made of others that have parameters."""
    return any(has_parameters(part) for child in module.children() for part in child.children())


def has_parameters(module: nn.Module) -> bool:
    """Whether the module or one inside of it has a parameter."""
    return next(module.parameters(), None) is not None


def blocks_among_stages(module: nn.Module, path: str) -> list[Block]:
    """Return the blocks of a module that stands in a row with stages."""
    if blocks := stage_blocks(module, path, alike=False):
        return blocks
    return [Block(path, "")] if holds_composed(module) else []


def stage_blocks(module: nn.Module, path: str, alike: bool = True) -> list[Block]:
    """Return the blocks of a stage, none if the module is no stage.

    A stage holds modules in a row, itself or in a module named `blocks` or alike; of one class if `alike`.
    """
    rows: list[tuple[str, nn.Module]] = [("", module)] if isinstance(module, nn.Sequential) else []
    rows += [(f"{name}.", child) for name, child in module.named_children() if name in ROWS]
    for own, row in rows:
        children = {name: each for name, each in row.named_children() if has_parameters(each)}
        kinds = {type(each) for each in children.values()}
        if (len(kinds) == 1 or (children and not alike)) and all(
            map(is_composed, children.values())
        ):
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
    current = "."
    for name in names:
        # Parameters of a block follow each other, and no name starts with a dot.
        if name.startswith(current):
            depths.append(depth_of[current])
            continue
        paths = [name[: dot + 1] for dot, letter in enumerate(name) if letter == "."]
        own = next((path for path in paths if path in depth_of), None)
        depth = None if own is None else depth_of[own]
        current = own or "."
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

    `NormedLinear` and other layers made from a linear one, a convolution or an embedding do not count, nor
    does what has parameters in modules of its own, such as a `PreNormBlock`.
    """
    return _normalizes(type(module).__mro__) and not any(map(has_parameters, module.children()))


@cache
def _normalizes(classes: tuple[type, ...]) -> bool:
    is_layer = any(issubclass(classes[0], kind) for kind in (nn.Linear, nn.Embedding, _ConvNd))
    return not is_layer and any("norm" in each.__name__.lower() for each in classes)


# ## Traps
#
# - **A block that is not numbered.** `self.first = Block()` and `self.second = Block()` are no blocks to this code. Rename
#   them, or give patterns.
# - **A normalized linear layer** is not a normalization: a class made from `nn.Linear` is a layer whatever its name says.
# - **A model inside of a model.** Of teacher and student both are found, one behind the other. Pass the one that is trained.
# - **Heads with other names** behind the last block have the depth of the head anyway. Before it, they need one of the
#   names `head`, `classifier`, `fc`, `lm_head`, `pooler`, `cls`, `score` or `logits`.
#
# ## Exercises
#
# **1.** A network has an embedding `embed`, two blocks `blocks.0` and `blocks.1`, a normalization `norm` and a linear layer `head`. Which depth
# has each, and what is $D$?
#
# ::: solution
# Two blocks, so $D = 4$. `norm` is behind the last block: 3, or 2 with `final_norm="last_block"`.
#
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import ParameterTable
#
#
# class Net(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.embed = nn.Embedding(5, 4)
#         self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(4, 4)) for _ in range(2)])
#         self.norm = nn.LayerNorm(4, bias=False)
#         self.head = nn.Linear(4, 5, bias=False)
#
#
# table = ParameterTable(Net())
# assert table.layers().depths == [0, 1, 1, 2, 2, 3, 3]
# assert table.layers(final_norm="last_block").depths == [0, 1, 1, 2, 2, 2, 3]
# assert table.layers(["embed", "blocks", "norm|head"]).depths == [0, 1, 1, 1, 1, 2, 2]
# ```
# :::
#
# **2.** The rate 0.65 was tuned for a ViT-B/16 with $D = 14$. Which one gives the stem of a ViT-L/16, with 24 blocks, the same
# scale? Is that what one wants?
#
# ::: solution
# $0.65^{13 / 25} = 0.80$. It keeps the slowest part as slow. The middle of the network is then as fast as the middle of the smaller one,
# too, since the scale is a power of the relative depth. Recipes for larger models do use larger rates; how much of that
# is due to the depth alone is not known.
# :::

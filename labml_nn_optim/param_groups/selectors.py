r"""
---
title: Selectors
summary: A selector says which parameters of a model are meant, by name, module, shape, depth or test, and selectors combine like sets.
chapter: "11.1"
needs: [weight_decay]
---

# The word `norm` finds nothing

A recipe keeps normalization out of [weight decay](../weight_decay.py). It looks for `norm` in the names. How many tensors belong to a
normalization, and how many of them the word finds:

| model | in a normalization | found by `norm` |
|---|---:|---:|
| ViT-B/16 of timm | 50 | 50 |
| ViT-B/16 of torchvision | 50 | **0** |
| Swin-T of torchvision | 58 | 56 |
| ConvNeXt-T of timm | 46 | 38 |
| ConvNeXt-T of torchvision | 46 | **0** |
| ResNet-50 of either | 106 | **0** |

The first two are the same network. torchvision calls its normalizations `ln_1` and `ln_2`, a ResNet has `bn1`, and in a
`Sequential` they have a number: `features.0.2`. The recipe runs on all six, and in five of them decays what it wanted to spare.

A name is what somebody typed. Sometimes it is what you mean: this head, that token. Often you mean something else: all
normalizations, all matrices, the first four layers. Then select by that.

```python
norms = ModuleType(nn.LayerNorm, nn.BatchNorm2d)
matrices = Ndim(2)
early = Depth(at_most=3)
token = Name("cls_token")
```

## How names go wrong

- **Too much.** `norm` is also in `normal_head`. `bias` is in `relative_position_bias_table`, a matrix, of which a Swin-T has
  twelve. `fc` means the head of a ResNet; in timm's ViT-B/16 it finds 48 tensors inside the blocks.
- **Too little.** `*.bias` does not match `bias`, the name where the model is one layer. torch's attention has an
  `in_proj_bias`, which no pattern for `.bias` finds.
- **`*` crosses dots.** `blocks.*.weight` finds `blocks.0.mlp.fc1.weight`, and `blocks.1*` finds the blocks 1, 10 and 11.
  `blocks.1.*` is block 1.
- **`.` in a regular expression** is any character: `Regex("blocks.1")` finds block 10, and needs to be `r"blocks\.1\."`.
- **A new name.** A new release of a model calls `fc` what was `head`. A pattern for the old name finds nothing. Here that is
  [an error](groups.py); in most code it is silence.

## A selector is a set

Number the $n$ parameters of a model in the order of `named_parameters()`. A selector stands for a set of these numbers,
$S \subseteq \{0, \dots, n - 1\}$, and combining selectors is combining sets:

| written | set | that is |
|---|---|---|
| `a & b` | $S_a \cap S_b$ | both |
| `a \| b` | $S_a \cup S_b$ | one of them, or both |
| `~a` | $\{0, \dots, n - 1\} \setminus S_a$ | all others |

So a sentence becomes an expression. The matrices of linear layers in the first four layers, but for the attention:

```python
Depth(at_most=3) & ModuleType(nn.Linear) & Ndim(2) & ~Glob("*.attn.*")
```

A text in the place of a selector is a [Glob](#Glob), a module or a parameter stands for itself.

## Why not a test of one parameter?

noether's modifiers and timm's lists are asked about one parameter at a time. A selector here gets the whole model, as a
[table](#ParameterTable) of three columns: names, tensors, and the modules that they belong to. There are two reasons.

Some things cannot be seen on one parameter. Which layer is the last depends on all others. So does which matrix is the
largest, and whether two names stand for one tensor.

And it is fast. The model is walked once, whatever the number of rules; a pattern is compiled once; combining two
selections of thousands is one operation on sets. A glob over 10,000 names takes half as long as
`fnmatch` called for each.

## Conventions

| | a text is | it has to match |
|---|---|---|
| here | a glob | the whole name |
| noether | a name | the whole name |
| timm, `no_weight_decay()` | a glob | the whole name |
| mmpretrain, mmengine, `custom_keys` | a text | any part; the longest wins |
| Cerebras' model zoo, tags | a glob | any end of the name: `weight` matches `a.weight` |
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from labml_nn_optim.checks import require_count
from labml_nn_optim.param_groups.depth import (
    FINAL_NORMS,
    LayerPatterns,
    Layers,
    check_layers,
    find_layers,
)

__all__ = [
    "Chosen",
    "Depth",
    "Glob",
    "Members",
    "ModuleType",
    "Name",
    "Ndim",
    "ParameterTable",
    "Predicate",
    "Regex",
    "Selector",
    "Substring",
    "Tagged",
    "as_selector",
]


class ParameterTable:
    """The parameters of a model as columns, in the order of `named_parameters()`.

    A row is a parameter, and selectors return sets of row numbers. Frozen parameters are in it, too.

    - `names`: full dotted names; a parameter with several has its first one
    - `params`: the tensors
    - `modules`: the module that each belongs to
    - `aliases`: the other names of tied parameters, and the name in `names` of each
    - `tags`: what rules have tagged so far, by row

    Raises `TypeError` for what is no module.
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got a {type(model).__name__}")
        self.model = model
        self.names: list[str] = []
        self.params: list[Tensor] = []
        self.modules: list[nn.Module] = []
        self.aliases: dict[str, str] = {}
        self.tags: dict[int, set[str]] = {}
        self._layers: dict[tuple[tuple[str, ...] | None, str], Layers] = {}
        self._walk(model)

    def _walk(self, model: nn.Module) -> None:
        # A stack instead of nested generators, and no hash of a tensor: 10,000 parameters take 5 ms.
        seen: dict[int, str] = {}
        stack = [("", model)]
        while stack:
            prefix, module = stack.pop()
            for own, param in module._parameters.items():
                if param is None:
                    continue
                name = prefix + own
                if seen.setdefault(id(param), name) is name:
                    self.names.append(name)
                    self.params.append(param)
                    self.modules.append(module)
                elif seen[id(param)] != name:
                    self.aliases[name] = seen[id(param)]
            if children := module._modules:
                stack += [
                    (f"{prefix}{own}.", child)
                    for own, child in reversed(children.items())
                    if child is not None
                ]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def ndims(self) -> list[int]:
        """The number of dimensions of each parameter."""
        return [param.ndim for param in self.params]

    def layers(self, layers: LayerPatterns | None = None, final_norm: str = "head") -> Layers:
        """Return the depth of each parameter, see [find_layers](depth.py#find_layers)."""
        key = None if layers is None else tuple(layers), final_norm
        if key not in self._layers:
            self._layers[key] = find_layers(
                self.model, self.names, self.modules, layers, final_norm
            )
        return self._layers[key]

    def where(self, test: Callable[[str], Any]) -> set[int]:
        """Return the rows whose name passes `test`."""
        return {row for row, name in enumerate(self.names) if test(name)}

    def nearest(self, name: str, test: Callable[[str], Any] | None = None) -> str:
        """Return the names that are most like `name`, or tied ones that pass `test`, for an error message."""
        for alias, owner in self.aliases.items():
            if alias == name or (test is not None and test(alias)):
                return f"{alias} is tied, and goes by the name {owner}"
        if near := difflib.get_close_matches(name, self.names, n=3, cutoff=0.3):
            return f"the nearest names are {', '.join(near)}"
        return f"the names are {', '.join(self.names[:3])}" + ", ..." * (len(self.names) > 3)


class Selector:
    """Chooses parameters of a model. `a & b`, `a | b` and `~a` are what they are for sets.

    A subclass has [select](#Selector.select), and [hint](#Selector.hint) if it can say more about its miss than some names.
    """

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows of `table` that are chosen."""
        raise NotImplementedError(f"{type(self).__name__} has no select")

    def hint(self, table: ParameterTable) -> str:
        """Say what the model has instead, when nothing was chosen."""
        return table.nearest("")

    def __bool__(self) -> bool:
        # `a or b` would be `a`, without a word.
        raise TypeError("selectors must be combined with &, | and ~, got and, or, not or if")

    def __and__(self, other: Selector) -> Selector:
        return Both(self, as_selector(other))

    def __or__(self, other: Selector) -> Selector:
        return Either(self, as_selector(other))

    def __invert__(self) -> Selector:
        return Other(self)


@dataclass(frozen=True)
class Both(Selector):
    """`a & b`."""

    first: Selector
    second: Selector

    def select(self, table: ParameterTable) -> set[int]:
        """Return what both choose."""
        return self.first.select(table) & self.second.select(table)

    def hint(self, table: ParameterTable) -> str:
        """Name the part that chooses nothing, if it is one."""
        for part in (self.first, self.second):
            if not part.select(table):
                return part.hint(table)
        return "each part alone does match"

    def __repr__(self) -> str:
        return f"({self.first!r} & {self.second!r})"


@dataclass(frozen=True)
class Either(Selector):
    """`a | b`."""

    first: Selector
    second: Selector

    def select(self, table: ParameterTable) -> set[int]:
        """Return what one of them chooses."""
        return self.first.select(table) | self.second.select(table)

    def hint(self, table: ParameterTable) -> str:
        """Speak of the first."""
        return self.first.hint(table)

    def __repr__(self) -> str:
        return f"({self.first!r} | {self.second!r})"


@dataclass(frozen=True)
class Other(Selector):
    """`~a`."""

    inner: Selector

    def select(self, table: ParameterTable) -> set[int]:
        """Return what `a` leaves."""
        return set(range(len(table))) - self.inner.select(table)

    def hint(self, table: ParameterTable) -> str:
        """Say that `a` leaves nothing."""
        return f"{self.inner!r} matches all of them"

    def __repr__(self) -> str:
        return f"~{self.inner!r}"


# ## By name
@dataclass(frozen=True)
class Name(Selector):
    """One parameter, by its full dotted name, such as `"blocks.0.mlp.fc1.weight"`."""

    name: str

    def __post_init__(self) -> None:
        require_text("name", self.name)

    def select(self, table: ParameterTable) -> set[int]:
        """Return its row."""
        row = table.rows.get(self.name)
        return set() if row is None else {row}

    def hint(self, table: ParameterTable) -> str:
        """Name the nearest names."""
        return table.nearest(self.name)


@dataclass(frozen=True)
class Glob(Selector):
    """Names that match a pattern: `*` for anything, dots too, `?` for one character, `[01]` for a choice.

    Case counts, and the pattern is for the whole name: `*.bias` has no match in `bias`.
    """

    pattern: str

    def __post_init__(self) -> None:
        require_text("pattern", self.pattern)

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows whose names match."""
        return table.where(self._test())

    def hint(self, table: ParameterTable) -> str:
        """Name the nearest names."""
        return table.nearest(self.pattern, self._test())

    def _test(self) -> Callable[[str], Any]:
        return re.compile(fnmatch.translate(self.pattern)).match


@dataclass(frozen=True)
class Regex(Selector):
    r"""Names in which a regular expression is found anywhere; `^` and `$` tie it to the ends.

    Raises `ValueError` for what is no regular expression.
    """

    pattern: str

    def __post_init__(self) -> None:
        require_text("pattern", self.pattern)
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(
                f"pattern must be a regular expression, got {self.pattern!r}: {error}"
            ) from None

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows whose names match."""
        return table.where(re.compile(self.pattern).search)

    def hint(self, table: ParameterTable) -> str:
        """Name the nearest names."""
        return table.nearest(re.sub(r"\\(.)", r"\1", self.pattern), re.compile(self.pattern).search)


@dataclass(frozen=True)
class Substring(Selector):
    """Names that contain a text.

    Of several rules that select by a substring alone, the one with the longest text has a parameter for
    itself, as with the `custom_keys` of mmpretrain.
    """

    text: str

    def __post_init__(self) -> None:
        require_text("text", self.text)

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows whose names contain the text."""
        return table.where(lambda name: self.text in name)

    def hint(self, table: ParameterTable) -> str:
        """Name the nearest names."""
        return table.nearest(self.text, lambda name: self.text in name)


# ## By what they are
class ModuleType(Selector):
    """Parameters that belong directly to a module of one of some types, or of a subclass.

    - `inside`: also those of the modules inside of it
    """

    def __init__(self, *types: type[nn.Module], inside: bool = False) -> None:
        for kind in types:
            if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
                raise TypeError(f"types must be classes of modules, got {kind!r}")
        if not types:
            raise ValueError("types must be at least one class of modules, got none")
        self.types = types
        self.inside = inside

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows of such modules."""
        if not self.inside:
            return {
                row for row, module in enumerate(table.modules) if isinstance(module, self.types)
            }
        outer = {
            id(inner)
            for module in table.model.modules()
            if isinstance(module, self.types)
            for inner in module.modules()
        }
        return {row for row, module in enumerate(table.modules) if id(module) in outer}

    def hint(self, table: ParameterTable) -> str:
        """Name the types that there are."""
        return (
            f"the modules are {', '.join(sorted({type(each).__name__ for each in table.modules}))}"
        )

    def __repr__(self) -> str:
        names = ", ".join(kind.__name__ for kind in self.types)
        return f"ModuleType({names}{', inside=True' if self.inside else ''})"


class Bounded(Selector):
    """Chooses by a whole number that each parameter has."""

    def __init__(
        self,
        exactly: int | None = None,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> None:
        bounds = {"exactly": exactly, "at_least": at_least, "at_most": at_most}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        for name, bound in given.items():
            require_count(name, bound)
        if not given or (exactly is not None and len(given) > 1):
            raise ValueError(
                f"exactly must be given alone, or at_least, at_most or both instead of it, got {given}"
            )
        self.given = given

    def within(self, numbers: Iterable[int]) -> set[int]:
        """Return the rows whose number lies within the bounds."""
        least = self.given.get("exactly", self.given.get("at_least", 0))
        most = self.given.get("exactly", self.given.get("at_most"))
        return {
            row
            for row, number in enumerate(numbers)
            if number >= least and (most is None or number <= most)
        }

    def __repr__(self) -> str:
        bounds = ", ".join(
            str(bound) if name == "exactly" else f"{name}={bound}"
            for name, bound in self.given.items()
        )
        return f"{type(self).__name__}({bounds})"


class Ndim(Bounded):
    """Parameters with so many dimensions: `Ndim(2)`, `Ndim(at_least=2)`, `Ndim(at_most=1)`."""

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows with so many dimensions."""
        return self.within(table.ndims)

    def hint(self, table: ParameterTable) -> str:
        """Name the numbers that there are."""
        return f"the parameters have {', '.join(map(str, sorted(set(table.ndims))))} dimensions"


class Depth(Bounded):
    """Parameters so many layers deep: `Depth(0)` is the stem, `Depth(at_most=3)` the first four layers.

    - `layers`, `final_norm`: how the depth is found, see [LayerDecay](layer_decay.py#LayerDecay)
    """

    def __init__(
        self,
        exactly: int | None = None,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        layers: LayerPatterns | None = None,
        final_norm: str = FINAL_NORMS[0],
    ) -> None:
        super().__init__(exactly, at_least=at_least, at_most=at_most)
        check_layers(layers, final_norm)
        self.layers = layers
        self.final_norm = final_norm

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows at such a depth."""
        return self.within(table.layers(self.layers, self.final_norm).depths)

    def hint(self, table: ParameterTable) -> str:
        """Say how deep the model is."""
        count = table.layers(self.layers, self.final_norm).num_layers
        return f"the depths go from 0 to {count - 1}"


@dataclass(frozen=True)
class Predicate(Selector):
    """Parameters for which `test(name, param)` is true, with the full name and the tensor."""

    test: Callable[[str, Tensor], Any]

    def __post_init__(self) -> None:
        if not callable(self.test):
            raise TypeError(f"test must be a function of name and parameter, got {self.test!r}")

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows that pass the test."""
        pairs = zip(table.names, table.params, strict=True)
        return {row for row, (name, param) in enumerate(pairs) if self.test(name, param)}


@dataclass(frozen=True)
class Tagged(Selector):
    """Parameters that a [rule](rules.py) further up in the list has given a tag."""

    tag: str

    def __post_init__(self) -> None:
        require_text("tag", self.tag)

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows with the tag."""
        return {row for row, tags in table.tags.items() if self.tag in tags}

    def hint(self, table: ParameterTable) -> str:
        """Name the tags that there are."""
        known = sorted(set().union(*table.tags.values()))
        return f"the tags given by rules further up are {', '.join(known) or 'none'}"


class Members(Selector):
    """The parameters of a module, or single ones, as objects.

    Selecting raises `ValueError` if one is no parameter of the model.
    """

    def __init__(self, *members: nn.Module | Tensor) -> None:
        for member in members:
            if not isinstance(member, nn.Module | Tensor):
                raise TypeError(f"members must be modules or parameters, got {member!r}")
        if not members:
            raise ValueError("members must be at least one module or parameter, got none")
        self.members = members

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows of these parameters."""
        rows = {id(param): row for row, param in enumerate(table.params)}
        found: set[int] = set()
        for member in self.members:
            named = member.named_parameters() if isinstance(member, nn.Module) else [("", member)]
            for name, param in named:
                if id(param) not in rows:
                    what = f"{name} of {type(member).__name__}" if name else shape_of(param)
                    raise ValueError(f"members must be parameters of this very model, got {what}")
                found.add(rows[id(param)])
        return found

    def hint(self, table: ParameterTable) -> str:
        """Say that there is nothing in them."""
        return f"{self!r} has none"

    def __repr__(self) -> str:
        names = (
            type(each).__name__ if isinstance(each, nn.Module) else shape_of(each)
            for each in self.members
        )
        return f"Members({', '.join(names)})"


@dataclass(frozen=True)
class Chosen(Selector):
    """Rows that were found already, under a name for messages; for families of rules."""

    rows: frozenset[int]
    label: str

    def select(self, table: ParameterTable) -> set[int]:
        """Return the rows."""
        return set(self.rows)

    def __repr__(self) -> str:
        return self.label


def as_selector(value: Any) -> Selector:
    """Return a selector: a text is a [Glob](#Glob), a module or parameter stands for itself."""
    if isinstance(value, Selector):
        return value
    if isinstance(value, str):
        return Glob(value)
    if isinstance(value, nn.Module | Tensor):
        return Members(value)
    if isinstance(value, type) and issubclass(value, nn.Module):
        return ModuleType(value)
    raise TypeError(f"select must be a selector, a text, a module or a parameter, got {value!r}")


def require_text(name: str, value: Any) -> None:
    """Raise unless `value` is a text that is not empty."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {value!r}")
    if not value:
        raise ValueError(f"{name} must be a text that is not empty, got ''")


def shape_of(param: Tensor) -> str:
    """Say what a parameter without a name is."""
    return f"a parameter of shape {tuple(param.shape)}"


# ## Choosing a selector
#
# - **The thing itself**, where you have it: `Rule(model.head, lr_scale=10)`. A renamed layer ends the program in this very line.
# - `ModuleType` for a kind of layer, such as all embeddings. It means what belongs to the layer directly; with `inside=True` all
#   that is below, so `ModuleType(Block, inside=True)` is all blocks.
# - `Ndim` where the shape decides: matrices for Muon, vectors for no decay. `Biases()` and `Normalization()`, from
#   [What not to decay](no_decay.py), are what the built-in rules use.
# - `Depth` for early and late layers. Read [how it is found](depth.py) first.
# - `Glob` for a part of the network by its place, `Name` for one parameter. `Regex` if a glob cannot say it: `r"blocks\.([0-3])\."`.
# - `Tagged` to say once what a part is, and use it in several rules and in [schedules](../../docs_src/tags.md).
# - `Predicate` for the rest: `Predicate(lambda name, param: param.numel() > 1_000_000)`.
# - `Substring` for recipes from mmpretrain. It is the only one that does not combine: see the traps of [rules](rules.py).
#
# ## Traps
#
# - **A typo inside of `|`.** `Glob("conv*") | Glob("hiden.*")` matches, by its first half, and nobody misses the second. Two rules
#   find it. `~Glob("hiden.*")` is worse: it is everything.
# - **A layer has a bias.** `ModuleType(nn.Linear)` takes weights and biases. `& Ndim(2)` leaves the matrices.
# - **Matrices outside of linear layers.** torch's attention keeps its `in_proj_weight` itself. In torchvision's ViT-B/16
#   `ModuleType(nn.Linear)` misses twelve of the 49 matrices that way.
# - **Tied weights have one name**, the first. If `lm_head.weight` is `wte.weight`, no pattern finds `lm_head`, and `ModuleType(nn.Linear)` does
#   not find the tensor. The message of the error says whose name it is.
# - **Wrappers change names.** `torch.compile` puts `_orig_mod.` before each, `DistributedDataParallel` puts `module.`. Build groups
#   from the model inside: the tensors are the same.
#
# ## Exercises
#
# **1.** Twelve blocks are named `blocks.0` to `blocks.11`. Which do `blocks.1*`, `blocks.1.*` and `blocks.?.*` choose?
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Glob, ParameterTable
#
# model = nn.ModuleDict({"blocks": nn.ModuleList(nn.LayerNorm(2) for _ in range(12))})
# table = ParameterTable(model)
#
#
# def blocks(pattern):
#     return sorted({int(table.names[row].split(".")[1]) for row in Glob(pattern).select(table)})
#
#
# assert blocks("blocks.1*") == [1, 10, 11]
# assert blocks("blocks.1.*") == [1]
# assert blocks("blocks.?.*") == list(range(10))
# ```
# :::
#
# **2.** Write a selector for the $k$ largest parameters. Why can a `Predicate` not do it?
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Ndim, ParameterTable, Selector
#
#
# class Largest(Selector):
#     def __init__(self, count):
#         self.count = count
#
#     def select(self, table):
#         rows = sorted(range(len(table)), key=lambda row: table.params[row].numel())
#         return set(rows[-self.count :])
#
#
# model = nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 8), nn.Linear(8, 2))
# table = ParameterTable(model)
# assert {table.names[row] for row in Largest(2).select(table)} == {"0.weight", "1.weight"}
# assert {table.names[row] for row in (Ndim(2) & ~Largest(2)).select(table)} == {"2.weight"}
# ```
# A predicate sees one parameter, and whether that is among the largest depends on the others.
# :::
#
# **3.** A class `Block` holds an attention, two normalizations and two linear layers. Select the normalizations inside of blocks, but not the one
# behind the last block, without a name.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import ModuleType, ParameterTable
#
# layer = nn.TransformerEncoderLayer(8, 2, 16)
# model = nn.TransformerEncoder(layer, 3, norm=nn.LayerNorm(8), enable_nested_tensor=False)
# inner = ModuleType(nn.LayerNorm) & ModuleType(nn.TransformerEncoderLayer, inside=True)
# table = ParameterTable(model)
# assert len(inner.select(table)) == 3 * 2 * 2
# assert table.rows["norm.weight"] not in inner.select(table)
# ```
# :::

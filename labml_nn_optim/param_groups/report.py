r"""
---
title: Checking a recipe
summary: A table of the groups with their rates, decays, sizes and examples shows at a glance whether a recipe does what was meant.
chapter: "11.4"
needs: [param_groups/groups]
---

# A recipe without an error, and three mistakes

Rules that match nothing are refused, and so are rules that contradict each other. Nobody refuses a rule that matches
the *wrong* parameters. For that there is a table, and it has to be read.

A small ViT, timm's with two blocks and a width of 64, is to be fine-tuned. Each layer shall learn at 0.75 times the rate of the one
behind it, and the new head at ten times the base:

```python
rules = [
    LayerDecay(0.75),
    Rule("cls_token", no_decay=True),
    Rule("pos_embed", no_decay=True),
    Rule("head.*", lr_scale=10),
]
groups = param_groups(model, rules, lr=1e-3, weight_decay=0.05)
describe(groups)
```

```text
group        lr  lr_scale  weight_decay  tensors  parameters  examples
    0  0.000422     0.422             0        3       4,288  cls_token, pos_embed, and 1 more
    1  0.000422     0.422          0.05        1       3,072  patch_embed.proj.weight
    2  0.000563     0.562             0        8         832  blocks.0.norm1.weight, blocks.0.norm1.bias, and 6 more
    3  0.000563     0.562          0.05        4      49,152  blocks.0.attn.qkv.weight, blocks.0.attn.proj.weight, and 2 more
    4   0.00075      0.75             0        8         832  blocks.1.norm1.weight, blocks.1.norm1.bias, and 6 more
    5   0.00075      0.75          0.05        4      49,152  blocks.1.attn.qkv.weight, blocks.1.attn.proj.weight, and 2 more
    6     0.001         1             0        2         128  norm.weight, norm.bias
    7      0.01        10          0.05        1         640  head.weight
    8      0.01        10             0        1          10  head.bias
                                  total       32     108,106

Rule(Biases(), weight_decay=0.0) (built in): 15 tensors, 1,546 parameters
Rule(Normalization(), weight_decay=0.0) (built in): 5 tensors, 320 parameters
Rule(depth 0, lr_scale=0.421875): 4 tensors, 7,360 parameters
Rule(depth 1, lr_scale=0.5625): 12 tensors, 49,984 parameters
Rule(depth 2, lr_scale=0.75): 12 tensors, 49,984 parameters
Rule(depth 3, lr_scale=1.0): 4 tensors, 778 parameters
Rule(Glob(pattern='cls_token'), weight_decay=0.0): 1 tensor, 64 parameters
Rule(Glob(pattern='pos_embed'), weight_decay=0.0): 1 tensor, 4,160 parameters
Rule(Glob(pattern='head.*'), lr_scale=10): 2 tensors, 650 parameters
```

## Five questions to it

1. **Is everything there?** The total is the number of parameters that the model is known to have, less what is frozen on purpose.
2. **Which rates are there?** As many as you have thought of, and no other. Here four: stem, two blocks, head. The final norm has
   the base rate, a fifth: behind the last block, it is as deep as the head and not new. Is that meant?
3. **Where is the decay 0?** In groups of many tensors and few numbers. A large number there is a matrix. In group 0 it is
   the position embedding, by a rule.
4. **Does each rule speak of as many tensors as it should?** Twelve in each block, two in a head with a bias. Count them once.
5. **What is not trained?** The last line says so. There is none here.

Only question 2 finds something here, and the recipe alone does not raise it.

## Three mistakes

**All decay alike.** `param_groups(model, [Rule("*", weight_decay=0.1), Rule("head.*", lr_scale=10)], lr=1e-3)`:

```text
group     lr  lr_scale  weight_decay  tensors  parameters  examples
    0  0.001         1           0.1       30     107,456  cls_token, pos_embed, and 28 more
    1   0.01        10           0.1        2         650  head.weight, head.bias
```

No line has a decay of 0. The rule for `*` is explicit and overrides what is built in, for norms and biases too. The base belongs into
`param_groups(..., weight_decay=0.1)`.

**A head that is not the head.** A class creates its output layer first, `self.out = ...`, and the embedding and the blocks
behind it. With `LayerDecay(0.5)`:

```text
group        lr  lr_scale  weight_decay  tensors  parameters  examples
    0  0.000125     0.125          0.05        2         288  out.weight, embed.weight
    ...
    5    0.0005       0.5          0.05        1         256  blocks.1.1.weight
```

No group has the scale 1. `out` is no usual name of a head, and stands where a stem stands, so [the depth](depth.py) is 0: it learns eight
times too slowly. A list of patterns tells where it belongs.

**Frozen by accident.** Block 1 of twelve shall be frozen: `Rule("blocks.1*", freeze=True)`.

```text
                               total      116     457,994
...
Rule(Glob(pattern='blocks.1*'), freeze=True): 36 tensors, 149,952 parameters
not trained: blocks.1.norm1.weight, blocks.1.norm1.bias, ..., blocks.1.norm2.bias, and 28 more
```

A block has 12 tensors. The blocks 10 and 11 are in it as well: `blocks.1.*` was meant.

None of the three stops a run or prints a word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.param_groups.groups import ParamGroups
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["describe", "description"]

COLUMNS = ("lr", "lr_scale", "weight_decay", "tensors", "parameters")
BOOKKEEPING = {
    *("params", "param_names", "name", "lr", "lr_scale", "weight_decay"),
    *("weight_decay_scale", "original_lr", "original_weight_decay", "initial_lr"),
}
EXAMPLES = 2


def describe(groups: Optimizer | Sequence[Mapping[str, Any]], file: TextIO | None = None) -> None:
    """Print the [description](#description) of `groups` to `file`, standard output by default."""
    print(description(groups), file=file or sys.stdout)


def description(groups: Optimizer | Sequence[Mapping[str, Any]]) -> str:
    """Return a table of parameter groups, with a line for each, and what else the rules did.

    Rates and decays are those of this moment. `examples` has what else the group's name says, and the first names
    of its parameters, or their shapes where there are no names. Lines for the rules and for what is not trained
    come with what [param_groups](groups.py#param_groups) returned only.

    - `groups`: what [param_groups](groups.py#param_groups) returned, any list of groups, or an optimizer

    Raises `TypeError` for anything else.
    """
    listed = groups.param_groups if isinstance(groups, Optimizer) else groups
    if not (isinstance(listed, Sequence) and all(map(is_group, listed))):
        raise TypeError(
            f"groups must be parameter groups or an optimizer, got a {type(groups).__name__}"
        )
    rows = [cells(number, group) for number, group in enumerate(listed)]
    total = [sum(map(size, listed)), sum(map(numbers, listed))]
    rows.append(["", "", "", "total", f"{total[0]:,}", f"{total[1]:,}", ""])
    lines = aligned([["group", *COLUMNS, "examples"], *rows])
    if isinstance(groups, ParamGroups):
        lines += remarks(groups)
    return "\n".join(lines)


def is_group(value: Any) -> bool:
    """Whether a value is a parameter group whose parameters can be counted and stay for others."""
    if not isinstance(value, Mapping) or not isinstance(value.get("params"), list | tuple | Tensor):
        return False
    return all(isinstance(each, Tensor) for each in tensors(value))


def tensors(group: Mapping[str, Any]) -> list[Tensor]:
    """Return the parameters of a group, of which there may be a single one."""
    params = group["params"]
    return [params] if isinstance(params, Tensor) else list(params)


def cells(number: int, group: Mapping[str, Any]) -> list[str]:
    """Return a line of the table."""
    scale = group.get("lr_scale", 1.0)
    return [
        str(number),
        shown(group.get("lr")),
        shown(scale),
        shown(group.get("weight_decay")),
        f"{size(group):,}",
        f"{numbers(group):,}",
        "  ".join([*particulars(group), examples(group)]),
    ]


def particulars(group: Mapping[str, Any]) -> list[str]:
    """Return what is set in a group by name besides rate and decay, and is particular to it."""
    own = group.get("name", "").split("&") if "name" in group else []
    return [part for part in own if part.split("=")[0] not in {"default", *BOOKKEEPING}]


def examples(group: Mapping[str, Any]) -> str:
    """Return some names of a group, or shapes where names are not known."""
    names = group.get("param_names") or [str(tuple(each.shape)) for each in tensors(group)]
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f", and {more} more" if more > 0 else "")


def size(group: Mapping[str, Any]) -> int:
    """Return the number of tensors of a group."""
    return len(tensors(group))


def numbers(group: Mapping[str, Any]) -> int:
    """Return how many numbers the tensors of a group have."""
    return sum(param.numel() for param in tensors(group))


def shown(value: Any) -> str:
    """Return a hyper-parameter with three digits, a dash where it is not given."""
    if value is None:
        return "-"
    if isinstance(value, WeightDecay):
        return f"{value.weight_decay:.3g} {type(value).__name__}"
    return f"{float(value):.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines of equal columns: numbers to the right, the last column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell if place == len(row) - 1 else cell.rjust(widths[place])
            for place, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def remarks(groups: ParamGroups) -> Iterable[str]:
    """Yield a line for each rule, and one for what is not trained."""
    yield ""
    for applied in groups.applied:
        default = " (built in)" if applied.rule.is_default else ""
        yield (
            f"{applied.rule!r}{default}: {counted(applied.tensors, 'tensor')}, "
            f"{counted(applied.parameters, 'parameter')}"
        )
    if groups.frozen:
        yield f"not trained: {', '.join(groups.frozen[:8])}" + (
            f", and {len(groups.frozen) - 8} more" if len(groups.frozen) > 8 else ""
        )


# ## Choosing when to read it
#
# - Once for each new recipe or model, before the first run. Keep the text with the run: `description(groups)` returns it.
# - Again when the model comes from a new release of its library. Names and the order of layers change.
# - What you have checked by eye, make a test of: exercise 1. It reads the table each time, and you need not.
#
# ## Traps
#
# - **`describe(optimizer)` shows the present rate.** With a scheduler and its warm-up that may be 0 in all groups. `lr_scale` still tells them
#   apart. Rules and frozen parameters are known to the list that `param_groups` returned, not to the optimizer.
# - **Examples are two names.** The mistake may be the third. `group["param_names"]` has all.
# - **A right table may belong to a wrong model.** After a head is replaced, or another checkpoint loaded into new layers, build the groups
#   and the table again.
#
# ## Exercises
#
# **1.** Put into a test: the head of a network learns ten times as fast as the rest, and matrices are all that is decayed.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Rule, param_groups
#
# model = nn.Sequential()
# model.add_module("body", nn.Linear(4, 8))
# model.add_module("norm", nn.LayerNorm(8))
# model.add_module("head", nn.Linear(8, 2))
# groups = param_groups(model, [Rule("head.*", lr_scale=10)], lr=1e-3, weight_decay=0.05)
# for group in groups:
#     for name, param in zip(group["param_names"], group["params"], strict=True):
#         assert group["lr"] == (1e-2 if name.startswith("head.") else 1e-3)
#         assert group["weight_decay"] == (0.05 if param.ndim == 2 else 0)
# ```
# :::
#
# **2.** The head was to learn at ten times the rate. What is wrong?
#
# ```text
# group     lr  lr_scale  weight_decay  tensors  parameters  examples
#     0  0.001         1          0.05        1          32  body.weight
#     1  0.001         1             0        3          24  body.bias, norm.weight, and 1 more
#     2  0.001         1          0.05        1          16  lr_factor=10  head.weight
#     3  0.001         1             0        1           2  lr_factor=10  head.bias
#                             total        6          74
# ```
#
# ::: solution
# `lr_factor` is a name that somebody made up. A [rule](rules.py) puts what it does not know into the group, for the optimizer, and no optimizer knows it
# either. Two things show it: the head has the scale 1, and it is a group of its own for a reason that stands before its name.
# :::

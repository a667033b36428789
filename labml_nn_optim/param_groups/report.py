r"""
---
title: Checking a recipe
summary: A table of the groups with their rates, decays, sizes and examples shows at a glance whether a recipe does what was meant.
chapter: "11.4"
needs: [param_groups/groups]
---

# Read the table before the run

(prose to come)
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

    - `groups`: what [param_groups](groups.py#param_groups) returned, any list of groups, or an optimizer

    Raises `TypeError` for anything else.
    """
    listed = groups.param_groups if isinstance(groups, Optimizer) else groups
    if not (isinstance(listed, Sequence) and all(map(is_group, listed))):
        raise TypeError(f"groups must be parameter groups or an optimizer, got {groups!r}")
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


def remarks(groups: ParamGroups) -> Iterable[str]:
    """Yield a line for each rule, and one for what is not trained."""
    yield ""
    for applied in groups.applied:
        default = " (built in)" if applied.rule.is_default else ""
        yield (
            f"{applied.rule!r}{default}: {applied.tensors:,} tensors, "
            f"{applied.parameters:,} parameters"
        )
    if groups.frozen:
        yield f"not trained: {', '.join(groups.frozen[:8])}" + (
            f", and {len(groups.frozen) - 8} more" if len(groups.frozen) > 8 else ""
        )

r"""
---
title: From rules to groups
summary: One function applies rules to a model and returns parameter groups for any optimizer, merged, ordered and named.
chapter: "11.3"
needs: [param_groups/rules, param_groups/no_decay]
symbols:
  \alpha: lr
  c: lr_scale
  \lambda: weight_decay
---

# The run with the typo has the lower loss

[The MNIST network](../../experiments/mnist.py) has seen 30,000 training images once and reads 98 % of the test images. Its last layer
is replaced by a random one, and it is fine-tuned on fifty training images: [AdamW](../optimizers/adamw.py) without decay, 100 steps with batches of
10, $\alpha = 0.003$ falling on a line to 0. The layers that are trained already shall learn at a hundredth of that, lest they follow the fifty images.

```python
named = list(model.named_parameters())
slow = [param for name, param in named if name.startswith(("conv", "hiden"))]
rest = [param for name, param in named if not name.startswith(("conv", "hiden"))]
optimizer = AdamW([{"params": slow, "lr": 3e-5}, {"params": rest}], lr=3e-3, weight_decay=0)
```

`hiden` is a typo. `conv` does match, so no list is empty. `hidden`, with 93 % of all numbers, goes to the rest. Medians of 20
seeds, and quartiles:

| | training loss | training accuracy | test accuracy |
|---|---:|---:|---:|
| as it was meant | 0.0084 | 100 % | 96.5 % (96.0 to 96.9) |
| with the typo | 0.0006 | 100 % | 89.9 % (87.2 to 90.6) |
| one rate for all | 0.0001 | 100 % | 86.6 % (82.9 to 88.8) |

No error, no warning, and the curve that one watches is *lower* with the typo. Here a run takes a second, and the comparison is at hand. A run that takes a
week has the same lines, and nothing to compare with.

The same recipe as [rules](rules.py):

```python
rules = [Rule("conv*", lr_scale=0.01), Rule("hiden.*", lr_scale=0.01)]
optimizer = AdamW(param_groups(model, rules, lr=3e-3, weight_decay=0))
```

```text
ValueError: Rule(Glob(pattern='hiden.*'), lr_scale=0.01) must match a parameter;
the nearest names are hidden.bias, hidden.weight
```

noether and Cerebras' model zoo check that as well. mmpretrain and timm do not. torch takes even a group of no parameters.

## What comes out

A list of dictionaries, as torch's optimizers and those of this library take it. A group whose rules have the
product $c$ has the rate

$$\alpha_\text{group} = c\, \alpha$$

| entry | where | read by |
|---|---|---|
| `params`, `param_names`, `name` | always | the optimizer; checkpoints and [the table](report.py) |
| `lr`, `weight_decay` | if known here | the optimizer, and all schedulers |
| `lr_scale`, `original_lr` | if $c \ne 1$: $c$ and $\alpha$ | schedulers that know them |
| `weight_decay_scale`, `original_weight_decay` | if the decay is not $\lambda$: its proportion, and $\lambda$ | a schedule of the decay |
| `tags`, extras | if rules set them | schedulers; the optimizer |

**Merged.** Parameters with the same entries share a group, since an optimizer works group by group. A ViT of 12 blocks and width 64 has
152 tensors, of which two groups can be made. A step of AdamW on one core then takes 1.2 ms, and 6.1 ms with a group for each.

**In order.** Groups stand in the order in which their first parameter stands in `named_parameters()`, and so do the parameters inside. The
same model and rules give the same list in every process. A checkpoint needs that: torch numbers the parameters through all groups,
and gives state back by number. With one more rule there are other groups, and torch refuses the checkpoint. A rule that is moved from one block to
the next leaves all numbers and sizes as they were, and momenta go to other tensors of the same shape, without a word. Groups made here have names, and
[state can be loaded by them](../named_state.py).

**Once.** In a GPT whose output layer uses the embedding, `lm_head.weight` and `wte.weight` are one tensor. It is in one group, under the name that
comes first, and a rule for the other name is an error that tells so.

**If trained.** A parameter with `requires_grad=False` is in no group. A rule that speaks of such parameters alone would do nothing, and is an
error.

## How schedulers read a scale

Two groups, one with the scale 0.1. The base rate is 1, and falls on a cosine to a floor of 0.05:

| rate of the scaled group | start | middle | end |
|---|---:|---:|---:|
| torch, `CosineAnnealingLR(eta_min=0.05)` | 0.1 | 0.075 | **0.05** |
| timm, `CosineLRScheduler(lr_min=0.05)` | **0.01** | 0.0075 | 0.005 |
| `Scheduler`, relative or absolute | 0.1 | 0.0525 | 0.005 |
| the group without a scale, in all three | 1 | 0.525 | 0.05 |

Most of torch's schedulers start from the group's own `lr`, which has the scale in it; `OneCycleLR` and `CyclicLR` [do not](layer_decay.py). One that multiplies, such as `LambdaLR`, keeps the
proportion. A floor is absolute, though, the same for all groups, and [takes the proportion away](layer_decay.py). mmengine's schedulers do so too.

timm's multiply whatever they start from by `lr_scale`, floor included. Its own groups have the full rate in `lr`. Groups made here
are scaled a second time, [unless their rate is put back](layer_decay.py).

[Scheduler](../schedulers/scheduler.py) sees by `original_lr` that `lr` is scaled already.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.param_groups.no_decay import built_in_rules
from labml_nn_optim.param_groups.rules import Outcome, Rule, RuleFamily, combine, scaled
from labml_nn_optim.param_groups.selectors import ParameterTable, Substring
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Applied", "ParamGroups", "param_groups"]


@dataclass(frozen=True)
class Applied:
    """What became of a rule: how many tensors, and how many numbers in them, it speaks of."""

    rule: Rule
    tensors: int
    parameters: int


class ParamGroups(list[dict[str, Any]]):
    """The groups, for any optimizer, and how they came about.

    - `frozen`: the names of the parameters that are in no group because they are not trained
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        matched: Sequence[tuple[Rule, list[Tensor]]],
        frozen: Sequence[str],
    ) -> None:
        super().__init__(groups)
        self._matched = matched
        self.frozen = tuple(frozen)

    @cached_property
    def applied(self) -> tuple[Applied, ...]:
        """Every rule and what it matched, counted when somebody asks."""
        return tuple(
            Applied(rule, len(params), sum(param.numel() for param in params))
            for rule, params in self._matched
        )


def param_groups(
    model: nn.Module,
    rules: Sequence[Rule | RuleFamily] = (),
    lr: float | Tensor | None = None,
    weight_decay: WeightDecay | float | None = None,
    *,
    exclude_bias_from_weight_decay: bool = True,
    exclude_normalization_params_from_weight_decay: bool = True,
    include_frozen: bool = False,
    merge: bool = True,
) -> ParamGroups:
    r"""Return parameter groups of `model` as the rules say.

    - `rules`: [rules](rules.py#Rule) and families of rules, in order
    - `lr`: $\alpha$, that of a group is this times its `lr_scale`; None leaves it to the optimizer
    - `weight_decay`: $\lambda$ where no rule says otherwise; None leaves it to the optimizer. A
      [WeightDecay](../weight_decay.py#WeightDecay) is for optimizers of this library
    - `exclude_bias_from_weight_decay`, `exclude_normalization_params_from_weight_decay`: the
      [built-in rules](no_decay.py), which any explicit rule about the decay overrides
    - `include_frozen`: whether parameters with `requires_grad=False` are in groups, too
    - `merge`: whether parameters with the same values share a group, or have one each

    A group has `params`, `param_names`, `name`, and `lr` and `weight_decay` where they are given. Where a
    rule scaled one of them it has `lr_scale` and `original_lr`, `weight_decay_scale` and
    `original_weight_decay`, too, for [schedulers](../schedulers/scheduler.py); then `tags` and what else rules have set. Groups stand in
    the order in which their first parameter does in `named_parameters()`.

    Raises `TypeError` or `ValueError` for a rule that matches nothing, two that contradict each other, and
    what else is not allowed. Until everything is checked, the model is not touched.
    """
    table = ParameterTable(model)
    check_model(table)
    check_base(lr, weight_decay)
    for name, flag in (
        ("exclude_bias_from_weight_decay", exclude_bias_from_weight_decay),
        (
            "exclude_normalization_params_from_weight_decay",
            exclude_normalization_params_from_weight_decay,
        ),
        ("include_frozen", include_frozen),
        ("merge", merge),
    ):
        require_flag(name, flag)
    listed = built_in_rules(
        exclude_bias_from_weight_decay, exclude_normalization_params_from_weight_decay
    )
    for rule in as_rules(rules):
        listed += expanded(rule, table)
    frozen = {row for row, param in enumerate(table.params) if not param.requires_grad}
    selected = select_all(table, listed, set() if include_frozen else frozen)
    outcomes = outcomes_of(table, listed, selected)
    to_freeze = {
        row for rule, rows in zip(listed, selected, strict=True) if rule.freeze for row in rows
    }
    left_out = set() if include_frozen else frozen | to_freeze
    for rule, rows in zip(listed, selected, strict=True):
        check_match(table, rule, rows, left_out)
    kept = [row for row in range(len(table)) if row not in left_out]
    if not kept:
        raise ValueError("model must have a parameter to train, got none that is not frozen")
    groups = build(table, outcomes, kept, lr, weight_decay, merge)
    for row in to_freeze:
        table.params[row].requires_grad_(False)
    params = table.params
    matched = [
        (rule, [params[row] for row in rows]) for rule, rows in zip(listed, selected, strict=True)
    ]
    return ParamGroups(groups, matched, [table.names[row] for row in sorted(left_out)])


def check_model(table: ParameterTable) -> None:
    """Raise `ValueError` for a model without parameters, or with one that has no shape yet."""
    if not len(table):
        raise ValueError(f"model must have a parameter, got {type(table.model).__name__} without")
    # There are many parameters of few types.
    if any(map(is_lazy, {type(param): param for param in table.params}.values())):
        name = next(
            name for name, param in zip(table.names, table.params, strict=True) if is_lazy(param)
        )
        raise ValueError(f"model must have been run once, got {name}, which has no shape yet")


def check_base(lr: Any, weight_decay: Any) -> None:
    """Raise for a base value that is not allowed."""
    if lr is not None:
        require_number("lr", lr)
    if weight_decay is not None and not isinstance(weight_decay, WeightDecay):
        require_number("weight_decay", weight_decay)


def as_rules(rules: Any) -> list[RuleFamily]:
    """Return the list of rules; raises `TypeError` for what is none."""
    if isinstance(rules, RuleFamily | str) or not isinstance(rules, Iterable):
        raise TypeError(f"rules must be a list of rules, got {rules!r}")
    listed = list(rules)
    for rule in listed:
        # Classes and tensors have something called `expand`, too.
        if not isinstance(rule, RuleFamily) or isinstance(rule, type | Tensor):
            raise TypeError(f"rules must be rules or families of rules, got {rule!r}")
    return listed


def expanded(family: RuleFamily, table: ParameterTable) -> Sequence[Rule]:
    """Return the rules of a family; raises `TypeError` for what is none."""
    made = family.expand(table)
    if not isinstance(made, Sequence) or not all(isinstance(each, Rule) for each in made):
        raise TypeError(f"expand of {family!r} must return a list of rules, got {made!r}")
    return made


# ## Which rule speaks of which parameter
def select_all(table: ParameterTable, rules: Sequence[Rule], frozen: set[int]) -> list[set[int]]:
    """Return the rows that each rule speaks of, and tag them for the rules further down.

    Raises `ValueError` if a rule that is not optional speaks of none besides those in `frozen`.
    """
    # A substring competes with those of rules further down as well.
    selected = [
        rule.select.select(table) if isinstance(rule.select, Substring) else set[int]()
        for rule in rules
    ]
    leave_to_longest(rules, selected)
    for rule, rows in zip(rules, selected, strict=True):
        if not isinstance(rule.select, Substring):
            rows |= rule.select.select(table)
        check_match(table, rule, rows, frozen)
        for tag in rule.tags:
            for row in rows:
                table.tags.setdefault(row, set()).add(tag)
    return selected


def leave_to_longest(rules: Sequence[Rule], selected: Sequence[set[int]]) -> None:
    """Take from rules by substring what a longer substring matches, too; of equally long ones the first."""
    texts = {rule.select.text for rule in rules if isinstance(rule.select, Substring)}
    taken: set[int] = set()
    for text in sorted(texts, key=lambda text: (-len(text), text)):
        rows = [
            chosen
            for rule, chosen in zip(rules, selected, strict=True)
            if isinstance(rule.select, Substring) and rule.select.text == text
        ]
        for chosen in rows:
            chosen -= taken
        taken |= rows[0]


def check_match(table: ParameterTable, rule: Rule, rows: set[int], frozen: set[int]) -> None:
    """Raise `ValueError` if a rule that is not optional speaks of no parameter that is trained."""
    # What only tags may serve the rule that freezes.
    if rule.optional or rows - frozen or (rows and (rule.freeze or not rule.actions)):
        return
    if rows:
        raise ValueError(f"{rule!r} must match a parameter that is trained, got frozen ones only")
    if isinstance(rule.select, Substring) and rule.select.select(table):
        raise ValueError(
            f"{rule!r} must match a parameter for which no longer substring does, "
            "and none as long that comes first in the alphabet"
        )
    raise ValueError(f"{rule!r} must match a parameter; {rule.select.hint(table)}")


def outcomes_of(
    table: ParameterTable, rules: Sequence[Rule], selected: Sequence[set[int]]
) -> list[Outcome]:
    """Return what the rules of each parameter come to, worked out once for each set of rules."""
    # A state stands for a set of rules; a rule moves each of its rows to the state that has it, too.
    states = [0] * len(table)
    speaking: list[tuple[Rule, ...]] = [()]
    for rule, rows in zip(rules, selected, strict=True):
        moves: dict[int, int] = {}
        for row in rows:
            state = states[row]
            if state not in moves:
                moves[state] = len(speaking)
                speaking.append((*speaking[state], rule))
            states[row] = moves[state]
    known: dict[int, Outcome] = {}
    for row, state in enumerate(states):
        if state not in known:
            known[state] = combine(speaking[state], table.names[row])
    return [known[state] for state in states]


# ## The groups
def build(
    table: ParameterTable,
    outcomes: Sequence[Outcome],
    kept: Sequence[int],
    lr: float | Tensor | None,
    weight_decay: WeightDecay | float | None,
    merge: bool,
) -> list[dict[str, Any]]:
    """Return the groups of the rows `kept`."""
    # What is equal shares one list of rows, which is found by the outcome, of which there are few.
    parts: list[tuple[list[int], dict[str, Any]]] = []
    known: dict[Hashable, list[int]] = {}
    rows_of: dict[int, list[int]] = {}
    for row in kept:
        outcome = outcomes[row]
        rows = rows_of.get(id(outcome))
        if rows is None:
            entries = entries_of(outcome, lr, weight_decay, table.names[row])
            rows = rows_of[id(outcome)] = known.setdefault(identity(entries), [])
            if not rows:
                parts.append((rows, entries))
        rows.append(row)
    if not merge:
        alone = {row: entries for rows, entries in parts for row in rows}
        parts = [([row], alone[row]) for row in kept]
    return [
        {
            "params": [table.params[row] for row in rows],
            "param_names": [table.names[row] for row in rows],
            **with_own_tensors(entries),
        }
        for rows, entries in parts
    ]


def with_own_tensors(entries: dict[str, Any]) -> dict[str, Any]:
    """Return the entries with tensors of their own where a scheduler fills them in place."""
    written = {key: entries[key] for key in ("lr", "weight_decay") if key in entries}
    tensors = {key: each.clone() for key, each in written.items() if isinstance(each, Tensor)}
    return entries | tensors


def entries_of(
    outcome: Outcome,
    lr: float | Tensor | None,
    weight_decay: WeightDecay | float | None,
    name: str,
) -> dict[str, Any]:
    """Return the entries of a group, without its parameters; raises `ValueError` if a base is missing."""
    said: dict[str, Any] = {}
    entries: dict[str, Any] = {}
    if outcome.lr_scale != 1:
        if lr is None:
            raise ValueError(f"lr must be a number where a rule scales it, for {name}, got None")
        entries |= {"lr_scale": outcome.lr_scale, "original_lr": lr}
        said["lr_scale"] = outcome.lr_scale
    if lr is not None:
        entries["lr"] = lr * outcome.lr_scale
    decay = outcome.weight_decay if outcome.weight_decay is not None else weight_decay
    if decay is None and outcome.weight_decay_scale != 1:
        raise ValueError(
            f"weight_decay must be a number where a rule scales it, for {name}, got None"
        )
    if decay is not None:
        decay = scaled(in_kind(decay, weight_decay), outcome.weight_decay_scale)
        entries["weight_decay"] = decay
        if decay != weight_decay:
            number = amount(decay)
            said["weight_decay"] = number if in_kind(number, weight_decay) == decay else decay
            entries |= proportion(number, 0.0 if weight_decay is None else amount(weight_decay))
    if outcome.tags:
        entries["tags"] = said["tags"] = outcome.tags
    said |= outcome.extras
    return {"name": group_name(said), **entries, **outcome.extras}


def in_kind(decay: WeightDecay | float, base: WeightDecay | float | None) -> WeightDecay | float:
    """Return a decay that is a number in the kind that the base has."""
    if isinstance(base, WeightDecay) and not isinstance(decay, WeightDecay):
        return replace(base, weight_decay=decay)
    return decay


def amount(decay: WeightDecay | float) -> float:
    """Return the number in a decay."""
    return decay.weight_decay if isinstance(decay, WeightDecay) else decay


def proportion(decay: float, base: float) -> dict[str, float]:
    """Return how many times the base a decay is, for a schedule of the decay, if it can be said."""
    if base:
        return {"weight_decay_scale": decay / base, "original_weight_decay": base}
    # Nothing is no part of any base.
    return {} if decay else {"weight_decay_scale": 0.0}


def group_name(said: dict[str, Any]) -> str:
    """Return the name of a group: what is particular to it."""
    return "&".join(f"{key}={as_text(value)}" for key, value in said.items()) or "default"


def as_text(value: Any) -> str:
    """Return a value as the name of a group has it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return "+".join(value)
    return str(value)


def identity(entries: dict[str, Any]) -> Hashable:
    """Return what two groups must have in common to be one."""
    return tuple((key, hashable(value)) for key, value in sorted(entries.items()))


def hashable(value: Any) -> Hashable:
    """Return something that is equal where `value` is."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            return id(value)
        return value.dtype, value.device, value.shape, *value.reshape(-1).tolist()
    if isinstance(value, list | tuple):
        return tuple(map(hashable, value))
    if isinstance(value, dict):
        return tuple(sorted((key, hashable(each)) for key, each in value.items()))
    return value if isinstance(value, Hashable) else id(value)


# ## Choosing
#
# - Give `lr` and `weight_decay` here and not to the optimizer. A scale needs a number to multiply. For a model without any
#   scale it makes no difference.
# - `merge=False` gives each parameter a group of its own, to log or change rates one by one.
# - `include_frozen=True` puts parameters into groups that are to thaw later. As long as they have no gradient, optimizers pass them by.
# - Cost is no reason to write groups by hand. For 10,000 parameters it is ten to forty milliseconds, one and a half to three times a bare walk over
#   `named_parameters()`; [the measurement](../../experiments/speed.py) is `python -m experiments.speed --param-groups`.
#
# ## Traps
#
# - **The same list in two optimizers.** Both then share the dictionaries, and a schedule of the first moves the rates of the second. Call
#   [param_groups](#param_groups) again for each.
# - **`AdamW(groups, lr=0.01)`** does not change groups that have an `lr`. An optimizer's argument is for groups that lack the entry.
# - **A loop that writes `group["lr"]` itself** wipes out all scales: exercise 2.
# - **Groups are of the moment.** A head that is replaced afterwards is in none, and a layer that thaws later is in none either.
#   `add_param_group` adds it.
# - **0.1 times 3** is 0.30000000000000004. Parameters that come to 0.3 on two ways may be in two groups of one name. That
#   costs a little time, and nothing else.
# - **Only a miss is refused.** A rule that matches the wrong parameters raises nothing. [Read the table](report.py).
#
# ## Exercises
#
# **1.** Whatever the rules are, each number of a model is in a group or frozen. Check it.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Rule, param_groups
#
# model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
# rules = [Rule("0.*", freeze=True), Rule("2.*", lr_scale=10)]
# groups = param_groups(model, rules, lr=1e-3, weight_decay=0.1)
# sizes = {name: param.numel() for name, param in model.named_parameters()}
# grouped = [name for group in groups for name in group["param_names"]]
# assert sorted([*grouped, *groups.frozen]) == sorted(sizes)
# trained = sum(param.numel() for group in groups for param in group["params"])
# assert trained + sum(sizes[name] for name in groups.frozen) == sum(sizes.values())
# ```
# :::
#
# **2.** A training loop warms up with `group["lr"] = lr * step / 100`. Repair it.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim import AdamW
# from labml_nn_optim.param_groups import Rule, param_groups
#
# model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
# lr = 1e-3
# optimizer = AdamW(param_groups(model, [Rule("0.*", lr_scale=0.1)], lr=lr))
# for step in range(1, 101):
#     for group in optimizer.param_groups:
#         group["lr"] = lr * group.get("lr_scale", 1.0) * step / 100
# rates = [group["lr"] for group in optimizer.param_groups]
# assert sorted(set(rates)) == [1e-4, 1e-3]
# ```
# :::
#
# **3.** The embedding of a GPT is tied to its output layer. The embedding shall not decay, the output layer shall. What do you do?
#
# ::: solution
# It cannot be had. There is one tensor, a step shrinks it or does not. Decide for it as what it is mostly, or do not tie. With two
# lists by hand torch refuses the tensor that is in both. If the second list is made from `named_parameters()`, it lacks the output layer, and the wish
# for it is silently dropped.
# :::

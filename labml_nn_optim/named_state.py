r"""
---
title: State by name
summary: Optimizer state finds its parameters by name, so that a checkpoint loads into other groups and another order, or says precisely what does not fit.
chapter: "11.12"
needs: [base, param_groups/groups]
---

# Four layers exchange their state

A network for MNIST, 784-256-256-256-256-256-10, makes 400 steps with torch's AdamW, $\alpha = 0.001$, in batches of 128, and is
saved. Then somebody tidies up. The code that lists the parameters now names the four square matrices from the last to the first.
The checkpoint loads without a word. The mean training loss from there on, over five seeds:

| state of the optimizer | steps 2 to 11 | steps 1 to 100 |
|---|---:|---:|
| found by name, or never stopped: the same to the last bit | 0.136 | 0.132 |
| none: AdamW starts anew | 0.196 | 0.151 |
| as torch loads it | 0.164 | 0.156 |

Each matrix goes on with the averages of another one. That is worse than to have lost them, in each of the five runs. Adam's
[bias correction](optimizers/adam.py) lets it start from nothing. From wrong averages it has to wait until they have faded, and with
$\beta_2 = 0.999$ that takes a thousand steps.

The checkpoint knew better. Since version 2.6 torch keeps the names of parameters that are given with names, as
`model.named_parameters()` gives them, in an entry `param_names` of each group. It saves them, and does not look at them when it loads.
Worse, it takes them over: afterwards the group says `2.weight` where the tensor is that of `8.weight`, and the next checkpoint is wrong by
its own words.

## The rule

```python
load_state_dict_by_name(optimizer, torch.load("optimizer.pt"))
```

- The **state** of each parameter is that which the checkpoint has under its name.
- The **groups**, their rates and decays, come from the checkpoint if it has the same names in the same groups and order, as in
  torch. If not, the present ones stay: a group that is gone has no rate to give back.
- What does not fit raises one `ValueError`, before anything is loaded. It names what is missing, what is too much and
  what it might be now, and state of another shape.

```
state_dict must fit the optimizer: it lacks heads.weight, extra; the optimizer has no head.weight
(nearest: heads.weight), head.bias; body.weight has state of shape (4, 3) for a parameter of shape (4, 5)
```

It works for any optimizer of torch. Those of this course do it in their own `load_state_dict`, if both sides have names. Groups made by
[param_groups](param_groups/groups.py) always have them.

## Why places are not enough

A `state_dict` replaces tensors by numbers, counted through all groups. Loading lays the groups of the checkpoint over the present ones,
the first number on the first parameter. The check is that there are as many groups, each with as many parameters.

So one new [rule](param_groups/rules.py), which cuts a group in two, makes a checkpoint useless: torch refuses it, for the number of groups. And a change that
keeps the numbers passes: an order, a layer for another. Shapes are not compared. They fail in the first step, if they
differ, and not in a way that says why.

## What counts as a shape

State has no shape of its own; it is a dictionary of tensors. It counts as that of a parameter if one of them has the parameter's shape. Most
optimizers keep such a tensor. Adafactor has row and column means of a matrix in its place: $(r, 1)$ and $(1, c)$ for $(r, c)$. Both
together count, one alone does not: after a head with one output was replaced by one with ten, the averages of shape $(1, c)$ would
pass for column means.

## Conventions

| | state | rates and decays | a missing name |
|---|---|---|---|
| torch | by place | of the checkpoint | not looked at |
| torch, `distributed.checkpoint` | by name | of the checkpoint | an error |
| noether | by name | present | `KeyError` |
| here | by name, if both have names | of the checkpoint if the groups are the same, else present | `ValueError`, or `strict=False` |
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import LBFGS
from torch.optim.optimizer import Optimizer

__all__ = [
    "MatchedKeys",
    "check_fit",
    "is_regrouped",
    "load_state_dict_by_name",
    "match_by_name",
    "matching_names",
]

# Which class made the state of a saved group; CompositeOptimizer writes it into its checkpoints.
STEPPED_BY = "stepped_by"
SHOWN = 5


class MatchedKeys(NamedTuple):
    """Names for which there was no match.

    - `missing_keys`: parameters of the optimizer for which the checkpoint has nothing that they can use
    - `unexpected_keys`: names in the checkpoint that the optimizer does not have
    """

    missing_keys: list[str]
    unexpected_keys: list[str]


def load_state_dict_by_name(
    optimizer: Optimizer, state_dict: dict[str, Any], strict: bool = True
) -> MatchedKeys:
    """Load a checkpoint into an optimizer whose groups, or their order, may be others than then.

    - `optimizer`: any `torch.optim.Optimizer` with `param_names` in its groups
    - `state_dict`: of the same kind of optimizer, with `param_names`
    - `strict`: whether every name must be on both sides

    If not strict, a parameter that the checkpoint does not have keeps its present state. What the
    groups hold comes from the checkpoint if it has the same names in the same groups and order. If not,
    the present groups stay as they are.

    Raises `TypeError` for what is no optimizer or no dictionary, and one `ValueError` that says everything
    that does not fit; nothing is loaded then.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"optimizer must be a torch.optim.Optimizer, got a {type(optimizer).__name__}"
        )
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict must be a dictionary, got a {type(state_dict).__name__}")
    found: list[MatchedKeys] = []

    def match(loading: Optimizer, given: dict[str, Any]) -> dict[str, Any]:
        matched, keys = matched_with_keys(loading, given, strict)
        found.append(keys)
        return matched

    # After the optimizer's own hooks, which may give names that fit.
    handle = optimizer.register_load_state_dict_pre_hook(match)
    try:
        optimizer.load_state_dict(state_dict)
    finally:
        handle.remove()
    return found[-1]


def match_by_name(
    optimizer: Optimizer, state_dict: Mapping[str, Any], strict: bool = True
) -> dict[str, Any]:
    """Return a `state_dict` with the groups of `optimizer` and each parameter's state in its place.

    Neither argument is changed. The arguments, and what is raised, are those of
    [load_state_dict_by_name](#load_state_dict_by_name).
    """
    return matched_with_keys(optimizer, state_dict, strict)[0]


# ## What fits
@dataclass
class Misfits:
    """What does not fit, as texts.

    - `misshapen`: state that belongs to another shape
    - `moved`: names of parameters whose state another class of optimizer made, and that class
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)

    def raise_if_any(self) -> None:
        """Raise one `ValueError` if something does not fit."""
        parts = [
            f"it lacks {listed(self.missing)}" if self.missing else "",
            f"the optimizer has no {listed(self.unexpected)}" if self.unexpected else "",
            listed(self.misshapen),
            listed([f"{name} {moved}" for name, moved in self.moved.items()]),
        ]
        if any(parts):
            raise ValueError(f"state_dict must fit the optimizer: {'; '.join(filter(None, parts))}")


def listed(names: Sequence[str]) -> str:
    """Return the first names as a text, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def with_nearest(unexpected: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return names with the nearest known one behind each that will be shown."""
    # Comparing with all names takes milliseconds for each.
    near = [difflib.get_close_matches(name, known, n=1) for name in unexpected[:SHOWN]]
    shown = [
        f"{name} (nearest: {close[0]})" if close else name
        for name, close in zip(unexpected, near, strict=False)
    ]
    return shown + list(unexpected[SHOWN:])


def other_shape(state: Mapping[str, Any], param: Tensor) -> tuple[int, ...] | None:
    """Return the shape that `state` has, if it is not for `param`; None if it is, or has no shape.

    State is for a parameter if one of its tensors has the parameter's shape, or if it has one for the rows
    and one for the columns, as in Adafactor. The others may be anything.
    """
    tensors = [value for value in state.values() if isinstance(value, Tensor) and value.ndim]
    shapes = {tuple(value.shape) for value in tensors}
    shape = tuple(param.shape)
    rows = {shape[:-1], (*shape[:-1], 1)}
    columns = {(*shape[:-2], *shape[-1:]), (*shape[:-2], 1, *shape[-1:])}
    if not shapes or shape in shapes or (param.ndim > 1 and rows & shapes and columns & shapes):
        return None
    return tuple(tensors[0].shape)


def layers_of(optimizer: Optimizer) -> list[Optimizer]:
    """Return an optimizer and what it wraps, such as [Wrappers](wrappers/wrapper.py) do, from outside in."""
    inside = getattr(optimizer, "optimizer", None)
    return [optimizer, *layers_of(inside)] if isinstance(inside, Optimizer) else [optimizer]


def innermost(optimizer: Optimizer) -> Optimizer:
    """Return what is inside all wrappers."""
    return layers_of(optimizer)[-1]


def keeps_one_state(optimizer: Optimizer) -> bool:
    """Whether the state is one for all parameters, as that of L-BFGS, torch's or [ours](lbfgs.py), is."""
    inside = innermost(optimizer)
    return isinstance(inside, LBFGS) or getattr(inside, "keeps_one_state", False)


def steppers(optimizer: Optimizer) -> dict[int, str]:
    """Return the name of the class that steps each parameter, by the parameter's `id`."""
    inside = innermost(optimizer)
    parts: Sequence[Optimizer] = getattr(inside, "optimizers", (inside,))
    return {
        id(param): type(innermost(part)).__name__
        for part in parts
        for group in part.param_groups
        for param in group["params"]
    }


@dataclass(frozen=True)
class Pair:
    """A parameter and what a checkpoint has for it: the key of its state, and who made that."""

    label: str
    param: Tensor
    key: Any
    stepped_by: str | None


def compare(optimizer: Optimizer, state: Mapping[Any, Any], pairs: Iterable[Pair]) -> Misfits:
    """Return what does not fit in state that is there."""
    misfits = Misfits()
    now = steppers(optimizer)
    has_no_shapes = keeps_one_state(optimizer)
    for pair in pairs:
        if not state.get(pair.key):
            continue
        own = now.get(id(pair.param))
        if pair.stepped_by not in (None, own):
            misfits.moved[pair.label] = f"has state of {pair.stepped_by}, and is stepped by {own}"
            continue
        # What L-BFGS keeps has the length of all parameters together.
        shape = None if has_no_shapes else other_shape(state[pair.key], pair.param)
        if shape is not None:
            misfits.misshapen.append(
                f"{pair.label} has state of shape {shape} for a parameter of shape "
                f"{tuple(pair.param.shape)}"
            )
    return misfits


def check_fit(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Raise `ValueError` if a checkpoint, as it stands, does not fit place by place."""
    groups = groups_of(state_dict)
    present = optimizer.param_groups
    if len(groups) != len(present):
        raise ValueError(f"state_dict must have {len(present)} parameter groups, got {len(groups)}")
    pairs = []
    for number, (group, saved) in enumerate(zip(present, groups, strict=True)):
        count, keys = len(group["params"]), saved["params"]
        if len(keys) != count:
            raise ValueError(
                f"group {number} of state_dict must have {count} parameters, got {len(keys)}"
            )
        labels = group.get("param_names") or [
            f"parameter {place} of group {number}" for place in range(count)
        ]
        for label, param, key in zip(labels, group["params"], keys, strict=True):
            pairs.append(Pair(label, param, key, saved.get(STEPPED_BY)))
    compare(optimizer, state_dict["state"], pairs).raise_if_any()


# ## By name
HINT = "make the optimizer from model.named_parameters() or from param_groups(model)"


def groups_of(state_dict: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the groups of a checkpoint; raises `ValueError` if it is none."""
    for name in ("state", "param_groups"):
        if name not in state_dict:
            raise ValueError(f"state_dict must have {name}, got only {', '.join(state_dict)}")
    groups: Sequence[Mapping[str, Any]] = state_dict["param_groups"]
    return groups


def names_of(groups: Sequence[Mapping[str, Any]], whose: str) -> list[list[str]]:
    """Return the names in each group; raises `ValueError` if they are not complete."""
    names = [group.get("param_names") for group in groups]
    for number, (group, own) in enumerate(zip(groups, names, strict=True)):
        if own is None:
            raise ValueError(
                f"{whose} must have param_names, got none in its group {number}; {HINT}"
            )
        if len(own) != len(group["params"]):
            raise ValueError(
                f"param_names in group {number} of {whose} must be {len(group['params'])}, "
                f"got {len(own)}"
            )
    found = [list(own) for own in names if own is not None]
    twice = [name for name, count in Counter(chain(*found)).items() if count > 1]
    if twice:
        raise ValueError(f"param_names of {whose} must differ, got {listed(twice)} more than once")
    return found


def is_regrouped(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> bool:
    """Whether both sides have names, and not the same ones in the same groups and order."""
    present = [group.get("param_names") for group in optimizer.param_groups]
    saved = [group.get("param_names") for group in groups_of(state_dict)]
    return None not in present and None not in saved and present != saved


def params_of(groups: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield the parameters of all groups; in a checkpoint they are the keys of the state."""
    return chain.from_iterable(group["params"] for group in groups)


def matched_with_keys(
    optimizer: Optimizer, state_dict: Mapping[str, Any], strict: bool
) -> tuple[dict[str, Any], MatchedKeys]:
    """Return the matched `state_dict`, and the names without a match."""
    groups, state = groups_of(state_dict), state_dict["state"]
    present = names_of(optimizer.param_groups, "optimizer")
    saved = names_of(groups, "state_dict")
    if present != saved and keeps_one_state(optimizer):
        raise ValueError(
            "state_dict must have the same param_names in the same order for LBFGS, "
            "which keeps one state for all of them"
        )
    params = dict(zip(chain(*present), params_of(optimizer.param_groups), strict=True))
    keys = dict(zip(chain(*saved), params_of(groups), strict=True))
    makers = {
        name: group.get(STEPPED_BY)
        for group, own in zip(groups, saved, strict=True)
        for name in own
    }
    missing = [name for name in params if name not in keys]
    unexpected = [name for name in keys if name not in params]
    misfits = compare(
        optimizer,
        state,
        [Pair(name, params[name], keys[name], makers[name]) for name in params if name in keys],
    )
    lost = {*missing, *misfits.moved}
    if strict:
        misfits.missing = missing
        misfits.unexpected = with_nearest(unexpected, missing or list(params))
    else:
        misfits.moved = {}
    misfits.raise_if_any()
    # As torch does it, parameters are numbered through all groups.
    found = {
        place: optimizer.state.get(param) if name in lost else state.get(keys[name])
        for place, (name, param) in enumerate(params.items())
    }
    held = set(keys.values())
    others = {key: state[key] for key in state if key not in held and not isinstance(key, int)}
    # What wrappers have saved for a parameter moves with it.
    places = {keys[name]: place for place, name in enumerate(params) if name not in lost}
    return {
        **{name: renumber_tensors(entry, places) for name, entry in state_dict.items()},
        "state": {place: own for place, own in found.items() if own is not None} | others,
        "param_groups": renumbered(groups if present == saved else optimizer.param_groups),
    }, MatchedKeys([name for name in params if name in lost], unexpected)


def renumber_tensors(entry: Any, places: Mapping[Any, Any]) -> Any:
    """Return an entry of a checkpoint in which tensors are kept under the new keys of their parameters.

    Tensors of parameters that have no new key are left out.
    """
    if not isinstance(entry, dict):
        return entry
    if entry and all(isinstance(value, Tensor) for value in entry.values()):
        return {places[key]: value for key, value in entry.items() if key in places}
    return {name: renumber_tensors(value, places) for name, value in entry.items()}


def renumbered(groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return groups whose parameters are numbers from 0 on."""
    count = itertools.count()
    return [
        {key: value for key, value in group.items() if key != STEPPED_BY}
        | {"params": list(itertools.islice(count, len(group["params"])))}
        for group in groups
    ]


@contextmanager
def matching_names(optimizer: Optimizer) -> Iterator[list[dict[str, Any]]]:
    """Match a checkpoint that `optimizer` loads inside, if its groups are others.

    Yields a list whose last element is then what was loaded.
    """
    loaded: list[dict[str, Any]] = []

    def match(loading: Optimizer, given: dict[str, Any]) -> dict[str, Any]:
        loaded.append(match_by_name(loading, given) if is_regrouped(loading, given) else given)
        return loaded[-1]

    handle = optimizer.register_load_state_dict_pre_hook(match)
    try:
        yield loaded
    finally:
        handle.remove()


# ## Traps
#
# - **Schedulers of torch that go on from the last rate.** After other groups were matched, the rates are those the groups were made with.
#   `CosineAnnealingLR` and `StepLR` multiply what they find, so they go on from the start. `LambdaLR` computes anew, and so does
#   [Scheduler](schedulers/scheduler.py), which writes the right rate when its own state is loaded.
# - **Without names on one side places count**, also here. To load by place on purpose, take `param_names` out of the groups
#   of the checkpoint. That is the way for a network whose layers have other names now, in the same order.
# - **A tied parameter goes by its first name.** Define the head before the embedding, and the first name is another.
# - **Unfrozen layers** are not in the old checkpoint. `strict=False` lets them start anew and says which they are.
# - **Another optimizer.** Names say nothing about what the state is. State of Adam loads into SGD, with Adam's groups if they are the same. The first
#   step then fails for the missing momentum, or, without momentum, the averages lie unused. A
#   [CompositeOptimizer](param_groups/composite.py) writes down who made what; that is compared.
# - **`strict=False` never fails for names.** If every name has another prefix, nothing is loaded, and only what it returns says so.
# - **A head of another size** under its old name is an error even then: take its state out of the checkpoint.
# - **L-BFGS** keeps one history of all parameters end to end. Its order cannot change, and trying is an error.
# - **Optimizers that project gradients** to a lower rank have no tensor of the parameter's shape. They are refused here.
#
# ## Exercises
#
# **1.** Show that after loading by place the group of torch's optimizer lies about its parameter.
#
# ::: solution
# ```python
# import torch
#
# a, b = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
# first = torch.optim.SGD([("a", a), ("b", b)], lr=0.1, momentum=0.9)
# a.grad, b.grad = torch.ones(2), 5 * torch.ones(2)
# first.step()
# second = torch.optim.SGD([("b", b), ("a", a)], lr=0.1, momentum=0.9)
# second.load_state_dict(first.state_dict())
# group = second.param_groups[0]
# assert group["params"][0] is b
# assert group["param_names"][0] == "a"
# assert second.state[b]["momentum_buffer"].tolist() == [1.0, 1.0]
# ```
# The buffer is that of `a`. Nothing can find out now: the names and the state agree, and only the tensors do not.
# :::
#
# **2.** A checkpoint was saved from a model inside of `DistributedDataParallel`, so that all names begin with `module.`. Load
# it into the bare model.
#
# ::: solution
# A hook of torch may change a checkpoint before it is loaded; names are matched after that.
#
# ```python
# import torch
# from labml_nn_optim.named_state import load_state_dict_by_name
#
#
# def without_prefix(optimizer, state_dict):
#     groups = [
#         group | {"param_names": [name.removeprefix("module.") for name in group["param_names"]]}
#         for group in state_dict["param_groups"]
#     ]
#     return state_dict | {"param_groups": groups}
#
#
# model = torch.nn.Linear(2, 2)
# named = [(f"module.{name}", param) for name, param in model.named_parameters()]
# saved = torch.optim.Adam(named).state_dict()
# optimizer = torch.optim.Adam(model.named_parameters())
# optimizer.register_load_state_dict_pre_hook(without_prefix)
# assert load_state_dict_by_name(optimizer, saved) == ([], [])
# ```
# :::
#
# **3.** Why are the present rates kept when the groups differ, and not given to each parameter from the group it was in?
#
# ::: solution
# A rate belongs to a group. Two parameters that were apart and now share a group may bring two rates, and one of them would have to
# win. And groups differ because someone has changed the rules: the new rates are what was wanted.
# :::

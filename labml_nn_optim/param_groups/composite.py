r"""
---
title: Two optimizers for one network
summary: CompositeOptimizer steps several optimizers as one, with one list of groups and one checkpoint, as Muon needs it, which is for hidden matrices only.
chapter: "11.11"
needs: [param_groups/groups, named_state]
verified_against:
  implementation: torch.optim.Muon 2.14.1 and AdamW, each stepped by hand
  difference: "0"
---

# Muon refuses the class token

```python
torch.optim.Muon(vit.parameters())
# ValueError: Muon only supports 2D parameters whereas we found a parameter
# with size: torch.Size([1, 1, 768])
```

[Muon](https://kellerjordan.github.io/posts/muon/) (Jordan et al., 2024) is an optimizer for matrices. So the rest of the network needs another one. By
hand that is two lists of parameters, two schedulers, two files. And in half precision it is a trap: when a gradient of the head is
infinite, `scaler.step(muon)` makes its step, and `scaler.step(adamw)` leaves it out. Half of the network has moved.

A CompositeOptimizer is one `torch.optim.Optimizer` made of several:

```python
hidden = Ndim(2) & ~ModuleType(nn.Embedding) & ~Name("heads.head.weight")
groups = param_groups(vit, [Rule(hidden, tags="matrix")], lr=1e-3, weight_decay=0.1)
matrices, others = split_by_tag(groups, "matrix")
optimizer = CompositeOptimizer(
    [Muon(matrices, adjust_lr_fn="match_rms_adamw"), AdamW(others)]
)
```

One scheduler, one scaler, one `zero_grad`, one checkpoint. Every number is that of the two stepped by hand.

## Which parameters are matrices

Muon replaces the averaged gradient $M = U \Sigma V^\top$ by $U V^\top$, approximately: all singular values become about 1. Why that? Among all updates
$\Delta$ that make no input more than $\alpha$ times as long, it lowers the loss most, to first order, as far as $M$ stands for the gradient. With $u_i, v_i$ the columns of $U, V$:

$$\langle M, \Delta \rangle = \sum_i \sigma_i\, u_i^\top \Delta\, v_i \;\le\; \alpha \sum_i \sigma_i, \qquad \text{with equality for } \Delta = \alpha\, U V^\top$$

since $u_i^\top \Delta\, v_i \le \lVert \Delta \rVert \le \alpha$. Where "how much longer does it make an input" is the right question, this is the right step. That
sorts the parameters:

| parameter | to | why |
|---|---|---|
| weights of hidden linear layers | Muon | dense inputs, dense outputs |
| filters of convolutions | Muon, as a matrix of out $\times$ rest | four dimensions: torch's Muon refuses them |
| biases, scales of normalization | AdamW | a vector has one singular value; all that is left is its direction |
| embeddings | AdamW | the inputs are unit vectors, one row each |
| first layer, output head | AdamW | experience of the authors; no derivation |

For an embedding the question should be how far a *row* moves. $U V^\top$ answers another one. With 50,000 rows of 768 its squares sum to 768,
so a row is 0.12 long on average, where a square matrix has rows of length 1.

"Two dimensions" alone is therefore not enough: `Ndim(2)` has the embedding and the head in it. In torchvision's ViT-B/16 the rule above gives
Muon 48 tensors of 152, with 84.9 of 86.6 million numbers. In its ResNet-50 the only parameter with two dimensions is the head: nothing is
left for torch's Muon.

## Two rates, or one

A step of Muon and one of AdamW with the same $\alpha$ differ in length, so the parts need rates of their own, or a factor between them:

| | step of an $r \times c$ matrix | usual $\alpha$ |
|---|---|---|
| Jordan's code | $\sqrt{\max(1, r / c)}\; U V^\top$ | 0.02 |
| torch, `"original"` | the same | 0.001 by default, twenty times less |
| Moonlight ([2025](https://arxiv.org/abs/2502.16982)), `"match_rms_adamw"` | $0.2 \sqrt{\max(r, c)}\; U V^\top$ | that of AdamW |

The last one makes a number of the update 0.2 in its root mean square, about what AdamW does, and one rate serves both. For two rates, apply the rules twice. Each part
then has its own base, and what rules scale, they scale in both:

```python
matrices, _ = split_by_tag(param_groups(model, rules, lr=0.02, weight_decay=0.01), "matrix")
_, others = split_by_tag(param_groups(model, rules, lr=3e-4, weight_decay=0.01), "matrix")
```
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.named_state import (
    STEPPED_BY,
    check_fit,
    innermost,
    is_regrouped,
    layers_of,
    match_by_name,
    params_of,
    renumber_tensors,
)
from labml_nn_optim.schedulers.scheduler import group_tags

__all__ = ["CompositeOptimizer", "split_by_tag"]

Item = TypeVar("Item")


def split_by_tag(
    groups: Iterable[Mapping[str, Any]], tag: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the groups that have a tag, and the others.

    They are copies that hold the same parameters, with all that rules have set in them.

    Raises `ValueError` if no group has the tag.
    """
    having: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for group in groups:
        (having if tag in (group_tags(dict(group)) or ()) else others).append(dict(group))
    if not having:
        known = sorted({tag for group in others for tag in group_tags(group) or ()})
        raise ValueError(
            f"tag must be that of a group, which are {', '.join(known) or 'none'}; got {tag!r}"
        )
    return having, others


class CompositeOptimizer(Optimizer):
    """Several optimizers that are stepped, scheduled and saved as one.

    - `optimizers`: any `torch.optim.Optimizer` whose step needs no closure, with parameters of its own

    `param_groups` holds the very groups of all, in their order; a group that is added later comes last.
    `state` and `state_dict()` cover all. `defaults` has what all have, with the values of the first.

    Raises `TypeError` or `ValueError` for what is no such list, and for a parameter that two have.
    """

    def __init__(self, optimizers: Iterable[Optimizer]) -> None:
        parts = as_parts(optimizers)
        first, *others = [part.defaults for part in parts]
        self.optimizers = parts
        self.defaults = {
            key: value for key, value in first.items() if all(key in other for other in others)
        }
        self._order: list[int] = []
        # `Optimizer.__init__` would make groups. What else it sets up, it sets up for a copy, too.
        self.__setstate__({})

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("optimizers", "defaults", "_order")}

    # ## Groups and state
    #
    # What belongs to an optimizer is not kept here, so it cannot be out of date: an optimizer that loads a
    # checkpoint of its own has new groups.
    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The groups of all optimizers, the same objects."""
        return self._in_order([part.param_groups for part in self.optimizers])

    @property
    def state(self) -> StateOfAll:  # type: ignore[override]
        """What all optimizers store, by parameter."""
        return StateOfAll(self.optimizers)

    def _owners(self) -> list[int]:
        """Return the number of the optimizer of each group."""
        order = self._order
        counts = [len(part.param_groups) for part in self.optimizers]
        if any(order.count(number) > count for number, count in enumerate(counts)):
            order.clear()
        for number, count in enumerate(counts):
            order += [number] * (count - order.count(number))
        return order

    def _in_order(self, parts: Iterable[Iterable[Item]]) -> list[Item]:
        """Return what each optimizer has for its groups in the order of the groups here."""
        rest = [iter(part) for part in parts]
        return [next(rest[owner]) for owner in self._owners()]

    def add_param_group(self, param_group: dict[str, Any], optimizer: int | None = None) -> None:
        """Add parameters with hyper-parameters of their own.

        - `optimizer`: the number of the optimizer that is to step them

        Raises `ValueError` if it is not given, and for a parameter that is there already.
        """
        if not isinstance(optimizer, int) or optimizer not in range(len(self.optimizers)):
            kinds = (f"{place} ({kind_of(part)})" for place, part in enumerate(self.optimizers))
            raise ValueError(f"optimizer must be one of {', '.join(kinds)}, got {optimizer!r}")
        params = param_group["params"]
        if not isinstance(params, Tensor | set):
            param_group = param_group | {"params": list(params)}
        owners = owners_of(self.optimizers)
        for label, param in labelled(param_group):
            if id(param) in owners:
                raise ValueError(
                    f"params must be in no optimizer yet, got {label}, which {owners[id(param)]} has"
                )
        self.optimizers[optimizer].add_param_group(param_group)

    # ## A step
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let every optimizer make a step.

        `closure`, if given, computes the loss and its gradients first, once, and the loss is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.optimizers:
            part.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, each optimizer in its own way."""
        for part in self.optimizers:
            part.zero_grad(set_to_none)

    def train(self) -> None:
        """Let those optimizers that have two modes, such as schedule-free ones, train."""
        self._switch("train")

    def eval(self) -> None:
        """Let those optimizers that have two modes put the weights into the model that are to be used."""
        self._switch("eval")

    def _switch(self, mode: str) -> None:
        for part in self.optimizers:
            if hasattr(part, mode):
                getattr(part, mode)()

    # ## One checkpoint
    def state_dict(self) -> dict[str, Any]:
        """Return a checkpoint of all, as of one optimizer with all groups.

        A group also says which class of optimizer stepped it, in `stepped_by`. What
        [wrappers](../wrappers/wrapper.py) around the optimizers keep is in `parts`.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        saved = [part.state_dict() for part in self.optimizers]
        keys: dict[tuple[int, Any], int] = {}
        groups = []
        for owner, group in zip(
            self._owners(), self._in_order(each["param_groups"] for each in saved), strict=True
        ):
            params = [keys.setdefault((owner, key), len(keys)) for key in group["params"]]
            maker = {STEPPED_BY: kind_of(self.optimizers[owner])}
            groups.append(group | {"params": params} | maker)
        # State that belongs to no parameter keeps its key, beside the number of its optimizer.
        state = {
            keys.get((owner, key), (owner, key)): own
            for owner, each in enumerate(saved)
            for key, own in each["state"].items()
        }
        state_dict: dict[str, Any] = {"state": state, "param_groups": groups}
        # What wrappers around the parts keep, with the numbers that the parameters have here.
        others: dict[int, dict[str, Any]] = {}
        for owner, each in enumerate(saved):
            places = {key: keys[owner, key] for key in params_of(each["param_groups"])}
            for name in each.keys() - state_dict.keys():
                others.setdefault(owner, {})[name] = renumber_tensors(each[name], places)
        if others:
            state_dict["parts"] = others
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, state_dict)
            state_dict = state_dict if changed is None else changed
        return state_dict

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of all, [by name](../named_state.py) if it has the names in other groups.

        Raises `ValueError` for what does not fit. If that or an optimizer's own `load_state_dict` raises,
        nothing is loaded.
        """
        state_dict = dict(state_dict)
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        if is_regrouped(self, state_dict):
            state_dict = match_by_name(self, state_dict)
        else:
            check_fit(self, state_dict)
        layers = [layer for part in self.optimizers for layer in layers_of(part)]
        held = [dict(vars(layer)) for layer in layers]
        try:
            for part, own in zip(self.optimizers, self._split(state_dict), strict=True):
                part.load_state_dict(own)
        except Exception:
            for layer, own_before in zip(layers, held, strict=True):
                vars(layer).update(own_before)
            raise
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def _split(self, state_dict: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return a checkpoint for each optimizer."""
        state = state_dict["state"]
        parts: list[dict[str, Any]] = [{"state": {}, "param_groups": []} for _ in self.optimizers]
        for owner, group in zip(self._owners(), state_dict["param_groups"], strict=True):
            own = {key: value for key, value in group.items() if key != STEPPED_BY}
            parts[owner]["param_groups"].append(own)
            for key in group["params"]:
                if key in state:
                    parts[owner]["state"][key] = state[key]
        for key in state:
            if isinstance(key, tuple):
                parts[key[0]]["state"][key[1]] = state[key]
        for owner, others in state_dict.get("parts", {}).items():
            parts[owner] |= others
        return parts


class StateOfAll(MutableMapping[Any, Any]):
    """The states of several optimizers as one; what is set or deleted is so in the optimizer's own."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = optimizers

    def _home(self, key: Any) -> MutableMapping[Any, Any]:
        for optimizer in self.optimizers:
            if key in optimizer.state:
                return optimizer.state
        for optimizer in self.optimizers:
            if any(key is param for param in params_of(optimizer.param_groups)):
                return optimizer.state
        raise KeyError(key)

    def __getitem__(self, key: Any) -> Any:
        return self._home(key)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._home(key)[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._home(key)[key]

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(optimizer.state for optimizer in self.optimizers)

    def __len__(self) -> int:
        return sum(len(optimizer.state) for optimizer in self.optimizers)

    def __contains__(self, key: Any) -> bool:
        # Asking an optimizer's own state would make an entry.
        return any(key in optimizer.state for optimizer in self.optimizers)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what is stored for a parameter, `default` if there is nothing."""
        for optimizer in self.optimizers:
            if key in optimizer.state:
                return optimizer.state[key]
        return default


# ## What can be put together
def kind_of(optimizer: Optimizer) -> str:
    """Return the name of an optimizer's class, of what is inside if it is wrapped."""
    return type(innermost(optimizer)).__name__


def as_parts(optimizers: Any) -> tuple[Optimizer, ...]:
    """Return optimizers that can be stepped as one; raises `TypeError` or `ValueError` for others."""
    if not isinstance(optimizers, Iterable):
        raise TypeError(
            f"optimizers must be a list of optimizers, got a {type(optimizers).__name__}"
        )
    parts = tuple(optimizers)
    if not parts:
        raise ValueError("optimizers must be at least one, got none")
    for part in parts:
        if not isinstance(part, Optimizer):
            raise TypeError(f"optimizers must be torch.optim.Optimizer, got {part!r}")
        if isinstance(innermost(part), CompositeOptimizer):
            raise TypeError("optimizers must not be composite; give the optimizers in it instead")
        closure = inspect.signature(type(part).step).parameters.get("closure")
        is_required = closure is not None and closure.default is inspect.Parameter.empty
        if is_required or getattr(part, "needs_closure", False):
            name = type(part).__name__
            raise ValueError(f"optimizers must step without a closure, got {name}")
    owners_of(parts)
    return parts


def owners_of(parts: Iterable[Optimizer]) -> dict[int, str]:
    """Return which optimizer has each parameter; raises `ValueError` if two have the same."""
    owners: dict[int, str] = {}
    for place, part in enumerate(parts):
        own = f"{place} ({kind_of(part)})"
        for label, param in chain.from_iterable(map(labelled, part.param_groups)):
            other = owners.setdefault(id(param), own)
            if other != own:
                raise ValueError(
                    f"optimizers must have different parameters, got {label} in {other} and {own}"
                )
    return owners


def labelled(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a group, each with its name, or else its shape."""
    params = group["params"]
    listed = [params] if isinstance(params, Tensor) else list(params)
    names = group.get("param_names") or [None] * len(listed)
    for name, entry in zip(names, listed, strict=True):
        own, param = entry if isinstance(entry, tuple) else (name, entry)
        yield own or f"a parameter of shape {tuple(param.shape)}", param


# ## Choosing
#
# - Start from the split above and `"match_rms_adamw"` with AdamW's rate and decay; then try the head on the other side.
# - Muon pays fifteen products of matrices for each matrix and step, so it is for models where a batch costs much more than
#   that. For small ones AdamW alone is simpler.
#
# The split on two small networks, with one rate for both parts, a line to 0, and $\lambda = 0.1$. Each row has the best rate
# of a grid by its first seed, and is the mean held-out loss of three seeds:
#
# | Muon has | MNIST, 784-256-256-256-10 | next of 2000 words |
# |---|---:|---:|
# | nothing: AdamW alone | 0.074 | 3.87 |
# | hidden matrices | 0.061 | 3.85 |
# | hidden matrices and embedding | | 3.86 |
# | hidden matrices and head | | 3.76 |
# | all matrices | 0.059 | 3.77 |
#
# The first makes 780 steps of 128 images. The second sees four words of the source code of Python's standard library, through an embedding of
# 64 numbers, a first layer of 128 and two more with skip connections, in 800 steps of 256. Seeds of a row differ by up to 0.006 and 0.05.
#
# On MNIST Muon helps. On words the hidden matrices alone make no difference that three seeds could show, and the embedding adds nothing. The
# head does gain, against the advice. Four times the rate for AdamW's part, the best of three factors, brings hidden matrices alone to 3.79 with the
# first seed; with the head it is 3.74. The advice comes from transformers with a hundred million parameters, and this network has 450,000:
# it says nothing about those, and they say little about it.
#
# ## Traps
#
# - **The rate of the optimizer's constructor does not count** if the groups have one. `Muon(matrices, lr=0.02)` on groups with
#   `lr=1e-3` runs at 0.001.
# - **Queries, keys and values in one matrix**, as in torch's `in_proj_weight`, are three maps. Muon orthogonalizes them together. Jordan
#   reports that transformers do better with them apart.
# - **A head that is tied to the embedding** goes by the embedding's name, if that comes first. `Name("head.weight")` then matches nothing.
# - **`OneCycleLR` cycles momentum**, and Muon's `momentum` and AdamW's `betas` are not one entry. torch says so, as `defaults` has neither. Give it
#   `cycle_momentum=False`.
# - **`add_param_group` wants a number**, that of the optimizer: `optimizer=0`. torch's Muon looks at shapes when it is made and not when a
#   group is added; a vector fails in the next step.
# - **A scheduler for one optimizer and another for all** write the same rate, and nobody sees it. Make one, with tags.
# - **A parameter that changes sides** cannot take its state along. Loading is an error that names it, if a CompositeOptimizer wrote the checkpoint. One of a
#   single AdamW does not say who made it: it loads, and Muon carries the averages along unused. With `strict=False`
#   [by name](../named_state.py) it starts anew.
# - **An error in a later part**, such as a sparse gradient, comes when the earlier ones have made their step.
# - **L-BFGS** calls its closure many times in a step, and cannot be a part.
#
# ## Exercises
#
# **1.** Let the gradient of the head be infinite once, in half precision. What happens to two optimizers by hand, and to a composite one?
#
# ::: solution
# ```python
# import torch
# from torch import nn
# from labml_nn_optim import AdamW
# from labml_nn_optim.param_groups.composite import CompositeOptimizer
#
#
# def moved(together):
#     torch.manual_seed(0)
#     model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
#     parts = [torch.optim.Muon(model[0].parameters()), AdamW(model[1].parameters())]
#     scaler = torch.amp.GradScaler("cpu")
#     before = [param.detach().clone() for param in model.parameters()]
#     scaler.scale(model(torch.ones(1, 4)).sum()).backward()
#     model[1].bias.grad.fill_(torch.inf)
#     for optimizer in [CompositeOptimizer(parts)] if together else parts:
#         scaler.step(optimizer)
#     return [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
#
#
# assert moved(together=False) == [True, False, False]
# assert moved(together=True) == [False, False, False]
# ```
# :::
#
# **2.** Show that the rows of $U V^\top$ of a tall matrix are short, and that its columns are not.
#
# ::: solution
# ```python
# import torch
#
# torch.manual_seed(0)
# rows, columns = 5000, 64
# u, _, vt = torch.linalg.svd(torch.randn(rows, columns), full_matrices=False)
# update = u @ vt
# torch.testing.assert_close(update.norm(dim=0), torch.ones(columns))
# root_mean_square = update.norm(dim=1).square().mean().sqrt()
# torch.testing.assert_close(root_mean_square, torch.tensor((columns / rows) ** 0.5))
# ```
# The columns are orthonormal. The rows share $c$ units of length squared among $r$ of them.
# :::
#
# **3.** AdamW for all but the head, which gets SGD: write the rules, and a schedule for each.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim import SGD, AdamW
# from labml_nn_optim.param_groups import Rule, param_groups
# from labml_nn_optim.param_groups.composite import CompositeOptimizer, split_by_tag
# from labml_nn_optim.schedulers import Scheduler
# from labml_nn_optim.schedules import CosineDecreasingSchedule, LinearDecreasingSchedule
#
# model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
# groups = param_groups(model, [Rule("0.*", tags="body"), Rule("1.*", tags="head")])
# head, body = split_by_tag(groups, "head")
# optimizer = CompositeOptimizer([AdamW(body, lr=1e-3), SGD(head, lr=0.1, momentum=0.9)])
# for tags, schedule in (("body", CosineDecreasingSchedule(1)), ("head", LinearDecreasingSchedule(1))):
#     Scheduler(optimizer, schedule, tags=tags, mode="relative", total_steps=100)
# assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 1e-3, 0.1, 0.1]
# ```
# Both schedulers are stepped after the one optimizer.
# :::

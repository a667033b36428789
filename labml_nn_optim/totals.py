r"""
---
title: Sums over all parameters
summary: A number that depends on every parameter is computed before any of them moves, and read once.
chapter: "0.15"
needs: [base, pieces, sharded]
---

# One number for the whole model

Adam's step of a weight depends on that weight's gradients. Some rules want more. [Prodigy](optimizers/prodigy.py)
asks how far the solution is from the start, which is one number for all weights; [DoG](optimizers/dog.py) asks
how far the model has moved. Such a number has to be known before the first weight moves, so it is found in
[prepare](base.py#GenericAdaptiveOptimizer.prepare), and put into every group.

Two things are worth some care. Reading a number from a GPU makes the program wait for everything that the GPU has
still to do, and a model has hundreds of tensors. So sums stay tensors, and [summed](#summed) reads all of them at
once. And the sum over a model may need room for another copy of it. [batches](#batches) hands out lists of limited
size, on a CPU one that fits the cache.

The number itself lives in the groups, the same in each, and so in checkpoints. A checkpoint that is loaded
[by name](named_state.py) into other groups brings no groups, but it does bring this:
[WholeModelOptimizer](#WholeModelOptimizer) takes care of it.

A [sharded](sharded.py) parameter has a part of its sum in each process. The parts are added over the processes that
share it; those that hold the same part count once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor

from labml_nn_optim.base import GenericAdaptiveOptimizer
from labml_nn_optim.checks import is_zero
from labml_nn_optim.pieces import Member, TensorList, working_dtype
from labml_nn_optim.plan import CHUNK
from labml_nn_optim.sharded import is_distributed
from labml_nn_optim.weight_decay import DecayInRule, WeightDecay

__all__ = ["Batch", "WholeModelOptimizer", "batches", "dot", "norm1", "square", "summed"]

# Elements of a list where memory, and no cache, is the limit.
ROOM = 33_554_432

Work: TypeAlias = Sequence[tuple[dict[str, Any], Sequence[Member]]]


class Batch(NamedTuple):
    """Parameters of one group that are alike, and what a rule would be given for them."""

    group: dict[str, Any]
    state: dict[str, TensorList]
    grad: TensorList
    param: TensorList
    like: Tensor


def batches(work: Work, decay_of: Callable[[Mapping[str, Any]], WeightDecay]) -> Iterator[Batch]:
    """Cut `work` into lists of one data type, device and placement, of limited size.

    Half precision is brought to float32. Gradients are those that the rule will see: negated to maximize,
    and with the decay of their group if that is coupled; `decay_of` makes it.
    """
    for group, members in work:
        decay = DecayInRule(decay_of(group))
        coupled = not is_zero(group["weight_decay"]) and not group["decoupled_weight_decay"]
        for alike in _cut(members):
            dtype = working_dtype(alike[0].param.dtype)
            states = [member.tensors for member in alike]
            state = {key: TensorList([each[key] for each in states]) for key in states[0]}
            grad = TensorList([member.grad.to(dtype) for member in alike])
            param = TensorList([member.home.to(dtype) for member in alike])
            if group["maximize"]:
                grad = grad.neg()
            if coupled:
                decay.begin(state)
                grad = decay(param, grad, group)
            yield Batch(group, state, grad, param, alike[0].param)


def _cut(members: Sequence[Member]) -> Iterator[list[Member]]:
    found: dict[Any, list[list[Member]]] = {}
    room: dict[Any, int] = {}
    for member in members:
        param = member.param
        kind: Any = (param.dtype, param.device)
        if is_distributed(param):
            kind = (*kind, param.device_mesh, param.placements)
        # By the size of the whole parameter, so that all processes cut alike.
        if param.numel() > room.get(kind, 0):
            found.setdefault(kind, []).append([])
            room[kind] = CHUNK if param.device.type == "cpu" else ROOM
        found[kind][-1].append(member)
        room[kind] -= param.numel()
    for lists in found.values():
        yield from lists


# ## Sums of a batch
#
# Sums over tensors are in float64: then they hardly depend on the order of the parameters, which a checkpoint may
# change.
def dot(left: TensorList, right: TensorList) -> Tensor:
    """Return the sum of all products of elements."""
    pairs = zip(left.tensors, right.tensors, strict=True)
    return _sum([torch.dot(a.reshape(-1), b.reshape(-1)) for a, b in pairs])


def norm1(each: TensorList) -> Tensor:
    """Return the sum of all absolute values."""
    # On a CPU that norm takes four times as long as the sum, on a GPU one operation for all tensors.
    if each.tensors[0].is_cpu:
        return _sum([tensor.sum() for tensor in each.abs().tensors])
    return _sum(torch._foreach_norm(each.tensors, 1))


def square(each: TensorList) -> Tensor:
    """Return the sum of all squares."""
    return _sum(torch._foreach_norm(each.tensors, 2), power=2)


def _sum(numbers: Sequence[Tensor], power: int = 1) -> Tensor:
    return torch.stack(list(numbers)).double().pow(power).sum()


def summed(found: Iterable[tuple[Batch, Sequence[Tensor]]]) -> list[float]:
    """Add up the numbers found for each batch, over all batches and processes, and read them.

    Every process must call this for the same parameters in the same order. Without any batch the result is
    empty.
    """
    parts = [_over_processes(torch.stack(list(each)), batch.like) for batch, each in found]
    if not parts:
        return []
    device = parts[0].device
    total: list[float] = torch.stack([part.to(device) for part in parts]).sum(0).tolist()
    return total


def _over_processes(part: Tensor, like: Tensor) -> Tensor:
    if is_distributed(like):
        for dim, placement in enumerate(like.placements):
            if not placement.is_replicate():
                torch.distributed.all_reduce(part, group=like.device_mesh.get_group(dim))
    return part


class WholeModelOptimizer(GenericAdaptiveOptimizer):
    """An optimizer with numbers that are the same in all groups.

    - `shared`: the names of these numbers. They are in the groups after the first step.
    """

    shared: ClassVar[tuple[str, ...]] = ()

    def share(self, **numbers: float) -> None:
        """Write `numbers` into every group, those without a gradient included."""
        for group in self.param_groups:
            group.update(numbers)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint, with its shared numbers even if its groups are not the present ones."""
        super().load_state_dict(state_dict)
        saved = state_dict["param_groups"][0]
        self.share(**{name: saved[name] for name in self.shared if name in saved})

r"""
---
title: Stacks of equal shapes
summary: A rule that needs whole tensors runs on all parameters of one shape at once, with one more dimension in front.
chapter: "0.13"
needs: [pieces]
---

# Twelve layers have twelve equal matrices

[StableAdamW](optimizers/stable_adamw.py) divides by a mean over a tensor, [LAMB](optimizers/lamb.py) by a norm,
[Muon](optimizers/muon.py) multiplies matrices. A part of a tensor has another mean, so such a rule cannot run on
[pieces](pieces.py) that are cut or joined.

But a network repeats itself. The twelve blocks of a small vision transformer have the same shapes, and its 152 tensors have
sixteen different ones. Twelve vectors of 384 numbers are one tensor of shape $(12, 384)$, and the means of its rows are the
twelve means.

So every such rule is handed a *stack*: a tensor of shape $(k, \dots)$ that holds $k$ parameters of one shape. What is
computed for each of them keeps its dimensions, $(k, 1, \dots, 1)$, and is broadcast over them:

```python
ratio = norm_of_each(param).div(norm_of_each(update))
param.sub_(update.mul(ratio).mul(group["lr"]))
```

Torch's matrix products do the same: `a @ b` with stacks multiplies $k$ pairs of matrices.

A large tensor is a stack of one, which is a view and copies nothing. With `per_tensor=True` all are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from labml_nn_optim.pieces import Member, Operands, Scratch, gradients, working_dtype

__all__ = ["Stack", "mean_of_each", "norm_of_each", "stack_key", "stacks"]

# Elements of a stack. On a CPU a stack is worth its copies while starting operations takes longer than
# running them; a GPU is idle with less.
ON_CPU = 131_072
ELSEWHERE = 33_554_432


def _inner(stack: Tensor) -> tuple[int, ...]:
    return tuple(range(1, stack.dim()))


def norm_of_each(stack: Tensor) -> Tensor:
    """Return the Euclidean norm of each tensor of a stack, of shape (k, 1, ..., 1)."""
    dims = _inner(stack)
    return torch.linalg.vector_norm(stack, dim=dims, keepdim=True) if dims else stack.abs()


def mean_of_each(stack: Tensor) -> Tensor:
    """Return the mean of each tensor of a stack, of shape (k, 1, ..., 1); that of an empty one is NaN."""
    dims = _inner(stack)
    return stack.mean(dim=dims, keepdim=True) if dims else stack.clone()


class Stack:
    """Parameters of one shape and their state, with a first dimension that counts them.

    One parameter is seen in place. Several are copied into the scratch room, and their state is moved
    into one tensor a name, of which theirs become views.
    """

    def __init__(self, members: Sequence[Member], scratch: Scratch | None) -> None:
        self.members = members
        self.homes = [member.home for member in members]
        self.stored = self.homes[0].dtype
        self.dtype = working_dtype(self.stored)
        if scratch is None:
            self.state = {key: value[None] for key, value in members[0].tensors.items()}
        else:
            self.state = _stack_states(members)
            shape = (len(members), *self.homes[0].shape)
            size = len(members) * self.homes[0].numel()
            self.param = scratch.param[:size].view(shape)
            self.grad = scratch.grad[:size].view(shape)
        self.is_copy = scratch is not None

    def load(self) -> Operands:
        """Return the stacked tensors, in float32 if they are of half precision."""
        if not self.is_copy:
            grad, home = self.members[0].grad[None], self.homes[0][None]
            return Operands(self.state, grad.to(self.dtype), home.to(self.dtype))
        torch._foreach_copy_(list(self.param.unbind()), self.homes)
        torch._foreach_copy_(
            list(self.grad.unbind()), gradients([member.param for member in self.members])
        )
        return Operands(self.state, self.grad, self.param)

    def store(self, operands: Operands) -> None:
        """Copy the parameters back, unless the rule has worked on them in place."""
        if self.is_copy or self.dtype != self.stored:
            torch._foreach_copy_(self.homes, list(operands.param.unbind()))

    def places(self) -> list[Tensor]:
        """Return the place of each element."""
        return [torch.stack([member.places for member in self.members])]


def _stack_states(members: Sequence[Member]) -> dict[str, Any]:
    stacked = {}
    for key in members[0].tensors:
        stacked[key] = torch.stack([member.tensors[key] for member in members])
        for member, own in zip(members, stacked[key].unbind(), strict=True):
            member.replace(key, own)
    return stacked


def stack_key(member: Member) -> Hashable:
    """Return what members must have in common to be stacked: shapes and data types."""
    tensors = {"": member.home, **member.tensors}
    return tuple((key, value.shape, value.dtype) for key, value in tensors.items())


def stacks(members: Sequence[Member]) -> list[Stack]:
    """Stack `members`, all with the same [stack_key](#stack_key), as high as the device wants it."""
    home = members[0].home
    limit = ON_CPU if home.device.type == "cpu" else ELSEWHERE
    height = max(1, limit // max(1, home.numel()))
    batches = [members[start : start + height] for start in range(0, len(members), height)]
    scratch = Scratch.of(len(batches[0]) * home.numel(), home) if len(batches[0]) > 1 else None
    return [Stack(batch, scratch if len(batch) > 1 else None) for batch in batches]


# ## Traps
#
# - **A stack is not a parameter.** `param.norm()` is the norm of all $k$ together. Use
#   [norm_of_each](#norm_of_each).
# - **The dimensions are shifted by one.** The rows of a matrix are dimension 1, its columns dimension 2; counted
#   from the end they are $-2$ and $-1$, as ever.
# - **A scalar parameter** has the shape $(k,)$ here. There is nothing to reduce, and its norm is its size.
# - **A complex parameter** is seen as real numbers with one more dimension at the end, of size 2. A norm or a mean over all
#   dimensions is right; a matrix product would not be.
#
# ## Exercises
#
# **1.** A rule is SGD with every gradient divided by its norm. Write it for stacks, and check that two vectors that are
# stacked move as they would alone.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import GenericAdaptiveOptimizer
# from labml_nn_optim.stacks import norm_of_each
#
#
# class Normalized(GenericAdaptiveOptimizer):
#     elementwise = False
#     beta_count = 0
#     has_eps = False
#
#     def step_param(self, state, group, grad, param):
#         param.sub_(grad.div(norm_of_each(grad)).mul(group["lr"]))
#
#
# first, second = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
# optimizer = Normalized([first, second], lr=0.5)
# for _ in range(2):
#     first.grad, second.grad = torch.tensor([3.0, 4.0]), torch.tensor([0.0, -0.1])
#     optimizer.step()
# torch.testing.assert_close(first.detach(), torch.tensor([-0.6, -0.8]))
# torch.testing.assert_close(second.detach(), torch.tensor([0.0, 1.0]))
# ```
# :::

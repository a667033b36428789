r"""
---
title: Sharded parameters
summary: A rule that works element by element runs on the part of a parameter that a process holds, and its state is spread like the parameter.
chapter: "0.12"
needs: [pieces]
---

# Half a matrix in each process

A model on two GPUs, prepared with FSDP2's `fully_shard`: each weight is a `DTensor`. It says that it is 512 by 512, and holds 256 rows in
each process. Adam needs nothing more. The step of a weight depends on its own gradient and its own averages, so each process runs
the rule on its rows, and no process asks another one.

That is what happens here. A [Member](pieces.py#Member) hands out the local part of the parameter, of its gradient and of its state. Chunks,
packs, lists and compiled kernels see plain tensors, and no rule knows of it. The state is put back as a `DTensor` with the
placements of its parameter. So `torch.distributed.checkpoint` saves it under two processes and loads it under one, or the other way
round.

What a rule stores as single numbers is the same everywhere and stays a plain tensor.

## What it saves

In float32 AdamW needs 16 bytes for each weight: the weight, its gradient and two averages, 4 each. With plain tensors, as in
`DistributedDataParallel`, every process has all 16. `fully_shard` over $n$ processes leaves $16 / n$, besides the layer that is
gathered at the moment; that is what DeepSpeed calls ZeRO-3. The price is communication in the forward and backward passes. The step adds
none where gradients lie as their parameters do, and `fully_shard` brings them so, averaged over the processes.

## What is refused

- **A rule that needs the whole tensor.** [StableAdamW](optimizers/stable_adamw.py) divides by a mean over all elements. On
  half of a matrix it would compute another mean in each process, and the halves would move at different rates without a word. It runs where every process
  holds all of the parameter: with `Replicate`, or on a mesh of one. To gather the parts would be right as well, and cost a message for each tensor in
  each step; that is not built in.
- **`flat=True`.** It moves parameters into a buffer of its own, and their storage belongs to `fully_shard`, which gathers from it.
- **A parameter that is `Partial`.** Each process holds a term of a sum; a rule that is not linear cannot be run on terms.

A gradient with other placements is brought to those of its parameter before anything runs. It is `Partial`, for example, if a replicated scale has seen
another part of the batch in each process.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor
from torch.nn import Parameter

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

__all__ = [
    "align_gradients",
    "is_distributed",
    "like_part",
    "local",
    "locals_of",
    "place_like",
    "place_of_part",
    "place_state",
    "require_runnable",
]


PLAIN: frozenset[type] = frozenset((Tensor, Parameter))


def is_distributed(tensor: Any) -> TypeGuard[DTensor]:
    """Whether `tensor` is a `DTensor`."""
    # Importing DTensor takes a second. Where nobody has, there is none.
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Tensor) -> Tensor:
    """Return the part of `tensor` that this process holds, which shares its memory.

    A plain tensor is returned as it is. To be called where no gradients are recorded.
    """
    return tensor.to_local() if is_distributed(tensor) else tensor


def locals_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the [local](#local) part of each of `tensors`."""
    return list(tensors) if all_plain(tensors) else list(map(local, tensors))


def all_plain(tensors: Iterable[Tensor]) -> bool:
    # This is asked in every step, of a thousand tensors perhaps: comparing types takes microseconds.
    return PLAIN.issuperset(map(type, tensors))


def place_like(value: Tensor, param: Tensor) -> Tensor:
    """Return `value`, all of which every process has or which is spread somehow, spread like `param`.

    For a plain `param` it is all of `value`. What lies as it should is returned as it is.
    """
    if not is_distributed(param):
        return value.full_tensor() if is_distributed(value) else value
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = param.device_mesh, param.placements
    if not is_distributed(value):
        # Every process cuts its own part out: none has to wait for another. The part is copied, since a view
        # would keep all of `value` in memory.
        cut = distribute_tensor(value, mesh, placements, src_data_rank=None)
        return like_part(cut.to_local().clone(), param)
    if value.device_mesh == mesh:
        return value.redistribute(mesh, placements)
    return distribute_tensor(value.full_tensor(), mesh, placements, src_data_rank=None)


def place_of_part(param: Tensor) -> int:
    """Return how many elements come before those that this process holds; 0 if it holds all."""
    if not is_distributed(param):
        return 0
    (chunk,) = param.__create_chunk_list__()  # type: ignore[no-untyped-call]
    strides = torch.empty(param.shape, device="meta").stride()
    return sum(offset * stride for offset, stride in zip(chunk.offsets, strides, strict=True))


def like_part(part: Tensor, param: DTensor) -> DTensor:
    """Return the `DTensor` like `param` whose local part is `part`."""
    from torch.distributed.tensor import DTensor

    # With the shape given, nobody has to be asked for it, and shards may be uneven or empty.
    return DTensor.from_local(
        part,
        param.device_mesh,
        param.placements,
        run_check=False,
        shape=param.shape,
        stride=param.stride(),
    )


def place_state(state: dict[str, Any], param: Tensor, numbers: Collection[str]) -> None:
    """Make a `DTensor` of what a rule has stored for the local part of `param`, but of `numbers`.

    State of another shape belongs to a whole parameter, which every process has, and stays plain.
    """
    if is_distributed(param):
        shape = param.to_local().shape
        for name in state.keys() - set(numbers):
            value = state[name]
            if isinstance(value, Tensor) and not is_distributed(value) and value.shape == shape:
                state[name] = like_part(value, param)


def align_gradients(params: Sequence[Tensor]) -> None:
    """Bring gradients to the placements of their parameters.

    Every process must call this for the same parameters in the same order.
    Raises `ValueError` for a gradient that is no `DTensor` while its parameter is, or on another mesh.
    """
    for param in () if all_plain(params) else filter(is_distributed, params):
        grad = param.grad
        if not is_distributed(grad):
            raise ValueError("the gradient of a DTensor must be a DTensor, got a plain tensor")
        if grad.device_mesh != param.device_mesh:
            raise ValueError(
                f"the gradient must be on the mesh {param.device_mesh} of its parameter, "
                f"got {grad.device_mesh}"
            )
        if grad.placements != param.placements:
            param.grad = grad.redistribute(placements=param.placements)


def is_whole(param: DTensor) -> bool:
    """Whether every process holds all of `param`."""
    return all(
        placement.is_replicate() or size == 1
        for placement, size in zip(param.placements, param.device_mesh.shape, strict=True)
    )


def require_runnable(params: Iterable[Tensor], rule: str, elementwise: bool, flat: bool) -> None:
    """Raise `ValueError` for a `DTensor` among `params` that `rule` cannot run on.

    - `rule`: the name of the optimizer
    - `elementwise`: whether its rule may run on a part of a parameter
    - `flat`: whether it moves parameters into a buffer
    """
    for param in filter(is_distributed, params):
        if flat:
            raise ValueError("flat must be False for DTensor parameters, got True")
        if any(placement.is_partial() for placement in param.placements):
            raise ValueError(
                f"{rule} takes sharded and replicated parameters, got {param.placements}"
            )
        if not (elementwise or is_whole(param)):
            raise ValueError(
                f"{rule} needs whole parameters, got one of placements {param.placements}; replicate "
                "it, or give it to an optimizer whose rule works element by element"
            )


# ## Traps
#
# - **Wrap first.** `fully_shard` puts new parameters into the model. An optimizer that was made before
#   holds the old ones, which never get a gradient: its step moves nothing, stores nothing, and says nothing.
# - **`get_optimizer_state_dict` may make a step.** If there is no state yet, torch gives every parameter a
#   gradient of zero, sets $\alpha = 0$ and calls `step`, and so does `set_optimizer_state_dict`. The step is counted: Adam's
#   corrections begin at $t = 2$ unless a state is loaded over it, with `torch.optim` too. A decay times $\alpha$ does
#   nothing then. An [absolute](weight_decay.py#WeightDecay) one of 0.1 leaves nine tenths of every weight: load the
#   optimizer first and the model after it.
# - **A norm of one's own.** `torch.nn.utils.clip_grad_norm_` knows shards and divides by the norm of all. A loop over
#   `param.grad.to_local()` finds another norm in each process, and the parts of a matrix are clipped differently.
# - **FSDP1 hides it.** The first `FullyShardedDataParallel` gives the optimizer flat pieces that are plain tensors. They cannot be
#   recognized, and a rule on whole tensors is not refused. It is not supported here.
#
# ## Exercises
#
# **1.** A matrix of 3 rows is spread over two processes, and its rule is SGD with the gradient divided by its
# norm. The gradient of each row has norm 1, and the rows are orthogonal. What does each process divide by if it looks
# at its own rows, and what should it divide by?
#
# ::: solution
# The first process has two rows and divides by $\sqrt 2$, the second has one and divides by 1. All should
# divide by $\sqrt 3$. The step of the third row would be $\sqrt 2$ times as long as that of the others.
#
# ```python
# import torch
#
# gradient = torch.eye(3)
# norms = [part.norm().item() for part in gradient.split(2)]
# torch.testing.assert_close(torch.tensor(norms), torch.tensor([2**0.5, 1.0]))
# torch.testing.assert_close(gradient.norm().item(), 3**0.5)
# ```
# :::
#
# **2.** A model has seven billion weights, and is trained by AdamW in float32 on eight processes with `fully_shard`. How much memory does each of
# them need for weights, gradients and state? How much with SGD without momentum?
#
# ::: solution
# $7 \cdot 10^9 \cdot 16 / 8 = 14$ GB, and with $4 + 4$ bytes for each weight 7 GB. Activations and the gathered layer come on top.
# :::

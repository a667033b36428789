r"""
---
title: Compiled rules
summary: One kernel, compiled once, runs a rule over any number of tensors of any size, whatever the learning rate and the step.
chapter: "0.11"
needs: [plan, pieces]
---

# One pass over memory

Six operations make Adam's update. Each reads its tensors from memory and writes one back, and memory is
what a step waits for. Compiled into one kernel, every number is read once, and written once if it changes:
ResNet-18's parameters take 4 ms a step on two CPU threads, 12 ms uncompiled.

`torch.compile(optimizer.step)` gives that, too. But it unrolls the loop over tensors, and spends 25 s on
ResNet-18 and some minutes on 1000 tensors. Each change of the learning rate may compile again.

Here the rule alone is compiled, over eight pieces of any size at a time. Three things keep it at one
compilation for a data type and device:

- **Sizes are symbols.** All pieces are rows, so a kernel that takes rows of any length takes them all.
  Places that are left over are filled with rows of a few numbers.
- **Numbers are data.** The learning rate, the corrections, the decay rates enter as one small tensor,
  whole numbers, too. A plain number in the code would be built into the kernel. So a schedule may
  write `weight_decay`, `momentum` or `betas[0]` in every step.
- **Zeros are not.** A weight decay of 0 stays a plain 0, so that the kernel has no code for it.

## A schedule that reaches 0

A decay that falls to exactly 0 needs the kernel that has no code for it. It is compiled in the step that
gets there: seconds, once. From then on both are at hand, however often the decay comes and goes. The same
holds for a decay that starts at 0, and for a `momentum` or a `betas[0]` that falls to 0. The learning rate
may be 0 at any time: it always is data.

A tensor is never taken for a zero. With `weight_decay=torch.tensor(0.1)` one kernel does it all, and spends
its pass on the decay even when that is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from labml_nn_optim.checks import is_zero
from labml_nn_optim.pieces import Operands, Packed, Piece
from labml_nn_optim.rounding import Rounding
from labml_nn_optim.weight_decay import DecayInRule, Reader

__all__ = ["TOGETHER", "apply_rule", "run_compiled"]

TOGETHER = 8
WARM_UP = 65_536
NUMBER = (float, Tensor, Real)

Kernel: TypeAlias = Callable[[list[list[Tensor]], list[Tensor], list[Tensor], Tensor], None]


class Slot(NamedTuple):
    """Stands for a number that enters the kernel at run time, by its place in the vector."""

    place: int


# A group as the kernel knows it: names and values, with a `Slot` in place of each number that changes.
Skeleton: TypeAlias = tuple[tuple[str, Hashable], ...]


def split_numbers(
    group: Mapping[str, Any], lively: frozenset[str]
) -> tuple[Skeleton, list[float | Tensor]]:
    """Split `group` into what the kernel may know for good and the numbers that may change.

    A plain 0 is kept for good, so that what it switches off costs nothing, unless its name is in
    `lively`. So is what is no number: a flag, a name, `None`.
    """
    numbers: list[float | Tensor] = []

    def slot(value: float | Tensor) -> Slot:
        numbers.append(value)
        return Slot(len(numbers) - 1)

    def keep(name: str, value: Any) -> Hashable:
        if isinstance(value, tuple | list):
            return tuple(keep(name, element) for element in value)
        if isinstance(value, NUMBER) and not isinstance(value, bool):
            number = value if isinstance(value, Tensor) else float(value)
            return 0.0 if is_zero(number) and name not in lively else slot(number)
        kept: Hashable = value
        return kept

    skeleton = tuple((name, keep(name, value)) for name, value in group.items())
    return skeleton, numbers


def fill_numbers(skeleton: Skeleton, numbers: Sequence[Tensor]) -> dict[str, Any]:
    """Put the numbers back into their places."""

    def fill(value: Any) -> Any:
        if isinstance(value, Slot):
            return numbers[value.place]
        return tuple([fill(element) for element in value]) if isinstance(value, tuple) else value

    return {name: fill(value) for name, value in skeleton}


class Compiled(NamedTuple):
    """A kernel over `TOGETHER` operands, and tiny ones to fill its places up."""

    kernel: Kernel
    spare: list[Operands]


class Bound:
    """What a compiled `step_param` sees as `self`: its decay, and nothing of any optimizer."""

    def __init__(self, weight_decay: DecayInRule) -> None:
        self.weight_decay = weight_decay


@functools.cache
def compile_rule(
    step_param: Callable[..., None],
    read_decay: Reader,
    skeleton: Skeleton,
    names: tuple[str, ...],
    dtypes: tuple[torch.dtype, ...],
    device: torch.device,
    threads: int,
) -> Compiled:
    """Compile `step_param`, once for operands of these names and data types on this device.

    Nothing of an optimizer is kept, so that the kernel serves the next one and no parameter is held.
    """

    def kernel(
        states: list[list[Tensor]], grads: list[Tensor], params: list[Tensor], vector: Tensor
    ) -> None:
        group = fill_numbers(skeleton, vector.unbind())
        decay = DecayInRule(read_decay(group))
        rule = functools.partial(step_param, Bound(decay))
        for state, grad, param in zip(states, grads, params, strict=True):
            each = Operands(dict(zip(names, state, strict=True)), grad, param)
            apply_rule(rule, group, each, decay)

    def example(size: int) -> Operands:
        tensors = [torch.zeros(size, dtype=dtype, device=device) for dtype in dtypes]
        return Operands(dict(zip(names, tensors[2:], strict=True)), tensors[0], tensors[1])

    # The compiler keeps its results by code object, and gives up when one has too many.
    kernel.__code__ = kernel.__code__.replace()
    compiled = Compiled(
        torch.compile(
            kernel,
            fullgraph=True,
            dynamic=True,
            options={"guard_filter_fn": no_guards, "size_asserts": False},
        ),
        [example(2 + index) for index in range(TOGETHER)],
    )
    # Unequal sizes keep the compiler from tying one piece's size to another's; large ones make it
    # write loops for several threads.
    first = [example(WARM_UP + 64 * index) for index in range(TOGETHER)]
    call(compiled, first, torch.ones(count_slots(skeleton), dtype=torch.float64, device=device))
    return compiled


def no_guards(guards: Sequence[Any]) -> list[bool]:
    """Drop every check of the inputs: `compile_rule` is asked for each kind of them."""
    return [False] * len(guards)


def apply_rule(
    step_param: Callable[..., None],
    group: Mapping[str, Any],
    operands: Operands,
    decay: DecayInRule | None = None,
) -> None:
    """Run the update rule once; to maximize is to descend on the negated gradient.

    `decay` is what `step_param` calls as `self.weight_decay`. Without it, the rule has one that needs
    neither state nor a second call after the update.
    """
    grad = operands.grad.neg() if group["maximize"] else operands.grad
    if decay is not None:
        decay.begin(operands.state)
    step_param(operands.state, group, grad, operands.param)
    if decay is not None:
        decay.finish(operands.param)


def count_slots(value: Any) -> int:
    if isinstance(value, Slot):
        return 1
    return sum(map(count_slots, value)) if isinstance(value, tuple) else 0


# ## A step
def call(compiled: Compiled, operands: Sequence[Operands], vector: Tensor) -> None:
    full = [*operands, *compiled.spare[len(operands) :]]
    compiled.kernel(
        [list(each.state.values()) for each in full],
        [each.grad for each in full],
        [each.param for each in full],
        vector,
    )


def batches(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Cut `pieces` into runs of `TOGETHER`, with one that uses scratch room, and that last."""
    batch: list[Piece] = []
    for piece in pieces:
        if len(batch) == TOGETHER or (batch and isinstance(batch[-1], Packed)):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def run_compiled(
    step_param: Callable[..., None],
    read_decay: Reader,
    group: Mapping[str, Any],
    lively: frozenset[str],
    pieces: Sequence[Piece],
    rounding: Rounding,
) -> None:
    """Run `step_param` on all `pieces`, which are one-dimensional, through compiled kernels."""
    skeleton, numbers = split_numbers(group, lively)
    vectors: dict[torch.device, Tensor] = {}
    for batch in batches(pieces):
        operands = [rounding.load(piece) for piece in batch]
        first = operands[0]
        device = first.param.device
        if device not in vectors:
            vectors[device] = as_vector(numbers, device)
        tensors = (first.grad, first.param, *first.state.values())
        compiled = compile_rule(
            step_param,
            read_decay,
            skeleton,
            tuple(first.state),
            tuple(tensor.dtype for tensor in tensors),
            device,
            torch.get_num_threads(),
        )
        call(compiled, operands, vectors[device])
        for piece, each in zip(batch, operands, strict=True):
            rounding.store(piece, each)


def as_vector(numbers: Sequence[float | Tensor], device: torch.device) -> Tensor:
    """Bring `numbers` to `device` as one tensor, without reading any that is a tensor."""
    if any(isinstance(number, Tensor) for number in numbers):
        parts = [torch.as_tensor(number, dtype=torch.float64).reshape(()) for number in numbers]
        return torch.stack([part.to(device) for part in parts])
    return torch.tensor(numbers, dtype=torch.float64, device=device)

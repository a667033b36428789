r"""
---
title: The plan of a step
summary: A step is planned once and used while nothing moves - large tensors in chunks that fit the cache, small ones side by side.
chapter: "0.9"
needs: [base]
---

# A thousand small tensors, or a few large ones

Run Adam over 1000 tensors of 1000 numbers, one after the other: 23 ms a step on two CPU threads, nearly
all of it spent on starting operations, six for each tensor.
Copy the same million numbers into a few long rows, run the rule on each, copy them back: 4 ms.

Now take a single tensor of 2.4 million numbers. Each of the six operations goes over the whole tensor,
and by the time the next one starts, the beginning has left the cache.
Cut into pieces of half a million numbers, all six run over a piece while it is still there.

Small tensors want to be joined, large ones cut. That is decided once, for as long as the same parameters
have gradients, and parameters and state stay where they are. Checking that they did costs a quarter of a
millisecond for 1000 tensors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor

from labml_nn_optim.pieces import (
    FlatBuffers,
    Listed,
    Member,
    Packed,
    Piece,
    Scratch,
    Whole,
    can_be_chunked,
    can_be_packed,
    parts,
    stored_parts,
)
from labml_nn_optim.sharded import locals_of
from labml_nn_optim.stacks import stack_key, stacks

__all__ = ["Cohort", "Layout", "Plan", "split_by_kind"]

Item = TypeVar("Item")

# Sizes in elements, as measured on a CPU of two cores with 32 MB of third-level cache, of which a chunk of
# Adam's four tensors takes 8 MB. Smaller chunks pay for more operations, larger ones for larger temporaries.
CHUNK = 524_288
PACK = 131_072
SMALL = 32_768


@dataclass(frozen=True)
class Layout:
    """How a plan may cut.

    - `whole`: not at all
    - `stacked`: not at all either, but those of one shape lie on top of each other where `pack` allows it
    - `chunk`: large tensors into parts of at most so many elements; `None` leaves them in one
    - `pack`: whether small tensors are joined, which moves their state
    """

    whole: bool = False
    stacked: bool = False
    chunk: int | None = CHUNK
    pack: bool = True


class Number:
    """One entry of the state that is a single number, and the same for several members.

    Each parameter owns its copy, as in torch. `shared` makes all of them views of one tensor, which is
    then written in one operation.
    """

    def __init__(self, members: Sequence[Member], name: str, shared: bool) -> None:
        self.copies = [member.state[name] for member in members]
        self.shared = torch.stack([copy.cpu() for copy in self.copies]) if shared else None
        if self.shared is not None:
            for member, copy in zip(members, self.shared.unbind(), strict=True):
                member.state[name] = copy
            self.copies = list(self.shared[:1].unbind())
            self.version = self.shared._version

    def get(self) -> float:
        """Return the number."""
        return float(self.copies[0])

    def set(self, value: float) -> None:
        """Write the number for every member."""
        if self.shared is None:
            torch._foreach_zero_(self.copies)
            torch._foreach_add_(self.copies, value)
        else:
            self.shared.fill_(value)
            self.version = self.shared._version

    def untouched(self) -> bool:
        """Whether nobody else has written to it."""
        return self.shared is None or self.shared._version == self.version


class Cohort:
    """Members that agree in their single numbers, such as the step, and their pieces.

    Corrections depend on the step, so a rule can run over many parameters at once only if they have
    made as many.
    """

    def __init__(self, members: Sequence[Member], pieces: Sequence[Piece], shared: bool) -> None:
        self.pieces = pieces
        self.numbers = {name: Number(members, name, shared) for name in members[0].numbers}

    def advance(self) -> int:
        """Count one more step for every member, and return the count."""
        step = self.numbers["step"]
        step.set(step.get() + 1)
        return int(step.get())

    def own_numbers(self) -> dict[str, float]:
        """Return the numbers other than the step, by name."""
        return {name: number.get() for name, number in self.numbers.items() if name != "step"}

    def keep(self, found: Mapping[str, Any]) -> None:
        """Write those of our own numbers that are in `found`."""
        for name in self.numbers.keys() & found.keys():
            self.numbers[name].set(float(found[name]))

    def untouched(self) -> bool:
        """Whether nobody else has written to the numbers."""
        return all(number.untouched() for number in self.numbers.values())


class Plan:
    """The cohorts of a group for one set of parameters that have gradients.

    - `params`: the parameters of the group that have a gradient
    - `state`: the optimizer's, by parameter
    - `layout`: how they may be cut
    - `flat`: buffers in which parameters lie side by side already
    - `numbers`: entries of the state that are single numbers
    - `places`: how many elements come before a parameter, by its `id`; 0 for one that is not in it
    """

    def __init__(
        self,
        params: Sequence[Tensor],
        state: Mapping[Tensor, dict[str, Any]],
        layout: Layout,
        flat: Sequence[FlatBuffers] = (),
        numbers: tuple[str, ...] = ("step",),
        places: Mapping[int, int] | None = None,
    ) -> None:
        self.params = list(params)
        self.layout = layout
        active = set(map(id, params))
        self.flat = [each for each in flat if active.issuperset(map(id, each.params))]
        places = places or {}
        self.members = [
            Member(param, state[param], numbers, places.get(id(param), 0)) for param in params
        ]
        self.cohorts = [
            Cohort(cohort, self._pieces(cohort), shared=layout.pack)
            for cohort in _split(self.members, numbers_of)
        ]
        self._remember(state)

    def _pieces(self, members: Sequence[Member]) -> list[Piece]:
        pieces: list[Piece] = []
        for alike in _split(members, lambda member: kind(member.param)):
            params = [member.param for member in alike]
            flat = next((flat for flat in self.flat if _same(params, flat.params)), None)
            if flat is None:
                pieces += _cut(alike, self.layout)
            else:
                pieces += stored_parts(alike, flat, self.layout.chunk)
        return pieces

    def _remember(self, state: Mapping[Tensor, dict[str, Any]]) -> None:
        self.pointers = pointers_of(self.params)
        self.states = list(state.values())
        self.own = [state[param] for param in self.params]
        self.names = set(self.own[0]).intersection(*self.own) if self.own else set()
        self.entries = list(_values(self.own))

    def owns_gradients_of(
        self, params: Sequence[Tensor], state: Mapping[Tensor, dict[str, Any]]
    ) -> bool:
        """Whether the plan holds and all gradients of `params` live in its flat buffers."""
        return (
            len(params) == sum(len(flat.params) for flat in self.flat)
            and self.is_for(params)
            and all(flat.has_gradients() for flat in self.flat)
            and self.holds(state)
        )

    def take_gradients(self) -> None:
        """Bring all gradients of flat buffers into them."""
        for flat in self.flat:
            if not flat.has_gradients():
                flat.take_gradients()

    def is_for(self, params: Sequence[Tensor]) -> bool:
        """Whether the plan was made for these very parameters."""
        return _same(params, self.params)

    def holds(self, state: Mapping[Tensor, dict[str, Any]]) -> bool:
        """Whether the parameters' storages and states are still the same."""
        return (
            _same(state.values(), self.states)
            and pointers_of(self.params) == self.pointers
            and _same(_values(self.own), self.entries)
            and all(cohort.untouched() for cohort in self.cohorts)
        )


def pointers_of(params: Sequence[Tensor]) -> list[int]:
    return list(map(Tensor.data_ptr, locals_of(params)))


def _values(states: Iterable[dict[str, Any]]) -> Iterable[Any]:
    return chain.from_iterable(map(dict.values, states))


def _same(left: Iterable[Any], right: Sequence[Any]) -> bool:
    found = list(left)
    return len(found) == len(right) and all(map(operator.is_, found, right))


def _split(items: Iterable[Item], key: Callable[[Item], Any]) -> list[list[Item]]:
    """Split `items` by `key`, keeping their order and the order of first appearance."""
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def kind(tensor: Tensor) -> tuple[torch.dtype, torch.device]:
    return tensor.dtype, tensor.device


def numbers_of(member: Member) -> tuple[float, ...]:
    return tuple(float(member.state[name]) for name in member.numbers)


def split_by_kind(params: Iterable[Tensor]) -> list[list[Tensor]]:
    """Split `params` by data type and device."""
    return _split(params, kind)


def _cut(members: Sequence[Member], layout: Layout) -> list[Piece]:
    """Make pieces of members of one data type and device, the largest first."""
    if layout.stacked:
        alike = _split(members, stack_key if layout.pack and not layout.whole else id)
        return [stack for each in alike for stack in stacks(each)]
    if layout.whole:
        return [Whole(member) for member in members]
    if members[0].param.device.type != "cpu" and layout.chunk is not None:
        return [Listed(members)]
    members = [member for member in members if member.home.numel() > 0]
    large = [
        member for member in members if member.home.numel() >= SMALL and can_be_chunked(member)
    ]
    large.sort(key=lambda member: -member.home.numel())
    chosen = {id(member.param) for member in large}
    rest = [member for member in members if id(member.param) not in chosen]
    packable = [member for member in rest if layout.pack and can_be_packed(member)]
    chosen |= {id(member.param) for member in packable}
    return [
        *(part for member in large for part in parts(member, layout.chunk)),
        *_packs(packable),
        *(Whole(member) for member in rest if id(member.param) not in chosen),
    ]


def _packs(members: Sequence[Member]) -> list[Piece]:
    """Pack members up to `PACK` elements a piece, or one larger one; one scratch serves them all."""
    batches: list[list[Member]] = []
    room = 0
    for member in members:
        size = member.home.numel()
        if size > room:
            batches.append([])
            room = PACK
        batches[-1].append(member)
        room -= size
    if not batches:
        return []
    sizes = [max(2, sum(member.home.numel() for member in batch)) for batch in batches]
    scratch = Scratch.of(max(sizes), members[0].home)
    return [Packed(batch, scratch, size) for batch, size in zip(batches, sizes, strict=True)]

r"""
---
title: Pieces
summary: A piece is something a rule can run on - a whole tensor, a part of one, many in a row, or a list of them.
chapter: "0.10"
needs: [plan]
---

# The rule does not know what it runs on

`exp_avg.lerp_(grad, 0.1)` means the same for a matrix, for a slice of it, for a row of a hundred biases
and, with a little help, for a list of tensors. A piece uses that. It lays its tensors out for the rule
(`load`) and takes the result back (`store`), and four kinds of piece serve every optimizer.

Two conversions happen here as well, so that no rule has to think of them. A complex tensor is seen as a
real one with one more dimension. A half-precision parameter and its gradient are brought to float32 for
the rule and the result is rounded back, while the state is float32 throughout. To round otherwise than to the
nearest number is left to [Rounding](rounding.py), which asks a piece for no more than the places of its elements.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

from labml_nn_optim.sharded import is_distributed, like_part, local, locals_of

__all__ = [
    "FlatBuffers",
    "Listed",
    "Member",
    "Operands",
    "Packed",
    "Part",
    "Piece",
    "Scratch",
    "TensorList",
    "Whole",
    "can_be_chunked",
    "can_be_packed",
    "gradients",
    "parts",
    "stored_parts",
    "working_dtype",
]

State: TypeAlias = dict[str, Any]


class Member(NamedTuple):
    """A parameter that has a gradient, its state, and which entries of that are single numbers.

    Of a [sharded parameter](sharded.py) it hands out what this process holds. `place` counts the elements of
    the optimizer that come before it.
    """

    param: Tensor
    state: State
    numbers: tuple[str, ...] = ("step",)
    place: int = 0

    @property
    def tensors(self) -> State:
        """The state that a rule works on, as real tensors."""
        return {
            key: as_real(local(value))
            for key, value in self.state.items()
            if key not in self.numbers
        }

    @property
    def home(self) -> Tensor:
        """The parameter as a real tensor outside of the autograd graph."""
        return as_real(local(self.param.detach()))

    @property
    def grad(self) -> Tensor:
        """The gradient of now, as a real tensor."""
        assert self.param.grad is not None
        return as_real(local(self.param.grad))

    @property
    def places(self) -> Tensor:
        """The place of each element, of the shape of `home` and counted in the order of its memory."""
        home = self.home
        row = torch.arange(self.place, self.place + home.numel(), device=home.device)
        return views_of(row, [home])[0]

    def replace(self, name: str, tensor: Tensor) -> None:
        """Let `tensor` be the entry `name` of the state, of which it is the real local tensor."""
        own = torch.view_as_complex(tensor) if self.state[name].is_complex() else tensor
        if is_distributed(self.param) and is_distributed(self.state[name]):
            own = like_part(own, self.param)
        self.state[name] = own


class Operands(NamedTuple):
    """What a rule is given: state by name, gradient and parameter, all of one shape."""

    state: State
    grad: Any
    param: Any


class Piece(Protocol):
    """Anything that can lay its tensors out for a rule, and take the result back.

    `stored` is the data type of its parameters, `state` what it hands out as such.
    """

    stored: torch.dtype
    state: State

    def load(self) -> Operands:
        """Return what the rule is to run on."""
        ...

    def store(self, operands: Operands) -> None:
        """Write back what the rule did not change in place."""
        ...

    def places(self) -> Iterable[Tensor]:
        """Return the place of each element among all of the optimizer, for each tensor that a rule sees."""
        ...


def as_real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill a stretch of memory, each once, in whatever order."""
    return bool(torch.ops.aten.is_non_overlapping_and_dense(tensor))


def gradients(params: Sequence[Tensor]) -> list[Any]:
    """Return the gradients of `params`, as real tensors."""
    given: list[Any] = [param.grad for param in params]
    grads = locals_of(given)
    return list(map(torch.view_as_real, grads)) if params[0].is_complex() else grads


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the data type in which a rule runs, and keeps its state, for parameters of `dtype`."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


class Whole:
    """One parameter, as it is."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.state = member.tensors
        self.home = member.home
        self.stored = self.home.dtype
        self.dtype = working_dtype(self.stored)

    def load(self) -> Operands:
        """Return the tensors, in float32 if they are of half precision."""
        return Operands(self.state, self.member.grad.to(self.dtype), self.home.to(self.dtype))

    def store(self, operands: Operands) -> None:
        """Round the result back to half precision."""
        if operands.param is not self.home:
            self.home.copy_(operands.param)

    def places(self) -> list[Tensor]:
        """Return the place of each element."""
        return [self.member.places]


# How many consecutive elements follow a place.
Run: TypeAlias = tuple[int, int]


def runs_of(members: Sequence[Member], size: int) -> list[Run]:
    """Return the places of `members` in a row that is filled up to `size` elements."""
    runs = [(member.place, member.home.numel()) for member in members]
    return [*runs, (0, size - sum(length for _, length in runs))]


def cut_runs(runs: Sequence[Run], start: int, length: int) -> list[Run]:
    """Return the places of `length` elements of a row, from element `start` on."""
    found = []
    for place, size in runs:
        first, end = max(start, 0), min(start + length, size)
        if first < end:
            found.append((place + first, end - first))
        start -= size
    return found


def places_of(runs: Sequence[Run], device: torch.device) -> Tensor:
    """Return the places of `runs` as a row."""
    return torch.cat([torch.arange(place, place + size, device=device) for place, size in runs])


def can_be_chunked(member: Member) -> bool:
    """Whether the tensors of `member` are dense and laid out alike, so that they can be cut."""
    home = member.home
    return is_dense(home) and all(
        isinstance(value, Tensor) and value.stride() == home.stride()
        for value in member.tensors.values()
    )


class Part:
    """Some consecutive elements of a dense parameter, in the order of its memory.

    The order of memory is not always that of the indices: a convolution in `channels_last` keeps its
    channels together. State made like the parameter has the same order, and a gradient that has not is
    copied into it.
    """

    def __init__(
        self, member: Member, start: int, length: int, runs: Sequence[Run] | None = None
    ) -> None:
        self.member = member
        self.like = member.home
        self.start = start
        self.length = length
        self.home = self._take(self.like)
        self.state = {key: self._take(value) for key, value in member.tensors.items()}
        self.stored = self.home.dtype
        self.dtype = working_dtype(self.stored)
        self.same_dtype = self.dtype == self.stored
        self.stride = self.like.stride()
        whole = [(member.place, self.like.numel())] if runs is None else runs
        self.runs = cut_runs(whole, start, length)

    def _take(self, tensor: Tensor) -> Tensor:
        return tensor.as_strided((self.length,), (1,), tensor.storage_offset() + self.start)

    def load(self) -> Operands:
        """Return the part of each tensor, in float32 if they are of half precision."""
        grad = self.member.grad
        if grad.stride() != self.stride:
            grad = torch.empty_like(self.like).copy_(grad)
        grad = self._take(grad)
        if self.same_dtype:
            return Operands(self.state, grad, self.home)
        return Operands(self.state, grad.to(self.dtype), self.home.to(self.dtype))

    def store(self, operands: Operands) -> None:
        """Round the result back to half precision."""
        if operands.param is not self.home:
            self.home.copy_(operands.param)

    def places(self) -> list[Tensor]:
        """Return the place of each element."""
        return [places_of(self.runs, self.home.device)]


def parts(member: Member, limit: int | None, runs: Sequence[Run] | None = None) -> list[Part]:
    """Cut `member` into equal parts of at most `limit` elements.

    `runs` says where its elements are among all of the optimizer, if they do not follow each other.
    """
    size = member.home.numel()
    count = 1 if limit is None else -(-size // limit)
    length = -(-size // count)
    return [
        Part(member, start, min(length, size - start), runs) for start in range(0, size, length)
    ]


class Scratch(NamedTuple):
    """Room in which packed parameters and gradients are laid side by side for one rule."""

    param: Tensor
    grad: Tensor

    @classmethod
    def of(cls, size: int, like: Tensor) -> Scratch:
        """Make room for `size` elements on the device of `like`."""
        dtype = working_dtype(like.dtype)
        return cls(
            torch.zeros(size, device=like.device, dtype=dtype),
            torch.zeros(size, device=like.device, dtype=dtype),
        )


def can_be_packed(member: Member) -> bool:
    """Whether all state of `member` has its shape, so that it can lie beside others'."""
    return all(
        isinstance(value, Tensor) and value.shape == member.home.shape
        for value in member.tensors.values()
    )


def views_of(buffer: Tensor, homes: Sequence[Tensor]) -> list[Tensor]:
    """Cut a flat `buffer` into tensors shaped and, where dense, laid out in memory as `homes`."""
    sizes = [home.numel() for home in homes]
    cut = torch.split(buffer[: sum(sizes)], sizes)
    return [
        piece.as_strided(home.shape, home.stride()) if is_dense(home) else piece.view(home.shape)
        for piece, home in zip(cut, homes, strict=True)
    ]


def pack_states(members: Sequence[Member], homes: Sequence[Tensor], size: int) -> State:
    """Move the state of `members` into one buffer a name, of which theirs become views."""
    packed: State = {}
    for key in members[0].tensors:
        sources = [as_real(local(member.state[key])) for member in members]
        packed[key] = torch.zeros(size, dtype=sources[0].dtype, device=sources[0].device)
        views = views_of(packed[key], homes)
        torch._foreach_copy_(views, sources)
        for member, view in zip(members, views, strict=True):
            member.replace(key, view)
    return packed


class Packed:
    """Many small parameters in a row; they and their gradients are copied in, and back."""

    def __init__(self, members: Sequence[Member], scratch: Scratch, size: int) -> None:
        self.sources = [member.param for member in members]
        self.homes = [member.home for member in members]
        self.stored = self.homes[0].dtype
        self.runs = runs_of(members, size)
        self.param, self.grad = scratch.param[:size], scratch.grad[:size]
        self.state = pack_states(members, self.homes, size)
        self.params = views_of(scratch.param, self.homes)
        self.grads = views_of(scratch.grad, self.homes)

    def load(self) -> Operands:
        """Copy parameters and gradients into the scratch room."""
        torch._foreach_copy_(self.params, self.homes)
        torch._foreach_copy_(self.grads, gradients(self.sources))
        return Operands(self.state, self.grad, self.param)

    def store(self, operands: Operands) -> None:
        """Copy the parameters back."""
        torch._foreach_copy_(self.homes, self.params)

    def places(self) -> list[Tensor]:
        """Return the place of each element."""
        return [places_of(self.runs, self.param.device)]


class FlatBuffers:
    """Parameters and gradients of a whole group, stored side by side for good.

    Nothing is gathered in a step then: the buffer is the piece. The backward pass adds to gradients in
    place, so they stay in the buffer as long as nobody replaces them.
    """

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = list(params)
        homes = [as_real(param.detach()) for param in params]
        size = max(2, sum(home.numel() for home in homes))
        self.param = torch.zeros(size, dtype=homes[0].dtype, device=homes[0].device)
        self.param.grad = torch.zeros_like(self.param)
        self.views = views_of(self.param, homes)
        self.grads = views_of(self.param.grad, homes)
        torch._foreach_copy_(self.views, homes)
        if params[0].is_complex():
            self.views = [torch.view_as_complex(view) for view in self.views]
            self.grads = [torch.view_as_complex(view) for view in self.grads]
        for param, view in zip(params, self.views, strict=True):
            param.data = view
        self.pointers = [param.data_ptr() for param in params]

    def still_hold(self) -> bool:
        """Whether no parameter has been given other storage since."""
        return [param.data_ptr() for param in self.params] == self.pointers

    def zero_gradients(self) -> None:
        """Set all gradients to zero in place, and take back those that were replaced."""
        assert self.param.grad is not None
        self.param.grad.zero_()
        for param, view in zip(self.params, self.grads, strict=True):
            param.grad = None if param.grad is None else view

    def has_gradients(self) -> bool:
        """Whether every gradient lives in the buffer."""
        return all(map(operator.is_, map(operator.attrgetter("grad"), self.params), self.grads))

    def take_gradients(self) -> None:
        """Let every gradient live in the buffer, where the next backward pass adds to it."""
        for param, view in zip(self.params, self.grads, strict=True):
            if param.grad is not view:
                assert param.grad is not None
                view.copy_(param.grad)
                param.grad = view


def stored_parts(members: Sequence[Member], buffers: FlatBuffers, limit: int | None) -> list[Part]:
    """Lay the state of `members` side by side as well, and cut all of it into parts."""
    size = buffers.param.numel()
    state = pack_states(members, [member.home for member in members], size)
    return parts(Member(buffers.param, state), limit, runs_of(members, size))


class TensorList:
    """Tensors that answer a tensor method all at once, through `torch._foreach_*`.

    On a GPU this starts one kernel for many tensors. A method that has no such form is called for one
    after the other.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)

    def __getattr__(self, name: str) -> Callable[..., TensorList]:
        if name.startswith("__"):
            raise AttributeError(name)
        return functools.partial(self._apply, name)

    def _apply(self, name: str, *args: Any, **kwargs: Any) -> TensorList:
        listed = getattr(torch, f"_foreach_{name}", None)
        if listed is None:
            results = self._one_by_one(name, args, kwargs)
        else:
            plain = [arg.tensors if isinstance(arg, TensorList) else arg for arg in args]
            results = listed(self.tensors, *plain, **kwargs)
        return self if name.endswith("_") else TensorList(results)

    def _one_by_one(self, name: str, args: Any, kwargs: Any) -> list[Tensor]:
        def pick(value: Any, index: int) -> Any:
            return value.tensors[index] if isinstance(value, TensorList) else value

        return [
            getattr(tensor, name)(
                *(pick(arg, index) for arg in args),
                **{key: pick(value, index) for key, value in kwargs.items()},
            )
            for index, tensor in enumerate(self.tensors)
        ]


class Listed:
    """Parameters of one data type and device, as lists: the way of a GPU."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.homes = [member.home for member in members]
        self.stored = self.homes[0].dtype
        states = [member.tensors for member in members]
        self.state = {key: TensorList([state[key] for state in states]) for key in states[0]}

    def load(self) -> Operands:
        """Return lists of the tensors, in float32 if they are of half precision."""
        dtype = working_dtype(self.stored)
        grads = [member.grad.to(dtype) for member in self.members]
        works = [home.to(dtype) for home in self.homes]
        return Operands(self.state, TensorList(grads), TensorList(works))

    def store(self, operands: Operands) -> None:
        """Round the results back to half precision."""
        works = operands.param.tensors
        if works[0] is not self.homes[0]:
            torch._foreach_copy_(self.homes, works)

    def places(self) -> Iterator[Tensor]:
        """Yield the place of each element, one parameter after the other: together they need much room."""
        return (member.places for member in self.members)

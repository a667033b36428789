"""Tensors of numbers that take note of what is done with them, with the methods that update rules use.

The elements lie in a numpy array of objects, which knows shapes, views and broadcasting. What a method
computes is written once for one element. An order of operations is torch's, so that results agree
to the last digits.
"""

# Methods have the names of torch's, and do what those do.
# ruff: noqa: D102

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from experiments.playground.symbols import UntraceableError, apply

Elements = np.ndarray[Any, np.dtype[np.object_]]


def _array(values: Any) -> Elements:
    found = np.empty(np.shape(values), dtype=object)
    found[...] = values
    return found


def elements(value: Any) -> Any:
    """Return the array of a symbolic or real tensor; a number stays as it is."""
    if isinstance(value, SymbolicTensor):
        return value.elements
    if isinstance(value, torch.Tensor):
        return _array(np.array(value.tolist(), dtype=object))
    return value


def each_element(function: Callable[..., Any], *operands: Any) -> SymbolicTensor:
    """Compute `function` element by element."""
    ufunc = np.frompyfunc(function, len(operands), 1)
    return SymbolicTensor(ufunc(*(_operand(each) for each in operands)))


def _operand(value: Any) -> Any:
    found = elements(value)
    return found if isinstance(found, np.ndarray) else _array(found)


def _sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


def _choose(condition: float, yes: float, no: float) -> float:
    return yes if condition else no


def _divide(a: float, b: float) -> float:
    return a / b if b else math.copysign(math.inf, b) * a


def sqrt(x: Any) -> Any:
    """Return the square root of a number."""
    return apply("sqrt", math.sqrt, x)


def sign(x: Any) -> Any:
    """Return 1, 0 or -1."""
    return apply("sign", _sign, x)


def maximum(a: Any, b: Any) -> Any:
    """Return the greater of two numbers."""
    return apply("max", max, a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two numbers."""
    return apply("min", min, a, b)


def where(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two numbers, as a condition that is 1 or 0 says."""
    return apply("where", _choose, condition, yes, no)


def divide(a: Any, b: Any) -> Any:
    """Return a quotient; that by 0 is infinite."""
    return apply("div", _divide, a, b)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """Return a number between two known ones."""
    return start + weight * (end - start)


UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "clone": lambda x: x,
    "neg": lambda x: -x,
    "reciprocal": lambda x: divide(1.0, x),
    "rsqrt": lambda x: divide(1.0, sqrt(x)),
    "sign": sign,
    "sqrt": sqrt,
    "square": lambda x: x * x,
}
"""Methods without an argument, for one element."""

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "clamp_max": minimum,
    "clamp_min": maximum,
    "div": divide,
    "gt": lambda a, b: (a > b) * 1.0,
    "logical_and": lambda a, b: a * b,
    "mul": lambda a, b: a * b,
    "pow": lambda a, b: a**b,
}
"""Methods with one argument, for one element."""


class SymbolicTensor:
    """A tensor whose elements are not known yet."""

    dtype = torch.float64
    device = torch.device("cpu")
    is_cpu = True
    is_cuda = False

    def __init__(self, values: Any) -> None:
        self.elements: Elements = values if isinstance(values, np.ndarray) else _array(values)

    # ## Shapes
    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.elements.shape)

    @property
    def mT(self) -> SymbolicTensor:  # noqa: N802, it is torch's name
        return SymbolicTensor(self.elements.swapaxes(-1, -2))

    @property
    def real(self) -> SymbolicTensor:
        return self

    @property
    def tensors(self) -> list[SymbolicTensor]:
        """The tensors of a list of one."""
        return [self]

    def dim(self) -> int:
        return self.elements.ndim

    def numel(self) -> int:
        return self.elements.size

    def size(self, dim: int) -> int:
        return int(self.elements.shape[dim])

    def is_complex(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.elements)

    def __getitem__(self, index: Any) -> SymbolicTensor:
        found = self.elements[index]
        return SymbolicTensor(found if isinstance(found, np.ndarray) else _array(found))

    def reshape(self, *shape: Any) -> SymbolicTensor:
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return SymbolicTensor(self.elements.reshape(tuple(sizes)))

    view = reshape

    def view_as(self, other: Any) -> SymbolicTensor:
        return self.reshape(other.shape)

    def expand_as(self, other: Any) -> SymbolicTensor:
        return SymbolicTensor(np.broadcast_to(self.elements, tuple(other.shape)))

    def expand(self, *sizes: int) -> SymbolicTensor:
        shape = tuple(
            own if size < 0 else size for own, size in zip(self.shape, sizes, strict=True)
        )
        return SymbolicTensor(np.broadcast_to(self.elements, shape))

    def flatten(self, start: int = 0) -> SymbolicTensor:
        return self.reshape(*self.shape[:start], math.prod(self.shape[start:]))

    def squeeze(self, dim: int) -> SymbolicTensor:
        return SymbolicTensor(self.elements.squeeze(dim))

    def unsqueeze(self, dim: int) -> SymbolicTensor:
        return SymbolicTensor(np.expand_dims(self.elements, dim))

    def transpose(self, first: int, second: int) -> SymbolicTensor:
        return SymbolicTensor(self.elements.swapaxes(first, second))

    def movedim(self, source: int, target: int) -> SymbolicTensor:
        return SymbolicTensor(np.moveaxis(self.elements, source, target))

    def flip(self, dim: int) -> SymbolicTensor:
        return SymbolicTensor(np.flip(self.elements, dim))

    def diag(self) -> SymbolicTensor:
        zeros = _array(np.zeros((len(self), len(self))))
        zeros[np.diag_indices(len(self))] = self.elements
        return SymbolicTensor(zeros)

    def triu_(self) -> SymbolicTensor:
        rows, columns = np.tril_indices(self.size(-2), -1, self.size(-1))
        self.elements[..., rows, columns] = 0.0
        return self

    # ## What leaves the elements as they are
    def to(self, *_: Any, **__: Any) -> SymbolicTensor:
        return self

    def double(self) -> SymbolicTensor:
        return self

    def detach(self) -> SymbolicTensor:
        return self

    def tolist(self) -> Any:
        return self.elements.tolist()

    # ## Other tensors
    def new_full(self, size: Sequence[int], value: Any) -> SymbolicTensor:
        found = np.empty(tuple(size), dtype=object)
        found[...] = value
        return SymbolicTensor(found)

    def new_zeros(self, *size: Any) -> SymbolicTensor:
        sizes = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
        return self.new_full(sizes, 0.0)

    def new_ones(self, size: Sequence[int]) -> SymbolicTensor:
        return self.new_full(size, 1.0)

    # ## Arithmetic
    def add(self, other: Any, alpha: Any = 1) -> SymbolicTensor:
        return each_element(lambda a, b: a + alpha * b, self, other)

    def sub(self, other: Any, alpha: Any = 1) -> SymbolicTensor:
        return each_element(lambda a, b: a - alpha * b, self, other)

    def addcmul(self, first: Any, second: Any, value: Any = 1) -> SymbolicTensor:
        return each_element(lambda a, b, c: a + value * b * c, self, first, second)

    def addcdiv(self, first: Any, second: Any, value: Any = 1) -> SymbolicTensor:
        return each_element(lambda a, b, c: a + value * divide(b, c), self, first, second)

    def lerp(self, end: Any, weight: Any) -> SymbolicTensor:
        return each_element(lambda a, b: apply("lerp", lerp, a, b, weight), self, end)

    def copy(self, other: Any) -> SymbolicTensor:
        return each_element(lambda _, b: b, self, other)

    def __matmul__(self, other: Any) -> SymbolicTensor:
        return SymbolicTensor(np.matmul(self.elements, _operand(other)))

    __add__ = add
    __sub__ = sub

    def __rsub__(self, other: Any) -> SymbolicTensor:
        return each_element(lambda a, b: b - a, self, other)

    def __mul__(self, other: Any) -> SymbolicTensor:
        return each_element(BINARY["mul"], self, other)

    def __truediv__(self, other: Any) -> SymbolicTensor:
        return each_element(divide, self, other)

    def __pow__(self, other: Any) -> SymbolicTensor:
        return each_element(BINARY["pow"], self, other)

    # ## Over dimensions
    def _reduce(
        self, function: Callable[[Any, Any], Any], dim: Any, keepdim: bool
    ) -> SymbolicTensor:
        given = range(self.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
        found = self.elements
        for axis in sorted((each % self.dim() for each in given), reverse=True):
            found = np.frompyfunc(function, 2, 1).reduce(found, axis=axis, keepdims=keepdim)
        return SymbolicTensor(found if isinstance(found, np.ndarray) else _array(found))

    def sum(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        return self._reduce(lambda a, b: a + b, dim, keepdim)

    def prod(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        return self._reduce(lambda a, b: a * b, dim, keepdim)

    def mean(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        total = self.sum(dim, keepdim)
        return total / (self.numel() / total.numel())

    def amax(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        return self._reduce(maximum, dim, keepdim)

    def norm(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        return each_element(sqrt, each_element(UNARY["square"], self).sum(dim, keepdim))

    def any(self, dim: Any = None, keepdim: bool = False) -> SymbolicTensor:
        return self._reduce(lambda a, b: maximum(a, b), dim, keepdim).copy_nonzero()

    def copy_nonzero(self) -> SymbolicTensor:
        return each_element(lambda a: (a != 0) * 1.0, self)

    # ## Order: a decision that the tracer takes both ways
    def argsort(self, dim: int, descending: bool = False) -> SymbolicTensor:
        """Return the order of at most two elements along the last dimension."""
        rows = self._rows(dim)
        if self.size(-1) == 1:
            return self.new_full(self.shape, 0)
        swapped = [bool(a < b) if descending else bool(a > b) for a, b in rows]
        order = [[1, 0] if swap else [0, 1] for swap in swapped]
        return SymbolicTensor(order).reshape(*self.shape)

    def argmax(self, dim: int) -> SymbolicTensor:
        """Return the place of the greater of at most two elements, of the first if they are equal."""
        rows = self._rows(dim)
        places = [len(row) > 1 and int(bool(row[1] > row[0])) for row in rows]
        return SymbolicTensor(places).reshape(*self.shape[:-1])

    def _rows(self, dim: int) -> Any:
        if dim % self.dim() != self.dim() - 1 or self.size(-1) > 2:
            raise UntraceableError(f"an order along a dimension of {self.size(dim)}")
        return self.elements.reshape(-1, self.size(-1))

    def gather(self, dim: int, index: Any) -> SymbolicTensor:
        return SymbolicTensor(
            np.take_along_axis(self.elements, index.elements.astype(int), axis=dim)
        )


def _method(function: Callable[..., Any]) -> Callable[..., SymbolicTensor]:
    return lambda self, *others: each_element(function, self, *others)


def _in_place(name: str) -> Callable[..., SymbolicTensor]:
    def method(self: SymbolicTensor, *args: Any, **options: Any) -> SymbolicTensor:
        self.elements[...] = getattr(self, name)(*args, **options).elements
        return self

    return method


for _name, _function in (UNARY | BINARY).items():
    setattr(SymbolicTensor, _name, _method(_function))
for _name in (*UNARY, *BINARY, "add", "sub", "addcmul", "addcdiv", "lerp", "copy"):
    setattr(SymbolicTensor, f"{_name}_", _in_place(_name))

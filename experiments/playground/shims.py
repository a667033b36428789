"""What `math`, `torch` and some builtins are for the library while a rule is traced.

`math.sqrt` takes floats alone, and so do others. So the modules of the library see, for as long as a trace
takes, functions that note the operation if an argument is not known yet, and call the real one if all are.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from experiments.library import LIBRARY
from experiments.playground import tensors
from experiments.playground.linalg import eigh, qr, solve_triangular, svd
from experiments.playground.symbols import Number, UntraceableError, apply
from experiments.playground.tensors import SymbolicTensor, each_element

MATH = {
    name: functools.partial(apply, name, getattr(math, name))
    for name in ("sqrt", "exp", "log", "cos", "sin", "pow")
}


class _FloatMeta(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, builtins.float)

    def __call__(cls, value: Any = 0.0) -> Any:
        return value if isinstance(value, Number) else builtins.float(value)


class Float(metaclass=_FloatMeta):
    """`float`, which leaves a number as it is that is not known yet."""


def _folded(op: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def fold(*values: Any, **options: Any) -> Any:
        given = values if len(values) > 1 else tuple(values[0])
        if not any(isinstance(value, Number) for value in given):
            return plain(given, **options)
        return functools.reduce(functools.partial(apply, op, plain), given)

    return fold


def _like(value: float) -> Callable[..., SymbolicTensor]:
    return lambda tensor: tensor.new_full(tensor.shape, value)


def _stack(parts: Any) -> SymbolicTensor:
    first = parts[0].new_zeros(len(parts), *parts[0].shape)
    for place, part in enumerate(parts):
        first.elements[place, ...] = part.elements
    return first


def _add_product(base: Any, left: Any, right: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    product = left @ right
    return each_element(lambda a, b: beta * a + alpha * b, base, product)


def _noise(size: Any, *, generator: Any, **_: Any) -> SymbolicTensor:
    """Return numbers that the generator would make of a seed that is not known yet."""
    if not isinstance(generator, Generator) or not isinstance(generator.seed, Number):
        raise UntraceableError("random numbers")
    if math.prod(size) != 2:
        raise UntraceableError("random numbers other than one for each parameter")
    drawn = [generator.seed.recorder.record("noise", generator.seed, place) for place in range(2)]
    return SymbolicTensor(drawn).reshape(tuple(size))


class Generator:
    """A generator of random numbers, of which the seed alone is known."""

    def __init__(self, device: Any = None) -> None:
        self.seed: Any = None

    def manual_seed(self, seed: Any) -> Generator:
        """Note the seed."""
        self.seed = seed
        return self


TORCH: dict[str, Callable[..., Any]] = {
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "full_like": lambda tensor, value: tensor.new_full(tensor.shape, value),
    "where": lambda condition, yes, no: each_element(tensors.where, condition, yes, no),
    "div": lambda a, b: a / b,
    "dot": lambda a, b: (a * b).sum(),
    "stack": _stack,
    "addmm": _add_product,
    "baddbmm": _add_product,
    "_foreach_norm": lambda given, order: [each.norm() for each in given],
}
LINALG: dict[str, Callable[..., Any]] = {
    "vector_norm": lambda tensor, dim=None, keepdim=False: tensor.norm(dim, keepdim),
    "eigh": eigh,
    "qr": qr,
    "svd": svd,
    "solve_triangular": solve_triangular,
}


class Shim:
    """A module of which some functions also take what is not known yet."""

    def __init__(
        self, real: Any, functions: dict[str, Callable[..., Any]], **replaced: Any
    ) -> None:
        self._real = real
        self._functions = functions
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        if name in self._replaced:
            return self._replaced[name]
        real = getattr(self._real, name)
        return self._dispatch(name, real) if name in self._functions else real

    def _dispatch(self, name: str, real: Any) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            chosen = self._functions[name] if _unknown(args, options) else real
            return chosen(*args, **options)

        return call


def _unknown(args: Any, options: dict[str, Any]) -> bool:
    flat = itertools.chain.from_iterable(
        each if isinstance(each, list | tuple) else (each,) for each in (*args, *options.values())
    )
    return any(isinstance(each, Number | SymbolicTensor) for each in flat)


@contextlib.contextmanager
def shimmed() -> Iterator[None]:
    """Let the modules of the library take numbers and tensors that are not known yet."""
    linalg = Shim(torch.linalg, LINALG)
    noise = {"randn": _noise, "Generator": Generator}
    replaced = {
        "math": Shim(math, MATH),
        "torch": Shim(torch, TORCH, linalg=linalg, **noise),
        "float": Float,
        "max": _folded("max", builtins.max),
        "min": _folded("min", builtins.min),
        # A list of one tensor is that tensor.
        "TensorList": lambda tensors: tensors[0],
    }
    places = [
        (vars(module), key)
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == LIBRARY
        for key in replaced
        if key in vars(module) or hasattr(builtins, key)
    ]
    before = [(space, key, space.get(key, ABSENT)) for space, key in places]
    try:
        for space, key in places:
            space[key] = replaced[key]
        yield
    finally:
        for space, key, value in before:
            if value is ABSENT:
                del space[key]
            else:
                space[key] = value


ABSENT = object()

"""A program as data, and how it is run: the same list of operations in Python and in the browser."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from experiments.playground.symbols import Leaf, Ref, Tree
from experiments.playground.trace import GIVEN, Program

Encoded = dict[str, Any]
"""A program as JSON takes it.

* `n`: how many numbers are given to a block; they stand in the first registers
* `c`: the constants, which stand in the registers behind them
* `blocks`: lists of `[operation, register, ...]`. What an operation computes goes into the next register.
  The last one is `["out", next block, register, ...]` or `["if", register, list, list]`
* `noise`: by seed, what a generator of random numbers makes of it, if the program asks for that
"""

MOST_STEPS = 500
"""The longest path."""


class Encoder:
    """Gives every constant a register, and every operation that is needed the next one.

    * `given`: how many numbers are given to each block
    * `live`: which numbers that come out of a block matter; None for all
    """

    def __init__(self, given: int, live: Sequence[bool] | None = None) -> None:
        self.given = given
        self.live = live
        self.constants: list[float] = []

    def outputs(self, leaf: Leaf) -> list[Any]:
        """Return what comes out of a leaf, with 0 for what does not matter."""
        live = self.live or [True] * len(leaf.outputs)
        return [output if alive else 0.0 for output, alive in zip(leaf.outputs, live, strict=True)]

    def needed(self, tree: Tree, first: int) -> set[int]:
        """Return the places of all inputs and nodes of a tree that something depends on."""
        if isinstance(tree, Leaf):
            wanted = {output.place for output in self.outputs(tree) if isinstance(output, Ref)}
        else:
            after = first + len(tree.nodes)
            sides = [self.needed(side, after) for side in (tree.yes, tree.no)]
            wanted = {tree.condition}.union(*sides)
        for place in range(first + len(tree.nodes) - 1, first - 1, -1):
            if place in wanted:
                args = tree.nodes[place - first].args
                wanted |= {arg.place for arg in args if isinstance(arg, Ref)}
        return wanted

    def reads(self, trees: Sequence[Tree]) -> set[int]:
        """Return the places of inputs that what matters depends on."""
        found: set[int] = set().union(*(self.needed(tree, self.given) for tree in trees))
        return {place for place in found if place < self.given}

    def block(self, tree: Tree) -> list[Any]:
        """Return the block of a tree, in which registers of constants and results are marked."""
        return self._block(tree, {place: place for place in range(self.given)}, self.given, 0)

    def _block(self, tree: Tree, places: dict[int, Any], first: int, base: int) -> list[Any]:
        needed = self.needed(tree, first)
        block: list[Any] = []
        for place, node in enumerate(tree.nodes, start=first):
            if place in needed:
                block.append([node.op, *(self._register(arg, places) for arg in node.args)])
                places[place] = ("result", base)
                base += 1
        after = first + len(tree.nodes)
        if isinstance(tree, Leaf):
            outputs = [self._register(output, places) for output in self.outputs(tree)]
            return [*block, ["out", tree.following, *outputs]]
        rest = [self._block(side, dict(places), after, base) for side in (tree.yes, tree.no)]
        return [*block, ["if", places[tree.condition], *rest]]

    def _register(self, arg: Any, places: dict[int, Any]) -> Any:
        if isinstance(arg, Ref):
            return places[arg.place]
        value = float(arg)
        if value not in self.constants:
            self.constants.append(value)
        return ("constant", self.constants.index(value))

    def settled(self, value: Any) -> Any:
        """Return a block with numbers for marks, when all constants are known."""
        if isinstance(value, tuple):
            kind, place = value
            return self.given + place + (len(self.constants) if kind == "result" else 0)
        return [self.settled(each) for each in value] if isinstance(value, list) else value


def encode(trees: Sequence[Tree], given: int, live: Sequence[bool] | None = None) -> Encoded:
    """Return trees as data.

    * `given`: how many numbers stand in the registers before the constants
    * `live`: which numbers that come out matter; None for all
    """
    encoder = Encoder(given, live)
    blocks = [encoder.block(tree) for tree in trees]
    encoded = {"n": given, "c": encoder.constants, "blocks": encoder.settled(blocks)}
    if any(map(_draws, blocks)):
        encoded["noise"] = [drawn(seed) for seed in range(MOST_STEPS + 1)]
    return encoded


def _draws(block: Sequence[Any]) -> bool:
    """Say whether a block asks for random numbers."""
    return any(
        op == "noise" or (op == "if" and (_draws(args[1]) or _draws(args[2])))
        for op, *args in block
    )


def encode_rule(program: Program) -> Encoded:
    """Return the program of an optimizer as data, without state that no parameter depends on."""
    first_state = len(GIVEN) + len(program.hypers)
    live = [True, True, *[False] * program.state]
    while True:
        reads = Encoder(first_state + program.state, live).reads(program.blocks)
        found = [True, True, *(first_state + place in reads for place in range(program.state))]
        if found == live:
            return encode(program.blocks, first_state + program.state, live)
        live = found


def to_json(data: Any) -> str:
    """Return data as JSON, with infinity as a number that is too large."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("-Infinity", "-1e999").replace("Infinity", "1e999")


# ## In Python
#
# A block becomes the source of a function: an interpreter would take ten times as long, and the start
# values of the sliders are searched for while the site is built.
def divide(a: float, b: float) -> float:
    """Divide as the hardware does."""
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def power(a: float, b: float) -> float:
    """Raise to a power; what is too large is infinite."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if a == 0 else math.nan


def exponential(a: float) -> float:
    """Return e to the power of `a`; what is too large is infinite."""
    return math.exp(a) if a < 709 else math.inf


def lerp(a: float, b: float, weight: float) -> float:
    """Interpolate by torch's two formulas."""
    return a + weight * (b - a) if weight < 0.5 else b - (b - a) * (1 - weight)


def sign(a: float) -> float:
    """Return 1, 0 or -1."""
    return a if math.isnan(a) else float(a > 0) - float(a < 0)


def root(a: float) -> float:
    """Return the square root; that of a negative number is no number."""
    return math.sqrt(a) if a >= 0 else math.nan


def cosine(a: float) -> float:
    """Return the cosine; that of infinity is no number."""
    return math.cos(a) if math.isfinite(a) else math.nan


def sine(a: float) -> float:
    """Return the sine; that of infinity is no number."""
    return math.sin(a) if math.isfinite(a) else math.nan


def logarithm(a: float) -> float:
    """Return the natural logarithm; that of a negative number is no number."""
    return math.log(a) if a > 0 else -math.inf if a == 0 else math.nan


def greatest(a: float, b: float) -> float:
    """Return the greater of two numbers, no number if one is none."""
    return max(a, b) if a == a and b == b else math.nan


def least(a: float, b: float) -> float:
    """Return the smaller of two numbers, no number if one is none."""
    return min(a, b) if a == a and b == b else math.nan


def drawn(seed: int) -> list[float]:
    """Return the random numbers for two parameters that torch makes of a seed."""
    generator = torch.Generator().manual_seed(seed)
    numbers: list[float] = torch.randn(2, generator=generator, dtype=torch.float64).tolist()
    return numbers


SOURCES = {
    "abs": "abs({})",
    "add": "{} + {}",
    "cos": "cosine({})",
    "div": "divide({}, {})",
    "eq": "{} == {}",
    "exp": "exponential({})",
    "ge": "{} >= {}",
    "gt": "{} > {}",
    "le": "{} <= {}",
    "lerp": "lerp({}, {}, {})",
    "log": "logarithm({})",
    "lt": "{} < {}",
    "max": "greatest({}, {})",
    "min": "least({}, {})",
    "mod": "{} % {}",
    "mul": "{} * {}",
    "ne": "{} != {}",
    "neg": "-{}",
    "noise": "noise[int({})][int({})]",
    "pow": "power({}, {})",
    "sign": "sign({})",
    "sin": "sine({})",
    "sqrt": "root({})",
    "sub": "{} - {}",
    "where": "{1} if {0} else {2}",
}
"""Every operation as Python writes it; a comparison is 1 or 0."""

NAMES = {
    each.__name__: each
    for each in (
        *(divide, power, exponential, lerp, sign, root, logarithm, greatest, least, cosine, sine),
    )
}

Compiled = list[Callable[[Sequence[float]], tuple[int, list[float]]]]


def compiled(program: Encoded) -> Compiled:
    """Return the blocks of a program as functions: from what is given to the next block and what comes out."""
    given, constants = program["n"], program["c"]
    names = [f"r{place}" for place in range(given)]
    known = {f"r{given + place}": value for place, value in enumerate(constants)}
    space: dict[str, Any] = NAMES | known | {"noise": program.get("noise")}
    for place, block in enumerate(program["blocks"]):
        lines = [f"def block{place}(given):", f"    [{', '.join(names)}] = given"]
        lines += _lines(block, given + len(constants), "    ")
        exec("\n".join(lines), space)
    return [space[f"block{place}"] for place in range(len(program["blocks"]))]


def _lines(block: Sequence[Any], register: int, indent: str) -> Iterator[str]:
    for op, *places in block:
        if op == "out":
            following, *outputs = places
            yield f"{indent}return {following}, [{', '.join(f'r{each}' for each in outputs)}]"
        elif op == "if":
            condition, yes, no = places
            yield f"{indent}if r{condition}:"
            yield from _lines(yes, register, f"{indent}    ")
            yield from _lines(no, register, indent)
        else:
            source = SOURCES[op].format(*(f"r{each}" for each in places))
            yield f"{indent}r{register} = {source}"
            register += 1


Gradient = Callable[[float, float, int], tuple[float, float]]


def path(
    blocks: Compiled,
    hypers: Sequence[float],
    at: tuple[float, float],
    gradient: Gradient,
    steps: int,
    state: int,
) -> Iterator[tuple[float, float]]:
    """Yield the start and the parameters after every step, as the optimizer makes them.

    * `blocks`: the first makes the state, the others a step
    * `state`: how many numbers of state there are
    """
    x, y = at
    yield x, y
    block, (x, y, *numbers) = blocks[0]([x, y, 0.0, 0.0, 0.0, *hypers, *[0.0] * state])
    for step in range(1, steps + 1):
        given = [x, y, *gradient(x, y, step), float(step), *hypers, *numbers]
        block, (x, y, *numbers) = blocks[block](given)
        yield x, y

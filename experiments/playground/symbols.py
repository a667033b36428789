"""Numbers that take note of what is computed with them, and the tree of operations that comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

UNKNOWN = (-math.inf, math.inf)


class UntraceableError(Exception):
    """A rule does what the tracer has no symbols for; the message says what."""


class UndecidedError(Exception):
    """A decision that the run has not been told: the rule asks whether a comparison holds."""

    def __init__(self, condition: int) -> None:
        super().__init__(condition)
        self.condition = condition


@dataclass(frozen=True)
class Node:
    """One operation; arguments are numbers, or places of other nodes wrapped in `Ref`."""

    op: str
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Ref:
    """The place of a node, or of an input, in its recorder."""

    place: int


class Recorder:
    """What one run of a rule has computed, in order; equal operations are one.

    * `inputs`: how many numbers are given
    * `bounds`: the least and the greatest value of an input, by its place, where they are known
    * `decisions`: answers to comparisons, in the order in which the rule asks
    * `assumed`: the answer to all of them, if it is not None
    """

    def __init__(
        self,
        inputs: int,
        bounds: dict[int, tuple[float, float]],
        decisions: Sequence[bool] = (),
    ) -> None:
        self.inputs = inputs
        self.bounds = bounds
        self.nodes: list[Node] = []
        self._places: dict[Node, int] = {}
        self.assumed: bool | None = None
        self._undecided = list(decisions)
        self._decided: dict[int, bool] = {}

    def input(self, place: int) -> Number:
        """Return the given number at `place`."""
        return Number(self, place)

    def record(self, op: str, *args: Any) -> Any:
        """Note an operation, and return its result."""
        simple = simplified(op, args)
        if simple is not None:
            return simple
        node = Node(op, tuple(Ref(arg.place) if isinstance(arg, Number) else arg for arg in args))
        if node not in self._places:
            self._places[node] = self.inputs + len(self.nodes)
            self.nodes.append(node)
        return Number(self, self._places[node])

    def decide(self, number: Number) -> bool:
        """Say whether a comparison holds. Raises `UndecidedError` if that was not decided before the run."""
        place = number.place
        if self.assumed is not None:
            return self.assumed
        if place not in self._decided:
            known = self._known(place)
            if known is None:
                if not self._undecided:
                    raise UndecidedError(place)
                known = self._undecided.pop(0)
            self._decided[place] = known
        return self._decided[place]

    def _known(self, place: int) -> bool | None:
        """Return what the bounds of the inputs say of a comparison, None if they leave it open."""
        if place < self.inputs:
            low, high = self.bounds.get(place, UNKNOWN)
            return True if low > 0 or high < 0 else None
        node = self.nodes[place - self.inputs]
        if node.op not in ORDERS or not isinstance(node.args[0], Ref):
            return None
        low, high = self.bounds.get(node.args[0].place, UNKNOWN)
        other = node.args[1]
        if isinstance(other, Ref):
            return None
        answers = {ORDERS[node.op](low, other), ORDERS[node.op](high, other)}
        inside = node.op in ("eq", "ne") and low <= other <= high
        return None if inside or len(answers) > 1 else answers.pop()


ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def simplified(op: str, args: Sequence[Any]) -> Any:
    """Return the argument that an operation leaves as it is, None if it does something."""
    if len(args) != 2:
        return None
    left, right = (None if isinstance(arg, Number) else arg for arg in args)
    if (op == "mul" and left == 1) or (op == "add" and left == 0):
        return args[1]
    if (op in ("mul", "div", "pow") and right == 1) or (op in ("add", "sub") and right == 0):
        return args[0]
    return None


class Number:
    """A number that is not known yet. It refuses to become a float, since that would lose its past."""

    # numpy is to ask this class what a sum is, and not the other way round.
    __array_ufunc__ = None

    def __init__(self, recorder: Recorder, place: int) -> None:
        self.recorder = recorder
        self.place = place

    def __float__(self) -> float:
        raise UntraceableError("a number is turned into a float")

    __int__ = __index__ = __float__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self.recorder.decide(self)

    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return self.recorder.record("neg", self)

    def __abs__(self) -> Any:
        return self.recorder.record("abs", self)


def _operators() -> Iterable[tuple[str, Callable[..., Any]]]:
    for op in ("add", "sub", "mul", "pow", "mod"):
        yield f"__{op}__", lambda self, other, op=op: self.recorder.record(op, self, other)
        yield f"__r{op}__", lambda self, other, op=op: self.recorder.record(op, other, self)
    yield "__truediv__", lambda self, other: self.recorder.record("div", self, other)
    yield "__rtruediv__", lambda self, other: self.recorder.record("div", other, self)
    for op in ORDERS:
        yield f"__{op}__", lambda self, other, op=op: self.recorder.record(op, self, other)


for _name, _operator in _operators():
    setattr(Number, _name, _operator)


def apply(op: str, plain: Callable[..., Any], *args: Any) -> Any:
    """Compute `plain` of known numbers; note the operation `op` if one of them is not known."""
    for arg in args:
        if isinstance(arg, Number):
            return arg.recorder.record(op, *args)
    return plain(*args)


@dataclass(frozen=True)
class Leaf:
    """The end of a branch: what was computed, and what the run returns.

    * `following`: which block makes the next step
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Any, ...]
    following: int


@dataclass(frozen=True)
class Branch:
    """Operations up to a decision, and what follows if the condition holds, and if not."""

    nodes: tuple[Node, ...]
    condition: int
    yes: Tree
    no: Tree


Tree: TypeAlias = "Leaf | Branch"

MOST_DECISIONS = 12


def explore(
    run: Callable[[Recorder], tuple[Sequence[Any], int]],
    inputs: int,
    bounds: dict[int, tuple[float, float]],
    decisions: tuple[bool, ...] = (),
    done: int = 0,
) -> Tree:
    """Run with every answer to the comparisons that the rule asks for, and return all in one tree.

    * `run`: computes with a recorder, and returns what comes out and the next block
    * `done`: how many nodes stand above this branch

    Raises `UntraceableError` for more decisions in a row than any rule should need.
    """
    recorder = Recorder(inputs, bounds, decisions)
    try:
        outputs, following = run(recorder)
    except UndecidedError as open_question:
        if len(decisions) == MOST_DECISIONS:
            raise UntraceableError("too many decisions") from None
        nodes = tuple(recorder.nodes[done:])
        yes, no = (
            explore(run, inputs, bounds, (*decisions, answer), len(recorder.nodes))
            for answer in (True, False)
        )
        return Branch(nodes, open_question.condition, yes, no)
    found = tuple(Ref(each.place) if isinstance(each, Number) else each for each in outputs)
    return Leaf(tuple(recorder.nodes[done:]), found, following)

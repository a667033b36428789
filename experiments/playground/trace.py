"""From an optimizer of the library to a program: what it does to two parameters, as a list of operations."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from experiments.library import LIBRARY
from experiments.playground.shims import shimmed
from experiments.playground.symbols import Recorder, Tree, UntraceableError, explore
from experiments.playground.tensors import SymbolicTensor, elements

GIVEN = ("x", "y", "gx", "gy", "t")
"""What every step is given: the parameters, the gradient, and the number of the step."""

AS_COLUMN = ("galore", "kron", "muon", "normuon", "scion", "shampoo", "soap")
"""Rules for matrices, whose two parameters are a matrix of one column."""


@dataclass(frozen=True)
class Hyper:
    """A hyper-parameter that can be changed.

    * `name`: of the entry in the group
    * `place`: in that entry, if it is a tuple
    * `low`, `high`: between which values it is changed
    """

    name: str
    place: int | None
    low: float
    high: float

    def read(self, group: Mapping[str, Any]) -> Any:
        """Return the value in `group`."""
        value = group[self.name]
        return value if self.place is None else value[self.place]

    def write(self, group: dict[str, Any], value: Any) -> None:
        """Put a value into `group`."""
        if self.place is None:
            group[self.name] = value
        else:
            entry = list(group[self.name])
            entry[self.place] = value
            group[self.name] = tuple(entry)


@dataclass(frozen=True)
class Program:
    """What a rule does.

    The registers hold `GIVEN`, then the hyper-parameters, then the state, then what is computed.

    * `hypers`: the hyper-parameters, in the order of their registers
    * `state`: how many numbers of state there are
    * `blocks`: the first computes the state from the parameters, the second a step. Where a step adds numbers
      to the group that all parameters share, the second is the first step, and the third all others
    """

    hypers: tuple[Hyper, ...]
    state: int
    blocks: tuple[Tree, ...]


@dataclass
class Cohort:
    """What the base class runs a rule over: one piece, and numbers of the state."""

    step: Any
    numbers: dict[str, Any]
    piece: Piece

    @property
    def pieces(self) -> list[Piece]:
        """All pieces."""
        return [self.piece]

    def advance(self) -> Any:
        """Return the number of the step."""
        return self.step

    def own_numbers(self) -> dict[str, Any]:
        """Return the numbers of the state."""
        return dict(self.numbers)

    def keep(self, found: Mapping[str, Any]) -> None:
        """Take over those of the numbers that the rule has computed."""
        self.numbers |= {name: found[name] for name in self.numbers if name in found}


@dataclass
class Piece:
    """The parameter, its gradient and its state, as a rule sees them; also a member for sums."""

    state: dict[str, Any]
    grad: SymbolicTensor
    param: SymbolicTensor
    stored: torch.dtype = field(default=torch.float64)

    @property
    def home(self) -> SymbolicTensor:
        """The parameter."""
        return self.param

    @property
    def tensors(self) -> dict[str, Any]:
        """The state."""
        return self.state

    def load(self) -> Any:
        """Return what the rule is to run on."""
        operands = importlib.import_module(f"{LIBRARY}.pieces").Operands
        return operands(self.state, self.grad, self.param)

    def store(self, operands: Any) -> None:
        """Leave the parameter, which the rule has changed in place."""


class Tracer:
    """Traces one optimizer.

    * `name`: of its file
    * `hypers`: what shall not be fixed
    * `options`: other arguments than its defaults

    Raises `UntraceableError`.
    """

    def __init__(
        self, name: str, hypers: Sequence[Hyper], options: Mapping[str, Any] | None = None
    ) -> None:
        self.name = name
        self.hypers = tuple(hypers)
        self.options = dict(options or {})
        self.column = name in AS_COLUMN
        self.aliases = self._aliases()

    def trace(self) -> Program:
        """Return the program. Raises `UntraceableError`."""
        with shimmed():
            base = len(GIVEN) + len(self.hypers)
            bounds = {len(GIVEN) + place: (h.low, h.high) for place, h in enumerate(self.hypers)}
            first = bounds | {GIVEN.index("t"): (1.0, float("inf"))}
            state, shared = self._layout(first)
            names = [*state, *shared]
            size = sum(map(len, (*state.values(), *shared.values())))

            def start(recorder: Recorder) -> tuple[list[Any], int]:
                _, _, piece, numbers = self._begin(recorder)
                at = [recorder.input(0), recorder.input(1)]
                return [*at, *_flat(piece.state, numbers, {}, names)], 1

            def step(has_shared: bool) -> Any:
                return lambda recorder: self._step(recorder, has_shared, state, shared)

            runs = [(start, bounds), (step(False), first)]
            if shared:
                runs.append((step(True), bounds | {GIVEN.index("t"): (2.0, float("inf"))}))
            blocks = tuple(explore(run, base + size, known) for run, known in runs)
            return Program(self.hypers, size, blocks)

    def _make(self, **changed: Any) -> Any:
        registry = importlib.import_module(f"{LIBRARY}.registry")
        shape = (2, 1) if self.column else (2,)
        param = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        return registry.get_optimizer(self.name)([param], **self.options | changed)

    def _aliases(self) -> dict[str, Hyper]:
        """Return entries of a group that follow a hyper-parameter, and which one."""
        usual = self._make().param_groups[0]
        found = {}
        for hyper in self.hypers:
            value = _another(hyper.read(usual))
            entry = dict(usual)
            hyper.write(entry, value)
            changed = self._make(**{hyper.name: entry[hyper.name]}).param_groups[0]
            for name, other in changed.items():
                if name in ("params", hyper.name) or other == usual[name]:
                    continue
                if other != value:
                    raise UntraceableError(f"{name} is computed from {hyper.name} at construction")
                found[name] = hyper
        return found

    def _given(self, recorder: Recorder) -> tuple[Any, dict[str, Any]]:
        """Return an optimizer whose group holds numbers that are not known yet."""
        optimizer = self._make()
        group = optimizer.param_groups[0]
        inputs = [recorder.input(len(GIVEN) + place) for place in range(len(self.hypers))]
        for hyper, number in zip(self.hypers, inputs, strict=True):
            hyper.write(group, number)
        for name, hyper in self.aliases.items():
            group[name] = inputs[self.hypers.index(hyper)]
        return optimizer, group

    def _tensor(self, recorder: Recorder, first: int) -> SymbolicTensor:
        pair = SymbolicTensor([recorder.input(first), recorder.input(first + 1)])
        return pair.reshape(2, 1) if self.column else pair

    def _begin(self, recorder: Recorder) -> tuple[Any, dict[str, Any], Piece, dict[str, Any]]:
        """Return what a first step begins with: optimizer, group, piece, and numbers of the state."""
        optimizer, group = self._given(recorder)
        param, grad = self._tensor(recorder, 0), self._tensor(recorder, 2)
        made: dict[str, Any] = {}
        # A momentum that may be 0 is not: room for its state costs nothing.
        recorder.assumed = False
        optimizer.init_state(made, group, param)
        optimizer._decay_of(group).init_state(made, group, param)
        recorder.assumed = None
        numbers = {name: _number(made.pop(name)) for name in optimizer.scalar_state}
        state = {name: SymbolicTensor(elements(value)) for name, value in made.items()}
        return optimizer, group, self._piece(optimizer, state, grad, param), numbers

    def _piece(
        self,
        optimizer: Any,
        state: dict[str, SymbolicTensor],
        grad: SymbolicTensor,
        param: SymbolicTensor,
    ) -> Piece:
        if optimizer._needs_whole:
            state = {name: value[None] for name, value in state.items()}
            return Piece(state, grad[None], param[None])
        return Piece(state, grad, param)

    def _layout(
        self, bounds: dict[int, tuple[float, float]]
    ) -> tuple[dict[str, range], dict[str, range]]:
        """Return which registers hold the state, and which the numbers that join the group."""
        base = len(GIVEN) + len(self.hypers)
        joined: set[str] = set()

        def first_sums(recorder: Recorder) -> tuple[list[Any], int]:
            optimizer, group, piece, _ = self._begin(recorder)
            before = set(group)
            optimizer.prepare([(group, [piece])])
            joined.update(set(group) - before)
            return [], 0

        explore(first_sums, base, bounds)
        _, _, piece, numbers = self._begin(Recorder(base, bounds))
        lengths = {name: value.numel() for name, value in piece.state.items()}
        lengths |= dict.fromkeys(numbers, 1)
        state = _in_a_row(lengths, base)
        base += sum(lengths.values())
        return state, _in_a_row(dict.fromkeys(sorted(joined), 1), base)

    def _step(
        self,
        recorder: Recorder,
        has_shared: bool,
        state: dict[str, range],
        shared: dict[str, range],
    ) -> tuple[list[Any], int]:
        optimizer, group, piece, numbers = self._begin(recorder)
        # What the state was set to does not matter from here on, but its shapes do.
        for name, value in piece.state.items():
            inputs = [recorder.input(place) for place in state[name]]
            value.elements[...] = SymbolicTensor(inputs).reshape(value.shape).elements
        for name in numbers:
            numbers[name] = recorder.input(state[name][0])
        if has_shared:
            group.update({name: recorder.input(places[0]) for name, places in shared.items()})
        optimizer.prepare([(group, [piece])])
        step = recorder.input(GIVEN.index("t"))
        cohort = Cohort(step, numbers, piece)
        optimizer._run(group, cohort)
        moved = list(piece.param.elements.ravel())
        kept = _flat(piece.state, cohort.numbers, group, [*state, *shared])
        # A first step without a gradient may leave the group as it was.
        is_complete = bool(shared) and all(name in group for name in shared)
        return [*moved, *kept], 2 if is_complete else 1


def _flat(
    tensors: Mapping[str, SymbolicTensor],
    numbers: Mapping[str, Any],
    group: Mapping[str, Any],
    names: Sequence[str],
) -> list[Any]:
    """Return the numbers of the state and those that join the group; 0 for those that have not."""
    found: list[Any] = []
    for name in names:
        if name in tensors:
            found += list(tensors[name].elements.ravel())
        else:
            found.append(numbers[name] if name in numbers else group.get(name, 0.0))
    return found


def _in_a_row(lengths: Mapping[str, int], base: int) -> dict[str, range]:
    """Return which registers things of some length have that lie side by side from `base` on."""
    found = {}
    for name, length in lengths.items():
        found[name] = range(base, base + length)
        base += length
    return found


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value


def _another(value: float) -> float:
    """Return a value near another one."""
    if isinstance(value, int):
        return value + 1
    return 0.99 * value or 0.001

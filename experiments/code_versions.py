"""Which code made a run: a short hash of its optimizer, of its schedules and of its network.

A chapter is edited often, and most edits change no number. So what is hashed is the code as Python
understands it: without docstrings, comments and layout, and only those classes, functions and constants
that are in use. A new constant in `adam.py` changes the hash of Adam and of AMSGrad, which is made from it,
and a new sentence changes none.

Two things are left out. The training loop with its data, because it is rewritten often without moving a
number; whether it has moved one, only running it again tells, and that is what `make results-check` does.
And what all rules share, such as `base.py`, the checks and the weight decay: it is how a rule is run.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from experiments.configuration import Configuration
from experiments.data import Data
from experiments.schedules import SCHEDULES
from experiments.training import Regime
from labml_nn_optim import get_optimizer

ROOT = Path(__file__).parents[1]
"""The folder that the source files lie below."""

LIBRARY = "labml_nn_optim"
OPTIMIZER_FOLDER = f"{LIBRARY}/optimizers"
# How a rule is run and what all of them share. The other modules beside these are parts of rules.
RUNNING = (
    "__init__ base caution checks compiled configs named_state pieces plan registry rounding sharded "
    "stacks weight_decay"
)
SCHEDULE_FOLDER = "labml_nn_optim/schedules"
SCHEDULE_BASE = Path(SCHEDULE_FOLDER) / "base.py"


class Network(Protocol):
    """What a recipe says of the network, and a task too."""

    @property
    def make_model(self) -> Callable[[], nn.Module]:
        """Returns a new model."""

    @property
    def prepare(self) -> Callable[[nn.Module, Data], None] | None:
        """Sets parameters that depend on the data."""

    @property
    def regime(self) -> Regime:
        """What the network is trained with."""


@dataclass(frozen=True)
class Place:
    """A class, function or constant: the file, below the root, and its name there."""

    file: Path
    name: str


@dataclass(frozen=True)
class Part:
    """One part of the code that made a run.

    * `name`: what a message calls it
    * `starts`: the classes and functions that it begins with
    * `files`: those in which what these use belongs to the part
    * `settings`: values that the code is called with and that no configuration has
    """

    name: str
    starts: tuple[Place, ...]
    files: frozenset[Path]
    settings: str = ""

    def version(self, root: Path = ROOT) -> str:
        """Return the first ten hexadecimal digits of the sha256 of the code."""
        texts = sorted(text for _, text in self._definitions(root))
        return hashlib.sha256("\n".join([*texts, self.settings]).encode()).hexdigest()[:10]

    def used_files(self, root: Path = ROOT) -> list[str]:
        """Return the files that the code stands in, that of the first start at the front."""
        return list(dict.fromkeys(place.file.as_posix() for place, _ in self._definitions(root)))

    def _definitions(self, root: Path) -> Iterator[tuple[Place, str]]:
        """Yield all that the starts use, by way of whatever, each with its code."""
        read = cache(lambda file: _module(root / file))
        waiting, seen = list(self.starts), set()
        while waiting:
            place = waiting.pop(0)
            if place in seen or place.file not in self.files:
                continue
            seen.add(place)
            module = read(place.file)
            if place.name in module.imports:
                waiting.append(_imported(*module.imports[place.name], root))
            for definition in module.definitions.get(place.name, ()):
                yield place, definition.text
                waiting += [Place(place.file, name) for name in definition.names]


def parts(configuration: Configuration, network: Network) -> dict[str, Part]:
    """Return the parts `optimizer`, `schedule` and `model` of the code of a run."""
    return {
        "optimizer": _optimizer(configuration),
        "schedule": _schedule(configuration),
        "model": _model(configuration, network),
    }


def code_versions(
    configuration: Configuration, network: Network, root: Path = ROOT
) -> dict[str, str]:
    """Return the hash of each part of the code of a run, as the files below `root` are now.

    * `network`: the recipe of the configuration's model, or the task
    """
    found = parts(configuration, network)
    return {name: part.version(root) for name, part in found.items()}


def same_code(one: str, other: str) -> bool:
    """Return whether two texts of a module differ in nothing but docstrings, comments and layout.

    Of what is no valid Python nothing is the same.
    """
    try:
        return _text(ast.parse(one)) == _text(ast.parse(other))
    except SyntaxError:
        return False


def _optimizer(configuration: Configuration) -> Part:
    start = _place_of(get_optimizer(configuration.optimizer))
    shared = {Path(LIBRARY) / f"{name}.py" for name in RUNNING.split()}
    files = _files(OPTIMIZER_FOLDER) | (_files(LIBRARY) - shared)
    return Part(f"optimizer {configuration.optimizer}", (start,), files)


def _schedule(configuration: Configuration) -> Part:
    names = [name for name in (configuration.schedule, configuration.wd_schedule) if name]
    kinds, defaults = zip(*(SCHEDULES[name] for name in names), strict=True)
    return Part(
        f"schedule {' and '.join(names)}",
        tuple(map(_place_of, kinds)),
        _files(SCHEDULE_FOLDER) - {SCHEDULE_BASE},
        repr([sorted(values.items()) for values in defaults]),
    )


def _model(configuration: Configuration, network: Network) -> Part:
    starts = [_place_of(made) for made in (network.make_model, network.prepare) if made]
    files = frozenset(start.file for start in starts)
    name = f"model {configuration.model} of {configuration.experiment}"
    return Part(name, tuple(starts), files, repr(network.regime))


def _files(folder: str) -> frozenset[Path]:
    return frozenset(path.relative_to(ROOT) for path in (ROOT / folder).glob("*.py"))


def _place_of(made: Callable[..., Any]) -> Place:
    """Return where a class or function is defined; one inside a function is part of that."""
    plain = inspect.unwrap(made)
    # Not by the name of the module, which is `__main__` for an experiment that is run.
    file = Path(inspect.getfile(plain)).resolve()
    below = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    place = Place(below, plain.__qualname__.split(".")[0])
    if place.name not in _module(file).definitions:
        raise ValueError(f"{made!r} must be defined by a class or def at the top level of {below}")
    return place


def _imported(module: str, name: str, root: Path) -> Place:
    folder = Path(*module.split("."))
    package = folder / "__init__.py"
    return Place(package if (root / package).exists() else folder.with_suffix(".py"), name)


@dataclass(frozen=True)
class _Definition:
    """The code of a definition, and those names of the module that occur in it."""

    text: str
    names: Collection[str]


@dataclass(frozen=True)
class _Module:
    """What a module says at its top level, by the names it gives.

    * `imports`: module and name there
    """

    definitions: dict[str, list[_Definition]]
    imports: dict[str, tuple[str, str]]


def _module(file: Path) -> _Module:
    """Return what a module says; one that has not been written since is read once."""
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read(file: Path, written: int) -> _Module:
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    imports = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    own = {name for node in nodes for name in _bound(node)} | set(imports)
    module = _Module({}, imports)
    for node in nodes:
        for name in _bound(node):
            definition = _Definition(_text(node), sorted(own.intersection(_names(node))))
            module.definitions.setdefault(name, []).append(definition)
    return module


def _bound(node: ast.stmt) -> list[str]:
    """Return the names that a definition or an assignment gives a meaning."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        targets = [name for target in node.targets for name in ast.walk(target)]
        return [name.id for name in targets if isinstance(name, ast.Name)]
    if isinstance(node, ast.AnnAssign | ast.AugAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _names(node: ast.AST) -> Iterator[str]:
    return (name.id for name in ast.walk(node) if isinstance(name, ast.Name))


def _text(node: ast.AST) -> str:
    """Return the code without docstrings, comments and layout, the same with every Python.

    `ast.dump` is not the same: newer versions have more fields, which are empty.
    """
    fields = [
        f"{name}={_value(value)}"
        for name, value in ast.iter_fields(node)
        if value is not None and value != []
    ]
    return f"{type(node).__name__}({', '.join(fields)})"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(element) for element in value if not _is_docstring(element))}]"
    return _text(value) if isinstance(value, ast.AST) else repr(value)


def _is_docstring(node: Any) -> bool:
    """Return whether a statement is nothing but text."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )

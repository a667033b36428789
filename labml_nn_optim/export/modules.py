"""Every module is taken apart into its imports, its definitions and the comments that belong to each.

A syntax tree knows which lines a class takes, but not its comments. The text has the comments, but does not know what a class
is. `Module` keeps both: a `Definition` is a statement at the top of a module and the lines that belong to
it, from the comment above its decorators to its end, and it lists the methods of a class in the same way.

Three kinds of statement are left out, because a single file has no use for them:

- an import of another module of the package, at the top or in a function: what it names stands in the same file;
- a statement that does nothing but load modules of the package by their names: they are not there;
- `__all__`, of which the file has its own.

What cannot be carried away raises `ExportError` with its place: a module that runs something when it is imported, or
one that asks for modules by names that are put together.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from labml_nn_optim.export.names import FUNCTIONS, Mentions, global_names, mentions

__all__ = ["Definition", "ExportError", "External", "Library", "Member", "Module", "Origin"]

ROOT = Path(__file__).parents[1]


class ExportError(ValueError):
    """What cannot be found or carried away, told in one line."""


@dataclass(frozen=True)
class Origin:
    """What stands at the top of a module of the package; without a name it is the module itself."""

    module: str
    name: str


@dataclass(frozen=True)
class External:
    """An import from outside of the package: `import module`, or `from module import name`."""

    module: str
    name: str | None

    @property
    def bound(self) -> str:
        """The name that it binds."""
        return self.name or self.module.split(".")[0]


@dataclass(frozen=True)
class Member:
    """A method, or several of one name such as a property and its setter, and its lines.

    - `is_door`: whether it imports another module of the package when it is called
    """

    name: str
    first: int
    last: int
    used: tuple[str, ...]
    mentions: Mentions
    is_door: bool


@dataclass(frozen=True, eq=False)
class Definition:
    """A statement at the top of a module that binds `names`, with its lines, counted from 1.

    - `found`: the names in it that mean something of the module
    - `used`, `mentions`: the names in it, without those in `members`
    - `problem`: why it cannot be carried away; empty if it can
    """

    module: str
    names: tuple[str, ...]
    node: ast.stmt
    first: int
    last: int
    found: tuple[ast.Name, ...]
    used: tuple[str, ...]
    mentions: Mentions
    members: tuple[Member, ...]
    problem: str

    @property
    def is_block(self) -> bool:
        """Whether it is a class or a function."""
        return isinstance(self.node, (*FUNCTIONS, ast.ClassDef))


class Module:
    """A module of the package: its text, taken apart.

    - `name`: its dotted name
    - `links`: what it imports from the package, by the names that this has here
    - `imported`: those of them that it imports as soon as it is imported itself
    - `imports`: what it imports from elsewhere
    - `typing_only`: names of imports that only a type checker sees
    - `comments`: the lines that are comments, outside of brackets and texts
    - `removed`: the lines, first and last, of statements that a single file has no use for

    Raises `ExportError` for a statement that is no definition.
    """

    def __init__(self, name: str, text: str, package: str) -> None:
        self.name = name
        self.package = package
        self.lines = text.split("\n")
        self.tree = ast.parse(text)
        self.docstring = ast.get_docstring(self.tree, clean=False) or ""
        self.links: dict[str, Origin] = {}
        self.imported: list[str] = []
        self.imports: dict[str, list[External]] = {}
        self.typing_only: set[str] = set()
        self.exported: list[str] = []
        self.removed: list[tuple[int, int]] = []
        self.docstrings = [
            node.body[0]
            for node in ast.walk(self.tree)
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and _is_docstring(node.body[0])
        ]
        self.comments = full_line_comments(text)
        self._doors: list[int] = []
        for node in ast.walk(self.tree):
            if isinstance(node, FUNCTIONS):
                self._prune(node)
        statements = [self._read(node) for node in self.tree.body]
        self.statements = [node for node in statements if node is not None]

    @property
    def path(self) -> str:
        """The path of its file within the package."""
        return self.name.removeprefix(f"{self.package}.").replace(".", "/") + ".py"

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """What it defines, by names and in order."""
        made = [self._define(node) for node in self.statements]
        return {name: definition for definition in made for name in definition.names}

    @cached_property
    def prose(self) -> list[tuple[int, int]]:
        """The lines of comments at its top level that belong to no statement."""
        taken: set[int] = set()
        for node in self.tree.body:
            taken.update(range(self.first_line(node), (node.end_lineno or 0) + 1))
        lines = sorted(
            number
            for number in self.comments
            if number not in taken and self.lines[number - 1].startswith("#")
        )
        runs: list[tuple[int, int]] = []
        for number in lines:
            if runs and runs[-1][1] == number - 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
        return runs

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Every name that stands in it, whatever it means."""
        nodes = list(ast.walk(self.tree))
        names = [each.id for each in nodes if isinstance(each, ast.Name)]
        return frozenset(names + [each.arg for each in nodes if isinstance(each, ast.arg)])

    def first_line(self, node: ast.stmt) -> int:
        """Return the line of the comment above a statement and its decorators, if there is one."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(each.lineno for each in decorators)])
        indent = self.lines[first - 1][: node.col_offset]
        while first - 1 in self.comments and self.lines[first - 2].startswith(f"{indent}#"):
            first -= 1
        return first

    # ## Taking apart
    def _read(self, node: ast.stmt) -> ast.stmt | None:
        """Note an import; return a statement that defines something."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, typing_only=False)
            if isinstance(node, ast.ImportFrom) and self._is_ours(node):
                self.imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
            for each in node.body:
                if not isinstance(each, ast.Import | ast.ImportFrom):
                    raise self._error(each, "is no import")
                self._import(each, typing_only=True)
        elif isinstance(node, ast.Assign) and _name_of(node.targets[0]) == "__all__":
            self.exported = list(ast.literal_eval(node.value))
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Assign, ast.AnnAssign)):
            return node
        elif not _is_docstring(node):
            raise self._error(node, "runs something when the module is imported")
        return None

    def _import(self, node: ast.Import | ast.ImportFrom, typing_only: bool) -> None:
        for alias in node.names:
            if alias.asname not in (None, alias.name):
                raise self._error(node, "imports under another name")
            if isinstance(node, ast.Import):
                external = External(alias.name, None)
            elif self._is_ours(node):
                self.links[alias.name] = Origin(node.module or "", alias.name)
                continue
            else:
                external = External(node.module or "", alias.name)
            self.imports.setdefault(external.bound, []).append(external)
            if typing_only:
                self.typing_only.add(external.bound)

    def _is_ours(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] == self.package
            and not node.level
        )

    def _prune(self, node: ast.AST) -> None:
        """Take statements out of a function that a single file has no use for."""
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if not isinstance(body, list):
                continue
            kept = []
            for each in body:
                if _is_docstring(each) and isinstance(node, FUNCTIONS) and each is body[0]:
                    continue
                if self._is_ours(each):
                    self._import(each, typing_only=False)
                    self._doors.append(each.lineno)
                elif not self._only_loads(each):
                    self._prune(each)
                    kept.append(each)
                    continue
                self.removed.append((self.first_line(each), each.end_lineno or 0))
            if body and not kept and not isinstance(node, FUNCTIONS):
                raise self._error(node, f"loads modules of {self.package}")
            setattr(node, field, kept)

    def _only_loads(self, node: ast.stmt) -> bool:
        """Whether a statement does nothing but import modules of the package by their names."""
        if isinstance(node, ast.For | ast.If):
            return all(map(self._only_loads, [*node.body, *node.orelse]))
        return (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and _name_of(node.value.func) == "import_module"
            and self._names_package(node)
        )

    def _names_package(self, node: ast.AST) -> bool:
        texts = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
        return any(isinstance(text, str) and text.startswith(self.package) for text in texts)

    def _define(self, node: ast.stmt) -> Definition:
        found = tuple(global_names(node))
        members = tuple(self._members(node, found)) if isinstance(node, ast.ClassDef) else ()
        inside = {number for each in members for number in range(each.first, each.last + 1)}
        used = (each.id for each in found if each.lineno not in inside)
        return Definition(
            self.name,
            tuple(_defined(node)),
            node,
            self.first_line(node),
            node.end_lineno or 0,
            found,
            tuple(dict.fromkeys(used)),
            _mentions_of(_header(node)),
            members,
            self._problem(node, found),
        )

    def _problem(self, node: ast.stmt, found: Iterable[ast.Name]) -> str:
        if self._names_package(_without_docstring(node)):
            return self._told(node, f"asks for modules of {self.package} by their names")
        if any(each.id == "__file__" for each in found):
            return self._told(node, "reads the folder that it stands in")
        return ""

    def _members(self, node: ast.ClassDef, found: Iterable[ast.Name]) -> Iterator[Member]:
        for each in node.body:
            if not isinstance(each, FUNCTIONS):
                continue
            first, last = self.first_line(each), each.end_lineno or 0
            used = (name.id for name in found if first <= name.lineno <= last)
            is_door = any(first <= line <= last for line in self._doors)
            yield Member(
                each.name, first, last, tuple(dict.fromkeys(used)), mentions(each), is_door
            )

    def _error(self, node: ast.AST, what: str) -> ExportError:
        return ExportError(self._told(node, what))

    def _told(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)} {what}"


class Library:
    """The modules of the package in the folder `root`, read when they are asked for."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.package = root.name
        self._modules: dict[str, Module] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The dotted names of all modules but those of packages and of programs."""
        paths = (path.relative_to(self.root) for path in self.root.rglob("[a-z]*.py"))
        dotted = (".".join([self.package, *path.with_suffix("").parts]) for path in paths)
        return tuple(sorted(dotted))

    def module(self, name: str) -> Module:
        """Return the module of this dotted name."""
        if name not in self._modules:
            path = self.root.joinpath(*name.split(".")[1:])
            file = path.with_suffix(".py")
            file = file if file.is_file() else path / "__init__.py"
            self._modules[name] = _module(name, file.read_text(encoding="utf-8"), self.package)
        return self._modules[name]

    def resolve(self, module: str, name: str) -> Origin | None:
        """Return what a name at the top of a module means, if that stands in the package."""
        read = self.module(module)
        if name in read.definitions:
            return Origin(module, name)
        link = read.links.get(name)
        if link is None:
            return None
        whole = f"{link.module}.{link.name}"
        return Origin(whole, "") if whole in self.names else self.resolve(link.module, link.name)

    def definition(self, origin: Origin) -> Definition:
        """Return what stands at `origin`, which has a name."""
        return self.module(origin.module).definitions[origin.name]


# A build asks for every chapter, and most of them stand on the same modules.
@lru_cache(maxsize=256)
def _module(name: str, text: str, package: str) -> Module:
    return Module(name, text, package)


def full_line_comments(text: str) -> frozenset[int]:
    """Return the numbers of the lines that are comments, outside of brackets and texts."""
    found, depth = set(), 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        elif (
            token.type == tokenize.COMMENT
            and not depth
            and not token.line[: token.start[1]].strip()
        ):
            found.add(token.start[0])
    return frozenset(found)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _without_docstring(node: ast.stmt) -> ast.Module:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and _is_docstring(body[0]):
        return ast.Module(body[1:], [])
    return ast.Module([node], [])


def _header(node: ast.stmt) -> list[ast.AST]:
    """Return the parts of a statement; those of a class without its docstring and its methods."""
    if not isinstance(node, ast.ClassDef):
        return [node]
    body = [
        each for each in node.body if not isinstance(each, FUNCTIONS) and not _is_docstring(each)
    ]
    return [*node.decorator_list, *node.bases, *node.keywords, *body]


def _mentions_of(nodes: Iterable[ast.AST]) -> Mentions:
    found = Mentions()
    for node in nodes:
        found |= mentions(node)
    return found


def _name_of(node: ast.expr) -> str:
    """Return the last name of a dotted one."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield node.name
        return
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
    for target in targets:
        yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))

"""What the names in a Python file mean, as far as the text alone says it.

`analyse` follows imports, definitions, and scopes by `ast`; nothing is imported or run. A name gets
a dotted path, such as `torch.nn.functional.pad` or `package.module.Class.method`, and what stands at
that path is found elsewhere (`site_gen.resolution`). Parameters and other local variables get none.

The members of an object are known where its class is: for `self`, for `super()`, and for a
parameter whose annotation names a class, unless the function binds the parameter again. A method
of any other object is reported as `.method`, for those who know a name that only one class has.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from site_gen.syntax import syntax_tree

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Kind = Literal["use", "import", "base"]
ANY = "typing.Any"


@dataclass(frozen=True)
class Reference:
    """A name at `line` and `column` (from 0, in characters) that means what stands at `target`.

    `inherited` means that the class at `target` itself is passed over, as by `super()`.
    """

    line: int
    column: int
    text: str
    target: str
    kind: Kind = "use"
    inherited: bool = False


@dataclass(frozen=True)
class ModuleNames:
    """What a module defines and refers to.

    `definitions` has the line of every class, function, constant and class attribute by its
    qualified name; `imports` and `bases` have dotted paths.
    """

    definitions: Mapping[str, int]
    imports: Mapping[str, str]
    bases: Mapping[str, tuple[str, ...]]
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class _Meaning:
    """What a name stands for: the thing at `path`, or, for an instance, an object of that class."""

    path: str
    is_instance: bool = False
    inherited: bool = False


@dataclass
class _Names:
    """The names of one scope. None is a variable, of which nothing is known."""

    meanings: dict[str, _Meaning | None]
    is_class: bool = False


@lru_cache(maxsize=512)
def analyse(text: str, module: str, is_package: bool = False) -> ModuleNames:
    """Return the names of the module `module` whose source is `text`, which is valid Python."""
    visitor = _Visitor(text, module, is_package)
    visitor.run()
    return ModuleNames(
        visitor.definitions, visitor.imports, visitor.bases, tuple(visitor.references)
    )


@dataclass
class _Visitor:
    text: str
    module: str
    is_package: bool
    definitions: dict[str, int] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    bases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    scopes: list[_Names] = field(default_factory=list)

    def run(self) -> None:
        """Read the module."""
        self.lines = self.text.split("\n")
        tree = syntax_tree(self.text)
        names = self._bindings(tree.body, "", is_open=True)
        self.imports.update(
            {name: meaning.path for name, meaning in self._imported(tree.body) if meaning}
        )
        self.scopes.append(_Names(names))
        self._visit_all(tree.body, "")

    # What a scope binds.

    def _bindings(
        self, body: Iterable[ast.AST], qualified: str, *, is_open: bool
    ) -> dict[str, _Meaning | None]:
        """Return the names that `body` binds; those of an open scope are definitions."""
        names: dict[str, _Meaning | None] = {}
        outside: set[str] = set()
        for node in _own_nodes(body):
            if isinstance(node, ast.Global | ast.Nonlocal):
                outside.update(node.names)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(self._imports_of(node))
            elif isinstance(node, Scope):
                names[node.name] = self._define(node.name, qualified, node.lineno)
            else:
                for name, line in _bound(node):
                    if is_open:
                        names[name] = self._define(name, qualified, line)
                    else:
                        names[name] = None
        return {name: meaning for name, meaning in names.items() if name not in outside}

    def _define(self, name: str, qualified: str, line: int) -> _Meaning:
        inner = f"{qualified}.{name}" if qualified else name
        self.definitions.setdefault(inner, line)
        return _Meaning(f"{self.module}.{inner}")

    def _imported(self, body: Iterable[ast.AST]) -> Iterator[tuple[str, _Meaning | None]]:
        for node in _own_nodes(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from self._imports_of(node)

    def _imports_of(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, _Meaning]]:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                yield alias.asname or alias.name, _Meaning(f"{self._source(node)}.{alias.name}")
            elif alias.asname:
                yield alias.asname, _Meaning(alias.name)
            else:
                top = alias.name.split(".")[0]
                yield top, _Meaning(top)

    def _source(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module that `node` imports from."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, *filter(None, [node.module])])

    # What the names of a scope mean.

    def _visit_all(self, nodes: Iterable[ast.AST], qualified: str) -> None:
        for node in nodes:
            self._visit(node, qualified)

    def _visit(self, node: ast.AST, qualified: str) -> None:
        if isinstance(node, Function):
            self._visit_function(node, qualified)
        elif isinstance(node, ast.ClassDef):
            self._visit_class(node, qualified)
        elif isinstance(node, ast.Lambda):
            self._visit_all([*node.args.defaults, *filter(None, node.args.kw_defaults)], qualified)
            self._within(dict.fromkeys(_parameters(node.args)), [node.body], qualified)
        elif isinstance(node, Comprehension):
            self._visit_comprehension(node, qualified)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._visit_import(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            self._meaning(node, qualified)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            self._meaning(node.func, qualified, is_called=True)
            self._visit_all([*node.args, *node.keywords], qualified)
        else:
            self._visit_all(ast.iter_child_nodes(node), qualified)

    def _within(
        self, names: dict[str, _Meaning | None], nodes: Iterable[ast.AST], qualified: str
    ) -> None:
        self.scopes.append(_Names(names))
        self._visit_all(nodes, qualified)
        self.scopes.pop()

    def _visit_comprehension(self, node: Comprehension, qualified: str) -> None:
        targets = [name for clause in node.generators for name, _ in _bound_in(clause.target)]
        self._visit(node.generators[0].iter, qualified)
        inner = [child for child in ast.iter_child_nodes(node) if child not in node.generators]
        for number, clause in enumerate(node.generators):
            inner += [*([clause.iter] if number else []), *clause.ifs]
        self._within(dict.fromkeys(targets), inner, qualified)

    def _visit_class(self, node: ast.ClassDef, qualified: str) -> None:
        inner = f"{qualified}.{node.name}" if qualified else node.name
        self._visit_all(node.decorator_list, qualified)
        paths = []
        for base in node.bases:
            before = len(self.references)
            inside = base.value if isinstance(base, ast.Subscript) else base
            meaning = self._lookup_expression(inside)
            self._visit(base, qualified)
            if meaning and not meaning.is_instance:
                paths.append(meaning.path)
            self.references[before:] = [
                _as_base(item, meaning.path if meaning else "") for item in self.references[before:]
            ]
        self.bases[inner] = tuple(paths)
        self._visit_all(node.keywords, qualified)
        self.scopes.append(_Names(self._bindings(node.body, inner, is_open=True), is_class=True))
        self._visit_all(node.body, inner)
        self.scopes.pop()

    def _visit_function(self, node: Function, qualified: str) -> None:
        inner = f"{qualified}.{node.name}" if qualified else node.name
        arguments = node.args
        self._visit_all([*node.decorator_list, arguments, *filter(None, [node.returns])], qualified)
        names = self._parameters_of(node, qualified)
        bound = self._bindings(node.body, inner, is_open=False)
        names.update(bound)
        self._within(names, node.body, inner)

    def _parameters_of(self, node: Function, qualified: str) -> dict[str, _Meaning | None]:
        """Return the parameters, with the class of those whose class is known."""
        names: dict[str, _Meaning | None] = {}
        arguments = node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            meaning = self._lookup_expression(argument.annotation) if argument.annotation else None
            is_class = meaning and not meaning.is_instance and meaning.path != ANY
            names[argument.arg] = _Meaning(meaning.path, True) if meaning and is_class else None
        for other in (arguments.vararg, arguments.kwarg):
            if other:
                names[other.arg] = None
        decorators = {item.id for item in node.decorator_list if isinstance(item, ast.Name)}
        own = [*arguments.posonlyargs, *arguments.args][:1]
        if self.scopes[-1].is_class and own and "staticmethod" not in decorators:
            is_method = "classmethod" not in decorators
            names[own[0].arg] = _Meaning(f"{self.module}.{qualified}", is_method)
            names["super()"] = _Meaning(f"{self.module}.{qualified}", is_method, inherited=True)
        return names

    def _visit_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._refer_module(alias.lineno, alias.col_offset, alias.name)
            return
        source = self._source(node)
        if node.module:
            column = node.col_offset + len("from ") + node.level
            above = source.removesuffix(node.module)
            self._refer_module(node.lineno, column, node.module, above)
        for alias in node.names:
            target = f"{source}.{alias.name}"
            self._refer(alias.lineno, alias.col_offset, alias.name, target, "import")

    def _refer_module(self, line: int, column: int, name: str, above: str = "") -> None:
        """Note every part of the dotted name of a module, which stands in the package `above`."""
        parts = name.split(".")
        for number, part in enumerate(parts, 1):
            self._refer(line, column, part, above + ".".join(parts[:number]), "import")
            column += len(part.encode()) + 1

    def _lookup(self, name: str) -> _Meaning | None:
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.meanings and not (scope.is_class and depth):
                return scope.meanings[name]
        return None

    def _lookup_expression(self, node: ast.AST) -> _Meaning | None:
        """Return what a chain of names stands for, without noting it."""
        if isinstance(node, ast.Name):
            return self._lookup(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._lookup_expression(node.value)
            return _Meaning(f"{owner.path}.{node.attr}") if owner else None
        return None

    def _meaning(
        self, node: ast.AST, qualified: str, *, is_called: bool = False
    ) -> _Meaning | None:
        """Return what an expression stands for, and note the names in it."""
        if isinstance(node, ast.Name):
            found = self._lookup(node.id)
            if found and not found.is_instance and isinstance(node.ctx, ast.Load):
                self._refer(node.lineno, node.col_offset, node.id, found.path)
            return found
        if isinstance(node, ast.Attribute):
            owner = self._owner(node.value, qualified)
            line = node.end_lineno or node.lineno
            column = (node.end_col_offset or 0) - len(node.attr.encode())
            if owner:
                path = f"{owner.path}.{node.attr}"
                self._refer(line, column, node.attr, path, "use", owner.inherited)
                # What an attribute of an object is, the text does not say.
                return None if owner.is_instance else _Meaning(path)
            if is_called:
                self._refer(line, column, node.attr, f".{node.attr}")
            return None
        self._visit(node, qualified)
        return None

    def _owner(self, node: ast.AST, qualified: str) -> _Meaning | None:
        is_super = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "super"
            and not node.args
        )
        return self._lookup("super()") if is_super else self._meaning(node, qualified)

    def _refer(
        self,
        line: int,
        byte: int,
        text: str,
        target: str,
        kind: Kind = "use",
        inherited: bool = False,
    ) -> None:
        column = len(self.lines[line - 1].encode()[:byte].decode(errors="ignore"))
        self.references.append(Reference(line, column, text, target, kind, inherited))


def _as_base(reference: Reference, path: str) -> Reference:
    """Return `reference` as one to a base class, if it is the class at `path`."""
    if reference.target != path:
        return reference
    return Reference(reference.line, reference.column, reference.text, path, "base")


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes that stand in this scope: not those within functions and comprehensions."""
    for node in body:
        yield node
        if isinstance(node, Scope):
            yield from _own_nodes(node.decorator_list)
        elif not isinstance(node, ast.Lambda | Comprehension):
            yield from _own_nodes(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the name and line of what `node` itself binds, other than imports and definitions."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id, node.lineno
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name, node.lineno
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest, node.lineno


def _bound_in(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.walk(node):
        yield from _bound(child)


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    for child in ast.walk(arguments):
        if isinstance(child, ast.arg):
            yield child.arg

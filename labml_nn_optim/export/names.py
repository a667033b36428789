"""What a function needs of its module stands in its syntax tree, as the names that it does not bind itself.

`parts` is a function of one module, and a list in a function of another. Whoever looks for the word finds both. Python
decides by scopes: a name that a function binds, by an assignment or as a parameter, is its own in the whole function.
All others come from outside. `global_names` follows that rule and finds the ones that mean something of the
module.

Methods cannot be found so. What `piece.load()` calls depends on the object, and no tree says which that is. So
`mentions` collects every name that stands anywhere, as a variable, behind a dot or as a text: a method of
which nothing in the file says the name is not called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Mentions", "global_names", "mentions"]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def global_names(node: ast.AST) -> list[ast.Name]:
    """Return the names within `node`, a statement of a module, that mean something of the module."""
    finder = _Finder()
    finder.visit(node)
    return finder.found


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.scopes: list[tuple[frozenset[str], bool]] = []
        self.found: list[ast.Name] = []

    def visit_Name(self, node: ast.Name) -> None:
        for depth, (names, is_class) in enumerate(reversed(self.scopes)):
            # Functions do not see the names of the class that they stand in.
            if node.id in names and not (is_class and depth):
                return
        self.found.append(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all([*node.decorator_list, node.args, *filter(None, [node.returns])])
        self._within([*_parameters(node.args), *_bindings(node.body)], node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._within(_parameters(node.args), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._within(_bindings(node.body), node.body, is_class=True)

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what is inside; a comprehension has a scope of its own but for its first iterable."""
        if not isinstance(node, COMPREHENSIONS):
            super().generic_visit(node)
            return
        self.visit(node.generators[0].iter)
        targets = [
            name for each in node.generators for name in _bindings(ast.iter_child_nodes(each))
        ]
        self._within(targets, ast.iter_child_nodes(node))

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _within(
        self, names: Iterable[str], nodes: Iterable[ast.AST], is_class: bool = False
    ) -> None:
        self.scopes.append((frozenset(names), is_class))
        self._visit_all(nodes)
        self.scopes.pop()


def _parameters(arguments: ast.arguments) -> list[str]:
    return [each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)]


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that `nodes` bind in their own scope."""
    for node in nodes:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
        elif isinstance(node, COMPREHENSIONS):
            inner = (each for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
            yield from _bindings(each.target for each in inner)
        elif not isinstance(node, ast.Lambda):
            yield from _bound_by(node)
            yield from _bindings(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


@dataclass(frozen=True)
class Mentions:
    """Names that stand in some code, and patterns of those that it puts together from pieces."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()

    def __or__(self, other: Mentions) -> Mentions:
        return Mentions(self.names | other.names, self.patterns | other.patterns)


def mentions(node: ast.AST) -> Mentions:
    """Return every name within `node`: variables, attributes, texts, and texts with gaps."""
    names, patterns = set(), set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            names.add(each.id)
        elif isinstance(each, ast.Attribute):
            names.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            names.add(each.value)
        elif isinstance(each, ast.JoinedStr):
            patterns.add(_pattern(each))
    return Mentions(frozenset(names), frozenset(filter(None, patterns)))


def _pattern(text: ast.JoinedStr) -> str:
    """Return the pattern of names that an f-string may make; empty for what is no name."""
    parts = [each.value if isinstance(each, ast.Constant) else None for each in text.values]
    known = "".join(part for part in parts if isinstance(part, str))
    # A text that is all gap may be any name; such names stand somewhere else as texts.
    if not re.fullmatch(r"\w+", known):
        return ""
    return "".join(re.escape(part) if isinstance(part, str) else r"\w+" for part in parts)

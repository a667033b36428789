"""A line more in a list that stands in source code, at the place where it is looked for.

The lists are read from the syntax tree, and the text is changed by whole lines. So what stands around an entry stays as it
was written, with its comments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Protocol

__all__ = ["Entry", "Import", "ImportedName", "Item", "Order", "UnknownLayoutError", "by_kind"]

Natural = list[str | int]
Order = Callable[[str], tuple[object, ...]]
WIDTH = 100


class UnknownLayoutError(Exception):
    """A list is not there, or not written with a line for each of its entries."""


class Entry(Protocol):
    """Something that is written into a file.

    - `lines`: what a person would add
    - `place`: where, in words
    """

    @property
    def lines(self) -> str:
        """The lines to add."""

    @property
    def place(self) -> str:
        """The list that they belong to."""

    def put(self, source: str) -> str:
        """Return the source with the lines in it; raises `UnknownLayoutError`."""


def natural(text: str) -> Natural:
    """Return a key that sorts numbers in names by their value."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def by_name(name: str) -> tuple[object, ...]:
    """Return the key of a list that is sorted by the alphabet."""
    return (natural(name),)


def by_kind(name: str) -> tuple[object, ...]:
    """Return the key of `__all__`: constants, classes, all others, each by the alphabet."""
    return (_kind(name), natural(name))


def in_import(name: str) -> tuple[object, ...]:
    """Return the key of the names of an import, where case matters last."""
    return (_kind(name), natural(name.lower()), name)


def _kind(name: str) -> int:
    if len(name) > 1 and name.isupper():
        return 0
    return 1 if name[0].isupper() else 2


@dataclass(frozen=True)
class Item:
    """An entry of a list, tuple, set or dictionary that a module binds to a name.

    - `collection`: that name
    - `text`: the entry as source, on one line or more, with its comma
    - `key`: its text or its key as a string, `None` to stand last
    - `order`: how the collection is sorted
    """

    collection: str
    text: str
    key: str | None = None
    order: Order = by_name

    @property
    def lines(self) -> str:
        """The lines to add."""
        return self.text

    @property
    def place(self) -> str:
        """The list that they belong to."""
        return self.collection

    def put(self, source: str) -> str:
        """Return the source with the entry in its place; raises `UnknownLayoutError`."""
        node = _collection(ast.parse(source), self.collection)
        members = node.keys if isinstance(node, ast.Dict) else node.elts
        rows = [(_constant(each), each.lineno) for each in members if each is not None]
        text = indent(self.text, " " * 4)
        return _insert(source, node, rows, text, self.key, self.order)


@dataclass(frozen=True)
class ImportedName:
    """A name in an import that is written with brackets."""

    module: str
    name: str

    @property
    def lines(self) -> str:
        """The lines to add."""
        return f"{self.name},"

    @property
    def place(self) -> str:
        """The import that they belong to."""
        return f"from {self.module} import"

    def put(self, source: str) -> str:
        """Return the source with the name in the import; raises `UnknownLayoutError`."""
        for node in ast.parse(source).body:
            if isinstance(node, ast.ImportFrom) and node.module == self.module:
                rows = [(alias.name, alias.lineno) for alias in node.names]
                return _insert(source, node, rows, f"    {self.name},", self.name, in_import)
        raise UnknownLayoutError(f"no {self.place}")


@dataclass(frozen=True)
class Import:
    """An import of one name, beside those from modules of the same folder.

    - `again`: whether the name is written twice, as type checkers ask where a name is passed on
    """

    module: str
    name: str
    again: bool = False

    @property
    def lines(self) -> str:
        """The lines to add, as the formatter breaks them within four columns more."""
        names = f"{self.name} as {self.name}" if self.again else self.name
        line = f"from {self.module} import {names}"
        short = len(line) + 4 * self.again <= WIDTH
        return line if short else f"from {self.module} import (\n    {names},\n)"

    @property
    def place(self) -> str:
        """The imports that they belong to."""
        return f"the imports of {self.module.rpartition('.')[0]}"

    def put(self, source: str) -> str:
        """Return the source with the import among its like; raises `UnknownLayoutError`."""
        folder = self.module.rpartition(".")[0]
        nodes = [node for node in _imports(ast.parse(source)) if _within(node, folder)]
        if not nodes:
            raise UnknownLayoutError(f"nothing is imported from {folder}")
        later = [node for node in nodes if natural(node.module or "") > natural(self.module)]
        last = nodes[-1].end_lineno or nodes[-1].lineno
        before = later[0].lineno if later else last + 1
        return _with_lines(source, before, indent(self.lines, " " * nodes[0].col_offset))


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    for node in tree.body:
        for each in node.body if isinstance(node, ast.If) else [node]:
            if isinstance(each, ast.ImportFrom):
                yield each


def _within(node: ast.ImportFrom, folder: str) -> bool:
    return (node.module or "").rpartition(".")[0] == folder


def _collection(tree: ast.Module, name: str) -> ast.List | ast.Tuple | ast.Set | ast.Dict:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        named = [each for each in targets if isinstance(each, ast.Name) and each.id == name]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if named and isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict):
            return value
    raise UnknownLayoutError(f"no {name}")


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _insert(
    source: str,
    node: ast.expr | ast.stmt,
    rows: Sequence[tuple[str, int]],
    text: str,
    key: str | None,
    order: Order,
) -> str:
    """Return the source with `text` before the first of the `rows` that comes after `key`."""
    lines, last = source.split("\n"), node.end_lineno or node.lineno
    starts = [number for _, number in rows]
    if lines[last - 1] not in (")", "]", "}") or len({*starts, node.lineno, last}) < len(rows) + 2:
        raise UnknownLayoutError("more than one entry a line")
    later = [
        number for name, number in rows if key is not None and name and order(name) > order(key)
    ]
    before = later[0] if later else last
    # The comment above an entry belongs to it.
    while later and lines[before - 2].lstrip().startswith("#"):
        before -= 1
    return _with_lines(source, before, text)


def _with_lines(source: str, before: int, text: str) -> str:
    lines = source.split("\n")
    return "\n".join([*lines[: before - 1], text, *lines[before - 1 :]])

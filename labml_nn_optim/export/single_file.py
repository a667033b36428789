r"""A chapter and what it uses of the library, as one file that needs torch alone.

```console
$ python -m labml_nn_optim copy radam --to my_project/
```

writes `my_project/radam.py`. It holds the chapter on RAdam with all its prose, and those parts of Adam and of the base class
that RAdam uses. It imports torch and nothing of this package, and gives the same parameters, bit by bit.

The file is made from the syntax trees, each time it is asked for, so that it is never older than the chapter:

1. `find` turns a name into what the file is about.
2. `Needed` searches for all that this uses.
3. `single_file` puts it in order: a module after those that it imports, the chapter last.

**Two things with one name.** `batches` is one function for compiled rules and another for
`sums`. In one file the first is called `compiled_batches`. What was asked for keeps its name, and so do Python's
built-in functions.

**Formatting.** The imports are sorted and broken as ruff does it. All other lines are copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labml_nn_optim.export.catalog import Entry
from labml_nn_optim.export.edits import copied, short_docstring
from labml_nn_optim.export.head import comment, head, summary, title
from labml_nn_optim.export.imports import imports, listed
from labml_nn_optim.export.modules import ExportError, Library, Module
from labml_nn_optim.export.naming import Naming
from labml_nn_optim.export.needed import Needed

__all__ = ["single_file"]


@dataclass(frozen=True)
class Piece:
    """Lines of a file, and which lines of a module they come from.

    - `is_loose`: whether they may follow others without two empty lines between
    """

    lines: Sequence[str]
    first: int
    last: int
    is_loose: bool


def single_file(library: Library, entries: Sequence[Entry], bare: bool = False) -> str:
    """Return the text of a file with all that `entries` are made of, and what they need.

    - `entries`: what `find` has found, at least one
    - `bare`: whether to leave out the prose but for the beginning of docstrings

    Raises `ExportError` for what cannot be carried away.
    """
    try:
        needed = Needed(library, entries)
    except ExportError as error:
        names = ", ".join(entry.name for entry in entries)
        raise ExportError(f"{names} cannot be carried away: {error}") from None
    naming = Naming(needed)
    parts = _Parts(needed, naming, bare)
    chapters = [library.module(name) for name in needed.chapters]
    command = " ".join(["copy", *(entry.name for entry in entries), *["--bare"] * bare])
    needs_torch = any(each.module.split(".")[0] == "torch" for each in needed.externals)
    blocks = [
        "\n".join([*head(chapters, command, needs_torch), *_docstring(chapters[0], bare)]),
        "from __future__ import annotations",
        imports(needed, naming),
        listed("__all__ = ", [naming.name_of(root) for root in needed.roots]),
    ]
    texts = ["\n".join(parts.lines(module)) for module in needed.modules]
    return "\n\n\n".join(["\n\n".join(filter(None, blocks)), *texts]) + "\n"


def _docstring(chapter: Module, bare: bool) -> list[str]:
    if bare:
        return short_docstring(f"{title(chapter)}: {summary(chapter)}")
    return chapter.lines[: chapter.tree.body[0].end_lineno] if chapter.docstring else []


@dataclass(frozen=True)
class _Parts:
    """What stays of each module, as lines."""

    needed: Needed
    naming: Naming
    bare: bool

    def lines(self, module: Module) -> Iterator[str]:
        """Yield the lines of a part, after a comment that says where it comes from."""
        yield from comment(module.path if self.bare else f"{module.path}: {summary(module)}")
        others = list(self.needed.chapters)[1:]
        if module.name in others and not self.bare:
            # The docstring of a file is that of the first chapter.
            text = f"\n{module.docstring.strip()}"
            yield from (f"# {line}".rstrip() for line in text.split("\n"))
        before: Piece | None = None
        for piece in sorted(self._pieces(module), key=lambda piece: piece.first):
            yield from [""] * _gap(module, before, piece)
            yield from piece.lines
            before = piece

    def _pieces(self, module: Module) -> Iterator[Piece]:
        new_names = self.naming.new_names(module)
        for definition in dict.fromkeys(module.definitions.values()):
            if definition in self.needed.definitions:
                members = self.needed.definitions[definition]
                lines = copied(module, definition, members, new_names, self.bare)
                yield Piece(lines, definition.first, definition.last, not definition.is_block)
        if module.name in self.needed.chapters and not self.bare:
            for first, last in module.prose:
                yield Piece(module.lines[first - 1 : last], first, last, False)
        if module.name in self.needed.namespaces:
            end = len(module.lines) + 1
            yield Piece(self.naming.namespace(module), end, end, False)


def _gap(module: Module, before: Piece | None, piece: Piece) -> int:
    """Return how many empty lines stand before a piece."""
    if before is None:
        return 1 if piece.is_loose else 2
    between = module.lines[before.last : piece.first - 1]
    if not any(between):
        return len(between)
    return 1 if before.is_loose and piece.is_loose else 2

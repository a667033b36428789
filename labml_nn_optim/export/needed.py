"""From a few names the search goes through all that these use, until nothing is added any more.

RAdam uses Adam, which uses the base class, which uses the plan of a step. Each of them stands in a module beside others that
nobody of these needs. So the search does not go from module to module, but from definition to definition: a name in RAdam leads
to the class Adam, the names in that class lead on.

**Classes lose methods that nobody calls**, as far as the text proves it. A method stays

- in the chapter itself;
- in a class with a base from elsewhere, such as `torch.optim.Optimizer`, which may call any of them;
- if its name has two underscores at both ends: Python calls it;
- if its name stands anywhere in what stays, as a variable, behind a dot or in a text, or as a method of such a class with a
  base from elsewhere: that may be a protocol, and this class one that follows it;
- if a class of the chapter inherits it and it is public, since whoever uses the file may call it. The exception is a *door*, a
  method that imports another chapter when it is called. `schedule.then(...)` is one. Behind it are all other schedules.

The list grows while it is applied: a method that stays has names in it, too. `Needed` goes round until it does not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from labml_nn_optim.export.catalog import Entry
from labml_nn_optim.export.modules import (
    Definition,
    ExportError,
    External,
    Library,
    Member,
    Module,
    Origin,
)
from labml_nn_optim.export.names import Mentions

__all__ = ["Needed"]


class Needed:
    """What `entries` need of the library.

    - `roots`: what they are made of
    - `chapters`: the names of the modules that they are about, in order
    - `definitions`: what stays, with its members that stay
    - `namespaces`: modules that are used as a whole, as objects
    - `externals`: what is imported from outside of the package
    - `typing_only`: those of them that only a type checker sees

    Raises `ExportError` for what cannot be carried away.
    """

    def __init__(self, library: Library, entries: Sequence[Entry]) -> None:
        self.library = library
        self.roots = dict.fromkeys(root for entry in entries for root in entry.roots)
        self.chapters = dict.fromkeys(entry.roots[0].module for entry in entries)
        self.definitions: dict[Definition, tuple[Member, ...]] = {}
        self.namespaces: dict[str, None] = {}
        self.externals: set[External] = set()
        self.typing_only: set[External] = set()
        self._read: set[Definition] = set()
        self._names: set[str] = set()
        self._patterns: set[str] = set()
        for root in self.roots:
            self._take(root)
        self._inherited = {
            base for root in self.roots for base in self._ancestors(library.definition(root))
        }
        while self._grows():
            pass
        self.typing_only -= self.externals

    @property
    def modules(self) -> list[Module]:
        """The modules that something stays of, each after those that it imports."""
        names = {definition.module for definition in self.definitions} | self.namespaces.keys()
        found: dict[str, None] = {}
        # What a function imports may stand anywhere: the chapters come last.
        for name in [*sorted(names - self.chapters.keys()), *self.chapters]:
            self._put_after_imports(name, names, found)
        return [self.library.module(name) for name in found]

    def _put_after_imports(self, name: str, names: set[str], found: dict[str, None]) -> None:
        if name in found:
            return
        for link in self.library.module(name).imported:
            origin = self.library.resolve(name, link)
            if origin and origin.module in names:
                self._put_after_imports(origin.module, names, found)
        found[name] = None

    def _take(self, origin: Origin) -> None:
        if origin.name:
            definition = self.library.definition(origin)
            if definition.problem:
                raise ExportError(definition.problem)
            self.definitions.setdefault(definition, ())
        elif origin.module not in self.namespaces:
            self.namespaces[origin.module] = None
            for name in self.library.module(origin.module).exported:
                self._take(Origin(origin.module, name))

    def _grows(self) -> bool:
        """Go once through all that stays; say whether something was added."""
        before = self._size()
        for definition in list(self.definitions):
            known = self.definitions[definition]
            members = tuple(self._members(definition))
            new: list[Definition | Member] = [each for each in members if each not in known]
            if definition not in self._read:
                new.insert(0, definition)
                self._read.add(definition)
            for part in new:
                self._use(definition.module, part.used)
                self._note(part.mentions)
            if not self._is_closed(definition):
                self._names.update(member.name for member in members)
            self.definitions[definition] = members
        return self._size() > before

    def _size(self) -> int:
        members = sum(map(len, self.definitions.values()))
        return members + len(self.definitions) + len(self.externals) + len(self._names)

    def _use(self, module: str, names: Iterable[str]) -> None:
        read = self.library.module(module)
        for name in names:
            origin = self.library.resolve(module, name)
            if origin is not None:
                self._take(origin)
            for external in read.imports.get(name, ()):
                target = self.typing_only if name in read.typing_only else self.externals
                target.add(external)

    def _note(self, found: Mentions) -> None:
        self._names |= found.names
        self._patterns |= found.patterns

    def _is_mentioned(self, name: str) -> bool:
        return name in self._names or any(re.fullmatch(each, name) for each in self._patterns)

    def _members(self, definition: Definition) -> Iterator[Member]:
        is_whole = definition.module in self.chapters or not self._is_closed(definition)
        is_inherited = definition in self._inherited
        for member in definition.members:
            name = member.name
            is_offered = is_inherited and not name.startswith("_") and not member.is_door
            is_special = name.startswith("__") and name.endswith("__")
            if is_whole or is_offered or is_special or self._is_mentioned(name):
                yield member

    # ## Base classes
    def _bases(self, definition: Definition) -> Iterator[Definition | None]:
        """Yield the base classes, and None for one from outside of the package."""
        if not isinstance(definition.node, ast.ClassDef):
            return
        for base in definition.node.bases:
            inside = base.value if isinstance(base, ast.Subscript) else base
            name = inside.id if isinstance(inside, ast.Name) else ""
            origin = self.library.resolve(definition.module, name)
            yield self.library.definition(origin) if origin else None

    def _is_closed(self, definition: Definition) -> bool:
        return all(base is not None and self._is_closed(base) for base in self._bases(definition))

    def _ancestors(self, definition: Definition) -> Iterator[Definition]:
        for base in self._bases(definition):
            if base is not None:
                yield base
                yield from self._ancestors(base)

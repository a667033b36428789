"""Where names lead: to a definition on a page of the course, or to other documentation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from site_gen.chapters import Chapter
from site_gen.config import Settings
from site_gen.errors import SiteError
from site_gen.identifiers import ModuleNames, Reference, analyse
from site_gen.inventory import Inventory, find
from site_gen.sections import read

MOST_STEPS = 20
Target = TypeVar("Target")


@dataclass(frozen=True)
class Place:
    """A definition on a page: its qualified name (empty for the module) and its anchor."""

    chapter: Chapter
    name: str
    anchor: str


@dataclass(frozen=True)
class External:
    """What other documentation explains: its dotted name and its address."""

    name: str
    address: str
    inventory: Inventory


@dataclass(frozen=True)
class Resolved:
    """A name in the code of a chapter, and what it leads to."""

    reference: Reference
    target: Place | External


@dataclass(frozen=True)
class Use:
    """The line where a chapter first uses a name, or inherits from it."""

    chapter: Chapter
    line: int
    inherits: bool


@dataclass(frozen=True)
class Used(Generic[Target]):
    """What is used, and by which chapters, under their names."""

    target: Target
    by: dict[str, Use]

    def note(self, chapter: Chapter, reference: Reference) -> None:
        """Keep the line, unless an earlier one of the chapter says as much."""
        use = Use(chapter, reference.line, reference.kind == "base")
        before = self.by.get(chapter.name)
        if before is None or (use.inherits and not before.inherits):
            self.by[chapter.name] = use


@dataclass(frozen=True)
class _Module:
    name: str
    names: ModuleNames
    chapter: Chapter | None


class Resolution:
    """What the names of all chapters lead to. Modules without a page are followed through."""

    def __init__(self, chapters: Mapping[str, Chapter], settings: Settings) -> None:
        self.inventories = settings.inventories
        self._chapters = {item.module or "": item for item in chapters.values() if item.source}
        self._settings = settings
        self._modules: dict[str, _Module | None] = {}
        self._resolved: dict[str, tuple[Resolved, ...]] = {}
        self._found: dict[tuple[str, bool], Place | External | None] = {}

    def of(self, chapter: Chapter) -> tuple[Resolved, ...]:
        """Return the names of `chapter` that lead somewhere."""
        name = chapter.module or ""
        if name not in self._resolved:
            module = self._module(name)
            references = module.names.references if module else ()
            self._resolved[name] = tuple(self._resolve(references))
        return self._resolved[name]

    def _resolve(self, references: Iterable[Reference]) -> Iterator[Resolved]:
        for reference in references:
            target = self.find(reference.target, reference.inherited)
            if target is not None:
                yield Resolved(reference, target)

    def uses_of(self, chapter: Chapter) -> list[Used[Place]]:
        """Return who uses what `chapter` defines at its top level, in the order of its lines."""
        module = self._module(chapter.module or "")
        lines = module.names.definitions if module else {}
        uses = self._uses.get(chapter.name, {}).values()
        return sorted(uses, key=lambda used: lines[used.target.name])

    def external_uses(self) -> list[Used[External]]:
        """Return who uses what other documentation explains."""
        return list(self._external_uses.values())

    def find(self, path: str, inherited: bool = False) -> Place | External | None:
        """Return what stands at a dotted path; of what is inherited, the class is passed over."""
        key = (path, inherited)
        if key not in self._found:
            self._found[key] = self._find(path, inherited, MOST_STEPS)
        return self._found[key]

    def _find(self, path: str, inherited: bool, steps: int) -> Place | External | None:
        if not steps:
            return None
        name = self._module_of(path)
        module = self._module(name) if name else None
        if module is None:
            return self._external(path)
        rest = path[len(module.name) + 1 :]
        if not rest:
            return Place(module.chapter, "", "") if module.chapter else None
        head, _, tail = rest.partition(".")
        if head in module.names.imports:
            path = ".".join(filter(None, [module.names.imports[head], tail]))
            return self._find(path, inherited, steps - 1)
        if rest in module.names.definitions and not inherited:
            return self._place(module, rest)
        owner, _, member = rest.rpartition(".")
        for base in module.names.bases.get(owner, ()):
            if found := self._find(f"{base}.{member}", False, steps - 1):
                return found
        return None

    @cached_property
    def _uses(self) -> dict[str, dict[str, Used[Place]]]:
        uses: dict[str, dict[str, Used[Place]]] = {}
        for chapter, resolved in self._all:
            place = resolved.target
            if not isinstance(place, Place) or place.chapter is chapter:
                continue
            if place.name and "." not in place.name:
                of_page = uses.setdefault(place.chapter.name, {})
                used = of_page.setdefault(place.name, Used(place, {}))
                used.note(chapter, resolved.reference)
        return uses

    @cached_property
    def _external_uses(self) -> dict[str, Used[External]]:
        uses: dict[str, Used[External]] = {}
        for chapter, resolved in self._all:
            external = resolved.target
            if isinstance(external, External):
                used = uses.setdefault(external.name, Used(external, {}))
                used.note(chapter, resolved.reference)
        return uses

    @property
    def _all(self) -> Iterator[tuple[Chapter, Resolved]]:
        """What every chapter leads to; its imports come last."""
        for chapter in self._chapters.values():
            resolved = self.of(chapter)
            for item in sorted(resolved, key=lambda item: item.reference.kind == "import"):
                yield chapter, item

    def _external(self, path: str) -> External | None:
        found = find(self.inventories, path)
        if found:
            return External(path, found[1], found[0])
        return self._method(path.removeprefix(".")) if path.startswith(".") else None

    def _method(self, name: str) -> External | None:
        """Return the method that only one class has, unless the course defines one of that name."""
        for inventory in self.inventories:
            full = inventory.method(name)
            address = inventory.address(full) if full else None
            if full and address and name not in self._own_methods:
                return External(full, address, inventory)
        return None

    @cached_property
    def _own_methods(self) -> frozenset[str]:
        modules = filter(None, (self._module(name or "") for name in self._chapters))
        names = (name for module in modules for name in module.names.definitions)
        return frozenset(name.rpartition(".")[2] for name in names if "." in name)

    def _place(self, module: _Module, name: str) -> Place | None:
        chapter = module.chapter
        if chapter is None or chapter.source is None:
            return None
        is_section = name in {item.qualified_name for item in chapter.source.definitions}
        anchored = is_section and name in chapter.anchors
        return Place(chapter, name, name if anchored else f"line-{module.names.definitions[name]}")

    def _module_of(self, path: str) -> str | None:
        """Return the name of the module of the course that `path` lies in."""
        while path:
            if path in self._files:
                return path
            path = path.rpartition(".")[0]
        return None

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> _Module | None:
        chapter = self._chapters.get(name)
        path = self._files.get(name)
        if chapter is None and path is None:
            return None
        is_package = path is not None and path.name == "__init__.py"
        try:
            text = chapter.source.text if chapter and chapter.source else read(path or Path())
            return _Module(name, analyse(text, name, is_package), chapter)
        except (SiteError, SyntaxError):
            return None

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Every module of the source folders, whether it has a page or not."""
        return {
            ".".join(parts): path
            for source in self._settings.sources
            for path, parts in _python_files(source.path)
        }


def _python_files(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield path, parts[:-1] if parts[-1] == "__init__" else parts

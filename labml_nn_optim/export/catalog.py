"""A name stands for a chapter or for a class in one, whatever its case and underscores.

`radam` is a file with one class. `schedules/decay` is a file with eight, and `InverseTimeSchedule` is one of them. So a name may be
that of a chapter, and then all that it exports is meant, or that of a class or function which a chapter exports. Where two
chapters have one name, as `composite` of schedulers and of parameter groups, the folder is said, too.

A rule for parameter groups is of no use alone: `param_groups` reads it. So it comes along.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from labml_nn_optim.export.modules import ExportError, Library, Origin

__all__ = ["Entry", "find"]

# Folders that hold no chapters.
TOOLS = ("export", "skeleton")
RULES = "param_groups"
READER = ("groups", "param_groups")


@dataclass(frozen=True)
class Entry:
    """Something that can be copied.

    - `file`: the name of its file, without `.py`
    - `roots`: what it is made of, that of its own chapter first
    """

    name: str
    file: str
    roots: tuple[Origin, ...]


def find(library: Library, name: str) -> Entry:
    """Return what `name` stands for: all that a chapter exports, or one thing that it does.

    Raises `ExportError` for a name that means nothing, with the nearest ones, or two things.
    """
    name = name.removesuffix(".py")
    tables = _tables(library)
    # `Depth` is a selector, `depth` a chapter. Where case tells nothing, chapters come first.
    for plain in (str, _plain):
        for entries in tables:
            found = [entry for known, entry in entries if plain(known) == plain(name)]
            if len(found) > 1:
                both = " and ".join(entry.name for entry in found)
                raise ExportError(f"name must be that of one thing, got {name!r}, which is {both}")
            if found:
                return found[0]
    shown = {_plain(known): entry.name for known, entry in [*tables[2], *tables[1]]}
    near = difflib.get_close_matches(_plain(name), shown, n=3, cutoff=0.5)
    hint = f"; the nearest are {', '.join(dict.fromkeys(shown[each] for each in near))}"
    raise ExportError(
        f"name must be that of a chapter or of a class in one, got {name!r}{hint if near else ''}"
    )


@lru_cache(maxsize=8)
def _tables(library: Library) -> tuple[list[tuple[str, Entry]], ...]:
    """Return the names and what they stand for: chapters, chapters without the folder, contents."""
    return tuple(list(table(library)) for table in (_chapters, _stems, _contents))


def _chapters(library: Library) -> Iterator[tuple[str, Entry]]:
    """Yield the chapters by their names with the folder."""
    for name in _modules(library):
        path = name.split(".")[1:]
        exported = [Origin(name, each) for each in library.module(name).exported]
        entry = Entry("/".join(path), path[-1], _with_reader(library, exported))
        yield entry.name, entry


def _stems(library: Library) -> Iterator[tuple[str, Entry]]:
    """Yield the chapters by their names without the folder."""
    return ((entry.file, entry) for _, entry in _chapters(library))


def _contents(library: Library) -> Iterator[tuple[str, Entry]]:
    """Yield what the chapters export by its names; those of schedules may be short."""
    for module in _modules(library):
        stem = module.rpartition(".")[2]
        for name in library.module(module).exported:
            if name in library.module(module).definitions:
                roots = _with_reader(library, [Origin(module, name)])
                file = stem if _plain(stem) == _plain(name) else _snake(name)
                entry = Entry(name, file, roots)
                for known in dict.fromkeys((name, name.removesuffix("Schedule"))):
                    yield known, entry


def _modules(library: Library) -> list[str]:
    tools = tuple(f"{library.package}.{folder}." for folder in TOOLS)
    return [name for name in library.names if not name.startswith(tools)]


def _with_reader(library: Library, roots: list[Origin]) -> tuple[Origin, ...]:
    folder = f"{library.package}.{RULES}"
    reader = Origin(f"{folder}.{READER[0]}", READER[1])
    if roots and roots[0].module.startswith(f"{folder}.") and reader not in roots:
        return (*roots, reader)
    return tuple(roots)


def _plain(name: str) -> str:
    """Return a name without what makes no difference."""
    return name.lower().replace("_", "").replace("-", "")


def _snake(name: str) -> str:
    """Return the name of a file for a class: `cosine_annealing_lr` for `CosineAnnealingLR`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()

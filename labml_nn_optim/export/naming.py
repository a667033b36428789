"""Where two modules call different things by one name, one of them gets another name in the file.

A module is a space of names, and a file has one for all. What the file is about keeps its name. The others come in the order of the
file, then what is imported, and who finds a name taken gets that of the module in front: `compiled_batches`. Longer names make
longer lines. Where a line would have to be broken for that, it is the other one who gets another name. A
module that is used as an object, such as `progress` in `progress.LinearSchedule`, becomes one with the module's public names.
"""

from __future__ import annotations

import builtins

from labml_nn_optim.export.head import WIDTH
from labml_nn_optim.export.modules import External, Module, Origin
from labml_nn_optim.export.needed import Needed

__all__ = ["Naming"]

Key = Origin | External


class Naming:
    """The names of all that stands in a file."""

    def __init__(self, needed: Needed) -> None:
        self.library = needed.library
        self.needed = needed
        modules = needed.modules
        self._used = {name for module in modules for name in module.identifiers}
        self._names: dict[Key, str] = {}
        # A function of a module may mean the built-in that another module has replaced.
        self._taken: dict[str, Key | None] = dict.fromkeys(dir(builtins))
        for root in needed.roots:
            self._give(root, root.name)
        for module in modules:
            for name, definition in module.definitions.items():
                if definition in needed.definitions:
                    self._claim(Origin(module.name, name), name)
            if module.name in needed.namespaces:
                self._claim(Origin(module.name, ""), _stem(module.name))
        # All parts of torch that are imported share the name `torch`.
        externals = needed.externals | needed.typing_only
        for each in externals:
            if each.name is None:
                self._give(each, each.bound)
        for each in sorted(externals, key=lambda each: (each.module, each.name or "")):
            self._claim(each, each.bound)

    def _claim(self, key: Key, name: str) -> None:
        """Give `name` to `key`, or a longer one to it or to what has that name."""
        if key in self._names:
            return
        if name not in self._taken:
            self._give(key, name)
            return
        holder = self._taken[name]
        new = self._longer(key, name)
        if holder and holder not in self.needed.roots and not self._has_room(key, name, new):
            self._give(holder, self._longer(holder, name))
            self._give(key, name)
        else:
            self._give(key, new)

    def _give(self, key: Key, name: str) -> None:
        self._names[key] = name
        self._taken[name] = key

    def _longer(self, key: Key, name: str) -> str:
        """Return `name` with that of its module in front, or behind that of a class."""
        stem = _stem(key.module) if isinstance(key, Origin) else key.module.split(".")[0]
        if name.isupper():
            new = f"{stem}_{name}".upper()
        elif name[0].isupper():
            new = f"{name}Of{stem.title().replace('_', '')}"
        else:
            new = f"{'_' * name.startswith('_')}{stem}_{name.lstrip('_')}"
        while new in self._taken or new in self._used:
            new += "_"
        return new

    def _has_room(self, key: Key, name: str, new: str) -> bool:
        """Whether all lines with `name` stay short enough with the new one to be formatted as they are."""
        for definition in self.needed.definitions:
            if self.library.resolve(definition.module, name) != key:
                continue
            lines = self.library.module(definition.module).lines
            places = [each.lineno for each in definition.found if each.id == name]
            places += [definition.node.lineno] * (name in definition.names)
            if any(len(lines[place - 1]) + len(new) - len(name) > WIDTH for place in places):
                return False
        return True

    def name_of(self, key: Key) -> str:
        """Return the name of a definition or of an import."""
        return self._names.get(key, key.name or "")

    def new_names(self, module: Module) -> dict[str, str]:
        """Return the names of `module` that are others in the file."""
        found = {}
        for name in {*module.definitions, *module.links, *module.imports}:
            origin = self.library.resolve(module.name, name)
            keys: list[Key] = [origin] if origin else [*module.imports.get(name, ())]
            new = next((self._names[key] for key in keys if key in self._names), name)
            if new != name:
                found[name] = new
        return found

    def namespace(self, module: Module) -> list[str]:
        """Return the statement that makes an object of a module's public names."""
        names = sorted(module.exported)
        return [
            f"{self._names[Origin(module.name, '')]} = SimpleNamespace(",
            "    __all__=[",
            *(f'        "{name}",' for name in names),
            "    ],",
            *(f"    {name}={self.name_of(Origin(module.name, name))}," for name in names),
            ")",
        ]


def _stem(module: str) -> str:
    return module.rpartition(".")[2]

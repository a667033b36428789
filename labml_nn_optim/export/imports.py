"""The imports of many modules become one list, sorted and broken as ruff does it.

Each module imports for itself. In one file every import stands once: first what Python has, then torch, `import` before `from`,
and in each line constants before classes before functions. That is the order of isort, which ruff has taken over. A file that is
carried into a project with these tools passes them as it is.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from labml_nn_optim.export.head import WIDTH
from labml_nn_optim.export.modules import External
from labml_nn_optim.export.naming import Naming
from labml_nn_optim.export.needed import Needed

__all__ = ["imports", "listed"]


def imports(needed: Needed, naming: Naming) -> str:
    """Return the import statements of a file."""
    externals = set(needed.externals)
    typing_only = sorted(needed.typing_only, key=lambda each: (each.module, each.name or ""))
    if typing_only:
        externals.add(External("typing", "TYPE_CHECKING"))
    if needed.namespaces:
        externals.add(External("types", "SimpleNamespace"))
    blocks = []
    for is_standard in (True, False):
        section = [each for each in externals if _is_standard(each) == is_standard]
        blocks.append("\n".join(_section(section, naming)))
    if typing_only:
        inner = "\n".join(_section(typing_only, naming))
        indented = "\n".join(f"    {line}" for line in inner.split("\n"))
        blocks.append(f"if TYPE_CHECKING:\n{indented}")
    return "\n\n".join(filter(None, blocks))


def _is_standard(external: External) -> bool:
    return external.module.split(".")[0] in sys.stdlib_module_names


def _section(externals: Iterable[External], naming: Naming) -> Iterator[str]:
    wholes = sorted({each.module for each in externals if each.name is None})
    yield from (f"import {module}" for module in wholes)
    names: dict[str, list[str]] = defaultdict(list)
    renamed: dict[str, list[str]] = defaultdict(list)
    for each in externals:
        if each.name is not None:
            new = naming.name_of(each)
            if new == each.name:
                names[each.module].append(each.name)
            else:
                renamed[each.module].append(f"{each.name} as {new}")
    for module in sorted(names.keys() | renamed.keys()):
        if module in names:
            yield _from(module, sorted(names[module], key=lambda name: (kind(name), name.lower())))
        yield from (f"from {module} import {each}" for each in sorted(renamed[module]))


def _from(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def kind(name: str) -> int:
    """Return the place of constants, classes and all the rest."""
    if len(name) > 1 and name.isupper():
        return 0
    return 1 if name[:1].isupper() else 2


def listed(start: str, names: Iterable[str]) -> str:
    """Return a list of texts behind `start`, on one line if there is room."""
    texts = [f'"{name}"' for name in sorted(names, key=lambda name: (kind(name), name))]
    line = f"{start}[{', '.join(texts)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{start}[", *(f"    {text}," for text in texts), "]"])

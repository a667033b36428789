r"""
---
title: Finding an optimizer by name
summary: The name of an optimizer is the name of its file; it is loaded when it is asked for.
chapter: "0.6"
---

# A list that nobody has to keep

A dictionary from names to classes goes stale with the first chapter that someone forgets to add, and
loads every chapter to offer one. The folder itself is the list.
`get_optimizer("radam")` looks for a file of that name and imports that one.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labml_nn_optim.base import GenericAdaptiveOptimizer

__all__ = ["get_optimizer", "optimizer_names", "summary"]

_FOLDER = Path(__file__).parent / "optimizers"


def optimizer_names() -> tuple[str, ...]:
    """Names of all optimizers, which are the names of their files, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("[a-z]*.py")))


def get_optimizer(name: str) -> type[GenericAdaptiveOptimizer]:
    """Return the optimizer class that the file `name` defines; case and underscores are ignored.

    Raises:
        TypeError: `name` is no string.
        ValueError: there is no such file; the message names the nearest ones.
    """
    stem = _find(name)
    module = importlib.import_module(f"labml_nn_optim.optimizers.{stem}")
    class_name = next(key for key in module.__all__ if key.lower() == _plain(stem))
    found: type[GenericAdaptiveOptimizer] = getattr(module, class_name)
    return found


def summary(name: str) -> str:
    """Return the one-sentence summary in the front matter of the file `name`.

    Raises:
        TypeError: `name` is no string.
        ValueError: there is no such file, or it has no summary.
    """
    stem = _find(name)
    tree = ast.parse((_FOLDER / f"{stem}.py").read_text(encoding="utf-8"))
    found = entry(ast.get_docstring(tree) or "", "summary")
    if not found:
        raise ValueError(f"optimizers/{stem}.py has no summary in its front matter")
    return found


def entry(front_matter: str, key: str) -> str:
    """Return the text under `key` on one line, empty if there is none."""
    match = re.search(rf"^{key}:(?: >-?\n)?(.+(?:\n +.+)*)", front_matter, re.MULTILINE)
    return " ".join(match[1].split()).strip("\"'") if match else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _find(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be the name of an optimizer, got {name!r}")
    stems = {_plain(stem): stem for stem in optimizer_names()}
    if _plain(name) in stems:
        return stems[_plain(name)]
    near = difflib.get_close_matches(_plain(name), stems, n=3, cutoff=0.5) or sorted(stems)
    listed = ", ".join(stems[key] for key in near)
    raise ValueError(f"name must be an optimizer's, got {name!r}; the nearest are {listed}")

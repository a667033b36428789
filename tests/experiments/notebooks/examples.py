"""The chapters of the library with their cells, made once for all tests of a process."""

import ast
import codeop
import contextlib
import io
import sys
import types
from functools import cache
from pathlib import Path

import torch

from experiments.notebooks.cells import Cell
from experiments.notebooks.making import all_cells, chapters_of
from site_gen.build import read_chapters
from site_gen.chapters import Chapter
from site_gen.config import read_settings
from site_gen.course import Course

ROOT = Path(__file__).parents[3]


def names() -> list[str]:
    """The names of the chapters that have notebooks."""
    (source, *_) = read_settings(ROOT / "mkdocs.yml").sources
    return [name for _, name in source.files()]


@cache
def course() -> Course:
    settings = read_settings(ROOT / "mkdocs.yml")
    return Course(read_chapters(settings), settings)


@cache
def cells() -> dict[str, list[Cell]]:
    return all_cells(chapters_of(course()), course())


def chapter(name: str) -> Chapter:
    return course().chapters[name]


def code_of(name: str) -> list[str]:
    return [cell.text for cell in cells()[name] if cell.is_code]


def prose_of(name: str) -> str:
    return "\n\n".join(cell.text for cell in cells()[name] if not cell.is_code)


def run(name: str) -> str:
    """Run the code of a notebook, cell by cell as a kernel does, and return what it prints."""
    module = types.ModuleType("notebook")
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    compiled = codeop.Compile()
    printed = io.StringIO()
    try:
        with torch.random.fork_rng(), contextlib.redirect_stdout(printed):
            for number, code in enumerate(code_of(name)):
                exec(compiled(f"{code}\n", f"{name}[{number}]", "exec"), module.__dict__)
    finally:
        sys.modules.pop(module.__name__)
        if before is not None:
            sys.modules[module.__name__] = before
    return printed.getvalue()


def bound(code: str) -> set[str]:
    """The names that code binds at its top, without those that it imports."""
    found = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found |= {
                each.id
                for each in ast.walk(node)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
    return found

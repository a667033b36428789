"""The notebooks, programs and texts of many chapters, as files in a folder; what stays the same is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.library import LIBRARY, last_change
from experiments.made_files import differs, write_changed
from experiments.notebooks.cells import Cell, cells_of
from experiments.notebooks.formats import notebook, program
from experiments.notebooks.links import Links
from experiments.notebooks.texts import is_installed, texts
from experiments.single_files import library_at
from site_gen.chapters import Chapter
from site_gen.course import Course

NOTEBOOK, PROGRAM, TEXT = ".ipynb", ".py", ".txt"


def chapters_of(course: Course) -> list[Chapter]:
    """Return the chapters that have notebooks: those of the library."""
    return [chapter for chapter in course.chapters.values() if has_notebook(chapter)]


def has_notebook(chapter: Chapter) -> bool:
    """Whether a chapter has a notebook."""
    return (chapter.module or "").startswith(f"{LIBRARY}.")


def all_cells(chapters: Sequence[Chapter], course: Course) -> dict[str, list[Cell]]:
    """Return the cells of chapters of the library, by the names of the chapters."""
    library, links = library_at(last_change()), Links(course)
    return {chapter.name: cells_of(chapter, library, links) for chapter in chapters}


def make(chapters: Sequence[Chapter], course: Course, folder: Path) -> list[Path]:
    """Write the files of some chapters below `folder` and return them, a notebook, a program and a text for each.

    Without PyLit there are no texts. Raises `TextError` if it fails.
    """
    cells = all_cells(chapters, course)
    programs = {name: program(each) for name, each in cells.items()}
    paths = [
        write_changed(folder / f"{name}{NOTEBOOK}", notebook(each)) for name, each in cells.items()
    ]
    if is_installed():
        paths += _make_texts(programs, folder)
    return [
        *paths,
        *(write_changed(folder / f"{name}{PROGRAM}", text) for name, text in programs.items()),
    ]


def _make_texts(programs: dict[str, str], folder: Path) -> Iterator[Path]:
    """Make the texts of programs that are not in the folder as they are now."""
    new = {
        name: text
        for name, text in programs.items()
        if not (folder / f"{name}{TEXT}").is_file() or differs(folder / f"{name}{PROGRAM}", text)
    }
    for name, text in texts(new).items():
        write_changed(folder / f"{name}{TEXT}", text)
    return (folder / f"{name}{TEXT}" for name in programs)

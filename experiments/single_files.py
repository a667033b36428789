"""Chapters of the library as single files, for the pages to offer (see `labml_nn_optim.export`)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from experiments.code_versions import ROOT
from experiments.library import LIBRARY, last_change
from experiments.made_files import write_changed
from labml_nn_optim.export import ExportError, Library, find, single_file
from site_gen.chapters import Chapter
from site_gen.plugins import Fact

MADE = ROOT / "build" / "single_files"
"""Where the files are made."""

SITE_FOLDER = "files"
"""Where the files lie in the site."""


def single_file_fact(chapter: Chapter) -> Fact | None:
    """Return the line with the file of a chapter of the library; None if it cannot be carried away."""
    if not (chapter.module or "").startswith(f"{LIBRARY}."):
        return None
    file = _made(chapter.name, last_change())
    if file is None:
        return None
    path = f"{SITE_FOLDER}/{chapter.name}.py"
    address = "../" * chapter.name.count("/") + path
    link = Markup('<a class="single-file" href="{}" download>{}</a>').format(address, file.name)
    return Fact("All in one file", link, {path: file})


# Other pages are asked for again when one has changed, but a file only where the library has.
@lru_cache(maxsize=1024)
def _made(name: str, newest: int) -> Path | None:
    library = library_at(newest)
    try:
        text = single_file(library, [find(library, name)])
    except ExportError:
        return None
    return write_changed(MADE / f"{name}.py", text)


@lru_cache(maxsize=1)
def library_at(newest: int) -> Library:
    """Return the library as it was when `newest`, the time of the last change, was the newest."""
    return Library(ROOT / LIBRARY)

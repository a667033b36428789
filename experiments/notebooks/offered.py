"""What the pages offer: the chapter as a notebook, in Colab, as a text and as a program."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from experiments.code_versions import ROOT
from experiments.notebooks.links import colab
from experiments.notebooks.making import NOTEBOOK, PROGRAM, TEXT, chapters_of, has_notebook, make
from experiments.notebooks.texts import is_installed
from site_gen.chapters import Chapter
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.plugins import Fact
from site_gen.repository import Repository

MADE = ROOT / "build" / "notebooks"
"""Where the files are made."""

SETTINGS = ROOT / "mkdocs.yml"
SITE_FOLDER = "notebooks"
"""Where the files lie in the site."""


def notebook_fact(chapter: Chapter) -> Fact | None:
    """Return the line with the notebook of a chapter; None if it has none."""
    if not has_notebook(chapter):
        return None
    address = "../" * chapter.name.count("/") + f"{SITE_FOLDER}/{chapter.name}"
    stem = chapter.name.rpartition("/")[2]
    link = Markup('<a href="{}" download>{}</a>')
    links = [link.format(f"{address}{NOTEBOOK}", f"{stem}{NOTEBOOK}")]
    repository = _repository(SETTINGS, SETTINGS.stat().st_mtime_ns)
    if where := colab(repository, f"{chapter.name}{NOTEBOOK}"):
        links.append(Markup('<a href="{}" rel="noreferrer">open in Colab</a>').format(where))
    if is_installed():
        links.append(Markup('<a href="{}">as a text</a>').format(f"{address}{TEXT}"))
    links.append(link.format(f"{address}{PROGRAM}", "as a program"))
    return Fact("As a notebook", Markup(", ").join(links))


def notebook_files(course: Course) -> dict[str, Path]:
    """Return the files of all chapters, by their paths in the site."""
    made = make(chapters_of(course), course, MADE)
    return {f"{SITE_FOLDER}/{path.relative_to(MADE).as_posix()}": path for path in made}


# It is asked for by every page.
@lru_cache(maxsize=1)
def _repository(file: Path, changed: int) -> Repository | None:
    """Return the repository that the settings name, as they were at the time `changed`."""
    return read_settings(file).repository

"""`python -m experiments.notebooks --out FOLDER adam schedules/wsd` writes notebooks, programs and texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from experiments.cli import run_command
from experiments.code_versions import ROOT
from experiments.library import LIBRARY
from experiments.notebooks.making import chapters_of, make
from experiments.notebooks.texts import TextError, is_installed
from site_gen.build import read_chapters
from site_gen.config import Settings, read_settings
from site_gen.course import Course


@click.command("python -m experiments.notebooks")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/notebooks"),
    show_default=True,
    help="The folder to write to.",
)
def main(names: Sequence[str], out: Path) -> None:
    """Write chapters of the library as notebooks, programs and texts.

    NAME is that of a chapter, such as adam or schedules/wsd; without any all are written.
    """
    settings = read_settings(ROOT / "mkdocs.yml")
    # To read all chapters takes seconds; a wrong name is told before.
    chosen = {_named(name, _known(settings)) for name in names}
    course = Course(read_chapters(settings), settings)
    chapters = [each for each in chapters_of(course) if not chosen or each.name in chosen]
    try:
        paths = make(chapters, course, out)
    except TextError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(paths)} files of {len(chapters)} chapters in {out}")
    if not is_installed():
        click.echo("There are no texts: PyLit is not installed (pip install pylit==0.8.0).")


def _known(settings: Settings) -> list[str]:
    """Return the names of the chapters of the library."""
    library = ROOT / LIBRARY
    sources = (source for source in settings.sources if source.path == library)
    return [name for source in sources for _, name in source.files()]


def _named(name: str, known: Sequence[str]) -> str:
    """Return the chapter that a name stands for, which may do without the folder."""
    if name in known:
        return name
    stems: dict[str, list[str]] = {}
    for each in known:
        stems.setdefault(each.rpartition("/")[2], []).append(each)
    found = stems.get(name, [])
    if len(found) == 1:
        return found[0]
    near = found or [each for stem in get_close_matches(name, stems) for each in stems[stem]]
    hint = f"; {'it may be' if found else 'the nearest are'} {', '.join(near)}" if near else ""
    raise click.BadParameter(f"must be that of one chapter, got {name!r}{hint}", param_hint="NAME")


if __name__ == "__main__":
    sys.exit(run_command(main))

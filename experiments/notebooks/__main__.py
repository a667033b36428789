"""`python -m experiments.notebooks --out FOLDER adam schedules/wsd` writes notebooks, programs and texts."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from experiments.cli import run_command
from experiments.code_versions import ROOT
from experiments.notebooks.making import chapters_of, make
from experiments.notebooks.texts import TextError, is_installed
from site_gen.build import read_chapters
from site_gen.chapters import Chapter
from site_gen.config import read_settings
from site_gen.course import Course


@click.command("python -m experiments.notebooks")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("notebooks"),
    show_default=True,
    help="The folder to write to.",
)
def main(names: Sequence[str], out: Path) -> None:
    """Write chapters of the library as notebooks, programs and texts.

    NAME is that of a chapter, such as adam or schedules/wsd; without any all are written.
    """
    settings = read_settings(ROOT / "mkdocs.yml")
    course = Course(read_chapters(settings), settings)
    chapters = chapters_of(course)
    if names:
        chapters = list({(each := _named(name, chapters)).name: each for name in names}.values())
    try:
        paths = make(chapters, course, out)
    except TextError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(paths)} files of {len(chapters)} chapters in {out}")
    if not is_installed():
        click.echo("There are no texts: PyLit is not installed (pip install pylit==0.8.0).")


def _named(name: str, chapters: Sequence[Chapter]) -> Chapter:
    found = [chapter for chapter in chapters if name == chapter.name]
    found = found or [chapter for chapter in chapters if name == chapter.name.rpartition("/")[2]]
    if len(found) == 1:
        return found[0]
    known = [chapter.name for chapter in found or chapters]
    if not found:
        stems = {each.rpartition("/")[2]: each for each in known}
        known = [stems[each] for each in difflib.get_close_matches(name, stems)]
    hint = f"; {'it may be' if found else 'the nearest are'} {', '.join(known)}" if known else ""
    raise click.BadParameter(f"must be that of one chapter, got {name!r}{hint}", param_hint="NAME")


if __name__ == "__main__":
    sys.exit(run_command(main))

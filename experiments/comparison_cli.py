"""The command line of the comparison: which records are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from experiments import committed
from experiments.comparison_report import report
from experiments.comparison_results import runs, searches
from experiments.options import study_command


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    experiment: str
    folder: Path | None

    @property
    def place(self) -> Path:
        """The folder of the records."""
        return self.folder or committed.folder(self.experiment)


def compare(options: Options) -> None:
    """Print what the records in a folder say."""
    for line in report(searches(options.place), runs(options.place)):
        click.echo(line)


def comparison_command() -> click.Command:
    """Return the command `python -m experiments.comparison`."""
    params = [
        click.Option(
            ["--experiment"],
            type=click.Choice(list(committed.EXPERIMENTS)),
            default=next(iter(committed.EXPERIMENTS)),
            show_default=True,
            help="The experiment whose committed records are compared.",
        ),
        click.Option(
            ["--folder"],
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            show_default="the committed records of the experiment",
            help="Folder of other records, such as runs/mnist, with the searches in its folder sweep.",
        ),
    ]
    return study_command(
        "comparison",
        Options,
        compare,
        params,
        "Print what the records of a sweep say about its optimizers, and how surely.",
    )


main = comparison_command()

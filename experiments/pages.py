"""What the experiments add to the pages of the course: commands, state memory, playgrounds, curves of real runs.

The site generator makes a `Plugin` and asks it about every chapter (see `site_gen.plugins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from experiments import plots, schedule_plots
from experiments.committed import EXPERIMENTS, VIT, folder, records_in
from experiments.comparison_figure import comparison_figures
from experiments.library import LIBRARY, describe_state, forget_changes, state_numbers
from experiments.notebooks.offered import notebook_fact, notebook_files
from experiments.playground.figure import playground_figure
from experiments.results_page import results_figures
from experiments.rule_rows import rules_figure
from experiments.run_figures import command, experiment_figures, first_run, optimizer_figures
from experiments.schedule_figures import schedule_figures
from experiments.single_files import single_file_fact
from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.plugins import Fact, Figure

ASSETS = Path(__file__).parent / "assets"
OPTIMIZERS = f"{LIBRARY}.optimizers."
CHAPTERS = {f"experiments.{name}": name for name in EXPERIMENTS}
"""The experiments by the modules of their chapters."""

COMPARISON = "experiments.comparison"
"""The module of the chapter that shows two rankings."""

TRANSFORMER = "experiments.vit"
"""The module of the chapter about the small transformer."""

RESULTS_PAGE = "experiments/results"
"""The name of the page that shows the results of all optimizers."""


class Plugin:
    """Facts, playgrounds and curves for the chapters of the optimizers, the schedules and the experiment."""

    def facts(self, chapter: Chapter) -> Iterable[Fact]:
        """Return the memory that the state takes, the command that runs the experiment, the single file, and the notebook."""
        name = optimizer_name(chapter)
        if name:
            run = first_run(name)
            settings = run.configuration if run else {"options": {}, "dtype": "float32"}
            options = settings["options"]
            numbers = state_numbers(name, options, settings["dtype"])
            yield Fact("State memory", describe_state(numbers, options))
            usual = f"python -m {next(iter(CHAPTERS))} --optimizer {name}"
            yield Fact("Run it", _code(command(run) if run else usual))
        elif chapter.module and _is_program(chapter):
            yield Fact("Run it", _code(f"python -m {chapter.module}"))
        if (fact := single_file_fact(chapter)) is not None:
            yield fact
        if (fact := notebook_fact(chapter)) is not None:
            yield fact

    def figures(self, chapter: Chapter) -> Iterable[Figure]:
        """Return charts of what the chapter computes, and of the committed runs it is about."""
        forget_changes()
        yield from plots.figures(chapter.module or chapter.name)
        yield from schedule_plots.figures(chapter.module or chapter.name)
        name = optimizer_name(chapter)
        if name:
            yield playground_figure(name)
            yield from optimizer_figures(name)
        elif chapter.module in CHAPTERS:
            yield from experiment_figures(CHAPTERS[chapter.module])
        elif chapter.module == COMPARISON:
            yield from comparison_figures()
        elif chapter.module == TRANSFORMER:
            if runs := records_in(folder("cifar", VIT)):
                yield rules_figure("Runs with and without rules", "rules", runs)
        elif chapter.module:
            yield from schedule_figures(chapter.module.removeprefix(f"{LIBRARY}."))
        elif chapter.name == RESULTS_PAGE:
            yield from results_figures()

    def files(self, course: Course) -> Mapping[str, Path]:
        """Return the notebooks of the library's chapters, with their texts and programs."""
        return notebook_files(course)

    def assets(self) -> Iterable[Path]:
        """Return the styles and scripts of charts, results, playgrounds and single files."""
        names = ("curves", "explore", "playground", "results", "single_file")
        return [ASSETS / f"{name}.{kind}" for kind in ("css", "js") for name in names]


def optimizer_name(chapter: Chapter) -> str | None:
    """Return the name of the optimizer that a chapter is about, None for other chapters."""
    module = chapter.module or ""
    return module.removeprefix(OPTIMIZERS) if module.startswith(OPTIMIZERS) else None


def _is_program(chapter: Chapter) -> bool:
    return 'if __name__ == "__main__":' in chapter.text


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)

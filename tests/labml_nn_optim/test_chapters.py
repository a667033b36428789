"""What the chapters claim in code is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import labml_nn_optim
from labml_nn_optim import optimizer_names

PACKAGE = Path(labml_nn_optim.__file__).parent
PROSE = PACKAGE.parent / "docs_src"
COMMENT = re.compile(r"^# ?", re.MULTILINE)
SOLUTION = re.compile(r"^::: solution$(.*?)^:::$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python$(.*?)^```$", re.MULTILINE | re.DOTALL)


def solutions() -> list[tuple[str, str]]:
    """Every Python block in a solution, with the chapter it stands in."""
    return [
        (path.relative_to(PACKAGE).as_posix(), code)
        for path in sorted(PACKAGE.rglob("*.py"))
        for solution in SOLUTION.findall(COMMENT.sub("", path.read_text(encoding="utf-8")))
        for code in PYTHON.findall(solution)
    ]


def run(code: str, name: str) -> None:
    """Run `code` as a program of its own, but in this process: importing torch takes seconds."""
    with torch.random.fork_rng():
        exec(compile(code, name, "exec", dont_inherit=True), {"__name__": "solution"})


@pytest.mark.parametrize(("chapter", "code"), solutions(), ids=lambda value: value[:30])
def test_the_code_of_a_solution_runs(
    chapter: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(code, chapter)


def pages() -> list[Path]:
    """Chapters that are prose only, and hold code."""
    return [path for path in sorted(PROSE.glob("*.md")) if PYTHON.search(path.read_text("utf-8"))]


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("\n".join(PYTHON.findall(page.read_text(encoding="utf-8"))), page.name)


def test_every_optimizer_has_solutions_with_code() -> None:
    chapters = {chapter for chapter, _ in solutions()}
    assert chapters >= {f"optimizers/{name}.py" for name in optimizer_names()}

"""Each chapter of the library is a notebook that says all that the chapter says, and that runs."""

import ast
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from experiments.notebooks.formats import notebook, program
from tests.experiments.notebooks.examples import (
    ROOT,
    bound,
    cells,
    chapter,
    code_of,
    names,
    prose_of,
    run,
)

LOSS = re.compile(r"loss (\d+\.\d+) -> (\d+\.\d+)")
WITHOUT_DIGITS = {
    "checks",
    "compiled",
    "param_groups/depth",
    "param_groups/rules",
    "param_groups/selectors",
    "pieces",
    "plan",
    "sharded",
    "totals",
}
"""Chapters about something other than a way to train."""

MARKUP = re.compile(r"^:::|^---$", re.MULTILINE)
FENCES = re.compile(r"^[ \t]*```.*?^[ \t]*```$", re.DOTALL | re.MULTILINE)
RELATIVE_LINK = re.compile(r"\]\((?!https?://)[^)\s]*\.(?:py|md)\b")
WORDS = re.compile(r"\w+")

EACH = pytest.mark.parametrize("name", names())


@EACH
def test_the_code_runs_from_top_to_bottom_and_a_training_run_lowers_the_loss(name):
    printed = run(name)
    rows = [row for row in printed.splitlines() if LOSS.search(row)]
    assert printed.strip()
    assert bool(rows) == (name not in WITHOUT_DIGITS)
    for row in rows:
        before, after = map(float, LOSS.search(row).groups())
        assert after < before, row


@EACH
def test_it_is_a_valid_notebook_and_the_same_bytes_each_time(name):
    text = notebook(cells()[name])
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert notebook(cells()[name]) == text
    made = json.loads(text)
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    assert [cell["source"] for cell in made["cells"]] == [
        cell.text.splitlines(keepends=True) for cell in cells()[name]
    ]


@EACH
def test_all_prose_of_the_chapter_is_in_it(name):
    """Word for word, but for what the code still has as its docstrings."""
    text, in_code = words_of(prose_of(name)), words_of("\n".join(code_of(name)))
    for section in chapter(name).source.sections:
        for piece in section.prose:
            body = piece.text.removeprefix("---\n").split("\n---\n", 1)[-1]
            for paragraph in body.split("\n\n"):
                words = words_of(re.sub(r"^::: solution", "", paragraph, flags=re.MULTILINE))
                assert words in text or words in in_code, paragraph


def words_of(text: str) -> str:
    """The words of a text, without the targets of its links."""
    return " ".join(WORDS.findall(re.sub(r"\]\([^)\s]+\)", "]", text)))


@EACH
def test_all_code_of_the_chapter_is_in_it_and_in_order(name):
    """All but docstrings and the list of what may be imported."""
    made = [each for code in own_code(name) for each in statements(code)]
    if name == "registry":
        # It looks for files beside its own, and a notebook has none.
        made = [each for each in made if not each.startswith(("import labml", "__file__"))]
    expected = statements(chapter(name).text)
    assert made == [each for each in expected if not each.startswith("__all__")]


def own_code(name: str) -> list[str]:
    """The code of the chapter itself: that between the installation and the run."""
    texts = cells()[name]
    end = next(i for i, cell in enumerate(texts) if cell.text.startswith("## A short run"))
    return [cell.text for cell in texts[:end] if cell.is_code and not cell.is_for_notebooks]


def statements(code: str) -> list[str]:
    """The statements at the top of some code without their docstrings, as Python writes them."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return list(map(ast.unparse, tree.body))


@EACH
def test_no_markup_of_the_course_is_left_over(name):
    prose = FENCES.sub("", prose_of(name))
    assert not MARKUP.search(prose)
    assert not RELATIVE_LINK.search(prose)
    assert prose.count("<details>") == prose.count("</details>")


@EACH
def test_it_begins_with_the_title_and_has_a_run_in_front_of_the_exercises(name):
    texts = [cell.text for cell in cells()[name]]
    assert texts[0].startswith(f"# {chapter(name).title}\n")
    run_at = next(index for index, text in enumerate(texts) if text.startswith("## A short run"))
    exercises = [text for text in texts[run_at:] if re.match(r"\*\*\d+\.\*\* ", text)]
    assert len(exercises) == len(re.findall(r"^# \*\*\d+\.\*\* ", chapter(name).text, re.M))
    assert all("<details>\n<summary>Solution</summary>" in text for text in exercises)


@EACH
def test_the_run_takes_no_name_that_the_chapter_needs(name):
    own = own_code(name)
    of_run = code_of(name)[len(own) + 1 :]
    taken = {each for code in of_run for each in bound(code)}
    needed = {each for code in own for each in (*bound(code), *imported(code))}
    assert not taken & needed


def imported(code: str) -> set[str]:
    nodes = [node for node in ast.parse(code).body if isinstance(node, ast.ImportFrom)]
    ours = [node for node in nodes if (node.module or "").startswith("labml_nn_optim")]
    return {alias.name for node in ours for alias in node.names}


@pytest.mark.parametrize("name", ["optimizers/adam", "schedules/wsd"])
def test_a_kernel_runs_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    document = nbformat.reads(notebook(cells()[name]), as_version=4)
    client = NotebookClient(
        document,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    printed = "".join(
        output.text
        for cell in document.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    assert LOSS.search(printed)


@pytest.mark.parametrize("name", ["quantize", "param_groups/layer_decay"])
def test_the_program_prints_what_the_notebook_prints(name, tmp_path):
    file = tmp_path / "chapter.py"
    file.write_text(program(cells()[name]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == run(name)


def test_the_program_says_what_the_notebook_says_with_solutions_in_the_open():
    text = program(cells()["optimizers/adam"])
    assert "<details>" not in text
    assert "get_ipython" not in text
    assert "# *Solution.*" in text
    compile(text, "adam.py", "exec", dont_inherit=True)

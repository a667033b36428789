"""PyLit makes linear texts out of the programs, and the same programs out of the texts."""

import subprocess
import sys

import pytest

from experiments.notebooks import texts as module
from experiments.notebooks.formats import program
from experiments.notebooks.texts import TextError, texts
from tests.experiments.notebooks.examples import cells

SOME = ["optimizers/adam", "schedules/ramp", "param_groups/selectors", "plan", "orthogonal", "base"]


def pylit(folder, *arguments) -> None:
    command = [sys.executable, "-m", "pylit", "--codeindent", "4", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("name", SOME)
def test_text_to_code_to_text_is_the_same_byte_for_byte(name, tmp_path):
    code = program(cells()[name])
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    pylit(tmp_path, "code.py", "text.txt")
    pylit(tmp_path, "text.txt", "again.py")
    pylit(tmp_path, "again.py", "again.txt")
    text = (tmp_path / "text.txt").read_bytes()
    assert (tmp_path / "again.py").read_text(encoding="utf-8") == code
    assert (tmp_path / "again.txt").read_bytes() == text
    assert texts({name: code})[name].encode() == text


def test_one_call_makes_of_all_chapters_what_a_call_for_each_makes():
    programs = {name: program(made) for name, made in cells().items()}
    together = texts(programs)
    assert list(together) == list(programs)
    assert {name: together[name] for name in SOME} == {
        name: texts({name: programs[name]})[name] for name in SOME
    }


def test_in_a_text_prose_stands_at_the_margin_and_code_is_indented():
    text = texts({"adam": program(cells()["optimizers/adam"])})["adam"]
    assert text.startswith("# Adam\n\nAdam divides")
    assert "\n::\n\n    class Adam(GenericAdaptiveOptimizer):\n" in text
    assert "\n## Exercises\n" in text


def test_no_chapter_makes_no_call(monkeypatch):
    monkeypatch.setattr(module, "TOOL", "no_such_module")
    assert texts({}) == {}


def test_a_failure_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(module, "TOOL", "no_such_module")
    assert not module.is_installed()
    with pytest.raises(TextError, match=r"^PyLit failed: .*No module named no_such_module$"):
        texts({"adam": "# Adam\n"})

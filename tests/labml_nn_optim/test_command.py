"""`python -m labml_nn_optim` as it is used: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labml_nn_optim import optimizer_names
from labml_nn_optim.registry import summary

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labml_nn_optim", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_copy_writes_one_file_and_says_so(tmp_path: Path) -> None:
    done = run("copy", "radam", "--to", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["radam.py"]
    lines = (tmp_path / "radam.py").read_text(encoding="utf-8").count("\n")
    assert done.stdout == f"{tmp_path / 'radam.py'}: {lines} lines\n"
    page = (ROOT / "docs_src/single_files.md").read_text(encoding="utf-8")
    assert f"my_project/radam.py: {lines} lines\n" in page


def test_several_names_share_a_file(tmp_path: Path) -> None:
    run("copy", "WSDSchedule", "InverseTime", "--bare", "--to", tmp_path)
    file = tmp_path / "wsd_schedule_inverse_time_schedule.py"
    text = file.read_text(encoding="utf-8")
    assert '__all__ = ["InverseTimeSchedule", "WSDSchedule"]' in text
    assert text.count("class ScheduleBase") == 1


def test_a_file_that_is_there_stays_without_force(tmp_path: Path) -> None:
    file = tmp_path / "wsd.py"
    file.write_text("mine")
    done = run("copy", "wsd", "--to", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"{file} is already there; --force overwrites it\n"
    assert file.read_text() == "mine"
    assert run("copy", "wsd", "--to", tmp_path, "--force").returncode == 0
    assert "class WSDSchedule" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["copy", "radan"],
            "name must be that of a chapter or of a class in one, got 'radan'; the nearest are ",
        ),
        (["copy", "xyz"], "name must be that of a chapter or of a class in one, got 'xyz'\n"),
        (
            ["copy", "composite"],
            "name must be that of one thing, got 'composite', which is "
            "param_groups/composite and schedulers/composite\n",
        ),
        (
            ["copy", "radam", "--to", "no/such/folder"],
            "--to must be a folder that is there, got 'no/such/folder'\n",
        ),
        (["copy"], "the following arguments are required: NAME\n"),
        (["print"], "argument copy | list | new-chapter: invalid choice: 'print'"),
        ([], "the following arguments are required: copy | list | new-chapter\n"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_nothing_is_written_when_a_name_is_wrong(tmp_path: Path) -> None:
    assert run("copy", "radam", "radan", "--to", tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_list_prints_every_optimizer_with_its_summary() -> None:
    done = run("list")
    rows = [line.split(maxsplit=1) for line in done.stdout.split("\n") if line[:1].strip()]
    assert [name for name, _ in rows] == list(optimizer_names())
    printed = " ".join(done.stdout.split())
    for name in optimizer_names():
        assert f"{name} {summary(name)}" in printed


def test_neither_command_loads_torch() -> None:
    code = (
        "import sys; from labml_nn_optim.__main__ import main; main(['list']);"
        "from labml_nn_optim.export import *; library = Library();"
        "single_file(library, [find(library, 'radam')]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split()[-1] == "False"

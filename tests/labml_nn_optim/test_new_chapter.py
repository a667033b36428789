"""`python -m labml_nn_optim new-chapter`: what it writes works, in a copy of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labml_nn_optim.skeleton import Chapter, write_chapter
from labml_nn_optim.skeleton.entries import Import, Item, UnknownLayoutError
from site_gen.chapters import Reading, load

ROOT = Path(__file__).parents[2]
COPIED = ("labml_nn_optim", "tests", "experiments", "docs_src", "pyproject.toml")
# The longest names, as a long line is what the formatter would break.
NEW = {
    "rule_with_a_long_name_12": "labml_nn_optim/optimizers/rule_with_a_long_name_12.py",
    "line_with_a_long_name_12": "labml_nn_optim/schedules/line_with_a_long_name_12.py",
}
# Those of all optimizers that take the least time, and every list in which one may be missing.
CONTRACTS = [
    f"tests/labml_nn_optim/{name}.py"
    for name in (
        *("test_chapters", "test_configs", "test_hyper_parameters", "test_named_state"),
        *("test_parity", "test_registry", "test_state_memory"),
        "schedules/test_config",
    )
]
NARROWED = "long_name or LongName or every_optimizer or there_is_an_example"


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def new_chapter(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(root, "labml_nn_optim", "new-chapter", *words)


def copy(folder: Path, *names: str) -> Path:
    for name in names:
        source = ROOT / name
        if source.is_file():
            shutil.copy(source, folder / name)
        else:
            skipped = shutil.ignore_patterns("__pycache__", "results", "node_modules")
            shutil.copytree(source, folder / name, ignore=skipped)
    return folder


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """What the command has printed, by the name of the chapter."""
    return {}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, printed: dict[str, str]) -> Path:
    """A copy of the checkout with a new optimizer and a new schedule."""
    root = tmp_path_factory.mktemp("beside") / "checkout"
    root.mkdir()
    copy(root, *COPIED)
    (root.parent / "shared").symlink_to(ROOT.parent / "shared")
    for name, kind in zip(NEW, ("optimizer", "schedule"), strict=True):
        done = new_chapter(root, name, "--kind", kind)
        assert (done.returncode, done.stderr) == (0, "")
        printed[name] = done.stdout
    return root


def test_new_and_changed_files_are_formatted_and_pass_the_linter(
    checkout: Path, printed: dict[str, str]
) -> None:
    files = re.findall(r"^(?:new|changed) +(\S+)$", "".join(printed.values()), re.MULTILINE)
    assert set(NEW.values()) < set(files)
    for words in (["format", "--check"], ["check"]):
        done = run(checkout, "ruff", *words, "--no-cache", *files)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_new_chapters_are_typed(checkout: Path) -> None:
    # What mypy knows of torch is reused where it has been read before.
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", checkout / ".mypy_cache")
    done = run(checkout, "mypy", *NEW.values())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NEW)
def test_a_new_chapter_is_a_page_of_its_own_place(checkout: Path, name: str) -> None:
    chapter = load(checkout / NEW[name], name, name, Reading(required=True))
    part, number = chapter.front_matter.place or (0, 0)
    place = f'chapter: "{part}.{number}"'
    texts = [path.read_text(encoding="utf-8") for path in checkout.rglob("*.py")]
    assert sum(place in text for text in texts) == 1
    assert "NewRule" not in chapter.text
    assert "new_rule" not in chapter.text


@pytest.mark.slow
def test_a_new_chapter_passes_its_tests_and_those_that_all_chapters_pass(checkout: Path) -> None:
    own = [
        *checkout.glob("tests/labml_nn_optim/optimizers/test_rule*.py"),
        *checkout.glob("tests/labml_nn_optim/schedules/test_line*.py"),
    ]
    assert len(own) == 2
    options = ["-q", "-p", "no:cacheprovider", "-k", NARROWED]
    done = run(checkout, "pytest", *options, *map(str, own), *CONTRACTS)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) > 40


def test_what_is_left_names_files_that_are_there(checkout: Path, printed: dict[str, str]) -> None:
    for name, text in printed.items():
        left = re.findall(r"^\d+\. (.*)$", text, re.MULTILINE)
        assert left[-1] == "make test"
        for path in re.findall(
            r"\b(?:labml_nn_optim|tests|experiments|docs_src)/[\w/]+\.\w+", text
        ):
            assert (checkout / path).is_file(), (name, path)
        for path, listed in re.findall(r"(\S+\.py), ([A-Z]+):", text):
            assert re.search(rf"^{listed}\b", (checkout / path).read_text(), re.MULTILINE)


def test_a_second_run_writes_nothing(checkout: Path) -> None:
    before = {path: path.read_bytes() for path in checkout.rglob("*.py")}
    done = new_chapter(checkout, "rule_with_a_long_name_12")
    assert done.returncode == 2
    assert done.stderr == f"NAME is taken: {NEW['rule_with_a_long_name_12']} is there\n"
    assert {path: path.read_bytes() for path in checkout.rglob("*.py")} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Demo"], "NAME must be lower-case words with _ between them, at most 24 letters, got"),
        (["2nd"], "NAME must be lower-case words"),
        (["a__b"], "NAME must be lower-case words"),
        (["../a"], "NAME must be lower-case words"),
        (["a" * 25], "NAME must be lower-case words"),
        (["lambda"], "NAME must be no word of Python's, got 'lambda'"),
        (["adam_w"], "NAME is taken: labml_nn_optim/optimizers/adamw.py is there"),
        (["sam"], "NAME is taken: labml_nn_optim/__init__.py exports a Sam"),
        (["ab", "--class", "AC"], "--class must be ab with a capital at its start, got 'AC'"),
        (
            ["my_schedule", "--kind", "schedule"],
            "NAME must not end in schedule, which its class does, got 'my_schedule'",
        ),
        (["ab", "--kind", "page"], "argument --kind: invalid choice: 'page'"),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_one_line(words: list[str], message: str) -> None:
    done = new_chapter(ROOT, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_outside_a_checkout_nothing_is_written(tmp_path: Path) -> None:
    copy(tmp_path, "labml_nn_optim")
    done = new_chapter(tmp_path, "demo")
    assert done.returncode == 2
    assert done.stderr.startswith("new-chapter needs a checkout, and there is no tests/labml_nn_o")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "labml_nn_optim/optimizers/demo.py").exists()


def test_a_list_that_is_written_otherwise_is_left_alone_and_its_line_is_told(
    tmp_path: Path,
) -> None:
    copy(tmp_path, "labml_nn_optim", "tests", "experiments")
    memory = tmp_path / "tests/labml_nn_optim/test_state_memory.py"
    memory.write_text(
        re.sub(r"STATE: .* = \{.*?^\}", "STATE = {}", memory.read_text(), flags=re.M | re.S)
    )
    before = memory.read_text()
    written = write_chapter(tmp_path, Chapter.named("demo", "optimizer"))
    assert written.left[0].startswith(
        'tests/labml_nn_optim/test_state_memory.py, STATE: add `"demo": FULL,` ('
    )
    assert memory.read_text() == before
    assert "tests/labml_nn_optim/public.py" in written.changed


# ## Entries
def test_an_entry_stands_in_its_place_above_the_comment_of_the_next() -> None:
    source = 'A = {\n    "a": 1,\n    # Of c.\n    "c": 2,\n}\n'
    entered = Item("A", '"b": 3,', "b").put(source)
    assert entered == 'A = {\n    "a": 1,\n    "b": 3,\n    # Of c.\n    "c": 2,\n}\n'
    assert Item("A", '"d": 3,', "d").put(source).endswith('"c": 2,\n    "d": 3,\n}\n')


@pytest.mark.parametrize("source", ["A = [1, 2]\n", "A = [\n    1, 2,\n]\n", "B = [\n    1,\n]\n"])
def test_an_entry_needs_a_list_with_a_line_for_each(source: str) -> None:
    with pytest.raises(UnknownLayoutError):
        Item("A", "3,").put(source)


def test_a_long_import_is_broken_as_the_formatter_does() -> None:
    source = "if C:\n    from p.q.a import A\n    from p.q.z import Z\n"
    name = "N" * 60
    entered = Import("p.q.m", name, again=True).put(source).split("\n")
    assert entered[2:5] == ["    from p.q.m import (", f"        {name} as {name},", "    )"]

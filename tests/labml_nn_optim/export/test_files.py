"""What every exported file is like: formatted, typed, complete, and with nothing that it does not use."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from labml_nn_optim.export import ExportError, Library, find, single_file

ROOT = Path(__file__).parents[3]
CONFIG = ["--config", str(ROOT / "pyproject.toml")]
# They look chapters up by name, in a folder that a single file does not have.
WHOLE_LIBRARY_ONLY = {"configs", "param_groups/constructor", "registry"}


def chapters() -> list[str]:
    library = Library()
    paths = ("/".join(name.split(".")[1:]) for name in library.names)
    return [path for path in paths if not path.startswith(("export/", "skeleton/"))]


CARRIED = [name for name in chapters() if name not in WHOLE_LIBRARY_ONLY]


@pytest.fixture(scope="module", params=["whole", "bare"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export of every chapter."""
    folder = tmp_path_factory.mktemp(request.param)
    library = Library()
    for name in CARRIED:
        text = single_file(library, [find(library, name)], bare=request.param == "bare")
        (folder / f"{name.replace('/', '_')}.py").write_text(text, encoding="utf-8")
    names = ["Scheduler", "WSDSchedule", "adamw", "LayerDecay"]
    text = single_file(library, [find(library, name) for name in names])
    (folder / "several.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trees(exported: Path) -> dict[str, ast.Module]:
    return {
        path.name: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(exported.glob("*.py"))
    }


def run_tool(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-3000:]


def test_every_chapter_can_be_carried_away_but_those_that_find_others_by_name() -> None:
    library = Library()
    for name in WHOLE_LIBRARY_ONLY:
        with pytest.raises(ExportError, match=rf"^{name} cannot be carried away: registry.py:\d+ "):
            single_file(library, [find(library, name)])
    assert len(CARRIED) > 100


def test_files_are_formatted_and_have_no_unused_import_or_variable(exported: Path) -> None:
    assert run_tool("ruff", "format", *CONFIG, "--check", "--quiet", str(exported)) == ""
    assert run_tool("ruff", "check", *CONFIG, "--quiet", str(exported)) == ""


@pytest.mark.slow
def test_files_pass_the_type_checker(exported: Path) -> None:
    if exported.name.startswith("bare"):
        pytest.skip("the code of both is the same")
    files = map(str, sorted(exported.glob("*.py")))
    # What mypy knows of torch is reused where it has been read before.
    cache = str(ROOT / ".mypy_cache")
    options = ["--strict", "--no-error-summary", "--cache-dir", cache, "--config-file="]
    assert run_tool("mypy", *options, *files) == ""


def test_files_import_torch_and_the_standard_library_alone(trees: dict[str, ast.Module]) -> None:
    allowed = {*sys.stdlib_module_names, "torch"}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, name
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, name


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {name for target in targets for name in names_in(target)}
    return set()


def test_every_definition_is_used_by_another_or_is_what_was_asked_for(
    trees: dict[str, ast.Module],
) -> None:
    for file, tree in trees.items():
        public: set[str] = set()
        named = {node: names_in(node) for node in tree.body}
        users = Counter(name for names in named.values() for name in names)
        for node in tree.body:
            own = defined(node)
            if "__all__" in own:
                public = set(ast.literal_eval(node.value))  # type: ignore[attr-defined]
                assert public
                continue
            unused = {name for name in own if users[name] == (name in named[node])}
            assert unused <= public, file


def test_files_say_where_they_come_from(exported: Path) -> None:
    for path in exported.glob("*.py"):
        head = path.read_text(encoding="utf-8").split('"""')[0]
        assert "# Origin: labml-nn-optim " in head
        assert "# Licence: MIT, Copyright (c) 2026 The labml-nn-optim authors\n" in head
    radam = " ".join((exported / "optimizers_radam.py").read_text(encoding="utf-8").split("\n# "))
    assert radam.startswith("# RAdam, in one file that needs torch and nothing else.")
    assert "On the Variance of the Adaptive Learning Rate and Beyond. 2020. https://arxiv" in radam


def test_prose_is_kept_or_reduced_to_short_docstrings(exported: Path) -> None:
    is_bare = exported.name.startswith("bare")
    chapter = (ROOT / "labml_nn_optim/optimizers/radam.py").read_text(encoding="utf-8")
    text = (exported / "optimizers_radam.py").read_text(encoding="utf-8")
    for part in (chapter.partition("from __future__")[0], chapter.partition("\n\n\n# ## ")[2]):
        assert (part.strip() in text) != is_bare
    if is_bare:
        tree = ast.parse(text)
        documented = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert all("\n\n" not in (ast.get_docstring(node) or "") for node in documented)
        comments = [line for line in text.split("\n\n\n", 1)[1].split("\n") if "# " in line]
        assert all(line.endswith(".py") or "# type: " in line for line in comments)


def test_the_same_names_give_the_same_bytes_whatever_the_order_of_sets(tmp_path: Path) -> None:
    texts = set()
    for seed in ("0", "1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        command = [sys.executable, "-m", "labml_nn_optim", "copy"]
        names = ["prodigy", "scheduler", "LayerDecay"]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run(
            [*command, *names, "--to", str(folder)], check=True, env=environment, cwd=ROOT
        )
        (file,) = folder.iterdir()
        texts.add(file.read_bytes())
    assert len(texts) == 1

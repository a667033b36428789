"""Optimizers are found by name, and importing the package loads no chapter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labml_nn_optim
from labml_nn_optim import get_optimizer, optimizer_names
from labml_nn_optim.registry import summary


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_torch_at_most_and_no_chapter() -> None:
    loaded = run_python(
        "import sys, labml_nn_optim;"
        "print(*sorted(name for name in sys.modules if name.startswith('labml_nn_optim')))"
    )
    assert loaded.split() == ["labml_nn_optim", "labml_nn_optim.registry"]


def test_one_optimizer_loads_no_other_and_nothing_but_torch() -> None:
    code = (
        "import torch, sys; before = set(sys.modules);"
        "from labml_nn_optim import RAdam;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}));"
        "print('labml_nn_optim.optimizers.amsgrad' in sys.modules)"
    )
    packages, amsgrad = run_python(code).splitlines()
    assert not set(packages.split()) & {"labml", "pydantic", "yaml", "matplotlib", "sklearn"}
    assert amsgrad == "False"


def test_every_module_imports_torch_and_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "torch", "labml_nn_optim"}
    for path in Path(labml_nn_optim.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, path


@pytest.mark.parametrize("spelling", ["radam", "RAdam", "RADAM", "r_adam"])
def test_case_and_underscores_do_not_matter(spelling: str) -> None:
    from labml_nn_optim.optimizers.radam import RAdam

    assert get_optimizer(spelling) is RAdam is labml_nn_optim.RAdam


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got 'amsgrat'; the nearest are amsgrad"):
        get_optimizer("amsgrat")
    with pytest.raises(TypeError, match="got 3"):
        get_optimizer(3)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="no attribute 'Adm'"):
        _ = labml_nn_optim.Adm


@pytest.mark.parametrize("name", optimizer_names())
def test_every_optimizer_is_exported_and_has_a_summary_of_one_sentence(name: str) -> None:
    found = get_optimizer(name)
    assert getattr(labml_nn_optim, found.__name__) is found
    assert found.__name__ in labml_nn_optim.__all__
    source = Path(labml_nn_optim.__file__).read_text(encoding="utf-8")
    assert f"{found.__name__} as {found.__name__}" in source
    assert summary(name)[0].isalpha()
    assert summary(name).endswith(".")


@pytest.mark.parametrize("name", optimizer_names())
def test_help_prints_the_mathematics_as_written(name: str) -> None:
    for item in (sys.modules[get_optimizer(name).__module__], get_optimizer(name)):
        text = item.__doc__ or ""
        assert not set(text) & set("\a\b\f\v\t\r")

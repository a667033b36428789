"""The package as a user installs it: built, and with torch alone beside it."""

from __future__ import annotations

import re
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.commands import run

PROGRAM = """
import json, sys
import torch
import labml_nn_optim
from labml_nn_optim import RAdam
param = torch.nn.Parameter(torch.ones(3))
optimizer = RAdam([param], lr=0.1)
for _ in range(8):
    param.square().sum().backward()
    optimizer.step()
others = ("click", "yaml", "mkdocs", "labml", "torchvision")
print(json.dumps([param.tolist() != [1.0] * 3, [name for name in others if name in sys.modules]]))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    return folder


def distributions(wanted: Requirement) -> dict[str, Distribution]:
    """Return an installed distribution and all that it needs here, by their names."""
    found: dict[str, Distribution] = {}
    waiting, seen = [wanted], set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        each = found.setdefault(requirement.name, distribution(requirement.name))
        for text in each.requires or ():
            needed = Requirement(text)
            extras = ({"extra": extra} for extra in ("", *requirement.extras))
            if needed.marker is None or any(map(needed.marker.evaluate, extras)):
                waiting.append(needed)
    return found


def top_level(each: Distribution) -> Iterator[Path]:
    """Yield the files and folders that a distribution has put beside those of others."""
    names = {file.parts[0] for file in each.files or () if file.parts[0] not in ("..", "bin")}
    for name in names - {"__pycache__"}:
        path = Path(str(each.locate_file(name)))
        if path.exists():
            yield path


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has torch, what torch needs, pip, and the wheel."""
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "venv", with_pip=True)
    beside = folder / "torch"
    beside.mkdir()
    for each in distributions(Requirement("torch")).values():
        for path in top_level(each):
            # Packages of one vendor share a folder.
            if not (beside / path.name).exists():
                (beside / path.name).symlink_to(path)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "torch.pth").write_text(f"{beside}\n")
    interpreter = folder / "venv/bin/python"
    (wheel,) = built.glob("*.whl")
    # Python 3.11 puts an old one there; torch's is beside it.
    run(interpreter, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools")
    run(interpreter, "-m", "pip", "install", "--quiet", "--no-index", wheel)
    return interpreter


def test_the_wheel_asks_for_torch_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    needed = [
        requirement.name
        for text in re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
        if (requirement := Requirement(text)).marker is None
    ]
    assert needed == ["torch"]
    assert "License-Expression: MIT" in metadata


def test_the_wheel_holds_the_two_packages_with_types_and_licence(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if "dist-info" not in top} == {"labml_nn_optim", "site_gen"}
    assert "labml_nn_optim/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.startswith("site_gen/assets/") for name in names)


def test_the_source_distribution_holds_what_the_wheel_is_made_of(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "labml_nn_optim/base.py"} <= names


def test_with_torch_alone_an_optimizer_makes_its_steps(python: Path, tmp_path: Path) -> None:
    assert run(python, "-I", "-c", PROGRAM, folder=tmp_path).strip() == "[true, []]"


def test_with_torch_alone_the_command_lists_and_copies(python: Path, tmp_path: Path) -> None:
    assert "RAdam" in run(python, "-m", "labml_nn_optim", "list", folder=tmp_path)
    run(python, "-m", "labml_nn_optim", "copy", "radam", "--to", tmp_path, folder=tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".py"]

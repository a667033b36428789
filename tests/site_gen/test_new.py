"""The generator on its own: a configuration to begin with, and no need of anything of this course."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from site_gen.config import SOURCE_KEYS
from tests.site_gen.modules import ROOT

BLOCKED = ("torch", "labml", "labml_nn_optim", "experiments", "playwright", "numpy")
# Runs the module as `python -m` does, where what is not part of the extra cannot be imported.
WITHOUT = (
    "import runpy, sys\n"
    f"for name in {BLOCKED}: sys.modules[name] = None\n"
    "sys.path.insert(0, {root!r})\n"
    "sys.argv = ['site_gen', *sys.argv[1:]]\n"
    "runpy.run_module('site_gen', run_name='__main__')\n"
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            WITHOUT.replace("{root!r}", repr(str(ROOT))),
            *arguments,
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path) -> Path:
    write(
        tmp_path,
        tool__in____init__='"""Tools."""\n',
        tool__in__use="def use():\n    # Why.\n    return 1\n",
    )
    return tmp_path


def test_a_new_configuration_builds_a_site_without_any_part_of_this_course(project):
    result = run(project, "new")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("mkdocs.yml is written")
    result = run(project, "build")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Why." in (project / "site/tool/use/index.html").read_text()
    assert 'href="tool/use/"' in (project / "site/index.html").read_text()


def test_every_option_that_a_new_configuration_only_mentions_is_one(project):
    run(project, "new")
    config = project / "mkdocs.yml"
    (project / "docs").mkdir()
    config.write_text(re.sub(r"# (?=[a-z_]+: )", "", config.read_text()))
    options = yaml.safe_load(config.read_text())
    assert options["strict"] is True
    assert options["extra"]["site_gen"].keys() >= {"sources", "docs", "repository", "branch"}
    assert options["extra"]["site_gen"]["sources"][0].keys() == set(SOURCE_KEYS)
    result = run(project, "build")
    assert (result.returncode, result.stderr) == (0, "")
    html = (project / "site/use/index.html").read_text()
    assert "https://github.com/owner/name/blob/main/tool/use.py" in html


def test_a_configuration_that_is_there_is_left_alone(project):
    (project / "mkdocs.yml").write_text("site_name: mine\n")
    result = run(project, "new")
    assert (result.returncode, result.stderr) == (1, "mkdocs.yml:1: is already there\n")
    assert (project / "mkdocs.yml").read_text() == "site_name: mine\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--package", "gone"], ".:1: there is no package or module 'gone'\n"),
        (["gone"], "gone:1: no such folder\n"),
        (["tool"], "tool:1: holds no package; name one with --package\n"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(project, arguments, message):
    result = run(project, "new", *arguments)
    assert (result.returncode, result.stderr) == (1, message)
    assert not (project / "mkdocs.yml").exists()


def test_one_of_several_packages_must_be_named(project):
    write(project, src__in__other__in____init__="", single="x = 1\n", tests__in____init__="")
    message = ".:1: holds more than one package (tool, other); name one with --package\n"
    assert run(project, "new").stderr == message
    for name, path in {
        "other": "src/other",
        "tool.use": "tool/use.py",
        "single": "single.py",
    }.items():
        (project / "mkdocs.yml").unlink(missing_ok=True)
        assert run(project, "new", "--package", name).returncode == 0
        assert f'- path: "{path}"' in (project / "mkdocs.yml").read_text()

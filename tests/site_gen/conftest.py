import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from site_gen.build import build, generate
from site_gen.config import read_settings
from tests.site_gen.modules import ROOT

FIXTURE = Path(__file__).parent / "fixtures" / "course"


class Course:
    """A small course in a temporary folder."""

    def __init__(self, root: Path):
        self.root = root
        self.config = root / "mkdocs.yml"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def settings(self, **changes) -> None:
        options = yaml.safe_load(self.config.read_text())
        options["extra"]["site_gen"] |= changes
        self.config.write_text(yaml.safe_dump(options))

    def generate(self):
        return generate(read_settings(self.config))

    def build(self) -> None:
        build(read_settings(self.config))

    def page(self, name: str) -> str:
        """The generated page, as HTML with its line ends back."""
        text = (self.root / "build/pages" / f"{name}.md").read_text()
        return text.partition("---\n\n")[2].replace("&#10;", "\n")


@pytest.fixture
def course(tmp_path) -> Course:
    """The fixture course: two chapters and a landing page."""
    shutil.copytree(FIXTURE, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture
def package(tmp_path) -> Course:
    """A package without any front matter, and a configuration that asks for none."""
    course = Course(tmp_path / "project")
    course.write(
        "mkdocs.yml",
        "site_name: A package\n"
        "theme: {name: material, font: false}\n"
        "extra: {site_gen: {sources: [{path: package}]}}\n",
    )
    course.write("package/__init__.py", '"""# A package\n\nWhat it is for."""\n')
    course.write("package/tool.py", "def use():\n    # Does it.\n    return 1\n")
    (course.root / "docs").mkdir()
    return course


@pytest.fixture(scope="session")
def this_site(tmp_path_factory) -> Path:
    """The site of this course, built once for all processes of a test run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    site, complete = folder / "this_course/site", folder / "this_course.complete"
    with FileLock(folder / "this_course.lock"):
        if not complete.exists():
            settings = read_settings(ROOT / "mkdocs.yml")
            options = settings.options | {"site_dir": str(site)}
            build(dataclasses.replace(settings, build=site.parent / "build", options=options))
            complete.touch()
    return site

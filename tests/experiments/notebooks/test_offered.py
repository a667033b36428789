"""Pages link to notebooks, and the command writes them."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from experiments.notebooks import making, offered, texts
from experiments.notebooks.links import Links, colab
from experiments.notebooks.making import make
from experiments.notebooks.offered import notebook_fact
from site_gen.repository import Repository
from tests.experiments.notebooks.examples import ROOT, chapter, course

GITHUB = Repository("https://github.com/name/project", "trunk")


def page(name, package="labml_nn_optim"):
    return SimpleNamespace(name=name, module=f"{package}.{name.replace('/', '.')}")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a course with a repository, or without."""

    def write(repository=None):
        line = f"    repository: {repository}\n" if repository else ""
        file = tmp_path / "mkdocs.yml"
        file.write_text(f"site_name: x\nextra:\n  site_gen:\n    build: build\n{line}")
        monkeypatch.setattr(offered, "SETTINGS", file)
        offered._repository.cache_clear()

    yield write
    offered._repository.cache_clear()


@pytest.mark.parametrize(("name", "above"), [("schedules/wsd", "../"), ("weight_decay", "")])
def test_a_page_links_to_its_notebook_text_and_program(settings, name, above):
    settings()
    html = notebook_fact(page(name)).value
    found = re.findall(r'href="([^"]*)"', html)
    assert found == [f"{above}notebooks/{name}{kind}" for kind in (".ipynb", ".txt", ".py")]


def test_with_a_repository_on_github_it_opens_in_colab_at_a_plain_address(settings):
    settings(GITHUB.url)
    html = notebook_fact(page("optimizers/adam")).value
    address = (
        "https://colab.research.google.com/github/name/project/blob/notebooks/optimizers/adam.ipynb"
    )
    assert f'<a href="{address}" rel="noreferrer">' in html
    assert not re.search(r"[?&#]|<img|<script", html)


@pytest.mark.parametrize("url", ["https://gitlab.com/name/project", "https://codeberg.org/n/p"])
def test_colab_reads_no_other_host(settings, url):
    assert colab(Repository(url), "adam.ipynb") is None
    settings(url)
    assert "colab" not in notebook_fact(page("optimizers/adam")).value


def test_without_pylit_there_is_no_link_to_a_text(settings, monkeypatch):
    settings()
    monkeypatch.setattr(texts, "TOOL", "no_such_module")
    assert ".txt" not in notebook_fact(page("optimizers/adam")).value


def test_other_pages_have_none():
    assert notebook_fact(page("mnist", "experiments")) is None
    assert notebook_fact(SimpleNamespace(name="index", module=None)) is None


def test_files_are_written_once_and_a_text_is_made_only_if_its_program_is_new(
    tmp_path, monkeypatch
):
    chapters = [chapter("quantize"), chapter("optimizers/adam")]
    paths = make(chapters, course(), tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in paths) == [
        *(f"optimizers/adam{kind}" for kind in (".ipynb", ".py", ".txt")),
        *(f"quantize{kind}" for kind in (".ipynb", ".py", ".txt")),
    ]
    times = {path: path.stat().st_mtime_ns for path in paths}
    (tmp_path / "quantize.py").write_text("# changed\n")
    asked = []
    monkeypatch.setattr(
        making, "texts", lambda given: asked.append(list(given)) or texts.texts(given)
    )
    make(chapters, course(), tmp_path)
    assert asked == [["quantize"]]
    assert [path.name for path in paths if path.stat().st_mtime_ns != times[path]] == [
        "quantize.py"
    ]


def test_links_lead_to_the_site_if_it_says_where_it_is_and_pip_to_the_repository(monkeypatch):
    settings = course().settings
    links = Links(course())
    assert links.address("adamw.py", chapter("optimizers/adam")) is None
    assert links.requirement == "labml-nn-optim"
    monkeypatch.setitem(settings.options, "site_url", "https://example.org/course/")
    where = links.address("../weight_decay.py#WeightDecay", chapter("optimizers/adam"))
    assert where == "https://example.org/course/weight_decay.html#WeightDecay"
    told = Links(SimpleNamespace(settings=SimpleNamespace(repository=GITHUB))).requirement
    assert told == "git+https://github.com/name/project@trunk"


def command(*arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.notebooks", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_the_files_of_a_chapter(tmp_path):
    done = command("--out", tmp_path, "adam")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3 files of 1 chapters in {tmp_path}\n"
    made = json.loads((tmp_path / "optimizers/adam.ipynb").read_text(encoding="utf-8"))
    assert made["cells"][0]["source"][0] == "# Adam\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adamm", "got 'adamm'; the nearest are optimizers/adam, "),
        ("composite", "it may be param_groups/composite, schedulers/composite"),
    ],
)
def test_a_name_that_is_not_that_of_one_chapter_is_told_in_one_line(tmp_path, name, said):
    done = command("--out", tmp_path / "out", name)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()

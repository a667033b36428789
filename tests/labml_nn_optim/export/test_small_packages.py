"""What stays and what goes, on packages of a few lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from labml_nn_optim.export import ExportError, Library, find, single_file

ROOT = Path(__file__).parents[3]


class Package:
    """A package `small` that grows file by file."""

    def __init__(self, root: Path) -> None:
        self.root = root / "small"
        self.root.mkdir()

    def write(self, name: str, text: str) -> None:
        path = self.root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def export(self, *names: str, bare: bool = False) -> str:
        library = Library(self.root)
        return single_file(library, [find(library, name) for name in names], bare)

    def run(self, *names: str) -> dict[str, Any]:
        found: dict[str, Any] = {"__name__": "exported"}
        exec(self.export(*names), found)
        return found


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def chapter(imports: str, body: str) -> str:
    return f'"""A chapter."""\n\n{imports}\n\n__all__ = ["answer"]\n\n\n{body}\n'


def test_only_what_a_name_leads_to_stays(package: Package) -> None:
    package.write(
        "tools", "import math\nimport re\n\nA = 1\nB = math.pi\n\n\ndef f():\n    return A\n"
    )
    package.write(
        "one", chapter("from small.tools import f", "def answer():\n    B = 2\n    return f() + B")
    )
    text = package.export("one")
    assert package.run("one")["answer"]() == 3
    assert "A = 1" in text
    assert not re.search(r"^B|import", text.replace("from __future__ import", ""), re.MULTILINE)


def test_names_of_parameters_comprehensions_and_classes_lead_nowhere(package: Package) -> None:
    package.write("tools", "a = b = c = d = 1\nnested = 2\n\n\nclass Base:\n    a = nested\n")
    package.write(
        "one",
        chapter(
            "from small.tools import Base, a, b, c",
            "def answer(a):\n    return [b for b in a] + [(lambda c: c)(1), Base.a]",
        ),
    )
    text = package.export("one")
    assert package.run("one")["answer"]([5]) == [5, 1, 2]
    assert "nested = 2" in text
    assert "a = b = c = d = 1" not in text


METHODS = """
class Base:
    def called(self, name):
        return self._helper(name)

    # This one goes, with its comment.
    def _unused(self):
        return 1

    def _helper(self, name):
        return getattr(self, f"by_pattern_{name}")()

    def by_pattern_x(self):
        return 3

    def by_another_x(self):
        return 3

    def __len__(self):
        return 7

    def offered(self):
        return 4

    def door(self):
        from small.other import Other

        return Other()
"""


def test_methods_go_that_nothing_can_call(package: Package) -> None:
    package.write("other", "class Other:\n    pass\n")
    package.write("base", METHODS)
    body = 'class Kind(Base):\n    pass\n\n\ndef answer():\n    return Kind().called("x")'
    package.write("one", chapter("from small.base import Base", body))
    text = package.export("one")
    assert package.run("one")["answer"]() == 3
    assert "by_another_x" not in text
    assert "_unused" not in text
    assert "with its comment" not in text
    assert "def __len__" in text
    # `answer` does not hand its class out, so nobody inherits for the reader.
    assert "def offered" not in text
    package.write("one", chapter("from small.base import Base", body).replace("answer", "Kind", 1))
    text = package.export("one")
    assert "def offered" in text
    assert "def door" not in text
    assert "Other" not in text


def test_a_door_stays_if_it_is_gone_through_and_leads_within_the_file(package: Package) -> None:
    package.write("other", "class Other:\n    value = 5\n")
    package.write("base", METHODS)
    package.write(
        "one", chapter("from small.base import Base", "def answer():\n    return Base().door()")
    )
    assert package.run("one")["answer"]().value == 5
    assert "small" not in package.export("one").split("__all__")[1].replace("small/", "")


def test_a_class_with_a_base_from_elsewhere_keeps_its_methods(package: Package) -> None:
    package.write(
        "base", "class Base(dict):\n    def __missing__(self, key):\n        return 1\n\n"
        "    def get(self, key):\n        return 2\n"
    )  # fmt: skip
    package.write("one", chapter("from small.base import Base", "answer = Base()"))
    answer = package.run("one")["answer"]
    assert (answer["x"], answer.get("x")) == (1, 2)


def test_what_follows_a_protocol_keeps_the_methods_that_it_names(package: Package) -> None:
    package.write(
        "base",
        "from typing import Protocol\n\n\nclass Form(Protocol):\n    def load(self): ...\n\n\n"
        "class Follower:\n    def load(self):\n        return 6\n\n    def other(self): ...\n",
    )
    body = "def answer() -> Form:\n    return Follower()"
    package.write("one", chapter("from small.base import Follower, Form", body))
    text = package.export("one")
    assert text.count("def load") == 2
    assert "def other" not in text


def test_one_of_two_things_with_one_name_gets_another(package: Package) -> None:
    package.write("left", "def f():\n    return sum([1])\n\n\nLIMIT = 1\n")
    package.write("right", "LIMIT = 2\n\n\ndef sum(x):\n    return LIMIT\n")
    package.write(
        "one",
        chapter(
            "from small.left import LIMIT, f\nfrom small.right import sum",
            "def answer(right_LIMIT=3):\n    return f(), sum([5]), LIMIT, right_LIMIT",
        ),
    )
    assert package.run("one")["answer"]() == (1, 2, 1, 3)
    assert "def right_sum(x):" in package.export("one")


def test_a_module_that_is_used_as_an_object_becomes_one(package: Package) -> None:
    package.write("tools/__init__", "")
    package.write("tools/first", '__all__ = ["f"]\n\n\ndef f():\n    return 8\n')
    body = "def answer():\n    return first.f(), [getattr(first, name)() for name in first.__all__]"
    package.write("one", chapter("from small.tools import first", body))
    assert package.run("one")["answer"]() == (8, [8])


def test_loading_modules_by_name_is_left_out_where_nothing_else_is_done(package: Package) -> None:
    body = (
        "KINDS = {}\n\n\ndef answer(name):\n    if name not in KINDS:\n"
        '        for each in ("a", "b"):\n            importlib.import_module(f"small.{each}")\n'
        "    return KINDS.get(name)"
    )
    package.write("one", chapter("import importlib", body))
    assert package.run("one")["answer"]("a") is None
    assert "importlib" not in package.export("one")


@pytest.mark.parametrize(
    ("imports", "body", "problem"),
    [
        (
            "import importlib",
            'def answer():\n    return importlib.import_module("small.other")',
            "asks for modules of small by their names",
        ),
        ("", "def answer():\n    return __file__", "reads the folder that it stands in"),
    ],
)
def test_what_needs_the_folder_is_refused(
    package: Package, imports: str, body: str, problem: str
) -> None:
    package.write("one", chapter(imports, body))
    with pytest.raises(ExportError, match=rf"^one cannot be carried away: one.py:\d+ {problem}$"):
        package.export("one")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("print(1)\n", "one.py:1 runs something when the module is imported"),
        ("from math import pi as tau\n", "one.py:1 imports under another name"),
    ],
)
def test_a_module_that_does_more_than_define_is_refused(
    package: Package, text: str, problem: str
) -> None:
    package.write("one", text)
    with pytest.raises(ExportError, match=problem):
        package.export("one")


def test_bare_keeps_directives_comments_in_brackets_and_texts(package: Package) -> None:
    body = (
        '# Why.\ndef answer():\n    """First.\n\n    Second.\n    """\n    # Goes.\n    x = [\n'
        '        # stays\n        1,\n    ]  # type: ignore\n\n    # Goes, too.\n\n    return """\n# text\n"""'
    )
    package.write("one", chapter("", body))
    assert package.export("one", bare=True).split("# one.py\n")[1] == (
        '\n\ndef answer():\n    """First."""\n    x = [\n        # stays\n        1,\n'
        '    ]  # type: ignore\n\n    return """\n# text\n"""\n'
    )


def test_the_page_calls_files_by_their_names() -> None:
    page = (ROOT / "docs_src/single_files.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| `copy ([^`]+)` \| `([^`]+)` \|", page)
    assert len(rows) == 7
    library = Library()
    for names, file in rows:
        entries = [find(library, name) for name in names.split()]
        assert "_".join(entry.file for entry in entries) + ".py" == file

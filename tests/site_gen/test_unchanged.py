"""What is rendered again after a change while the course is served."""

import pytest

from site_gen import rendering
from site_gen.build import generate
from site_gen.config import read_settings

MOMENTUM = "rules/momentum.py"
USER = '''"""
---
title: {title}
---

Goes on where [momentum](momentum.py) ends.
"""

from rules.momentum import {name}


def use() -> object:
    return {name}
'''


@pytest.fixture
def users(course):
    """The course with a page that uses a class of a chapter, and one that uses a number."""
    edit(course, MOMENTUM, "class Momentum", "LEAST = 0.0\n\n\nclass Momentum")
    course.write("rules/of_class.py", USER.format(title="Of class", name="Momentum"))
    course.write("rules/of_number.py", USER.format(title="Of number", name="LEAST"))
    course.write("docs/extra.md", "---\ntitle: Extra\n---\n\nSee [momentum](momentum).\n")
    return course


@pytest.fixture
def rendered(monkeypatch):
    """The names of the pages that have been rendered."""
    names = []

    def page(chapter, course, additions, make=rendering.page):
        names.append(chapter.name)
        return make(chapter, course, additions)

    monkeypatch.setattr(rendering, "page", page)
    return names


def edit(course, path, old, new):
    file = course.root / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (MOMENTUM, "crawls", "creeps"),
        (MOMENTUM, "crawls.", "crawls.\n\nIt creeps."),
        (MOMENTUM, "Return the largest rate that", "Return the rate that\n\n    surely"),
        (MOMENTUM, "## Why it helps", "## Why"),
        (MOMENTUM, "![A valley](valley.svg)", ""),
        (MOMENTUM, "title: Momentum", "title: Heavy ball"),
        (MOMENTUM, "LEAST = 0.0\n\n\n", ""),
        (MOMENTUM, '"2.1"', '"2.2"'),
        ("rules/of_class.py", "Goes on", "It\n\ngoes on"),
        ("docs/extra.md", "See", "Look at"),
        ("mkdocs.yml", "Descent", "Down"),
    ],
)
def test_a_build_after_a_change_is_a_build_from_nothing(users, path, old, new):
    pages = users.root / "build/pages"
    before = users.generate().rendered
    edit(users, path, old, new)
    settings = read_settings(users.config)
    generate(settings, before)
    fast = contents(pages)
    generate(settings)
    # A picture that no page shows any more may stay.
    assert {path: fast.get(path) for path in contents(pages)} == contents(pages)


@pytest.mark.parametrize(
    ("path", "old", "new", "again"),
    [
        # `index` lists all chapters, and `of_number` links to a line of the changed one.
        (MOMENTUM, "crawls", "creeps", {"momentum", "index", "of_number"}),
        # `momentum` says on which line it is used.
        ("rules/of_class.py", "Goes on", "It goes on", {"of_class", "index", "momentum"}),
        ("docs/extra.md", "See", "Look at", {"extra", "index"}),
    ],
)
def test_a_change_of_prose_renders_few_pages(users, rendered, path, old, new, again):
    before = users.generate().rendered
    rendered.clear()
    edit(users, path, old, new)
    generate(read_settings(users.config), before)
    assert set(rendered) == again


def test_without_a_change_of_a_chapter_every_page_is_rendered(users, rendered):
    before = users.generate().rendered
    rendered.clear()
    generate(read_settings(users.config), before)
    assert set(rendered) == set(before.pages)

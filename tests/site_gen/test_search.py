"""What the search looks through."""

import hashlib
import json

from site_gen.build import read_chapters
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.search import index_script
from tests.site_gen.modules import ROOT

# MiniSearch 7.2.0, dist/umd/index.js of its package.
MINISEARCH = "03c27931eb603af1d3358579e9885eafdb6a2f5fa9929557b3e77d7e99d06d03"


def index(course) -> dict:
    settings = read_settings(course.config)
    script = index_script(Course(read_chapters(settings), settings))
    return json.loads(script.removeprefix("globalThis.litSearch = ").removesuffix(";\n"))


def sections(course, page: str) -> dict[str, tuple[str, str, str]]:
    data = index(course)
    number = [path for _, _, path in data["chapters"]].index(page)
    return {each[1]: tuple(each[2:]) for each in data["sections"] if each[0] == number}


def test_a_result_says_chapter_and_part(course):
    chapters = index(course)["chapters"]
    assert ["2.1 Momentum", "Part 2 · Momentum", "momentum/"] in chapters


def test_prose_formulas_and_names_are_found_where_they_stand(course):
    course.write(
        "rules/new.py",
        '"""\n---\ntitle: New\nsummary: What is new.\nchapter: "1.2"\n---\n\nBefore.\n\n'
        '## A $\\\\beta_1$ heading\n\nAn average of $\\\\hat m_t$.\n\n```\nleft out\n```\n"""\n\n\n'
        'def step(grad):\n    """Do it."""\n    return grad.mul_(2)\n',
    )
    found = sections(course, "new/")
    assert found[""] == ("New", "What is new. Before.", "")
    assert found["a-beta_1-heading"][:2] == ("A beta _1 heading", "An average of hat m_t.")
    assert found["step"][:2] == ("step", "Do it.")
    assert "grad" in found["step"][2]
    assert "mul_" in " ".join(names for _, _, names in found.values())


def test_every_result_of_this_course_leads_to_an_anchor_of_its_page():
    settings = read_settings(ROOT / "mkdocs.yml")
    course = Course(read_chapters(settings), settings)
    data = json.loads(index_script(course).partition(" = ")[2].removesuffix(";\n"))
    anchors = [chapter.anchors | {""} for chapter in course.chapters.values()]
    assert len(data["sections"]) > len(data["chapters"])
    assert all(anchor in anchors[number] for number, anchor, *_ in data["sections"])


def test_the_library_that_searches_is_the_one_that_was_published():
    file = ROOT / "site_gen/assets/on_demand/minisearch.js"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == MINISEARCH

"""What holds for every chapter of this course. The plugins are left out: they have their own tests."""

import gzip
import re

import markdown
import pytest

from site_gen.build import read_chapters
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.page import page
from tests.site_gen.modules import ROOT
from tests.site_gen.test_mathml import font, shown_characters
from tests.site_gen.test_page import MKDOCS_EXTENSIONS, body, expected_code, shown_code

MOST_COMPRESSED_BYTES = 60_000


@pytest.fixture(scope="module")
def course() -> Course:
    settings = read_settings(ROOT / "mkdocs.yml")
    return Course(read_chapters(settings), settings)


@pytest.fixture(scope="module")
def pages(course) -> dict[str, str]:
    return {name: body(page(chapter, course, ())) for name, chapter in course.chapters.items()}


def test_every_line_of_code_is_on_its_page_once_with_its_true_number(course, pages):
    for name, chapter in course.chapters.items():
        shown = shown_code(pages[name])
        numbers = [number for number, _ in shown]
        assert numbers == sorted(set(numbers))
        code = expected_code(chapter.text) if chapter.source else {}
        assert {number: line for number, line in shown if line.strip()} == code


def test_no_page_has_an_anchor_twice(pages):
    for html in pages.values():
        anchors = re.findall(r'\sid="([^"]*)"', html)
        assert sorted(anchors) == sorted(set(anchors))


def test_every_character_of_every_formula_is_in_the_fonts(pages):
    available = font()
    for html in pages.values():
        for formula in re.findall(r"<math.*?</math>", html):
            missing = shown_characters(formula) - available
            assert not {f"U+{code:04X} {chr(code)}" for code in missing}


def test_every_page_passes_python_markdown_byte_for_byte(pages):
    for html in pages.values():
        assert markdown.markdown(html, extensions=MKDOCS_EXTENSIONS) == html.strip()


def test_no_page_is_larger_than_its_budget(pages):
    for html in pages.values():
        assert len(gzip.compress(html.encode())) < MOST_COMPRESSED_BYTES


def test_every_chapter_says_in_one_sentence_what_it_is_about(course):
    for chapter in course.chapters.values():
        assert chapter.front_matter.summary

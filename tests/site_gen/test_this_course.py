"""What holds for every chapter of this course. The plugins are left out: they have their own tests."""

import gzip
import posixpath
import re

import markdown
import pytest

from site_gen.bibliography import cited_by
from site_gen.build import read_chapters
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.page import page
from site_gen.reading_time import LINES_A_MINUTE, WORDS_A_MINUTE
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
    return {name: body(page(chapter, course)) for name, chapter in course.chapters.items()}


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


def links(name: str, html: str) -> set[tuple[str, str]]:
    """Page and anchor of the links that stay in the course."""
    found = set()
    for address in re.findall(r'<a [^>]*?href="([^"]*)"', html):
        path, _, anchor = address.partition("#")
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        if anchor and ":" not in address:
            found.add((page.removesuffix(".html"), anchor))
    return found


def test_every_link_to_a_definition_or_to_its_users_leads_to_an_anchor(pages):
    anchors = {name: set(re.findall(r'\sid="([^"]*)"', html)) for name, html in pages.items()}
    followed = 0
    for name, html in pages.items():
        parts = re.findall(r"<pre>.*?</pre>", html, re.S)
        parts += re.findall(r'<section class="lit-used".*?</section>', html, re.S)
        for target, anchor in links(name, "".join(parts)):
            assert anchor in anchors[target]
            followed += 1
    assert followed > 10 * len(pages)


def test_every_symbol_of_a_table_is_marked_in_a_formula_and_in_the_code(course, pages):
    for name, chapter in course.chapters.items():
        html = pages[name]
        for symbol in chapter.front_matter.symbols:
            mark = re.escape(f'data-sym="{symbol.identifier}"')
            assert re.search(rf"<m\w+[^>]* {mark}", html)
            assert re.search(rf"<(var|a) [^>]*{mark}", html)


def test_the_index_of_identifiers_says_who_calls_a_method_of_torch(pages):
    row = re.search(r'<dt id="torch.Tensor.lerp_">.*?</dd>', pages["identifiers"])[0]
    assert '"https://docs.pytorch.org/docs/stable/generated/torch.Tensor.lerp_.html"' in row
    line = int(re.search(r'<a href="optimizers/adam.html#line-(\d+)">Adam</a>', row)[1])
    code = (ROOT / "labml_nn_optim/optimizers/adam.py").read_text().split("\n")
    assert ".lerp_(" in code[line - 1]


def test_every_chapter_says_in_one_sentence_what_it_is_about(course):
    for chapter in course.chapters.values():
        assert chapter.front_matter.summary


def test_the_notation_says_how_reading_times_are_counted(course):
    text = " ".join(course.chapters["notation"].text.split())
    assert f"words at {WORDS_A_MINUTE} a minute" in text
    assert f"lines of code at {LINES_A_MINUTE} a minute" in text


def test_every_term_of_the_glossary_leads_to_a_chapter_and_they_are_sorted(course):
    terms = [found for found in course.lexicon.entries if found.entry.kind == "term"]
    assert len(terms) > 50
    assert [found.entry.names[0] for found in terms if found.home is None] == []
    names = [found.entry.names[0].lower() for found in terms]
    assert names == sorted(names)


def test_every_paper_is_cited_by_a_chapter(course):
    assert [address for address, chapters in cited_by(course).items() if not chapters] == []

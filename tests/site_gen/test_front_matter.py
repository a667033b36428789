from pathlib import Path

import pytest

from site_gen.errors import SiteError
from site_gen.front_matter import Paper, split_front_matter
from site_gen.sections import Line

PAPER = "paper: {title: T, authors: [A B], year: 2015, arxiv: 1412.6980}"


def read(text: str, first: int = 1):
    lines = tuple(Line(number, line) for number, line in enumerate(text.split("\n"), first))
    return split_front_matter(lines, Path("m.py"))


def front(*lines: str):
    return read("\n".join(["---", *lines, "---"]), first=2)[0]


def test_every_key_is_read():
    found = front(
        "title: Adam",
        "summary: One sentence.",
        'chapter: "2.10"',
        "needs: [optimizers/sgd, notation]",
        r"symbols: {\theta: param, m_t: exp_avg}",
        "verified_against: {implementation: torch.optim.Adam, difference: 4e-16}",
        PAPER,
    )
    assert (found.title, found.summary, found.place) == ("Adam", "One sentence.", (2, 10))
    assert [need.value for need in found.needs] == ["optimizers/sgd", "notation"]
    assert [(s.tex, s.identifier) for s in found.symbols] == [
        (r"\theta", "param"),
        ("m_t", "exp_avg"),
    ]
    assert found.verified_against.difference == "4e-16"
    assert found.papers == (Paper("T", ("A B",), 2015, arxiv="1412.6980"),)


def test_the_place_keeps_its_digits_without_quotes():
    assert front("chapter: 2.10").place == (2, 10)


def test_an_arxiv_number_keeps_its_last_zero_without_quotes():
    paper = front(PAPER).papers[0]
    assert paper.arxiv == "1412.6980"
    assert paper.link == "https://arxiv.org/abs/1412.6980"


@pytest.mark.parametrize("authors", ["[A B, C D, E F]", "A B, C D and E F", '"A B, C D, and E F"'])
def test_authors_are_a_list_or_a_text(authors):
    paper = front(
        f"paper: {{title: T, authors: {authors}, year: 2015, doi: 10.1000/x}}".replace(
            "A B, C D and E F", '"A B, C D and E F"'
        )
    ).papers[0]
    assert paper.authors == ("A B", "C D", "E F")


def test_several_papers_are_a_list():
    papers = front(
        "paper:",
        "  - {title: T, authors: A, year: 2015, doi: 10.1000/x}",
        "  - {title: U, authors: B, year: 2016, url: 'https://example.org/u'}",
    ).papers
    assert [paper.link for paper in papers] == [
        "https://doi.org/10.1000/x",
        "https://example.org/u",
    ]


def test_the_text_after_front_matter_keeps_its_line_numbers():
    _, rest = read("---\ntitle: T\n---\n\nText.", first=7)
    assert rest == (Line(10, ""), Line(11, "Text."))


def test_text_without_front_matter_is_left_alone():
    assert read("Text.\n---\n") == (None, (Line(1, "Text."), Line(2, "---"), Line(3, "")))


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["title: T", "autor: A"], 4, "unknown key 'autor' in front matter; known: title, summary"),
        (["title: [T]"], 3, "'title' must be a text"),
        (["title:"], 3, "'title' must be a text"),
        (["title: T", "title: U"], 4, "key 'title' stands twice"),
        (["title: T", "summary: 3"], 4, "'summary' must be a text"),
        (["chapter: two"], 3, "'chapter' must look like \"2.4\", not 'two'"),
        (["needs: optimizers/sgd"], 3, "'needs' must be a list of texts"),
        (["needs:", "  - a", "  - {b: c}"], 5, "'needs' must be a list of texts"),
        (["symbols: [a]"], 3, "'symbols' must be a mapping"),
        (["verified_against: torch"], 3, "'verified_against' must be a mapping"),
        (
            ["verified_against: {implementation: torch}"],
            3,
            "verified_against needs 'implementation' and 'difference'",
        ),
        (["paper: {authors: A, year: 2015, doi: 10.1000/x}"], 3, "paper has no 'title'"),
        (["paper: {title: T, year: 2015, doi: 10.1000/x}"], 3, "paper has no 'authors'"),
        (["paper: {title: T, authors: A, doi: 10.1000/x}"], 3, "paper has no 'year'"),
        (
            ["paper: {title: T, authors: A, year: soon, doi: 10.1000/x}"],
            3,
            "must be a whole number",
        ),
        (["paper: {title: T, authors: A, year: 2015}"], 3, "neither 'arxiv' nor 'doi' nor 'url'"),
        (["paper: {title: T, authors: A, year: 1, arxiv: abc}"], 3, "'abc' is no arxiv"),
        (
            ["paper: {title: T, authors: A, year: 1, url: 'javascript:alert(1)'}"],
            3,
            "'javascript:alert(1)' is no url",
        ),
        (["title: T", "summary: a: b"], 4, "no valid YAML: mapping values are not allowed here"),
        (["- title"], 3, "must be a mapping of keys to values"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(lines, line, message):
    with pytest.raises(SiteError) as error:
        front(*lines)
    assert str(error.value).startswith(f"m.py:{line}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_front_matter_that_is_not_closed_is_told():
    with pytest.raises(SiteError, match=r"^m\.py:1: front matter is not closed"):
        read("---\ntitle: T\n")

"""The list of all papers."""

import re

import pytest

PAPERS = """---
title: References
paper:
  - {title: Second, authors: [Ann Zu], year: 2001, arxiv: "2001.00001"}
  - {title: First, authors: [Bob Adam, others], year: 2002, doi: 10.1000/x}
  - {title: Nobody's, authors: [Ann Zu], year: 2000, url: "https://example.org/p"}
---

::: papers
:::
"""


@pytest.fixture
def listed(course):
    course.write("docs/references.md", PAPERS)
    course.write(
        "rules/new.py",
        '"""\n---\ntitle: New\nchapter: "1.2"\n---\n\n'
        'See [them](https://arxiv.org/abs/2001.00001) and [again](https://arxiv.org/abs/2001.00001).\n"""\n',
    )
    course.generate()
    return course


def items(course) -> list[str]:
    return re.findall(r'<li id=".*?</li>', course.page("references"), re.S)


def test_all_papers_stand_in_the_list_by_author_and_year(listed):
    titles = [re.search("<cite>(.*?)</cite>", item)[1] for item in items(listed)]
    assert titles == [
        "First",
        "Some methods of speeding up the convergence of iteration methods",
        "Nobody&#x27;s",
        "Second",
    ]
    assert "lit-card" not in listed.page("references")
    assert "Bob Adam et al." in items(listed)[0]
    assert "author        = {Bob Adam and others}" in items(listed)[0]


def test_a_paper_leads_back_to_the_chapters_that_cite_it_in_head_or_prose(listed):
    cited = [re.findall(r"Cited in (.*?)</p>", item) for item in items(listed)]
    assert cited == [
        [],
        ['<a href="../momentum/">2.1 Momentum</a>'],
        [],
        ['<a href="../new/">1.2 New</a>'],
    ]


def test_one_file_holds_every_entry_of_the_page_under_its_own_key(listed):
    file = (listed.root / "build/pages/references.bib").read_text()
    keys = re.findall(r"^@\w+\{(\w+),$", file, re.M)
    assert sorted(keys) == sorted(set(keys))
    assert len(keys) == 4
    assert re.findall(r'<li id="(\w+)">', listed.page("references")) == keys
    assert '<a href="../references.bib" download>' in listed.page("references")


def test_a_course_without_a_list_has_no_file(course):
    course.generate()
    assert not (course.root / "build/pages/references.bib").exists()


def test_a_chapter_shows_the_key_that_the_list_has(listed):
    listed.write(
        "docs/references.md",
        PAPERS.replace("title: Second", "title: Some more")
        .replace("Ann Zu", "Lev Polyak")
        .replace("year: 2001", "year: 1964"),
    )
    listed.generate()
    shown = re.findall(r"@\w+\{(polyak1964some\w*),", listed.page("momentum"))
    assert len(shown) == 1
    entry = next(item for item in items(listed) if "speeding up" in item)
    assert f'<li id="{shown[0]}">' in entry

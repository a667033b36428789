"""Terms and symbols in prose become links to what explains them."""

import json
import re

import pytest

from site_gen.errors import SiteError

GLOSSARY = """---
title: Glossary
---

::: glossary
Running average, EMA
: An average that forgets. See [Momentum](momentum).

Learning rate
: The factor $\\alpha$ & more. See [descent](descent).

Learning rate decay
: It falls.

Batch
: What a gradient is from.
:::
"""
NOTATION = """---
title: Notation
---

::: notation
| symbol | is | in the code |
|---|---|---|
| $g_t$ | the gradient | `gradient` |
| $\\beta$ | a decay rate | `beta`, `betas` |
:::
"""
CHAPTER = 'r"""\n---\ntitle: New\n{extra}---\n\n{prose}\n"""\nbeta = gradient = 1\n'


@pytest.fixture
def explained(course):
    """The fixture course with a glossary and a table of notation."""
    course.write("docs/glossary.md", GLOSSARY)
    course.write("docs/notation.md", NOTATION)
    return course


def terms(course, prose: str, extra: str = "") -> list[tuple[str, str]]:
    """The links to explanations on a page of that prose: (anchor, text)."""
    course.write("rules/new.py", CHAPTER.format(prose=prose, extra=extra))
    course.generate()
    links = re.findall(
        r'<a class="lit-term" href="[^"]*#([^"]+)"[^>]*>(.*?)</a>', course.page("new"), re.S
    )
    return [(anchor, re.sub(r"<[^>]+>", "", text)) for anchor, text in links]


def test_the_first_mention_of_a_term_leads_to_the_glossary_and_no_later_one(explained):
    found = terms(explained, "A batch, a batch, and\n\n- an EMA of each batch.")
    assert found == [("batch", "batch"), ("running-average", "EMA")]
    assert 'href="../glossary/#batch"' in explained.page("new")


@pytest.mark.parametrize(
    ("prose", "linked"),
    [
        ("Two batches.", ["batches"]),
        ("Learning rates differ.", ["Learning rates"]),
        ("The learning\nrate wraps.", ["learning\nrate"]),
        ("A learning rate decay is one term.", ["learning rate decay"]),
        ("*Learning rate* in italics.", ["Learning rate"]),
        ("| batch |\n|---|\n| a batch |", ["batch"]),
        ("The learning, rate.", []),
        ("An ema is a river.", []),
        ("A mini-batch and a batched step.", []),
        ("## A batch", []),
        ("See [the batch](momentum.py) and `batch`.", []),
        ("```\nbatch\n```", []),
        ("![batch](valley.svg)", []),
        ("| batch |\n|---|\n| x |", []),
    ],
)
def test_terms_are_found_in_prose_and_left_alone_elsewhere(explained, prose, linked):
    assert [text for _, text in terms(explained, prose)] == linked


def test_a_term_is_no_link_on_its_own_page_nor_in_the_chapter_that_explains_it(explained):
    momentum = explained.root / "rules/momentum.py"
    momentum.write_text(momentum.read_text() + "#\n# A running average at some learning rate.\n")
    explained.generate()
    assert "lit-term" not in explained.page("glossary")
    linked = re.findall(r'lit-term" href="[^"]*#([^"]+)"', explained.page("momentum"))
    assert "learning-rate" in linked
    assert "running-average" not in linked


def test_a_symbol_is_explained_where_the_chapter_means_the_same_by_it(explained):
    prose = r"With $\beta$, $g$, $g_t$ and $\beta^2$."
    assert terms(explained, prose) == []
    same = "symbols:\n  g: gradient\n  \\beta: beta\n"
    assert [anchor for anchor, _ in terms(explained, prose, same)] == [
        *("symbol-g_t", "symbol-beta"),  # in the card
        *("symbol-beta", "symbol-g_t"),  # in the prose
    ]
    other = "symbols:\n  \\beta: gradient\n"
    assert terms(explained, r"With $\beta$.", other) == []


def test_links_can_name_entries_and_what_has_a_card_says_so(explained):
    prose = (
        "[a](../docs/glossary.md#running-average) [b](notation#symbol-beta) [c](descent) "
        "[d](https://doi.org/10.1016/0041-5553(64)90137-5) [e](https://example.org/)"
    )
    explained.write("rules/new.py", CHAPTER.format(prose=prose, extra=""))
    explained.generate()
    with_cards = re.findall(r'class="lit-cite">(\w)</a>', explained.page("new"))
    assert with_cards == ["a", "b", "d"]


def test_a_term_that_stands_twice_is_told_with_its_line(explained):
    explained.write("docs/glossary.md", GLOSSARY.replace("Batch\n", "Batch, ema, EMA\n"))
    with pytest.raises(SiteError, match=r"glossary.md:15: 'Batch' is already explained on line 6"):
        explained.generate()


def test_an_entry_has_an_anchor_and_two_of_one_name_are_told(explained):
    explained.generate()
    assert '<dt id="running-average">Running average, EMA</dt>' in explained.page("glossary")
    assert '<tr id="symbol-g_t">' in explained.page("notation")
    explained.write("docs/glossary.md", GLOSSARY + "\n# Batch\n")
    with pytest.raises(SiteError, match="anchor 'batch' stands twice"):
        explained.generate()


def test_a_term_without_a_word_is_shown_and_nothing_leads_to_it(explained):
    explained.write("docs/glossary.md", GLOSSARY.replace("Batch\n", "!, ,\n"))
    assert terms(explained, "A batch!") == []
    assert '<dt id="term">!, ,</dt>' in explained.page("glossary")


def cards(course) -> dict[str, list[str]]:
    course.generate()
    script = (course.root / "build/pages/assets/site_gen/cards.js").read_text()
    return json.loads(script.removeprefix("litCards = ").removesuffix(";\n"))


def test_the_cards_hold_terms_symbols_and_papers_without_links(explained):
    found = cards(explained)
    assert set(found) == {
        *("glossary/#running-average", "glossary/#learning-rate", "glossary/#learning-rate-decay"),
        *("glossary/#batch", "notation/#symbol-g_t", "notation/#symbol-beta"),
        "https://doi.org/10.1016/0041-5553(64)90137-5",
    }
    title, text = found["glossary/#learning-rate"]
    assert title == "Learning rate"
    assert re.fullmatch(r"The factor <math.*</math> &amp; more. See descent.", text)
    title, text = found["notation/#symbol-beta"]
    assert "β" in title
    assert text == "<p>a decay rate, <code>beta</code>, <code>betas</code></p>"
    assert found["https://doi.org/10.1016/0041-5553(64)90137-5"] == [
        "Some methods of speeding up the convergence of iteration methods",
        "<p>Boris T. Polyak. USSR Computational Mathematics and Mathematical Physics, 1964.</p>",
    ]


def test_the_cards_have_the_addresses_that_links_have(explained):
    explained.config.write_text(explained.config.read_text() + "use_directory_urls: false\n")
    assert "glossary.html#batch" in cards(explained)

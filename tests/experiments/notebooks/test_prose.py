"""The Markdown of the course becomes Markdown of notebooks."""

import pytest

from experiments.notebooks.prose import converted, cut, unfolded

SOLVED = "**1.** Why?\n\n::: solution\nBecause.\n\n```python\nx = 1\n```\n:::\n\nThe end."


def whole(target):
    return f"https://example.org/{target}"


def test_a_link_leads_to_the_whole_address_or_becomes_its_text():
    text = "See [`Adam`](adam.py#Adam), and [the paper](https://arxiv.org/abs/1)."
    assert converted(text, whole).startswith("See [`Adam`](https://example.org/adam.py#Adam), and")
    assert converted(text, lambda target: None) == "See `Adam`, and the paper."


@pytest.mark.parametrize(
    "text",
    [
        "`a[i](x.py)`",
        "```python\na = b[0](x.py)\n# not a heading\n```",
        "$[0, 1)(x.py)$",
        "$$\n\\begin{aligned}\na &= b[1](x.py) \\\\\n\\end{aligned}\n$$",
    ],
)
def test_code_and_formulas_stay_as_they_are(text):
    assert converted(text, whole) == text
    assert cut(text) == [text]


def test_a_solution_is_folded_and_each_has_its_own_end():
    text = converted(f"{SOLVED}\n\n{SOLVED}", whole)
    assert text.count("<details>\n<summary>Solution</summary>\n\nBecause.") == 2
    assert text.count("x = 1\n```\n\n</details>") == 2
    assert ":::" not in text


def test_readers_of_plain_text_get_the_solution_in_the_open():
    text = unfolded(converted(SOLVED, whole))
    assert "<" not in text
    assert "*Solution.*\n\nBecause." in text
    assert text.endswith("The end.")


def test_headings_are_at_most_of_the_second_level_and_begin_a_cell():
    text = converted("# One\n\nFirst.\n\n### Three\n\nThird.\n\n**1.** Exercise.", whole)
    assert cut(text) == ["## One\n\nFirst.", "### Three\n\nThird.", "**1.** Exercise."]

"""Pieces of code within prose, with their colours."""

import re
from html import unescape

import pytest

from site_gen.highlight import snippet


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("console", "$ one"),
        ("console", "$ one\nsaid\n$ two\nsaid"),
        ("console", "$ one \\\n      more\n\nsaid\n"),
        ("python", "x = 1"),
        ("python", 'text = """\n\n<b>\n"""\n'),
        ("pycon", ">>> 1\n1"),
        ("sh", "a=1 && b"),
        ("yaml", "a: [1]\nb: 2"),
        ("nginx", "a b;"),
        ("diff", "+a\n-b"),
        ("text", "$ <a>"),
        ("python", ""),
    ],
)
def test_a_snippet_keeps_every_character(language, text):
    assert unescape(re.sub("<[^>]*>", "", snippet(text, language))) == text


def test_the_prompt_of_a_console_has_a_class_of_its_own():
    assert snippet("$ one", "console") == '<span class="gp">$ </span>one'

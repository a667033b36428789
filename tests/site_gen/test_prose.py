import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_gen import prose
from site_gen.errors import SiteError
from site_gen.sections import Line

HERE = Path("m.py")
SAFE_ELEMENTS = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "details",
        "div",
        "em",
        "hr",
        "img",
        "li",
        "math",
        "ol",
        "p",
    ),
    *("pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("h2", "h3", "h4", "h5", "h6"),
}
MATHML_ELEMENTS = {
    *("mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mrow", "mspace", "msqrt"),
    *("mroot", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder"),
    *("munderover", "menclose", "mmultiscripts", "mprescripts"),
}


class Anything:
    """References that find every target and remember where it was asked for."""

    def __init__(self):
        self.asked = []

    def link(self, target, line):
        self.asked.append(("link", target, line))
        return target

    def image(self, target, line):
        self.asked.append(("image", target, line))
        return prose.Picture(target)

    def definition(self, name):
        return "#f" if name == "f" else None

    def listing(self, name, line):
        return f"<p>{name}</p>"

    def terms(self, text):
        return [(text, None)]

    def symbol(self, tex):
        return None

    def has_card(self, target):
        return False


def numbered(text: str, first: int = 1) -> list[Line]:
    return [Line(number, line) for number, line in enumerate(text.split("\n"), first)]


def render(text: str, first: int = 1) -> str:
    return prose.parse(numbered(text, first), HERE).render(Anything())


def error(text: str, first: int = 1) -> str:
    with pytest.raises(SiteError) as found:
        render(text, first)
    return str(found.value)


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.attributes = set(), []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs


INJECTIONS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "`<script>alert(1)</script>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```python\n"</script><script>"\n```',
    r"$\text{<script>alert(1)</script>}$",
    '[x](y "\\" onmouseover=alert(1)")',
    '![" onerror="alert(1)](x.png)',
    "# <script>alert(1)</script>",
    "::: solution <script>alert(1)</script>\nx\n:::",
    "| <script> |\n|---|\n| <script> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


def assert_harmless(html: str) -> None:
    elements = Elements()
    elements.feed(html)
    assert elements.names <= SAFE_ELEMENTS | MATHML_ELEMENTS
    for name, value in elements.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in ("href", "src"):
            assert not (value or "").lower().startswith(("javascript:", "data:", "vbscript:"))


@pytest.mark.parametrize("text", INJECTIONS)
def test_prose_cannot_inject_script(text):
    assert_harmless(render(text))


@given(st.lists(st.sampled_from([*INJECTIONS, "\n\n", "- ", "> ", "**", "text"]), max_size=6))
def test_prose_cannot_inject_script_in_any_combination(pieces):
    try:
        html = render("".join(pieces))
    except SiteError:
        return
    assert_harmless(html)


def test_a_link_and_a_picture_are_resolved_with_their_lines():
    references = Anything()
    html = prose.parse(numbered("one\n[a](b.py#c) and\n![alt](d.png)", 10), HERE).render(references)
    assert '<a href="b.py#c">a</a>' in html
    assert '<img src="d.png" alt="alt" loading="lazy">' in html
    assert references.asked == [("link", "b.py#c", 11), ("image", "d.png", 12)]


def test_inline_code_that_names_a_definition_links_to_it():
    assert render("`f` and `g`") == '<p><a href="#f"><code>f</code></a> and <code>g</code></p>\n'
    assert render("[see `f`](x)") == '<p><a href="x">see <code>f</code></a></p>\n'


def test_headings_start_below_the_title_and_carry_anchors():
    parsed = prose.parse(numbered("# One two\n\n### Three", 5), HERE, scope="Adam")
    assert [(h.text, h.level, h.anchor, h.line) for h in parsed.headings] == [
        ("One two", 2, "Adam-one-two", 5),
        ("Three", 3, "Adam-three", 7),
    ]
    assert '<h2 id="Adam-one-two">' in parsed.render(Anything())


def cells(table: str) -> list[list[str]]:
    """The tags of the cells of each row."""
    rows = re.findall("<tr>(.*?)</tr>", render(table), re.S)
    assert all(re.findall(r"<(t\w)", row) == re.findall(r"</(t\w)>", row) for row in rows)
    return [re.findall(r'<(t\w(?: scope="\w+")?)', row) for row in rows]


def test_an_empty_cell_of_a_table_heads_nothing():
    assert cells("| a |   |\n|---|---|\n| 1 | 2 |\n|   | 3 |") == [
        ["th", "td"],
        ["td", "td"],
        ["td", "td"],
    ]


def test_below_an_empty_corner_the_first_cells_head_their_rows():
    head = 'th scope="row"'
    table = "|   | a |\n|---|---|\n| x | 1 |\n|   | 2 |"
    assert cells(table) == [["td", "th"], [head, "td"], ["td", "td"]]
    assert cells(f"{table}\n\n| b |\n|---|\n| 3 |")[-1] == ["td"]


def test_a_solution_is_folded_away():
    html = render("::: solution\n*yes*\n:::")
    assert "<details" in html
    assert "<summary>Solution</summary>" in html
    assert "<p><em>yes</em></p>" in html


def test_a_code_block_is_highlighted():
    assert '<span class="k">def</span>' in render("```python\ndef f(): pass\n```")


def test_math_is_mathml_with_its_source():
    assert render("$a<b$") == (
        '<p><math data-tex="a&lt;b"><mi>a</mi><mo>&lt;</mo><mi>b</mi></math></p>\n'
    )


def test_underscores_and_stars_within_math_are_no_emphasis():
    assert "<em>" not in render("$a_1 b_2$ and $x * y * z$ and $\\beta_1$")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ok\n\n$$\na\n\\foo{b}\n$$", 'm.py:14: formula does not parse: Unknown command "\\foo".'),
        ("ok\nthen $x$ and $\\foo$", 'm.py:11: formula does not parse: Unknown command "\\foo".'),
        (
            "ok\n\n| a |\n|---|\n| $\\foo$ |",
            'm.py:14: formula does not parse: Unknown command "\\foo".',
        ),
        ("- one\n- $\\frac{1}$", "m.py:11: formula does not parse: "),
        ("$\\color{red}{x}$", "m.py:10: formula does not parse: a formula cannot set "),
        ("it costs $5", "m.py:10: a $ that opens no formula; write \\$ for the sign itself"),
        ("one\nwith $ x $ spaces", "m.py:11: a $ that opens no formula"),
        ("::: hint\nx\n:::", "m.py:10: unknown or unopened container 'hint'"),
        ("text\n\n```klingon\nx\n```", "m.py:12: no highlighting for the language 'klingon'"),
    ],
)
def test_what_cannot_be_shown_is_told_with_file_and_line(text, message):
    assert error(text, first=10).startswith(message)


def test_an_escaped_dollar_sign_is_a_dollar_sign():
    assert render(r"it costs \$5") == "<p>it costs $5</p>\n"


def test_plain_text_of_a_sentence_has_no_marks():
    assert prose.plain(r"Divides by *the root* of $v_t$ in `Adam`.") == (
        "Divides by the root of v_t in Adam."
    )

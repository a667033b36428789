import re
from dataclasses import replace
from html.parser import HTMLParser

import markdown
import pytest
from hypothesis import given, settings
from markupsafe import Markup

from site_gen.chapters import Reading, python_chapter
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.errors import SiteError
from site_gen.highlight import python_lines
from site_gen.page import page
from site_gen.plugins import Fact, Figure, additions
from site_gen.sections import parse, read, split_lines
from tests.site_gen.conftest import FIXTURE
from tests.site_gen.modules import PROJECT_FILES, ROOT, modules

HERE = FIXTURE / "rules/new.py"
MKDOCS_EXTENSIONS = ["toc", "tables", "fenced_code"]


class Code(HTMLParser):
    """Collects what the code column shows: (number, text) of each line."""

    def __init__(self):
        super().__init__()
        self.lines, self.inside = [], False

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.inside |= attributes.get("class") == "lit-code"
        if self.inside and attributes.get("class") == "lit-n":
            self.lines.append((int(attributes["data-n"]), ""))

    def handle_endtag(self, tag):
        self.inside &= tag != "pre"

    def handle_data(self, data):
        if self.inside and self.lines:
            number, text = self.lines[-1]
            self.lines[-1] = (number, text + data)


class Elements(HTMLParser):
    """Collects elements and attributes."""

    def __init__(self, html):
        super().__init__()
        self.names, self.attributes = set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs


def shown_code(html: str) -> list[tuple[int, str]]:
    code = Code()
    code.feed(html)
    return [(number, text.removesuffix("\n")) for number, text in code.lines]


def make_page(text: str, plugins=()) -> str:
    """The page of a module of this text, as the generator writes it."""
    chapter = python_chapter(HERE, text, "new", "rules.new", Reading())
    course = Course([chapter], read_settings(FIXTURE / "mkdocs.yml"))
    return page(chapter, course, additions(chapter, plugins))


def body(text: str) -> str:
    return text.partition("---\n\n")[2]


def expected_code(text: str) -> dict[int, str]:
    source = parse(text, HERE)
    prose = {n for s in source.sections for p in s.prose for n in range(p.first, p.last + 1)}
    lines = enumerate(source.lines, 1)
    return {number: line for number, line in lines if number not in prose and line.strip()}


@given(modules())
@settings(max_examples=60)
def test_the_code_of_a_generated_module_is_on_its_page_once_with_true_numbers(text):
    shown = shown_code(make_page(text))
    numbers = [number for number, _ in shown]
    assert numbers == sorted(set(numbers))
    assert {number: line for number, line in shown if line.strip()} == expected_code(text)


@given(modules())
@settings(max_examples=60)
def test_every_word_of_prose_is_on_the_page(text):
    source = parse(text, HERE)
    html = make_page(text)
    for section in source.sections:
        for item in section.prose:
            for word in re.findall(r"\w+", item.text):
                assert word in html


@pytest.mark.parametrize("path", PROJECT_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_highlighting_keeps_every_character_of_the_project(path):
    text = read(path)
    html = "".join(
        f'<a class="lit-n" data-n="{n}"></a>{line}' for n, line in enumerate(python_lines(text), 1)
    )
    shown = shown_code(f'<div class="lit-code">{html}</div>')
    assert [line for _, line in shown][: len(split_lines(text))] == split_lines(text)


@given(modules())
@settings(max_examples=40)
def test_python_markdown_passes_a_page_through_byte_for_byte(text):
    html = body(make_page(text))
    assert markdown.markdown(html, extensions=MKDOCS_EXTENSIONS) == html.strip()


def test_tabs_blank_lines_and_control_characters_survive_python_markdown():
    text = (
        'x = """\n\t\n   \n\x0c```\n[a]: b\n*[c]: d\n\x02\x03wzxhzdk:0\n"""\n\n\n# \tTab.\ny = 1\n'
    )
    html = body(make_page(text))
    assert markdown.markdown(html, extensions=MKDOCS_EXTENSIONS) == html.strip()
    code = dict(shown_code(html))
    assert [code[number] for number in range(1, 8)] == [
        'x = """',
        "\t",
        "   ",
        "␌```",
        "[a]: b",
        "*[c]: d",
        "␂␃wzxhzdk:0",
    ]


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</code></pre></div><script>",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_in_a_source_injects_script(nasty):
    quoted = nasty.replace('"', '\\"')
    text = (
        f'"""---\ntitle: "{quoted}"\nsummary: "{quoted}"\n'
        f"needs: []\nsymbols: {{x: y}}\n"
        f'verified_against: {{implementation: "{quoted}", difference: "{quoted}"}}\n'
        f'paper: {{title: "{quoted}", authors: ["{quoted}"], venue: "{quoted}", year: 1, '
        f'doi: 10.1000/x}}\n---\n{nasty}\n\n# {nasty}\n\n$x$\n"""\n'
        f'# {nasty}\nx = 1  # {nasty}\ny = """{nasty}"""  # {quoted}\n'
    )
    elements = Elements(make_page(text))
    assert not elements.names & {"script", "img", "iframe"}
    assert not [name for name, _ in elements.attributes if name.startswith("on")]


class Extra:
    """A plugin that adds what it is given."""

    def __init__(self, facts=(), figures=(), assets=()):
        self._facts, self._figures, self._assets = facts, figures, assets

    def facts(self, chapter):
        return [*self._facts, Fact("Module", chapter.module)]

    def figures(self, chapter):
        return self._figures

    def assets(self):
        return self._assets


def test_plugins_add_facts_and_figures():
    figure = Figure("Curves", "curves", Markup("<svg viewBox='0 0 1 1'><path d='M0 0'/></svg>\n"))
    html = make_page(
        "x = 1\n", (Extra([Fact("A <b>", "1 < 2"), Fact("C", Markup("<b>d</b>"))], [figure]),)
    )
    assert "<dt>A &lt;b&gt;</dt><dd>1 &lt; 2</dd>" in html
    assert "<dt>C</dt><dd><b>d</b></dd>" in html
    assert "<dt>Module</dt><dd>rules.new</dd>" in html
    assert html.index('<section class="lit-figure" id="curves"') > html.index('id="line-1"')
    assert "<path d='M0 0'/>" in html


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<SCRIPT src=x>",
        "<img src=x onerror=x>",
        "<iframe></iframe>",
        "<link rel=x>",
    ],
)
def test_plugins_cannot_put_scripts_on_a_page(html):
    with pytest.raises(SiteError, match="a plugin must not put"):
        make_page("x = 1\n", (Extra([Fact("A", Markup(html))]),))
    with pytest.raises(SiteError, match="a plugin must not put"):
        make_page("x = 1\n", (Extra(figures=[Figure("A", "a", Markup(html))]),))


def test_a_figure_cannot_take_an_anchor_of_the_prose():
    with pytest.raises(SiteError, match="anchor 'f' is taken"):
        make_page("def f():\n    'F.'\n", (Extra(figures=[Figure("F", "f", Markup(""))]),))


def figure_with(path: str, file=FIXTURE / "mkdocs.yml") -> Figure:
    return Figure("A", "a", Markup("<p></p>"), {path: file})


@pytest.mark.parametrize("path", ["../a.json", "/a.json", "a/../b.json", "a//b.json", "", ".."])
def test_a_file_of_a_plugin_cannot_leave_the_site(path):
    with pytest.raises(SiteError, match="must be a path from the root of the site"):
        make_page("x = 1\n", (Extra(figures=[figure_with(path)]),))


def test_a_file_of_a_plugin_must_be_there_and_be_no_page():
    with pytest.raises(SiteError, match=r"new.py:1: file 'a.json': there is no .*gone"):
        make_page("x = 1\n", (Extra(figures=[figure_with("a.json", FIXTURE / "gone")]),))
    for path in ("a.md", "a/index.html"):
        with pytest.raises(SiteError, match=f"file '{path}': pages are made from chapters"):
            make_page("x = 1\n", (Extra(figures=[figure_with(path)]),))


def test_two_figures_may_bring_one_file_but_not_two_files_to_one_place():
    once, again = figure_with("a.json"), replace(figure_with("a.json"), anchor="b")
    make_page("x = 1\n", (Extra(figures=[once, again]),))
    other = replace(again, files={"a.json": FIXTURE / "docs/index.md"})
    with pytest.raises(SiteError, match=r"file 'a.json': is already .*mkdocs.yml"):
        make_page("x = 1\n", (Extra(figures=[once, other]),))


def test_a_fact_brings_its_files_as_a_figure_does():
    for path in ("../a.json", "a.md"):
        with pytest.raises(SiteError, match=f"file '{path}': "):
            make_page("x = 1\n", (Extra([Fact("A", "a", {path: FIXTURE / "mkdocs.yml"})]),))


def test_the_card_shows_what_the_front_matter_says(course):
    course.generate()
    html = course.page("momentum")
    card = html[html.index('<dl class="lit-card"') : html.index("</dl>")]
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", card))
    assert list(facts) == ["Paper", "Read first", "Symbols", "Verified against", "Source"]
    assert facts["Paper"].startswith(
        '<a class="lit-cite" href="https://doi.org/10.1016/0041-5553(64)90137-5">'
    )
    assert facts["Read first"] == '<a href="../descent/">Gradient descent</a>'
    assert '<mi>β</mi></math> <code data-sym="beta">beta</code>' in facts["Symbols"]
    assert facts["Verified against"] == "<code>torch.optim.SGD</code>, largest difference 4e-16"
    assert facts["Source"] == '<a href="../momentum.py" download>rules/momentum.py</a>'


def test_prose_without_code_at_the_end_takes_the_whole_width(course):
    course.generate()
    html = course.page("momentum")
    last = html[html.rindex('<section class="lit-section') :]
    assert last.startswith('<section class="lit-section lit-alone">')
    assert '<h2 id="exercises">' in last
    assert "lit-code" not in last


def test_references_come_with_bibtex(course):
    course.generate()
    html = course.page("momentum")
    assert '<h2 id="references">References</h2>' in html
    assert "@article{polyak1964some," in html


def test_the_description_of_a_page_is_its_summary_in_plain_text(course):
    course.generate()
    head = (course.root / "build/pages/descent.md").read_text().split("---")[1]
    assert (
        "description: One step against the gradient, \\theta_t = \\theta_{t-1} - \\alpha g_t."
        in head
    )

"""Code that knows nothing of this generator becomes pages as it is."""

import importlib.util
import re
import sysconfig
from html import unescape
from pathlib import Path

import pytest
import yaml

from site_gen.chapters import Chapter, Reading, load
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.errors import SiteError
from site_gen.page import page
from site_gen.sections import split_lines

STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
CODE_LINE = re.compile(r'<a class="lit-n" id="line-\d+" [^>]*data-n="(\d+)"[^>]*></a>(.*?)&#10;')
PROSE = re.compile(r'^<div class="lit-prose">\n(.*?)\n?</div>$', re.S | re.M)
NAME = re.compile(r'<h\d class="lit-name".*?</h\d>')
OPENING = re.compile(r'^\s*[rRuU]?(?="""|\'\'\'|")')
MARKS = re.compile(r"[\s#\"'¶\\]")


def installed(name: str, under: str = "") -> Path | None:
    """The folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0], under) if spec else None


PACKAGES = {
    "json": STANDARD_LIBRARY / "json",
    "dataclasses": STANDARD_LIBRARY / "dataclasses.py",
    "asyncio": STANDARD_LIBRARY / "asyncio",
    "typing": STANDARD_LIBRARY / "typing.py",
    "email": STANDARD_LIBRARY / "email",
    "torch": installed("torch", "optim"),
    "timm": installed("timm", "optim"),
    "pytorch_optimizer": installed("pytorch_optimizer", "optimizer"),
}


class Pages:
    """The chapters and pages of a source, under settings that are nearly empty."""

    def __init__(self, folder: Path, source: Path, **options):
        config = folder / "mkdocs.yml"
        settings = {"sources": [{"path": str(source), **options}]}
        config.write_text(yaml.safe_dump({"site_name": "x", "extra": {"site_gen": settings}}))
        self.settings = read_settings(config)
        (only,) = self.settings.sources
        chapters = [
            load(path, name, name, Reading(strict=False, markup=only.markup))
            for path, name in only.files()
        ]
        self.course = Course(chapters, self.settings)

    def __iter__(self):
        for chapter in self.course.chapters.values():
            yield chapter, page(chapter, self.course).partition("---\n\n")[2]


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def assert_every_line_once(chapter: Chapter, html: str) -> None:
    lines = split_lines(chapter.text)
    code = [(int(number), text_of(line)) for number, line in CODE_LINE.findall(html)]
    numbers = [number for number, _ in code]
    assert numbers == sorted(set(numbers))
    assert all(visible(lines[number - 1]) == line for number, line in code)
    rest = set(range(1, len(lines) + 1)) - set(numbers)
    raw = "".join(OPENING.sub("", lines[number - 1]) for number in sorted(rest))
    shown = "".join(NAME.sub("", found).replace("&#10;", "\n") for found in PROSE.findall(html))
    if "lit-plain" in html or not re.search(r"<(?:code|em|strong|ul|ol|math|h2)", shown):
        assert MARKS.sub("", text_of(shown)).replace("␌", "") == visible(MARKS.sub("", raw))
    else:
        words = iter(re.findall(r"\w+", unescape(shown)))
        assert all(word in words for word in re.findall(r"\w+", raw))


def visible(text: str) -> str:
    """What a page shows for characters that HTML cannot hold."""
    return "".join(chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\n" else c for c in text)


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_every_line_of_a_package_stands_on_its_page_exactly_once(name, tmp_path):
    source = PACKAGES[name]
    if source is None:
        pytest.skip(f"{name} is not installed")
    pages = list(Pages(tmp_path, source))
    assert len(pages) >= (1 if source.is_file() else 5)
    for chapter, html in pages:
        assert_every_line_once(chapter, html)


def of_one_file(folder: Path, source: bytes, **options) -> Pages:
    path = folder / "m.py"
    path.write_bytes(source)
    return Pages(folder, path, **options)


def made(folder: Path, source: str, **options) -> str:
    """The page of a file of these contents."""
    ((_, html),) = of_one_file(folder, source.encode(), **options)
    return html.replace("&#10;", "\n")


def prose_of(html: str) -> list[str]:
    return [text_of(NAME.sub("", found)).strip() for found in PROSE.findall(html)]


@pytest.mark.parametrize(
    "source",
    [
        b'"""Doc."""\r\n\r\nx = [\r\n    1,\r\n]\r\n# Why.\r\ny = 2\r\n',
        b'"""Doc."""\rx = 1\r# Why.\ry = 2\r',
        b'\xef\xbb\xbf"""Doc."""\nx = "\xc3\xa9"\n',
        b'# -*- coding: latin-1 -*-\n"""Caf\xe9."""\nx = "\xe9"\n',
        b'# coding: cp1252\n# \x80 5\nprice = "\x80"\n',
        b'"""Doc."""\n\x0c\ndef f():\n    pass\n\x0c\nclass C:\n    x = 1\n',
        b"def f():\n\t# Why.\n\tif x:\n\t\treturn 1\n\treturn {\n\t\t1: 2,\t# behind\n\t}\n",
        b"x = 1 \\\n    + 2\n\nif x: y = 1; z = 2\n# The end.",
        b'"""Doc."""',
        b"",
        b"\n\n\n",
        b"# Only a comment.\n",
        "größe = 'Ω'  # grün\n# 日本語の説明。\nπ = 3\n".encode(),
        b"def f(\n    a,  # first\n    # inside\n    b=(1,\n# at the margin\n       2),\n):\n    # Why.\n    return a\n",
        b"@first\n# between\n@second(\n    1\n)\n# before\nclass C:\n    @property\n    def f(self): ...\n",
        b"match x:\n    # One.\n    case {'a': 1, **rest} if rest:\n        pass\n    case [1, *_]:\n        pass\n",
        b"try:\n    import a\nexcept ImportError:\n    def a():\n        '''Stands in.'''\nelse:\n    # Fine.\n    class B:\n        pass\n",
        b"def f():\n    def g():\n        '''Inner.'''\n        def h():\n            # Deep.\n            return 1\n        return h\n    return g\n",
        b"if __name__ == '__main__':\n    # Runs.\n    main()\n",
        b"async def f():\n    async with a as b, c as d:\n        # Each.\n        async for x in b: yield x\n",
        b"x = f'{a!r:>{width}} {{}}' rf'\\d{b}'\nif (n := 1): pass\ndef f(a, /, b, *, c): return lambda *d: d\n",
        b"with (open(a) as b,\n      # second\n      open(c) as d):\n    pass\ntry: pass\nexcept* E: pass\n",
        b"def f(a, # type: int\n      ):\n    # type: (...) -> None\n    print >>out, a\n",
        b"x = '\\d'\n'''\\p'''\ny = 1 if x is 'a' else 2\n",
    ],
    ids=range(24),
)
def test_a_file_is_shown_line_by_line_however_it_is_written(source, tmp_path):
    ((chapter, html),) = of_one_file(tmp_path, source)
    assert_every_line_once(chapter, html)


def test_a_file_of_five_thousand_lines_is_shown(tmp_path):
    source = "".join(
        f"def f{n}():\n    '''Number {n}.'''\n    # Why.\n    return {n}\n\n" for n in range(1000)
    )
    ((chapter, html),) = of_one_file(tmp_path, source.encode())
    assert_every_line_once(chapter, html)
    assert html.count('class="lit-name"') == 1000


def test_docstrings_of_other_conventions_are_plain_text(tmp_path):
    field = ":param x: *starred* and __dunder__"
    html = made(tmp_path, f'def f(x):\n    """Says.\n\n    {field}\n    :returns: ``x``\n    """\n')
    assert f"Says.\n\n{field}\n:returns: ``x``" in text_of(html)
    for docstring in (
        "Says.\n\nArgs:\n    x: **bold**",
        "Says.\n\n>>> f(**a, **b)\n1",
        "Says **it**.\n\nParameters\n----------\nx : int",
        "See :class:`Other` and **it**.\n\n.. note:: No.",
    ):
        html = made(tmp_path, f'"""{docstring}\n"""\n')
        assert "<strong>" not in html
        assert docstring.split("\n\n")[1] in text_of(html)


def test_names_with_underscores_frames_and_calls_of_generics_are_no_markdown(tmp_path):
    for text in ("Calls __init__ of **it**.", "Calls List[int](x) of `y`.", "Calls `z` * 2 * 3."):
        assert text in text_of(made(tmp_path, f"# {text}\nx = 1\n"))
    assert "<strong>it</strong>" in made(tmp_path, "# Calls `__init__` of **it**.\nx = 1\n")
    assert prose_of(made(tmp_path, "#########\n### Frame\n#########\nx = 1\n")) == ["#\nFrame"]


def test_a_comment_or_heading_that_names_a_line_leaves_that_anchor_to_the_line(tmp_path):
    assert 'id="line-2-2"' in made(tmp_path, "# line 2\nx = 1\n")
    html = made(tmp_path, '"""Text.\n\n## Line 5\n"""\nx = 1\n')
    assert re.findall(r'id="(line-5[^"]*)"', html) == ["line-5-2", "line-5"]


def test_signs_of_plain_text_stay(tmp_path):
    text = "Calls __init__, a_b_c and *args of $HOME <tag>, not 2 * 3 * 4."
    assert prose_of(made(tmp_path, f"# {text}\nx = 1\n")) == [f"#\n{text}"]


def test_paragraphs_of_plain_text_flow_and_tables_keep_their_lines(tmp_path):
    flowing = "This paragraph is as long as a line can be and goes on\nin the next line of the comment up to its end."
    table = "+---+---+\n| a | b |\n+---+---+"
    comment = "\n".join(f"# {line}".rstrip() for line in f"{flowing}\n\n{table}".split("\n"))
    html = made(tmp_path, f"{comment}\nx = 1\n")
    assert f"<p>{flowing}</p>" in html
    assert f'<pre class="lit-plain">\n{table}</pre>' in html


def test_a_source_can_say_what_its_prose_is(tmp_path):
    source = '"""Uses `x` and **y**."""\n'
    assert "<strong>y</strong>" in made(tmp_path, source)
    assert "`x` and **y**" in made(tmp_path, source, prose="text")
    assert "<code>x</code>" in made(tmp_path, '"""Uses `x`."""\n', prose="markdown")
    with pytest.raises(SiteError, match=r"mkdocs\.yml:\d+: 'prose' must be markdown or text, not"):
        made(tmp_path, source, prose="rest")


def test_markdown_that_leads_nowhere_is_shown_as_it_is_written(tmp_path):
    html = made(
        tmp_path,
        '"""# Title\n\nSee [there](gone.html) and ![plot](gone.png), $x^$ and $5.\n\n'
        "```nolanguage\na < b\n```\n\n::: other\n\n## Same\n\n## Same\n"
        '"""\n',
    )
    assert '<span title="gone.html">there</span>' in html
    assert '<span title="gone.png">plot</span>' in html
    assert "<code>$x^$</code> and $5." in html
    assert "a &lt; b" in html
    assert "::: other" in html
    assert [*re.findall(r'<h2 id="([^"]+)"', html)] == ["same", "same-2"]


LABML = r'''"""
---
title: Adam
summary: >
 An optimizer
 in two lines.
---

# Adam

\begin{align}
m_t &\leftarrow \beta_1 m_{t-1} + (1 - \beta_1) \cdot \nabla f \\
\theta_t &\leftarrow \theta_{t-1} - \alpha \cdot \frac{m_t}{\sqrt{v_t}}
\end{align}

It extends [base](base.html), is listed in [all](index.html) and [elsewhere](../gone/index.html).
"""

class Adam:
    """$\beta$ of $\tau$"""
'''


def test_conventions_of_labml_are_understood(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    for name, text in {
        "adam": LABML,
        "base": '"""# Base\n"""\n',
        "__init__": '"""# All\n"""\n',
    }.items():
        (package / f"{name}.py").write_text(text)
    html = {chapter.name: html for chapter, html in Pages(tmp_path, package)}["package/adam"]
    assert '<p class="lit-summary">An optimizer in two lines.</p>' in html
    assert html.count("<math") == 3
    assert r'data-tex="\beta"' in html
    assert '<a href="../base/">base</a>' in html
    assert '<a href="../">all</a>' in html
    assert "gone" in html
    assert 'href="../gone' not in html


def test_doubled_backslashes_of_a_docstring_mean_single_ones_unless_single_ones_stand_there(
    tmp_path,
):
    assert r'data-tex="\beta \\ \nabla"' not in made(tmp_path, '"""$\\\\beta$ [x](y)"""\n')
    assert r'data-tex="\beta"' in made(tmp_path, '"""$\\\\beta$ [x](y)"""\n')
    assert r'data-tex="\beta \\ x"' in made(tmp_path, '"""$$\\beta \\\\ x$$\n"""\n')


def test_cells_of_a_notebook_open_sections_and_their_titles_are_headings(tmp_path):
    html = made(
        tmp_path,
        "# %% Load data\nx = 1\n# %%\ny = 2\n# %% [markdown]\n# Some **text**\n# %%\nz = 3\n",
    )
    assert '<h2 id="load-data">Load data' in html
    assert "<strong>text</strong>" in html
    assert "%%" not in text_of(html)
    assert len(re.findall('<section class="lit-section', html)) == 3


def test_order_of_pages_follows_the_patterns_and_then_the_names(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    for name in "abcd":
        (package / f"{name}.py").write_text("")
    pages = Pages(tmp_path, package, order=["c.py", "b*"], exclude=["d.py"], under="")
    assert list(pages.course.chapters) == ["c", "b", "a"]

import re

import pytest

from site_gen.errors import SiteError

CHAPTER = '''r"""
---
title: {title}
chapter: "{place}"
{extra}
---

{prose}
"""

{code}
'''


def chapter(title="T", place="1.2", extra="", prose="Text.", code="x = 1") -> str:
    return CHAPTER.format(title=title, place=place, extra=extra, prose=prose, code=code)


def failure(course) -> str:
    with pytest.raises(SiteError) as error:
        course.generate()
    return re.sub(r"^/\S*/course/", "", str(error.value))


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("[x](momentum.py)", "../momentum/"),
        ("[x](momentum.py#Momentum.step)", "../momentum/#Momentum.step"),
        ("[x](momentum.py#why-it-helps)", "../momentum/#why-it-helps"),
        ("[x](momentum)", "../momentum/"),
        ("[x](/momentum)", "../momentum/"),
        ("[x](/momentum.py)", "../momentum/"),
        ("[x](../docs/index.md)", "../"),
        ("[x](index)", "../"),
        ("[x](#f)", "#f"),
        ("[x](new.py#f)", "#f"),
        ("[x](deep/er.py)", "../deep/er/"),
        ("[x](https://example.org/a?b=c&d=e#f)", "https://example.org/a?b=c&amp;d=e#f"),
        ("[x](valley.svg)", "../valley.svg"),
    ],
)
def test_links_in_prose_lead_to_pages(course, link, address):
    code = 'def f():\n    """F."""\n'
    course.write("rules/deep/er.py", chapter(place="1.3"))
    course.write("rules/new.py", chapter(prose=link, code=code))
    course.generate()
    assert f'<a href="{address}">x</a>' in course.page("new")


def test_links_work_from_deeper_pages(course):
    course.write("rules/deep/new.py", chapter(prose="[x](../momentum.py#Momentum) [y](index)"))
    course.generate()
    assert '<a href="../../momentum/#Momentum">x</a> <a href="../../">y</a>' in course.page(
        "deep/new"
    )


def test_addresses_end_in_html_where_mkdocs_is_told_so(course):
    course.config.write_text(course.config.read_text() + "use_directory_urls: false\n")
    course.write("rules/deep/new.py", chapter(prose="[x](../momentum.py#Momentum) [y](index)"))
    course.generate()
    page = course.page("deep/new")
    assert '<a href="../momentum.html#Momentum">x</a> <a href="../index.html">y</a>' in page


@pytest.mark.parametrize(
    ("prose", "message"),
    [
        ("[x](nowhere.py)", "broken link: there is no page 'nowhere.py'"),
        ("[x](nowhere)", "broken link: there is no page 'nowhere'"),
        ("[x](momentum.py#nothing)", "broken link: rules/momentum.py has no anchor 'nothing'"),
        ("[x](#nothing)", "broken link: rules/new.py has no anchor 'nothing'"),
        ("![x](nothing.png)", "there is no picture 'nothing.png'"),
        ("![x](../../../../etc/hostname)", "there is no picture '../../../../etc/hostname'"),
        ("![x](https://example.org/x.png)", "pictures must lie beside the source"),
    ],
)
def test_a_broken_link_is_told_with_file_and_line(course, monkeypatch, prose, message):
    monkeypatch.chdir(course.root)
    course.write("rules/new.py", chapter(prose=f"First line.\n{prose}"))
    found = failure(course)
    assert found.startswith("rules/new.py:9: ")
    assert message in found


def test_a_broken_link_in_a_comment_is_told_with_its_line(course):
    course.write("rules/new.py", chapter(code="x = 1\n# See [this](gone.py).\ny = 1"))
    assert failure(course).startswith("rules/new.py:12: broken link")


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"place": "2.1"}, 4, "chapter 2.1 is already "),
        ({"place": "7.1"}, 4, "there is no part 7; add it to 'parts' in mkdocs.yml"),
        ({"extra": "needs: [nothing]"}, 5, "'needs' names 'nothing', which is no chapter"),
        ({"extra": "symbols: {m: gone}"}, 5, "symbol 'm': 'gone' does not stand in the code"),
        ({"extra": "symbols: {'\\foo': x}"}, 5, "symbol '\\\\foo' does not parse"),
        ({"prose": "## A\n\n## A"}, 10, "anchor 'a' stands twice (first: line 8)"),
        (
            {"prose": "## References"},
            8,
            "anchor 'references' stands twice (first: the page itself)",
        ),
    ],
)
def test_what_does_not_fit_together_is_told_with_file_and_line(course, changes, line, message):
    course.write("rules/new.py", chapter(**changes))
    found = failure(course)
    assert found.startswith(f"rules/new.py:{line}: ")
    assert message in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "rules/new.py:1: no front matter"),
        ('"""Text."""\n', "rules/new.py:1: no front matter"),
        ('\n"""---\nsummary: S.\n---"""\n', "rules/new.py:2: front matter has no 'title'"),
    ],
)
def test_a_chapter_needs_front_matter_with_a_title(course, text, message):
    course.write("rules/new.py", text)
    assert failure(course).startswith(message)


def test_anchors_survive_an_edit_above_them(course):
    course.generate()
    before = re.findall(r' id="([^"]+)"', course.page("momentum"))
    path = course.root / "rules/momentum.py"
    text = path.read_text().replace(
        "__all__ =", "# A new remark, up here.\nEXTRA = 1\n\n\ndef extra(): ...\n\n\n__all__ ="
    )
    path.write_text(text)
    course.generate()
    after = re.findall(r' id="([^"]+)"', course.page("momentum"))
    named = [anchor for anchor in before if not anchor.startswith("line-")]
    assert [anchor for anchor in after if anchor in named] == named
    assert "Momentum.step-the-old-sum-fades-before-the" in named


def test_definitions_and_comments_of_one_name_get_numbers(course):
    code = (
        "class C:\n"
        "    @property\n    def x(self): ...\n"
        "    @x.setter\n    def x(self, value): ...\n"
        "    # The same.\n    a = 1\n    # The same.\n    b = 1\n"
    )
    course.write("rules/new.py", chapter(code=code))
    course.generate()
    found = re.findall(r' id="(C[^"]*)"', course.page("new"))
    assert found == ["C", "C.x", "C.x-2", "C-the-same", "C-the-same-2"]


def test_navigation_follows_the_places_of_the_chapters(course):
    course.write("rules/first.py", chapter("First", "1.0"))
    course.write("docs/notation.md", "---\ntitle: Notation\n---\n\nText.\n")
    assert course.generate().navigation == [
        {"A course": "index.md"},
        {"1 · Descent": [{"1.0 First": "first.md"}, {"1.1 Gradient descent": "descent.md"}]},
        {"2 · Momentum": [{"2.1 Momentum": "momentum.md"}]},
        {"Notation": "notation.md"},
    ]


def test_the_contents_list_every_chapter_with_its_sentence(course):
    course.generate()
    page = course.page("index")
    assert '<h2 id="contents-part-1">1 · Descent <span class="lit-count"></span></h2>' in page
    assert '<span class="lit-number">1.1</span>' in page
    assert (
        '<a href="descent/" data-chapter="">Gradient descent</a>'
        ' <span class="lit-minutes">1 min</span><p>One step against the gradient, <math'
    ) in page
    assert '<a href="../#contents-part-2">Part 2 · Momentum</a>' in course.page("momentum")


def test_inline_code_links_to_the_one_definition_of_its_name(course):
    course.generate()
    assert '<a href="#Momentum.nesterov"><code>Momentum.nesterov</code></a>' in course.page(
        "momentum"
    )
    course.write(
        "rules/new.py", chapter(prose="`Momentum` `Momentum.step` `largest_rate` `descend`")
    )
    course.generate()
    prose = course.page("new")
    assert '<a href="../momentum/#Momentum"><code>Momentum</code></a>' in prose
    assert '<a href="../momentum/#Momentum.step"><code>Momentum.step</code></a>' in prose
    assert '<a href="../momentum/#largest_rate"><code>largest_rate</code></a>' in prose
    assert "<code>descend</code>" in prose
    course.write("rules/other.py", chapter(place="1.4", code="class Momentum: ..."))
    course.generate()
    assert '#Momentum"><code>' not in course.page("new")


def test_two_sources_of_one_page_are_told(course):
    course.write("docs/momentum.md", "---\ntitle: M\n---\n")
    assert "page 'momentum' is already made from" in failure(course)


def test_a_package_without_front_matter_gets_titles_from_headings_and_names(package):
    navigation = package.generate().navigation
    assert navigation[1:] == [
        {"A package": "package/index.md"},
        {"package.tool": "package/tool.md"},
    ]


def test_a_site_without_a_landing_page_gets_one_that_lists_all_pages(package):
    navigation = package.generate().navigation
    assert navigation[0] == {"A package": "index.md"}
    assert '<a href="package/tool/">package.tool</a>' in package.page("index")
    assert '<h1 id="chapter-title">A package</h1>' in package.page("package/index")
    assert "<h2" not in package.page("package/index")
    assert "What it is for." in package.page("package/index")

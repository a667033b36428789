"""Ways through a course: what to read first and next, the map, the pager, the time it takes."""

import re

import pytest

from site_gen.errors import SiteError

CHAPTER = (
    '"""\n---\ntitle: {title}\nchapter: "{place}"\nneeds: [{needs}]\n---\n\n{prose}\n"""\n{code}\n'
)


def write(course, name: str, place: str, needs: str = "", prose="Text.", code="x = 1") -> None:
    text = CHAPTER.format(title=name.upper(), place=place, needs=needs, prose=prose, code=code)
    course.write(f"rules/{name}.py", text)


@pytest.fixture
def ways(course):
    """The fixture course with three chapters more, and a map."""
    write(course, "a", "1.2", "descent")
    write(course, "b", "2.2", "momentum, descent, a")
    write(course, "c", "2.3", "b, descent")
    course.write("docs/map.md", "---\ntitle: Map\n---\n\n::: map\n:::\n")
    course.generate()
    return course


def fact(course, page: str, label: str) -> list[str]:
    """The titles of the chapters in a line of the card."""
    found = re.search(rf"<dt>{label}</dt><dd>(.*?)</dd>", course.page(page))
    return re.findall(r">([^<]+)</a>", found[1]) if found else []


def test_the_head_says_what_to_read_first_and_leaves_out_what_that_needs_itself(ways):
    assert fact(ways, "b", "Read first") == ["Momentum", "A"]
    assert fact(ways, "c", "Read first") == ["B"]
    assert fact(ways, "descent", "Read first") == []


def test_the_head_says_what_builds_on_a_chapter(ways):
    assert fact(ways, "descent", "Builds on it") == ["A", "Momentum"]
    assert fact(ways, "b", "Builds on it") == ["C"]
    assert fact(ways, "c", "Builds on it") == []


def test_many_chapters_that_build_on_one_are_shown_on_the_map(ways):
    for number in range(6):
        write(ways, f"d{number}", f"2.{number + 4}", "c")
    ways.generate()
    assert fact(ways, "c", "Builds on it") == [*("D0", "D1", "D2", "D3", "D4"), "D5"]
    write(ways, "d6", "2.10", "c")
    ways.generate()
    assert fact(ways, "c", "Builds on it") == [*("D0", "D1", "D2", "D3", "D4"), "2 more"]
    assert '<a href="../map/#map-part-2">2 more</a>' in ways.page("c")
    assert 'id="map-part-2"' in ways.page("map")


def test_needs_that_go_in_a_circle_are_told(ways):
    write(ways, "a", "1.2", "c")
    with pytest.raises(SiteError, match=r"\.py:5: 'needs' goes round in a circle: ") as error:
        ways.generate()
    circle = str(error.value).rpartition(": ")[2].split(", ")
    assert circle[0] == circle[-1]
    assert set(circle) == {"a", "b", "c"}


def steps(course, page: str) -> list[tuple[str, ...]]:
    pattern = r'<a class="lit-\w+" rel="(\w+)" href="([^"]+)"><span>([^<]+)</span> ([^<]+)</a>'
    return re.findall(pattern, course.page(page))


def test_the_end_of_a_page_leads_on_in_order_with_numbers_and_the_part_that_is_entered(ways):
    assert steps(ways, "descent") == [("next", "../a/", "Next", "1.2 A")]
    assert steps(ways, "a") == [
        ("prev", "../descent/", "Previous", "1.1 Gradient descent"),
        ("next", "../momentum/", "Next · Part 2 · Momentum", "2.1 Momentum"),
    ]
    assert steps(ways, "c") == [("prev", "../b/", "Previous", "2.2 B")]
    assert "lit-end" not in ways.page("map")


def test_the_map_draws_every_chapter_and_what_it_needs_of_other_parts(ways):
    html = ways.page("map")
    drawings = re.findall(r"<svg .*?</svg>", html, re.S)
    assert len(drawings) == 2
    first, second = (re.findall(r'<a href="([^"]+)"( class="lit-outside")?', d) for d in drawings)
    assert first == [("../descent/", ""), ("../a/", "")]
    outside = ' class="lit-outside"'
    assert sorted(second) == sorted(
        [
            ("../descent/", outside),
            ("../a/", outside),
            *((f"../{n}/", "") for n in ("momentum", "b", "c")),
        ]
    )
    edges = re.search(r'<g aria-hidden="true">(.*?)</g>', drawings[1])[1].count("<path")
    assert edges == 4
    assert "style=" not in html


def test_the_map_says_the_same_as_a_list(ways):
    items = re.findall(r"<li>(.*?)</li>", ways.page("map"))
    assert [re.sub(r"<[^>]+>", "", item) for item in items] == [
        "1.1 Gradient descent",
        "1.2 A, after 1.1 Gradient descent",
        "2.1 Momentum, after 1.1 Gradient descent",
        "2.2 B, after 2.1 Momentum, 1.2 A",
        "2.3 C, after 2.2 B",
    ]


def minutes(course, page: str) -> int:
    return int(re.search(r'lit-number">[\d.]+ · (\d+) min<', course.page(page))[1])


def test_the_time_counts_words_formulas_and_lines_of_code(ways):
    words = " ".join(["word"] * 438)
    write(ways, "a", "1.2", prose=f"{words} $x$ $y$")
    ways.generate()
    assert minutes(ways, "a") == 3  # 440 words are two minutes, and there is a line of code
    write(ways, "a", "1.2", prose=f"{words} $x$ $y$", code="x = 1\n\n" * 30)
    ways.generate()
    assert minutes(ways, "a") == 3
    write(ways, "a", "1.2", prose="```\n" + "x\n" * 45 + "```", code="x = 1\n" * 16)
    ways.generate()
    assert minutes(ways, "a") == 3
    assert '<span class="lit-minutes">3 min</span>' in ways.page("index")

"""The map of the chapters: for each part a drawing of what to read first, and the same as a list."""

import textwrap
from collections.abc import Sequence
from html import escape

from site_gen.chapters import Chapter
from site_gen.course import Course, Part
from site_gen.layers import Drawing, Point, Sizes, draw
from site_gen.prose import References

SIZES = Sizes(width=134, column_gap=24, row_gap=10)
MARGIN = 2
LINE = 17
PADDING = 7
LETTERS = 17


def map_anchor(part: Part) -> str:
    """Return the anchor of a part on the map."""
    return "map-more" if part.number is None else f"map-part-{part.number}"


def chapter_map(course: Course, seen_from: Chapter, references: References) -> str:
    """Return the HTML of the map, for the page `seen_from`."""
    parts = [part for part in course.parts if part.number is not None]
    jumps = " ".join(f'<a href="#{map_anchor(part)}">{escape(part.label)}</a>' for part in parts)
    html = [
        '<p class="lit-progress"></p>',
        f'<nav class="lit-jumps" aria-label="Parts">{jumps}</nav>',
    ]
    html += [_part(part, course, seen_from) for part in parts]
    return "\n".join(html) + "\n"


def _part(part: Part, course: Course, seen_from: Chapter) -> str:
    label = escape(part.label)
    inside = {chapter.name for chapter in part.chapters}
    items = "".join(
        f"<li>{_link(chapter, course, seen_from)}{_after(chapter, course, seen_from)}</li>"
        for chapter in part.chapters
    )
    return (
        f'<section class="lit-map"><h2 id="{map_anchor(part)}">{label}'
        f' <span class="lit-count"></span></h2>\n'
        f'<div class="lit-drawing" role="region" tabindex="0" aria-label="Map of part {label}">'
        f"{_svg(part.chapters, inside, course, seen_from)}</div>\n"
        f"<details><summary>As a list</summary>"
        f"<ul>{items}</ul></details></section>"
    )


def _after(chapter: Chapter, course: Course, seen_from: Chapter) -> str:
    needs = [course.chapters[name] for name in course.needs[chapter.name]]
    links = ", ".join(_link(need, course, seen_from) for need in needs)
    return f", after {links}" if links else ""


def _link(chapter: Chapter, course: Course, seen_from: Chapter) -> str:
    address = escape(course.address(chapter, "", seen_from))
    return f'<a href="{address}">{escape(course.label(chapter))}</a>'


def _svg(chapters: Sequence[Chapter], inside: set[str], course: Course, seen_from: Chapter) -> str:
    edges = [(need, item.name) for item in chapters for need in course.needs[item.name]]
    columns = _columns([chapter.name for chapter in chapters], edges)
    lines = {name: _lines(course.chapters[name], course) for name in columns}
    heights = {name: len(lines[name]) * LINE + 2 * PADDING for name in columns}
    drawing = draw(columns, edges, heights, SIZES)
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    nodes = "".join(
        _node(course.chapters[name], lines[name], heights[name], drawing, name in inside, address)
        for name in columns
        for address in [course.address(course.chapters[name], "", seen_from)]
    )
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" role="group"'
        f' aria-label="What builds on what"><g aria-hidden="true">{_paths(drawing)}</g>{nodes}</svg>'
    )


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the column of each chapter of a part, and of those of other parts that these need.

    A chapter stands right of what it needs; one of another part just left of what needs it.
    """
    needs: dict[str, list[str]] = {name: [] for name in names}
    for need, name in edges:
        needs[name].append(need)
    columns: dict[str, int] = {}

    def column(name: str) -> int:
        if name not in columns:
            earlier = (column(need) if need in needs else 0 for need in needs[name])
            columns[name] = max((place + 1 for place in earlier), default=0)
        return columns[name]

    others = {
        need: min(column(name) for other, name in edges if other == need) - 1
        for need, _ in edges
        if need not in needs
    }
    return others | {name: column(name) for name in names}


def _lines(chapter: Chapter, course: Course) -> list[str]:
    return textwrap.wrap(course.label(chapter), LETTERS, break_long_words=False)


def _node(
    chapter: Chapter,
    lines: Sequence[str],
    height: float,
    drawing: Drawing,
    inside: bool,
    address: str,
) -> str:
    x, y = drawing.places[chapter.name]
    text = "".join(
        f'<tspan x="{x + 9:.0f}" y="{y + PADDING + (index + 0.76) * LINE:.1f}">{escape(line)} </tspan>'
        for index, line in enumerate(lines)
    )
    kind = ' data-chapter=""' if inside else ' class="lit-outside"'
    tick = f'<path class="lit-tick" d="M{x + SIZES.width - 14:.0f} {y + 11:.1f}l3 3 5-7"/>'
    return (
        f'<a href="{escape(address)}"{kind}><rect x="{x:.0f}" y="{y:.1f}" width="{SIZES.width}"'
        f' height="{height:.0f}" rx="4"/><text>{text}</text>{tick}</a>'
    )


def _paths(drawing: Drawing) -> str:
    return "".join(f'<path d="{_curve(points)}"/>' for points in drawing.edges.values())


def _curve(points: Sequence[Point]) -> str:
    """Return a path that bends between columns and runs level through them."""
    (x, y), *rest = points
    path = f"M{x:.0f} {y:.1f}"
    for index, (next_x, next_y) in enumerate(rest):
        if index % 2:
            path += f"H{next_x:.0f}"
        else:
            middle = (x + next_x) / 2
            path += f"C{middle:.0f} {y:.1f} {middle:.0f} {next_y:.1f} {next_x:.0f} {next_y:.1f}"
        x, y = next_x, next_y
    return path

"""The code column: lines with colours, marks of symbols, and links to definitions."""

from collections.abc import Iterator

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.highlight import Link, python_lines
from site_gen.resolution import Place, Resolved


def code_lines(chapter: Chapter, course: Course) -> tuple[str, ...]:
    """Return the HTML of every line of the chapter's file; none for a chapter without code."""
    if chapter.source is None:
        return ()
    symbols = frozenset(symbol.identifier for symbol in chapter.front_matter.symbols)
    return python_lines(chapter.source.text, symbols, tuple(_links(chapter, course)))


def address(resolved: Resolved, course: Course, chapter: Chapter) -> str | None:
    """Return what a name on the page of `chapter` leads to; None where it stands there itself."""
    target = resolved.target
    if not isinstance(target, Place):
        return target.address
    if target.chapter is chapter and target.anchor in ("", f"line-{resolved.reference.line}"):
        return None
    return course.address(target.chapter, target.anchor, chapter)


def _links(chapter: Chapter, course: Course) -> Iterator[Link]:
    for resolved in course.resolution.of(chapter):
        reference = resolved.reference
        href = address(resolved, course, chapter)
        if href:
            yield Link(reference.line, reference.column, reference.text, href)

"""Pages that a change leaves as they are, so that serving shows a change of prose soon."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.resolution import Place


@dataclass(frozen=True)
class Rendered:
    """The pages of a build, by the names of their chapters, and the course they were made of.

    `made` are the files that plugins have made out of all chapters.
    """

    course: Course
    pages: Mapping[str, bytes]
    made: Mapping[str, Path]


def unchanged(before: Rendered, course: Course) -> dict[str, bytes]:
    """Return the pages of `before` that are those of `course` too; none unless only prose changed.

    What a page says of other chapters comes from their front matter, anchors, entries and code. The
    lines of a changed chapter have other numbers: what links to them, and its own users of names,
    is not among the pages. What plugins say is taken to depend on the chapter alone.
    """
    old = before.course
    if old.settings != course.settings or list(old.chapters) != list(course.chapters):
        return {}
    changed = {
        name for name, chapter in course.chapters.items() if chapter is not old.chapters[name]
    }
    if any(_outline(old.chapters[name]) != _outline(course.chapters[name]) for name in changed):
        return {}
    touched = changed | set(_sharing_lines(changed, course))
    return {
        name: page
        for name, page in before.pages.items()
        if changed and name not in touched and not course.chapters[name].lists_others
    }


def _outline(chapter: Chapter) -> object:
    """Return what the pages of other chapters may show of a chapter, but for numbers of lines."""
    entries = [
        replace(entry, line=0)
        for block in chapter.blocks
        for piece in block.prose
        for entry in piece.entries
    ]
    code = [line.text for block in chapter.blocks for line in block.code]
    return chapter.title, chapter.front_matter, chapter.anchors, entries, code


def _sharing_lines(changed: set[str], course: Course) -> Iterator[str]:
    """Yield the names of the chapters whose pages may link to a line of a changed chapter."""
    for chapter in course.chapters.values():
        for resolved in course.resolution.of(chapter):
            place = resolved.target
            if not isinstance(place, Place):
                continue
            if chapter.name in changed:
                yield place.chapter.name
            elif place.chapter.name in changed and place.anchor.startswith("line-"):
                yield chapter.name

"""The end of a chapter: the chapters before and after it."""

from dataclasses import dataclass

from site_gen.chapters import Chapter
from site_gen.course import Course


@dataclass(frozen=True)
class Step:
    """A link to the chapter before or after: `rel` is `prev` or `next`."""

    rel: str
    word: str
    part: str | None
    label: str
    address: str


def ending(chapter: Chapter, course: Course) -> list[Step]:
    """Return the steps from a numbered chapter; none from another page.

    `part` is set where the step leads into another part.
    """
    before, after = course.neighbours(chapter)
    steps = []
    for rel, word, other in (("prev", "Previous", before), ("next", "Next", after)):
        if other:
            part = course.part(other)
            entered = part.label if part and part != course.part(chapter) else None
            address = course.address(other, "", chapter)
            steps.append(Step(rel, word, entered, course.label(other), address))
    return steps

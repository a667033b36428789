"""`llms.txt`: the course as a list for programs that read, with the sources as the plain text."""

from collections.abc import Iterator

from site_gen.chapters import Chapter
from site_gen.course import Course

LLMS = "llms.txt"


def llms_txt(course: Course) -> str:
    """Return the file: every chapter with its address, its summary, and its source if it is here."""
    options = course.settings.options
    lines = [f"# {options['site_name']}", ""]
    if options.get("site_description"):
        lines += [f"> {options['site_description']}", ""]
    for part in course.parts:
        lines += [f"## {part.label}", ""]
        lines += [_line(chapter, course) for chapter in part.chapters]
        lines.append("")
    return "\n".join(lines)


def _line(chapter: Chapter, course: Course) -> str:
    site_url = course.settings.site_url or ""
    line = f"- [{course.label(chapter)}]({site_url}{course.path(chapter)})"
    notes = " ".join(_notes(chapter, course, site_url))
    return f"{line}: {notes}" if notes else line


def _notes(chapter: Chapter, course: Course, site_url: str) -> Iterator[str]:
    if chapter.front_matter.summary:
        yield chapter.front_matter.summary
    sources = [path for path, file in course.assets.items() if file == chapter.path.resolve()]
    if chapter.source and sources:
        yield f"([source]({site_url}{sources[0]}))"

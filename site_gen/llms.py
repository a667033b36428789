"""`llms.txt`: the course as a list for programs that read, with the sources as the plain text."""

from collections.abc import Mapping
from pathlib import Path

from site_gen.chapters import Chapter
from site_gen.course import Course

LLMS = "llms.txt"


def llms_txt(course: Course) -> str:
    """Return the file: every chapter with its address, its summary, and its source if it is here."""
    options = course.settings.options
    lines = [f"# {options['site_name']}", ""]
    if options.get("site_description"):
        lines += [f"> {options['site_description']}", ""]
    sources = {file: path for path, file in course.assets.items()}
    for part in course.parts:
        lines += [f"## {part.label}", ""]
        lines += [_line(chapter, course, sources) for chapter in part.chapters]
        lines.append("")
    return "\n".join(lines)


def _line(chapter: Chapter, course: Course, sources: Mapping[Path, str]) -> str:
    site_url = course.settings.site_url or ""
    line = f"- [{course.label(chapter)}]({site_url}{course.path(chapter)})"
    notes = [chapter.front_matter.summary or ""]
    source = sources.get(chapter.path.resolve())
    if chapter.source and source:
        notes.append(f"([source]({site_url}{source}))")
    return ": ".join(filter(None, [line, " ".join(filter(None, notes))]))

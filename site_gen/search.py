"""What the search looks through: every section of every page, its prose, formulas and names."""

import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from site_gen.chapters import Block, Chapter
from site_gen.course import Course
from site_gen.prose import entry_texts, sections_of

FILE = "search_index.js"
NAME = re.compile(r"[^\W\d]\w{2,}")
KEYWORDS = frozenset(keyword.kwlist)
COMMAND = re.compile(r"\\([A-Za-z]+)|[\\{}$&]")
# Commands that only arrange a formula.
LAYOUT = frozenset(
    ["left", "right", "begin", "end", "aligned", "text", "mathrm", "quad", "big", "Big"]
)


@dataclass
class Section:
    """A place that a result leads to. `anchor` is empty for the page itself."""

    anchor: str
    title: str
    text: str
    names: str


def index_script(course: Course) -> str:
    """Return a script that hands over all sections: pages from a disk cannot fetch anything else."""
    chapters, sections = [], []
    for number, chapter in enumerate(course.chapters.values()):
        part = course.part(chapter)
        label = f"Part {part.label}" if part else ""
        chapters.append([course.label(chapter), label, course.path(chapter)])
        sections += [
            [number, each.anchor, each.title, each.text, each.names] for each in _sections(chapter)
        ]
    data = {"chapters": chapters, "sections": sections}
    return f"globalThis.litSearch = {json.dumps(data, ensure_ascii=False)};\n"


# While the course is served, the same chapters are asked for again and again.
@lru_cache(maxsize=1024)
def _sections(chapter: Chapter) -> tuple[Section, ...]:
    """Return the page itself and its sections, joined where nothing could lead to one alone."""
    return tuple(map(_cleaned, _raw_sections(chapter)))


def _raw_sections(chapter: Chapter) -> Iterator[Section]:
    current = Section("", chapter.title, chapter.front_matter.summary or "", "")
    for block in chapter.blocks:
        if block.anchor:
            yield current
            current = Section(block.anchor, block.scope if block.is_definition else "", "", "")
        for prose in block.prose:
            for entry, text in entry_texts(prose):
                yield Section(entry.anchor, ", ".join(entry.names), text, "")
            for heading, text in sections_of(prose):
                if heading:
                    yield current
                    current = Section(heading.anchor, heading.text, "", "")
                current.text += f" {text}"
        current.names += f" {_names(block)}"
    yield current


def _cleaned(section: Section) -> Section:
    title, text = (
        " ".join(COMMAND.sub(_spoken, each).split()) for each in (section.title, section.text)
    )
    return Section(section.anchor, title, text, " ".join(dict.fromkeys(section.names.split())))


def _spoken(command: re.Match[str]) -> str:
    """Return a TeX command as a reader would type it: its name, or nothing."""
    return "" if command[1] is None or command[1] in LAYOUT else f" {command[1]} "


def _names(block: Block) -> str:
    code = "\n".join(line.text for line in block.code)
    return " ".join(name for name in NAME.findall(code) if name not in KEYWORDS)

"""What a notebook is made of: the prose of a chapter, its code definition by definition, a run, the exercises.

A page shows prose beside the lines that it speaks of. A notebook has one column, so the order changes: before each
definition stands all that its docstrings and comments say, with the lines that a comment is about, and then
the whole definition with its comments left out. Nothing is said that is not said in the chapter, and nothing is left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

from experiments.notebooks.links import Links
from experiments.notebooks.prose import converted, cut
from experiments.notebooks.runs import run_of
from labml_nn_optim.export import Library
from labml_nn_optim.export.edits import bare_lines
from labml_nn_optim.export.head import LICENCE
from labml_nn_optim.export.modules import Module
from site_gen.chapters import Chapter
from site_gen.front_matter import FENCE
from site_gen.sections import Line, Prose, Section

MOST_QUOTED = 8
"""How many lines of code are quoted below the comment that they belong to."""

QUOTED_OF_MORE = 4
"""How many are quoted where there are more."""

EXERCISES = "## Exercises"

INSTALLATION = """\
import importlib.util

needed = {{"labml_nn_optim": "{library}", "sklearn": "scikit-learn"}}
missing = [package for name, package in needed.items() if importlib.util.find_spec(name) is None]
if missing:
    get_ipython().run_line_magic("pip", f"install --quiet {{' '.join(missing)}}")"""


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook.

    * `is_code`: whether `text` is code, or else Markdown
    * `is_for_notebooks`: whether it is of no use in a program
    """

    text: str
    is_code: bool = False
    is_for_notebooks: bool = False


Convert = Callable[[str], str]


def cells_of(chapter: Chapter, library: Library, links: Links) -> list[Cell]:
    """Return the cells of a chapter of the library."""
    assert chapter.module
    module = library.module(chapter.module)

    def convert(text: str) -> str:
        return converted(text, lambda target: links.address(target, chapter))

    body = [*_body(chapter, module, convert), *_references(chapter)]
    starts = [index for index, cell in enumerate(body) if cell.text == EXERCISES]
    end = starts[0] if starts else len(body)
    run = [
        Cell(text if is_code else convert(text), is_code)
        for text, is_code in run_of(chapter.name, chapter.module)
    ]
    return [*_head(chapter, links, convert), *body[:end], *run, *body[end:]]


def _head(chapter: Chapter, links: Links, convert: Convert) -> Iterator[Cell]:
    yield Cell(f"# {chapter.title}\n\n{convert(chapter.front_matter.summary or '')}")
    yield Cell(f"{links.origin(chapter)} Licence: {LICENCE}.")
    code = INSTALLATION.format(library=links.requirement)
    yield Cell(code, is_code=True, is_for_notebooks=True)


def _references(chapter: Chapter) -> Iterator[Cell]:
    """Yield the list of the papers that a chapter is made from."""
    papers = chapter.front_matter.papers
    if papers:
        lines = [
            f"- {paper.by}. {paper.title}. {paper.year}. [{paper.where}]({paper.link})"
            for paper in papers
        ]
        yield Cell("\n".join(["## References", "", *lines]))


def _body(chapter: Chapter, module: Module, convert: Convert) -> Iterator[Cell]:
    assert chapter.source
    for name, sections in groupby(chapter.source.sections, _outermost):
        if name:
            yield from _definition(list(sections), module, convert)
        else:
            for section in sections:
                yield from _passage(section, chapter, module, convert)


def _outermost(section: Section) -> str:
    """Return the name of the definition at the top of the module that a section stands in, if any."""
    return section.scope.partition(".")[0]


def _passage(
    section: Section, chapter: Chapter, module: Module, convert: Convert
) -> Iterator[Cell]:
    """Yield the cells of a section that stands in no class and no function."""
    assert chapter.source
    for piece in section.prose:
        is_docstring = piece is chapter.source.docstring
        text = _without_front_matter(piece) if is_docstring else piece.text
        yield from map(Cell, cut(convert(text)))
        if is_docstring and chapter.front_matter.symbols:
            yield Cell(_symbols(chapter))
    listing = _listing(module)
    numbers = [line.number for line in section.code]
    before = [number for number in numbers if number < listing.start]
    for part in (before, [number for number in numbers if number >= listing.stop]):
        if text := _code(part, module):
            if "__file__" in text:
                yield from _file(module)
            yield Cell(text, is_code=True)


def _file(module: Module) -> Iterator[Cell]:
    """Yield what lets code that looks around its own file find the one in the package."""
    yield Cell("A notebook is no file of the package, so it looks around where the chapter stands.")
    yield Cell(f"import {module.name} as chapter\n\n__file__ = chapter.__file__", is_code=True)


def _without_front_matter(docstring: Prose) -> str:
    lines = docstring.text.split("\n")
    if lines[0] != FENCE:
        return docstring.text
    return "\n".join(lines[lines.index(FENCE, 1) + 1 :]).strip("\n")


def _symbols(chapter: Chapter) -> str:
    named = (f"${each.tex}$ is `{each.identifier}`" for each in chapter.front_matter.symbols)
    return f"In the code {', '.join(named)}."


def _listing(module: Module) -> range:
    """Return the lines that list what others may import, of which a notebook has no use."""
    for node in module.tree.body:
        if "__all__" in (getattr(each, "id", "") for each in getattr(node, "targets", ())):
            return range(node.lineno, (node.end_lineno or 0) + 1)
    return range(0)


def _code(numbers: Sequence[int], module: Module) -> str:
    """Return the lines from the first of some numbers to the last, without comments and with short docstrings."""
    if not numbers:
        return ""
    return "\n".join(bare_lines(module, min(numbers), max(numbers))).strip("\n")


def _definition(sections: Sequence[Section], module: Module, convert: Convert) -> Iterator[Cell]:
    """Yield what is said in and above a definition, a cell for each part of it, and its code."""
    for scope, parts in groupby(sections, lambda section: section.scope):
        texts = list(_told(list(parts), convert))
        if texts:
            yield Cell("\n\n".join([f"### `{scope}`", *texts]))
    code = [line.number for section in sections for line in section.code]
    # A class may end with its docstring.
    ends = [piece.last for section in sections for piece in section.prose if piece.last > code[0]]
    yield Cell(_code([*code, *ends], module), is_code=True)


def _told(sections: Sequence[Section], convert: Convert) -> Iterator[str]:
    """Yield the prose of a class, function or method; none if its code still has it all."""
    if any(map(_is_more_than_a_sentence, sections)):
        for section in sections:
            yield from (convert(piece.text) for piece in section.prose)
            if section.kind == "comment":
                yield _quoted(section.code)


def _is_more_than_a_sentence(section: Section) -> bool:
    """Whether a section has other prose than a docstring of one paragraph."""
    if not section.prose:
        return False
    (*others, last) = section.prose
    is_docstring = section.kind == "definition" and last.first > section.code[0].number
    return bool(others) or not is_docstring or "\n\n" in last.text


def _quoted(code: Sequence[Line]) -> str:
    """Return the lines that a comment is about as a quotation; of many the first ones."""
    lines = [line.text for line in takewhile(lambda line: line.text.strip(), code)]
    if len(lines) > MOST_QUOTED:
        lines[QUOTED_OF_MORE:] = [_indent(lines[QUOTED_OF_MORE]) + "..."]
    return f"```python\n{textwrap.dedent(chr(10).join(lines))}\n```" if lines else ""


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]

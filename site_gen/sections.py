r"""
---
title: How a file is cut
summary: The source of the generator's first step, shown by the generator; it deals out every line of a Python file to prose or code.
---

Take a function with a docstring of ten lines, a comment and a loop. Side by side, the docstring belongs next to the
`def`, and the comment next to the loop. This module finds such places. The result is a row of
sections, each with its prose and the lines of code that it speaks of.

The cuts follow the grammar (`site_gen.scopes` and `tokenize`), never patterns of lines:

- the module's docstring opens the first section, with the imports as its code;
- a class or function opens a section: its docstring is the prose, its decorators start the code;
- a full-line comment where a statement could start opens a section, and so does the mark of a
  notebook's cell (`# %%`), whose title becomes a heading;
- what follows the end of a class or function opens a section without prose.

A comment inside brackets or behind code stays code, and so does a comment that talks to a tool
(`# noqa`, `# type:`, `# fmt:`, the coding line). Docstrings are taken from the source text: the
value that Python computes has turned the `\b` of `\beta` into a backspace. Only where every
backslash is doubled, a docstring that is not raw means what Python computes.

Every line that is not blank lands in exactly one place, in order, with its true number.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from site_gen.errors import SiteError
from site_gen.scopes import find_scopes

Kind = Literal["module", "definition", "comment", "continuation"]

TOOL_COMMENT = re.compile(
    r"#\s*(?:type:|noqa\b|fmt:|ruff:|flake8:|mypy:|pyright:|pylint:|isort:|yapf:|pragma:|nosec\b"
    r"|-\*-.*-\*-|(?:vim?|ex):)"
)
CODING_LINE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")
STRING_LITERAL = re.compile(
    r"(?P<prefix>[rRuU]?)(?P<quote>\"\"\"|'''|\"|')(?P<body>.*)(?P=quote)", re.S
)
CELL = re.compile(r"%%+(?:[ \t]*\[\w+\])?[ \t]*(?P<title>.*)")
ESCAPE = re.compile(r"\\(.)", re.S)
LAYOUT_TOKENS = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


@dataclass(frozen=True)
class Line:
    """One physical line and its number in the file, from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Prose:
    """A run of Markdown: a docstring or a block of comment lines, without quotes, `#` or indent.

    `first` and `last` are the lines that it takes up in the file; `lines` may be fewer, since
    blank lines at both ends are dropped.
    """

    lines: tuple[Line, ...]
    first: int
    last: int

    @property
    def text(self) -> str:
        """The Markdown source."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Section:
    """Prose and the code beside it. Either may be empty, not both.

    `scope` is the qualified name of the class or function that the section stands in; for a
    definition that is its own name. Empty at the level of the module.
    """

    kind: Kind
    scope: str
    prose: tuple[Prose, ...]
    code: tuple[Line, ...]


@dataclass(frozen=True)
class Definition:
    """A class or function: its qualified name and the line of its `class` or `def`."""

    qualified_name: str
    line: int


@dataclass(frozen=True)
class Source:
    """A parsed file. `docstring` is the module's, if it has one that is prose."""

    path: Path
    text: str
    sections: tuple[Section, ...]
    definitions: tuple[Definition, ...]
    docstring: Prose | None

    @property
    def lines(self) -> list[str]:
        """The physical lines, without line ends."""
        return split_lines(self.text)


def split_lines(text: str) -> list[str]:
    """Split at line feeds only, as Python counts lines (`str.splitlines` knows more of them)."""
    return text.removesuffix("\n").split("\n") if text else []


def read(path: Path) -> str:
    """Return the text of the Python file at `path`, with line feeds as line ends.

    Raises SiteError when the file is not in its declared encoding.
    """
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SiteError(path, 1, f"cannot be decoded: {error}") from None


def parse(text: str, path: Path) -> Source:
    """Cut `text`, the contents of `path`, into sections.

    Raises SiteError when the text is no valid Python.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        marks = _mark(text)
    except SyntaxError as error:
        raise SiteError(path, error.lineno or 1, f"no valid Python: {error.msg}") from None
    except (ValueError, tokenize.TokenError) as error:
        raise SiteError(path, 1, f"no valid Python: {error}") from None
    cutter = _Cutter(split_lines(text), marks)
    return Source(path, text, cutter.cut(), marks.definitions, marks.docstrings_of.get(""))


@dataclass
class _Mark:
    """A class or function: where it starts and ends, and whether it opens a section."""

    qualified_name: str
    first: int
    last: int
    column: int
    opens: bool


@dataclass
class _Marks:
    """What the grammar says about lines."""

    scopes: dict[int, _Mark] = field(default_factory=dict)
    docstrings: dict[int, Prose] = field(default_factory=dict)
    docstrings_of: dict[str, Prose] = field(default_factory=dict)
    comments: dict[int, int] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()


def _mark(text: str) -> _Marks:
    scopes = find_scopes(text)
    lone_strings = {
        string.start[0]: string
        for string, *rest in _logical_lines(text)
        if string.type == tokenize.STRING and len(rest) == 1 and rest[0].start == string.end
    }
    marks = _Marks()
    definitions = []
    decorated: set[int] = set()
    for scope in scopes:
        docstring = _docstring(lone_strings.get(scope.docstring or 0))
        if docstring:
            marks.docstrings[docstring.first] = docstring
            marks.docstrings_of.setdefault(scope.name, docstring)
        if scope.name:
            opens = docstring is not None or not scope.in_function
            mark = _Mark(scope.name, scope.first, scope.last, scope.column, opens)
            marks.scopes[scope.first] = mark
            definitions.append(Definition(scope.name, scope.line))
            decorated.update(range(scope.first, scope.line))
    marks.definitions = tuple(sorted(definitions, key=lambda item: item.line))
    marks.comments = {
        line: column for line, column in _boundary_comments(text) if line not in decorated
    }
    return marks


def _logical_lines(text: str) -> Iterator[list[tokenize.TokenInfo]]:
    """Yield the tokens of each logical line, with its trailing comment and its line end."""
    current: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in LAYOUT_TOKENS or (token.type == tokenize.COMMENT and not current):
            continue
        current.append(token)
        if token.type == tokenize.NEWLINE:
            yield current
            current = []


def _boundary_comments(text: str) -> Iterator[tuple[int, int]]:
    """Yield (line, column) of the full-line comments that are prose."""
    inside_statement = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            inside_statement = False
        elif token.type == tokenize.COMMENT:
            line, column = token.start
            if not inside_statement and not _talks_to_a_tool(token.string, line):
                yield line, column
        elif token.type not in LAYOUT_TOKENS:
            inside_statement = True


def _talks_to_a_tool(comment: str, line: int) -> bool:
    if line == 1 and comment.startswith("#!"):
        return True
    if line <= 2 and CODING_LINE.match(comment):
        return True
    return TOOL_COMMENT.match(comment) is not None


def _docstring(token: tokenize.TokenInfo | None) -> Prose | None:
    """Return the docstring that `token` is, if it is a string alone on its lines."""
    match = STRING_LITERAL.fullmatch(token.string) if token else None
    if token is None or match is None:
        return None
    is_raw = match["prefix"] in ("r", "R")
    body = (match["body"] if is_raw else _unescaped(match["body"])).split("\n")
    if not is_raw and body[0] == "\\":
        body[0] = ""
    return Prose(_clean(body, token.start[0]), token.start[0], token.end[0])


def _unescaped(body: str) -> str:
    r"""Return what Python makes of a string, if all that it would change are doubled backslashes.

    A lone `\beta` shows that backslashes were meant as they stand, and `\\` as a new line in TeX.
    """
    escapes = set(ESCAPE.findall(body)) - {"\n"}
    return body.replace("\\\\", "\\") if escapes == {"\\"} else body


def _clean(body: list[str], start: int) -> tuple[Line, ...]:
    """Dedent as `inspect.cleandoc` does, and keep the line numbers."""
    body = [line.expandtabs() for line in body]
    indents = [len(line) - len(line.lstrip()) for line in body[1:] if line.strip()]
    indent = min(indents, default=0)
    texts = [body[0].lstrip(), *(line[indent:] for line in body[1:])]
    return _trim([Line(start + index, text.rstrip()) for index, text in enumerate(texts)])


def _trim(lines: list[Line]) -> tuple[Line, ...]:
    """`lines` without the blank ones at both ends."""
    kept = [index for index, line in enumerate(lines) if line.text.strip()]
    return tuple(lines[kept[0] : kept[-1] + 1]) if kept else ()


@dataclass
class _Draft:
    """A section in the making."""

    kind: Kind
    scope: str
    column: int
    prose: list[Prose] = field(default_factory=list)
    code: list[Line] = field(default_factory=list)

    @property
    def is_only_comment(self) -> bool:
        return self.kind == "comment" and not any(line.text.strip() for line in self.code)

    def finish(self) -> Section:
        return Section(self.kind, self.scope, tuple(self.prose), _trim(self.code))


class _Cutter:
    """Walks down the lines once and deals each of them out."""

    def __init__(self, lines: list[str], marks: _Marks) -> None:
        self.lines = lines
        self.marks = marks
        self.drafts = [_Draft("module", "", 0)]
        self.open_scopes: list[_Mark] = []
        self.scope_ended = False

    def cut(self) -> tuple[Section, ...]:
        number = 1
        while number <= len(self.lines):
            number = self._take(number)
        sections = (draft.finish() for draft in self.drafts)
        return tuple(section for section in sections if section.prose or section.code)

    def _take(self, number: int) -> int:
        """Deal out what starts at line `number`; return the line after it."""
        text = self.lines[number - 1]
        docstring = self.marks.docstrings.get(number)
        if docstring:
            self.drafts[-1].prose.append(docstring)
            return docstring.last + 1
        if number in self.marks.comments:
            return self._take_comment(number)
        if text.strip():
            self._leave_scopes(number, len(text) - len(text.lstrip()))
            self._take_code(number)
        self.drafts[-1].code.append(Line(number, text))
        return number + 1

    def _take_code(self, number: int) -> None:
        """Open the section, if any, that the line of code `number` starts."""
        scope = self.marks.scopes.get(number)
        if scope:
            self.open_scopes.append(scope)
        if scope and scope.opens:
            draft = self.drafts[-1]
            if draft.is_only_comment and draft.column == scope.column and not self.scope_ended:
                draft.kind, draft.scope = "definition", scope.qualified_name
            else:
                self.drafts.append(_Draft("definition", scope.qualified_name, scope.column))
        elif self.scope_ended:
            self.drafts.append(_Draft("continuation", self._scope_name(), 0))
        self.scope_ended = False

    def _take_comment(self, first: int) -> int:
        """Take the block of comment lines that starts at line `first`."""
        column = self.marks.comments[first]
        self._leave_scopes(first, column)
        last = first
        while self.marks.comments.get(last + 1) == column:
            last += 1
        lines = [self._comment_text(number, column) for number in range(first, last + 1)]
        self.scope_ended = False
        draft = self.drafts[-1]
        place = (self._scope_name(), column)
        if not draft.is_only_comment or (draft.scope, draft.column) != place:
            draft = _Draft("comment", *place)
            self.drafts.append(draft)
        draft.prose.append(Prose(_trim(lines), first, last))
        return last + 1

    def _comment_text(self, number: int, column: int) -> Line:
        # Frames such as `### Tests` are no headings: all of these signs mark the comment.
        text = self.lines[number - 1][column:].lstrip("#")
        text = text.removeprefix(" ").expandtabs().rstrip()
        cell = CELL.fullmatch(text)
        if cell:
            text = f"## {cell['title']}" if cell["title"] else ""
        return Line(number, text)

    def _leave_scopes(self, number: int, column: int) -> None:
        """Leave the scopes that ended before line `number`, unless its indent still belongs in."""
        while self.open_scopes:
            scope = self.open_scopes[-1]
            if number <= scope.last or (number in self.marks.comments and column > scope.column):
                break
            self.open_scopes.pop()
            self.scope_ended |= scope.opens

    def _scope_name(self) -> str:
        return self.open_scopes[-1].qualified_name if self.open_scopes else ""

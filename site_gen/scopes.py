"""Where classes and functions start and end, and which of them have a docstring.

Python's parser says it. A file with syntax that this Python does not know yet is read by its tokens
instead: keywords and indents say the same, only less strictly.
"""

import ast
import io
import itertools
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from site_gen.syntax import syntax_tree

KNOWS_ALL = (3, 14)
# Type parameters, `type X = ...`, exceptions without parentheses, strings with anything in braces.
NEWER = re.compile(
    r"\s*(?:async\s+def|def|class)\s+\w+\s*\[|\s*type\s+\w+.*=|\s*except\b\*?[^(]*,"
    r"|.*\b(?:[rR]?[fFtT]|[fFtT][rR])[\"']"
)
NO_CODE = {tokenize.NL, tokenize.COMMENT, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass
class Scope:
    """The module (without a name), or a class or function under its qualified name.

    `first` is the line of its first decorator, `line` that of `class` or `def`. `in_function` says
    whether it is local to a function, `docstring` is the line that its docstring starts on.
    """

    name: str
    line: int
    first: int
    last: int
    column: int
    in_function: bool
    docstring: int | None = None


def find_scopes(text: str) -> list[Scope]:
    """Return the module and all that is defined in it.

    Raises SyntaxError, tokenize.TokenError, and ValueError for null bytes.
    """
    try:
        return list(_of_tree(syntax_tree(text)))
    except SyntaxError as error:
        if not _is_newer(error, text):
            raise
    return of_tokens(text)


def _is_newer(error: SyntaxError, text: str) -> bool:
    """Whether the line that this Python does not understand may be right for a newer one."""
    lines = text.split("\n")
    number = error.lineno or 0
    known = sys.version_info >= KNOWS_ALL or not 0 < number <= len(lines)
    return not known and NEWER.match(lines[number - 1]) is not None


def _of_tree(tree: ast.Module) -> Iterator[Scope]:
    yield Scope("", 1, 1, 1, 0, False, _docstring_line(tree))
    pending: list[tuple[str, bool, ast.AST]] = [("", False, tree)]
    while pending:
        name, in_function, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                child_name = f"{name}.{child.name}" if name else child.name
                first = min([child.lineno, *(item.lineno for item in child.decorator_list)])
                last = child.end_lineno or child.lineno
                line, column, docstring = child.lineno, child.col_offset, _docstring_line(child)
                yield Scope(child_name, line, first, last, column, in_function, docstring)
                pending.append((child_name, not isinstance(child, ast.ClassDef), child))
            elif not isinstance(child, ast.expr):
                pending.append((name, in_function, child))


def _docstring_line(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> int | None:
    statement = node.body[0] if node.body else None
    value = statement.value if isinstance(statement, ast.Expr) else None
    is_string = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return statement.lineno if statement and is_string else None


@dataclass
class _Open:
    """A scope whose end is not reached, and the depth of indents that its body has at least."""

    scope: Scope
    depth: int
    is_function: bool
    is_empty: bool = True


def of_tokens(text: str) -> list[Scope]:
    """Return the module and all that is defined in it, without asking whether it is valid."""
    module = Scope("", 1, 1, 1, 0, False)
    scopes, opened = [module], [_Open(module, 0, False)]
    decorator: int | None = None
    for depth, line in _statements(text):
        while opened[-1].depth > depth:
            opened.pop()
        first, words = line[0], [token.string for token in line]
        keyword = words.index("def") if words[:2] == ["async", "def"] else 0
        outer = opened[-1]
        if words[0] == "@":
            decorator = decorator or first.start[0]
        elif words[keyword] in ("def", "class") and len(words) > keyword + 1:
            name = ".".join(filter(None, [outer.scope.name, words[keyword + 1]]))
            start, column = first.start
            scope = Scope(name, start, decorator or start, start, column, outer.is_function)
            scopes.append(scope)
            opened.append(_Open(scope, depth + 1, words[keyword] == "def"))
            decorator = None
        elif outer.is_empty and _is_string(line):
            outer.scope.docstring = first.start[0]
        outer.is_empty = False
        for other in opened[1:]:
            other.scope.last = line[-1].end[0]
    return scopes


def _is_string(line: list[tokenize.TokenInfo]) -> bool:
    """Whether the first statement of a logical line is a string."""
    statement = itertools.takewhile(lambda token: token.string != ";", line)
    return all(token.type == tokenize.STRING for token in statement)


def _statements(text: str) -> Iterator[tuple[int, list[tokenize.TokenInfo]]]:
    """Yield the tokens of each logical line, and the depth of its indent."""
    depth = 0
    line: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            if line:
                yield depth, line
            line = []
        elif token.type not in NO_CODE:
            line.append(token)

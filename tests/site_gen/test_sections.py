import ast
import inspect
import textwrap
from pathlib import Path

import pytest
from hypothesis import given

from site_gen.errors import SiteError
from site_gen.sections import Source, parse, read
from tests.site_gen.modules import PROJECT_FILES, ROOT, modules

HERE = Path("m.py")


def cut(text: str) -> list[tuple[str, str, str, str]]:
    """(kind, scope, prose, code) of each section."""
    source = parse(textwrap.dedent(text).lstrip("\n"), HERE)
    return [
        (
            section.kind,
            section.scope,
            "\n\n".join(prose.text for prose in section.prose),
            "\n".join(line.text for line in section.code),
        )
        for section in source.sections
    ]


def prose_lines(source: Source) -> list[int]:
    return [
        number
        for section in source.sections
        for prose in section.prose
        for number in range(prose.first, prose.last + 1)
    ]


def assert_every_line_once(source: Source) -> None:
    lines = source.lines
    code = [line.number for section in source.sections for line in section.code]
    prose = prose_lines(source)
    assert code == sorted(set(code))
    assert prose == sorted(set(prose))
    assert not set(code) & set(prose)
    missing = set(range(1, len(lines) + 1)) - set(code) - set(prose)
    assert all(not lines[number - 1].strip() for number in missing)
    for section in source.sections:
        assert all(line.text == lines[line.number - 1] for line in section.code)
        for item in section.prose:
            assert all(
                line.text.strip() in lines[line.number - 1].expandtabs() for line in item.lines
            )


def assert_prose_is_complete(source: Source) -> None:
    """What stands in prose lines comes out as prose, apart from quotes, `#`, indent and blanks."""
    for section in source.sections:
        for item in section.prose:
            raw = "".join(source.lines[item.first - 1 : item.last])
            shown = "".join(line.text for line in item.lines)
            left_over = len("".join(raw.split())) - len("".join(shown.split()))
            marks = raw.count("#") if raw.lstrip().startswith("#") else 7
            assert 0 <= left_over <= marks


@given(modules())
def test_every_line_of_a_generated_module_lands_in_exactly_one_place(text):
    source = parse(text, HERE)
    assert_every_line_once(source)
    assert_prose_is_complete(source)


@pytest.mark.parametrize("path", PROJECT_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_line_of_the_project_lands_in_exactly_one_place(path):
    source = parse(read(path), path)
    assert_every_line_once(source)
    assert_prose_is_complete(source)


@given(modules())
def test_code_without_prose_is_the_same_program(text):
    source = parse(text, HERE)
    kept = dict.fromkeys(prose_lines(source), "")
    code = "\n".join(kept.get(n, line) for n, line in enumerate(source.lines, 1))
    placeholder = "\n".join(
        _pass_for_docstring(source, n, kept.get(n, line)) for n, line in enumerate(source.lines, 1)
    )
    assert code.count("\n") == text.replace("\r\n", "\n").removesuffix("\n").count("\n")
    before = _without_docstrings(ast.parse(text))
    after = _without_docstrings(ast.parse(placeholder))
    assert before == after


def _pass_for_docstring(source: Source, number: int, line: str) -> str:
    """Leave a lone string where a docstring was, so that a body is never empty."""
    for section in source.sections:
        for item in section.prose:
            text = source.lines[number - 1]
            if item.first == number and not text.lstrip().startswith("#"):
                return text[: len(text) - len(text.lstrip())] + '"""."""'
    return line


def _without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_lone_string(body[0]):
            body[0] = ast.Pass()
    return ast.dump(tree)


def _is_lone_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@given(modules())
def test_every_docstring_is_read_as_inspect_reads_it(text):
    source = parse(text, HERE)
    if source.docstring is None:
        return
    first, last = source.docstring.first, source.docstring.last
    raw = "\n".join(source.lines[first - 1 : last])
    body = raw.lstrip("rRu")[3:-3]
    wanted = [line.rstrip() for line in inspect.cleandoc(body).split("\n")]
    assert source.docstring.text == "\n".join(wanted).strip("\n")


def test_the_module_docstring_and_the_imports_are_the_first_section():
    assert cut(
        '''
        """The chapter."""

        import math

        import torch
        '''
    ) == [("module", "", "The chapter.", "import math\n\nimport torch")]


def test_a_function_shows_its_docstring_beside_decorators_signature_and_body():
    assert cut(
        '''
        @cached
        def f(x):
            """Says what."""
            return x
        '''
    ) == [("definition", "f", "Says what.", "@cached\ndef f(x):\n    return x")]


def test_a_comment_opens_a_section_within_its_function():
    assert cut(
        '''
        def f(x):
            """Says what."""
            # Why this is done,
            # in two lines.
            y = x
            # Then that.
            return y
        '''
    ) == [
        ("definition", "f", "Says what.", "def f(x):"),
        ("comment", "f", "Why this is done,\nin two lines.", "    y = x"),
        ("comment", "f", "Then that.", "    return y"),
    ]


def test_comments_inside_brackets_and_behind_code_stay_code():
    text = "x = [\n    # inside\n    1,\n]  # behind\n# outside\ny = 1\n"
    assert cut(text) == [
        ("module", "", "", "x = [\n    # inside\n    1,\n]  # behind"),
        ("comment", "", "outside", "y = 1"),
    ]


@pytest.mark.parametrize(
    "comment",
    ["# type: ignore", "# noqa: E501", "# fmt: off", "# ruff: noqa", "# pragma: no cover"],
)
def test_a_comment_that_talks_to_a_tool_is_code(comment):
    assert cut(f"{comment}\nx = 1\n") == [("module", "", "", f"{comment}\nx = 1")]


def test_the_shebang_and_the_coding_line_are_code_and_later_lookalikes_are_prose():
    sections = cut("#!/bin/python\n# coding: utf-8\nx = 1\n#!prose\ny = 1\n")
    assert sections == [
        ("module", "", "", "#!/bin/python\n# coding: utf-8\nx = 1"),
        ("comment", "", "!prose", "y = 1"),
    ]


def test_a_comment_before_a_definition_joins_its_docstring():
    assert cut(
        '''
        # How it came about.

        @once
        def f():
            """What it does."""
        '''
    ) == [("definition", "f", "How it came about.\n\nWhat it does.", "@once\ndef f():")]


def test_comment_blocks_without_code_between_them_are_one_section():
    assert cut("# One.\n\n# Two.\nx = 1\n") == [("comment", "", "One.\n\nTwo.", "x = 1")]


def test_what_follows_a_function_is_a_section_of_its_own():
    assert cut(
        '''
        def f():
            """Doc."""

        __all__ = ["f"]
        '''
    ) == [("definition", "f", "Doc.", "def f():"), ("continuation", "", "", '__all__ = ["f"]')]


def test_a_comment_that_closes_a_body_does_not_speak_of_the_next_function():
    assert cut(
        '''
        class C:
            def f(self):
                return 1
                # the last word on f

            def g(self):
                """About g."""
        '''
    ) == [
        ("definition", "C", "", "class C:"),
        ("definition", "C.f", "", "    def f(self):\n        return 1"),
        ("comment", "C.f", "the last word on f", ""),
        ("definition", "C.g", "About g.", "    def g(self):"),
    ]


def test_comments_at_the_end_of_the_file_are_prose_without_code():
    assert cut("x = 1\n\n# ## Exercises\n#\n# Try it.\n")[-1] == (
        "comment",
        "",
        "## Exercises\n\nTry it.",
        "",
    )


def test_helpers_inside_a_function_stay_in_its_code_unless_they_are_documented():
    assert cut(
        '''
        def f():
            """Doc."""
            def plain():
                return 1
            def told():
                """Inner."""
            return plain
        '''
    ) == [
        ("definition", "f", "Doc.", "def f():\n    def plain():\n        return 1"),
        ("definition", "f.told", "Inner.", "    def told():"),
        ("continuation", "f", "", "    return plain"),
    ]


def test_backslashes_of_a_docstring_survive_whether_it_is_raw_or_not():
    for prefix in ("", "r"):
        text = f'{prefix}"""$\\beta_1 \\frac12 \\theta$ and \\alpha."""\n'
        assert cut(text)[0][2] == r"$\beta_1 \frac12 \theta$ and \alpha."


def test_a_docstring_that_shares_a_line_with_code_stays_code():
    assert cut('def f(): """Doc."""\n') == [("definition", "f", "", 'def f(): """Doc."""')]
    assert cut('"""Doc."""; x = 1\n') == [("module", "", "", '"""Doc."""; x = 1')]
    assert cut('"""Doc."""  # noqa: D400\n') == [("module", "", "", '"""Doc."""  # noqa: D400')]


def test_prose_remembers_the_lines_that_it_came_from():
    source = parse('"""\n\nFirst.\n\n  Indented.\n"""\n', HERE)
    assert [(line.number, line.text) for line in source.docstring.lines] == [
        (3, "First."),
        (4, ""),
        (5, "  Indented."),
    ]


def test_definitions_carry_their_qualified_names_and_lines():
    source = parse("class C:\n    @property\n    def f(self): ...\n", HERE)
    assert [(item.qualified_name, item.line) for item in source.definitions] == [
        ("C", 1),
        ("C.f", 3),
    ]


def test_invalid_python_is_one_line_with_file_and_line():
    with pytest.raises(SiteError, match=r"^m\.py:2: no valid Python: "):
        parse("x = 1\ndef f(:\n", HERE)


def test_a_file_in_another_encoding_than_it_declares_is_one_line(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b"x = '\xe9'\n")
    with pytest.raises(SiteError, match=r"latin\.py:1: cannot be decoded"):
        read(path)

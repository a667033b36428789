import sys

import pytest
from hypothesis import given

from site_gen.scopes import KNOWS_ALL, find_scopes, of_tokens
from site_gen.sections import parse, read
from tests.site_gen.modules import PROJECT_FILES, ROOT, modules
from tests.site_gen.test_sections import HERE, assert_every_line_once


def by_line(scopes):
    return sorted(scopes, key=lambda scope: (scope.first, scope.name))


@given(modules())
def test_tokens_say_the_same_as_the_parser(text):
    text = text.replace("\r\n", "\n")
    assert by_line(of_tokens(text)) == by_line(find_scopes(text))


def test_tokens_say_the_same_as_the_parser_of_the_files_of_the_generator_and_its_tests():
    for path in PROJECT_FILES:
        if path.is_relative_to(ROOT / "site_gen") or path.is_relative_to(ROOT / "tests/site_gen"):
            text = read(path)
            assert by_line(of_tokens(text)) == by_line(find_scopes(text))


@pytest.mark.parametrize(
    "statement",
    [
        "def first[T: int, *Ts, **P = [int]](x: T) -> T:\n    return x",
        "async def first[T](x):\n    return x",
        "class First[T = int](Base):\n    x: T",
        "type First[T] = list[T]",
        'x = f"{a["b"]} {\'\\n\'.join(c)}"',
        "x = t'hello {name!r:>{width}}'",
        "try:\n    pass\nexcept A, B:\n    pass",
        "try:\n    pass\nexcept* A, B:\n    pass",
    ],
)
def test_syntax_of_newer_versions_of_python_is_cut_like_any_other(statement):
    text = f'"""Doc."""\n{statement}\n\n@once\ndef last():\n    """Says."""\n    # Why.\n    return 1\n'
    source = parse(text, HERE)
    assert_every_line_once(source)
    *_, definition, comment = source.sections
    assert (definition.scope, definition.prose[0].text) == ("last", "Says.")
    assert (comment.scope, comment.prose[0].text) == ("last", "Why.")
    assert source.docstring.text == "Doc."


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\nclass C(\n", "if x\n    y\n", "x = 'open\n"])
def test_what_is_wrong_in_every_version_is_an_error(text):
    with pytest.raises(SyntaxError):
        find_scopes(text)


@pytest.mark.skipif(sys.version_info >= KNOWS_ALL, reason="this Python knows the syntax")
def test_a_page_of_newer_syntax_is_made(package):
    package.write(
        "package/newer.py", "type Names = list[str]\n\ndef f():\n    # Why.\n    return 1\n"
    )
    package.write("package/user.py", "from package.newer import f\n\nf()\n")
    package.generate()
    assert "Why." in package.page("package/newer")
    assert "Names" in package.page("package/newer")
    assert "newer" in package.page("package/user")

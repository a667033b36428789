"""Generated Python modules for property tests, and the modules of this project."""

from pathlib import Path

from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
PROJECT_FILES = sorted(
    path
    for folder in ("labml_nn_optim", "experiments", "site_gen", "tests")
    for path in (ROOT / folder).rglob("*.py")
)

WORDS = st.sampled_from(["alpha", "the step", r"\beta_1", "a # mark", "a  b", "é", "'q'"])
NAMES = st.sampled_from(["f", "g", "Adam", "step", "C"])
SENTENCES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
COMMENT_TEXTS = st.one_of(
    SENTENCES, st.just(""), st.just("noqa: E501"), st.just("type: ignore"), st.just("fmt: off")
)
PREFIXES = st.sampled_from(["", "r", "R", "u"])
STATEMENTS = st.sampled_from(
    [
        ["x = 1"],
        ["x = 1  # trailing"],
        ["x = [", "    1,", "", "    # inside", "# inside, at the margin", "    2,", "]"],
        ['y = """a', "", "# no comment", '  b"""'],
        ["z = 1 + \\", "    2"],
        ["if x:", "    x = 2", "# before else", "else:", "    # in else", "    x = 3"],
        ["for i in x:", "    # per item", "    pass", "    # after the last statement"],
        ["import os; import sys"],
        ["lambda: 0"],
        ['"""a lone string"""'],
        ["", ""],
    ]
)


def _comment(texts: list[str]) -> list[str]:
    return [f"# {text}".rstrip() for text in texts]


COMMENTS = st.lists(COMMENT_TEXTS, min_size=1, max_size=3).map(_comment)


@st.composite
def docstrings(draw: st.DrawFn) -> list[str]:
    """Lines of a docstring: raw or not, long or short, alone on its lines or followed by code."""
    body = draw(st.lists(st.one_of(SENTENCES, st.just(""), SENTENCES.map(lambda s: "    " + s))))
    tail = draw(st.sampled_from(["", "", "", "", "  # noqa: D400", "; x = 1"]))
    quote = draw(st.sampled_from(['"""', "'''"]))
    opening = draw(PREFIXES) + quote
    first = draw(st.sampled_from(["Says.", "", " spaced"]))
    lines = [opening + first, *body, " " + quote] if body else [opening + first + " " + quote]
    return [*lines[:-1], lines[-1] + tail]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


@st.composite
def definitions(draw: st.DrawFn, depth: int) -> list[str]:
    """Lines of a class or function, with or without decorators, docstring and comments."""
    name = draw(NAMES)
    head = draw(
        st.sampled_from(
            [
                [f"def {name}():"],
                [f"async def {name}(a, b=[1, 2]):"],
                [f"class {name}:"],
                [f"def {name}(", "    a,  # first", "    # second", "    b=1,", "):"],
                ["@property", f"def {name}(self):"],
                ["@decorate(", "    1)", "# between", f"class {name}(object):"],
            ]
        )
    )
    before = draw(st.one_of(st.just([]), COMMENTS))
    docstring = draw(st.one_of(st.just([]), docstrings()))
    inside = draw(blocks(depth + 1))
    return [*head, *_indented([*before, *docstring, *inside, "pass"])]


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """Lines of a run of statements, comments and definitions."""
    kinds = [STATEMENTS, COMMENTS]
    if depth < 3:
        kinds.append(definitions(depth))
    return [line for part in draw(st.lists(st.one_of(kinds), max_size=4)) for line in part]


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Text of a valid Python module."""
    head = draw(st.sampled_from([[], ["#!/usr/bin/env python"], ["# coding: utf-8"], [""]]))
    head += draw(st.one_of(st.just([]), COMMENTS))
    docstring = draw(st.one_of(st.just([]), docstrings()))
    end = draw(st.sampled_from(["", "\n", "\n\n\n"]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return newline.join([*head, *docstring, *draw(blocks())]) + end

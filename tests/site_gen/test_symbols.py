"""Symbols of a table in the formulas of a page."""

import re
from xml.etree import ElementTree

import pytest

from site_gen.front_matter import Symbol
from site_gen.highlight import python_lines, python_names
from site_gen.mathml import to_mathml
from site_gen.symbols import FormulaMarks, mark
from tests.site_gen.test_course import chapter, failure

ADAM = r"""\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
\hat m_t &= \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
\theta_t &= \theta_{t-1} - \alpha\, \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}
\end{aligned}"""
TABLE = {
    r"\theta": "param",
    "g": "grad",
    "m": "exp_avg",
    "v": "exp_avg_sq",
    r"\beta_1": "beta1",
    r"\beta_2": "beta2",
    r"\varepsilon": "eps",
    r"\alpha": "lr",
}


def symbols(table: dict[str, str]) -> tuple[Symbol, ...]:
    return tuple(Symbol(tex, name, 1) for tex, name in table.items())


def marked(tex: str, table: dict[str, str], display: bool = False) -> ElementTree.Element:
    formula = to_mathml(tex, display=display)
    return ElementTree.fromstring(mark(symbols(table), formula)[0])


def places(tex: str, table: dict[str, str]) -> list[tuple[str, str]]:
    """Every marked place of a formula: its letters and its name in the code."""
    found = marked(tex, table).iter()
    return [
        ("".join(item.itertext()), item.get("data-sym")) for item in found if item.get("data-sym")
    ]


def test_adams_equation_has_all_its_symbols_marked():
    names = [name for _, name in places(ADAM, TABLE)]
    counts = {name: names.count(name) for name in TABLE.values()}
    # One more of each decay rate than its letters: in a power the index is a piece of its own.
    assert counts == {
        **{"param": 2, "grad": 2, "exp_avg": 3, "exp_avg_sq": 3},
        **{"beta1": 4, "beta2": 4, "eps": 1, "lr": 1},
    }


@pytest.mark.parametrize("display", [False, True])
def test_marks_leave_a_formula_and_its_source_as_they_were(display):
    formula = to_mathml(ADAM, display=display)
    html, _ = mark(symbols(TABLE), formula)
    assert formula.split(">")[0] == html.split(">")[0]
    without = re.sub(r' data-sym="\w+"', "", html)
    assert without.replace("></mspace>", "/>") == formula


@pytest.mark.parametrize(
    ("tex", "table", "expected"),
    [
        (r"\beta_1 + \beta", {r"\beta": "b", r"\beta_1": "b1"}, [("β1", "b1"), ("β", "b")]),
        (r"\beta_1^t", {r"\beta_1": "b1"}, [("β", "b1"), ("1", "b1")]),
        (r"\theta_{t+1} - \theta_t", {r"\theta_{t+1}": "new"}, [("θt+1", "new")]),
        (r"g_t^2 + g_{t-1}", {"g": "grad"}, [("g", "grad"), ("g", "grad")]),
        (r"\hat m + \bar m + m", {"m": "a", r"\bar m": "b"}, [("m¯", "b"), ("m", "a")]),
        (r"\theta^\star - \theta' - \theta", {r"\theta": "p"}, [("θ", "p")]),
        (r"\alpha_\text{max}\alpha_\infty", {r"\alpha": "lr"}, []),
        (r"s_\text{max}^2", {r"s_\text{max}": "top"}, [("s", "top"), ("max", "top")]),
        (r"\eta^+_t", {r"\eta^+": "grow"}, [("η", "grow"), ("+", "grow")]),
        (r"x - \alpha\,\lambda \theta", {r"\alpha\lambda": "amount"}, [("αλ", "amount")]),
        (r"\alpha + \lambda", {r"\alpha\lambda": "amount"}, []),
        (r"\beta_2", {r"\beta_1, \beta_2": "betas"}, [("β2", "betas")]),
        (r"\Delta_t", {r"\Delta": "delta"}, [("Δ", "delta")]),
        (r"\underbrace{m}_{\text{sum}}", {"m": "a"}, [("m", "a")]),
        (r"\operatorname{sign}(m) \mathbf{m}", {"m": "a", "s": "b"}, [("m", "a")]),
        (r"\frac{m}{\sqrt{v}}", {}, []),
    ],
)
def test_a_place_is_marked_where_it_is_that_quantity(tex, table, expected):
    assert places(tex, table) == expected


def test_marks_of_a_page_know_which_symbols_stand_in_no_formula():
    marks = FormulaMarks(symbols({"m": "a", "v": "b", r"\hat m": "c"}))
    html = marks.mark(f"<p>m {to_mathml('m + 1', display=False)} v</p>")
    assert html.count("data-sym") == 1
    assert html.startswith("<p>m <math")
    assert [symbol.tex for symbol in marks.unused] == ["v", r"\hat m"]


def test_names_in_code_are_marked_as_a_whole_and_not_in_strings_or_comments():
    code = 'm = lerp(m, momentum, "m", obj.m)  # m\n@m\ndef f(): "m"\nstate["m"] = [m, "m"]\n'
    lines = python_lines(code, frozenset({"m"}))
    assert [line.count("data-sym") for line in lines] == [3, 1, 0, 2, 0]
    assert lines[0].startswith('<var data-sym="m">m</var> ')
    assert '<var class="nd" data-sym="m">@m</var>' in lines[1]
    assert '<var class="s2" data-sym="m">m</var>' in lines[3]
    assert python_names("f('a', b=c[\"d\"])  # e\n") >= {"f", "b", "c", "d"}
    assert not python_names("f('a', b=c[\"d\"])  # e\n") & {"a", "e"}


def test_a_page_marks_prose_summary_and_code(course):
    course.generate()
    html = course.page("momentum")
    assert '<mi data-sym="velocity">m</mi>' in html
    assert '<var data-sym="velocity">velocity</var>' in html
    assert '<span data-sym="beta">' in html
    course.write(
        "rules/new.py",
        chapter(extra="summary: Of $a$.\nsymbols: {a: x}", prose="$a$"),
    )
    course.generate()
    assert course.page("new").count('<mi data-sym="x">a</mi>') == 2


@pytest.mark.parametrize(
    ("extra", "prose", "message"),
    [
        ("symbols: {a: x}", "$b$", "rules/new.py:5: symbol 'a' stands in no formula"),
        ("symbols: {a: x}", r"$\hat a$", "rules/new.py:5: symbol 'a' stands in no formula"),
        ("symbols: {a: x.y}", "$a$", "rules/new.py:5: symbol 'a': 'x.y' is not one name"),
        ("symbols: {a: T}", "$a$", "rules/new.py:5: symbol 'a': 'T' does not stand in the code"),
    ],
)
def test_a_symbol_that_joins_nothing_stops_the_build(course, extra, prose, message):
    course.write("rules/new.py", chapter(extra=extra, prose=prose, code="x = 'T'  # T"))
    assert message in failure(course)

import json
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont

from site_gen.mathml import MathError, text_of, to_mathml

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "mathml.json").read_text(encoding="utf-8"))
ASSETS = HERE.parents[1] / "site_gen" / "assets"
ITALIC = {"A": 0x1D434, "a": 0x1D44E, "Α": 0x1D6E2, "α": 0x1D6FC}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["tex"])
def test_formulas_come_out_as_they_did_when_they_were_looked_at(case):
    assert to_mathml(case["tex"], display=case["display"]) == case["mathml"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["tex"])
def test_formulas_are_well_formed_and_carry_source_but_no_style(case):
    root = ElementTree.fromstring(to_mathml(case["tex"], display=case["display"]))
    assert root.tag == "math"
    assert root.get("data-tex") == case["tex"]
    for element in root.iter():
        assert not {"style", "scriptlevel"} & set(element.attrib)


def test_the_text_of_a_formula_is_what_stands_in_it():
    assert text_of(to_mathml(r"\hat\theta_{t-1} < g", display=False)) == "θˆt−1<g"


def test_what_a_line_end_of_tex_has_behind_it_is_not_shown():
    def rows(between: str) -> str:
        return to_mathml(rf"\begin{{cases}} a {between} b \end{{cases}}", display=True)

    plain = rows(r"\\").split("<mtable", 1)[1]
    for between in (r"\\*", r"\\[4pt]", r"\\[-0.5 em]", r"\\*[1ex]"):
        assert rows(between).split("<mtable", 1)[1] == plain
    assert '<mo stretchy="false">[</mo>' in rows(r"\\ [x]")


FONTS = ("latin-modern-math", "latin-modern-math-more")


def characters(name: str) -> set[int]:
    return set(TTFont(ASSETS / f"{name}.woff2").getBestCmap())


def listed(name: str) -> set[int]:
    codes = (ASSETS / f"{name}.unicodes.txt").read_text().split()
    return {int(code.removeprefix("U+"), 16) for code in codes}


def font() -> set[int]:
    return set().union(*map(characters, FONTS))


def shown_characters(mathml: str) -> set[int]:
    """The characters that a browser takes from the font: a lone letter in `<mi>` is italic."""
    found = {ord(character) for character in unescape(re.sub(r"<[^>]*>", "", mathml))}
    for letter in re.findall(r'<mi(?: data-sym="\w+")?>(\w)</mi>', mathml):
        for first, italic in ITALIC.items():
            offset = ord(letter) - ord(first)
            if 0 <= offset < 25 + (first in "Aa") and letter != "h":
                found.add(italic + offset)
    return found - {ord("\n")}


@pytest.mark.parametrize("name", FONTS)
def test_a_font_holds_the_characters_of_its_list(name):
    assert characters(name) >= listed(name)


def test_the_style_asks_the_second_font_for_exactly_its_characters():
    style = (ASSETS / "pages.css").read_text()
    ranges = re.search(r"unicode-range:([^;]*);", style)[1]
    found = set()
    for first, last in re.findall(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?", ranges):
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    assert found == listed("latin-modern-math-more")
    assert not found & listed("latin-modern-math")


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["tex"])
def test_the_font_holds_every_character_of_the_formulas(case):
    missing = shown_characters(to_mathml(case["tex"], display=case["display"])) - font()
    assert not {f"U+{code:04X} {chr(code)}" for code in missing}


@pytest.mark.parametrize(
    ("tex", "line", "message"),
    [
        (r"\foo", 0, "Unknown command"),
        ("a\n\\b{x}", 1, "Unknown command"),
        ("é\n\n\\foo", 2, "Unknown command"),
        (r"\frac{1}", 0, "Expected argument"),
        (r"\color{red}{x}", 0, "cannot set 'color: #FF0000'"),
        (r"\href{javascript:alert(1)}{x}", 0, "Unknown command"),
    ],
)
def test_what_does_not_parse_is_told_with_its_line(tex, line, message):
    with pytest.raises(MathError, match=re.escape(message)) as error:
        to_mathml(tex, display=True)
    assert error.value.line == line

"""TeX to MathML, at build time."""

import re
from functools import lru_cache
from html import escape, unescape

from math_core import LatexError, LatexToMathML

CONVERTER = LatexToMathML(fancy_error=False)
STYLE = re.compile(r' style="([^"]*)"')
STYLE_CLASSES = {
    "text-align: right": "tex-right",
    "text-align: left": "tex-left",
    "padding-right: 0": "tex-flush-right",
    "padding-left: 0": "tex-flush-left",
    "padding-left: 1em": "tex-gap-left",
    "padding-right: 0.1667em": "tex-thin-right",
    "padding-left: 0.1667em": "tex-thin-left",
    "padding-right: 0.1em": "tex-near-right",
    "padding-left: 0.1em": "tex-near-left",
    "margin-left: -0.16666667em": "tex-back",
    "margin-left: -0.22222222em": "tex-back",
    "border-top: 0.05em solid currentcolor": "tex-rule-above",
    "border-left: 0.05em solid currentcolor": "tex-rule-left",
    "border-right: 0.05em solid currentcolor": "tex-rule-right",
    "width: 100%": "tex-full",
    "width: 50%": "tex-half",
    "width: 7.5%": "tex-margin",
}
COVERED_STYLES = {"justify-items: end", "justify-items: start"}
# MathML 3 lets few elements have this attribute, so validators complain; CSS says the same.
DISPLAY_STYLE = re.compile(r'(<(?:mfrac|mrow)\b[^>]*?) displaystyle="(true|false)"')
DISPLAY_CLASSES = {"true": "tex-display", "false": "tex-text"}
# The converter would show what a line end may have behind it: a star, and a distance to the next line.
LINE_END = re.compile(r"(?<=\\\\)\*?(?:\[-?[\d.]+ *(?:pt|em|ex|mu|mm|cm|in)\])?")
VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")


class MathError(ValueError):
    """TeX that cannot be converted. `line` counts from 0 within the formula."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@lru_cache(maxsize=4096)
def to_mathml(tex: str, *, display: bool) -> str:
    """Return the `<math>` element of a formula, with its source in `data-tex`.

    Raises MathError when the formula does not parse or asks for what MathML cannot give.
    """
    plain = LINE_END.sub(lambda it: " " * len(it[0]), tex)
    try:
        markup = CONVERTER.convert_with_local_state(plain, displaystyle=display)
    except LatexError as error:
        raise _math_error(tex, str(error)) from None
    markup = re.sub(r' scriptlevel="\d+"', "", markup)
    markup = markup.replace("&ApplyFunction;", "\u2061")
    markup = STYLE.sub(_style_to_class, markup)
    markup = DISPLAY_STYLE.sub(lambda it: f'{it[1]} class="{DISPLAY_CLASSES[it[2]]}"', markup)
    markup = VARIATION_SELECTORS.sub("", markup)
    return markup.replace("<math", f'<math data-tex="{escape(tex)}"', 1)


def text_of(markup: str) -> str:
    """Return the characters of a formula, as a name for what cannot be named by MathML."""
    return "".join(unescape(text) for text in re.findall(r">([^<>]+)<", markup))


def _math_error(tex: str, message: str) -> MathError:
    position, _, what = message.partition(": ")
    offset = int(position) if position.isdigit() else 0
    return MathError(what or message, tex[:offset].count("\n"))


def _style_to_class(match: re.Match[str]) -> str:
    classes = []
    for declaration in filter(None, match[1].split(";")):
        name, _, value = declaration.partition(":")
        style = f"{name.strip()}: {value.strip()}"
        if style not in STYLE_CLASSES and style not in COVERED_STYLES:
            raise MathError(f"a formula cannot set {style!r}", 0)
        if style in STYLE_CLASSES:
            classes.append(STYLE_CLASSES[style])
    return f' class="{" ".join(classes)}"'

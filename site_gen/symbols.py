r"""Marks in formulas: which places are a symbol of the chapter's table, and its name in the code.

Each symbol is converted to MathML by itself and looked for in the MathML of a formula, longest
first: `\beta_1` before `\beta`. A place that is found gets the identifier as `data-sym`.

A symbol with an index is still that symbol ($m_{t-1}$ is $m$), and so is one with a power. Under
an accent, with a mark such as a star, or with a word for an index it is another quantity:
$\hat m$, $\theta^\star$ and $\alpha_\text{max}$ are marked only where the table lists them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup

from site_gen.front_matter import Symbol
from site_gen.mathml import to_mathml

ATTRIBUTE = "data-sym"
FORMULA = re.compile(r"<math .*?</math>", re.S)
SOURCE = re.compile(r'<math data-tex="[^"]*"')
LAYOUT_ATTRIBUTES = {"lspace", "rspace", "stretchy"}
ROWS = {"math", "mrow", "mtd", "msqrt", "mstyle", "mpadded", "mphantom"}
OVER = {"mover": "accent", "munder": "accentunder"}
BRACES = {"⏞", "⏟"}
SUBSCRIPTED = {"msub", "msubsup"}
SUPERSCRIPTED = {"msup", "msubsup"}


@dataclass(frozen=True)
class _Pattern:
    """The elements that a symbol consists of, side by side."""

    symbol: Symbol
    elements: tuple[Element, ...]
    texts: frozenset[str]
    size: int


class FormulaMarks:
    """Marks the formulas of one page, and keeps in mind which symbols it has met."""

    def __init__(self, symbols: tuple[Symbol, ...]) -> None:
        self.symbols = symbols
        self._met: set[Symbol] = set()

    def mark(self, html: str) -> Markup:
        """Return `html` with the symbols in its formulas marked."""
        return Markup(FORMULA.sub(self._mark, html))

    @property
    def unused(self) -> list[Symbol]:
        """The symbols that stood in no formula so far."""
        return [symbol for symbol in self.symbols if symbol not in self._met]

    def _mark(self, formula: re.Match[str]) -> str:
        marked, met = mark(self.symbols, formula[0])
        self._met |= met
        return marked


@lru_cache(maxsize=32768)
def mark(symbols: tuple[Symbol, ...], formula: str) -> tuple[str, frozenset[Symbol]]:
    """Return the `<math>` element `formula` with the places of `symbols` marked, and which it has."""
    patterns = _patterns(symbols)
    # XML would turn the line ends of the source into blanks.
    source = SOURCE.match(formula)
    if not patterns or source is None:
        return formula, frozenset()
    marker = _Marker(ElementTree.fromstring(SOURCE.sub("<math", formula)))
    found = frozenset(pattern.symbol for pattern in patterns if marker.mark(pattern))
    if not found:
        return formula, found
    html = ElementTree.tostring(marker.root, encoding="unicode", short_empty_elements=False)
    return html.replace("<math", source[0], 1), found


@lru_cache(maxsize=1024)
def _patterns(symbols: tuple[Symbol, ...]) -> tuple[_Pattern, ...]:
    """Return what to look for, the largest first. A comma separates several symbols of one name."""
    patterns = []
    for symbol in symbols:
        row: list[Element] = []
        for element in [*_flat(ElementTree.fromstring(to_mathml(symbol.tex, display=False))), None]:
            if element is not None and element.text != ",":
                row.append(element)
            elif row:
                texts = frozenset().union(*map(_texts, row))
                size = sum(1 for item in row for _ in item.iter())
                patterns.append(_Pattern(symbol, tuple(row), texts, size))
                row = []
    return tuple(sorted(patterns, key=lambda pattern: -pattern.size))


def _flat(row: Element) -> Iterator[Element]:
    """Yield what a row consists of, without space and without rows in it."""
    for element in row:
        if element.tag == "mrow":
            yield from _flat(element)
        elif element.tag != "mspace":
            yield element


def _texts(element: Element) -> frozenset[str]:
    return frozenset(item.text for item in element.iter() if item.text)


class _Marker:
    """Marks one formula, whose elements it looks at once for all patterns."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.texts = _texts(root)
        self.by_tag: dict[str, list[Element]] = {}
        self.rows = [element for element in root.iter() if element.tag in ROWS]
        self.closed: set[Element] = set()
        pending = [root]
        while pending:
            children = _markable(pending.pop())
            for child in children:
                self.by_tag.setdefault(child.tag, []).append(child)
            pending += children

    def mark(self, pattern: _Pattern) -> bool:
        """Mark every place that is the pattern; say whether there is one."""
        if not pattern.texts <= self.texts:
            return False
        if len(pattern.elements) > 1:
            return sum(self._mark_runs(row, pattern) for row in self.rows) > 0
        element = pattern.elements[0]
        candidates = list(self.by_tag.get(element.tag, ()))
        if element.tag in ("msub", "msup"):
            candidates += self.by_tag.get("msubsup", ())
        return sum(self._mark_element(candidate, pattern) for candidate in candidates) > 0

    def _mark_element(self, element: Element, pattern: _Pattern) -> bool:
        places = [] if element in self.closed else _places(element, pattern.elements[0])
        for place in places:
            self._close(place, pattern)
        return bool(places)

    def _mark_runs(self, row: Element, pattern: _Pattern) -> bool:
        """Put an `<mrow>` with the mark around each run of elements that is the pattern."""
        found = False
        start = 0
        while start < len(row):
            end = _run_end(row, start, pattern.elements)
            if end is not None and not self.closed.intersection(row[start:end]):
                marked = Element("mrow")
                marked.extend(row[start:end])
                row[start:end] = [marked]
                self._close(marked, pattern)
                found = True
            start += 1
        return found

    def _close(self, place: Element, pattern: _Pattern) -> None:
        place.set(ATTRIBUTE, pattern.symbol.identifier)
        self.closed.update(place.iter())


def _markable(parent: Element) -> list[Element]:
    """Return the children of `parent`, without a base that its accent or index makes another."""
    children = list(parent)
    return children[1:] if children and _is_another(parent) else children


def _is_another(element: Element) -> bool:
    children = list(element)
    if element.tag in OVER:
        is_accent = element.get(OVER[element.tag]) == "true" and children[1].text not in BRACES
        return is_accent and children[0].tag != "mrow"
    if element.tag in SUPERSCRIPTED and children[-1].tag == "mo":
        return True
    return element.tag in SUBSCRIPTED and _names(children[1])


def _names(index: Element) -> bool:
    """Whether an index is a name and not a number: a word, a sign, or infinity."""
    if index.tag == "mo" or index.text == "∞":
        return True
    return any(
        item.tag == "mtext" or (item.tag == "mi" and len(item.text or "") > 1)
        for item in index.iter()
    )


def _places(element: Element, pattern: Element) -> list[Element]:
    r"""Return what is to be marked where `element` is the pattern.

    $\beta_1^t$ holds $\beta_1$ in two pieces, the letter and its index.
    """
    if _equal(element, pattern):
        return [element]
    if element.tag == "msubsup" and pattern.tag in ("msub", "msup"):
        base, sub, sup = element
        script = sub if pattern.tag == "msub" else sup
        is_another = pattern.tag == "msub" and sup.tag == "mo"
        if not is_another and _equal(base, pattern[0]) and _equal(script, pattern[1]):
            return [base, script]
    return []


def _equal(one: Element, other: Element) -> bool:
    if one.tag != other.tag or len(one) != len(other) or (one.text or "") != (other.text or ""):
        return False
    return _meaning(one) == _meaning(other) and all(map(_equal, one, other))


def _meaning(element: Element) -> dict[str, str]:
    return {key: value for key, value in element.attrib.items() if key not in LAYOUT_ATTRIBUTES}


def _run_end(row: Element, start: int, wanted: tuple[Element, ...]) -> int | None:
    """Return where the run of the elements `wanted` that starts at `start` ends, if there is one."""
    position = start
    for number, pattern in enumerate(wanted):
        while number and position < len(row) and row[position].tag == "mspace":
            position += 1
        if position == len(row) or not _equal(row[position], pattern):
            return None
        position += 1
    return position

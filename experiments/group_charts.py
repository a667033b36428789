"""Charts of a model as a tree of its modules, shaded by a number that each parameter has.

The tree is made of the names of the parameters: the model above, its modules below, the last level
at the bottom. A module whose parameters all have the same number is one rectangle.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from experiments.curves import INK, PALETTE, PANEL_WIDTH, layered, marks, quantity
from experiments.line_charts import Part

Numbers = Mapping[str, float]
"""A number of each parameter, by its name; a parameter that is not trained may have none."""

ROW, LEAST_WIDTH, STRIP, GAP = 24.0, 14.0, 18.0, 10.0
"""Heights of a level and of the strip, the least width of a rectangle, and what is left free."""

TALLEST = 92.0
"""How much room the last level gets for labels that are written upwards."""

FONT, LETTER = 10.0, 5.7
"""Size of the labels, and how wide one of their letters is at most on the average."""

FAINTEST, STRONGEST = 0.06, 0.5
"""Opacity of the least and of the greatest number; text is read on both."""

EDGED = 6.0
"""Rectangles that are wider have a clear edge."""

MOST_SAMPLES = 5
"""How many shades the legend shows."""


@dataclass(frozen=True)
class Shade:
    """A number of each parameter, and how it is shown.

    * `title`: what the number is
    * `numbers`: the number of each parameter by its name
    * `log`: whether equal ratios look alike; the numbers must then be above 0
    * `colour`: of the greatest number, counted in the palette
    * `labels`: whether the number is written into the strip where there is room
    """

    title: str
    numbers: Numbers
    log: bool = False
    colour: int = 0
    labels: bool = False

    def opacity(self, number: float) -> float:
        """Return how strong the colour is."""
        known = sorted(set(self.numbers.values()))
        low, high, at = (math.log(n) if self.log else n for n in (known[0], known[-1], number))
        share = (at - low) / (high - low) if high > low else 1.0
        return round(FAINTEST + share * (STRONGEST - FAINTEST), 3)

    def samples(self) -> list[float]:
        """Return some of the numbers, the least and the greatest among them."""
        known = sorted(set(self.numbers.values()))
        count = min(len(known), MOST_SAMPLES)
        places = (round(n * (len(known) - 1) / max(1, count - 1)) for n in range(count))
        return [known[place] for place in places]


@dataclass(frozen=True)
class TreePanel:
    """A tree of modules, and below it a strip with one cell for each parameter.

    * `names`: of the parameters, in order
    * `root`: what the rectangle of the whole model says
    * `tree`, `strip`: what shades the rectangles and the strip; None for no strip
    * `levels`: how many levels of modules below the model are drawn at most
    * `whole`: whether a module of one number is drawn as one rectangle
    """

    title: str
    subtitle: str
    names: Sequence[str]
    root: str
    tree: Shade
    strip: Shade | None = None
    levels: int = 99
    whole: bool = True

    def part(self) -> Part:
        """Return the panel as a part of a chart."""
        return _tree_panel(self)


def lr_scales(groups: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the scale of the learning rate of each parameter in parameter groups."""
    return _by_name(groups, "lr_scale", 1.0)


def weight_decays(groups: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the weight decay of each parameter in parameter groups."""
    return _by_name(groups, "weight_decay", 0.0)


def _by_name(groups: Sequence[Mapping[str, Any]], key: str, usual: float) -> dict[str, float]:
    return {name: group.get(key, usual) for group in groups for name in group["param_names"]}


def parameter_names(model: nn.Module, within: str = "") -> list[str]:
    """Return the names of the parameters of a model, or of one of its modules, in full."""
    names = [name for name, _ in model.named_parameters()]
    return [name for name in names if name.startswith(within)]


@dataclass
class _Node:
    """A module or a parameter; what is drawn, `x` and `width`, is found for the leaves first."""

    path: str
    names: Sequence[str]
    level: int
    children: list[_Node] = field(default_factory=list)
    x: float = 0.0
    width: float = 0.0

    def walk(self) -> Iterator[_Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> list[_Node]:
        return [node for node in self.walk() if not node.children]


def _tree_panel(panel: TreePanel) -> Part:
    root = _grown(panel, "", panel.names, 0)
    _place(root)
    key = [(panel.tree, 0.0)] if panel.tree is not panel.strip else []
    top = 20.0 if key else 0.0
    last = max(node.level for node in root.walk())
    bottom = top + last * ROW + _last_row(root, last)
    floor = bottom
    if panel.strip:
        key.append((panel.strip, bottom + GAP))
        floor = bottom + GAP + 18 + STRIP
    boxes = list(_boxes(panel, root, top, bottom))
    rows = {
        "shade": [*boxes, *_strip_boxes(panel, root, floor), *_key_boxes(key)],
        "text": [
            *_labels(panel, root, top, bottom),
            *_strip_labels(panel, root, floor),
            *_key_labels(key),
        ],
        "reading": list(_readings(panel, root, top, bottom, floor)),
    }
    x = quantity("x", axis=None, scale={"domain": [0, PANEL_WIDTH], "nice": False})
    y = quantity("y", axis=None, scale={"domain": [floor, 0], "nice": False})
    ends: Part = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    layers = [
        marks(
            [row for row in rows["shade"] if row["colour"] == colour],
            "rect",
            x=x,
            y=y,
            **ends,
            color=colour,
            stroke=INK,
            strokeWidth=0.5,
            strokeOpacity=_as_it_is("edge"),
            fillOpacity=_as_it_is("opacity"),
        )
        for colour in dict.fromkeys(row["colour"] for row in rows["shade"])
    ]
    layers += [
        marks(
            [row for row in rows["text"] if row["align"] == align],
            "text",
            x=x,
            y=y,
            text={"field": "text", "type": "nominal"},
            angle=_as_it_is("angle"),
            align=align,
            baseline="middle",
            fontSize=FONT,
            color=INK,
        )
        for align in dict.fromkeys(row["align"] for row in rows["text"])
    ]
    reading = {"field": "reading", "type": "nominal"}
    layers.append(
        marks(rows["reading"], "rect", x=x, y=y, **ends, description=reading, opacity=0, color=INK)
    )
    return layered(panel.title, panel.subtitle, *layers) | {"height": floor}


def _as_it_is(field_name: str) -> Part:
    """Return a channel whose values are no data, but what is drawn."""
    return {"field": field_name, "type": "quantitative", "scale": None, "legend": None}


def _grown(panel: TreePanel, path: str, names: Sequence[str], level: int) -> _Node:
    """Return the module of some parameters, with what is inside of it if that is to be drawn."""
    node = _Node(path, names, level)
    inside = {panel.tree.numbers.get(name) for name in names}
    is_whole = panel.whole and len(inside) == 1
    if is_whole or level == panel.levels or list(names) == [path]:
        return node
    start = len(path) + 1 if path else 0
    for part, group in itertools.groupby(names, lambda name: name[start:].split(".")[0]):
        child = f"{path}.{part}" if path else part
        node.children.append(_grown(panel, child, list(group), level + 1))
    return node


def _place(root: _Node) -> None:
    """Give each leaf a width by the number of its parameters, but none less than the least.

    Where there is no room for that, all are equally wide.
    """
    leaves = root.leaves()
    least = min(LEAST_WIDTH, PANEL_WIDTH / len(leaves))
    narrow: set[int] = set()
    while True:
        left = PANEL_WIDTH - least * len(narrow)
        count = sum(len(leaf.names) for n, leaf in enumerate(leaves) if n not in narrow)
        found = {
            n
            for n, leaf in enumerate(leaves)
            if n not in narrow and len(leaf.names) * left < least * count
        }
        if not found:
            break
        narrow |= found
    x = 0.0
    for n, leaf in enumerate(leaves):
        leaf.x, leaf.width = x, least if n in narrow else left * len(leaf.names) / count
        x += leaf.width
    # What is inside of a node comes after it.
    for node in reversed(list(root.walk())):
        if node.children:
            node.x = node.children[0].x
            node.width = sum(child.width for child in node.children)


def _last_row(root: _Node, last: int) -> float:
    """Return the height of the last level: all leaves end there, and labels may be written upwards."""
    upwards = [
        len(_name(leaf)) * LETTER + 6 - (last - leaf.level) * ROW
        for leaf in root.leaves()
        if not _fits(_name(leaf), leaf.width) and not _short(leaf)
    ]
    return max([ROW, *(height for height in upwards if height <= TALLEST)])


def _fits(text: str, width: float) -> bool:
    return len(text) * LETTER + 2 <= width


def _name(node: _Node) -> str:
    return node.path.rpartition(".")[2]


def _short(node: _Node) -> str:
    """Return the number of a repeated block, if it is one and there is room for it."""
    # `conv1` is a name of its own.
    number = re.search(r"(?:^|_)(\d+)$", _name(node))
    return number[1] if number and _fits(number[1], node.width) else ""


def _edges(node: _Node, top: float, bottom: float) -> tuple[float, float]:
    upper = top + node.level * ROW
    return upper, upper + ROW if node.children else bottom


def _shape(x: float, x2: float, y: float, y2: float, **rest: Any) -> dict[str, Any]:
    # Edges of narrow rectangles would hide what fills them.
    return _box(x, x2, y, y2, edge=0.4 if x2 - x > EDGED else 0.1, **rest)


def _box(x: float, x2: float, y: float, y2: float, **rest: Any) -> dict[str, Any]:
    ends = {"x": x, "x2": x2, "y": y, "y2": y2}
    return {name: round(value, 2) for name, value in ends.items()} | rest


def _filled(shade: Shade, numbers: set[float | None]) -> dict[str, Any]:
    """Return colour and opacity for one number; several, or none at all, have none."""
    (number,) = numbers if len(numbers) == 1 else (None,)
    if number is None:
        return {"colour": INK, "opacity": 0.0}
    return {"colour": PALETTE[shade.colour], "opacity": shade.opacity(number)}


def _boxes(panel: TreePanel, root: _Node, top: float, bottom: float) -> Iterator[dict[str, Any]]:
    for node in root.walk():
        y, y2 = _edges(node, top, bottom)
        numbers = {panel.tree.numbers.get(name) for name in node.names}
        yield _shape(node.x, node.x + node.width, y, y2, **_filled(panel.tree, numbers))


def _labels(panel: TreePanel, root: _Node, top: float, bottom: float) -> Iterator[dict[str, Any]]:
    for node in root.walk():
        y, y2 = _edges(node, top, bottom)
        text, angle = _name(node) if node.path else panel.root, 0
        if not _fits(text, node.width):
            text = _short(node) or text
        if not _fits(text, node.width):
            angle = 270
            if not _fits(text, y2 - y) or node.width < LETTER * 2:
                continue
        yield _text(text, node.x + node.width / 2, (y + y2) / 2, angle=angle)


def _text(text: str, x: float, y: float, *, align: str = "center", angle: int = 0) -> Part:
    return {"text": text, "x": round(x, 2), "y": round(y, 2), "align": align, "angle": angle}


def _runs(panel: TreePanel, root: _Node) -> Iterator[tuple[float | None, float, float]]:
    """Yield the numbers of the strip and from where to where each of them holds."""
    if panel.strip is None:
        return
    cells = [
        (panel.strip.numbers.get(name), leaf.x + leaf.width * place / len(leaf.names))
        for leaf in root.leaves()
        for place, name in enumerate(leaf.names)
    ]
    starts = [next(run) for _, run in itertools.groupby(cells, lambda cell: cell[0])]
    ends = [x for _, x in starts[1:]] + [float(PANEL_WIDTH)]
    for (number, x), end in zip(starts, ends, strict=True):
        yield number, x, end


def _strip_boxes(panel: TreePanel, root: _Node, floor: float) -> Iterator[dict[str, Any]]:
    for number, x, x2 in _runs(panel, root):
        assert panel.strip is not None
        yield _shape(x, x2, floor - STRIP, floor, **_filled(panel.strip, {number}))


def _strip_labels(panel: TreePanel, root: _Node, floor: float) -> Iterator[Part]:
    if panel.strip is None or not panel.strip.labels:
        return
    for number, x, x2 in _runs(panel, root):
        text = _shown(number)
        if _fits(text, x2 - x):
            yield _text(text, (x + x2) / 2, floor - STRIP / 2)


def _shown(number: float | None) -> str:
    return "not trained" if number is None else f"{number:.3g}"


def _key_places(keys: Sequence[tuple[Shade, float]]) -> Iterator[tuple[Shade, float, float, float]]:
    """Yield the samples of each legend with their places, behind the title and in one row."""
    for shade, y in keys:
        x = len(shade.title) * LETTER + 10
        for number in shade.samples():
            yield shade, number, x, y
            x += 10 + 4 + len(_shown(number)) * LETTER + 8


def _key_boxes(keys: Sequence[tuple[Shade, float]]) -> Iterator[dict[str, Any]]:
    for shade, number, x, y in _key_places(keys):
        yield _shape(x, x + 10, y + 2, y + 12, **_filled(shade, {number}))


def _key_labels(keys: Sequence[tuple[Shade, float]]) -> Iterator[Part]:
    for shade, y in keys:
        yield _text(shade.title, 0, y + 7, align="left")
    for _, number, x, y in _key_places(keys):
        yield _text(_shown(number), x + 14, y + 7, align="left")


def _readings(
    panel: TreePanel, root: _Node, top: float, bottom: float, floor: float
) -> Iterator[dict[str, Any]]:
    """Yield what is said about each module; a leaf is also found by its piece of the strip."""
    strip = panel.strip if panel.strip is not panel.tree else None
    shades = [panel.tree, strip] if strip else [panel.tree]
    for node in root.walk():
        y, y2 = _edges(node, top, bottom)
        count = len(node.names)
        name = node.path or panel.root
        told = {shade.title: _told(shade, node.names) for shade in shades}
        lines = [name, f"{count} tensor{'s' * (count > 1)}"]
        lines += [f"{title}: {text}" for title, text in told.items()]
        cells = {"module": name, "tensors": count, **told}
        end = y2 if node.children else floor
        yield _box(node.x, node.x + node.width, y, end, reading="\n".join(lines), cells=cells)


def _told(shade: Shade, names: Sequence[str]) -> str:
    """Say which numbers the parameters have: one, two with their counts, or from where to where."""
    numbers = [shade.numbers.get(name) for name in names]
    trained = sorted({number for number in numbers if number is not None})
    found: list[float | None] = [*trained]
    if None in numbers:
        found.append(None)
    if len(found) == 1:
        told = _shown(found[0])
    elif len(found) == 2:
        told = ", ".join(f"{_shown(each)} for {numbers.count(each)}" for each in found)
    else:
        told = f"{_shown(trained[0])} to {_shown(trained[-1])}"
    return told

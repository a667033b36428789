"""Charts of records: loss on a log axis and accuracy, over steps.

A chart is a Vega-Lite specification, written as such: altair would copy and check each of them for
longer than it takes to draw it. It becomes a file of its own (`to_svg`, `to_png`) or a piece
of a page (`to_page_svg`), where colours are the page's and no script is needed to read a value.
Learning curves are described once, without their runs (`curves_form`): filled in here they become
such a picture, and filled in by a browser the chart that a reader can change (`experiments.explore`).
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from experiments.compact import compact
from experiments.drawing import kept_svg, to_png, to_svg
from experiments.records import Record, write_atomically

Panel = dict[str, Any]
"""A part of a Vega-Lite specification."""

Grouping = Callable[[Sequence[Record]], dict[str, list[Record]]]
"""Returns records by the label of their line."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f3c8d", "#666666")
"""Colours of the series; on a page they are the variables `--curve-1`, `--curve-2`, ..."""

DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [12, 4])
"""Dashes of the series, for those who cannot tell the colours apart."""

SOURCES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "loss": (("train", "loss", "train"), ("test_subset", "loss", "test")),
    "accuracy": (("test_subset", "accuracy", "test"),),
    "whole accuracy": (("test", "accuracy", "whole test set"),),
}
"""What is drawn of a record, by the data source of the chart: table, column, and kind of the line.

Accuracies are drawn in percent.
"""

READINGS = " readings"
"""How the name of a data source ends that says what can be read at a place on the x axis."""

INK = "#222222"
"""Colour of text and axes; on a page it is the colour of the text around the chart."""

PANEL_WIDTH, PANEL_HEIGHT = 340, 240
DRAWN_POINTS = 80
THINNING = 1.4
"""Points of a drawn training loss, and how much finer they are at the beginning."""

MOST_READINGS = 40
"""Places along the x axis where a reader can see the values."""

STEPS: Panel = {
    "field": "step",
    "type": "quantitative",
    "title": "step",
    "axis": {"tickCount": 6},
}
"""The channel that shows the step."""

STYLE: Panel = {
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": INK,
        "tickColor": INK,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelFontSize": 11,
    },
    "legend": {
        "labelColor": INK,
        "orient": "top",
        "title": None,
        "labelFontSize": 12,
        "symbolStrokeWidth": 2,
    },
    "title": {
        "color": INK,
        "subtitleColor": INK,
        "fontSize": 14,
        "subtitleFontSize": 11,
        "fontWeight": "bold",
    },
}
"""How axes, legends and titles look."""

_SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", _SVG)


def learning_curves(records: Sequence[Record], group: Grouping | None = None) -> dict[str, Any]:
    """Return the chart of some runs: train and test loss on the left, test accuracy on the right.

    The runs of one group are one line, the median, in a band from the least to the greatest value.

    * `group`: `group_by_seed` if not given

    Raises `ValueError` without a record.
    """
    if not records:
        raise ValueError("records must hold at least one record, got none")
    groups = (group or group_by_seed)(records)
    return filled(curves_form(records[0].data), list(groups), curve_rows(groups))


def curves_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chart of learning curves without its runs: its data sources have names only.

    * `data`: that of a record, for the number of images
    """
    return side_by_side(_loss_panel(data), _accuracy_panel(data))


def filled(
    form: Mapping[str, Any], labels: Sequence[str], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return a chart without runs with the lines of some runs.

    * `labels`: of the lines, in the order of the legend
    * `rows`: of each data source
    """
    spec = copy.deepcopy(dict(form))
    for layer in (layer for panel in spec["hconcat"] for layer in panel["layer"]):
        encoding, own = layer["encoding"], rows[layer["data"]["name"]]
        scales = {"color": colours(labels), "strokeDash": dashes(labels)}
        encoding |= {name: scale for name, scale in scales.items() if name in encoding}
        if layer["data"]["name"].endswith(READINGS):
            layer["mark"]["strokeWidth"] = _width_of_readings(own)
        if encoding.get("y", {}).get("scale", {}).get("type") == "log":
            values = (row[name] for row in own for name in ("low", "high"))
            encoding["y"]["axis"] = {"values": log_ticks(values)}
    return {**spec, "datasets": {name: list(own) for name, own in rows.items()}}


def curve_rows(groups: Mapping[str, Sequence[Record]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each data source of the chart of learning curves.

    * `groups`: the runs of each line
    """
    rows = {
        name: [row for source in sources for row in _rows(groups, *source)]
        for name, sources in SOURCES.items()
    }
    # A log axis has no place for zero.
    rows["loss"] = [row for row in rows["loss"] if row["low"] > 0]
    accuracies = rows["accuracy"] + rows["whole accuracy"]
    rows[f"loss{READINGS}"] = _newest_values(rows["loss"], "loss", "{:.4g}")
    rows[f"accuracy{READINGS}"] = _newest_values(accuracies, "accuracy", "{:.2f} %")
    return rows


def side_by_side(*panels: Panel) -> dict[str, Any]:
    """Return panels as one chart in the style of the course."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json",
        "config": STYLE,
        "hconcat": list(panels),
        # What is drawn solid or dashed is a matter of each panel, as the colours are.
        "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
        "spacing": 36,
    }


def layered(title: str, subtitle: str, *layers: Panel) -> Panel:
    """Return layers of marks as one panel."""
    return {
        "title": {"text": title, "subtitle": subtitle, "anchor": "start", "frame": "group"},
        "width": PANEL_WIDTH,
        "height": PANEL_HEIGHT,
        "layer": list(layers),
    }


def marks(rows: Sequence[Mapping[str, Any]] | str, kind: str, *, x: Panel, **rest: Any) -> Panel:
    """Return a layer that draws rows as marks of one kind, such as `line`.

    * `rows`: the rows, or the name of a data source
    * `rest`: channels of the encoding (dictionaries and lists), and properties of the mark (all others)
    """
    channels = {name: value for name, value in rest.items() if isinstance(value, dict | list)}
    properties = {name: value for name, value in rest.items() if name not in channels}
    return {
        "data": {"name": rows} if isinstance(rows, str) else {"values": list(rows)},
        "mark": {"type": kind, **properties},
        "encoding": {"x": x, **channels},
    }


def quantity(field: str, **properties: Any) -> Panel:
    """Return a channel that shows a number."""
    return {"field": field, "type": "quantitative", **properties}


MOST_LETTERS = 45
"""How many letters the labels of one row of the legend may have."""


def colours(labels: Sequence[str]) -> Panel:
    """Return the channel that gives each label, the field `optimizer`, a colour."""
    scale = {
        "domain": list(labels),
        "range": [PALETTE[index % len(PALETTE)] for index in range(len(labels))],
    }
    legend: dict[str, Any] = {"symbolType": "stroke", "symbolOpacity": 1}
    # One row as long as the labels fit over a panel.
    if sum(map(len, labels)) > MOST_LETTERS:
        legend["columns"] = 2
    return {"field": "optimizer", "type": "nominal", "scale": scale, "legend": legend}


def dashes(labels: Sequence[str]) -> Panel:
    """Return the channel that gives each label, the field `optimizer`, a dash."""
    # Of the same domain as the colours, they share a legend.
    scale = {
        "domain": list(labels),
        "range": [DASHES[index % len(DASHES)] for index in range(len(labels))],
    }
    return {"field": "optimizer", "type": "nominal", "scale": scale}


def log_ticks(values: Iterable[float]) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten between the least and the greatest value."""
    found = list(values)
    if not found:
        return []
    low, high = min(found), max(found)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5))
    return [tick for tick in ticks if low <= tick <= high]


def readings(rows: Sequence[Mapping[str, Any]] | str, x: Panel) -> Panel:
    """Return invisible vertical strokes whose descriptions, the field `reading`, can be read."""
    description = {"field": "reading", "type": "nominal"}
    width = 1 if isinstance(rows, str) else _width_of_readings(rows)
    return marks(
        rows, "rule", x=x, description=description, strokeWidth=width, opacity=0, color=INK
    )


def _width_of_readings(rows: Sequence[Mapping[str, Any]]) -> float:
    return round(PANEL_WIDTH / max(1, len(rows)), 2)


def group_by_seed(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records by the label of their line, in the order of their first appearance.

    The label is the optimizer with the options that were set; where one optimizer ran with several
    configurations, what else differs between them is added.
    """
    return _grouped(records, but={"seed"})


def group_by_rate(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records like `group_by_seed`, those of one optimizer at all its rates together."""
    return _grouped(records, but={"seed", "lr"})


def group_by_schedule(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records by their schedules and by all options, whatever else they differ in."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        settings = _settings(record)
        keys = sorted(key for key in settings if key.startswith(("schedule ", "wd_schedule")))
        texts = [
            _setting(settings, key) for key in (*sorted(record.configuration["options"]), *keys)
        ]
        groups.setdefault(", ".join([settings["schedule"], *texts]), []).append(record)
    return groups


def _grouped(records: Sequence[Record], but: set[str]) -> dict[str, list[Record]]:
    differing = {
        optimizer: _differing_keys([r for r in records if r.optimizer == optimizer]) - but
        for optimizer in {record.optimizer for record in records}
    }
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(_label(record, differing[record.optimizer]), []).append(record)
    return groups


def _label(record: Record, keys: set[str]) -> str:
    """Return the optimizer, those of its settings that `keys` names, and its options."""
    settings = _settings(record)
    named = (keys & set(settings)) | set(record.configuration["options"])
    return ", ".join([record.optimizer, *(_setting(settings, key) for key in sorted(named))])


def _setting(settings: Mapping[str, Any], key: str) -> str:
    """Return the name of a setting and its value; an option of a schedule needs no more than its name."""
    value = settings[key]
    name = key.removeprefix("schedule ").replace("wd_schedule ", "wd ")
    return f"{name} {value if isinstance(value, str) else json.dumps(value)}"


def _differing_keys(records: Sequence[Record]) -> set[str]:
    found = [_settings(record) for record in records]
    keys: set[str] = set().union(*found)
    return {key for key in keys if len({json.dumps(settings.get(key)) for settings in found}) > 1}


def _settings(record: Record) -> dict[str, Any]:
    """Return the configuration, all options beside the rest, without a schedule that is not there.

    An option of a schedule is told from one of the optimizer by the name of the field before it.
    """
    settings = dict(record.configuration)
    options: dict[str, Any] = settings.pop("options")
    for field in ("schedule", "wd_schedule"):
        for name, value in settings.pop(f"{field}_options").items():
            settings[f"{field} {name}"] = value
    if settings["wd_schedule"] is None:
        del settings["wd_schedule"]
    return settings | options


def seed_bands(
    runs: Iterable[Iterable[tuple[int, float | None]]],
) -> list[dict[str, float]]:
    """Return `step`, `median`, `low` and `high` over several runs of steps and values.

    Values that are None are left out; a step without any value is left out.
    """
    values: dict[int, list[float]] = {}
    for run in runs:
        for step, value in run:
            if value is not None:
                values.setdefault(step, []).append(value)
    return [
        {"step": step, "median": statistics.median(found), "low": min(found), "high": max(found)}
        for step, found in sorted(values.items())
    ]


def series(record: Record, table: str, column: str) -> list[tuple[int, float | None]]:
    """Return the steps and values of one column."""
    columns = record.curves[table]
    steps = [int(step) for step in columns["step"] if step is not None]
    return list(zip(steps, columns[column], strict=True))


def steps_to(record: Record, target: float) -> float:
    """Return the first step at which the accuracy on the subset is the target; infinity if none is."""
    points = series(record, "test_subset", "accuracy")
    reached = (step for step, value in points if value is not None and value >= target)
    return next(reached, math.inf)


def thinned(points: Sequence[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """Return at most `DRAWN_POINTS` points, each the mean of the points since the one before.

    The loss of a few batches jumps so much that lines of several optimizers could not be told
    apart. Fewer points are joined at the beginning, where the loss falls fast.
    """
    count = min(len(points), DRAWN_POINTS)
    # With the power above 1 the first bins are the smallest, and none is empty.
    ends = [math.ceil(len(points) * (bin / count) ** THINNING) for bin in range(count + 1)]
    bins = [points[start:end] for start, end in itertools.pairwise(ends) if start < end]
    return [(part[-1][0], _mean([value for _, value in part])) for part in bins]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _loss_panel(data: Mapping[str, Any]) -> Panel:
    y = quantity("median", title=None, scale={"type": "log", "nice": False})
    width = {
        "field": "kind",
        "type": "ordinal",
        "scale": {"domain": ["train", "test"], "range": [1, 2]},
        "legend": None,
    }
    return layered(
        "loss",
        f"thin: training, thick: {_subset(data)}",
        _band("loss"),
        _lines("loss", y=y, strokeWidth=width),
        readings(f"loss{READINGS}", STEPS),
    )


def _accuracy_panel(data: Mapping[str, Any]) -> Panel:
    y = quantity("median", title=None, scale={"zero": False})
    whole = "whole accuracy"
    return layered(
        "test accuracy in %",
        _accuracy_subtitle(data),
        _band("accuracy"),
        _lines("accuracy", y=y, strokeWidth=1.6),
        marks(whole, "point", filled=True, size=36, opacity=1, x=STEPS, y=y, color=colours(())),
        readings(f"accuracy{READINGS}", STEPS),
    )


def _accuracy_subtitle(data: Mapping[str, Any]) -> str:
    if data["test_samples"] == data["test_subset_samples"]:
        return f"all {_subset(data)}, dots after each epoch"
    return f"line: {_subset(data)}, dots: all {data['test_samples']:,}"


ONE_LINE = [{"field": name, "type": "nominal"} for name in ("kind", "run")]
"""What the points of a line have in common but for its label. Rows over all seeds have no run."""


def _lines(rows: str, **rest: Any) -> Panel:
    colour, dash = colours(()), dashes(())
    return marks(rows, "line", x=STEPS, color=colour, strokeDash=dash, detail=ONE_LINE, **rest)


def _band(rows: str) -> Panel:
    low, high = quantity("low"), {"field": "high"}
    channels = {"y": low, "y2": high, "color": colours(()), "detail": ONE_LINE}
    return marks(rows, "area", opacity=0.18, x=STEPS, **channels)


def _subset(data: Mapping[str, Any]) -> str:
    """Say on which images the frequent checks were made."""
    return f"{data['test_subset_samples']:,} test images"


def _rows(
    groups: Mapping[str, Sequence[Record]], table: str, column: str, kind: str
) -> Iterator[dict[str, Any]]:
    for label, records in groups.items():
        runs = [series(record, table, column) for record in records]
        rows = seed_bands(map(thinned, runs) if table == "train" else runs)
        for row in _percent(rows) if column == "accuracy" else rows:
            yield {**row, "optimizer": label, "kind": kind}


def _percent(rows: Iterable[dict[str, float]]) -> list[dict[str, float]]:
    return [
        row | {name: round(100 * row[name], 4) for name in ("median", "low", "high")}
        for row in rows
    ]


def _newest_values(rows: Sequence[dict[str, Any]], name: str, form: str) -> list[dict[str, Any]]:
    """Return steps, and as the text `reading` the newest value of each line at them."""
    lines: dict[tuple[str, str], dict[int, str]] = {}
    for row in rows:
        text = f"{row['optimizer']}, {row['kind']}: {form.format(row['median'])}"
        lines.setdefault((row["optimizer"], row["kind"]), {})[row["step"]] = text
    steps = sorted({row["step"] for row in rows})
    # From the end, so that the last values can be read whatever the number of steps.
    chosen = steps[:: -max(1, math.ceil(len(steps) / MOST_READINGS))][::-1]
    return [
        {"step": step, "reading": "\n".join([f"{name} at step {step}", *_newest(lines, step)])}
        for step in chosen
    ]


def _newest(lines: dict[tuple[str, str], dict[int, str]], step: int) -> Iterator[str]:
    """Yield the text of each line at its last step that is not after `step`."""
    for texts in lines.values():
        done = [earlier for earlier in texts if earlier <= step]
        if done:
            yield texts[max(done)]


def to_page_svg(spec: dict[str, Any], *, title: str, description: str) -> str:
    """Return the chart as HTML for a page: one SVG for each panel, so that they wrap on a phone.

    Colours are `var(--curve-1)`, `var(--curve-2)`, ... with classes `curve-1`, ..., text and axes
    take the colour of the text around them, and fonts are inherited. Values are read from the
    tooltip of an invisible stroke; a rule for `.curve-reading:hover` can show it.

    * `title`, `description`: what a screen reader says
    """
    panels = spec.get("hconcat", [spec])
    # What the panels share; `resolve` would apply to the layers of a panel that stands alone.
    of_concat = ("hconcat", "resolve", "spacing")
    shared = {key: value for key, value in spec.items() if key not in of_concat}
    identity = json.dumps([spec, title, description], sort_keys=True)
    prefix = f"curve-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    svgs = [
        _page_panel(kept_svg({**shared, **panel}), f"{prefix}-{index}", title, description)
        for index, panel in enumerate(panels)
    ]
    return f'<div class="curves">{"".join(svgs)}</div>'


def _page_panel(svg: str, prefix: str, title: str, description: str) -> str:
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _is_idle(child):
                parent.remove(child)
    for element in root.iter():
        _inherit(element)
        _prefix_ids(element, prefix)
    _turn_readings_into_titles(root)
    compact(root)
    root.attrib = {
        "class": "curve",
        "viewBox": root.attrib["viewBox"],
        "width": "100%",
        "role": "img",
        "aria-labelledby": f"{prefix}-title",
        "aria-describedby": f"{prefix}-description",
    }
    for position, (name, identifier, text) in enumerate(
        [("title", "title", title), ("desc", "description", description)]
    ):
        element = ElementTree.Element(f"{{{_SVG}}}{name}", id=f"{prefix}-{identifier}")
        element.text = text
        root.insert(position, element)
    return ElementTree.tostring(root, encoding="unicode")


def _is_idle(element: ElementTree.Element) -> bool:
    """Return whether an element paints nothing: backgrounds, and what is not displayed."""
    of_root = element.tag == f"{{{_SVG}}}rect" and element.get("fill") == "white"
    backdrop = element.get("class") in ("background", "foreground") and not element.get("stroke")
    return of_root or backdrop or element.get("display") == "none"


def _inherit(element: ElementTree.Element) -> None:
    """Let an element take colours and font from the page, and drop what only Vega reads."""
    for attribute in ("class", "font-family", "pointer-events", "role", "aria-roledescription"):
        element.attrib.pop(attribute, None)
    if element.get("opacity") == "1":
        del element.attrib["opacity"]
    for attribute in ("fill", "stroke"):
        colour = element.get(attribute)
        if colour == INK:
            element.set(attribute, "currentColor")
        elif colour in PALETTE:
            number = PALETTE.index(colour) + 1
            element.set(attribute, f"var(--curve-{number}, {colour})")
            element.set("class", f"curve-{number}")


def _prefix_ids(element: ElementTree.Element, prefix: str) -> None:
    """Make identifiers, and references to them, unique on the page."""
    if identifier := element.get("id"):
        element.set("id", f"{prefix}-{identifier}")
    for name, value in element.attrib.items():
        if "url(#" in value:
            element.set(name, value.replace("url(#", f"url(#{prefix}-"))


def _turn_readings_into_titles(root: ElementTree.Element) -> None:
    """Give a stroke's description as a tooltip, which needs no script."""
    for element in root.iter():
        reading = element.attrib.pop("aria-label", None)
        if reading is not None and element.get("opacity") == "0":
            element.set("class", "curve-reading")
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = reading


def save_curves(record: Record, beside: Path) -> list[Path]:
    """Draw one record into an SVG and a PNG file beside `beside`, and return their paths."""
    spec = learning_curves([record])
    svg, png = beside.with_suffix(".svg"), beside.with_suffix(".png")
    write_atomically(svg, to_svg(spec).encode())
    write_atomically(png, to_png(spec))
    return [svg, png]

"""Charts that a reader can change: what the browser loads when it is asked to.

The description that a picture was drawn from serves here too: its rows are taken out of it, for the browser to fill
in those of the lines that a reader wants to see. Pages also work from a folder, where a script may not read files; so
everything comes as scripts. Vega draws. `experiments.explore_runs` has what is particular to learning curves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.code_versions import ROOT
from experiments.committed import site_path
from experiments.curves import INK, PALETTE
from experiments.made_files import write_changed

ON_DEMAND = Path(__file__).parent / "assets" / "on_demand"
MADE = ROOT / "build" / "explore"
"""Where the scripts with charts and runs are made."""

SITE_FOLDER = "explore"
"""Where the scripts lie in the site."""

INTERPRETER = "vega-interpreter.js"

Chart = Mapping[str, Any]
"""A Vega-Lite specification of panels side by side."""

Records = Mapping[str, Mapping[str, Path]]
"""The files that a line was drawn from, by what they are called, for each label."""

ALL_LINES = ""
"""Stands for a label where files are those of all lines."""


def chart_place(
    chart: Chart, records: Records | None = None, shown: Sequence[str] = ()
) -> tuple[Markup, dict[str, Path]]:
    """Return where a chart opens, and the files that it may load, by their paths in the site.

    Nothing is seen of the place without a script. A chart whose x axis has no places where values can be read
    opens as a table.

    * `shown`: the labels of the lines that are there at first; all if not given
    """
    if not _has_crosshairs(chart):
        return _registered_place("table", tables(chart))
    form, rows = parted(chart)
    links = {
        label: [[name, site_path(path)] for name, path in files.items()]
        for label, files in (records or {}).items()
    }
    data = {"form": browser_form(form), "rows": rows, "records": links, "shown": list(shown)}
    place, made = _registered_place("chart", data)
    own = {site_path(path): path for files in (records or {}).values() for path in files.values()}
    return place, made | own


def _registered_place(kind: str, data: Any) -> tuple[Markup, dict[str, Path]]:
    """Make the script with the data of a chart, and return where it opens and what may be loaded."""
    identity = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]
    name = f"charts/{identity}"
    return place_of({kind: name}), libraries() | registering("litCharts", name, data)


def place_of(figure: Mapping[str, Any]) -> Markup:
    """Return where a chart opens; `figure` says what is loaded for it."""
    text = json.dumps(figure, separators=(",", ":"))
    return Markup('<div class="explore" data-explore="{}"></div>').format(text)


def _has_crosshairs(chart: Chart) -> bool:
    return all(any(map(_is_crosshair, panel["layer"])) for panel in chart["hconcat"])


def tables(chart: Chart) -> list[dict[str, Any]]:
    """Return `title`, `head` and `rows` of the table behind each panel: the fields `cells` of what it draws."""
    found = []
    for panel in chart["hconcat"]:
        rows = (row for layer in panel["layer"] for row in layer["data"]["values"])
        cells = [row["cells"] for row in rows if "cells" in row]
        lines = list(dict.fromkeys(tuple(map(str, each.values())) for each in cells))
        found.append({"title": panel["title"]["text"], "head": list(cells[0]), "rows": lines})
    return found


def parted(chart: Chart) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return a chart whose data sources have names only, and the rows of each of them.

    Layers that draw the same rows share a source. What can be read is found in the rows, so that the crosshair
    has none.
    """
    names: dict[str, str] = {}
    rows: dict[str, list[Any]] = {}

    def source(number: int, layer: Mapping[str, Any]) -> dict[str, str]:
        if _is_crosshair(layer):
            return {"name": f"crosshair {number}"}
        own = layer["data"]["values"]
        name = names.setdefault(json.dumps(own, allow_nan=False), f"rows {len(names)}")
        rows[name] = own
        return {"name": name}

    panels = [
        {**panel, "layer": [{**layer, "data": source(number, layer)} for layer in panel["layer"]]}
        for number, panel in enumerate(chart["hconcat"])
    ]
    return {**chart, "hconcat": panels}, rows


def browser_form(chart: Chart) -> dict[str, Any]:
    """Return a chart without rows for the browser, which has the legend and the values beside it."""
    form: dict[str, Any] = _on_page(dict(chart))
    for layer in (layer for panel in form["hconcat"] for layer in panel["layer"]):
        encoding = layer["encoding"]
        if _is_crosshair(layer):
            # The places where values can be read are one here, and it is seen.
            layer["mark"] |= {"strokeWidth": 1, "opacity": 0.7}
            del encoding["description"]
        for name in {"color", "strokeDash"} & set(encoding):
            encoding[name] |= {"legend": None}
    return form


def page_colour(colour: str) -> str:
    """Return a colour of a chart as that of the page; others stay as they are."""
    if colour == INK:
        return "currentColor"
    return f"var(--curve-{PALETTE.index(colour) + 1}, {colour})" if colour in PALETTE else colour


def _on_page(part: Any) -> Any:
    """Return a copy of a part of a description, with the colours of the page."""
    if isinstance(part, dict):
        return {key: _on_page(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_on_page(value) for value in part]
    return page_colour(part) if isinstance(part, str) else part


def _is_crosshair(layer: Mapping[str, Any]) -> bool:
    return layer["mark"]["type"] == "rule" and "description" in layer["encoding"]


def registering(place: str, name: str, data: Any, *, file: str = "") -> dict[str, Path]:
    """Make a script that gives data a name in the browser, and return its file by its path in the site.

    * `place`: the global object that holds all data of one kind
    * `file`: the path of the script, `<name>.js` if not given
    """
    file = file or f"{name}.js"
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    text = f"(globalThis.{place} ??= {{}})[{json.dumps(name)}] = {text};\n"
    return {f"{SITE_FOLDER}/{file}": write_changed(MADE / file, text)}


def libraries() -> dict[str, Path]:
    """Return what draws, with its licences, by their paths in the site."""
    return dict(_libraries(MADE))


def classic_script(module: str) -> str:
    """Return the text of Vega's interpreter, a module, as a script, which also runs from a folder.

    What it imports is taken from Vega, which has the same names; what it exports is `vegaInterpreter`.

    Raises `ValueError` if the module imports or exports in another way.
    """
    text, imports = re.subn(
        r"^import (\{[^}]+\}) from 'vega-util';", r"const \1 = vega;", module, flags=re.M
    )
    text, exports = re.subn(
        r"^export \{ (\w+) as expressionInterpreter \};",
        r"globalThis.vegaInterpreter = \1;",
        text,
        flags=re.M,
    )
    if (imports, exports) != (1, 1) or re.search(r"^(import|export)\b", text, re.M):
        raise ValueError(f"{INTERPRETER}: must have one import and one export as in version 2.3.2")
    text = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.M)
    return f"(() => {{\n{text}\n}})();\n"


@lru_cache(maxsize=1)
def _libraries(made: Path) -> Mapping[str, Path]:
    """Return what draws, with its licences; the interpreter, which is `made`, stands for its module."""
    files = {f"{SITE_FOLDER}/{path.name}": path for path in ON_DEMAND.iterdir()}
    text = classic_script((ON_DEMAND / INTERPRETER).read_text(encoding="utf-8"))
    return files | {f"{SITE_FOLDER}/{INTERPRETER}": write_changed(made / INTERPRETER, text)}

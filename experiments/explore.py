"""Learning curves that a reader can change: what the browser loads when it is asked to.

Pages also work from a folder, where a script may not read files; so everything comes as scripts. A
*folder* of records has one that holds the chart without runs (`experiments.curves.curves_form`) and lists what can be
compared; each optimizer of it, or schedule where the folder is about those, has one with its runs. Vega draws.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments import committed
from experiments.code_versions import ROOT
from experiments.committed import SCHEDULES, records_in, site_path
from experiments.curves import (
    DASHES,
    INK,
    PALETTE,
    READINGS,
    SOURCES,
    curves_form,
    group_by_schedule,
    group_by_seed,
)
from experiments.records import Record

ON_DEMAND = Path(__file__).parent / "assets" / "on_demand"
MADE = ROOT / "build" / "explore"
"""Where the scripts of the runs are made."""

SITE_FOLDER = "explore"
"""Where the scripts lie in the site."""

INTERPRETER = "vega-interpreter.js"

COMPARABLE = ("data", "model", "epochs", "batch_size")
"""Runs that agree in these can be compared."""

Series = Mapping[str, Sequence[Record]]
"""The runs of each line, by its label."""


def explore_place(lines: Series) -> Markup:
    """Return where the chart that a reader can change opens; nothing is seen of it without a script.

    There is none where a run does not come from a file.
    """
    runs = [run for group in lines.values() for run in group]
    if not all(run.path for run in runs):
        return Markup("")
    data = {
        "folders": list(dict.fromkeys(map(folder_of, runs))),
        "alike": alike(runs[0]),
        "lines": [
            [label, sorted({shelf_of(run) for run in group}), [_site_path(run) for run in group]]
            for label, group in lines.items()
        ],
    }
    text = json.dumps(data, separators=(",", ":"))
    return Markup('<div class="explore" data-explore="{}"></div>').format(text)


def explore_files(runs: Sequence[Record]) -> dict[str, Path]:
    """Return the files that the chart of some runs may load, by their paths in the site."""
    folders = {folder_of(run) for run in runs if run.path}
    files = dict(_libraries(MADE))
    for folder in sorted(folders):
        for path in _folder_files(folder):
            files[f"{SITE_FOLDER}/{path.relative_to(MADE).as_posix()}"] = path
    return files


def folder_of(run: Record) -> str:
    """Return the folder of a record within that of all results, such as `mnist/schedules`."""
    return _file(run).parent.relative_to(committed.RESULTS).as_posix()


def shelf_of(run: Record) -> str:
    """Return the name of the script that holds a run, such as `mnist/adam`."""
    folder = folder_of(run)
    about = "schedule" if folder.endswith(f"/{SCHEDULES}") else "optimizer"
    return f"{folder}/{run.configuration[about]}"


def alike(run: Record) -> str:
    """Return in words what runs must agree in to be compared."""
    return ", ".join(str(run.configuration[name]) for name in COMPARABLE)


def run_data(run: Record, label: str) -> dict[str, Any]:
    """Return what the browser needs of a run.

    * `label`: of its line
    """
    columns = {(table, name) for sources in SOURCES.values() for table, name, _ in sources}
    curves = {
        table: {name: list(run.curves[table][name]) for name in ("step", *names)}
        for table, names in _by_table(columns).items()
    }
    return {
        "label": label,
        "alike": alike(run),
        "seed": run.seed,
        "record": _site_path(run),
        "steps": run.final["step"],
        "seconds": run.times["duration_seconds"],
        "curves": curves,
    }


def browser_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chart without runs for the browser, which has the legend and the values beside it.

    * `data`: that of a record
    """
    form = curves_form(data)
    for layer in (layer for panel in form["hconcat"] for layer in panel["layer"]):
        encoding = layer["encoding"]
        if layer["data"]["name"].endswith(READINGS):
            # The places where values can be read are one here, and it is seen.
            layer["mark"] |= {"strokeWidth": 1, "opacity": 0.7}
            del encoding["description"]
        for name in {"color", "strokeDash"} & set(encoding):
            encoding[name] |= {"legend": None}
    text = json.dumps(form).replace(INK, "currentColor")
    coloured: dict[str, Any] = json.loads(text)
    return coloured


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
    return files | {f"{SITE_FOLDER}/{INTERPRETER}": _made(made / INTERPRETER, text)}


_files: dict[str, tuple[tuple[Record, ...], list[Path]]] = {}


def _folder_files(folder: str) -> list[Path]:
    """Return the scripts of a folder of records; those of unchanged records are made once."""
    records = tuple(records_in(committed.RESULTS / folder))
    known, files = _files.get(folder, ((), []))
    if len(known) != len(records) or any(a is not b for a, b in zip(known, records, strict=True)):
        files = _make_files(folder, records)
        _files[folder] = (records, files)
    return files


def _make_files(folder: str, records: Sequence[Record]) -> list[Path]:
    shelves: dict[str, list[Record]] = {}
    for record in records:
        shelves.setdefault(shelf_of(record), []).append(record)
    group = group_by_schedule if folder.endswith(f"/{SCHEDULES}") else group_by_seed
    index = {
        "form": browser_form(records[0].data),
        "sources": SOURCES,
        "palette": [f"var(--curve-{i + 1}, {colour})" for i, colour in enumerate(PALETTE)],
        "dashes": DASHES,
        "shelves": sorted(shelves),
    }
    files = [_made(MADE / folder / "index.js", _registering("litCharts", folder, index))]
    for shelf, runs in shelves.items():
        data = [run_data(run, label) for label, own in group(runs).items() for run in own]
        files.append(_made(MADE / f"{shelf}.js", _registering("litRuns", shelf, data)))
    return files


def _registering(place: str, name: str, data: Any) -> str:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"(globalThis.{place} ??= {{}})[{json.dumps(name)}] = {text};\n"


def _made(path: Path, text: str) -> Path:
    """Write a script unless it is there already, and return its path."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


def _by_table(columns: set[tuple[str, str]]) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, name in sorted(columns):
        tables.setdefault(table, []).append(name)
    return tables


def _site_path(run: Record) -> str:
    return site_path(_file(run))


def _file(run: Record) -> Path:
    if run.path is None:
        raise ValueError("run must come from a file, got a record without a path")
    return run.path

"""What a run with averaged weights leaves: one small JSON file, and a chart of several."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.configuration import configuration_hash
from experiments.curves import seed_bands
from experiments.line_charts import Line, Panel
from experiments.records import SCHEMA as RECORD_SCHEMA
from experiments.records import RecordError, to_json, write_atomically
from experiments.schemas import Checker

FOLDER = Path(__file__).parent / "results" / "averaging"

LAST = "last"
"""The name of the weights that the optimizer itself has: no average at all."""

_RECORD = RECORD_SCHEMA["properties"]
_CURVES = _RECORD["curves"]["properties"]
_LOOKS = {
    "type": "object",
    "properties": {name: _CURVES[name] for name in ("test", "test_subset")},
    "required": ["test", "test_subset"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        **{name: _RECORD[name] for name in ("configuration", "data", "environment", "times")},
        "curves": {"type": "object", "required": [LAST], "additionalProperties": _LOOKS},
    },
    "required": ["configuration", "data", "environment", "times", "curves"],
    "additionalProperties": False,
}
"""A comparison as a JSON schema; its parts are those of a record."""

_CHECKER = Checker(SCHEMA)

Looks = Mapping[str, Mapping[str, Sequence[Any]]]
"""The tables `test` and `test_subset` of a record, for one kind of weights."""


@dataclass(frozen=True)
class Comparison:
    """One run, and what was seen of its weights and of their averages.

    * `configuration`, `data`, `environment`, `times`: as in a record
    * `curves`: for each kind of weights the looks at the test images, those of the subset and those
      of the whole set; `last` are the weights of the optimizer itself
    """

    configuration: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    times: dict[str, Any]
    curves: Mapping[str, Looks]

    @property
    def schedule(self) -> str:
        """What the learning rate does."""
        return str(self.configuration["schedule"])

    @property
    def file_name(self) -> str:
        """The name of the file: the schedule and the hash of the configuration."""
        return f"{self.schedule}-{configuration_hash(self.configuration)}.json"

    def final(self, weights: str) -> dict[str, float]:
        """Return `step`, `loss` and `accuracy` of one kind of weights at the last look."""
        return {name: column[-1] for name, column in self.curves[weights]["test"].items()}


def save(comparison: Comparison, folder: Path) -> Path:
    """Write a comparison into `folder` and return the path; raises `RecordError` if it is not valid."""
    path = folder / comparison.file_name
    text = to_json(asdict(comparison))
    _check(json.loads(text), path)
    write_atomically(path, text.encode())
    return path


def load_all(folder: Path) -> list[Comparison]:
    """Read all comparisons, by schedule, then seed; raises `RecordError` for what is none."""
    found = [load(path) for path in sorted(folder.glob("*.json"))]
    return sorted(
        found, key=lambda comparison: (comparison.schedule, comparison.configuration["seed"])
    )


def load(path: Path) -> Comparison:
    """Read one comparison; raises `RecordError` if the file is none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: is no JSON: {error}") from None
    _check(fields, path)
    return Comparison(**fields)


def _check(fields: Any, path: Path) -> None:
    if complaint := _CHECKER.complaint(fields):
        raise RecordError(f"{path}: {complaint}"[:300])
    for weights, looks in fields["curves"].items():
        for name, table in looks.items():
            place = f"{path}: curves.{weights}.{name}"
            if len({len(column) for column in table.values()}) != 1:
                raise RecordError(f"{place}: the columns are not equally long")
            if any(later <= earlier for earlier, later in itertools.pairwise(table["step"])):
                raise RecordError(f"{place}: the steps do not increase")


NAMES = {
    LAST: "last weights",
    "ema-0.99": "EMA, β = 0.99",
    "ema-0.996": "EMA, β = 0.996",
    "ema-0.999": "EMA, β = 0.999",
    "swa": "equal average",
}
"""What a chart calls each kind of weights, in the order of its legend."""


def panels(comparisons: Sequence[Comparison]) -> list[Panel]:
    """Return the loss on the test images: of the whole run, and of its last third.

    All kinds of weights are drawn for the constant learning rate, and the last ones for the falling.
    Losses that are not finite are left out, and so is a panel without any other.
    """
    subset = comparisons[0].data["test_subset_samples"]
    lines = [line for name in NAMES for line in _line(comparisons, "constant", name)]
    lines += _line(comparisons, "linear", LAST)
    last_third = 2 / 3 * max(comparison.final(LAST)["step"] for comparison in comparisons)
    enlarged = [part for line in lines if (part := _after(line, last_third)).points]
    whole = Panel(
        f"loss on {subset:,} test images",
        "line: constant learning rate, dashes: linear",
        lines,
        log_x=False,
        log_y=True,
    )
    end = Panel("the same, enlarged", "the last third of the steps", enlarged, log_x=False)
    return [panel for panel in (whole, end) if panel.lines]


def _line(comparisons: Sequence[Comparison], schedule: str, weights: str) -> Iterator[Line]:
    """Yield the medians of the runs with one schedule and their range, if there are any."""
    tables = [
        comparison.curves[weights]["test_subset"]
        for comparison in comparisons
        if comparison.schedule == schedule
    ]
    rows = seed_bands(zip(table["step"], table["loss"], strict=True) for table in tables)
    if rows:
        points = [(row["step"], row["median"]) for row in rows]
        band = [(row["low"], row["high"]) for row in rows]
        yield Line(NAMES[weights], points, band if len(tables) > 1 else None, schedule)


def _after(line: Line, first: float) -> Line:
    """Return the part of a line from a step on."""
    kept = [index for index, (step, _) in enumerate(line.points) if step >= first]
    band = [line.band[index] for index in kept] if line.band else None
    return Line(line.label, [line.points[index] for index in kept], band, line.kind)

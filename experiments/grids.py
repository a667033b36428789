"""What an experiment of many short runs leaves: one small JSON file with a row for each run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.configuration import configuration_hash
from experiments.records import PLACE, RecordError, to_json, write_atomically
from experiments.schemas import Checker, exact_object

RESULTS = Path(__file__).parent / "results"

_CELL = {"type": ["number", "string", "boolean", "null"]}
_ROW = {"type": "object", "additionalProperties": _CELL}
SCHEMA = {
    "type": "object",
    "properties": {
        "experiment": {"type": "string", "minLength": 1},
        "configuration": {"type": "object"},
        "data": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "sha256": {"type": "string"}},
            "required": ["name", "sha256"],
        },
        "environment": exact_object(PLACE),
        "seconds": {"type": "number", "minimum": 0},
        "rows": {"type": "array", "minItems": 1, "items": _ROW},
    },
    "required": ["experiment", "configuration", "data", "environment", "seconds", "rows"],
    "additionalProperties": False,
}
"""A grid as a JSON schema."""

_CHECKER = Checker(SCHEMA)


@dataclass(frozen=True)
class Grid:
    """The results of many short runs.

    * `configuration`: what all runs have in common, and which values were tried
    * `data`: `name`, `sha256`, and the sizes that matter
    * `environment`: versions and hardware
    * `seconds`: how long all of it took
    * `rows`: for each run what it had of its own and what came out, all with the same names
    """

    experiment: str
    configuration: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    seconds: float
    rows: list[dict[str, Any]]

    @property
    def file_name(self) -> str:
        """The name of the file: the hash of the configuration, as it is written, with rounded numbers."""
        written = json.loads(to_json(self.configuration))
        return f"{self.experiment}-{configuration_hash(written)}.json"


def save(grid: Grid, folder: Path) -> Path:
    """Write a grid into `folder` and return the path; raises `RecordError` if it is not valid."""
    path = folder / grid.file_name
    text = to_json(asdict(grid))
    _check(json.loads(text), path)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path


def load(path: Path) -> Grid:
    """Read one grid; raises `RecordError` if the file is none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: is no JSON: {error}") from None
    _check(fields, path)
    return Grid(**fields)


def load_all(folder: Path) -> list[Grid]:
    """Read all grids in a folder, by file name; raises `RecordError` for what is none."""
    return [load(path) for path in sorted(folder.glob("*.json"))]


def _check(fields: Any, path: Path) -> None:
    if complaint := _CHECKER.complaint(fields):
        raise RecordError(f"{path}: {complaint}"[:300])
    if len({tuple(sorted(row)) for row in fields["rows"]}) != 1:
        raise RecordError(f"{path}: rows: must all have the same names")

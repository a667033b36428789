"""The record of a run: one small JSON file from which every curve of the course is drawn.

The same configuration gives the same bytes on the same machine, apart from what stands under
`times`. Numbers have six significant digits; NaN and infinity, which JSON does not have, are null.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from experiments.configuration import configuration_hash
from experiments.schemas import Checker, exact_object

MOST_BYTES = 30_000
MOST_POINTS = 300
LENGTHS = ("lr", "gradient_norm", "update_norm")

_NUMBER = {"type": ["number", "null"]}


def _table(*columns: str, optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of a table: columns of equal length, the first of them steps."""
    values = {"type": "array", "maxItems": MOST_POINTS, "items": _NUMBER}
    steps = {"type": "array", "maxItems": MOST_POINTS, "items": {"type": "integer", "minimum": 1}}
    table = exact_object({"step": steps, **dict.fromkeys(columns, values)})
    return table | {"properties": table["properties"] | dict.fromkeys(optional, values)}


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_AMOUNT = {"type": "number", "minimum": 0}
_VERSION = {"type": "string", "pattern": "^[0-9a-f]{10}$"}

PLACE: dict[str, dict[str, Any]] = {
    "device": _TEXT,
    "labml_nn_optim": _TEXT,
    "processor": _TEXT,
    "python": _TEXT,
    "threads": {"type": "integer", "minimum": 1},
    "torch": _TEXT,
}
"""Where a run runs, as `experiments.environment` describes it."""

SCHEMA = exact_object(
    {
        "experiment": _TEXT,
        "optimizer": _TEXT,
        "configuration": exact_object(
            {
                "experiment": _TEXT,
                "model": _TEXT,
                "optimizer": _TEXT,
                "data": _TEXT,
                "lr": _AMOUNT,
                "schedule": _TEXT,
                "schedule_options": {"type": "object"},
                "wd_schedule": {"type": ["string", "null"], "minLength": 1},
                "wd_schedule_options": {"type": "object"},
                "epochs": _AMOUNT,
                "batch_size": {"type": "integer", "minimum": 1},
                "seed": _COUNT,
                "dtype": _TEXT,
                "options": {"type": "object"},
                "rules": {"type": "array", "items": _TEXT},
            }
        ),
        "code": exact_object({"optimizer": _VERSION, "schedule": _VERSION, "model": _VERSION}),
        "data": exact_object(
            {
                "name": _TEXT,
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "train_samples": _COUNT,
                "test_samples": _COUNT,
                "test_subset_samples": _COUNT,
            }
        ),
        "environment": exact_object(PLACE | {"processes": {"type": "integer", "minimum": 1}}),
        "curves": exact_object(
            {
                "train": _table("loss", optional=LENGTHS),
                "test": _table("loss", "accuracy"),
                "test_subset": _table("loss", "accuracy"),
            }
        ),
        "final": exact_object(
            {
                "step": _COUNT,
                "train_loss": _NUMBER,
                "test_loss": _NUMBER,
                "test_accuracy": _NUMBER,
            }
        ),
        "times": exact_object(
            {"started": _TEXT, "duration_seconds": _AMOUNT, "samples_per_second": _AMOUNT}
        ),
    }
)
"""The record as a JSON schema."""

_CHECKER = Checker(SCHEMA)


class RecordError(ValueError):
    """A file is no record; the message is one line that names the file and the place in it."""


@dataclass(frozen=True)
class Record:
    """One run.

    * `configuration`: everything that decides the numbers, see `experiments.configuration`
    * `code`: which `optimizer`, `schedule` and `model` made it, see `experiments.code_versions`
    * `data`: name, checksum and sizes of the data
    * `environment`: versions and hardware
    * `curves`: tables of columns over the column `step`: `train` (mean `loss` since the row before,
      and but for searches `lr`, `gradient_norm`, `update_norm`), `test` (`loss`, `accuracy` on the whole test set) and
      `test_subset` (the same on every n-th test image)
    * `final`: `step`, `train_loss`, `test_loss`, `test_accuracy` (0 to 1) after the last step
    * `times`: when the run began and how long it took
    * `path`: the file that the record was loaded from
    """

    experiment: str
    optimizer: str
    configuration: dict[str, Any]
    code: dict[str, str]
    data: dict[str, Any]
    environment: dict[str, Any]
    curves: Mapping[str, Mapping[str, Sequence[float | None]]]
    final: dict[str, Any]
    times: dict[str, Any]
    path: Path | None = field(default=None, compare=False)

    @property
    def seed(self) -> int:
        """The seed of the run."""
        seed: int = self.configuration["seed"]
        return seed

    @property
    def file_name(self) -> str:
        """The name of the record's file: the optimizer and the hash of the configuration."""
        return f"{self.optimizer}-{configuration_hash(self.configuration)}.json"


def dumps(record: Record) -> str:
    """Return the record as JSON: sorted keys, one line for each number or column."""
    fields = asdict(record)
    del fields["path"]
    return to_json(fields)


def to_json(fields: Mapping[str, Any]) -> str:
    """Return fields as JSON in the form of a record: rounded, sorted, a line for each field."""
    return _format(_portable(fields)) + "\n"


def save(record: Record, folder: Path) -> Path:
    """Write the record into `folder` and return the path of the file.

    The file is there whole or not at all. Raises `RecordError` if the record is not valid or
    larger than 30 KB.
    """
    path = folder / record.file_name
    text = dumps(record)
    _check(json.loads(text), path)
    if len(text.encode()) > MOST_BYTES:
        _fail(path, f"is {len(text.encode())} bytes long, more than {MOST_BYTES}")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path


def load(path: Path) -> Record:
    """Read one record; raises `RecordError` if the file is not a valid one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        _fail(path, f"is no JSON: {error}")
    return loads(text, path)


def loads(text: str, path: Path) -> Record:
    """Return the record that a text is; raises `RecordError`.

    * `path`: the file that the text comes from, or will lie in
    """
    try:
        fields = json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        _fail(path, f"is no JSON: {error}")
    _check(fields, path)
    return Record(**fields, path=path)


def load_all(folder: Path) -> list[Record]:
    """Read all records in `folder`, by optimizer, then configuration, then seed."""
    records = [load(path) for path in sorted(folder.glob("*.json"))]
    return sorted(records, key=_order)


def rounded(value: float) -> float:
    """Return a number with the six significant digits that a record keeps."""
    return float(f"{value:.6g}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that a reader sees either as it was before or complete.

    Raises `OSError` that names the file.
    """
    try:
        _write_beside(path, content)
    except OSError as error:
        # A write that fails names no file, and a temporary one that cannot be made names itself.
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_beside(path: Path, content: bytes) -> None:
    """Write a temporary file, and give it the name `path` once it is whole."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _order(record: Record) -> tuple[str, str, int]:
    without_seed = {key: value for key, value in record.configuration.items() if key != "seed"}
    return record.optimizer, json.dumps(without_seed, sort_keys=True), record.seed


def _portable(value: Any) -> Any:
    """Round floats to six significant digits, and write what JSON lacks as None."""
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _portable(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(element) for element in value]
    return value


def _format(value: Any, indent: str = "") -> str:
    """Return JSON with one line for each field; a list stays on one line."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    inner = indent + " "
    lines = [f"{inner}{json.dumps(key)}: {_format(value[key], inner)}" for key in sorted(value)]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _check(fields: Any, path: Path) -> None:
    if complaint := _CHECKER.complaint(fields):
        _fail(path, complaint)
    for name, table in fields["curves"].items():
        if len({len(column) for column in table.values()}) != 1:
            _fail(path, f"curves.{name}: the columns are not equally long")
        steps = table["step"]
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            _fail(path, f"curves.{name}.step: the steps do not increase")
    if fields["configuration"]["optimizer"] != fields["optimizer"]:
        _fail(path, "optimizer: is not the configuration's")


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _fail(path: Path, what: str) -> NoReturn:
    message = f"{path}: {what}".splitlines()[0]
    raise RecordError(message if len(message) <= 300 else message[:297] + "...") from None

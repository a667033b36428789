"""Which records were made by code that has changed since."""

from __future__ import annotations

from pathlib import Path

from experiments.catalog import CATALOG
from experiments.code_versions import ROOT, parts
from experiments.configuration import Configuration
from experiments.records import Record


def out_of_date(record: Record, root: Path = ROOT) -> list[str]:
    """Return a line for each part of the code that is another than the one that made the record.

    * `root`: the folder of the code of today

    The numbers of a record without a line still hold, as far as `experiments.code_versions` can tell.
    """
    configuration = Configuration(**record.configuration)
    recipe = CATALOG[configuration.experiment].recipes[configuration.model]
    return [
        f"{part.name} has changed since ({', '.join(part.used_files(root))})"
        for name, part in parts(configuration, recipe).items()
        if part.version(root) != record.code[name]
    ]

"""Curves."""

from pathlib import Path
from experiments.records import Record


def save_curves(record: Record, path: Path) -> list[Path]:
    return []

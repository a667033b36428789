"""Where the chapters of the optimizers stand in the course."""

from __future__ import annotations

from pathlib import Path

from experiments.library import LIBRARY
from site_gen.chapters import Reading, load
from site_gen.config import read_settings

ROOT = Path(__file__).parents[1]


def part_titles() -> dict[int, str]:
    """Return the titles of the parts of the course by their numbers."""
    return read_settings(ROOT / "mkdocs.yml").parts


def place(optimizer: str) -> tuple[int, int]:
    """Return the number of the part of an optimizer's chapter, and that of the chapter in it.

    A chapter that has no place yet is at (0, 0).
    """
    name = f"optimizers/{optimizer}"
    path = ROOT / LIBRARY / f"{name}.py"
    chapter = load(path, name, f"{LIBRARY}.optimizers.{optimizer}", Reading(required=True))
    return chapter.front_matter.place or (0, 0)

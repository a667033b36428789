"""Charts of Vega-Lite become files; those of pages are kept, so that a chart is drawn once."""

from __future__ import annotations

import hashlib
import json
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import vl_convert

from experiments.code_versions import ROOT
from experiments.records import write_atomically

KEPT = ROOT / "build" / "charts"
"""Where charts are kept: to draw one takes as long as to render a page of prose."""

DAYS = 30
"""How long a chart is kept that nothing asks for."""


def to_svg(spec: dict[str, Any]) -> str:
    """Return the chart as an SVG file of its own, on white."""
    svg: str = vl_convert.vegalite_to_svg({**spec, "background": "white"})
    return svg


def kept_svg(spec: dict[str, Any]) -> str:
    """Return the chart as `to_svg` does; one that was drawn lately, by any process, is read from the build folder."""
    file = KEPT / f"{_description(spec)}.svg"
    if not _is_kept(file):
        KEPT.mkdir(parents=True, exist_ok=True)
        write_atomically(file, to_svg(spec).encode())
    return file.read_text(encoding="utf-8")


def to_png(spec: dict[str, Any]) -> bytes:
    """Return the chart as a PNG file, two pixels for every unit of the SVG."""
    png: bytes = vl_convert.vegalite_to_png({**spec, "background": "white"}, scale=2)
    return png


def _description(spec: dict[str, Any]) -> str:
    """Return what tells a chart from every other: its description, and what draws it."""
    text = json.dumps([vl_convert.__version__, spec], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_kept(file: Path) -> bool:
    """Whether a chart was drawn before; it is kept for as long again."""
    _forget_old()
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


@lru_cache(maxsize=1)
def _forget_old() -> None:
    """Remove the charts that nothing has asked for since `DAYS`."""
    for file in KEPT.glob("*.svg"):
        if time.time() - file.stat().st_mtime > DAYS * 24 * 3600:
            file.unlink(missing_ok=True)

"""Charts of Vega-Lite become files; for a page, in other processes: every core draws, and prose is rendered meanwhile."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
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


def to_svgs(specs: Iterable[dict[str, Any]]) -> list[str]:
    """Return charts as `to_svg` does, drawn side by side by processes that wait for more afterwards.

    A chart that was drawn lately, by any process, is read from the build folder.
    """
    charts = [(spec, KEPT / f"{_description(spec)}.svg") for spec in specs]
    missing = [(spec, file) for spec, file in charts if not _is_kept(file)]
    if missing:
        KEPT.mkdir(parents=True, exist_ok=True)
        drawn = _processes().map(to_svg, [spec for spec, _ in missing])
        for (_, file), svg in zip(missing, drawn, strict=True):
            write_atomically(file, svg.encode())
    return [file.read_text(encoding="utf-8") for _, file in charts]


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


@lru_cache(maxsize=1)
def _processes() -> ProcessPoolExecutor:
    # A fork would copy threads' locks without the threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), context, _leave_interrupts)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that has asked for the charts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

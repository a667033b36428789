"""Charts of Vega-Lite become files; for a page, in other processes: every core draws, and prose is rendered meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import vl_convert


def to_svg(spec: dict[str, Any]) -> str:
    """Return the chart as an SVG file of its own, on white."""
    svg: str = vl_convert.vegalite_to_svg({**spec, "background": "white"})
    return svg


def to_svgs(specs: Iterable[dict[str, Any]]) -> list[str]:
    """Return charts as `to_svg` does, drawn side by side by processes that wait for more afterwards."""
    return list(_processes().map(to_svg, specs))


def to_png(spec: dict[str, Any]) -> bytes:
    """Return the chart as a PNG file, two pixels for every unit of the SVG."""
    png: bytes = vl_convert.vegalite_to_png({**spec, "background": "white"}, scale=2)
    return png


@lru_cache(maxsize=1)
def _processes() -> ProcessPoolExecutor:
    # A fork would copy threads' locks without the threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), context, _leave_interrupts)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that has asked for the charts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

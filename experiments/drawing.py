"""Charts drawn in other processes: every core draws, and the pages are written meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import vl_convert


def draw(spec: dict[str, Any]) -> str:
    """Return a chart of Vega-Lite as an SVG file of its own, on white."""
    svg: str = vl_convert.vegalite_to_svg({**spec, "background": "white"})
    return svg


def draw_all(specs: Iterable[dict[str, Any]]) -> list[str]:
    """Return charts as `draw` does, drawn side by side by processes that wait for more afterwards."""
    return list(_processes().map(draw, specs))


@lru_cache(maxsize=1)
def _processes() -> ProcessPoolExecutor:
    # A fork would copy threads' locks without the threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), context, _leave_interrupts)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that has asked for the charts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

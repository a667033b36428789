"""How much memory a step takes beyond the parameters and their gradients."""

from __future__ import annotations

import gc
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from experiments.speed_lists import Shapes
from experiments.speed_ways import Make, Subject

WARM_STEPS = 2
"""Our plan of a step is final at the second one."""

WATCHED = "watched step"


def peak_of_step(make: Make, shapes: Shapes, device: torch.device) -> int:
    """Return the bytes of all tensors at the peak of a step, less parameters and gradients.

    What is left is the optimizer's state, whatever it keeps besides, and the temporaries of the
    step. The third step is watched: state and plans are made in the first two.
    """
    gc.collect()
    measure = _peak_on_gpu if device.type == "cuda" else _peak_on_cpu
    total = measure(lambda: Subject(make, shapes, device))
    return total - 2 * sum(torch.Size(shape).numel() for shape in shapes) * 4


def _peak_on_gpu(start: Callable[[], Subject]) -> int:
    before = torch.cuda.memory_allocated()
    subject = start()
    for _ in range(WARM_STEPS):
        subject.step()
    torch.cuda.reset_peak_memory_stats()
    subject.step()
    return int(torch.cuda.max_memory_allocated()) - before


def _peak_on_cpu(start: Callable[[], Subject]) -> int:
    # torch reports a block as freed only if the profiler saw it made: everything happens inside.
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        subject = start()
        for _ in range(WARM_STEPS):
            subject.step()
        with record_function(WATCHED):
            subject.step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        return _peak_in_trace(json.loads(path.read_text(encoding="utf-8"))["traceEvents"])


def _peak_in_trace(events: list[dict[str, Any]]) -> int:
    """Return the most bytes that were in use during the watched step.

    Each event of memory says how many bytes were taken (positive) or given back (negative).
    """
    begin = next(event["ts"] for event in events if event.get("name") == WATCHED)
    changes = [event for event in events if event.get("name") == "[memory]"]
    changes.sort(key=lambda event: float(event["ts"]))
    held = sum(event["args"]["Bytes"] for event in changes if event["ts"] < begin)
    later = (event["args"]["Bytes"] for event in changes if event["ts"] >= begin)
    peak: int = max(itertools.accumulate(later, initial=held))
    return peak

"""Which hyper-parameters have a slider, and from where to where it goes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.playground.trace import Hyper

MEMORY = ("betas", "momentum", "beta2", "rho", "alpha")
"""Decay rates of averages. What matters is 1 less the rate, so that is what the slider's place stands for."""

SHORTEST_MEMORY, LONGEST_MEMORY = 0.5, 1 - 1e-4
"""The least default that is read as a decay rate, other than 0, and the greatest value of a slider."""

RANGES: dict[str, tuple[str, float, float]] = {
    "lr": ("log", 1e-4, 10.0),
    "clip_exponent": ("linear", 0.0, 1.0),
    "dampening": ("linear", 0.0, 0.9),
    "etas[0]": ("linear", 0.05, 0.95),
    "etas[1]": ("linear", 1.05, 2.0),
    "lr_decay": ("linear", 0.0, 1.0),
    "precond_lr": ("log", 1e-3, 1.0),
    "r": ("linear", 0.0, 4.0),
    "total_steps": ("count", 1, 500),
    "warmup": ("count", 0, 200),
    "weight_decay": ("linear", 0.0, 1.0),
}
"""The scale, the least and the greatest value of hyper-parameters by their labels."""

FIXED = ("d_model", "divisor", "initial_accumulator_value", "ns_coefficients")
"""Entries of a group that are no hyper-parameters, or mean nothing for two parameters."""

LEAST_EPS, GREATEST_EPS = 1e-16, 1.0
FACTOR = 100
"""How far the slider of any other positive number goes to either side of its default."""


@dataclass(frozen=True)
class Slider:
    """A slider of a hyper-parameter.

    * `value`: where it starts
    * `scale`: `log`, `memory` (1 less a power of ten), `linear`, `count`, or `fixed` if no path
      depends on the value
    """

    hyper: Hyper
    value: float
    scale: str

    @property
    def label(self) -> str:
        """The name as the code has it."""
        return label(self.hyper.name, self.hyper.place)


def label(name: str, place: int | None) -> str:
    """Return what an entry of a group, or of a tuple in it, is called."""
    return name if place is None else f"{name}[{place}]"


def sliders(group: Mapping[str, Any]) -> Iterator[Slider]:
    """Yield the sliders for the entries of a parameter group, which start with its values."""
    for name, entry in group.items():
        values = enumerate(entry) if isinstance(entry, tuple | list) else [(None, entry)]
        for place, value in values:
            is_number = isinstance(value, float | int) and not isinstance(value, bool)
            if is_number and name not in FIXED and math.isfinite(value):
                yield from _slider(name, place, value)


def _slider(name: str, place: int | None, value: float) -> Iterator[Slider]:
    found = _range(name, place, value)
    if found is not None:
        scale, low, high = found
        yield Slider(Hyper(name, place, min(low, value), max(high, value)), value, scale)


def _range(name: str, place: int | None, value: float) -> tuple[str, float, float] | None:
    if name == "weight_decay" and value == 0:
        return None
    if (known := label(name, place)) in RANGES:
        return RANGES[known]
    if not isinstance(value, float):
        return None
    if name in MEMORY and (value == 0 or SHORTEST_MEMORY <= value < 1):
        return "memory", 0.0, LONGEST_MEMORY
    if value <= 0:
        return None
    return (
        ("log", LEAST_EPS, GREATEST_EPS)
        if name == "eps"
        else ("log", value / FACTOR, value * FACTOR)
    )

"""What the browser gets of an optimizer: its program, its sliders, and where they start."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from experiments.library import LIBRARY
from experiments.playground.program import Compiled, Encoded, compiled, encode_rule, path
from experiments.playground.sliders import Slider, sliders
from experiments.playground.surfaces import NOISE, SURFACES, Point, Surface
from experiments.playground.symbols import UntraceableError
from experiments.playground.trace import GIVEN, Hyper, Tracer

OPTIONS: dict[str, dict[str, Any]] = {
    "adam_warmup": {"warmup": 20},
    "adam_warmup_cosine_decay": {"warmup": 10, "total_steps": 100},
    "noam": {"warmup": 20},
}
"""What the playground starts with instead of a default, which is for thousands of steps."""

KEEPS_RATE = ("d_adapt_adam", "dog", "dowg", "prodigy")
"""Rules that find their step size themselves. Their sliders start with the default rate."""

RATES = tuple(digit * 10.0**exponent for exponent in range(-3, 1) for digit in (1, 2, 5))
"""Learning rates to start with."""

STEPS = 100
"""The length of the path that a page begins with."""

LEAST_MEMORY = 0.1
"""Where the slider of a decay rate begins for a rule that refuses 0."""


@dataclass(frozen=True)
class Entry:
    """An optimizer of the playground.

    * `title`: the name of its class
    * `rates`: the learning rate to start with on each surface
    """

    name: str
    title: str
    sliders: tuple[Slider, ...]
    program: Encoded
    rates: tuple[float, ...]

    @property
    def state(self) -> int:
        """How many numbers of state the program keeps."""
        found: int = self.program["n"] - len(GIVEN) - len(self.sliders)
        return found

    def values(self, place: int) -> list[float]:
        """Return the values that the sliders start with on the surface at `place`."""
        return [
            self.rates[place] if slider.hyper.name == "lr" else slider.value
            for slider in self.sliders
        ]

    def to_data(self) -> dict[str, Any]:
        """Return what the browser gets."""
        rows = [
            [slider.label, slider.scale, slider.hyper.low, slider.hyper.high, slider.value]
            for slider in self.sliders
        ]
        return {"title": self.title, "sliders": rows, "rates": self.rates, **self.program}

    @classmethod
    def from_data(cls, name: str, data: dict[str, Any]) -> Entry:
        """Return the optimizer that `to_data` has described."""
        found = []
        for text, scale, low, high, value in data["sliders"]:
            entry, _, place = text.removesuffix("]").partition("[")
            hyper = Hyper(entry, int(place) if place else None, low, high)
            found.append(Slider(hyper, value, scale))
        program = {key: data[key] for key in data if key not in ("title", "sliders", "rates")}
        return cls(name, data["title"], tuple(found), program, tuple(data["rates"]))


def make(name: str) -> Entry:
    """Trace an optimizer, and find where its sliders start. Raises `UntraceableError`."""
    options = OPTIONS.get(name, {})
    kind = importlib.import_module(f"{LIBRARY}.registry").get_optimizer(name)
    optimizer = kind([torch.nn.Parameter(torch.zeros(2))], **options)
    group = {key: optimizer.param_groups[0][key] for key in optimizer.defaults}
    possible = [_allowed(kind, options, slider) for slider in sliders(group)]
    try:
        rule = Tracer(name, [slider.hyper for slider in possible], options).trace()
    except UntraceableError as error:
        raise UntraceableError(f"{name} cannot be traced for the playground: {error}") from error
    program = encode_rule(rule)
    read = set(_registers(program["blocks"]))
    used = [
        slider if place in read else replace(slider, scale="fixed")
        for place, slider in enumerate(possible, start=len(GIVEN))
    ]
    entry = Entry(name, kind.__name__, tuple(used), program, (group["lr"],) * len(SURFACES))
    return entry if name in KEEPS_RATE else replace(entry, rates=_best_rates(entry))


def _allowed(kind: Any, options: dict[str, Any], slider: Slider) -> Slider:
    """Return a slider that does not begin at 0 if the rule refuses that."""
    group = dict(kind([torch.nn.Parameter(torch.zeros(2))], **options).param_groups[0])
    slider.hyper.write(group, slider.hyper.low)
    try:
        kind(
            [torch.nn.Parameter(torch.zeros(2))],
            **options | {slider.hyper.name: group[slider.hyper.name]},
        )
    except ValueError:
        return replace(slider, hyper=replace(slider.hyper, low=LEAST_MEMORY))
    return slider


def _registers(block: Sequence[Any]) -> Iterator[int]:
    """Yield the numbers in a block, which are registers but for those of the blocks that follow."""
    for each in block:
        if isinstance(each, list):
            yield from _registers(each)
        elif isinstance(each, int):
            yield each


def _best_rates(entry: Entry) -> tuple[float, ...]:
    """Return for each surface the rate with the lowest mean loss over its path."""
    blocks = compiled(entry.program)
    found = []
    for place, surface in enumerate(SURFACES):
        losses = {}
        for rate in RATES:
            values = replace(entry, rates=(rate,) * len(SURFACES)).values(place)
            losses[rate] = _mean_loss(blocks, values, surface, entry.state)
        found.append(min(RATES, key=lambda rate: losses[rate]))
    return tuple(found)


def _mean_loss(blocks: Compiled, values: Sequence[float], surface: Surface, state: int) -> float:
    losses = [loss_at(surface, point) for point in walk(blocks, values, surface, state)]
    mean = sum(losses) / len(losses)
    return mean if math.isfinite(mean) else math.inf


def loss_at(surface: Surface, point: Point) -> float:
    """Return the loss at a point."""
    _, (loss, _, _) = surface.compiled()[0]([*point, 0.0, 0.0, *surface.usual()])
    return loss


def walk(
    blocks: Compiled,
    values: Sequence[float],
    surface: Surface,
    state: int,
    start: Point | None = None,
    steps: int = STEPS,
) -> Iterator[Point]:
    """Yield the path of an optimizer on a surface whose knobs stand where they start.

    * `values`: those of the sliders
    * `start`: that of the surface if not given
    """
    evaluate, knobs = surface.compiled()[0], surface.usual()

    def gradient(x: float, y: float, step: int) -> Point:
        _, (_, gx, gy) = evaluate([x, y, *NOISE[step - 1], *knobs])
        return gx, gy

    return path(blocks, values, start or surface.start, gradient, steps, state)

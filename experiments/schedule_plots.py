"""Charts of schedules for their chapters and for the gallery, computed when the page is made.

Every point is asked of the schedule itself: change a schedule, and its page shows the change.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from markupsafe import Markup

from experiments.library import LIBRARY
from experiments.line_charts import Line, Panel
from experiments.plots import Plot, draw
from site_gen.plugins import Figure

GALLERY = "schedule_gallery"
"""The name of the chapter that shows all plots."""

STEPS = 100
"""The length of the run that is drawn, $T$."""

AFTER = 20
"""How many steps after its end are drawn."""


def figures(chapter: str) -> Iterator[Figure]:
    """Yield the plots of a chapter of schedules or schedulers, or all of them for the gallery.

    * `chapter`: the dotted name of its module, or the name of a chapter that is prose only
    """
    for name, plots in PLOTS.items():
        if chapter in (GALLERY, f"{LIBRARY}.{name}"):
            yield from (draw(plot()) for plot in plots)


def _schedules() -> ModuleType:
    """Return the schedules as they are now, which may be read anew while a page is served."""
    return importlib.import_module(f"{LIBRARY}.schedules")


def _schedulers() -> ModuleType:
    return importlib.import_module(f"{LIBRARY}.schedulers")


def _panel(
    title: str,
    schedules: Mapping[str, Any],
    subtitle: str = "",
    *,
    total_steps: int = STEPS,
    after: int = AFTER,
    log_y: bool = False,
) -> Panel:
    """Return a panel with the values of schedules at each step of a run, and some steps after it."""
    lines = [
        Line(
            label,
            [(step, schedule.get_value(step, total_steps)) for step in range(total_steps + after)],
        )
        for label, schedule in schedules.items()
    ]
    return Panel(title, subtitle or f"T = {total_steps}", lines, log_x=False, log_y=log_y)


def overhang() -> Plot:
    """Return one line with everything that moves it in the run."""
    s = _schedules()
    panel = _panel(
        "value",
        {
            "as it is": s.LinearDecreasingSchedule(1),
            "overhang 50 %": s.LinearDecreasingSchedule(1, overhang_percent=0.5),
            "overhang -40": s.LinearDecreasingSchedule(1, overhang_steps=-40),
            "from 30 to 70": s.LinearDecreasingSchedule(1, start_step=30, end_step=70),
        },
    )
    ends = _panel(
        "the last steps",
        {
            "end at T - 1": s.LinearDecreasingSchedule(1),
            "end at T": s.LinearDecreasingSchedule(1, exclude_last=True),
        },
        "T = 8",
        total_steps=8,
        after=3,
    )
    return Plot(
        "Where in the run a schedule stands",
        "where",
        [panel, ends],
        "The same line: over the run, beyond its end, shorter than it, and in the middle of it.",
        Markup("<code>LinearDecreasingSchedule(max_value=1)</code>"),
    )


def progress() -> Plot:
    """Return all curves of the progress schedules, down and up, and their flags."""
    s = _schedules()
    down, up = s.PolynomialDecreasingSchedule, s.PolynomialIncreasingSchedule
    powers = (0.5, 2, 3)
    return Plot(
        "Lines, cosines, powers",
        "progress",
        [
            _panel(
                "decreasing",
                {
                    "linear": s.LinearDecreasingSchedule(1, end_value=0.1),
                    "cosine": s.CosineDecreasingSchedule(1, end_value=0.1),
                    **{f"power {p:g}": down(1, end_value=0.1, power=p) for p in powers},
                },
            ),
            _panel(
                "increasing",
                {
                    "linear": s.LinearIncreasingSchedule(1, start_value=0.1),
                    "cosine": s.CosineIncreasingSchedule(1, start_value=0.1),
                    **{f"power {p:g}": up(1, start_value=0.1, power=p) for p in powers},
                },
            ),
            _panel(
                "without its ends",
                {
                    "all": s.LinearDecreasingSchedule(1),
                    "exclude_first": s.LinearDecreasingSchedule(1, exclude_first=True),
                    "exclude_last": s.LinearDecreasingSchedule(1, exclude_last=True),
                    "both": s.LinearDecreasingSchedule(1, exclude_first=True, exclude_last=True),
                },
                "linear, T = 8",
                total_steps=8,
                after=2,
            ),
        ],
        "The cosine is flat at both ends; a power above 1 is steep at first and flat at the end.",
        Markup("From 1 to 0.1 and back; after the end the last value holds."),
    )


def shapes() -> Plot:
    """Return all shapes of a decay."""
    s = _schedules()
    ramp = s.RampSchedule
    simple = [name for name in s.SHAPES if name != "power"]
    bends = {f"k = {k:g}": ramp(1, 0, "cosine", bend=k) for k in (0.5, 1, 2, 3)}
    powers = {f"p = {p:g}": ramp(1, 0, "cosine", power=p) for p in (0.5, 1, 2, 3)}
    return Plot(
        "Shapes of a decay",
        "shapes",
        [
            _panel("shapes", {name: ramp(1, 0, name) for name in simple}, after=0),
            _panel(
                "means",
                {name: ramp(1, 0.01, name) for name in ("linear", *s.MEANS)},
                "from 1 to 0.01",
                after=0,
                log_y=True,
            ),
            _panel("bent cosines", bends, after=0),
            _panel("powers of cosines", powers, after=0),
        ],
        "Shapes that stay high fall fast at the end; means fall fast at first.",
        Markup("<code>RampSchedule(1, 0, shape, power=p, bend=k)</code>"),
    )


def written_values() -> Plot:
    """Return schedules that are given by their values."""
    s = _schedules()
    marks, values = (0, 20, 60, 100), (0.2, 1, 0.5, 0.1)
    return Plot(
        "Values written down",
        "values",
        [
            _panel(
                "constants and tables",
                {
                    "constant": s.ConstantSchedule(0.6),
                    "custom": s.CustomSchedule([1 - (step / 30) ** 2 for step in range(31)]),
                    "piecewise constant": s.PiecewiseConstantSchedule([0.9, 0.4, 0.1], [40, 80]),
                },
            ),
            _panel(
                "between marks",
                {
                    "linear": s.InterpolationSchedule(marks, values),
                    "cosine": s.InterpolationSchedule(marks, values, "cosine"),
                    "exponential": s.InterpolationSchedule(marks, values, "exponential"),
                    "a function": s.FunctionSchedule(lambda t: 0.5 + 0.4 * math.sin(t / 8)),
                },
            ),
        ],
        "Constants, a table that ends and holds, pieces, and curves through given marks.",
        Markup("The table has 31 values; after them the last one holds."),
    )


def steps_and_exponentials() -> Plot:
    """Return all schedules that multiply by a factor."""
    s = _schedules()
    return Plot(
        "Steps and exponentials",
        "factors",
        [
            _panel(
                "fractions of the run",
                {
                    "decreasing": s.StepDecreasingSchedule(
                        1, end_value=0.1, factor=0.5, decreases_interval=0.25
                    ),
                    "fixed": s.StepFixedSchedule(factor=0.3, steps=(0.5, 0.75)),
                    "interval": s.StepIntervalSchedule(factor=0.7, update_interval=0.1),
                },
            ),
            _panel(
                "steps",
                {
                    "milestones": s.MultiStepSchedule(1, 0.3, (30, 60)),
                    "exponential": s.ExponentialSchedule(1, 0.5, 25),
                    "staircase": s.ExponentialSchedule(1, 0.5, 25, staircase=True),
                    "with a floor": s.ExponentialSchedule(1, 0.5, 25, end_value=0.2),
                    "inverse time": s.InverseTimeSchedule(1, 1, 25),
                },
            ),
        ],
        "Stairs down, and the curves that they follow.",
        Markup("Schedules in fractions of the run end with it; the others go on."),
    )


def combined() -> Plot:
    """Return what combinators make of two schedules."""
    s = _schedules()
    cosine = s.CosineDecreasingSchedule(1)
    warmup = s.LinearIncreasingSchedule(1).over(20)
    return Plot(
        "Schedules from schedules",
        "combined",
        [
            _panel(
                "combinators",
                {
                    "sequence": warmup.then(cosine, after=20),
                    "product": warmup * cosine,
                    "scaled": cosine.scale(0.5),
                    "clipped": cosine.clip(0.2, 0.8),
                    "over 40 steps": cosine.over(40),
                    "repeated": s.RepeatedSchedule(cosine, 30),
                },
            )
        ],
        "A warm-up followed by a cosine, multiplied with it, and the cosine scaled, clipped, repeated.",
        Markup("The warm-up takes 20 steps; the sequence starts the cosine anew after it."),
    )


def parts_of_a_run() -> Plot:
    """Return both kinds of sequential schedules."""
    s = _schedules()
    up, flat = s.LinearIncreasingSchedule(1), s.ConstantSchedule(1)
    down = s.CosineDecreasingSchedule(1)
    percent, step = s.SequentialPercentScheduleConfig, s.SequentialStepScheduleConfig
    return Plot(
        "A run in parts",
        "parts",
        [
            _panel(
                "parts",
                {
                    "fractions 0.1, 0.7": s.SequentialPercentSchedule(
                        [percent(up, end_percent=0.1), percent(flat), percent(down, 0.7)]
                    ),
                    "steps 30, 60, with a gap": s.SequentialStepSchedule(
                        [step(up, end_step=30), step(down, 60)]
                    ),
                },
            )
        ],
        "Up, flat and down; and up, a gap in which the last value holds, and down.",
        Markup("Where a part has ended and the next has not begun, its last value holds."),
    )


def warmups() -> Plot:
    """Return warm-ups: their shapes, their first steps, and what follows."""
    s = _schedules()
    peak = {"warmup_steps": 20, "decay_steps": 1}
    starts = {
        start: s.WSDSchedule(1, warmup_steps=5, decay_steps=1, warmup_start=start)
        for start in s.WARMUP_STARTS
    }
    return Plot(
        "Warm-up and decay",
        "warmups",
        [
            _panel(
                "warm-up, then down",
                {
                    "cosine": s.LinearWarmupCosineDecaySchedule(1, warmup_percent=0.2),
                    "linear to zero": s.LinearToZeroSchedule(1, warmup_percent=0.2),
                    "1-sqrt": s.WarmupDecaySchedule(1, warmup_percent=0.2, tail="1-sqrt"),
                },
            ),
            _panel(
                "shapes of a warm-up",
                {
                    shape: s.WSDSchedule(1, warmup_shape=shape, **peak)
                    for shape in ("linear", "cosine", "1-sqrt", "1-square")
                },
                "W = 20",
                total_steps=30,
                after=0,
            ),
            _panel("how the first step is counted", starts, "W = 5", total_steps=8, after=0),
        ],
        "Three decays after a warm-up; shapes of the warm-up; its first step at 0, 1/6 and 1/5.",
        Markup("The third chart zooms in on a warm-up of five steps."),
    )


def stable() -> Plot:
    """Return every tail of a warm-up, stable, decay schedule."""
    s = _schedules()
    common = {"warmup_steps": 10, "decay_percent": 0.4}
    simple = ("linear", "cosine", "1-sqrt", "1-square", "mirror-cosine")
    others = {
        "exponential": s.WSDSchedule(1, tail="exponential", end_value=0.01, **common),
        "power 2": s.WSDSchedule(1, tail="power", power=2, **common),
        "rex": s.WSDSchedule(1, tail="rex", **common),
        "halving": s.WSDSchedule(1, tail="halving", **common),
        "inverse": s.WSDSchedule(1, tail="inverse", end_value=0.01, **common),
        "tri-stage": s.TriStageSchedule(1, warmup_steps=10, decay_percent=0.4),
    }
    return Plot(
        "Warm-up, stable, decay",
        "tails",
        [
            _panel("tails", {tail: s.WSDSchedule(1, tail=tail, **common) for tail in simple}),
            _panel("more tails", others),
        ],
        "All tails come down from 1 over the last 40 of 100 steps, early or late.",
        Markup("Exponential, inverse and tri-stage end at 0.01, the others at 0."),
    )


def powers_of_time() -> Plot:
    """Return rates that fall like a power of time."""
    s = _schedules()
    common = {"warmup_steps": 10}
    return Plot(
        "Rates that need no end",
        "powers",
        [
            _panel(
                "after a warm-up of 10 steps",
                {
                    "1 / sqrt": s.InverseSqrtSchedule(1, **common),
                    "exponent -0.25": s.PowerSchedule(1, exponent=-0.25, **common),
                    "exponent -1": s.PowerSchedule(1, exponent=-1, **common),
                    "timescale 50": s.InverseSqrtSchedule(1, timescale=50, **common),
                    "with a decay": s.PowerSchedule(1, decay_steps=20, **common),
                },
            )
        ],
        "The rates fall fast at first and slowly later; one falls to 0 over the last 20 steps.",
        Markup("After the end of the run they go on; the one with a decay is at 0."),
    )


def on_demand() -> Plot:
    """Return a schedule without an end, and decays that branch off it."""
    s = _schedules()
    trunk = s.InfiniteSchedule(1, constant_value=0.4, warmup_steps=10, cooldown_steps=30)
    branches = {f"decay from {at}": trunk.start_decay(at, 20) for at in (20, 50, 80)}
    return Plot(
        "An end on demand",
        "on-demand",
        [_panel("value", {"no end": trunk, **branches})],
        "A warm-up, a first decay and a plateau; lines to 0 leave it at three moments.",
        Markup("<code>trunk.start_decay(at, steps=20)</code>"),
    )


def cycles() -> Plot:
    """Return everything that goes up again."""
    s = _schedules()
    cyclic = s.CyclicSchedule
    return Plot(
        "Cycles and restarts",
        "cycles",
        [
            _panel(
                "cosines",
                {
                    "annealing": s.CosineAnnealingSchedule(1, 30),
                    "restarts": s.SGDRSchedule(1, 30),
                    "twice as long": s.SGDRSchedule(1, 15, 2),
                    "half as high": s.SGDRSchedule(1, 30, decay=0.5),
                },
            ),
            _panel(
                "triangles",
                {
                    "triangular": cyclic(0.1, 1, 15),
                    "triangular2": cyclic(0.1, 1, 15, mode="triangular2"),
                    "exp_range": cyclic(0.1, 1, 15, mode="exp_range", gamma=0.98),
                },
            ),
            _panel(
                "once",
                {
                    "one-cycle": s.OneCycleSchedule(1),
                    "linear": s.OneCycleSchedule(1, shape="linear"),
                    "three phases": s.OneCycleSchedule(1, three_phase=True),
                    "polynomial cycle": s.PolynomialCycleSchedule(1, 0.1, steps=40),
                },
            ),
        ],
        "Cosines that turn or restart, triangles of three kinds, and single cycles.",
        Markup("Periods of 30 steps; the polynomial is stretched whenever 40 steps are used up."),
    )


def _optimizer(groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in groups]
    return torch.optim.SGD(params, lr=1.0)


def _walk(scheduler: Any, group: int, steps: int) -> list[tuple[float, float]]:
    """Return what a scheduler writes into a group over some steps."""
    points = []
    for step in range(steps):
        points.append((step, float(scheduler.optimizer.param_groups[group][scheduler.key])))
        scheduler.step()
    return points


def groups() -> Plot:
    """Return the rates of groups with a scale of their own."""
    s, schedulers = _schedules(), _schedulers()
    schedule = s.CosineDecreasingSchedule(1, end_value=0.2)
    scales = (1.0, 0.5, 0.2)
    panels = []
    for title, options in (
        ("lr of three groups", {}),
        ("with an absolute floor", {"absolute_floor": True}),
    ):
        lines = []
        for index, scale in enumerate(scales):
            optimizer = _optimizer([{"lr_scale": scale} for scale in scales])
            scheduler = schedulers.Scheduler(optimizer, schedule, total_steps=STEPS, **options)
            lines.append(Line(f"lr_scale {scale:g}", _walk(scheduler, index, STEPS + AFTER)))
        panels.append(Panel(title, f"T = {STEPS}", lines, log_x=False))
    return Plot(
        "Groups with scales",
        "groups",
        panels,
        "Each group follows the same curve at its own height; with an absolute floor all end at 0.2.",
        Markup("Read from the parameter groups while a <code>Scheduler</code> steps."),
    )


def _lines_of(schedulers: Mapping[str, Callable[[torch.optim.Optimizer], Any]]) -> list[Line]:
    return [
        Line(label, _walk(make(_optimizer([{}])), 0, STEPS + AFTER))
        for label, make in schedulers.items()
    ]


def named() -> Plot:
    """Return what the named schedulers write."""
    n = _schedulers()
    panels = {
        "down": {
            "ConstantLR": lambda o: n.ConstantLR(o, 0.6),
            "LinearLR": lambda o: n.LinearLR(o, 1, 0.1, 80),
            "PolynomialLR": lambda o: n.PolynomialLR(o, 1, 0.1, 80, power=2),
            "CosineDecayLR": lambda o: n.CosineDecayLR(o, 1, 0.1, 80),
            "PiecewiseConstantLR": lambda o: n.PiecewiseConstantLR(o, [0.9, 0.5, 0.2], [30, 70]),
        },
        "by factors": {
            "ExponentialLR": lambda o: n.ExponentialLR(o, 1, 40, 0.5),
            "InverseExponentialTimeDecayLR": lambda o: n.InverseExponentialTimeDecayLR(
                o, 1, 1, 40, 1.0
            ),
            "InverseSquareRootDecayLR": lambda o: n.InverseSquareRootDecayLR(o, 1, 4, 20),
            "StepLR": lambda o: n.StepLR(o, 1, 30, 0.5),
            "MultiStepLR": lambda o: n.MultiStepLR(o, 1, 0.3, [40, 80]),
            "MultiplicativeLR": lambda o: n.MultiplicativeLR(o, 1, 0.97),
        },
        "up again": {
            "CosineAnnealingLR": lambda o: n.CosineAnnealingLR(o, 1, 40),
            "CosineAnnealingWarmRestarts": lambda o: n.CosineAnnealingWarmRestarts(o, 1, 15, 2),
            "CyclicLR": lambda o: n.CyclicLR(o, 0.1, 1, 20),
            "OneCycleLR": lambda o: n.OneCycleLR(o, 0.1, 1, STEPS),
            "LambdaLR": lambda o: n.LambdaLR(o, 1, lambda t: 0.5 + 0.3 * math.cos(t / 5)),
        },
    }
    return Plot(
        "Schedulers by their names",
        "named",
        [
            Panel(title, "lr of the group", _lines_of(makers), log_x=False)
            for title, makers in panels.items()
        ],
        "Constant, falling, multiplied and cyclic learning rates.",
        Markup("Read from the parameter groups while each scheduler steps."),
    )


def composites() -> Plot:
    """Return what composite schedulers write."""
    n = _schedulers()
    makers = {
        "SequentialLR": lambda o: n.SequentialLR(
            o, [n.LinearLR(o, 0, 1, 20), n.CosineDecayLR(o, 1, 0.1, 60)], [30]
        ),
        "ChainedLR": lambda o: n.ChainedLR(
            [n.CosineDecayLR(o, 1, 0, 100), n.LinearLR(o, 0, 1, 20)]
        ),
    }
    optimizer = _optimizer([{}, {"adjust_learning_rate": 0.3}])
    scaled = n.ScalePerParamLR(optimizer, n.StepLR(optimizer, 1, 30, 0.5))
    lines = [*_lines_of(makers), Line("ScalePerParamLR, 0.3", _walk(scaled, 1, STEPS + AFTER))]
    return Plot(
        "Schedulers of schedulers",
        "composites",
        [Panel("composites", "lr of the group", lines, log_x=False)],
        "A warm-up, a wait and a cosine; a cosine times a warm-up; steps at 0.3 of their height.",
        Markup("Between steps 20 and 30 the warm-up has ended and its last value holds."),
    )


PLOTS: dict[str, Sequence[Callable[[], Plot]]] = {
    "schedules.base": [overhang],
    "schedules.progress": [progress],
    "schedules.ramp": [shapes],
    "schedules.values": [written_values],
    "schedules.decay": [steps_and_exponentials],
    "schedules.combinators": [combined],
    "schedules.sequential": [parts_of_a_run],
    "schedules.warmup": [warmups],
    "schedules.wsd": [stable],
    "schedules.power": [powers_of_time],
    "schedules.infinite": [on_demand],
    "schedules.cycles": [cycles],
    "schedulers.scheduler": [groups],
    "schedulers.named": [named],
    "schedulers.composite": [composites],
}
"""The figures of a chapter, by its module in the library."""

"""The figures of the measurement of speed: rows, ratios, and what they should reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from experiments.speed_bars import (
    GRAPHS_LATER,
    GROUPS_RATIO,
    GROUPS_SECONDS,
    HARNESS,
    MEMORY,
    SCHEDULER_MICROSECONDS,
    SECONDS_TO_COMPILE,
    TORCH_BEST,
    Bar,
    limit_of_whole,
    limits_of_ratios,
)
from experiments.speed_first import Compilation, Fresh
from experiments.speed_groups import WALK, parameter_count
from experiments.speed_harness import BARE, HARNESSED, HarnessCase
from experiments.speed_lists import ParameterList
from experiments.speed_schedulers import GROUPS, LOOP
from experiments.speed_ways import (
    COMPILED_WAYS,
    DEFAULT,
    OUR_WAYS,
    PER_TENSOR,
    THEIR_WAYS,
    TORCH_FOREACH,
    TORCH_FUSED,
    TORCH_LOOP,
    TORCH_WAYS,
)
from labml_nn_optim import get_optimizer

if TYPE_CHECKING:
    from experiments.speed import Timed, Timings

MOST_SPREAD = 0.3
"""A row is not trusted whose middle half of rounds is wider than this part of its median."""


LATER_GRAPHS = "graphs compiled after the second step"


@dataclass(frozen=True)
class WayFigures:
    """One row: a way of running the rule.

    * `milliseconds`: a step; the median over the rounds
    * `spread`: the distance between the quartiles over the rounds, as a part of the median
    * `ratios`: to the rows that it is compared with; each the median of the rounds' ratios
    * `rounds_milliseconds`: a step in each round
    * `peak_bytes`: state and temporaries at the peak of a step
    * `memory_ratio`: the same relative to the row that it is first compared with
    """

    milliseconds: float
    spread: float
    ratios: dict[str, float]
    rounds_milliseconds: list[float]
    peak_bytes: int | None
    memory_ratio: float | None

    @property
    def noisy(self) -> bool:
        """Whether the machine was busy with other things."""
        return self.spread > MOST_SPREAD


@dataclass(frozen=True)
class ListFigures:
    """All rows of one optimizer on one list of parameters.

    * `title`: the list, in words
    * `device`: `cpu` or `cuda`
    * `compared_with`: names of the rows that the others are divided by
    * `fastest`: the fastest of these
    * `largest_difference`: between two rows' parameters after so many `steps` each
    * `graphs_while_timing`: graphs compiled when every row had been warmed up
    * `bars`: what is to be reached, and was measured
    """

    optimizer: str
    list_name: str
    title: str
    device: str
    rounds: int
    steps: int
    ways: dict[str, WayFigures]
    compared_with: list[str]
    fastest: str
    largest_difference: float
    graphs_while_timing: int
    compilation: Compilation | None
    bars: Sequence[Bar] = ()


@dataclass(frozen=True)
class HarnessFigures:
    """The harness and the bare loop, by their names.

    * `seconds`: a whole training; the median over the rounds
    * `spread`: as that of `WayFigures`
    * `accuracies`: on the test set, of all the trainings: one number if they do the same
    """

    data: str
    model: str
    optimizer: str
    epochs: float
    rounds: int
    seconds: dict[str, float]
    spread: dict[str, float]
    accuracies: list[float]
    bar: Bar


@dataclass(frozen=True)
class SchedulerFigures:
    """What a step of a scheduler costs, by the name of what is timed.

    * `microseconds`: of one step; the median over the rounds
    * `spread`: as that of `WayFigures`
    """

    groups: int
    rounds: int
    microseconds: dict[str, float]
    spread: dict[str, float]
    bars: Sequence[Bar]


@dataclass(frozen=True)
class GroupFigures:
    """What making parameter groups costs, by the name of what is timed.

    * `parameters`: how many tensors the model has
    * `milliseconds`: of one turn; the median over the rounds
    * `spread`: as that of `WayFigures`
    """

    parameters: int
    rounds: int
    milliseconds: dict[str, float]
    spread: dict[str, float]
    bars: Sequence[Bar]


def list_figures(
    optimizer: str,
    parameters: ParameterList,
    timed: Timed,
    device: str,
    fresh: Fresh | None = None,
) -> ListFigures:
    """Put together what was measured on one list."""
    timings = timed.timings
    ways = list(timings.rounds)
    compared = bases(ways, device)
    peaks = fresh.peaks if fresh else {}
    figures = ListFigures(
        optimizer=optimizer,
        list_name=parameters.name,
        title=str(parameters),
        device=device,
        rounds=len(timings),
        steps=timed.steps,
        ways={way: way_figures(way, timings, compared, peaks) for way in ways},
        compared_with=compared,
        fastest=min(compared, key=timings.median),
        largest_difference=timed.difference,
        graphs_while_timing=timed.graphs,
        compilation=fresh.compilation if fresh else None,
    )
    return replace(
        figures, bars=[*ratio_bars(figures), *compiler_bars(figures), *memory_bars(figures)]
    )


def bases(ways: Sequence[str], device: str) -> list[str]:
    """Return the rows that others are compared with: theirs, torch's default on the device first."""
    default = TORCH_FOREACH if device == "cuda" else TORCH_LOOP
    theirs = [way for way in ways if way in THEIR_WAYS]
    return sorted(theirs, key=lambda way: way != default) or [PER_TENSOR]


def way_figures(
    way: str, timings: Timings, compared: Sequence[str], peaks: Mapping[str, int]
) -> WayFigures:
    """Return the row of one way."""
    return WayFigures(
        milliseconds=1e3 * timings.median(way),
        spread=timings.spread(way),
        ratios={base: timings.ratio(way, base) for base in compared},
        rounds_milliseconds=[1e3 * seconds for seconds in timings.rounds[way]],
        peak_bytes=peaks.get(way),
        memory_ratio=peaks[way] / peaks[compared[0]] if way in peaks else None,
    )


def ratio_bars(figures: ListFigures) -> list[Bar]:
    """Return the ratios of times that have a limit."""
    if not get_optimizer(figures.optimizer).elementwise:
        limit = limit_of_whole(figures.optimizer, figures.list_name)
        ratios = figures.ways[DEFAULT].ratios if DEFAULT in figures.ways else {}
        return [
            Bar(f"{DEFAULT} / {base}", limit, ratio)
            for base, ratio in ratios.items()
            if base in THEIR_WAYS
        ]
    has_fused = TORCH_FUSED in figures.ways
    limits = limits_of_ratios(figures.list_name, figures.device, has_fused=has_fused)
    bars = []
    for (way, base), limit in limits.items():
        name = figures.fastest if base == TORCH_BEST else base
        if way in figures.ways and name in TORCH_WAYS and name in figures.compared_with:
            bars.append(Bar(f"{way} / {name}", limit, figures.ways[way].ratios[name]))
    return bars


def compiler_bars(figures: ListFigures) -> list[Bar]:
    """Return what compiling may cost."""
    bars, later = [], figures.graphs_while_timing
    if figures.compilation is not None:
        seconds = figures.compilation.seconds
        bars.append(Bar("seconds to compile from nothing", SECONDS_TO_COMPILE, seconds, digits=1))
        later += figures.compilation.graphs_later
    if any(way in figures.ways for way in COMPILED_WAYS):
        bars.append(Bar(LATER_GRAPHS, GRAPHS_LATER, later, digits=0))
    return bars


def memory_bars(figures: ListFigures) -> list[Bar]:
    """Return the memory of our hungriest row relative to that of torch's default."""
    base = figures.compared_with[0]
    ratios = {way: figures.ways[way].memory_ratio or 0.0 for way in figures.ways if way in OUR_WAYS}
    most = max(ratios, key=ratios.__getitem__)
    if not ratios[most] or base not in TORCH_WAYS:
        return []
    return [Bar(f"most memory: {most} / {base}", MEMORY, ratios[most])]


def harness_figures(case: HarnessCase, timings: Timings) -> HarnessFigures:
    """Put together what was measured of the harness."""
    names = list(timings.rounds)
    return HarnessFigures(
        data=case.data.name,
        model=case.configuration.model,
        optimizer=case.configuration.optimizer,
        epochs=case.configuration.epochs,
        rounds=len(timings),
        seconds={name: timings.median(name) for name in names},
        spread={name: timings.spread(name) for name in names},
        accuracies=sorted(case.accuracies),
        bar=Bar(f"{HARNESSED} / {BARE}", HARNESS, timings.ratio(HARNESSED, BARE)),
    )


def scheduler_figures(timings: Timings) -> SchedulerFigures:
    """Put together what was measured of schedulers: their time beyond the bare loop has a limit."""
    microseconds = {name: 1e6 * timings.median(name) for name in timings.rounds}
    return SchedulerFigures(
        groups=GROUPS,
        rounds=len(timings),
        microseconds=microseconds,
        spread={name: timings.spread(name) for name in timings.rounds},
        bars=[
            Bar(
                f"microseconds of {name} beyond the loop",
                SCHEDULER_MICROSECONDS,
                value - microseconds[LOOP],
                digits=1,
            )
            for name, value in microseconds.items()
            if name != LOOP
        ],
    )


def group_figures(timings: Timings) -> GroupFigures:
    """Put together what was measured of parameter groups: their time and its ratio to a walk have limits."""
    made = [name for name in timings.rounds if name != WALK]
    return GroupFigures(
        parameters=parameter_count(),
        rounds=len(timings),
        milliseconds={name: 1e3 * timings.median(name) for name in timings.rounds},
        spread={name: timings.spread(name) for name in timings.rounds},
        bars=[
            *(
                Bar(f"{name} / {WALK}", GROUPS_RATIO, timings.ratio(name, WALK), digits=1)
                for name in made
            ),
            Bar("seconds of the slowest", GROUPS_SECONDS, max(map(timings.median, made)), digits=3),
        ],
    )

r"""---
title: Measuring speed
summary: >-
  A step takes milliseconds on a machine that is never quiet. Interleaved bursts, medians and
  ratios make figures of it that two runs agree on.
chapter: "11.3"
needs: [optimizers/adam, experiments/training]
---
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import torch
from tqdm import tqdm

from experiments.cli import run_command
from experiments.data import ROOT_VARIABLE, Data, DataNotFoundError, data_root, load_mnist
from experiments.environment import choose_device, describe_environment
from experiments.mnist import MNIST
from experiments.optimizers import choose_optimizer
from experiments.speed_cli import Options, speed_command
from experiments.speed_figures import (
    HarnessFigures,
    ListFigures,
    harness_figures,
    list_figures,
)
from experiments.speed_fresh import (
    CACHE_VARIABLE,
    FreshProcessError,
    Request,
    graphs_compiled,
    measure_fresh,
)
from experiments.speed_harness import HarnessCase
from experiments.speed_lists import DEFAULT_LISTS, ParameterList, Shapes, parameter_list
from experiments.speed_report import harness_table, list_table, overview_table, save_figures
from experiments.speed_ways import (
    COMPILE,
    DEFAULT,
    PER_TENSOR,
    TORCH_WAYS,
    Make,
    Subject,
    largest_difference,
    ways_of,
)
from labml_nn_optim.registry import optimizer_names

WARM_UP = 3
BURST = 5
LEAST_ROUNDS = 5
SECONDS = 20.0
SECONDS_IN_OVERVIEW = 6.0
SECONDS_OF_HARNESS = 60.0


def burst(step: Callable[[], None]) -> float:
    """Return the median seconds of all steps of a burst but the first."""
    step()
    seconds = []
    for _ in range(BURST - 1):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for unreachable objects inside a timed step."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True)
class Budget:
    """How long to measure: so many `rounds`, or as many as fit into so many `seconds`."""

    rounds: int | None
    seconds: float

    def is_spent(self, rounds: int, since: float) -> bool:
        """Return whether `rounds` that began at `since` are enough."""
        if self.rounds is not None:
            return rounds >= self.rounds
        return rounds >= LEAST_ROUNDS and time.perf_counter() - since >= self.seconds


class Timings:
    """The seconds of every row in every round."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rounds: dict[str, list[float]] = {name: [] for name in names}

    def __len__(self) -> int:
        return len(next(iter(self.rounds.values())))

    def median(self, name: str) -> float:
        """Return the median seconds of a row."""
        return statistics.median(self.rounds[name])

    def spread(self, name: str) -> float:
        """Return the distance between the quartiles of a row as a part of its median."""
        lower, _, upper = statistics.quantiles(self.rounds[name], n=4, method="inclusive")
        return (upper - lower) / self.median(name)

    def ratio(self, name: str, base: str) -> float:
        """Return the median of the ratios that the rounds give one by one."""
        pairs = zip(self.rounds[name], self.rounds[base], strict=True)
        return statistics.median(own / other for own, other in pairs)


def interleave(runs: Mapping[str, Callable[[], float]], budget: Budget) -> Timings:
    """Call every run once in each round, in an order that is shuffled anew."""
    timings, order = Timings(list(runs)), list(runs)
    generator = random.Random(0)
    start = time.perf_counter()
    with no_garbage_collection():
        while not budget.is_spent(len(timings), start):
            generator.shuffle(order)
            for name in order:
                timings.rounds[name].append(runs[name]())
    return timings


@dataclass(frozen=True)
class Timed:
    """The timings of all rows on one list.

    * `steps`: how many each row made, the warm-up included
    * `difference`: the largest between the parameters of two rows at the end
    * `graphs`: how many were compiled after the warm-up
    """

    timings: Timings
    steps: int
    difference: float
    graphs: int


def time_ways(
    makes: Mapping[str, Make], shapes: Shapes, device: torch.device, budget: Budget
) -> Timed:
    """Time a step in several ways, each with parameters and gradients of its own."""
    subjects = {name: Subject(make, shapes, device) for name, make in makes.items()}
    for subject in subjects.values():
        for _ in range(WARM_UP):
            subject.step()
    graphs = graphs_compiled()
    timings = interleave(
        {name: partial(burst, subject.step) for name, subject in subjects.items()}, budget
    )
    return Timed(
        timings,
        steps=WARM_UP + BURST * len(timings),
        difference=largest_difference(subjects.values()),
        graphs=graphs_compiled() - graphs,
    )


def measure_list(
    optimizer: str, parameters: ParameterList, device: torch.device, options: Options, cache: Path
) -> ListFigures:
    """Measure all ways of one optimizer on one list: time, memory, and what compiling costs.

    * `cache`: an empty folder for what is compiled
    """
    makes = ways_of(optimizer, compiled=options.compiled)
    _say(f"{optimizer}, {parameters.title}: memory and compilation, in a fresh process")
    request = Request(
        optimizer, tuple(makes), parameters.shapes, device.type, torch.get_num_threads()
    )
    fresh = measure_fresh(request, cache)
    # What the fresh process has compiled is not compiled here again.
    os.environ[CACHE_VARIABLE] = str(cache)
    _say(f"{optimizer}, {parameters.title}: timing")
    timed = time_ways(makes, parameters.shapes, device, Budget(options.rounds, SECONDS))
    return list_figures(optimizer, parameters, timed, device.type, fresh)


def measure_briefly(
    optimizer: str, parameters: ParameterList, device: torch.device, options: Options
) -> ListFigures:
    """Time the default way and the compiled one against torch's, or against our per-tensor way."""
    makes = ways_of(optimizer, compiled=options.compiled)
    theirs = [way for way in makes if way in TORCH_WAYS] or [PER_TENSOR]
    chosen = {way: make for way, make in makes.items() if way in (DEFAULT, COMPILE, *theirs)}
    _say(f"{optimizer}, {parameters.title}")
    budget = Budget(options.rounds, SECONDS_IN_OVERVIEW)
    timed = time_ways(chosen, parameters.shapes, device, budget)
    return list_figures(optimizer, parameters, timed, device.type)


def measure_harness(case: HarnessCase, budget: Budget) -> HarnessFigures:
    """Time a training with the harness and without it."""
    # The first training in a process pays for memory and threads that later ones find ready.
    case.bare()
    return harness_figures(case, interleave(case.runs(), budget))


def run(options: Options) -> None:
    """Measure what the command line asks for, print it, and save it."""
    choice = choose_optimizer(options.optimizer or "adam", None, ())
    device = choose_device(options.device)
    torch.set_num_threads(options.threads)
    case = (
        HarnessCase(choice, MNIST.make_model, _mnist(device), device, _say)
        if options.harness
        else None
    )
    environment = describe_environment(device) | waiting_policy()
    click.echo(", ".join(f"{name} {value}" for name, value in environment.items()))
    harness: HarnessFigures | None = None
    lists: list[ListFigures] = []
    if case is not None:
        harness = measure_harness(case, Budget(options.rounds, SECONDS_OF_HARNESS))
        click.echo(f"\n{harness_table(harness)}")
    else:
        for name in options.lists or DEFAULT_LISTS[device.type]:
            parameters = parameter_list(name)
            if options.every:
                lists += _overview(parameters, device, options)
            else:
                lists.append(_whole(choice.name, parameters, device, options))
    if options.json_path is not None:
        save_figures(options.json_path, environment, lists, harness)
        click.echo(f"\nfigures {options.json_path}")


def _mnist(device: torch.device) -> Data:
    root = data_root()
    try:
        return load_mnist(root).to(device)
    except DataNotFoundError:
        raise click.ClickException(
            f"--harness trains on MNIST, which is neither in {root} nor within reach of a "
            f"download; set {ROOT_VARIABLE} to a folder that holds MNIST/raw"
        ) from None


def waiting_policy() -> dict[str, str]:
    """Return what threads without work have been told to do, if anything: it changes the times."""
    name = "OMP_WAIT_POLICY"
    return {name: os.environ[name]} if name in os.environ else {}


def _whole(
    optimizer: str, parameters: ParameterList, device: torch.device, options: Options
) -> ListFigures:
    with compiler_cache() as cache:
        try:
            figures = measure_list(optimizer, parameters, device, options, cache)
        except FreshProcessError as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"\n{list_table(figures)}")
    return figures


def _overview(
    parameters: ParameterList, device: torch.device, options: Options
) -> list[ListFigures]:
    with compiler_cache():
        figures = [measure_briefly(name, parameters, device, options) for name in optimizer_names()]
    click.echo(f"\n{overview_table(figures)}")
    return figures


@contextlib.contextmanager
def compiler_cache() -> Iterator[Path]:
    """Give the compiler an empty folder for a while, so that nothing is left of what it makes."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[CACHE_VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[CACHE_VARIABLE]
            else:
                os.environ[CACHE_VARIABLE] = before


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


main = speed_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

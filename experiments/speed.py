r"""---
title: Measuring speed
summary: >-
  A step takes milliseconds, on a machine that is never quiet. Interleaved bursts, medians and
  ratios turn them into figures that two runs agree on.
chapter: "12.3"
needs: [optimizers/adam, experiments/training]
---

Is Adam's step faster here than in torch? Time 20 steps of ours, then 20 of torch's loop, and
divide. We did that eight times in a row, on the tensors of ResNet-18, while another program worked
for 0.7 seconds and rested for 0.7. The eight answers went from 0.06 to 2.38: from "sixteen times as
fast" to "less than half as fast". The method of this chapter, at the same time and with the same
number of steps, gave eight answers from 0.58 to 0.77.

Both ways do the same arithmetic, so nothing was learned about Adam there. What differed was when
the other program was working.

## How to time a step

- **Take turns.** A disturbance that lasts a second hits whatever is being timed. If the rows of the
  table take turns every few milliseconds, it hits all of them.
- **Count bursts, not single steps.** When a row has its turn, the caches hold what the row before
  it needed. A row runs five steps in its turn, and the first is not counted.
- **Take medians, not means.** While the other program was there, one block of twenty steps of
  torch's loop had a mean of 231 ms a step. It takes 17 on a quiet machine. None of the interleaved
  medians was above 30.
- **Compare within a round.** A round is one turn of every row. Its ratios compare times from the
  same second. The ratio that is printed is the median over all rounds.
- **Say when it failed.** If the middle half of a row's rounds is wider than 30 % of their median,
  the row is marked with `~`.

On a quiet machine the milliseconds drift too: torch's loop took between 16.0 and 20.1 ms in eight
blocks of twenty steps. So read the table by its ratios. They come out nearly the same in another
run, and the milliseconds need not.

Why is the harm so great? The two threads of a step wait for each other at the end of every
operation, and they wait by spinning: they ask again and again, for as long as the other program
holds the core that the slower one needs. `OMP_WAIT_POLICY=PASSIVE` lets them sleep instead. That is
kinder to a shared machine, and gives other times; the command prints the variable if it is set.

## What came out

Adam, float32, two threads of an AMD EPYC, torch 2.14.1, 16 to 39 rounds. Each cell has the figures
of two runs:

| time of a step, divided | ResNet-18 | ViT-S | 1000 tensors of 1000 |
|---|---|---|---|
| default / torch's loop | 0.70, 0.72 | 0.86, 0.83 | 0.17, 0.17 |
| default / torch's foreach | 0.48, 0.43 | 0.41, 0.39 | 0.23, 0.23 |
| compiled / torch's fused | 1.07, 1.08 | 1.09, 1.07 | 0.75, 0.51 |
| compiled and flat / torch's fused | 0.89, 0.93 | 0.95, 0.93 | 0.16, 0.09 |

Two runs agree within 0.05. A difference between two ways that is smaller than that has not been
shown. The exception stands in the last column: torch's fused step over a thousand tensors takes 5.4 to
5.8 ms in some processes and 8.3 in others, and we do not know why. Ours took 4.1 to 4.7 ms compiled and
0.8 to 1.0 compiled and flat in both kinds.

The three lists ask for different things. ResNet-18 has few tensors, and most of its 11.7 million
parameters lie in large ones: there the memory decides, and the rule has to be run on pieces that
stay in the cache. A thousand tensors of a thousand elements are small work in many calls: there
the calls decide, and small tensors have to be packed. ViT-S lies between the two.

## The other rules

`--all` measures every optimizer. Four runs over the tensors of ResNet-18, each with what was new, are committed, two threads of an Intel Xeon with nothing
else to do; the [results](../docs_src/experiments/results.md) show its times, of which a difference of less than a fifth is none.
Compiled, where torch has no fused kernel, divided by torch's fastest row:

| Adadelta | Adamax | NAdam | RAdam | RMSprop | Rprop |
|---:|---:|---:|---:|---:|---:|
| 0.27 | 0.43 | 0.34 | 0.33 | 0.50 | 0.11 |

Where torch has one, divided by that: Adagrad 1.11, Adam 1.03, AdamW 1.01, AMSGrad 1.04, SGD with momentum 1.03. There
both kernels wait for the same memory, and ours has more Python around it. Rules that torch does
not have take 0.28 to 0.42 of their own time tensor by tensor; Signum, which hardly computes, 0.60.

The default way is another matter. It pays where a rule has many operations, and how much depends on the machine: Adam took 0.73 of the time of torch's loop on an
AMD EPYC and 0.89 on the Xeon. RMSprop, Adagrad and SGD have few operations, and torch's loop over 62 tensors is as fast or
faster: 1.03, 0.99 and 1.22. Their chunks stay in the cache, but there is little to come back for.

Beside timm and pytorch_optimizer, the default way divided by theirs:

| against theirs | ratio |
|---|---|
| faster | MARS 0.42, schedule-free AdamW 0.48, AdEMAMix 0.66 |
| no difference | Grams and Muon 0.80, cautious AdamW and NAdamW 0.81, Adan 0.85, Lion and StableAdamW 0.90, NovoGrad 0.92, Kron 0.96, SOAP 0.97, LARS 1.01, schedule-free SGD 1.02, Scion 1.03, LAMB 1.05, ADOPT and Prodigy 1.07 |

How a line is written counts here. `param.sub_(exp_avg.mul(lr))` makes a tensor as large as the parameter, writes it
and reads it again; `param.add_(exp_avg, alpha=-lr)` does not. With the one NovoGrad took 1.23 of timm's time, with the
other 0.96 in the same run.

On ViT-S most of the parameters are matrices. There Muon's step took 0.83 and 0.77 of timm's in two runs, with
bfloat16 on both sides, and 0.85 and 0.81 of torch's; SOAP's 0.73 of pytorch_optimizer's. On ResNet-18 torch's Muon moves the one
matrix alone and leaves the convolutions to AdamW, so its step on this network is another one.

## A compiled step is not free

`compile=True` turns the rule into a kernel of its own when the first step is taken. From nothing,
with an empty cache, that took 14 to 15 seconds and one graph, whatever the number of tensors. On
ViT-S the compiled step saves 10 of 22 ms, so it has earned its 14 seconds after 1,400 steps.

The command measures this in a new process for every list: a process that has compiled once has the
compiler loaded and the kernel at hand. It also takes five steps with other learning rates, and
counts the graphs that these cost. There should be none.

## The rows

- *per tensor*, *default*, *flat*, *compile*, *compile + flat* are the ways of this library: the
  rule on one tensor after the other; on pieces; on one buffer that parameters and gradients have
  been moved into; and the last two through `torch.compile`.
- *torch loop*, *torch foreach*, *torch fused* are `torch.optim` with `foreach=False` (its default
  on a CPU), `foreach=True` (its default on a GPU) and `fused=True`, where the class has it.
- *labml per tensor* is Adam as labml's collection runs it. It took 0.97 and 1.01 of the time of
  torch's loop on ResNet-18, and the same on the other lists to within a tenth.
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
from typing import TypeAlias

import click
import torch
from torch._dynamo.exc import TorchDynamoException
from tqdm import tqdm

from experiments.cli import run_command
from experiments.data import ROOT_VARIABLE, Data, DataNotFoundError, data_root, load_mnist
from experiments.environment import choose_device, describe_environment
from experiments.mnist import MNIST
from experiments.optimizers import choose_optimizer
from experiments.runner import StoppedError
from experiments.speed_cli import Options, speed_command
from experiments.speed_figures import (
    GroupFigures,
    HarnessFigures,
    ListFigures,
    SchedulerFigures,
    group_figures,
    harness_figures,
    list_figures,
    scheduler_figures,
)
from experiments.speed_fresh import (
    CACHE_VARIABLE,
    FreshProcessError,
    Request,
    compiler_failure,
    graphs_compiled,
    measure_fresh,
)
from experiments.speed_groups import runs as group_runs
from experiments.speed_harness import HarnessCase
from experiments.speed_lists import DEFAULT_LISTS, ParameterList, Shapes, parameter_list
from experiments.speed_report import (
    group_table,
    harness_table,
    list_table,
    load_lists,
    overview_table,
    save_figures,
    scheduler_table,
)
from experiments.speed_schedulers import runs as scheduler_runs
from experiments.speed_ways import (
    COMPILE,
    DEFAULT,
    PER_TENSOR,
    THEIR_WAYS,
    Make,
    Subject,
    largest_difference,
    ways_of,
)
from labml_nn_optim.registry import optimizer_names

Lists: TypeAlias = dict[tuple[str, str], ListFigures]
"""Figures by the names of the optimizer and of the list of parameters."""

# Three steps before anything is timed: the first makes the state, the second the final plan of
# pieces, and a compiled rule is compiled in one of them.
WARM_UP = 3
BURST = 5
# How long to measure when no number of rounds is asked for.
LEAST_ROUNDS = 5
SECONDS = 20.0
SECONDS_IN_OVERVIEW = 6.0
SECONDS_OF_HARNESS = 60.0
SECONDS_OF_SCHEDULERS = 10.0
SECONDS_OF_GROUPS = 10.0


def burst(step: Callable[[], None]) -> float:
    """## A burst

    Return the median seconds of all steps of a burst but the first.

    ResNet-18's parameters, gradients and two moments are 187 MB, and every row has its own. What
    the first step pays for is seen best where a step is short. On the thousand small tensors, the
    first five steps of the compiled and flat way took 2.2, 1.4, 1.2, 0.95 and 0.83 ms, and from
    then on all took 0.8. On ResNet-18, torch's fused step took 4.4 ms and then 4.1.

    So a burst of five charges a very short step for some coldness all the same. That is fair: in a
    training, the forward and the backward pass run between two steps, and they leave little in the
    caches either.
    """
    step()
    seconds = []
    for _ in range(BURST - 1):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for unreachable objects inside a timed step.

    It does so whenever enough objects have been made, which has nothing to do with the row that
    happens to make the last of them.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True)
class Budget:
    """How long to measure: so many `rounds`, or as many as fit into so many `seconds`.

    A fixed time gives a list of short steps more rounds, and a list of long ones no more patience
    than the reader has.
    """

    rounds: int | None
    seconds: float

    def is_spent(self, rounds: int, since: float) -> bool:
        """Return whether `rounds` that began at `since` are enough."""
        if self.rounds is not None:
            return rounds >= self.rounds
        return rounds >= LEAST_ROUNDS and time.perf_counter() - since >= self.seconds


class Timings:
    """## Medians and ratios

    The seconds of every row in every round.
    """

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
        """Return the median of the ratios that the rounds give one by one.

        The ratio of two medians may divide a time from the quiet half of a run by one from the
        other half. Here both times of a ratio are from the same round.
        """
        pairs = zip(self.rounds[name], self.rounds[base], strict=True)
        return statistics.median(own / other for own, other in pairs)


def interleave(runs: Mapping[str, Callable[[], float]], budget: Budget) -> Timings:
    """## Taking turns

    Call every run once in each round, in an order that is shuffled anew; each returns its seconds.

    In a fixed order, a row would always follow the same other row, and inherit the same caches and
    the same warm or cold processor.
    """
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
    """## All ways of one rule

    Time a step in several ways, each with parameters and gradients of its own.

    All rows begin with the same values and make the same number of steps, so they have to end with
    the same parameters. If they do not, the fast one may be fast because it does something else.
    That is why the difference is measured and printed with the times. In float32 it is about
    $10^{-5}$ after a hundred steps.
    """
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
    """## One list, all figures

    Measure all ways of one optimizer on one list: time, memory, and what compiling costs.

    * `cache`: an empty folder for what is compiled

    Memory is what a step needs beyond parameters and gradients, at its peak: the state, what the
    optimizer keeps besides, and temporaries. torch's loop makes a denominator for one tensor at a
    time. `foreach` makes them for all tensors at once, and takes 140 MB on ResNet-18 where the loop
    takes 112. In pieces it is 96.
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
    """## All optimizers

    Time the default way and the compiled one against torch's, or against our per-tensor way.

    `--all` does this for every optimizer of the library, one after the other, with six seconds for
    each. With `--json` each row is written as soon as it is measured, and a row that the file has is not
    measured again: remove the file for that. What to know when reading the table:

    * Fourteen of them are in torch, too. They are divided by torch's default, and by the fastest way of others
      if that is another one. Eighteen more, and Muon again, are in timm or in pytorch_optimizer, where these are
      installed. The rest is divided by our own rule, tensor by tensor: that ratio says
      what pieces and kernels are worth, and nothing about another library. GaLore is among these, since others
      project matrices and leave convolutions to Adam.
    * Where a rule has random numbers, or others start it differently, *differ by* is as large as the steps are.
      The gradient is the same in every step, so the loss falls along a line without end: the estimates of
      D-Adaptation and Prodigy grow without end, too, and with the weights what rounding does to them.
    * SGD has a momentum of 0.9 on both sides. Without it a step is one operation.
    * Rules with norms or matrices need every tensor whole. They have no compiled way, and their default way
      [stacks](../labml_nn_optim/stacks.py) equal shapes.
    * Sophia's curvature is never estimated, so every weight moves by the learning rate. The
      arithmetic of a step is the same.
    * Figures of two optimizers come from different seconds. Compare ratios, not milliseconds.
    """
    budget = Budget(options.rounds, SECONDS_IN_OVERVIEW)
    try:
        timed = time_ways(few_ways(optimizer, options), parameters.shapes, device, budget)
    except TorchDynamoException as error:
        raise click.ClickException(f"{optimizer}: {compiler_failure(error)}") from None
    return list_figures(optimizer, parameters, timed, device.type)


def few_ways(optimizer: str, options: Options) -> dict[str, Make]:
    """Return our default way, the compiled one, and what they are compared with."""
    makes = ways_of(optimizer, compiled=options.compiled)
    theirs = [way for way in makes if way in THEIR_WAYS] or [PER_TENSOR]
    return {way: make for way, make in makes.items() if way in (DEFAULT, COMPILE, *theirs)}


def measure_harness(case: HarnessCase, budget: Budget) -> HarnessFigures:
    """## What the harness costs

    Time a training with the harness and without it.

    An experiment measures, shows, logs and saves while it trains. The same rules hold for timing
    that: both trainings take turns, and the cost is a ratio. One epoch of MNIST with Adam, on one
    thread and in five rounds, took 16.1 s bare and 16.6 s with the harness: a ratio of 1.03. The
    fast network, on two quiet threads of an Intel Xeon, took 1.04 times as long, the median of five pairs.

    A round is long here. On two threads, beside other programs that came and went, the bare loop
    had a spread of 0.76: such a ratio is worth nothing, and one thread is the better choice.
    """
    # The first training in a process pays for memory and threads that later ones find ready.
    case.bare()
    try:
        return harness_figures(case, interleave(case.runs(), budget))
    except StoppedError:
        # A training that is only timed has nothing to go on with.
        raise click.Abort from None


def measure_schedulers(budget: Budget) -> SchedulerFigures:
    """## What a schedule costs

    Time a step of a [scheduler](../labml_nn_optim/schedulers/scheduler.py) over 100 groups, each with
    a scale of its own, beside a loop that does no more than write one number into each of them.

    The schedule is computed once a step, whatever the number of groups, and nesting it in five others
    adds little. What is left is a multiplication and two looks into a dictionary for each group.
    """
    return scheduler_figures(interleave(scheduler_runs(), budget))


def measure_groups(budget: Budget) -> GroupFigures:
    """## What a rule costs

    Time the making of [parameter groups](../labml_nn_optim/param_groups/groups.py) for a network of 100 blocks with 100
    parameters each, beside a bare walk over `named_parameters()`.

    It happens once a run, and should not be felt. Where the walk took 15 ms, groups took 25 with the built-in
    rules, 36 with five rules of other kinds more, and 40 with a rate for each of the 100 blocks: 1.6, 2.4
    and 2.8 times the walk. A rule looks at all names at once, and what several rules come to is worked out
    once for each set of them that meets on a parameter, of which there are few.

    What is added, adds up: layer decay with those five rules took 4 times the walk. And every group has its price: where the
    same number of parameters lies in 833 blocks, layer decay makes 1,666 groups, in 6 times the walk, which was 56 ms.
    """
    return group_figures(interleave(group_runs(), budget))


def run(options: Options) -> None:
    """Measure what the command line asks for, print it, and save it."""
    choice = choose_optimizer(options.optimizer or "adam", None, ())
    device = choose_device(options.device)
    torch.set_num_threads(options.threads)
    case = _harness_case(options, device) if options.harness else None
    environment = describe_environment(device) | waiting_policy()
    lists = _measured_before(environment, options)
    click.echo(", ".join(f"{name} {value}" for name, value in environment.items()))
    harness: HarnessFigures | None = None
    schedulers: SchedulerFigures | None = None
    groups: GroupFigures | None = None

    def save() -> None:
        if options.json_path is not None:
            figures = [lists[key] for key in sorted(lists)]
            save_figures(options.json_path, environment, figures, harness, schedulers, groups)

    if case is not None:
        harness = measure_harness(case, Budget(options.rounds, SECONDS_OF_HARNESS))
        click.echo(f"\n{harness_table(harness)}")
    elif options.schedulers:
        schedulers = measure_schedulers(Budget(options.rounds, SECONDS_OF_SCHEDULERS))
        click.echo(f"\n{scheduler_table(schedulers)}")
    elif options.param_groups:
        groups = measure_groups(Budget(options.rounds, SECONDS_OF_GROUPS))
        click.echo(f"\n{group_table(groups)}")
    else:
        for name in options.lists or DEFAULT_LISTS[device.type]:
            parameters = parameter_list(name)
            if options.every:
                _overview(parameters, device, options, lists, save)
            else:
                lists[choice.name, name] = _whole(choice.name, parameters, device, options)
    save()
    if options.json_path is not None:
        click.echo(f"\nfigures {options.json_path}")


def _measured_before(environment: Mapping[str, str | int], options: Options) -> Lists:
    """Return what the file for the overview has of an earlier run, which this one goes on with."""
    path = options.json_path
    if not options.every or path is None or not path.exists():
        return {}
    try:
        earlier, lists = load_lists(path)
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"--json {path}: has no figures of speed: {error}") from None
    for name, value in environment.items():
        if earlier.get(name) != value:
            raise click.ClickException(
                f"--json {path}: was measured with {name} {earlier.get(name)}, not {value}; "
                "remove it or name another file"
            )
    return {(figures.optimizer, figures.list_name): figures for figures in lists}


def _harness_case(options: Options, device: torch.device) -> HarnessCase:
    """Return one epoch of MNIST by the recipe of the network, with its optimizer if none is named."""
    data = _mnist()
    configuration = MNIST.by_recipe(
        options.model or MNIST.model, options.optimizer, data=data.name, epochs=1
    )
    return HarnessCase(MNIST, configuration, data, device, _say)


def _mnist() -> Data:
    root = data_root()
    try:
        return load_mnist(root)
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
    parameters: ParameterList,
    device: torch.device,
    options: Options,
    lists: Lists,
    save: Callable[[], None],
) -> None:
    """Add every optimizer on these parameters to `lists`, and save them after each."""
    names = optimizer_names()
    with compiler_cache():
        for number, name in enumerate(names, 1):
            known = lists.get((name, parameters.name))
            if known is None or known.ways.keys() != few_ways(name, options).keys():
                _say(f"{name}, {parameters.title}: {number} of {len(names)}")
                lists[name, parameters.name] = measure_briefly(name, parameters, device, options)
                save()
    click.echo(f"\n{overview_table([lists[name, parameters.name] for name in names])}")


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


# ## Running it
#
# ```
# python -m experiments.speed --optimizer radam
# python -m experiments.speed --optimizer adam --lists vit-s --threads 1 --json figures.json
# python -m experiments.speed --all --json all.json
# python -m experiments.speed --all --lists resnet18
# python -m experiments.speed --harness
# python -m experiments.speed --harness --model fast --threads 1
# python -m experiments.speed --schedulers
# python -m experiments.speed --param-groups
# ```
#
# Before you believe a table: close what else is running, look for `~`, and run it twice.
main = speed_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## What the figures do not say
#
# - *How long a training takes.* A step is one of three parts, and mostly the shortest. Halving it
#   is worth 5 % where it is a tenth.
# - *What another machine does.* The number of cores, the caches and the memory decide. The ratios
#   of one machine are evidence about that machine.
# - *What an unusual list does.* A single tensor, half precision, and groups with options of their
#   own are cut into other pieces.
#
# ## Exercises
#
# **1.** Way A is timed for a minute, then way B for a minute. Each median is over thousands of
# steps, and both halves of each minute have the same median. Is the ratio to be trusted?
#
# ::: solution
# No. Thousands of steps in one minute are not thousands of independent measurements: they share
# the conditions of that minute. Both medians are precise, and their ratio still compares two
# different minutes. Repeat the minutes in turn, which is to interleave with long rounds.
# :::
#
# **2.** In three rounds, A takes 1, 9 and 30 ms and B takes 2, 3 and 40 ms. Compute the ratio of
# the medians, and the median of the ratios. Which of them says what A is worth?
#
# ::: solution
# The medians are 9 and 3, and their ratio is 3. The rounds give 0.5, 3 and 0.75, with the median
# 0.75. A was faster in two rounds of three. The ratio of the medians compares two times of the
# second round, where something seems to have held A up.
# :::
#
# **3.** Why does the time of a compiled step not tell whether compiling pays? Write down what does.
#
# ::: solution
# Compiling costs $C$ seconds once and saves $s$ seconds a step, so it pays after $C / s$ steps. For
# ViT-S above, $14.3 / 0.0104 \approx 1{,}400$. A later run finds the kernel in the compiler's cache,
# and $C$ is smaller there.
# :::

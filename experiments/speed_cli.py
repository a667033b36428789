"""The command line of the measurement of speed: options and their checks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from experiments.mnist import MNIST
from experiments.speed_lists import DEFAULT_LISTS, LIST_NAMES

MOST_DEFAULT_THREADS = 2


@dataclass(frozen=True)
class Options:
    """What the command line says.

    * `optimizer`: None if it says nothing
    * `every`: measure every optimizer
    * `harness`: measure the harness instead
    * `model`: the network that the harness trains, None if it says nothing
    * `schedulers`: measure the schedulers instead
    * `param_groups`: measure the making of parameter groups instead
    * `lists`: names of lists, None if it says nothing
    * `rounds`: None to measure for some seconds
    """

    optimizer: str | None
    every: bool
    harness: bool
    model: str | None
    schedulers: bool
    param_groups: bool
    lists: tuple[str, ...] | None
    rounds: int | None
    threads: int
    device: str
    compiled: bool
    json_path: Path | None


def speed_command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that hands what the command line says to `run`."""

    def callback(**options: Any) -> None:
        chosen = Options(**options)
        _check_modes(chosen)
        run(chosen)

    return click.Command(
        "python -m experiments.speed",
        callback=callback,
        params=[*_subject_options(), *_condition_options()],
        help="Time a step of an optimizer in all its ways, side by side with torch's.",
    )


def _subject_options() -> list[click.Option]:
    return [
        click.Option(
            ["--optimizer"],
            show_default="adam; that of the network for --harness",
            help="Name of the optimizer.",
        ),
        click.Option(
            ["--all", "every"],
            is_flag=True,
            help="Measure every optimizer, only the default way and the compiled one.",
        ),
        click.Option(
            ["--harness"],
            is_flag=True,
            help="Measure instead what the experiments' harness costs over a bare loop on MNIST.",
        ),
        click.Option(
            ["--model"],
            type=click.Choice(list(MNIST.recipes)),
            show_default=MNIST.model,
            help="The network of --harness, with what belongs to it.",
        ),
        click.Option(
            ["--schedulers"],
            is_flag=True,
            help="Measure instead what writing a schedule into 100 groups costs.",
        ),
        click.Option(
            ["--param-groups"],
            is_flag=True,
            help="Measure instead what making groups of 10,000 parameters costs.",
        ),
        click.Option(
            ["--lists"],
            callback=_lists,
            metavar="NAME,NAME",
            show_default="; ".join(
                f"{','.join(names)} on {device}" for device, names in DEFAULT_LISTS.items()
            ),
            help=f"Lists of parameters: {', '.join(LIST_NAMES)}.",
        ),
        click.Option(
            ["--compile/--no-compile", "compiled"],
            default=True,
            show_default=True,
            help="With the compiled ways, or without.",
        ),
    ]


def _condition_options() -> list[click.Option]:
    return [
        click.Option(
            ["--rounds"],
            type=click.IntRange(min=2),
            show_default="as many as fit into some seconds, at least 5",
            help="How often every row is timed.",
        ),
        click.Option(
            ["--threads"],
            type=click.IntRange(min=1, max=available_cores()),
            default=min(MOST_DEFAULT_THREADS, available_cores()),
            show_default=True,
            help="CPU threads.",
        ),
        click.Option(
            ["--device"],
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Where to step.",
        ),
        click.Option(
            ["--json", "json_path"],
            type=click.Path(path_type=Path, dir_okay=False, writable=True),
            callback=_in_a_folder,
            help="Write the figures, with hardware and versions, to this file.",
        ),
    ]


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _lists(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in LIST_NAMES:
            message = f"{name!r} is no list; the lists are {', '.join(LIST_NAMES)}."
            raise click.BadParameter(message, context, parameter)
    return names


def _in_a_folder(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}.", context, parameter)
    return path


def _check_modes(options: Options) -> None:
    given = {
        "--optimizer": options.optimizer is not None,
        "--harness": options.harness,
        "--schedulers": options.schedulers,
        "--param-groups": options.param_groups,
        "--lists": options.lists is not None,
    }
    if options.model is not None and not options.harness:
        raise click.UsageError("--model is the network of --harness; give --harness, too.")
    _leave_out(given, options.every, "--all measures every optimizer", ("--lists",))
    _leave_out(given, options.harness, "--harness trains on MNIST", ("--harness", "--optimizer"))
    _leave_out(given, options.schedulers, "--schedulers has groups of its own", ("--schedulers",))
    _leave_out(
        given, options.param_groups, "--param-groups has a model of its own", ("--param-groups",)
    )


def _leave_out(given: dict[str, bool], is_on: bool, reason: str, allowed: tuple[str, ...]) -> None:
    """Raise `UsageError` if a mode is on together with an option that it does not allow."""
    for name, is_given in given.items():
        if is_on and is_given and name not in allowed:
            raise click.UsageError(f"{reason}; leave out {name}.")

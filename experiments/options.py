"""The options that several commands of the experiments have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from experiments.schedules import SCHEDULES, USUAL
from experiments.training import DTYPES

Choices = TypeVar("Choices")


def study_command(
    name: str,
    options: Callable[..., Choices],
    run: Callable[[Choices], None],
    params: Sequence[click.Parameter],
    help: str,
) -> click.Command:
    """Return the command `python -m experiments.<name>`, which hands what it is told to `run`.

    * `options`: makes one object of the values of all parameters, by their names
    """

    def callback(**values: Any) -> None:
        run(options(**values))

    return click.Command(
        f"python -m experiments.{name}", callback=callback, params=list(params), help=help
    )


def place_options(
    name: str, data_choices: Iterable[str], out_help: str, data_help: str = "The data to train on."
) -> list[click.Option]:
    """Return the options of a study that say where its data is, where it runs, and where to write."""
    return [
        data_option(data_choices, data_help),
        data_root_option(),
        device_option(),
        threads_option(1, "CPU threads; they decide the last digits of the numbers."),
        out_option(name, out_help),
    ]


def count_option(name: str, default: int, help: str, minimum: int = 1) -> click.Option:
    """Return an option for a whole number."""
    kind = click.IntRange(min=minimum)
    return click.Option([name], type=kind, default=default, show_default=True, help=help)


def epochs_option(
    default: float | None, help: str, name: str = "--epochs", shown: str | None = None
) -> click.Option:
    """Return an option for a number of epochs."""
    return positive_option(name, default, f"{help}; may be a fraction.", shown)


def positive_option(
    name: str, default: float | None, help: str, shown: str | None = None
) -> click.Option:
    """Return an option for a finite number above 0.

    * `shown`: what the help shows in place of the default
    """
    return click.Option(
        [name],
        type=click.FloatRange(min=0, min_open=True),
        callback=finite,
        default=default,
        show_default=shown or True,
        help=help,
    )


def data_option(choices: Iterable[str], help: str, name: str = "data_choice") -> click.Option:
    """Return the option `--data`, whose default is the first of `choices`."""
    choices = list(choices)
    return click.Option(
        ["--data", name],
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help=help,
    )


def threads_option(default: int | None, help: str) -> click.Option:
    """Return the option `--threads`; None leaves the number to torch."""
    shown: dict[str, Any] = {"default": default, "show_default": True}
    return click.Option(
        ["--threads"],
        type=click.IntRange(min=1),
        help=help,
        **({"show_default": "torch's choice"} if default is None else shown),
    )


def out_option(folder: str, help: str) -> click.Option:
    """Return the option `--out`, by default a folder in `runs`."""
    return click.Option(
        ["--out"],
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs") / folder,
        show_default=True,
        help=help,
    )


def schedule_options(
    default: str | None = USUAL, shown: str | None = None
) -> tuple[click.Option, ...]:
    """Return the options that name the schedules of learning rate and weight decay, and set them.

    * `shown`: what the help shows in place of the default
    """
    names = ", ".join(SCHEDULES)
    return (
        click.Option(
            ["--schedule"],
            default=default,
            show_default=shown or True,
            metavar="NAME",
            help=f"What the learning rate is multiplied with: {names}.",
        ),
        _settings_option("--schedule-set", "schedule_settings"),
        click.Option(
            ["--wd-schedule"],
            metavar="NAME",
            help="What the weight decay is multiplied with, one of the same names; 1 if not given.",
        ),
        _settings_option("--wd-schedule-set", "wd_schedule_settings"),
    )


def _settings_option(option: str, name: str) -> click.Option:
    return click.Option(
        [option, name],
        multiple=True,
        metavar="NAME=VALUE,...",
        help="Arguments of that schedule, such as tail=1-sqrt,decay_percent=0.3. May be repeated.",
    )


def dtype_option(default: str | None = "float32", shown: str | None = None) -> click.Option:
    """Return the option `--dtype`.

    * `shown`: what the help shows in place of the default
    """
    return click.Option(
        ["--dtype"],
        type=click.Choice(list(DTYPES)),
        default=default,
        show_default=shown or True,
        help="Data type of parameters and images; mixed computes in bfloat16 where that is safe.",
    )


def data_root_option() -> click.Option:
    """Return the option that names the folder of the data sets."""
    return click.Option(
        ["--data-root"],
        type=click.Path(path_type=Path, file_okay=False),
        show_default="$LABML_NN_OPTIM_DATA, else the user's cache folder",
        help="Folder of the data sets.",
    )


def device_option() -> click.Option:
    """Return the option that says where to train."""
    return click.Option(
        ["--device"],
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to train.",
    )


def seeds_option(help: str, default: str = "3", option: str = "--seeds") -> click.Option:
    """Return the option that says how many seeds there are, or which."""
    return click.Option(
        [option],
        callback=_seeds,
        default=default,
        show_default=True,
        metavar="N|SEED,SEED,...",
        help=help,
    )


def _seeds(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """Return the seeds from 0 on if the text is one number, else those that it lists."""
    try:
        numbers = [int(part) for part in text.removesuffix(",").split(",")]
    except ValueError:
        numbers = []
    seeds = tuple(dict.fromkeys(numbers if "," in text else range(sum(numbers))))
    if not seeds or not all(0 <= seed < 2**63 for seed in seeds):
        message = f"{text!r} is neither how many seeds nor a list of them, such as 3 or 0,1,2."
        raise click.BadParameter(message, context, parameter)
    return seeds


def finite(
    context: click.Context, parameter: click.Parameter, number: float | None
) -> float | None:
    """Reject the infinities and NaN, which `FloatRange` lets through."""
    if number is not None and not math.isfinite(number):
        raise click.BadParameter(f"{number} is not finite.", context, parameter)
    return number

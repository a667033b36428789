"""The command line of an experiment: options, checks, and errors of one line."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from tqdm import tqdm

from experiments import processes
from experiments.configuration import Configuration
from experiments.curves import save_curves
from experiments.data import DataError, data_root
from experiments.environment import DeviceError, choose_device, make_reproducible
from experiments.experiment import Experiment, Recipe
from experiments.optimizers import OptimizerChoice, OptionError, choose_optimizer, sets
from experiments.options import (
    data_option,
    data_root_option,
    device_option,
    dtype_option,
    epochs_option,
    out_option,
    schedule_options,
    threads_option,
)
from experiments.records import Record, RecordError
from experiments.records import save as save_record
from experiments.rules import choose_rules
from experiments.runner import StoppedError, execute
from experiments.schedules import Schedules, choose_schedules, require_weight_decay
from labml_nn_optim.registry import optimizer_names, summary


@dataclass(frozen=True)
class Options:
    """What the command line says; None and empty where it leaves something to the recipe."""

    model: str
    optimizer: str | None
    lr: float | None
    settings: tuple[str, ...]
    compiled: bool
    schedule: str | None
    schedule_settings: tuple[str, ...]
    wd_schedule: str | None
    wd_schedule_settings: tuple[str, ...]
    rules: tuple[str, ...]
    epochs: float | None
    batch_size: int | None
    seed: int
    dtype: str | None
    data_choice: str
    data_root: Path | None
    device: str
    threads: int | None
    resume: bool
    curves: bool
    out: Path


def experiment_command(experiment: Experiment) -> click.Command:
    """Return the command that runs `experiment`."""

    def run(**options: Any) -> None:
        _run(experiment, Options(**options))

    return click.Command(
        f"python -m experiments.{experiment.name}",
        callback=run,
        params=[
            *_optimizer_options(experiment),
            *_training_options(experiment),
            *_place_options(experiment),
        ],
        help=f"Train on {experiment.name.upper()} and leave a record with the curves.",
    )


def _optimizer_options(experiment: Experiment) -> Sequence[click.Option]:
    return (
        click.Option(
            ["--model"],
            type=click.Choice(list(experiment.recipes)),
            default=experiment.model,
            show_default=True,
            help="The network, with what belongs to it.",
        ),
        click.Option(
            ["--optimizer"],
            show_default=_of_recipes(experiment, "optimizer"),
            help="Name of the optimizer.",
        ),
        click.Option(
            ["--list", "list_only"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_list,
            help="List the optimizers and exit.",
        ),
        click.Option(
            ["--lr"],
            type=float,
            show_default="the optimizer's own",
            help="Learning rate.",
        ),
        click.Option(
            ["--set", "settings"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Any argument of the optimizer, such as betas=0.9,0.99. May be repeated.",
        ),
        click.Option(
            ["--compile", "compiled"],
            is_flag=True,
            help="Let the optimizer compile its update (compile=True); the model is not compiled.",
        ),
    )


def _training_options(experiment: Experiment) -> Sequence[click.Option]:
    return (
        *schedule_options(default=None, shown=_of_recipes(experiment, "schedule")),
        click.Option(
            ["--rule", "rules"],
            multiple=True,
            metavar="RULE",
            help="A rule for the parameter groups: built-in, layer-decay=0.75, or "
            "PATTERN:NAME=VALUE, such as output.*:lr_scale=10. May be repeated.",
        ),
        epochs_option(
            None, "Passes over the training data", shown=_of_recipes(experiment, "epochs")
        ),
        click.Option(
            ["--batch-size"],
            type=click.IntRange(min=1),
            show_default=_of_recipes(experiment, "batch_size"),
            help="Samples in a batch.",
        ),
        click.Option(
            ["--seed"],
            type=click.IntRange(min=0, max=2**63 - 1),
            default=0,
            show_default=True,
            help="Decides the initial parameters and the order of the samples.",
        ),
        dtype_option(default=None, shown=_of_recipes(experiment, "dtype")),
    )


def _place_options(experiment: Experiment) -> Sequence[click.Option]:
    return (
        data_option(experiment.data_choices, "The data to train on."),
        data_root_option(),
        device_option(),
        threads_option(None, "CPU threads; they decide the last digits of the numbers."),
        click.Option(
            ["--resume"], is_flag=True, help="Go on from the newest checkpoint of the same run."
        ),
        click.Option(
            ["--curves/--no-curves"],
            default=True,
            show_default=True,
            help="Draw the curves beside the record.",
        ),
        out_option(experiment.name, "Folder for record, curves, checkpoints and logs."),
    )


def _list(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
    if not chosen:
        return
    names = optimizer_names()
    width = max(map(len, names))
    for name in names:
        click.echo(f"{name:{width}}  {summary(name)}")
    context.exit()


def _of_recipes(experiment: Experiment, name: str) -> str:
    """Say what the recipes have under a name: the first one's value, and what others have instead."""
    values = {model: getattr(recipe, name) for model, recipe in experiment.recipes.items()}
    usual = values[experiment.model]
    others = [f"{value} for {model}" for model, value in values.items() if value != usual]
    return ", ".join([str(usual), *others])


def _choose_optimizer(recipe: Recipe, options: Options) -> OptimizerChoice:
    lr = recipe.lr if options.lr is None and not sets("lr", options.settings) else options.lr
    return choose_optimizer(recipe.optimizer, lr, options.settings, compiled=options.compiled)


def _choose_schedules(recipe: Recipe, options: Options) -> Schedules:
    named, settings = options.schedule, options.schedule_settings
    return choose_schedules(
        named or recipe.schedule,
        settings if named else settings or recipe.schedule_settings,
        options.wd_schedule,
        options.wd_schedule_settings,
    )


def configuration_of(experiment: Experiment, options: Options) -> Configuration:
    """Return the configuration that the command line describes, with what `--data` names as its data.

    Raises `OptionError` for values that do not fit together.
    """
    recipe = experiment.recipes[options.model].with_optimizer(options.optimizer)
    choice = _choose_optimizer(recipe, options)
    schedules = _choose_schedules(recipe, options)
    require_weight_decay(choice, schedules)
    rules = choose_rules(options.rules)
    rules.check(recipe.make_model, choice)
    return experiment.configure(
        options.model,
        choice,
        schedules,
        rules,
        data=options.data_choice,
        epochs=options.epochs,
        batch_size=options.batch_size,
        seed=options.seed,
        dtype=options.dtype,
    )


def _run(experiment: Experiment, options: Options) -> None:
    configuration = configuration_of(experiment, options)
    device = choose_device(options.device)
    make_reproducible(device, options.threads)
    with processes.joined(device):
        record = _trained(experiment, options, configuration, device)
    if processes.is_first():
        _report(record, options.out, drawn=options.curves)


def _trained(
    experiment: Experiment,
    options: Options,
    configuration: Configuration,
    device: torch.device,
) -> Record:
    root = data_root(options.data_root)
    data = processes.first_before_others(
        lambda: experiment.load_data(options.data_choice, root, notice)
    )
    configuration = dataclasses.replace(configuration, data=data.name)
    prepare(options.out)
    task = experiment.task(configuration, data, device, options.out)
    return execute(task, resume=options.resume, notice=notice)


def prepare(out: Path) -> None:
    """Make the folder for the results now, so that it does not fail after the training."""
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise PermissionError(f"--out {out}: the folder cannot be written to")


def _report(record: Record, out: Path, *, drawn: bool) -> None:
    path = save_record(record, out)
    final, times = record.final, record.times
    accuracy = final["test_accuracy"]
    click.echo(
        f"test accuracy {accuracy:.2%} on {record.data['name']} after {final['step']} steps "
        f"of {record.optimizer} with seed {record.seed}"
    )
    click.echo(
        f"duration {times['duration_seconds']:.1f} s, {times['samples_per_second']:,.0f} samples/s"
    )
    click.echo(f"record {path}")
    if drawn:
        _draw(record, path)


def _draw(record: Record, beside: Path) -> None:
    """Draw the curves; a run whose record is saved does not fail because they cannot be."""
    try:
        pictures = save_curves(record, beside)
    except OSError as error:
        notice(f"the curves cannot be drawn: {error}")
        return
    for picture in pictures:
        click.echo(f"curves {picture}")


def notice(line: str) -> None:
    """Print a line for the user to standard error, above a progress bar if there is one.

    Of several processes only the first prints: what it has to say, the others have too.
    """
    if processes.is_first():
        tqdm.write(f"note: {line}", file=sys.stderr)


def run_command(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; every error is one line on standard error."""
    try:
        result = command.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code, common=True)
    except OptionError as error:
        return _fail(str(error), 2, common=True)
    except (DataError, DeviceError, RecordError, OSError) as error:
        return _fail(str(error), 1)
    except processes.LostProcessError as error:
        return _fail(str(error), 1, common=True)
    except StoppedError as stop:
        again = "go on with the same command and --resume"
        return _fail(f"{stop}; {again}", 128 + stop.signal, common=True)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130, common=True)
    return result if isinstance(result, int) else 0


def _fail(message: str, status: int, *, common: bool = False) -> int:
    """Print an error; one that all processes have in `common` only the first of them prints."""
    if common and not processes.is_first():
        return status
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return status

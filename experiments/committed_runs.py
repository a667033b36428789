"""Every committed run of MNIST and CIFAR-10, as the sweeps that make them.

`python -m experiments.committed_runs` makes what is missing or was made by code that has changed since.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from experiments import committed
from experiments.catalog import CATALOG
from experiments.check_run import check_one, quickest
from experiments.cli import run_command
from experiments.committed import FAST, HALF, IN_HALF, RULES, SCHEDULES, TEN_MINUTES, VIT
from experiments.schedules import SCHEDULES as SCHEDULE_NAMES
from experiments.sweep import sweep, sweeps_of
from experiments.sweep_cli import Request, sweep_command
from labml_nn_optim.registry import optimizer_names

USUAL = {
    "mnist": "--data mnist --epochs 3 --dtype float32",
    "cifar": "--data cifar --epochs 3 --dtype mixed",
}
"""What the runs of an experiment have in common; a newer dtype of an arm stands behind it."""

WITHOUT_RATE = ("prodigy", "d_adapt_adam", "dog", "dowg")
"""Optimizers that find the size of their steps: their rate is a factor, and near 1."""

SPECIAL_EVERYWHERE = {
    "scion": "--set scale=50 --lr 0.0003,0.001,0.003",
    "galore": "--set rank=16",
    **dict.fromkeys(WITHOUT_RATE, "--lr 0.3,1,3"),
}

SPECIAL: dict[str, dict[str, str]] = {
    "mnist": {
        "sgd": "--set momentum=0.9",
        "adam_warmup": "--set warmup=200",
        "noam": "--set warmup=200 --schedule constant",
        "adam_warmup_cosine_decay": "--set warmup=200 --schedule constant",
        "schedule_free_adamw": "--set warmup=200 --schedule constant",
        "schedule_free_sgd": "--set warmup=200 --schedule constant --lr 0.1,0.3,1",
        **SPECIAL_EVERYWHERE,
    },
    "cifar": {
        "sgd": "--set momentum=0.9 --lr 0.01,0.03,0.1,0.3,1",
        "adam_warmup": "--set warmup=100",
        "noam": "--set warmup=100 --schedule constant",
        "adam_warmup_cosine_decay": "--set warmup=100 --schedule constant",
        "schedule_free_adamw": "--set warmup=100 --schedule constant",
        "schedule_free_sgd": "--set warmup=100 --schedule constant --lr 0.1,0.3,1",
        **SPECIAL_EVERYWHERE,
    },
}
"""Optimizers that need an argument, a schedule or other rates than all the others."""

WITH_ADAMW = "--optimizers adamw --lr 0.001,0.003,0.01"
"""Schedules and rules are compared with AdamW, each at the best of its own rates around AdamW's."""

ALL_SCHEDULES = " ".join(f"--schedule {name}" for name in SCHEDULE_NAMES)

SCHEDULE_ARMS = {
    "mnist": (
        f"{ALL_SCHEDULES} --schedule wsd:tail=linear --schedule wsd:tail=cosine",
        "--set weight_decay=0.3",
        "--set weight_decay=0.3 --wd-schedule linear",
    ),
    "cifar": (f"{ALL_SCHEDULES} --epochs 2",),
}
"""Sweeps over schedules; on CIFAR-10 all are shorter by an epoch, which saves an hour of one core."""

RULE_SETS = {
    "mnist": ("built-in", "layer-decay=0.75", "output.*:lr_scale=3", "conv1.*:no_decay=True"),
    "cifar": ("built-in", "layer-decay=0.75", "head.*:lr_scale=3", "stem.*:lr_scale=0.3"),
}

OTHER_NETWORKS = {
    "mnist": {},
    "cifar": {
        VIT: "--model vit --optimizers adamw --set weight_decay=0.05 --schedule warmup-cosine "
        "--lr 0.0003,0.001,0.003 --rules none --rules built-in --rules layer-decay=0.75"
    },
}
"""Sweeps of networks that are no experiment's usual one, by their folders."""


HEADLINES = {
    "mnist": {
        FAST: "--model fast --optimizers nadam --lr 0.02 --schedule linear-to-zero:warmup_percent=0.15 "
        "--epochs 1 --batch-size 128 --dtype mixed --seeds 10"
    },
    "cifar": {
        TEN_MINUTES: "--optimizers nadam --lr 0.003 --schedule linear-to-zero --epochs 20 --dtype mixed "
        "--threads 2 --seeds 1"
    },
}
"""What an experiment comes to in a short time, by the folder; one rate alone, without a search."""


def commands(experiment: str) -> Iterator[list[str]]:
    """Yield the arguments of every sweep whose records are committed for an experiment."""
    folder = committed.folder(experiment)
    special = SPECIAL[experiment]
    usual = [name for name in optimizer_names() if name not in (*special, *IN_HALF)]
    yield _words(experiment, folder, f"--optimizers {','.join(usual)}")
    for name, settings in special.items():
        yield _words(experiment, folder, f"--optimizers {name} {settings}")
    half = ",".join(("adam", *IN_HALF))
    yield _words(experiment, folder / HALF, f"--optimizers {half} --dtype bfloat16")
    for settings in SCHEDULE_ARMS[experiment]:
        yield _words(experiment, folder / SCHEDULES, f"{WITH_ADAMW} {settings}")
    rules = " ".join(f"--rules {shlex.quote(rule)}" for rule in RULE_SETS[experiment])
    yield _words(experiment, folder / RULES, f"{WITH_ADAMW} {rules}")
    for name, settings in (OTHER_NETWORKS[experiment] | HEADLINES[experiment]).items():
        yield _words(experiment, folder / name, settings)


def _words(experiment: str, folder: Path, settings: str) -> list[str]:
    given = f"--experiment {experiment} {USUAL[experiment]} {settings}"
    return [*shlex.split(given), "--out", str(folder)]


def requests(experiments: Sequence[str], options: Sequence[str] = ()) -> list[Request]:
    """Return the sweeps of some experiments.

    * `options`: more arguments for all of them
    """
    read = sweep_command(lambda request: request)
    return [
        read.main([*words, *options], standalone_mode=False)
        for experiment in experiments
        for words in commands(experiment)
    ]


def unknown_records(experiments: Sequence[str]) -> list[Path]:
    """Return the committed records that no sweep has asked for: left over from other settings.

    Only what can be known without running anything is known: a search may still ask for some.
    """
    asked = {
        path
        for request in requests(experiments)
        for each in sweeps_of(request)
        for path in (*(run.path for run in each.due()), *each.begun)
    }
    folders = (committed.folder(experiment) for experiment in experiments)
    return sorted(
        path for folder in folders for path in folder.rglob("*.json") if path not in asked
    )


def missing(request: Request) -> list[str]:
    """Return a line for each run of a sweep that could begin now."""
    return [
        f"{each.arm.label} lr {run.configuration.lr:g} seed {run.configuration.seed}: {run.path.parent}"
        for each in sweeps_of(request)
        for run in each.due()
    ]


def _choose(experiment: str | None) -> list[str]:
    return [experiment] if experiment else list(CATALOG)


@click.command("python -m experiments.committed_runs")
@click.option(
    "--experiment",
    type=click.Choice(list(CATALOG)),
    help="Only this experiment; both if not given.",
)
@click.option(
    "--list", "list_only", is_flag=True, help="List what is to be made, and make nothing."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs side by side."
)
@click.option(
    "--check",
    is_flag=True,
    help="Make one run again, compare it with its record, and leave the record as it is.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The record that --check makes again; the one that took the least time if not given.",
)
def main(
    experiment: str | None, list_only: bool, jobs: int, check: bool, record: Path | None
) -> int:
    """Bring the committed records of MNIST and CIFAR-10 up to date."""
    names = _choose(experiment)
    if record and not check:
        raise click.UsageError("--record names what --check compares; give --check, too.")
    if check:
        return check_one(record or quickest(names))
    wanted = requests(names, ["--renew", "--jobs", str(jobs)])
    if list_only:
        lines = [line for request in wanted for line in missing(request)]
        lines += [f"asked for by no sweep: {path}" for path in unknown_records(names)]
        click.echo("\n".join(lines) if lines else "every record is there and up to date")
        return 0
    return max(make(request) for request in wanted)


def make(request: Request) -> int:
    """Make what is missing of a sweep, and return the exit status; without that, no data is needed."""
    return sweep(request, pictures=False) if missing(request) or request.problems else 0


if __name__ == "__main__":
    sys.exit(run_command(main))

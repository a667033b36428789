"""`python -m experiments.mnist` with a checkpoint after every step, for runs that are to be stopped."""

import sys

from experiments import cifar, mnist, runner
from experiments.cli import run_command

COMMANDS = {"mnist": mnist.main, "cifar": cifar.main}


def run_experiment(name, words=None):
    """Run an experiment's command, with a checkpoint after every step; without words, those of the command line."""
    runner.CHECKPOINT_SECONDS = 0.0
    return run_command(COMMANDS[name], words)


if __name__ == "__main__":
    sys.exit(run_experiment("mnist"))

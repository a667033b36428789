"""`python -m experiments.mnist` with a checkpoint after every step, for runs that are to be stopped."""

import sys

from experiments import mnist, runner
from experiments.cli import run_command

if __name__ == "__main__":
    runner.CHECKPOINT_SECONDS = 0.0
    sys.exit(run_command(mnist.main))

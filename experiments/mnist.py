r"""---
title: "MNIST: ten digits, one small network"
summary: >-
  A convolutional network learns to read handwritten digits in three passes over 60,000 images,
  with any optimizer of this course.
chapter: "11.1"
needs: [optimizers/adam]
symbols:
  \theta: model.parameters()
  \alpha: lr
  T: total_steps
---
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from experiments.cli import Experiment, experiment_command, run_command
from experiments.data import Data, DataNotFoundError, load_digits, load_mnist
from experiments.runner import Notice


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, kernel_size=5)
        self.conv2 = nn.Conv2d(20, 50, kernel_size=5)
        self.hidden = nn.Linear(50 * 4 * 4, 500)
        self.output = nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.hidden(x.flatten(start_dim=1)))
        logits: Tensor = self.output(x)
        return logits


def load_data(choice: str, root: Path, notice: Notice) -> Data:
    if choice == "digits":
        return load_digits()
    try:
        return load_mnist(root)
    except DataNotFoundError as error:
        if choice == "mnist":
            raise
        notice(FALL_BACK.format(reason=error))
        return load_digits()


FALL_BACK = """
**************************************************************************
*  NOT MNIST. This run trains on scikit-learn's 8x8 digits, enlarged.    *
*  They are other images, and 42 times fewer: do not compare the         *
*  accuracy with that of MNIST. The record says `digits`.                *
**************************************************************************
{reason}"""


MNIST = Experiment(
    name="mnist",
    make_model=Model,
    load_data=load_data,
    data_choices=("auto", "mnist", "digits"),
    epochs=3,
    batch_size=64,
)

main = experiment_command(MNIST)

if __name__ == "__main__":
    sys.exit(run_command(main))

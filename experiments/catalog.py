"""The experiments that train a network, by their names."""

from __future__ import annotations

from experiments.cifar import CIFAR
from experiments.mnist import MNIST

CATALOG = {experiment.name: experiment for experiment in (MNIST, CIFAR)}

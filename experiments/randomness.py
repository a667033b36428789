"""Random numbers that follow from their place in a run, and from nothing that was drawn before."""

from __future__ import annotations

import random

import torch


def generator_for(*place: int | str) -> torch.Generator:
    """Return a generator of random numbers that belongs to one place in one run.

    Python turns a text into a seed by a hash: neighbouring seeds and epochs have nothing in common,
    and seed 0 in epoch 1 is not seed 1 in epoch 0.
    """
    text = " ".join(map(str, place))
    return torch.Generator().manual_seed(random.Random(text).getrandbits(63))

"""What a run is given of the machine."""

import torch

from experiments.environment import make_reproducible


def test_a_run_takes_numbers_for_zero_that_would_slow_it_down():
    make_reproducible(torch.device("cpu"), None)
    assert torch.tensor([1e-38]).mul(0.1).item() == 0
    assert torch.tensor([1e-36]).mul(0.1).item() > 0

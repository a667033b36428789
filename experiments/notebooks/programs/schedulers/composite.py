"""A warm-up, a cosine and a constant, one after the other. They know nothing of each other."""

import torch

from experiments.notebooks.programs.digits import bars, new_network, train
from labml_nn_optim.schedulers.composite import SequentialLR
from labml_nn_optim.schedulers.named import ConstantLR, CosineDecayLR, LinearLR

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
parts = [
    LinearLR(optimizer, 0.0, 0.01, 20),
    CosineDecayLR(optimizer, 0.01, 0.001, 160),
    ConstantLR(optimizer, 0.001),
]
scheduler = SequentialLR(optimizer, parts, [20, 180])
rates = []


def after_step(done: int) -> None:
    """Step the scheduler, and note what it has written."""
    scheduler.step()
    rates.append(scheduler.get_last_lr()[0])


train("AdamW, three parts", model, optimizer, after_step)
print(f"{'its rate':<24} {bars(rates, 40)}")

"""A warm-up and two kinds of decay, under the names of torch and Cerebras."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedulers.named import CosineDecayLR, ExponentialLR, LinearLR

for make in (
    lambda optimizer: LinearLR(optimizer, 0.001, 0.01, STEPS),
    lambda optimizer: CosineDecayLR(optimizer, 0.01, 0.0, STEPS),
    lambda optimizer: ExponentialLR(optimizer, 0.01, STEPS, 0.1),
):
    model = new_network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = make(optimizer)
    rates = []

    def after_step(done: int, scheduler=scheduler, rates=rates) -> None:
        """Step the scheduler, and note what it has written."""
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])

    train(type(scheduler).__name__, model, optimizer, after_step)
    print(f"{'its rate':<24} {bars(rates, 40)}")

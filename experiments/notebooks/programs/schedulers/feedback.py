"""The rate begins too high. After every ten steps the scheduler looks at the test loss, and a look that is not better cuts the rate to a third."""

import torch
from torch.nn import functional

from experiments.notebooks.programs.digits import bars, new_network, test_images, test_labels, train
from labml_nn_optim.schedulers.feedback import PlateauScheduler

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
scheduler = PlateauScheduler(optimizer, factor=1 / 3, patience=0)
rates = []


def after_step(done: int) -> None:
    """Look at the test loss now and then, and note the rate."""
    if done % 10 == 0:
        with torch.no_grad():
            scheduler.step(functional.cross_entropy(model(test_images), test_labels))
    rates.append(optimizer.param_groups[0]["lr"])


train("AdamW from 0.1", model, optimizer, after_step)
print(f"{'its rate':<24} {bars(rates, 40)} to {rates[-1]:.4f}")

model = new_network()
train("AdamW, 0.1 throughout", model, torch.optim.AdamW(model.parameters(), lr=0.1))

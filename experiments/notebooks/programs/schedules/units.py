"""A warm-up of half an epoch, counted in updates: the digits make 45 batches of 32, so five epochs are 225 updates."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train, train_images
from labml_nn_optim.schedules.units import RunLength
from labml_nn_optim.schedules.warmup import LinearWarmupCosineDecaySchedule

run = RunLength.of_epochs(5, len(train_images), 32)
print(run.total_steps, "updates, of which", run.steps(0.5, "epochs"), "are the warm-up")
assert run.total_steps == STEPS
schedule = LinearWarmupCosineDecaySchedule(max_value=0.01, warmup_steps=run.steps(0.5, "epochs"))
rates = [schedule.get_value(step, run.total_steps) for step in range(run.total_steps)]
print(bars(rates, 40))

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

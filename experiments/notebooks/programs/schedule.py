"""First the values of a schedule over 225 steps, then a run in which AdamW takes its rate from it, and one with a constant rate."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedules.wsd import WSDSchedule

schedule = WSDSchedule(max_value=0.01, warmup_steps=20, decay_percent=0.3)
rates = [schedule.get_value(step, STEPS) for step in range(STEPS)]
print(bars(rates, 40))
for step in range(0, STEPS, 32):
    print(f"step {step:3}: {rates[step]:.5f}")

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

model = new_network()
train("AdamW, constant 0.003", model, torch.optim.AdamW(model.parameters(), lr=0.003))

"""A dictionary, as it comes from a file, becomes a schedule, and a schedule becomes a dictionary."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedules.config import schedule_from_config, schedule_to_config

schedule = schedule_from_config({"kind": "wsd", "max_value": "1e-2", "warmup_steps": 10})
print(schedule_to_config(schedule))
rates = [schedule.get_value(step, STEPS) for step in range(STEPS)]
print(bars(rates, 40))

try:
    schedule_from_config({"kind": "wsd", "max_value": 0.01, "warmup": 10})
except (TypeError, ValueError) as error:
    print(error)

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

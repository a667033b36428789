"""A warm-up, then a cosine, and all of it clipped from below: three schedules make one, and AdamW takes its rate from that."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedules.combinators import ClippedSchedule, SequenceSchedule
from labml_nn_optim.schedules.progress import CosineDecreasingSchedule, LinearIncreasingSchedule

parts = [LinearIncreasingSchedule(max_value=0.01), CosineDecreasingSchedule(max_value=0.01)]
schedule = ClippedSchedule(SequenceSchedule(parts, milestones=[20]), low=0.001)
rates = [schedule.get_value(step, STEPS) for step in range(STEPS)]
print(bars(rates, 40))

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

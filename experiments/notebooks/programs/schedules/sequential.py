"""A warm-up for a tenth of the run, and a cosine for the rest, each given by the percent where it ends."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedules.progress import CosineDecreasingSchedule, LinearIncreasingSchedule
from labml_nn_optim.schedules.sequential import (
    SequentialPercentSchedule,
    SequentialPercentScheduleConfig,
)

rise = LinearIncreasingSchedule(max_value=0.01)
fall = CosineDecreasingSchedule(max_value=0.01)
schedule = SequentialPercentSchedule(
    [
        SequentialPercentScheduleConfig(rise, end_percent=0.1),
        SequentialPercentScheduleConfig(fall),
    ]
)
rates = [schedule.get_value(step, STEPS) for step in range(STEPS)]
print(bars(rates, 40))

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

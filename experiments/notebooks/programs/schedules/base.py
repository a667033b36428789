"""A schedule is a class with one formula. The base class checks its fields and what it is asked for."""

from dataclasses import field

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedules.base import ScheduleBase


class QuadraticSchedule(ScheduleBase):
    """A square that falls from `max_value` to 0."""

    max_value: float = field()

    def _get_value(self, step, total_steps):
        return self.max_value * (1 - step / total_steps) ** 2


schedule = QuadraticSchedule(max_value=0.01)
rates = [schedule.get_value(step, STEPS) for step in range(STEPS)]
print(bars(rates, 40))
try:
    schedule.get_value(-1, STEPS)
except ValueError as error:
    print(error)

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates.__getitem__)
train("AdamW, this schedule", model, optimizer, lambda done: scheduler.step())

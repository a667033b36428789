"""One scheduler writes the rate of AdamW, and another one its decay. Both are stepped after the optimizer."""

import torch

from experiments.notebooks.programs.digits import STEPS, bars, new_network, train
from labml_nn_optim.schedulers.scheduler import Scheduler
from labml_nn_optim.schedules.progress import LinearIncreasingSchedule
from labml_nn_optim.schedules.wsd import WSDSchedule

model = new_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
schedule = WSDSchedule(max_value=0.01, warmup_steps=10, decay_percent=0.3)
rate = Scheduler(optimizer, schedule, total_steps=STEPS)
decay = Scheduler(
    optimizer, LinearIncreasingSchedule(max_value=0.1), key="weight_decay", total_steps=STEPS
)
rates, decays = [], []


def after_step(done: int) -> None:
    """Step both schedulers, and note what they have written."""
    rate.step()
    decay.step()
    rates.append(optimizer.param_groups[0]["lr"])
    decays.append(optimizer.param_groups[0]["weight_decay"])


train("AdamW, two schedulers", model, optimizer, after_step)
print("rate ", bars(rates, 40))
print("decay", bars(decays, 40))

"""AdamW trains the network with one group and saves. An optimizer with two groups, in another order, goes on from there."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.named_state import load_state_dict_by_name

model = new_network()
first = torch.optim.AdamW(model.named_parameters(), lr=0.001)
train("first half", model, first)

named = dict(model.named_parameters())
groups = [
    {"params": [(name, named[name]) for name in named if "bias" in name], "weight_decay": 0.0},
    {"params": [(name, named[name]) for name in named if "weight" in name]},
]
second = torch.optim.AdamW(groups, lr=0.001)
load_state_dict_by_name(second, first.state_dict())
for name, param in named.items():
    moved = torch.equal(second.state[param]["exp_avg"], first.state[param]["exp_avg"])
    print(f"{name:10} has its own average: {moved}")
train("second half", model, second)

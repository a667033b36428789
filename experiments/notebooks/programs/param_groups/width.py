"""The network has 64 hidden units. Its rates were searched for with 16: matrices whose inputs have grown get smaller rates."""

import torch
from torch import nn

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.report import describe
from labml_nn_optim.param_groups.width import WidthScaling

model = new_network()
base = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
groups = param_groups(model, [WidthScaling(base)], lr=0.003, weight_decay=0.1)
describe(groups)
train("AdamW with these groups", model, torch.optim.AdamW(groups))

model = new_network()
train("AdamW with one group", model, torch.optim.AdamW(model.parameters(), lr=0.003))

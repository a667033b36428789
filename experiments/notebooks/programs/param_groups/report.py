"""The table of the groups, with a layer that is frozen."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.report import describe
from labml_nn_optim.param_groups.rules import Rule

model = new_network()
rules = [Rule("0.*", freeze=True), Rule("2.bias", lr_scale=2, tags="last")]
groups = param_groups(model, rules, lr=0.003, weight_decay=0.1)
describe(groups)
train("AdamW with these groups", model, torch.optim.AdamW(groups))

model = new_network()
train("AdamW with one group", model, torch.optim.AdamW(model.parameters(), lr=0.003))

"""A modifier in the words of noether: the output layer is five times as fast."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.modifiers import LrScaleByNameModifier, WeightDecayByNameModifier
from labml_nn_optim.param_groups.report import describe

model = new_network()
rules = [LrScaleByNameModifier("2.weight", 5.0), WeightDecayByNameModifier("2.bias", 0.01)]
groups = param_groups(model, rules, lr=0.003, weight_decay=0.1)
describe(groups)
train("AdamW with these groups", model, torch.optim.AdamW(groups))

model = new_network()
train("AdamW with one group", model, torch.optim.AdamW(model.parameters(), lr=0.003))

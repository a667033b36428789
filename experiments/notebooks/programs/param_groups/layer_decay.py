"""The first layer gets half the rate of the second."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.layer_decay import LayerDecay
from labml_nn_optim.param_groups.report import describe

model = new_network()
groups = param_groups(model, [LayerDecay(0.5)], lr=0.003, weight_decay=0.1)
describe(groups)
train("AdamW with these groups", model, torch.optim.AdamW(groups))

model = new_network()
train("AdamW with one group", model, torch.optim.AdamW(model.parameters(), lr=0.003))

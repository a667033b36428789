"""Which parameters of the network the two selectors find, and the groups that come of it."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.no_decay import Biases, Normalization
from labml_nn_optim.param_groups.report import describe
from labml_nn_optim.param_groups.selectors import ParameterTable

model = new_network()
table = ParameterTable(model)
for selector in (Biases(), Normalization()):
    print(selector, [table.names[row] for row in sorted(selector.select(table))])
groups = param_groups(model, lr=0.003, weight_decay=0.1)
describe(groups)
train("AdamW with these groups", model, torch.optim.AdamW(groups))

model = new_network()
train("AdamW with one group", model, torch.optim.AdamW(model.parameters(), lr=0.003))

"""Muon for the matrix of the hidden layer, AdamW for the rest, and one optimizer that steps both."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.optimizers.muon import Muon
from labml_nn_optim.param_groups.composite import CompositeOptimizer, split_by_tag
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.rules import Rule

model = new_network()
groups = param_groups(model, [Rule("0.weight", tags="matrix")], lr=0.003, weight_decay=0.1)
matrices, others = split_by_tag(groups, "matrix")
optimizer = CompositeOptimizer([Muon(matrices, adjust_lr_fn="match_rms_adamw"), AdamW(others)])
train("Muon and AdamW", model, optimizer)

model = new_network()
train("AdamW alone", model, AdamW(model.parameters(), lr=0.003, weight_decay=0.1))

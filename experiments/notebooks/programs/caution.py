"""A step of caution by hand: what the gradient contradicts is left out, and the rest is made longer, so that the mean length stays."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.caution import Caution
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

caution = Caution(WeightDecay(0.0))
param, grad = torch.ones(1, 4), torch.tensor([[1.0, -1.0, 1.0, -1.0]])
group = {"lr": 0.1} | WeightDecay(0.0).defaults()
caution.begin({})
caution(param, grad, group)
param.add_(torch.full((1, 4), -0.1))
caution.finish(param)
print(param)

for cautious in (False, True):
    model = new_network()
    optimizer = AdamW(model.parameters(), lr=0.003, cautious=cautious)
    train(f"AdamW, cautious={cautious}", model, optimizer)

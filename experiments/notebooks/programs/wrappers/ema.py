"""The average of the weights is looked at in place of the last ones. The rate is high, so that there is noise to average."""

import torch

from experiments.notebooks.programs.digits import learn, new_network, report
from labml_nn_optim.wrappers.ema import EMA

model = new_network()
optimizer = EMA(torch.optim.AdamW(model.parameters(), lr=0.03), decay=0.9)
losses = learn(model, optimizer)
report("the weights", model, losses)
with optimizer.applied():
    report("their average", model, losses)

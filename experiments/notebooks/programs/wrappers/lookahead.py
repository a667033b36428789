"""AdamW at a high rate, alone and with slow weights that go half of the way every five steps."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.wrappers.lookahead import Lookahead

model = new_network()
optimizer = Lookahead(torch.optim.AdamW(model.parameters(), lr=0.03), k=5, alpha=0.5)
train("AdamW with Lookahead", model, optimizer)

model = new_network()
train("AdamW alone", model, torch.optim.AdamW(model.parameters(), lr=0.03))

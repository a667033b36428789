"""The class above trains the network, and then torch's AdamW does, from the same weights and with the same batches.
The learning rate is the best of the runs on MNIST, which are longer.
"""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.optimizers.adam import Adam

model = new_network()
train("Adam", model, Adam(model.parameters(), lr=0.003))

model = new_network()
train("torch's AdamW", model, torch.optim.AdamW(model.parameters(), lr=0.003))

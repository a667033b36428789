r"""The same $\lambda$ as a factor of decay and as a division. How long is the vector of all weights in the end?"""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.decays.proximal import ProximalWeightDecay
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

for decay in (ProximalWeightDecay(0.3), WeightDecay(0.3)):
    model = new_network()
    optimizer = AdamW(model.parameters(), lr=0.003, weight_decay=decay)
    train(type(decay).__name__, model, optimizer)
    length = torch.cat([param.detach().flatten() for param in model.parameters()]).norm()
    print(f"    length of the weights: {length:.3f}")

"""A thousand weights of 1 in bfloat16, and to each 0.001 is added: to the nearest neighbour, all stay where they are. By chance an eighth of them
moves, eight times as far, and the mean is right. Then the network is trained in bfloat16, with both repairs and without.
"""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.rounding import round_by_chance

values = torch.full((1000,), 1.001)
places = torch.arange(1000, dtype=torch.int32)
print("to the nearest:", values.to(torch.bfloat16).double().mean().item())
by_chance = round_by_chance(values.clone(), places, 1, torch.bfloat16)
print("by chance:", round(by_chance.double().mean().item(), 5))

for rounding in ("nearest", "stochastic", "kahan"):
    model = new_network().bfloat16()
    optimizer = AdamW(model.parameters(), lr=0.0003, rounding=rounding)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        train(rounding, model, optimizer)

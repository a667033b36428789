"""Signs of noisy gradients mean little, so all images are one batch."""

import torch

from experiments.notebooks.programs.digits import loss_of, new_network, report, train_images
from labml_nn_optim.optimizers.rprop import Rprop

everything = torch.arange(len(train_images))
makers = {
    "Rprop": lambda model: Rprop(model.parameters(), lr=0.01),
    "torch's AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.003),
}
for name, make in makers.items():
    model = new_network()
    optimizer = make(model)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = loss_of(model, everything)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    report(name, model, losses)

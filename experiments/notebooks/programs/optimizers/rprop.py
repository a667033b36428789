"""Signs of noisy gradients mean little, so all images are one batch."""

import torch

from experiments.notebooks.programs.digits import learn, new_network, report, train_images
from labml_nn_optim.optimizers.rprop import Rprop

everything = torch.arange(len(train_images))
makers = {
    "Rprop": lambda model: Rprop(model.parameters(), lr=0.01),
    "torch's AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.003),
}
for name, make in makers.items():
    model = new_network()
    report(name, model, learn(model, make(model), [everything] * 40))

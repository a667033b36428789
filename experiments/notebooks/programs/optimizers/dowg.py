"""DoWG finds its rate from how far it has gone, and with small batches the noise takes this network too far. So all images are one batch."""

import torch

from experiments.notebooks.programs.digits import learn, new_network, report, train_images
from labml_nn_optim.optimizers.dowg import DoWG

everything = torch.arange(len(train_images))
makers = {
    "DoWG": lambda model: DoWG(model.parameters()),
    "torch's AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.003),
}
for name, make in makers.items():
    model = new_network()
    report(name, model, learn(model, make(model), [everything] * 150))

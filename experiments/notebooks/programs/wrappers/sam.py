"""Each step takes the gradient twice, so it needs a closure. The second gradient is taken where the loss is highest nearby."""

import torch

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network, report, train
from labml_nn_optim.wrappers.sam import SAM

model = new_network()
optimizer = SAM(torch.optim.AdamW(model.parameters(), lr=0.003), rho=0.05)
losses = []
for batch in digit_batches():

    def closure(batch=batch):
        """Return the loss of the batch, with its gradients."""
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        return loss

    losses.append(optimizer.step(closure).item())
report("AdamW with SAM", model, losses)

model = new_network()
train("AdamW alone", model, torch.optim.AdamW(model.parameters(), lr=0.003))

"""Every tenth step the curvature is estimated from labels that the network draws itself. In so short a run nearly all elements are clipped, so the path is
that of [Signum](signum.py).
"""

import torch
from torch.nn import functional

from experiments.notebooks.programs.digits import (
    digit_batches,
    loss_of,
    new_network,
    report,
    train,
    train_images,
)
from labml_nn_optim.optimizers.sophia import Sophia

model = new_network()
optimizer = Sophia(model.parameters(), lr=0.001)
losses = []
for step, batch in enumerate(digit_batches()):
    if step % 10 == 0:
        logits = model(train_images[batch])
        drawn = torch.distributions.Categorical(logits=logits).sample()
        optimizer.zero_grad()
        functional.cross_entropy(logits, drawn).backward()
        optimizer.update_hessian(n_tokens=len(batch))
    optimizer.zero_grad()
    loss = loss_of(model, batch)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
report("Sophia", model, losses)

model = new_network()
train("torch's AdamW", model, torch.optim.AdamW(model.parameters(), lr=0.003))

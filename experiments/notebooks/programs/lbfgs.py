"""A step evaluates the loss several times, so it takes a closure. All images are one batch: a line search needs a loss that stays the same."""

import torch

from experiments.notebooks.programs.digits import loss_of, new_network, report, train, train_images
from labml_nn_optim.lbfgs import LBFGS

model = new_network()
optimizer = LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
everything = torch.arange(len(train_images))


def closure():
    """Return the loss of all training images, with its gradients."""
    optimizer.zero_grad()
    loss = loss_of(model, everything)
    loss.backward()
    return loss


losses = [optimizer.step(closure).item() for _ in range(10)]
report("L-BFGS, 10 steps", model, losses)

model = new_network()
train("torch's AdamW", model, torch.optim.AdamW(model.parameters(), lr=0.003))

"""The gradient of the first layer has few large singular values and many small ones. Orthogonalized, all of them are near 1. Then each weight matrix moves along its
orthogonalized gradient, which is most of what Muon does.
"""

import torch

from experiments.notebooks.programs.digits import bars, digit_batches, loss_of, new_network, report
from labml_nn_optim.orthogonal import orthogonalize, polar_express

model = new_network()
loss_of(model, next(digit_batches())).backward()
gradient = model[0].weight.grad
for matrix in (gradient, orthogonalize(gradient, polar_express(5))):
    values = torch.linalg.svdvals(matrix)
    print(bars(values.tolist(), 32), f"{values[-1]:.6f} to {values[0]:.3f}")

losses = []
for batch in digit_batches():
    model.zero_grad()
    loss = loss_of(model, batch)
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            update = (
                orthogonalize(param.grad, polar_express(5))
                if param.dim() == 2
                else param.grad.sign()
            )
            param.sub_(update, alpha=0.02)
    losses.append(loss.item())
report("orthogonalized", model, losses)

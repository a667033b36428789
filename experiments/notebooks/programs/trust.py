r"""The rate of each tensor is multiplied by the quotient of two norms, $\lVert\theta\rVert / \lVert g\rVert$. Where one of them is 0 the factor is 1."""

import torch

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network, report
from labml_nn_optim.trust import quotient

print(quotient(torch.tensor([2.0, 0.0, 2.0]), torch.tensor([4.0, 1.0, 0.0])))

model = new_network()
losses = []
for batch in digit_batches():
    model.zero_grad()
    loss = loss_of(model, batch)
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            ratio = quotient(param.norm(), param.grad.norm())
            param.sub_(param.grad * ratio, alpha=0.02)
    losses.append(loss.item())
report("with trust ratios", model, losses)

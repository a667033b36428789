r"""Plain gradient descent, where the decay is all that is added: it is called before each step, and shrinks the weights by the factor
$1 - \alpha\lambda$ or adds $\lambda\theta$ to the gradient. For this rule the two are the same, up to rounding.
"""

import torch

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network, report
from labml_nn_optim.weight_decay import WeightDecay

for decoupled in (True, False):
    decay = WeightDecay(0.01, weight_decouple=decoupled)
    group = {"lr": 0.5} | decay.defaults()
    model = new_network()
    losses = []
    for batch in digit_batches():
        model.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                grad = decay(param, param.grad, group)
                param.sub_(grad, alpha=group["lr"])
        losses.append(loss.item())
    report("decoupled" if decoupled else "in the gradient", model, losses)

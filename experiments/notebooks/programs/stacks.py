"""Normalized gradient descent: each tensor moves by the same length. Tensors of one shape lie on top of each other, and `norm_of_each` keeps them apart."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.base import GenericAdaptiveOptimizer
from labml_nn_optim.stacks import norm_of_each

print(norm_of_each(torch.tensor([[3.0, 4.0], [6.0, 8.0]])))


class NormalizedDescent(GenericAdaptiveOptimizer):
    """Moves each tensor by the learning rate, against its gradient."""

    elementwise = False
    beta_count = 0
    has_eps = False

    def step_param(self, state, group, grad, param):
        """Make the move."""
        param.sub_(grad.div(norm_of_each(grad).clamp_min(1e-12)).mul(group["lr"]))


model = new_network()
train("normalized", model, NormalizedDescent(model.parameters(), lr=0.1))

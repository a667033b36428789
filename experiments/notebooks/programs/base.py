"""A rule of one line becomes an optimizer: descent along the sign of the gradient."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.base import GenericAdaptiveOptimizer


class SignDescent(GenericAdaptiveOptimizer):
    """Moves every weight by the learning rate, against the sign of its gradient."""

    beta_count = 0
    has_eps = False

    def step_param(self, state, group, grad, param):
        """Make the move."""
        param.add_(grad.sign().mul(-group["lr"]))


model = new_network()
optimizer = SignDescent(model.parameters(), lr=0.003)
train("SignDescent", model, optimizer)
print(optimizer)

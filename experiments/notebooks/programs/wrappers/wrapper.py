"""A wrapper of a few lines, which clips the gradient before each step of the optimizer inside."""

import torch

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.wrappers.wrapper import Wrapper


class Clipped(Wrapper):
    """Clips the length of the gradient to 0.1."""

    def step(self, closure=None):
        """Clip, and make the step."""
        torch.nn.utils.clip_grad_norm_(list(self.params()), 0.1)
        return self.optimizer.step(closure)


model = new_network()
optimizer = Clipped(torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9))
train("SGD, clipped", model, optimizer)

model = new_network()
train("SGD alone", model, torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9))

r"""Gradient descent without a schedule, made from the class above: the rule moves $y$ and $z$, and the class does the averaging."""

from experiments.notebooks.programs.digits import learn, new_network, report
from labml_nn_optim.schedule_free import ScheduleFree, move


class Descent(ScheduleFree):
    """Schedule-free gradient descent."""

    has_eps = False
    beta_count = 1

    def interpolation(self, group):
        """Return how much of the average there is where gradients are taken."""
        return group["betas"][0]

    def step_param(self, state, group, grad, param):
        """Make the move."""
        move(param, state["z"], grad, group["lr"], group)


model = new_network()
optimizer = Descent(model.parameters(), lr=1.0, betas=(0.9,))
losses = learn(model, optimizer)
report("weights of the gradients", model, losses)
optimizer.eval()
report("averaged weights", model, losses)

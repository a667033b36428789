"""A plan for the four parameters of the network. The small ones are packed into one piece, and a change of a state makes the plan invalid."""

import torch

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network
from labml_nn_optim.plan import Layout, Plan

model = new_network()
loss_of(model, next(digit_batches())).backward()
params = list(model.parameters())
state = {param: {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(param)} for param in params}
plan = Plan(params, state, Layout(whole=False, stacked=False, chunk=2**16, pack=True))
for cohort in plan.cohorts:
    print([type(piece).__name__ for piece in cohort.pieces], "step", cohort.advance())
print("holds:", plan.holds(state))
state[params[0]]["exp_avg"] = torch.zeros_like(params[0])
print("holds with another state:", plan.holds(state))

"""The averaged weights are those to look at, so `eval` comes before the report. No schedule is needed: the rate is constant after ten steps."""

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network, report
from labml_nn_optim.optimizers.schedule_free_sgd import ScheduleFreeSGD

model = new_network()
optimizer = ScheduleFreeSGD(model.parameters(), lr=1.0, warmup=10)
losses = []
for batch in digit_batches():
    optimizer.zero_grad()
    loss = loss_of(model, batch)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
report("weights of the gradients", model, losses)
optimizer.eval()
report("averaged weights", model, losses)

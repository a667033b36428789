"""The averaged weights are those to look at, so `eval` comes before the report. No schedule is needed: the rate is constant after ten steps."""

from experiments.notebooks.programs.digits import learn, new_network, report
from labml_nn_optim.optimizers.schedule_free_sgd import ScheduleFreeSGD

model = new_network()
optimizer = ScheduleFreeSGD(model.parameters(), lr=1.0, warmup=10)
losses = learn(model, optimizer)
report("weights of the gradients", model, losses)
optimizer.eval()
report("averaged weights", model, losses)

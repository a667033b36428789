"""The same network for every tenth optimizer of the library, with the learning rate that each has by itself. The class is found by its name."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.registry import get_optimizer, optimizer_names, summary

names = [name for name in optimizer_names() if name.startswith("ada")]
for name in names[:5]:
    print(summary(name))
    model = new_network()
    train(name, model, get_optimizer(name)(model.parameters()))

try:
    get_optimizer("adamv")
except ValueError as error:
    print(error)

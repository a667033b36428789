"""One set of names for three optimizers. A name that does not exist is refused when it is set."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.configs import OptimizerConfigs

for name in ("Adam", "RAdam", "AdaBelief"):
    model = new_network()
    configs = OptimizerConfigs(model.parameters())
    configs.optimizer = name
    configs.learning_rate = 0.003
    train(name, model, configs.make())

try:
    configs.lr = 0.003
except AttributeError as error:
    print(error)

"""How deep each parameter lies in a network with three equal blocks."""

from torch import nn

from labml_nn_optim.param_groups.depth import find_layers

model = nn.Sequential(
    nn.Linear(64, 32), *(nn.Sequential(nn.Linear(32, 32), nn.ReLU()) for _ in range(3))
)
names = [name for name, _ in model.named_parameters()]
modules = [model.get_submodule(name.rpartition(".")[0]) for name in names]
layers = find_layers(model, names, modules)
print(layers)

"""What some selectors find in the network."""

from torch import nn

from experiments.notebooks.programs.digits import new_network
from labml_nn_optim.param_groups.selectors import Glob, ModuleType, Name, Ndim, ParameterTable

table = ParameterTable(new_network())
for selector in (Name("0.bias"), Glob("2.*"), Ndim(2), ModuleType(nn.Linear) & ~Glob("*.bias")):
    found = [table.names[row] for row in sorted(selector.select(table))]
    print(f"{selector!r:50} {found}")

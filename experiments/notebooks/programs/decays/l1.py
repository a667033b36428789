r"""How many of the weights of the first layer are exactly 0 after training, with this decay and with none?"""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.decays.l1 import L1WeightDecay
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

for decay in (L1WeightDecay(0.1), WeightDecay(0.0)):
    model = new_network()
    optimizer = AdamW(model.parameters(), lr=0.003, weight_decay=decay)
    train(type(decay).__name__, model, optimizer)
    zeros = (model[0].weight == 0).float().mean().item()
    print(f"    weights that are 0: {zeros:.1%}")

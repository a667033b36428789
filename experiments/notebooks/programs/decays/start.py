r"""How far does the first layer move away from its start, with this decay and with the usual one to zero?"""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.decays.start import WeightDecayToStart
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

for decay in (WeightDecayToStart(1.0), WeightDecay(1.0)):
    model = new_network()
    optimizer = AdamW(model.parameters(), lr=0.003, weight_decay=decay)
    train(type(decay).__name__, model, optimizer)
    moved = (model[0].weight - new_network()[0].weight).norm().item()
    print(f"    distance of the first layer from its start: {moved:.3f}")

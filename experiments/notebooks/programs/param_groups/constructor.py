"""mmpretrain's configuration makes an optimizer with a group for each parameter: the rate falls by layers."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.param_groups.constructor import LearningRateDecayOptimWrapperConstructor

constructor = LearningRateDecayOptimWrapperConstructor(
    {"optimizer": {"type": "AdamW", "lr": 0.003, "weight_decay": 0.05}},
    {"layer_decay_rate": 0.5},
)
model = new_network()
optimizer = constructor(model)
for group in optimizer.param_groups:
    print(f"{group['param_name']:10} lr {group['lr']:.5f}  decay {group['weight_decay']}")
train("AdamW with these groups", model, optimizer)

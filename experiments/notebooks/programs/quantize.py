"""Adam trains the network. Then its two moments of the first layer are stored in bytes and read back: a quarter of the memory, and this error."""

from experiments.notebooks.programs.digits import new_network, train
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.quantize import dequantize, quantize

model = new_network()
optimizer = Adam(model.parameters(), lr=0.003)
train("Adam", model, optimizer)

for name, signed in (("exp_avg", True), ("exp_avg_sq", False)):
    stack = optimizer.state[model[0].weight][name][None]
    codes, scales = quantize(stack, signed)
    again = dequantize(codes, scales, signed)
    error = (again - stack).abs().mean() / stack.abs().mean()
    size = codes.nbytes + scales.nbytes
    print(f"{name:10} {stack.nbytes} bytes -> {size} bytes, mean error {error:.2%}")

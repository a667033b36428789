"""Sums over all gradients of the network, in float64, beside those that are computed tensor by tensor."""

import torch

from experiments.notebooks.programs.digits import digit_batches, loss_of, new_network
from labml_nn_optim.pieces import TensorList
from labml_nn_optim.totals import dot, norm1, square

model = new_network()
loss_of(model, next(digit_batches())).backward()
gradients = TensorList([param.grad for param in model.parameters()])
weights = TensorList([param.detach() for param in model.parameters()])
flat_gradient = torch.cat([tensor.flatten() for tensor in gradients.tensors]).double()
flat_weights = torch.cat([tensor.flatten() for tensor in weights.tensors]).double()
print("dot   ", dot(gradients, weights).item(), torch.dot(flat_gradient, flat_weights).item())
print("norm1 ", norm1(gradients).item(), flat_gradient.abs().sum().item())
print("square", square(gradients).item(), flat_gradient.square().sum().item())

"""A tensor of a million elements is cut into parts that fit into a cache. Each part is a view: what is done to it is done to the tensor."""

import torch

from labml_nn_optim.pieces import Member, can_be_chunked, parts, working_dtype

param = torch.zeros(1000, 1000)
param.grad = torch.ones_like(param)
state = {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(param)}
member = Member(param, state)
print("can be cut:", can_be_chunked(member))
pieces = parts(member, limit=2**18)
for piece in pieces:
    operands = piece.load()
    operands.param.sub_(operands.grad)
print(f"{len(pieces)} parts, and every weight is now", param.unique().item())
print("bfloat16 is computed in", working_dtype(torch.bfloat16))

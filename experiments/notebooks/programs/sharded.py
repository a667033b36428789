"""On one process nothing is sharded, and the helpers leave plain tensors as they are. What a shard would change: its norm is not that of the whole."""

import torch

from labml_nn_optim.sharded import all_plain, is_distributed, local, require_runnable

param = torch.nn.Parameter(torch.ones(4, 3))
print("distributed:", is_distributed(param), " all plain:", all_plain([param]))
print("its own part is itself:", local(param) is param)
require_runnable([param], "Muon", elementwise=False, flat=False)

halves = param.detach().chunk(2)
print("norms of two shards:", [round(half.norm().item(), 3) for half in halves])
print("norm of the whole:", round(param.detach().norm().item(), 3))

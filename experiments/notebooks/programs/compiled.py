"""What a kernel may know for good, and what it gets as numbers, for a group of AdamW: when `lr` changes, only a number does, and nothing is
compiled again. A decay of 0 is known for good, so its line costs nothing.
"""

import torch

from labml_nn_optim.compiled import fill_numbers, split_numbers
from labml_nn_optim.optimizers.adamw import AdamW

optimizer = AdamW(torch.nn.Linear(4, 2).parameters(), lr=0.003)
group = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
skeleton, numbers = split_numbers(group, frozenset())
for name, kept in skeleton:
    print(f"{name:18} {kept}")
print(numbers)
again = fill_numbers(skeleton, [torch.tensor(number) for number in numbers])
print("lr", again["lr"], "betas", again["betas"])

group["lr"] = 0.001
assert split_numbers(group, frozenset())[0] == skeleton

"""What each of two processes does for `test_two_processes.py`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.tensor import Replicate, Shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from labml_nn_optim import EMA, SAM, SGD, AdamW, Lookahead
from labml_nn_optim.wrappers import Wrapper
from tests.labml_nn_optim.examples import largest_difference
from tests.labml_nn_optim.sharded_processes import placed, sharded, whole
from tests.labml_nn_optim.two_processes import report

Around = Callable[[Optimizer], Wrapper]
AROUND: dict[str, Around] = {
    "SAM": lambda inside: SAM(inside, rho=0.5),
    "ASAM": lambda inside: SAM(inside, rho=0.5, adaptive=True),
    "Lookahead": lambda inside: Lookahead(inside, k=2),
    "EMA": lambda inside: EMA(inside, decay=0.5),
    "all": lambda inside: SAM(EMA(Lookahead(inside, k=2), decay=0.5), rho=0.5),
}
MODELS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "shards": sharded,
    "replicas": lambda model: DistributedDataParallel(copy.deepcopy(model)),
}
BATCH = torch.randn(8, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def network() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)).double()


def wrapped(around: Around, model: nn.Module) -> Wrapper:
    return around(AdamW(model.parameters(), lr=0.01, weight_decay=0.1))


def own_half() -> Tensor:
    return BATCH.chunk(2)[dist.get_rank()]


def train(wrapper: Wrapper, model: nn.Module, batch: Tensor, steps: int) -> None:
    def closure() -> float:
        wrapper.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        return loss.item()

    for _ in range(steps):
        wrapper.step(closure)


def kept_by(wrapper: Optimizer) -> list[Tensor]:
    """What wrappers keep for the parameters, from outside in, all of it in every process."""
    found: list[Tensor] = []
    while isinstance(wrapper, Wrapper):
        kept = (getattr(wrapper, name) for name in wrapper.kept if name != "count")
        found += [whole(each[param]) for each in kept for param in wrapper.params()]
        wrapper = wrapper.optimizer
    return found


def weights(params: Iterable[Tensor]) -> list[Tensor]:
    # A replica is handed out as it is: it is copied, so that it stays what it is now.
    return [whole(param).clone() for param in params]


def difference(left: Wrapper, right: Wrapper) -> float:
    return max(
        largest_difference(weights(left.params()), weights(right.params())),
        largest_difference(kept_by(left), kept_by(right)),
    )


# ## What is compared
def half_a_batch_each(around: Around, spread: Callable[[nn.Module], nn.Module]) -> float:
    """Two processes with half of the batch each against one with all of it."""
    plain = network()
    shared = spread(plain)
    one, two = wrapped(around, plain), wrapped(around, shared)
    train(one, plain, BATCH, 5)
    train(two, shared, own_half(), 5)
    return difference(two, one)


def goes_on_from_plain(around: Around) -> float:
    """Shards take over what one process has kept."""
    plain = network()
    one = wrapped(around, plain)
    train(one, plain, BATCH, 3)
    shared = sharded(plain)
    two = wrapped(around, shared)
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    train(one, plain, BATCH, 3)
    train(two, shared, own_half(), 3)
    return difference(two, one)


def goes_on_from_shards(around: Around, folder: Path) -> float:
    """Shards go on from a checkpoint of shards, and are filled in place as torch's loading does it."""
    shared, again = sharded(network()), sharded(network())
    two, resumed = wrapped(around, shared), wrapped(around, again)
    train(two, shared, own_half(), 3)
    dcp.save({"model": shared.state_dict(), "optimizer": two.state_dict()}, checkpoint_id=folder)
    # What is to be filled is there after a step.
    train(resumed, again, own_half(), 1)
    content = {"model": again.state_dict(), "optimizer": resumed.state_dict()}
    dcp.load(content, checkpoint_id=folder)
    again.load_state_dict(content["model"])
    resumed.load_state_dict(content["optimizer"])
    train(two, shared, own_half(), 3)
    train(resumed, again, own_half(), 3)
    return difference(resumed, two)


def of_all_kinds(around: Around) -> float:
    """A wrapper over parameters that are cut in either direction, replicated, and plain."""
    shared = [
        placed((4, 6), [Shard(0)]),
        placed((4, 6), [Replicate()]),
        placed((4, 6), [Shard(1)]),
        nn.Parameter(torch.ones(3, dtype=torch.float64)),
    ]
    plain = [nn.Parameter(each) for each in weights(shared)]
    wrappers = []
    for params in (plain, shared):
        wrapper = around(SGD(params, lr=0.1))

        def closure(params: list[nn.Parameter] = params) -> float:
            for param in params:
                param.grad = param.detach().clone()
            return 0.0

        for _ in range(4):
            wrapper.step(closure)
        wrappers.append(wrapper)
    return difference(*wrappers)


def each_goes_up_by_its_own() -> float:
    """The first pass under `no_sync`, against one process that takes the two halves one after the other."""
    plain = network()
    shared = DistributedDataParallel(copy.deepcopy(plain))
    two = SAM(SGD(shared.parameters(), lr=0.1), rho=0.5)
    with shared.no_sync():
        shared(own_half()).square().mean().backward()
    two.ascend()
    two.zero_grad()
    shared(own_half()).square().mean().backward()
    two.descend()

    one = SAM(SGD(plain.parameters(), lr=0.1), rho=0.5)
    params = list(plain.parameters())
    total = [torch.zeros_like(param) for param in params]
    for half in BATCH.chunk(2):
        for move in (one.ascend, one.come_back):
            one.zero_grad()
            plain(half).square().mean().backward()
            move()
        for mean, param in zip(total, params, strict=True):
            mean.add_(param.grad, alpha=0.5)
    for mean, param in zip(total, params, strict=True):
        param.grad = mean
    one.optimizer.step()
    return difference(two, one)


def everything(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, around in AROUND.items():
        for label, spread in MODELS.items():
            found[f"{label} {name}"] = half_a_batch_each(around, spread)
        found[f"from plain {name}"] = goes_on_from_plain(around)
        found[f"from shards {name}"] = goes_on_from_shards(around, folder / name)
        found[f"of all kinds {name}"] = of_all_kinds(around)
    found["no sync"] = each_goes_up_by_its_own()
    return found


if __name__ == "__main__":
    report(everything)

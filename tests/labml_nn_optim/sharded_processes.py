"""What each of two processes does for `test_sharded.py`; the first one writes what came out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import (
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
    init_device_mesh,
)

from labml_nn_optim import (
    AdamW,
    ScheduleFreeAdamW,
    Sophia,
    StableAdamW,
    WeightDecay,
    get_optimizer,
)
from labml_nn_optim.decays.cautious import CautiousWeightDecay
from labml_nn_optim.decays.l1 import L1WeightDecay
from labml_nn_optim.decays.start import WeightDecayToStart
from labml_nn_optim.param_groups import CompositeOptimizer, describe, param_groups
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import LinearDecreasingSchedule
from tests.labml_nn_optim.examples import NAMES, largest_difference, make, noisy_gradient
from tests.labml_nn_optim.two_processes import report

# Over two processes: even, uneven, one row and so nothing in the second process, large.
SHAPES: list[tuple[int, ...]] = [(4, 6), (5,), (1,), (3, 2, 2), (400, 170)]
ELEMENTWISE = [name for name in NAMES if get_optimizer(name).elementwise]
WHOLE = [name for name in NAMES if not get_optimizer(name).elementwise]
DECAYS: dict[str, WeightDecay] = {
    "plain": WeightDecay(0.1),
    "coupled": WeightDecay(0.1, weight_decouple=False),
    "cautious": CautiousWeightDecay(0.1),
    "l1": L1WeightDecay(0.1),
    "start": WeightDecayToStart(0.1),
}
# With nothing but averages, with a single number, with a method of its own.
SAVED = ("adam", "nadam", "sophia")


class Model(nn.Module):
    """A module that owns parameters of these shapes, and computes nothing."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))
            for shape in SHAPES
        )


def spread_like(whole: Tensor, param: Tensor) -> Tensor:
    if isinstance(param, DTensor):
        return distribute_tensor(whole, param.device_mesh, param.placements, src_data_rank=None)
    return whole


def whole(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.clone()


def steps(optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    """Make steps with gradients that depend on the step and the place of the parameter."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in range(first, last + 1):
        for index, param in enumerate(params):
            like = torch.zeros(param.shape, dtype=param.dtype)
            param.grad = spread_like(noisy_gradient(like, step, index), param)
        if isinstance(optimizer, Sophia):
            optimizer.update_hessian(n_tokens=4)
        optimizer.step()


def difference(left: nn.Module, right: nn.Module) -> float:
    return largest_difference(
        [whole(param) for param in left.parameters()],
        [whole(param) for param in right.parameters()],
    )


def sharded(model: nn.Module) -> nn.Module:
    found = copy.deepcopy(model)
    fully_shard(found)
    return found


def refusal(action: Callable[[], Any]) -> str:
    try:
        action()
    except ValueError as error:
        return str(error)
    return ""


# ## What is compared
def same_steps(name: str, dtype: torch.dtype = torch.float64, **arguments: Any) -> float:
    plain = Model(dtype)
    spread = sharded(plain)
    arguments = {"lr": 0.02} | arguments
    steps(make(name, plain.parameters(), **arguments), 1, 4)
    optimizer = make(name, spread.parameters(), **arguments)
    steps(optimizer, 1, 4)
    numbers = {"step", *get_optimizer(name).scalar_state}
    for param, own in optimizer.state.items():
        for key, value in own.items():
            assert isinstance(value, DTensor) is (key not in numbers), key
            assert key in numbers or value.placements == param.placements, key
            assert key in numbers or value.shape == param.shape, key
    return difference(spread, plain)


def goes_on_from_plain(name: str, dtype: torch.dtype = torch.float64) -> float:
    plain = Model(dtype)
    before = make(name, plain.parameters(), lr=0.02, weight_decay=0.1)
    steps(before, 1, 3)
    spread = sharded(plain)
    resumed = make(name, spread.parameters(), lr=0.5)
    # torch's loading shares the counts of steps with what it loads.
    resumed.load_state_dict(copy.deepcopy(before.state_dict()))
    for param, own in resumed.state.items():
        # No process keeps more than its part in memory.
        for value in filter(lambda value: isinstance(value, DTensor), own.values()):
            kept, part = value.to_local(), param.to_local()
            assert kept.untyped_storage().nbytes() == kept.itemsize * part.numel()
    steps(before, 4, 6)
    steps(resumed, 4, 6)
    return difference(spread, plain)


def goes_on_in_other_order() -> float:
    plain, spread = Model(), sharded(Model())
    named = list(spread.named_parameters())
    before, straight = AdamW(named, lr=0.02), AdamW(plain.named_parameters(), lr=0.02)
    steps(straight, 1, 4)
    steps(before, 1, 3)
    resumed = AdamW(named[::-1], lr=0.02)
    resumed.load_state_dict(before.state_dict())
    for index, (_, param) in enumerate(named):
        like = torch.zeros(param.shape, dtype=param.dtype)
        param.grad = spread_like(noisy_gradient(like, 4, index), param)
    resumed.step()
    return difference(spread, plain)


def scheduled() -> float:
    plain, spread = Model(), sharded(Model())
    for model in (plain, spread):
        optimizer = AdamW(model.parameters(), lr=0.02)
        scheduler = Scheduler(optimizer, LinearDecreasingSchedule(max_value=0.02), total_steps=4)
        for step in range(1, 5):
            steps(optimizer, step, step)
            scheduler.step()
    return difference(spread, plain)


def goes_on_in_plain(name: str) -> float:
    plain, spread = Model(), sharded(Model())
    straight = make(name, plain.parameters(), lr=0.02, weight_decay=0.1)
    before = make(name, spread.parameters(), lr=0.02, weight_decay=0.1)
    steps(straight, 1, 6)
    steps(before, 1, 3)
    saved = get_optimizer_state_dict(
        spread, before, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=False)
    )
    resumed_model = Model()
    for param, trained in zip(resumed_model.parameters(), spread.parameters(), strict=True):
        param.data.copy_(whole(trained))
    resumed = make(name, resumed_model.parameters(), lr=0.5)
    # The options say that the first process alone gets what is whole.
    everywhere = [saved]
    dist.broadcast_object_list(everywhere)
    set_optimizer_state_dict(resumed_model, resumed, everywhere[0])
    steps(resumed, 4, 6)
    return difference(resumed_model, plain)


def content_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {"model": model.state_dict(), "optimizer": get_optimizer_state_dict(model, optimizer)}


def save(model: nn.Module, name: str, folder: Path, alone: bool) -> None:
    optimizer = make(name, model.parameters(), lr=0.02, weight_decay=0.1)
    steps(optimizer, 1, 3)
    content = content_of(model, optimizer)
    if not alone or dist.get_rank() == 0:
        dcp.save(content, checkpoint_id=folder, no_dist=alone)
    dist.barrier()


def load(model: nn.Module, name: str, folder: Path, alone: bool) -> float:
    """Load what was saved after three steps, make three more, and compare with six in a row."""
    straight = Model()
    steps(make(name, straight.parameters(), lr=0.02, weight_decay=0.1), 1, 6)
    optimizer = make(name, model.parameters(), lr=0.5)
    content = content_of(model, optimizer)
    dcp.load(content, checkpoint_id=folder, no_dist=alone)
    model.load_state_dict(content["model"])
    set_optimizer_state_dict(model, optimizer, content["optimizer"])
    steps(optimizer, 4, 6)
    return difference(model, straight)


def modes(dtype: torch.dtype = torch.float64) -> list[float]:
    """Change the mode of a schedule-free optimizer back and forth between steps."""
    plain = Model(dtype)
    spread = sharded(plain)
    optimizers = [ScheduleFreeAdamW(model.parameters(), lr=0.02) for model in (plain, spread)]
    found = []
    for first, change in ((1, "eval"), (4, "train"), (4, "eval")):
        for optimizer in optimizers:
            if change == "eval":
                steps(optimizer, first, first + 2)
            getattr(optimizer, change)()
        found.append(difference(spread, plain))
    return found


def trained_by_autograd() -> float:
    """Two processes with half of the batch each against one with all of it."""
    torch.manual_seed(2)
    plain = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    spread = sharded(plain)
    inputs, rank = torch.randn(8, 6, dtype=torch.float64), dist.get_rank()
    half = inputs.chunk(2)[rank]
    for model, batch in ((plain, inputs), (spread, half)):
        groups = param_groups(model, lr=0.01, weight_decay=0.1)
        optimizer = AdamW(groups)
        for _ in range(4):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
    return difference(spread, plain)


def groups_of(model: nn.Module) -> list[dict[str, Any]]:
    groups = param_groups(model, lr=0.01, weight_decay=0.1)
    return [
        {key: value for key, value in group.items() if key != "params"}
        | {"shapes": [list(param.shape) for param in group["params"]]}
        for group in groups
    ]


def same_groups() -> bool:
    model = nn.Sequential(nn.Linear(6, 9), nn.LayerNorm(9), nn.Linear(9, 3))
    spread = copy.deepcopy(model)
    for layer in spread:
        fully_shard(layer)
    fully_shard(spread)
    alike = describe(param_groups(model)) == describe(param_groups(spread))
    return alike and groups_of(model) == groups_of(spread)


def placed(shape: tuple[int, ...], placements: list[Any], **mesh: Any) -> nn.Parameter:
    on = init_device_mesh("cpu", **({"mesh_shape": (2,)} | mesh))
    tensor = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(shape)
    return nn.Parameter(distribute_tensor(tensor, on, placements, src_data_rank=None))


def same_steps_of_one(name: str, param: nn.Parameter) -> float:
    plain = nn.Parameter(whole(param))
    steps(make(name, [plain], lr=0.02, weight_decay=0.1), 1, 4)
    steps(make(name, [param], lr=0.02, weight_decay=0.1), 1, 4)
    return largest_difference([whole(param)], [whole(plain)])


def composite() -> float:
    """Two optimizers in one go on from their own checkpoint."""

    def parts(model: nn.Module) -> CompositeOptimizer:
        first, *others = model.parameters()
        return CompositeOptimizer([AdamW([first], lr=0.02), Sophia(others, lr=0.01)])

    plain, spread = Model(), sharded(Model())
    straight, before = parts(plain), parts(spread)
    steps(straight, 1, 6)
    steps(before, 1, 3)
    resumed = parts(spread)
    resumed.load_state_dict(before.state_dict())
    steps(resumed, 4, 6)
    return difference(spread, plain)


def partial_gradient() -> float:
    """Each process has a term of the gradient, which is their sum."""
    param = placed((4, 6), [Replicate()])
    plain = nn.Parameter(whole(param))
    term = torch.full((4, 6), float(dist.get_rank() + 1), dtype=torch.float64)
    param.grad = DTensor.from_local(term, param.device_mesh, [Partial()])
    plain.grad = torch.full_like(plain, 3.0)
    for each in (param, plain):
        make("sgd", [each], lr=0.1).step()
    return largest_difference([whole(param)], [whole(plain)])


def refused_late() -> str:
    """A sharded parameter takes the place of a plain one after the optimizer was made."""
    optimizer = StableAdamW([nn.Parameter(torch.ones(4, 6, dtype=torch.float64))])
    optimizer.param_groups[0]["params"] = [placed((4, 6), [Shard(0)])]
    return refusal(lambda: steps(optimizer, 1, 1))


def plain_gradient() -> str:
    param = placed((4, 6), [Shard(0)])
    optimizer = AdamW([param])
    param.grad = torch.ones(4, 6, dtype=torch.float64)
    return refusal(optimizer.step)


def group_refused_and_dropped() -> list[Any]:
    optimizer = StableAdamW([nn.Parameter(torch.ones(2))])
    group = {"params": [placed((4, 6), [Shard(0)])]}
    return [refusal(lambda: optimizer.add_param_group(group)), len(optimizer.param_groups)]


def everything(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ELEMENTWISE:
        for way in ("pieces", "per_tensor"):
            options = {"per_tensor": way == "per_tensor"}
            found[f"{way} {name}"] = same_steps(name, weight_decay=0.1, **options)
        found[f"half {name}"] = same_steps(name, torch.bfloat16, weight_decay=0.1)
        found[f"from plain {name}"] = goes_on_from_plain(name)
        found[f"in plain {name}"] = goes_on_in_plain(name)
    for name in SAVED:
        save(sharded(Model()), name, folder / f"two_{name}", alone=False)
        save(Model(), name, folder / f"one_{name}", alone=True)
        found[f"load {name}"] = load(sharded(Model()), name, folder / f"one_{name}", alone=False)
    for label, decay in DECAYS.items():
        found[f"decay {label}"] = same_steps("adamw", weight_decay=decay)
    found["master"] = goes_on_from_plain("adam_fp16", torch.bfloat16)
    found["by name"] = goes_on_in_other_order()
    found["scheduled"] = scheduled()
    found["modes"] = modes()
    found["modes half"] = modes(torch.bfloat16)
    found["compile"] = same_steps("adamw", compile=True)
    found["autograd"] = trained_by_autograd()
    found["groups"] = same_groups()
    flat = placed((4, 6), [Shard(0)])
    found["flat"] = refusal(lambda: AdamW([flat], flat=True))
    for name in WHOLE:
        found[f"replicate {name}"] = same_steps_of_one(name, placed((4, 6), [Replicate()]))
        found[f"refuse {name}"] = refusal(lambda name=name: make(name, [flat]))
    grid = {"mesh_shape": (2, 1), "mesh_dim_names": ("rows", "columns")}
    found["grid"] = same_steps_of_one("adamw", placed((4, 6), [Shard(0), Shard(1)], **grid))
    for name in WHOLE:
        alone = placed((4, 6), [Replicate(), Shard(1)], **grid)
        found[f"undivided {name}"] = same_steps_of_one(name, alone)
    found["composite"] = composite()
    found["columns"] = same_steps_of_one("adamw", placed((4, 6), [Shard(1)]))
    found["replicated"] = same_steps_of_one("adamw", placed((24,), [Replicate()]))
    for name in ("dog", "prodigy"):
        found[f"replicated {name}"] = same_steps_of_one(name, placed((24,), [Replicate()]))
        columns = placed((4, 6), [Shard(0), Shard(1)], **grid)
        found[f"grid {name}"] = same_steps_of_one(name, columns)
    found["partial gradient"] = partial_gradient()
    found["refused late"] = refused_late()
    found["plain gradient"] = plain_gradient()
    found["group dropped"] = group_refused_and_dropped()
    return found


if __name__ == "__main__":
    report(everything)

"""What a chapter computes, told by a digest; run as a program, of exported files without the package.

The program must not import anything but torch and the standard library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHAPES = [(13, 7), (5,), (), (2, 3, 4)]
# Large enough to be cut.
LARGE = (200, 170)
STEPS = 4


def of_optimizer(names: Mapping[str, Any], expression: str) -> Any:
    """Parameters and state after some steps, in every data type and in ways that need no compiler."""
    import torch

    found = []
    ways = [
        (torch.float32, {}),
        (torch.float64, {"per_tensor": True, "maximize": True}),
        (torch.float32, {"cautious": True}),
        (torch.bfloat16, {"rounding": "stochastic"}),
        (torch.bfloat16, {"rounding": "kahan", "weight_decay": 0.1}),
    ]
    for way, (dtype, options) in enumerate(ways):
        shapes = SHAPES if way else [*SHAPES, LARGE]
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(1)
        values = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
        params = [torch.nn.Parameter(value.to(dtype)) for value in values]
        own = {"params": params, "options": options, "torch": torch}
        try:
            optimizer = eval(expression, dict(names), own)
        except ValueError as error:
            # A few rules refuse to be cautious.
            found.append(str(error))
            continue

        def closure(params: Any = params, generator: Any = generator) -> Any:
            for param in params:
                noise = torch.randn(param.shape, generator=generator, dtype=torch.float64)
                param.grad = 0.3 * param.detach() + noise.to(param.dtype)
            return sum(param.detach().square().sum() for param in params)

        for _ in range(STEPS):
            if "SAM" in expression or "LBFGS" in expression:
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        found += [*params, optimizer.state_dict()["state"]]
    return found


def of_schedule(names: Mapping[str, Any], expression: str) -> Any:
    """The values of a run."""
    schedule = eval(expression, dict(names))
    return [schedule.get_value(step, 20) for step in range(25)]


def of_scheduler(names: Mapping[str, Any], expression: str) -> Any:
    """What stands in the groups, update by update, and in the checkpoint."""
    import torch

    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    groups[1]["lr_scale"] = 0.5
    optimizer = torch.optim.AdamW(groups, lr=0.5)
    scheduler = eval(expression, dict(names), {"optimizer": optimizer})
    found = []
    for update in range(12):
        optimizer.step()
        # Those that follow a metric take it, and the others an epoch, which they do not need.
        is_fed = type(scheduler).__name__ in ("GreedyScheduler", "PlateauScheduler")
        scheduler.step(1 + update % 3) if is_fed else scheduler.step()
        found.append([(group["lr"], group["weight_decay"]) for group in optimizer.param_groups])
    return found


def of_rule(names: Mapping[str, Any], expression: str) -> Any:
    """The groups of a model, without the parameters but with their names."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(5, width)
            self.blocks = torch.nn.ModuleList([torch.nn.Linear(width, width) for _ in range(2)])
            self.norm = torch.nn.LayerNorm(width)
            self.head = torch.nn.Linear(width, 3)

    own = {"model": Net(8), "base": Net(4), "nn": torch.nn}
    groups = eval(expression, dict(names), own)
    return [{name: group[name] for name in group if name != "params"} for group in groups]


def of_any(names: Mapping[str, Any], expression: str) -> Any:
    """What an expression gives."""
    import torch

    return eval(expression, dict(names), {"torch": torch})


def trajectory(kind: str, names: Mapping[str, Any], expression: str) -> str:
    """The digest of what `expression`, in which `names` are known, computes."""
    digest = hashlib.sha256()
    _feed(digest, globals()[f"of_{kind}"](names, expression))
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if hasattr(value, "numpy"):
        import torch

        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        digest.update(bytes(value.detach().contiguous().flatten().view(torch.uint8).tolist()))
    elif isinstance(value, Mapping):
        for key in value:
            digest.update(f"{key}:".encode())
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        for each in value:
            _feed(digest, each)
    else:
        digest.update(f"{value!r};".encode())


def load(path: Path) -> dict[str, Any]:
    """The names of a file that is imported as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return vars(module)


def main(packages: str, cases: str) -> None:
    """Print the digests of the cases, each a file, a kind and an expression."""
    sys.path.append(packages)
    for name in ("labml_nn_optim", "site_gen", "experiments"):
        assert importlib.util.find_spec(name) is None, name
    found = [
        trajectory(kind, load(Path(file)), expression)
        for file, kind, expression in json.loads(Path(cases).read_text(encoding="utf-8"))
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

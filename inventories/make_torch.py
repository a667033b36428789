"""Write `torch.txt`, the names that torch's documentation explains, from the torch that is installed.

Run it from the root of the project: `python inventories/make_torch.py`.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

HEAD = """\
# What docs.pytorch.org explains: one name a line, then its page where it has not one of its own.
# Made from torch {version} by make_torch.py.
"""
FILE = Path(__file__).with_name("torch.txt")
DTYPES = "tensor_attributes.html#torch.dtype"
OTHER_PAGES = {
    "torch": "torch.html",
    "torch.Size": "size.html#{name}",
    "torch.Tensor": "tensors.html#{name}",
    "torch.Tensor.dtype": DTYPES,
    "torch.amp": "amp.html",
    "torch.amp.GradScaler": "amp.html#{name}",
    "torch.autocast": "amp.html#{name}",
    "torch.device": "tensor_attributes.html#{name}",
    "torch.distributed": "distributed.html",
    "torch.distributed.all_reduce": "distributed.html#{name}",
    "torch.distributed.tensor": "distributed.tensor.html",
    "torch.distributed.tensor.DTensor": "distributed.tensor.html#{name}",
    "torch.distributed.tensor.distribute_tensor": "distributed.tensor.html#{name}",
    "torch.dtype": "tensor_attributes.html#{name}",
    "torch.finfo": "type_info.html#{name}",
    "torch.iinfo": "type_info.html#{name}",
    "torch.layout": "tensor_attributes.html#{name}",
    "torch.linalg": "linalg.html",
    "torch.nn": "nn.html",
    "torch.nn.Parameter": "generated/torch.nn.parameter.Parameter.html",
    "torch.nn.functional": "nn.functional.html",
    "torch.nn.init": "nn.init.html",
    "torch.nn.init.*": "nn.init.html#{name}",
    "torch.optim": "optim.html",
    "torch.optim.Optimizer": "optim.html#{name}",
    "torch.optim.optimizer.Optimizer": "optim.html#torch.optim.Optimizer",
    "torch.optim.swa_utils.AveragedModel": "optim.html#{name}",
    "torch.optim.swa_utils.update_bn": "optim.html#{name}",
}
DECORATORS = ("no_grad", "enable_grad", "inference_mode")
OWN_PAGES = ("torch.Generator", "torch.compile", "torch.nn.utils.get_total_norm")
MODULE_PAGE = "generated/torch.nn.Module.html#{name}"


def names() -> dict[str, str]:
    """Return every name with its page, empty for a page of its own."""
    found = dict.fromkeys(OWN_PAGES, "")
    found |= {f"torch.Tensor.{name}": "" for name in _documented(torch.Tensor)}
    found |= {f"torch.{name}": "" for name in _functions(torch)}
    found |= {f"torch.linalg.{name}": "" for name in _functions(torch.linalg)}
    found |= {f"torch.nn.functional.{name}": "" for name in _functions(functional)}
    found |= {f"torch.nn.{name}": "" for name in _classes(nn, nn.Module)}
    found |= {f"torch.nn.Module.{name}": MODULE_PAGE for name in _documented(nn.Module)}
    found |= {f"torch.optim.{name}": "" for name in _classes(torch.optim, torch.optim.Optimizer)}
    for name in _documented(torch.optim.Optimizer):
        page = f"generated/torch.optim.Optimizer.{name}.html"
        found[f"torch.optim.Optimizer.{name}"] = ""
        found[f"torch.optim.optimizer.Optimizer.{name}"] = page
    schedulers = _classes(lr_scheduler, lr_scheduler.LRScheduler)
    found |= {f"torch.optim.lr_scheduler.{name}": "" for name in schedulers}
    found |= {
        f"torch.{name}": DTYPES
        for name, value in vars(torch).items()
        if isinstance(value, torch.dtype) and str(value) == f"torch.{name}"
    }
    return dict(sorted((found | OTHER_PAGES).items()))


def _documented(owner: type) -> Iterator[str]:
    """Yield the public members of a class that say what they are."""
    for name in dir(owner):
        if not name.startswith("_") and not hasattr(object, name):
            member = inspect.getattr_static(owner, name)
            if inspect.getdoc(member) and not inspect.isclass(member):
                yield name


def _functions(module: ModuleType) -> Iterator[str]:
    """Yield the public functions and decorators of a module, without what it only imports."""
    for name in dir(module):
        value: Any = getattr(module, name)
        origin = getattr(value, "__module__", None) or module.__name__
        is_public = not name.startswith("_") and origin.startswith("torch")
        is_function = callable(value) and (name in DECORATORS or not inspect.isclass(value))
        if is_public and is_function and inspect.getdoc(value):
            yield name


def _classes(module: ModuleType, base: type) -> Iterator[str]:
    for name, value in vars(module).items():
        if inspect.isclass(value) and issubclass(value, base) and not name.startswith("_"):
            yield name


if __name__ == "__main__":
    lines = (f"{name} {page}".rstrip() for name, page in names().items())
    FILE.write_text(
        HEAD.format(version=torch.__version__.partition("+")[0]) + "\n".join(lines) + "\n", "utf-8"
    )

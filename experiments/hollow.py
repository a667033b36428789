"""Models of torchvision as names and shapes, without memory for their parameters."""

from __future__ import annotations

import torch
from torch import nn


def hollow(name: str, **arguments: int) -> nn.Module:
    """Return what `torchvision.models` makes under `name`, on torch's `meta` device."""
    # It takes seconds to import, which pages and commands that make no model should not wait for.
    from torchvision import models

    with torch.device("meta"):
        model: nn.Module = getattr(models, name)(**arguments)
    return model

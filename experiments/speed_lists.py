"""The lists of parameters that a step is timed on: the shapes of real models, and the worst case.

A step knows nothing of the model, only its tensors. Three kinds of lists pull in three directions:
a convolutional network has a few large tensors, a transformer many of middling size, and a
thousand tensors of a thousand elements cost a thousand calls for next to no arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from experiments.hollow import hollow

Shapes = Sequence[tuple[int, ...]]

SEED = 0


@dataclass(frozen=True)
class ParameterList:
    """A named list of shapes, one for each tensor."""

    name: str
    title: str
    shapes: Shapes

    @property
    def elements(self) -> int:
        """The number of parameters in all tensors."""
        return sum(torch.Size(shape).numel() for shape in self.shapes)

    def __str__(self) -> str:
        return f"{self.title}: {len(self.shapes)} tensors, {self.elements / 1e6:.2f} M parameters"


VIT_S = {
    "image_size": 224,
    "patch_size": 16,
    "num_layers": 12,
    "num_heads": 6,
    "hidden_dim": 384,
    "mlp_dim": 1536,
}
MODELS: dict[str, tuple[str, str, dict[str, int]]] = {
    "resnet18": ("ResNet-18", "resnet18", {}),
    "vit-s": ("ViT-S", "VisionTransformer", VIT_S),
    "vit-b": ("ViT-B", "vit_b_16", {}),
}
"""Titles of models, and what makes them: a name in `torchvision.models` and its arguments."""

LIST_NAMES = (*MODELS, "tiny")
DEFAULT_LISTS = {"cpu": ("resnet18", "vit-s", "tiny"), "cuda": ("vit-b", "tiny")}


def parameter_list(name: str) -> ParameterList:
    """Return the list `name`, one of `LIST_NAMES`, without making the model's tensors."""
    if name == "tiny":
        return ParameterList(name, "1000 tensors of 1000", [(1000,)] * 1000)
    title, kind, arguments = MODELS[name]
    model = hollow(kind, **arguments)
    return ParameterList(name, title, [tuple(each.shape) for each in model.parameters()])


def make_parameters(shapes: Shapes, device: torch.device) -> list[nn.Parameter]:
    """Return float32 parameters of these shapes with gradients; each call gives the same values."""
    generator = torch.Generator().manual_seed(SEED)
    parameters = []
    for shape in shapes:
        values, gradient = torch.randn(2, *shape, generator=generator).unbind()
        parameter = nn.Parameter(values.clone().to(device))
        parameter.grad = gradient.clone().to(device)
        parameters.append(parameter)
    return parameters

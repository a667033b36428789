"""What the speed of a step should reach: ratios of times in one run, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.speed_ways import (
    COMPILE,
    COMPILE_FLAT,
    DEFAULT,
    TORCH_FOREACH,
    TORCH_FUSED,
    TORCH_LOOP,
)

TORCH_BEST = "torch's best"
"""Stands for the fastest of torch's rows."""

SECONDS_TO_COMPILE = 15.0
GRAPHS_LATER = 0
MEMORY = 1.05
HARNESS = 1.10
SCHEDULER_MICROSECONDS = 50.0
GROUPS_SECONDS = 0.5
GROUPS_RATIO = 3.0

Limits = dict[str, float]

DEFAULT_ON_CPU: dict[tuple[str, str], Limits] = {
    (DEFAULT, TORCH_LOOP): {"resnet18": 0.6, "vit-s": 0.95, "tiny": 0.18},
    (DEFAULT, TORCH_FOREACH): {"resnet18": 0.6, "vit-s": 0.6, "tiny": 0.25},
}
FUSED_ON_CPU: dict[tuple[str, str], Limits] = DEFAULT_ON_CPU | {
    (COMPILE, TORCH_FUSED): {"resnet18": 1.0, "vit-s": 1.0, "tiny": 0.5},
    (COMPILE_FLAT, TORCH_FUSED): {"resnet18": 0.9, "vit-s": 0.95, "tiny": 0.1},
}
UNFUSED_ON_CPU: dict[tuple[str, str], Limits] = DEFAULT_ON_CPU | {
    (COMPILE, TORCH_BEST): {"resnet18": 0.45, "vit-s": 0.45, "tiny": 0.3},
}
FUSED_ON_GPU: dict[tuple[str, str], Limits] = {
    (DEFAULT, TORCH_FOREACH): {"vit-b": 1.0},
    (COMPILE, TORCH_FUSED): {"vit-b": 1.0},
}
UNFUSED_ON_GPU: dict[tuple[str, str], Limits] = {
    (DEFAULT, TORCH_FOREACH): {"vit-b": 1.0},
    (COMPILE, TORCH_BEST): {"vit-b": 0.5},
}

OF_WHOLE = 1.0
OF_MATRICES = {("muon", "vit-s"): 0.8, ("soap", "vit-s"): 0.8}
"""What the default way of a rule on whole tensors may take of anybody else's time."""


@dataclass(frozen=True)
class Bar:
    """A figure that should be at most `limit`.

    * `label`: what is measured, such as `default / torch loop`
    * `digits`: how many are printed after the point
    """

    label: str
    limit: float
    measured: float
    digits: int = 2

    @property
    def reached(self) -> bool:
        """Whether the figure as it is printed is low enough."""
        return round(self.measured, self.digits) <= self.limit


def limit_of_whole(optimizer: str, list_name: str) -> float:
    """Return the limit of the default way's time over that of others, for a rule on whole tensors."""
    return OF_MATRICES.get((optimizer, list_name), OF_WHOLE)


def limits_of_ratios(
    list_name: str, device: str, *, has_fused: bool
) -> dict[tuple[str, str], float]:
    """Return the limits of ratios: a way, and what its time is divided by.

    The limits on a CPU were found with Adam, and are asked of every rule that torch has.

    * `device`: `cpu` or `cuda`
    * `has_fused`: whether torch has a fused kernel for this rule
    """
    if device == "cuda":
        table = FUSED_ON_GPU if has_fused else UNFUSED_ON_GPU
    else:
        table = FUSED_ON_CPU if has_fused else UNFUSED_ON_CPU
    return {pair: limits[list_name] for pair, limits in table.items() if list_name in limits}

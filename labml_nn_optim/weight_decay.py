"""Weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labml_nn_optim.checks import is_zero, require_flag, require_number

__all__ = ["WeightDecay"]


@dataclass(frozen=True)
class WeightDecay:
    weight_decay: float = 0.0
    weight_decouple: bool = True
    absolute: bool = False

    def __post_init__(self) -> None:
        require_number("weight_decay", self.weight_decay)
        require_flag("weight_decouple", self.weight_decouple)
        require_flag("absolute", self.absolute)
        if self.absolute and not self.weight_decouple:
            raise ValueError("absolute must be False when weight_decouple is False, got True")

    def defaults(self) -> dict[str, Any]:
        return {
            "weight_decay": self.weight_decay,
            "decoupled_weight_decay": self.weight_decouple,
            "absolute_weight_decay": self.absolute,
        }

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        weight_decay = group["weight_decay"]
        if is_zero(weight_decay):
            return grad
        if not group.get("decoupled_weight_decay", self.weight_decouple):
            return param.mul(weight_decay).add_(grad)
        absolute = group.get("absolute_weight_decay", self.absolute)
        param.mul_(1 - (weight_decay if absolute else group["lr"] * weight_decay))
        return grad

r"""
---
title: Adam8bit
summary: TODO.
chapter: "6.6"
needs: [quantize, optimizers/adam]
---

# TODO
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_count, require_flag
from labml_nn_optim.quantize import count_blocks, dequantize, quantize
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adam8bit"]

# Which average has a sign.
SIGNED = {"exp_avg": True, "exp_avg_sq": False}


class Adam8bit(GenericAdaptiveOptimizer):
    r"""Adam that keeps its two averages in a byte a number.

    - `params`: parameters or groups of them; a group with `quantize=False`, for embeddings, keeps its
      averages whole
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `quantize`: whether large parameters have their averages in bytes
    - `min_8bit_size`: how many elements a parameter needs for that
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: two tensors of bytes of the parameter's shape and two of one number for 256 bytes, or Adam's.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Dettmers et al. (2021), with the numbers of the authors' library.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        quantize: bool = True,
        min_8bit_size: int = 4096,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"quantize": quantize, "min_8bit_size": min_8bit_size} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_flag("quantize", group["quantize"])
        require_count("min_8bit_size", group["min_8bit_size"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero: every scale is 0, and a byte means nothing yet."""
        real = torch.view_as_real(param) if param.is_complex() else param
        size = real.numel()
        is_small = size < max(1, group["min_8bit_size"])
        for name in SIGNED:
            if is_small or not group["quantize"]:
                state[name] = torch.zeros_like(param)
            else:
                state[f"{name}_codes"] = torch.zeros_like(real, dtype=torch.uint8)
                state[f"{name}_scales"] = real.new_zeros(count_blocks(size))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's step size and the root of its second correction."""
        beta1, beta2 = group["betas"]
        return {
            "step_size": group["lr"] / (1 - beta1**step),
            "correction": math.sqrt(1 - beta2**step),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        beta1, beta2 = group["betas"]
        grad = self.weight_decay(param, grad, group)
        exp_avg, exp_avg_sq = _read(state, "exp_avg"), _read(state, "exp_avg_sq")
        # [Adam](adam.py), on numbers that have just been read
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        # The step is made before anything is rounded.
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])
        _write(state, "exp_avg", exp_avg)
        _write(state, "exp_avg_sq", exp_avg_sq)


def _read(state: Mapping[str, Any], name: str) -> Tensor:
    if name in state:
        whole: Tensor = state[name]
        return whole
    return dequantize(state[f"{name}_codes"], state[f"{name}_scales"], SIGNED[name])


def _write(state: Mapping[str, Any], name: str, values: Tensor) -> None:
    if name not in state:
        codes, scales = quantize(values, SIGNED[name])
        state[f"{name}_codes"].copy_(codes)
        state[f"{name}_scales"].copy_(scales)

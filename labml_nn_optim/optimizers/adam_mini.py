r"""
---
title: Adam-mini
summary: Adam-mini keeps one second moment for each neuron or head, and so half of Adam's memory.
paper:
  title: "Adam-mini: Use Fewer Learning Rates To Gain More"
  authors: Yushun Zhang, Congliang Chen, Ziniu Li, Tian Ding, Chenwei Wu, Diederik P. Kingma, Yinyu Ye, Zhi-Quan Luo, Ruoyu Sun
  year: 2024
  arxiv: "2406.16793"
chapter: "6.5"
needs: [stacks, optimizers/adam, optimizers/adafactor]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v_b: block_sq
---

# Adam-mini
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_choice, require_count
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdamMini"]


class AdamMini(GenericAdaptiveOptimizer):
    r"""Adam with one second moment for a block of weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to the root of the corrected second moment; with 0 a block that never had a
      gradient gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `blocks`: how a tensor of this group is divided. `None` makes one block of each row of a matrix,
      and one of a vector; a number makes as many blocks of equally many rows, one a head; `"tensor"`
      makes one of all, and `"element"` is [AdamW](adamw.py)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the parameter's shape and a number for each block.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range, and
    where `blocks` does not divide the rows of a tensor.
    Zhang et al. (2024), algorithm 1.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        blocks: int | str | None = None,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"blocks": blocks} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if isinstance(group["blocks"], str):
            require_choice("blocks", group["blocks"], WORDS)
        elif group["blocks"] is not None:
            require_count("blocks", group["blocks"], minimum=1)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; raises `ValueError` where `blocks` does not divide the rows of one."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            for param in group["params"]:
                count_blocks(param.shape, group["blocks"])
        except ValueError:
            self.param_groups.pop()
            raise

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero: $m$ in the shape of the parameter, $v_b$ as a list of numbers."""
        state["exp_avg"] = torch.zeros_like(param)
        blocks = count_blocks(param.shape, group["blocks"])
        state["block_sq"] = state["exp_avg"].real.new_zeros(blocks)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's two corrections, the second as a root."""
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
        exp_avg, block_sq = state["exp_avg"], state["block_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        # $v_b$ sees the mean of the squares in its block.
        block_sq.lerp_(grad.square().reshape(*block_sq.shape, -1).mean(dim=-1), 1 - beta2)
        denominator = block_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        update = exp_avg.reshape(*block_sq.shape, -1).div(denominator.unsqueeze(-1))
        param.sub_(update.mul_(group["step_size"]).reshape(param.shape))


WORDS = ("tensor", "element")


def count_blocks(shape: torch.Size, blocks: int | str | None) -> int:
    """Return into how many blocks a tensor of this shape is divided; raises `ValueError` if it cannot be."""
    rows = shape[0] if shape else 1
    if blocks is None:
        return rows if len(shape) > 1 else 1
    if blocks == "tensor":
        return 1
    if blocks == "element":
        return shape.numel()
    if rows % int(blocks):
        raise ValueError(
            f"blocks must divide the rows of a tensor, got {blocks} for the shape {tuple(shape)}"
        )
    return int(blocks)

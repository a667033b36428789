r"""
---
title: GaLore
summary: TODO.
chapter: "6.7"
needs: [stacks, optimizers/adamw]
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
from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["GaLore", "leading_directions"]


def leading_directions(matrices: Tensor, rank: int) -> Tensor:
    r"""Return the `rank` leading singular vectors of the shorter side, as columns.

    For wide matrices of shape (k, m, n) they are those of $U$, shape (k, m, rank). Tall and square ones have
    those of $V$, shape (k, n, rank).
    """
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    vectors = right.mT if matrices.size(-2) >= matrices.size(-1) else left
    return vectors[..., :rank]


class GaLore(GenericAdaptiveOptimizer):
    r"""Adam in the few directions of a matrix in which its gradient is largest.

    - `params`: parameters or groups of them; a group with `rank=None`, for embeddings and the output
      layer, has plain Adam
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `rank`: $r$, the number of directions, at most the shorter side of a matrix; `None` is plain Adam
    - `update_proj_gap`: $T$, how many steps they are used
    - `scale`: $s$, by which the step of a matrix is multiplied
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: for an $m \times n$ matrix with $m \le n$ the $m \times r$ directions and two tensors of $r \times n$, for
    anything else two tensors of its shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Zhao et al. (2024), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 0.0,
        rank: int | None = 128,
        update_proj_gap: int = 200,
        scale: float = 0.25,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"rank": rank, "update_proj_gap": update_proj_gap, "scale": scale}
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["rank"] is not None:
            require_count("rank", group["rank"], minimum=1)
        require_count("update_proj_gap", group["update_proj_gap"], minimum=1)
        require_number("scale", group["scale"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, for a matrix in the few directions."""
        rank = group["rank"]
        like = param
        if rank is not None and param.dim() >= 2 and not param.is_complex() and param.numel():
            shorter, longer = sorted(param.flatten(1).shape)
            rank = min(rank, shorter)
            state["directions"] = param.new_zeros(shorter, rank)
            like = param.new_zeros(rank, longer)
        state["exp_avg"] = torch.zeros_like(like)
        state["exp_avg_sq"] = torch.zeros_like(like)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections, and whether this step looks for directions."""
        beta1, beta2 = group["betas"]
        return {
            "looks": (step - 1) % group["update_proj_gap"] == 0,
            "step_size": group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of matrices, or of anything else, of one shape."""
        if not param.numel():
            return
        grad = self.weight_decay(param, grad, group)
        if "directions" not in state:
            param.sub_(_adam(state, group, grad).mul_(group["step_size"]))
            return
        matrices, directions = grad.flatten(2), state["directions"]
        if group["looks"]:
            directions.copy_(leading_directions(matrices, directions.size(-1)))
        # $R_t = P^T g_t$, shape $r \times n$
        is_tall = matrices.size(-2) >= matrices.size(-1)
        projected = directions.mT @ (matrices.mT if is_tall else matrices)
        # $\theta_t = \theta_{t-1} - \alpha s\, P\, u_t$
        update = directions @ _adam(state, group, projected)
        update = (update.mT if is_tall else update).reshape(param.shape)
        param.sub_(update.mul_(group["step_size"] * group["scale"]))


def _adam(state: dict[str, Any], group: Mapping[str, Any], grad: Tensor) -> Tensor:
    r"""Return $m_t / (\sqrt{v_t} + \varepsilon)$, which the step size corrects."""
    beta1, beta2 = group["betas"]
    exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
    exp_avg.lerp_(grad, 1 - beta1)
    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    return exp_avg.div(exp_avg_sq.sqrt().add_(group["eps"]))

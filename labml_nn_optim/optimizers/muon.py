r"""
---
title: Muon
summary: Muon makes the momentum of a matrix orthogonal, so that a step goes as far along its rare directions as along its frequent ones.
paper:
  title: "Muon: An optimizer for hidden layers in neural networks"
  authors: Keller Jordan, Yuchen Jin, Vlado Boza, Jiacheng You, Franz Cesista, Laker Newhouse, Jeremy Bernstein
  year: 2024
chapter: "7.2"
needs: [orthogonal, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
---

# Muon
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import (
    require_choice,
    require_count,
    require_flag,
    require_number,
)
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, Coefficients, orthogonalize, polar_express
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Muon", "as_matrices"]

SCALES = ("match_rms_adamw", "original", "spectral_unclamped")
POLAR_EXPRESS = "polar_express"


def as_matrices(stack: Tensor) -> Tensor:
    """See a stack of kernels, of shape (k, out, in, ...), as matrices of shape (k, out, in * ...)."""
    return stack.flatten(2)


class Muon(GenericAdaptiveOptimizer):
    r"""Orthogonalized momentum for matrices, AdamW for everything else.

    - `params`: parameters or groups of them; a group with `matrices=False`, for embeddings and the
      output layer, is AdamW's altogether
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$
    - `nesterov`: whether to look one step ahead
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `adjust_lr_fn`: how the shape scales a step of a matrix: `"match_rms_adamw"`, `"original"` or
      `"spectral_unclamped"`
    - `ns_coefficients`: $(a, b, c)$ of every step, or `"polar_express"`
    - `ns_steps`: how many steps orthogonalize
    - `ns_dtype`: the data type in which they do; `None` is `torch.bfloat16` on a GPU and that of the
      parameter, at least `torch.float32`, elsewhere
    - `matrices`: whether parameters with two or more dimensions are matrices
    - `vector_lr_scale`: the learning rate of AdamW as a multiple of `lr`
    - `betas`, `eps`: AdamW's
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the shape of a matrix, two of that of any other parameter.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Jordan et al. (2024); Liu et al. (2025), arXiv 2502.16982, for the decay and `"match_rms_adamw"`.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: WeightDecay | float = 0.1,
        adjust_lr_fn: str = "match_rms_adamw",
        ns_coefficients: Coefficients | str = NEWTON_SCHULZ,
        ns_steps: int = 5,
        ns_dtype: torch.dtype | None = None,
        matrices: bool = True,
        vector_lr_scale: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "nesterov": nesterov,
            "adjust_lr_fn": adjust_lr_fn,
            "ns_coefficients": ns_coefficients,
            "ns_steps": ns_steps,
            "ns_dtype": ns_dtype,
            "matrices": matrices,
            "vector_lr_scale": vector_lr_scale,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        require_flag("nesterov", group["nesterov"])
        require_flag("matrices", group["matrices"])
        require_choice("adjust_lr_fn", group["adjust_lr_fn"], SCALES)
        require_count("ns_steps", group["ns_steps"], minimum=1)
        require_number("vector_lr_scale", group["vector_lr_scale"])
        coefficients = group["ns_coefficients"]
        if isinstance(coefficients, str):
            require_choice("ns_coefficients", coefficients, [POLAR_EXPRESS])
        elif not isinstance(coefficients, tuple | list) or len(coefficients) != 3:
            raise TypeError(
                f"ns_coefficients must be three numbers or {POLAR_EXPRESS!r}, got {coefficients!r}"
            )
        dtype = group["ns_dtype"]
        if not (dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point)):
            raise TypeError(f"ns_dtype must be None or a floating-point type, got {dtype!r}")

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start at zero: momentum for a matrix, the two averages of AdamW for what is none."""
        if group["matrices"] and param.dim() >= 2 and not param.is_complex():
            state["momentum_buffer"] = torch.zeros_like(param)
        else:
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute AdamW's step size and the root of its second correction, and list the coefficients."""
        beta1, beta2 = group["betas"]
        vector_lr = group["lr"] * group["vector_lr_scale"]
        steps, coefficients = group["ns_steps"], group["ns_coefficients"]
        is_named = isinstance(coefficients, str)
        return {
            "vector_lr": vector_lr,
            "step_size": vector_lr / (1 - beta1**step),
            "correction": math.sqrt(1 - beta2**step),
            "steps": polar_express(steps) if is_named else [tuple(coefficients)] * steps,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of matrices, or of anything else, of one shape."""
        if not param.numel():
            return
        if "momentum_buffer" in state:
            self._step_matrices(state["momentum_buffer"], group, grad, param)
        else:
            self._step_vectors(state, group, grad, param)

    def _step_matrices(
        self, momentum_buffer: Tensor, group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        momentum = group["momentum"]
        grad = self.weight_decay(param, grad, group)
        # $B_t = \mu B_{t-1} + (1 - \mu)\, g_t$
        momentum_buffer.lerp_(grad, 1 - momentum)
        # $\tilde B_t = \mu B_t + (1 - \mu)\, g_t$
        ahead = grad.lerp(momentum_buffer, momentum) if group["nesterov"] else momentum_buffer
        matrices = as_matrices(ahead)
        # $O_t \approx U V^T$ for $\tilde B_t = U \Sigma V^T$
        dtype = group["ns_dtype"]
        if dtype is None and matrices.is_cuda:
            dtype = torch.bfloat16
        update = orthogonalize(matrices.to(dtype or matrices.dtype), group["steps"])
        # $\theta_t = \theta_{t-1} - \alpha\, s\, O_t$
        scale = shape_scale(matrices.size(-2), matrices.size(-1), group["adjust_lr_fn"])
        param.sub_(update.to(param.dtype).mul_(group["lr"] * scale).view_as(param))

    def _step_vectors(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, {**group, "lr": group["vector_lr"]})
        # [AdamW](adamw.py) for what has no singular values
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        param.sub_(exp_avg.div(denominator).mul_(group["step_size"]))


def shape_scale(rows: int, columns: int, adjust_lr_fn: str) -> float:
    """Return the factor of a step for matrices of this shape."""
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    quotient = rows / columns
    return math.sqrt(max(1.0, quotient) if adjust_lr_fn == "original" else quotient)

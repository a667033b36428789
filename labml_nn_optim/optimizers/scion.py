r"""
---
title: Scion
summary: Scion asks each layer for the best point of a ball whose norm fits that layer, and goes a small part of the way there.
paper:
  title: Training Deep Learning Models with Norm-Constrained LMOs
  authors: Thomas Pethick, Wanyun Xie, Kimon Antonakopoulos, Zhenyu Zhu, Antonio Silveti-Falls, Volkan Cevher
  year: 2025
  arxiv: "2502.07529"
  venue: ICML
chapter: "7.7"
needs: [optimizers/muon, optimizers/signum]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
  \rho: scale
---

# Scion
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_choice, require_count, require_number
from labml_nn_optim.optimizers.muon import as_matrices
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, orthogonalize
from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Scion", "best_point"]

NORMS = ("spectral", "spectral_clamped", "sign", "row", "column", "embedding")


class Scion(GenericAdaptiveOptimizer):
    r"""A step towards the point of a ball that the averaged gradient likes best.

    - `params`: parameters or groups of them, with a `norm` and a `scale` of their own for the first
      and the last layer
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element; at most $1 / \lambda$
    - `momentum`: $\mu$ in $[0, 1)$, the share of the old average that is kept
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay): 1 is the constrained form of the paper, with
      weights in the ball, 0 the unconstrained one
    - `norm`: the norm of a matrix, [one of six](#best_point)
    - `scale`: $\rho > 0$, the radius of the ball
    - `ns_steps`: how many steps orthogonalize
    - `ns_dtype`: the data type in which they do; `None` is `torch.bfloat16` on a GPU and that of the
      parameter, at least `torch.float32`, elsewhere
    - `eps`: $\varepsilon$, added to a norm before it divides
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Pethick et al. (2025), algorithms 1 and 2.
    """

    elementwise = False
    beta_count = 0

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 1.0,
        norm: str = "spectral",
        scale: float = 1.0,
        ns_steps: int = 5,
        ns_dtype: torch.dtype | None = None,
        eps: float = 1e-8,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "norm": norm,
            "scale": scale,
            "ns_steps": ns_steps,
            "ns_dtype": ns_dtype,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, eps=eps, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        require_choice("norm", group["norm"], NORMS)
        require_number("scale", group["scale"], above=0.0)
        require_count("ns_steps", group["ns_steps"], minimum=1)
        dtype = group["ns_dtype"]
        if not (dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point)):
            raise TypeError(f"ns_dtype must be None or a floating-point type, got {dtype!r}")

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the average at zero; its name tells matrices from everything else."""
        is_matrix = param.dim() >= 2 and not param.is_complex()
        state["momentum_buffer" if is_matrix else "exp_avg"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        grad = self.weight_decay(param, grad, group)
        # $B_t = \mu B_{t-1} + (1 - \mu)\, g_t$
        is_matrix = "momentum_buffer" in state
        average = state["momentum_buffer" if is_matrix else "exp_avg"]
        average.lerp_(grad, 1 - group["momentum"])
        # $\theta_t = (1 - \alpha\lambda)\, \theta_{t-1} - \alpha\, \rho\, s_t$
        if is_matrix:
            point = best_point(average, group)
        else:
            point = average.div(mean_of_each(average.square()).sqrt_().add_(group["eps"]))
        param.sub_(point.mul(group["lr"] * group["scale"]))


def best_point(average: Tensor, group: Mapping[str, Any]) -> Tensor:
    r"""Return the point of the unit ball where the inner product with `average` is largest.

    For a stack of $m \times n$ matrices, or of kernels with $n = i \cdot k$ for $i$ input channels, and
    the `norm`

    - `"spectral"`: $\sqrt{m / i}\,/ k$ times the orthogonal matrix
    - `"spectral_clamped"`: the same with a factor of at least 1, for the first layer
    - `"sign"`: the sign, divided by $n$, for the last one
    - `"row"`: rows of length $1 / \sqrt n$
    - `"column"`: columns of length $\sqrt m$, for a first layer that is fed ones and zeros
    - `"embedding"`: rows of length $\sqrt n$, for a table
    """
    matrices = as_matrices(average)
    rows, columns = matrices.shape[-2:]
    norm, eps = group["norm"], group["eps"]
    if norm == "sign":
        return average.sign().div_(columns)
    if norm.startswith("spectral"):
        dtype = group["ns_dtype"]
        if dtype is None and matrices.is_cuda:
            dtype = torch.bfloat16
        steps = [NEWTON_SCHULZ] * group["ns_steps"]
        point = orthogonalize(matrices.to(dtype or matrices.dtype), steps).to(average.dtype)
        channels = average.size(2)
        factor = math.sqrt(rows / channels) * channels / columns
        return point.mul(max(1.0, factor) if norm.endswith("clamped") else factor).view_as(average)
    dim, length = {
        "row": (-1, 1 / math.sqrt(columns)),
        "column": (-2, math.sqrt(rows)),
        "embedding": (-1, math.sqrt(columns)),
    }[norm]
    sizes = torch.linalg.vector_norm(matrices, dim=dim, keepdim=True)
    return matrices.div(sizes.div_(length).add_(eps)).view_as(average)

r"""
---
title: NorMuon
summary: NorMuon divides every row of Muon's orthogonal matrix by how long that row has lately been, and keeps the length of the whole.
paper:
  title: "NorMuon: Making Muon more efficient and scalable"
  authors: Zichong Li, Liming Liu, Chen Liang, Weizhu Chen, Tuo Zhao
  year: 2025
  arxiv: "2510.05491"
chapter: "7.6"
needs: [optimizers/muon]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
  v: second_momentum_buffer
---

# NorMuon
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.optimizers.muon import Muon, as_matrices, shape_scale
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, Coefficients, orthogonalize
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["NorMuon"]

# Added to a root or a norm before it divides.
FLOOR = 1e-10


class NorMuon(Muon):
    r"""Muon with rows of even length, AdamW for everything else.

    - `params`: parameters or groups of them; a group with `matrices=False`, for embeddings and the
      output layer, is AdamW's altogether
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$
    - `beta2`: $\beta_2$ in $[0, 1)$, the decay rate of the rows' mean squares; not one of `betas`
    - `nesterov`: whether to look one step ahead
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `adjust_lr_fn`: the length of a step of a matrix: `"match_rms_adamw"` for a mean square of
      $0.2^2$; `"original"` or `"spectral_unclamped"` for that of the orthogonal matrix, times
      [Muon's factor](muon.py#shape_scale)
    - `ns_coefficients`, `ns_steps`, `ns_dtype`: how it is made orthogonal, as in
      [Muon](muon.py#Muon)
    - `matrices`: whether parameters with two or more dimensions are matrices
    - `vector_lr_scale`: the learning rate of AdamW as a multiple of `lr`
    - `betas`, `eps`: AdamW's
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the shape of a matrix and one number for each of its rows, two tensors of the
    shape of any other parameter.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Li et al. (2025), algorithm 1.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.95,
        beta2: float = 0.95,
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
        super().__init__(
            params,
            lr,
            momentum,
            nesterov,
            weight_decay,
            adjust_lr_fn,
            ns_coefficients,
            ns_steps,
            ns_dtype,
            matrices,
            vector_lr_scale,
            betas,
            eps,
            defaults={"beta2": beta2} | dict(defaults or {}),
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("beta2", group["beta2"], below=1.0)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start as Muon does, with a zero for every row of a matrix besides."""
        super().init_state(state, group, param)
        if "momentum_buffer" in state:
            state["second_momentum_buffer"] = param.new_zeros(len(param), 1)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of matrices, or of anything else, of one shape."""
        if not param.numel():
            return
        if "momentum_buffer" in state:
            self._step_rows(state, group, grad, param)
        else:
            self._step_vectors(state, group, grad, param)

    def _step_rows(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        momentum, momentum_buffer = group["momentum"], state["momentum_buffer"]
        second_momentum_buffer = state["second_momentum_buffer"]
        grad = self.weight_decay(param, grad, group)
        # $O_t$, as in [Muon](muon.py)
        momentum_buffer.lerp_(grad, 1 - momentum)
        ahead = grad.lerp(momentum_buffer, momentum) if group["nesterov"] else momentum_buffer
        matrices = as_matrices(ahead)
        dtype = group["ns_dtype"]
        if dtype is None and matrices.is_cuda:
            dtype = torch.bfloat16
        orthogonal = orthogonalize(matrices.to(dtype or matrices.dtype), group["steps"])
        orthogonal = orthogonal.to(param.dtype)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \operatorname{mean}_j O_{ij}^2$, one for every row
        squares = orthogonal.square().mean(dim=-1, keepdim=True)
        second_momentum_buffer.lerp_(squares, 1 - group["beta2"])
        # $\hat O_t = O_t / \sqrt{v_t}$
        update = orthogonal.div(second_momentum_buffer.sqrt().add_(FLOOR))
        # $\theta_t = \theta_{t-1} - \alpha\, \ell\, \hat O_t / \lVert \hat O_t \rVert$
        rows, columns = update.shape[-2:]
        if group["adjust_lr_fn"] == "match_rms_adamw":
            length = 0.2 * math.sqrt(rows * columns)
        else:
            length = norm_of_each(orthogonal).mul_(
                shape_scale(rows, columns, group["adjust_lr_fn"])
            )
        update = update.mul(norm_of_each(update).add_(FLOOR).reciprocal_().mul_(length))
        param.sub_(update.mul_(group["lr"]).view_as(param))

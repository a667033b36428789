r"""
---
title: Shampoo
summary: Shampoo multiplies the gradient of a matrix by an inverse root of what its rows, and what its columns, have in common.
paper:
  title: "Shampoo: Preconditioned Stochastic Tensor Optimization"
  authors: Vineet Gupta, Tomer Koren, Yoram Singer
  year: 2018
  arxiv: "1802.09568"
  venue: ICML
chapter: "7.3"
needs: [stacks, optimizers/adagrad]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
---

# Shampoo
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Shampoo", "gram_along", "multiply_along", "preconditioned_dims"]

GRAFTS = ("adam", "sgd", "none")


def preconditioned_dims(param: Tensor, longest: int) -> list[int]:
    """Return the dimensions of `param` that have a matrix of their own: those of at most `longest`."""
    if param.is_complex() or not param.numel():
        return []
    return [dim for dim, size in enumerate(param.shape) if size <= longest]


def _around(stack: Tensor, dim: int) -> Tensor:
    """See dimension `dim` of every tensor of `stack` as one of three: shape (k, before, n, after)."""
    shape = stack.shape
    before, after = math.prod(shape[1 : dim + 1]), math.prod(shape[dim + 2 :])
    return stack.reshape(shape[0], before, shape[dim + 1], after)


def multiply_along(stack: Tensor, matrices: Tensor, dim: int) -> Tensor:
    r"""Multiply dimension `dim` of every tensor of `stack` by $M^T$, for `matrices` of shape (k, n, n).

    For matrices $X$, dimension 0 gives $M^T X$ and dimension 1 gives $X M$.
    """
    found = _around(stack, dim)
    if found.size(-1) == 1:
        return (found.squeeze(-1) @ matrices).view_as(stack)
    return (matrices.mT[:, None] @ found).view_as(stack)


def gram_along(stack: Tensor, dim: int) -> Tensor:
    r"""Return the products of all slices along dimension `dim`, shape (k, n, n); for matrices $X X^T$ or $X^T X$."""
    found = _around(stack, dim)
    if found.size(1) == 1:
        rows = found.squeeze(1)
        return rows @ rows.mT
    rows = found.transpose(1, 2).flatten(2)
    return rows @ rows.mT


class Shampoo(GenericAdaptiveOptimizer):
    r"""A gradient between inverse roots of its row and column statistics.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$ of the gradient and of all statistics, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to the diagonal of every matrix
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `accumulate`: sum the statistics, as the paper does, and do not average them
    - `exponent`: the power $p > 0$ of each inverse root; `None` is $1 / (2k)$ for $k$ matrices
    - `grafting`: whose length a step has: `"adam"`, `"sgd"`, or its own, `"none"`
    - `precondition_frequency`: $f$, how many steps inverse roots are used; the first are found in step $f$
    - `max_precond_dim`: a longer dimension has no matrix
    - `precondition_1d`: whether a vector has a matrix
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the parameter's shape, another one for `"adam"`, and two matrices for each of
    its dimensions that has some.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Gupta et al. (2018), algorithm 2; grafting from Agarwal et al. (2020), arXiv 2002.11803.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        accumulate: bool = False,
        exponent: float | None = None,
        grafting: str = "adam",
        precondition_frequency: int = 10,
        max_precond_dim: int = 1024,
        precondition_1d: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "accumulate": accumulate,
            "exponent": exponent,
            "grafting": grafting,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
            "precondition_1d": precondition_1d,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_flag("accumulate", group["accumulate"])
        require_choice("grafting", group["grafting"], GRAFTS)
        if group["exponent"] is not None:
            require_number("exponent", group["exponent"], above=0.0)
        require_count("precondition_frequency", group["precondition_frequency"], minimum=1)
        require_count("max_precond_dim", group["max_precond_dim"], minimum=1)
        require_flag("precondition_1d", group["precondition_1d"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start averages and statistics at zero, and each root as the identity."""
        state["exp_avg"] = torch.zeros_like(param)
        if group["grafting"] == "adam":
            state["exp_avg_sq"] = torch.zeros_like(param)
        if param.dim() < 2 and not group["precondition_1d"]:
            return
        for dim in preconditioned_dims(param, group["max_precond_dim"]):
            size = param.shape[dim]
            state[f"gram_{dim}"] = param.new_zeros(size, size)
            state[f"root_{dim}"] = torch.eye(size, dtype=param.dtype, device=param.device)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the corrections of the averages, and whether roots are there, and due."""
        beta1, beta2 = group["betas"]
        frequency = group["precondition_frequency"]
        return {
            "correction1": 1 - beta1**step,
            "correction2": 1 - beta2**step,
            "memory": 1.0 if group["accumulate"] else beta2,
            "weight": 1.0 if group["accumulate"] else 1 - beta2,
            "has_roots": step >= frequency,
            "is_due": step % frequency == 0,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        grad = self.weight_decay(param, grad, group)
        self._follow(state, group, grad)
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$, corrected
        state["exp_avg"].lerp_(grad, 1 - group["betas"][0])
        mean = state["exp_avg"].div(group["correction1"])
        update = self._graft(state, group, grad, mean)
        dims = _dims(state)
        if dims and group["has_roots"]:
            length = norm_of_each(update)
            # $L^{-1/4}\, \hat m\, R^{-1/4}$
            update = mean
            for dim in dims:
                update = multiply_along(update, state[f"root_{dim}"], dim)
            if group["grafting"] != "none":
                # An update of zero has no direction that could be given a length.
                own = norm_of_each(update)
                update = update.mul(length.div(own.clamp_min(torch.finfo(own.dtype).tiny)))
        param.sub_(update.mul(group["lr"]))

    def _follow(self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor) -> None:
        dims = _dims(state)
        exponent = group["exponent"] or 1 / (2 * max(1, len(dims)))
        scale = 1.0 if group["accumulate"] else group["correction2"]
        for dim in dims:
            gram = state[f"gram_{dim}"]
            # $L_t = \beta_2 L_{t-1} + (1 - \beta_2)\, g\, g^T$, or the sum of all
            gram.mul_(group["memory"]).add_(gram_along(grad, dim), alpha=group["weight"])
            if group["is_due"]:
                # $(\hat L_t + \varepsilon I)^{-p}$
                values, vectors = torch.linalg.eigh(gram.div(scale))
                powers = values.clamp_min_(0.0).add_(group["eps"]).pow_(-exponent)
                state[f"root_{dim}"].copy_((vectors * powers[:, None, :]) @ vectors.mT)

    @staticmethod
    def _graft(
        state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, mean: Tensor
    ) -> Tensor:
        if group["grafting"] != "adam":
            return mean
        beta2 = group["betas"][1]
        exp_avg_sq = state["exp_avg_sq"]
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = exp_avg_sq.sqrt().div_(math.sqrt(group["correction2"]))
        return mean.div(root.add_(group["eps"]))


def _dims(state: Mapping[str, Any]) -> list[int]:
    return [int(name.removeprefix("root_")) for name in state if name.startswith("root_")]

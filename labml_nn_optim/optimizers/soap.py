r"""
---
title: SOAP
summary: SOAP runs Adam in the coordinates in which Shampoo's matrices are diagonal, and looks for these coordinates only now and then.
paper:
  title: "SOAP: Improving and Stabilizing Shampoo using Adam"
  authors: Nikhil Vyas, Depen Morwani, Rosie Zhao, Mujin Kwun, Itai Shapira, David Brandfonbrener, Lucas Janson, Sham Kakade
  year: 2024
  arxiv: "2409.11321"
  venue: ICLR
chapter: "7.4"
needs: [optimizers/shampoo, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
---

# SOAP
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
from labml_nn_optim.optimizers.shampoo import gram_along, multiply_along, preconditioned_dims
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["SOAP"]


class SOAP(GenericAdaptiveOptimizer):
    r"""Adam in the eigenbasis of Shampoo's matrices.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, after the step, 0.01 by default, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `shampoo_beta`: the decay rate of the matrices in $[0, 1)$; `None` is $\beta_2$
    - `precondition_frequency`: how many steps a basis is used
    - `max_precond_dim`: a longer dimension keeps its coordinates
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: two tensors of the parameter's shape, and two matrices for each of its dimensions, unless
    it has one or none.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Vyas et al. (2024), algorithm 3.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 1e-2,
        shampoo_beta: float | None = None,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10_000,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "shampoo_beta": shampoo_beta,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def _check_options(self, options: RunOptions, hyper_parameters: Mapping[str, Any]) -> None:
        super()._check_options(options, hyper_parameters)
        # A mask acts on what happens between the decay and the end, and here the decay comes last.
        if self.cautious:
            raise ValueError("cautious must be False for SOAP, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["shampoo_beta"] is not None:
            require_number("shampoo_beta", group["shampoo_beta"], below=1.0)
        require_count("precondition_frequency", group["precondition_frequency"], minimum=1)
        require_count("max_precond_dim", group["max_precond_dim"], minimum=1)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start averages and matrices at zero; each basis is found in the first step."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        if param.dim() < 2:
            return
        for dim in preconditioned_dims(param, group["max_precond_dim"]):
            size = param.shape[dim]
            state[f"gram_{dim}"] = param.new_zeros(size, size)
            state[f"basis_{dim}"] = param.new_zeros(size, size)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections, which count from the second step, and what the step has to do."""
        beta1, beta2 = group["betas"]
        frequency, shampoo_beta = group["precondition_frequency"], group["shampoo_beta"]
        made = step - 1
        return {
            "looks_only": made == 0,
            "renews_basis": made > 0 and made % frequency == 0,
            "memory": beta2 if shampoo_beta is None else shampoo_beta,
            "step_size": group["lr"] * math.sqrt(1 - beta2**made) / (1 - beta1**made)
            if made
            else 0.0,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        decoupled = group["decoupled_weight_decay"]
        if not decoupled:
            grad = self.weight_decay(param, grad, group)
        if not group["looks_only"]:
            self._step_adam(state, group, grad, param)
            if decoupled:
                self.weight_decay(param, grad, group)
        self._follow(state, group, grad)

    def _step_adam(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        # $g' = Q_L^T\, g\, Q_R$
        for dim in _dims(state):
            grad = multiply_along(grad, state[f"basis_{dim}"], dim)
        # Adam on $g'$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        update = exp_avg.div(exp_avg_sq.sqrt().add_(group["eps"]))
        # $\theta_t = \theta_{t-1} - \alpha\, Q_L\, u'\, Q_R^T$
        for dim in _dims(state):
            update = multiply_along(update, state[f"basis_{dim}"].mT, dim)
        param.sub_(update.mul_(group["step_size"]))

    def _follow(self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor) -> None:
        for dim in _dims(state):
            # $L_t = \beta L_{t-1} + (1 - \beta)\, g\, g^T$
            state[f"gram_{dim}"].lerp_(gram_along(grad, dim), 1 - group["memory"])
            if group["looks_only"]:
                # Eigenvectors, that of the largest eigenvalue first
                state[f"basis_{dim}"].copy_(torch.linalg.eigh(state[f"gram_{dim}"])[1].flip(-1))
            elif group["renews_basis"]:
                _turn(state, dim)


def _dims(state: Mapping[str, Any]) -> list[int]:
    return [int(name.removeprefix("basis_")) for name in state if name.startswith("basis_")]


def _turn(state: dict[str, Any], dim: int) -> None:
    r"""Bring the basis of `dim` one power iteration nearer to the eigenvectors, and the averages along."""
    basis, exp_avg, exp_avg_sq = state[f"basis_{dim}"], state["exp_avg"], state["exp_avg_sq"]
    product = state[f"gram_{dim}"] @ basis
    # The columns in the order of their estimated eigenvalues $q_i^T L q_i$
    order = basis.mul(product).sum(dim=-2).argsort(dim=-1, descending=True)
    columns = order[:, None, :].expand_as(product)
    renewed = torch.linalg.qr(product.gather(-1, columns))[0]
    # $m$ is turned, $v$ only changes its order with the columns.
    exp_avg.copy_(multiply_along(exp_avg, basis.mT @ renewed, dim))
    shape = [len(order), *(1 for _ in exp_avg_sq.shape[1:])]
    shape[dim + 1] = -1
    exp_avg_sq.copy_(exp_avg_sq.gather(dim + 1, order.view(shape).expand_as(exp_avg_sq)))
    basis.copy_(renewed)

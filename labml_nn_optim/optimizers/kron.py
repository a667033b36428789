r"""
---
title: PSGD-Kron
summary: Kron learns, one multiplication at a time, triangular factors that make the gradient of a matrix look like white noise.
paper:
  title: Curvature-Informed SGD via General Purpose Lie-Group Preconditioners
  authors: Omead Pooladzandi, Xi-Lin Li
  year: 2024
  arxiv: "2402.04553"
chapter: "7.5"
needs: [optimizers/shampoo, optimizers/soap]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
---

# PSGD-Kron
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number
from labml_nn_optim.optimizers.shampoo import gram_along, multiply_along
from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Kron", "probe", "update_probability"]

SAVING = ("none", "smart_one_diag", "one_diag", "all_diag")
TINY = torch.finfo(torch.float32).tiny
# Added to the root of the mean square before it divides.
FLOOR = 1e-6


def update_probability(step: int) -> float:
    r"""Return the share of steps that fit the factors: 1 up to step 501, then falling to 0.03 in step 4008."""
    return min(1.0, max(0.03, math.exp(-0.001 * (step - 501))))


def probe(shape: Sequence[int], seed: int, step: int, like: Tensor) -> Tensor:
    r"""Draw the noise $\xi_t$: it depends on `seed`, `step`, the shape, and the type and device of `like`."""
    generator = torch.Generator(like.device).manual_seed((seed * 1_000_003 + step) % 2**32)
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)


class Kron(GenericAdaptiveOptimizer):
    r"""Momentum whitened by triangular factors that are learned.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\beta$ in $[0, 1)$
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `update_probability`: the share of steps that fit the factors, in $(0, 1]$; `None` is
      [a schedule](#update_probability)
    - `precond_lr`: $\mu$, the step of a fit, in $(0, 1]$
    - `precond_init_scale`: $Q$ starts at the identity times the root of the order of the tensor of this
    - `max_size_triangular`: a longer dimension has a diagonal factor
    - `min_ndim_triangular`: so has every dimension of a tensor with fewer of them
    - `memory_save_mode`: which other dimensions have one: `"none"`, the longest (`"one_diag"`), that
      only if there is one longest (`"smart_one_diag"`), or `"all_diag"`
    - `momentum_into_precond_update`: whether the factors fit the momentum, or the gradient
    - `clip_rms`: the largest root of the mean square of a step, or `None` for no bound
    - `balance_frequency`: after how many fits the factors of a tensor are given one size
    - `seed`: what the noise is drawn from, along with the step
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the parameter's shape, a matrix or a vector for each of its dimensions, and two
    numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Pooladzandi and Li (2024), with the defaults of kron_torch.
    """

    elementwise = False
    beta_count = 0
    has_eps = False
    scalar_state = ("since_fit", "fits")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 0.0,
        update_probability: float | None = None,
        precond_lr: float = 0.1,
        precond_init_scale: float = 1.0,
        max_size_triangular: int = 8192,
        min_ndim_triangular: int = 2,
        memory_save_mode: str = "none",
        momentum_into_precond_update: bool = True,
        clip_rms: float | None = 1.1,
        balance_frequency: int = 100,
        seed: int = 0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "update_probability": update_probability,
            "precond_lr": precond_lr,
            "precond_init_scale": precond_init_scale,
            "max_size_triangular": max_size_triangular,
            "min_ndim_triangular": min_ndim_triangular,
            "memory_save_mode": memory_save_mode,
            "momentum_into_precond_update": momentum_into_precond_update,
            "clip_rms": clip_rms,
            "balance_frequency": balance_frequency,
            "seed": seed,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        if group["update_probability"] is not None:
            require_number("update_probability", group["update_probability"], above=0, maximum=1.0)
        require_number("precond_lr", group["precond_lr"], above=0.0, maximum=1.0)
        require_number("precond_init_scale", group["precond_init_scale"], above=0.0)
        require_count("max_size_triangular", group["max_size_triangular"])
        require_count("min_ndim_triangular", group["min_ndim_triangular"])
        require_choice("memory_save_mode", group["memory_save_mode"], SAVING)
        require_flag("momentum_into_precond_update", group["momentum_into_precond_update"])
        if group["clip_rms"] is not None:
            require_number("clip_rms", group["clip_rms"], above=0.0)
        require_count("balance_frequency", group["balance_frequency"], minimum=1)
        require_count("seed", group["seed"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start momentum at zero and every factor at a multiple of the identity."""
        state["since_fit"] = torch.zeros((), dtype=torch.float64)
        state["fits"] = torch.zeros((), dtype=torch.float64)
        state["momentum_buffer"] = torch.zeros_like(param)
        if not param.numel():
            return
        real = torch.view_as_real(param) if param.is_complex() else param
        # A scalar is a vector of one.
        shape = tuple(real.shape) or (1,)
        size = group["precond_init_scale"] ** (1 / len(shape))
        triangular = [] if param.is_complex() else triangular_dims(shape, group)
        for dim, length in enumerate(shape):
            factor = real.new_full((length,), size)
            state[f"q_{dim}"] = factor.diag() if dim in triangular else factor

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Count: a fit is due when as many steps have passed as $1 / p_t$ says, a balancing with every n-th fit."""
        given = group["update_probability"]
        probability = update_probability(step) if given is None else given
        waited = group["since_fit"] + 1
        fits_now = waited >= 1 / probability
        fits = group["fits"] + fits_now
        return {
            "since_fit": 0 if fits_now else waited,
            "fits": fits,
            "fits_now": fits_now,
            "balances_now": fits_now and fits % group["balance_frequency"] == 0,
            "correction": 1 - group["momentum"] ** step,
            "step": step,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        grad = self.weight_decay(param, grad, group)
        # $B_t = \beta B_{t-1} + (1 - \beta)\, g_t$, corrected
        state["momentum_buffer"].lerp_(grad, 1 - group["momentum"])
        mean = state["momentum_buffer"].div(group["correction"])
        factors = [state[f"q_{dim}"] for dim in range(max(1, param.dim() - 1))]
        if group["balances_now"] and len(factors) > 1:
            balance(factors)
        if group["fits_now"]:
            seen = mean if group["momentum_into_precond_update"] else grad
            noise = probe(param.shape[1:], group["seed"], group["step"], param)
            fit(factors, _as_tensors(seen), _as_tensors(noise[None]), group["precond_lr"])
        # $u_t = Q^T Q\, \hat B_t$
        update = _as_tensors(mean)
        for dim, factor in enumerate(factors):
            update = multiply(multiply(update, factor, dim), factor, dim, transpose=True)
        update = update.reshape(param.shape)
        if group["clip_rms"] is not None:
            rms = mean_of_each(update.square()).sqrt_()
            update = update.mul(rms.add_(FLOOR).reciprocal_().mul_(group["clip_rms"]).clamp_max_(1))
        # $\theta_t = \theta_{t-1} - \alpha\, u_t$
        param.sub_(update.mul(group["lr"]))


def triangular_dims(shape: Sequence[int], group: Mapping[str, Any]) -> list[int]:
    """Return the dimensions of a tensor of `shape` that have a triangular factor."""
    if len(shape) < group["min_ndim_triangular"] or group["memory_save_mode"] == "all_diag":
        return []
    by_length = sorted(range(len(shape)), key=lambda dim: (shape[dim], dim))
    longest = by_length[-1]
    saved = group["memory_save_mode"] == "one_diag" or (
        group["memory_save_mode"] == "smart_one_diag"
        and len(shape) > 1
        and shape[longest] > shape[by_length[-2]]
    )
    return [
        dim
        for dim, length in enumerate(shape)
        if 1 < length <= group["max_size_triangular"] and not (saved and dim == longest)
    ]


def _as_tensors(stack: Tensor) -> Tensor:
    return stack[:, None] if stack.dim() == 1 else stack


def _along(vectors: Tensor, stack: Tensor, dim: int) -> Tensor:
    """Lay `vectors` of shape (k, n) along dimension `dim` of the tensors of `stack`."""
    shape = [1] * stack.dim()
    shape[0], shape[dim + 1] = vectors.shape
    return vectors.view(shape)


# ## The factors at work
#
# A diagonal factor is stored as a vector, and a stack of them has the shape (k, n). A triangular one has (k, n, n).
def multiply(stack: Tensor, factor: Tensor, dim: int, transpose: bool = False) -> Tensor:
    r"""Return $Q X$ along dimension `dim`, or $Q^T X$."""
    if factor.dim() == 2:
        return stack * _along(factor, stack, dim)
    return multiply_along(stack, factor if transpose else factor.mT, dim)


def solve(stack: Tensor, factor: Tensor, dim: int) -> Tensor:
    r"""Return $Q^{-T} X$ along dimension `dim`."""
    if factor.dim() == 2:
        return stack / _along(factor, stack, dim)
    moved = stack.movedim(dim + 1, 1)
    solved = torch.linalg.solve_triangular(
        factor.mT, moved.reshape(*moved.shape[:2], -1), upper=False
    )
    return solved.reshape(len(factor), *moved.shape[1:]).movedim(1, dim + 1)


def products(stack: Tensor, factor: Tensor, dim: int) -> Tensor:
    r"""Return the products of all slices along `dim`, $a\, a^T$, or only their diagonal for a diagonal factor."""
    if factor.dim() == 3:
        return gram_along(stack, dim)
    others = [place for place in range(1, stack.dim()) if place != dim + 1]
    squares = stack.square()
    return squares.sum(others) if others else squares


def largest(symmetric: Tensor) -> Tensor:
    r"""Bound the largest eigenvalue of each matrix from below, or return the largest entry of each vector.

    Two power steps, from the longest row. Shape (k, 1, 1) or (k, 1).
    """
    if symmetric.dim() == 2:
        return symmetric.amax(dim=-1, keepdim=True)
    size = symmetric.abs().amax(dim=(-2, -1), keepdim=True)
    scaled = symmetric / size.clamp_min(TINY)
    row = scaled.square().sum(dim=-1).argmax(dim=-1)
    vector = scaled.gather(1, row[:, None, None].expand(-1, 1, scaled.size(-1))).mT
    for _ in range(2):
        vector = scaled @ (vector / _length(vector).clamp_min(TINY))
    return size * _length(vector)


def _length(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=-2, keepdim=True)


def fit(factors: Sequence[Tensor], seen: Tensor, noise: Tensor, rate: float) -> None:
    r"""Bring all factors nearer to those that whiten what is `seen`, in place."""
    # $a = Q\, g$ and $b = Q^{-T} \xi$
    white, other = seen, noise.expand_as(seen)
    for dim, factor in enumerate(factors):
        white, other = multiply(white, factor, dim), solve(other, factor, dim)
    pairs = [
        (products(white, factor, dim), products(other, factor, dim))
        for dim, factor in enumerate(factors)
    ]
    for factor, (first, second) in zip(factors, pairs, strict=True):
        # $Q \leftarrow Q - \mu\, \operatorname{triu}(a a^T - b b^T)\, Q\, /\, \lVert a a^T + b b^T \rVert$
        change = (first - second) / largest(first + second).add_(TINY)
        if factor.dim() == 3:
            factor.sub_(change.triu_() @ factor, alpha=rate)
        else:
            factor.sub_(change * factor, alpha=rate)


def balance(factors: Sequence[Tensor]) -> None:
    """Give the factors of each tensor the same largest entry, and leave their product as it is."""
    sizes = [factor.abs().flatten(1).amax(dim=1) for factor in factors]
    mean = torch.stack(sizes).prod(dim=0) ** (1 / len(factors))
    for factor, size in zip(factors, sizes, strict=True):
        factor.mul_((mean / size).view(-1, *[1] * (factor.dim() - 1)))

r"""
---
title: PSGD-Kron
summary: Kron learns triangular factors that make the gradients of a matrix look like white noise, without an inverse root of anything.
paper:
  title: Curvature-Informed SGD via General Purpose Lie-Group Preconditioners
  authors: Omead Pooladzandi, Xi-Lin Li
  year: 2024
  arxiv: "2402.04553"
chapter: "7.5"
needs: [stacks, optimizers/shampoo, optimizers/soap]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
  \mu: precond_lr
verified_against:
  implementation: pytorch_optimizer.Kron 4.1.0 in float64, with the noise and the balancing of this file
  difference: 9e-16 over 100 noisy steps in float64
---

# A gradient of white noise

Let a $32 \times 16$ gradient be noise with a direction: $g = L Z R$, where $Z$ is Gaussian, and $L$ and $R$ are fixed
matrices with singular values from 1 to 0.1. Along its strongest direction $g$ is 100 times as large as along its
weakest. Scales for single weights do not help, since the directions are no axes.

[Shampoo](shampoo.py) sums up $g g^T$ and $g^T g$ and takes an inverse root of each. Kron keeps a triangular matrix
for each side and corrects both a little with every gradient. How much larger the strongest direction of the step is
than the weakest, after so many corrections (*fits*) of size $\mu$:

| | 0 | 10 | 30 | 100 | 300 | 1000 | 3000 |
|---|---:|---:|---:|---:|---:|---:|---:|
| $\mu = 0.1$ | 100 | 81 | 30 | 6.0 | 2.5 | 2.3 | 2.3 |
| $\mu = 0.02$ | 100 | 98 | 89 | 40 | 9.9 | 2.3 | 1.5 |
| $\mu = 0.1$, diagonal factors | 100 | 93 | 80 | 87 | 91 | 86 | 89 |

With $\mu = 0.1$ the noise of the fits keeps it at 2.3; a smaller $\mu$ gets nearer and takes longer.

What is that worth? Take $\frac12 \lVert A \theta B \rVert^2$ with $A$ of $24 \times 24$ and $B$ of $16 \times 16$,
singular values from 1 to $1/30$, a Gaussian start, and 500 steps with a rate that falls to 0. The loss at the end,
divided by that at the start, for the best rate of a few, one run each:

| SGD with momentum | Adam | Kron, diagonal | Kron | Muon | SOAP |
|---:|---:|---:|---:|---:|---:|
| $2 \cdot 10^{-4}$ | $2 \cdot 10^{-4}$ | $5 \cdot 10^{-5}$ | $2 \cdot 10^{-8}$ | $10^{-8}$ | $5 \cdot 10^{-10}$ |

Gradients were exact. With noise of 0.1 in every element SGD, Adam, Kron, Muon and SOAP all end at 0.04 or 0.05.

## What the criterion asks for

Begin with one weight and a number $P$ by which its gradient is multiplied. Let $\xi$ be a standard Gaussian that
knows nothing of $g$. Ask for the $P > 0$ that makes

$$
c(P) = \mathbb E \left[ P g^2 + \frac{\xi^2}{P} \right] = P\, \mathbb E[g^2] + \frac1P
$$

smallest. The first term wants a small $P$, the second a large one. The derivative is
$\mathbb E[g^2] - 1/P^2$, which is 0 for $P = 1 / \sqrt{\mathbb E[g^2]}$. That is the factor of
[RMSprop](rmsprop.py) and [Adam](adam.py).

With a vector and a symmetric matrix $P$ the same criterion is, for $C = \mathbb E[g g^T]$,

$$
c(P) = \mathbb E \left[ g^T P\, g + \xi^T P^{-1} \xi \right] = \operatorname{tr}(P C) + \operatorname{tr}(P^{-1}),
\qquad \frac{\partial c}{\partial P} = C - P^{-2}
$$

So the best $P$ is $C^{-1/2}$, and $P g$ has the covariance $C^{-1/2} C\, C^{-1/2} = I$: white. That is the full
matrix of [Adagrad](adagrad.py), and nobody has computed a root. $\xi$ stands in for $\operatorname{tr}(P^{-1})$,
since $\mathbb E[\xi \xi^T] = I$.

## A step on triangles

Write $P = Q^T Q$ with an upper triangular $Q$, and let $a = Q g$ and $b = Q^{-T} \xi$. Then the criterion is
$\lVert a \rVert^2 + \lVert b \rVert^2$. Change $Q$ relative to itself, to $(I + E)\, Q$. To first order $a$ changes
by $E a$ and $b$ by $-E^T b$, so

$$
\delta c = 2\, a^T E\, a - 2\, b^T E^T b = 2\, \langle E,\; a a^T - b b^T \rangle
$$

The step goes against it, and keeps the upper triangle only:

$$
Q \leftarrow Q - \mu\, \frac{\operatorname{triu}(a a^T - b b^T)}{\lVert a a^T + b b^T \rVert}\, Q
$$

The relative step is why this works. $Q$ enters only through $a$ and $b$: a fit takes as long for gradients of
$10^{-4}$ as for any others, once it is there. Products and inverses of triangular matrices are triangular, so $Q$
stays one, and $b$ costs a substitution and no inversion. An entry of the diagonal is multiplied by at least $1 - \mu$
if the norm is exact, so $Q$ stays invertible. Such matrices are the Lie group of the paper's title.

For a matrix, $P = (Q_L^T Q_L) \otimes (Q_R^T Q_R)$. Then $a = Q_L\, g\, Q_R^T$ and $b = Q_L^{-T} \xi\, Q_R^{-1}$ are
matrices, $Q_L$ is fitted with $a a^T$ and $b b^T$, and $Q_R$ with $a^T a$ and $b^T b$. A tensor has a factor for each
dimension. Vectors, and dimensions that are too long, have diagonal factors, with the diagonals of all that.

## The update rule

$$
\begin{aligned}
B_t &= \beta B_{t-1} + (1 - \beta)\, g_t, \qquad \hat B_t = \frac{B_t}{1 - \beta^t} \\
Q_i &\leftarrow \text{one fit with } \hat B_t \text{ and } \xi_t, \text{ if it is due} \\
u_t &= P\, \hat B_t, \qquad P = \bigotimes_i Q_i^T Q_i \\
\theta_t &= \theta_{t-1} - \alpha\, u_t \cdot \min\left( 1,\; \frac{1.1}{\operatorname{RMS}(u_t)} \right)
\end{aligned}
$$

with $\beta = 0.9$ and $\mu = 0.1$. RMS is the root of the mean square of all elements. Four details:

- **The norm** is the largest eigenvalue, bounded from below: two power steps from the longest row of $a a^T + b b^T$.
- **When.** A share $p_t$ of the steps fits: 1 up to step 501, then $e^{-0.001 (t - 501)}$, and 0.03 from step 4008
  on. A counter decides, no coin: a fit is due after $1 / p_t$ steps, rounded up. So every second step fits as soon as
  $p_t < 1$. There are 500 fits in 500 steps, 750 in 1000, 1076 in 2000, 1258 in 4000, and then one in 34 steps.
- **What is whitened** is the momentum. With gradients of pure noise the steps of a $32 \times 16$ matrix have an RMS
  of $0.99\,\alpha$. Fitted to gradients, `momentum_into_precond_update=False`, it is $0.23\,\alpha$, as for Adam.
- **Balancing.** $Q_L$ may grow while $Q_R$ shrinks. With every hundredth fit both get the same largest entry. That
  changes no parameter by more than rounding.

## Noise that comes again

Other programs draw $\xi$ from torch's global generator. Then a run goes on otherwise after a checkpoint, and
otherwise if a model draws for its dropout. Here $\xi_t$ is computed from `seed`, the step of the parameter and its
shape. The group has the seed and the state the step, so a checkpoint has all of it. Parameters of one shape that have
made as many steps share their noise; each fit is unbiased all the same. On a GPU the numbers are others than on a CPU.

## Conventions

- **pytorch_optimizer** counts steps and fits once for all parameters, decays none with fewer than two dimensions, and
  keeps factors in float32.
- **timm** has triangles up to 2048, not 8192, and adds $10^{-8}$ to the RMS, not $10^{-6}$. It decays vectors, as this
  file does.
- **kron_torch** decays no vectors, and $\alpha$ is 0.0003 by default, not 0.001.
- **Balancing.** kron_torch, timm and pytorch_optimizer do it by a coin, with one fit in a hundred or so.
- **Decay.** All three add $\lambda \theta$ to $u_t$ after the cut, which is decoupled decay times $\alpha$.

## What comparisons have found

Wen et al. (2025, arXiv 2509.02046) tuned ten optimizers on language models of 0.1 to 1.2 billion parameters. Those
that multiply by matrices, Kron among them, are the fastest. Their speed-up over AdamW is 1.4 at 0.1 billion
parameters and 1.1 at 1.2 billion. With 16 times the tokens of a compute-optimal run, Kron and SOAP overtake Muon. The
authors conjecture that a second moment pays off in long runs.

In a race on one small GPT it needed 3375 steps, with weights of a fixed length in place of decay, Muon and SOAP in
that place 3250 and 3125
([results 33, 37 and 27](https://github.com/KellerJordan/modded-nanogpt/tree/master/records/track_3_optimization)).
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
    - `precond_init_scale`: the product of all factors starts at the identity times this
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
    solved: Tensor = torch.linalg.solve_triangular(
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
    length: Tensor = torch.linalg.vector_norm(vector, dim=-2, keepdim=True)
    return length


def fit(factors: Sequence[Tensor], seen: Tensor, noise: Tensor, rate: float) -> None:
    r"""Bring all factors nearer to those that whiten what is `seen`, in place, unless that is zero."""
    # $a = Q\, g$ and $b = Q^{-T} \xi$
    white, other = seen, noise.expand_as(seen)
    for dim, factor in enumerate(factors):
        white, other = multiply(white, factor, dim), solve(other, factor, dim)
    pairs = [
        (products(white, factor, dim), products(other, factor, dim))
        for dim, factor in enumerate(factors)
    ]
    # Nothing is learned from a tensor without a gradient; factors would grow until they overflow.
    rates = seen.flatten(1).any(dim=1).to(seen.dtype).mul_(rate)
    for factor, (first, second) in zip(factors, pairs, strict=True):
        # $Q \leftarrow Q - \mu\, \operatorname{triu}(a a^T - b b^T)\, Q\, /\, \lVert a a^T + b b^T \rVert$
        change = (first - second) / largest(first + second).add_(TINY)
        change.mul_(rates.view(-1, *[1] * (factor.dim() - 1)))
        factor.sub_(change.triu_() @ factor if factor.dim() == 3 else change * factor)


def balance(factors: Sequence[Tensor]) -> None:
    """Give the factors of each tensor the same largest entry, and leave their product as it is."""
    sizes = [factor.abs().flatten(1).amax(dim=1) for factor in factors]
    mean = torch.stack(sizes).prod(dim=0) ** (1 / len(factors))
    for factor, size in zip(factors, sizes, strict=True):
        factor.mul_((mean / size).view(-1, *[1] * (factor.dim() - 1)))


# ## Choosing, and when not to
#
# - `lr`, `weight_decay`: a third of Adam's and 3 to 10 times AdamW's, says kron_torch. On pure noise the steps are 4.3
#   times as long.
# - `memory_save_mode`: for a weight of $768 \times 3072$ the state is 5.25 times the weight, AdamW's twice,
#   SOAP's 10.5 times. `"smart_one_diag"` keeps the longer side diagonal: 1.25 times. The price is the whitening of
#   that side.
# - `update_probability`: leave it. A step of that weight took 0.38 s of CPU time on one thread, one with a fit 1.8 s.
#   With `"smart_one_diag"` it was 0.10 and 0.27 s, AdamW 0.003 s.
#
# Take it for matrices of moderate size and long runs. Leave it if there are a few hundred steps only: the factors
# need that many to learn anything. For vectors it is RMSprop by another way.
#
# ## Small gradients begin slowly
#
# Factors start at the identity, and a fit changes them by about 10 % at most. The RMS of a step of a $32 \times 16$
# matrix with noise as gradient, without the cut, in multiples of $\alpha$:
#
# | size of gradients | step 1 | 10 | 30 | 50 | 100 | 200 |
# |---:|---:|---:|---:|---:|---:|---:|
# | $10^{-4}$ | $10^{-4}$ | $10^{-4}$ | $10^{-3}$ | 0.01 | 0.9 | 1.0 |
# | 1 | 0.9 | 0.6 | 0.9 | 1.0 | 1.0 | 1.0 |
# | 100 | 81 | 6.7 | 1.1 | 1.0 | 1.0 | 1.0 |
#
# It is a warm-up, longer for smaller gradients. Gradients that shrink when only one step in 34 fits are followed 34
# times as slowly. Large ones are what the cut is for.
#
# ## Traps
#
# - **Two values of `seed` are two runs.** After 100 steps on noise with $\alpha = 0.02$ parameters are up to 0.3 apart.
# - **Half of the fits are gone in step 502**, though the schedule says 99.9 %. Set `update_probability=1.0` to
#   compare with a method that follows every gradient.
# - **Convolutions** have a factor for each of four dimensions. A kernel of $3 \times 3$ has two tiny ones, and each
#   costs a product of the whole tensor.
# - **A row without gradients is waited for.** Nothing but $\xi$ is seen there, so its scale grows with every fit.
#   When the first gradient of such a row of $16 \times 8$ came after 200 steps, its part of the step was as long as
#   that of all others together, after 1000 steps three times as long.
# - **A whole tensor without gradients** is not fitted here. In pytorch_optimizer it is: after 400 steps in float32
#   the next gradient does nothing, as its RMS overflows, and after 1000 it makes NaN.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py): the search chose $\alpha = 0.001$, a third of [AdamW](adamw.py)'s
# rate, with a held-out loss of 0.030, AdamW's being 0.037 (one seed). At 0.0003 the loss is 36 % higher, at 0.003
# 49 %. The accuracies are 99.36, 99.33 and 99.43 %, AdamW's 99.30 to 99.40 %: no difference on 10 000 images.
#
# The slow beginning can be read from the records. The first update is 0.001 to 0.002 long, AdamW's 1.8. Over the steps
# 2 to 112 the mean training loss is 0.76 to 0.79, AdamW's 0.34 to 0.36. Then Kron catches up: over the rest of the first
# epoch 0.068 to 0.070, AdamW's 0.071, and over the third 0.007, AdamW's 0.010 to 0.012.
#
# [On CIFAR-10](../../experiments/cifar.py) the slow beginning, a first update of 0.06 to 0.07, does no harm: over the
# steps 2 to 112 the mean training loss is 1.49 to 1.54, AdamW's 1.57 to 1.63, and in the third epoch 0.56, AdamW's
# 0.61 to 0.64. The search (one epoch, one seed) chose 0.003, AdamW's rate. At a third of it the held-out loss is 3 %
# higher, at three times 8 %; AdamW's 5 and 28 %. The accuracies of three seeds are 81.55, 81.86 and 81.95 %, AdamW's
# 79.34 to 80.28 %. Both have the same number of steps, and Kron's cost more.
#
# ## Exercises
#
# **1.** Two weights have gradients $g = (z_1 + z_2,\; z_1 - z_2)$, where $z_1$ and $z_2$ are independent noise of the
# sizes 1 and 0.1. Fit a triangular factor of a vector, and look at the covariance of $P g$.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.optimizers.kron import fit
#
# generator = torch.Generator().manual_seed(0)
# turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) * torch.tensor([1.0, 0.1])
# factor = torch.eye(2)[None]
# for _ in range(3000):
#     z, noise = torch.randn(2, 1, 2, generator=generator)
#     fit([factor], z @ turn.T, noise, 0.005)
# white = factor[0].T @ factor[0] @ turn
# assert torch.linalg.cond(turn) > 9.9
# assert torch.linalg.cond(white) < 1.5
# torch.testing.assert_close(white @ white.T, torch.eye(2), atol=0.3, rtol=0)
# ```
# :::
#
# **2.** Gradients are $10^{-4}$, and both factors of a matrix start at 1. How large have they to become, and how many
# fits does it take at least?
#
# ::: solution
# $P = Q_L^T Q_L \otimes Q_R^T Q_R$ has to be $10^4$, so each of the four is 10. A fit multiplies by $1 + \mu = 1.1$
# at most, and $\ln 10 / \ln 1.1 = 24.2$: 25 fits. It takes four times as long: $b b^T$ of one draw is far from a
# multiple of the identity, so its norm is several times its mean.
# :::
#
# **3.** What does $c(P)$ prefer if $\xi$ has the variance 4?
#
# ::: solution
# $\operatorname{tr}(P C) + 4 \operatorname{tr}(P^{-1})$ has the derivative $C - 4 P^{-2}$, so $P = 2\, C^{-1/2}$:
# steps of RMS 2 instead of 1.
# :::

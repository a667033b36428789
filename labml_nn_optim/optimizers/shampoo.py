r"""
---
title: Shampoo
summary: >-
  Shampoo multiplies the gradient of a matrix by an inverse root of what its rows, and what its columns, have in
  common.
paper:
  title: "Shampoo: Preconditioned Stochastic Tensor Optimization"
  authors: Vineet Gupta, Tomer Koren, Yoram Singer
  year: 2018
  arxiv: "1802.09568"
  venue: ICML
chapter: "7.3"
needs: [stacks, optimizers/adagrad, optimizers/muon]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  L: gram
  p: exponent
  \varepsilon: eps
verified_against:
  implementation: pytorch_optimizer.Shampoo 4.1.0 with the paper's sums, no grafting and new roots in every step
  difference: 4e-14 over 100 noisy steps in float64
---

# Adagrad knows axes, not directions

A loss $\frac{1}{2} \langle \theta, A\, \theta\, B \rangle$ of an $8 \times 6$ matrix $\theta$. $A$ and $B$ have
eigenvalues from 1 to 0.01. In one version they are diagonal, in the other they are turned at random. What is left of
the loss after 200 steps, each optimizer with the best of 19 constant learning rates? Starts differ much, so only powers
of ten are given:

| | diagonal | turned |
|---|---:|---:|
| SGD with momentum 0.9 | $10^{-5}$ | $10^{-5}$ |
| Adagrad | 0 | $10^{-3}$ |
| Adagrad with the full matrix | $10^{-10}$ | $10^{-10}$ |
| Shampoo, as in the paper | below $10^{-15}$ | below $10^{-15}$ |

[Adagrad](adagrad.py) gives each weight a rate of its own. That repairs a badly scaled problem whose axes are the
weights. Turn it, and Adagrad is worse than SGD. Its paper has the remedy: the matrix
$M_t = \sum_{s \le t} \operatorname{vec}(g_s) \operatorname{vec}(g_s)^T$, and steps along
$M_t^{-1/2} \operatorname{vec}(g_t)$.

For an $r \times c$ matrix $M$ has $(r c)^2$ numbers. One layer of a small vision transformer, $384 \times 1536$,
would need $3.5 \cdot 10^{11}$, or 1.4 TB in float32. Shampoo has two matrices in its place, of $r^2$ and of $c^2$
numbers, 2.5 million, and keeps as many for their roots.

## The update rule

The paper's, for a matrix:

$$
\begin{aligned}
L_0 &= \varepsilon I, \qquad L_t = L_{t-1} + g_t\, g_t^T \\
R_0 &= \varepsilon I, \qquad R_t = R_{t-1} + g_t^T g_t \\
\theta_t &= \theta_{t-1} - \alpha\, L_t^{-1/4}\, g_t\, R_t^{-1/4}
\end{aligned}
$$

The default here is what came of it in practice: averages for sums, momentum, roots that are used for $f$ steps, and
a length that Adam gives.

$$
\begin{aligned}
L_t &= \beta_2 L_{t-1} + (1 - \beta_2)\, g_t\, g_t^T, \qquad R_t = \beta_2 R_{t-1} + (1 - \beta_2)\, g_t^T g_t \\
P_t &= (\hat L_t + \varepsilon I)^{-p}, \qquad Q_t = (\hat R_t + \varepsilon I)^{-p}, \qquad p = \tfrac{1}{4},
\qquad \text{if } f \text{ divides } t, \text{ else } P_{t-1},\, Q_{t-1} \\
a_t &= \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}, \qquad u_t = P_t\, \hat m_t\, Q_t \\
\theta_t &= \theta_{t-1} - \alpha\, \lVert a_t \rVert_F\, \frac{u_t}{\lVert u_t \rVert_F}
\qquad \text{or, for } t < f, \quad \theta_{t-1} - \alpha\, a_t
\end{aligned}
$$

A hat is Adam's correction. $m$ and $v$ are [Adam](adam.py)'s, so $a_t$ is Adam's step. Weight decay comes before all
that, as in [AdamW](adamw.py).

## Why two small matrices bound a large one

Let $g = \sum_i \sigma_i u_i v_i^T$ have rank $\rho$ at most, and let $x$ be any matrix. With Cauchy and Schwarz, and
as $u_i^T x v_i$ is one part of the vector $x v_i$,

$$
\langle g, x \rangle^2 = \Big( \sum_i \sigma_i\, u_i^T x v_i \Big)^2 \le \rho \sum_i \sigma_i^2\, (u_i^T x v_i)^2
\le \rho \sum_i \sigma_i^2\, \lVert x v_i \rVert^2 = \rho\, \langle x, x\, g^T g \rangle
$$

The left side is the quadratic form of $\operatorname{vec}(g) \operatorname{vec}(g)^T$, the right side that of
$\rho\, I \otimes g^T g$. Take rows for columns, and $\rho\, g g^T \otimes I$ is a bound as well. Sum over the steps:

$$
M \le \rho\, (I \otimes R), \qquad M \le \rho\, (L \otimes I)
$$

$A \le B$ means for matrices that $B - A$ has no negative eigenvalue. The two bounds commute. What is below both is
below their geometric mean, and roots keep the order of matrices:

$$
M \le \rho\, (L^{1/2} \otimes R^{1/2}), \qquad M^{1/2} \le \sqrt \rho\, (L^{1/4} \otimes R^{1/4})
$$

$L^{1/4} \otimes R^{1/4}$ takes the place of $M^{1/2}$. Its inverse, applied to $g$, is $L^{-1/4}\, g\, R^{-1/4}$. A
divisor that is too large keeps Adagrad's regret bound, with other constants: that is the paper's theorem. A tensor
with $k$ dimensions has $k$ such bounds. Their geometric mean has the powers $1/k$, and its root $1 / (2k)$.

If only one dimension has a matrix, only one bound is there, and $L^{-1/2}\, g$ follows. So $k$ counts matrices
here. For a vector $L$ is $M$ itself, and Shampoo is Adagrad with the full matrix.

[Muon](muon.py) is the same formula without a memory: of one gradient alone, $L^{-1/4}\, g\, R^{-1/4} = U V^T$.

## One half is nearer than one quarter

A bound need not be near. Suppose that gradients have a covariance that is a product, $M = A \otimes B$. Then
$\mathbb E\, g g^T = A \operatorname{tr} B$ and $\mathbb E\, g^T g = B \operatorname{tr} A$, so

$$
M = \frac{L \otimes R}{\operatorname{tr} L}, \qquad
M^{-1/2} \operatorname{vec}(g) = \sqrt{\operatorname{tr} L}\; \operatorname{vec}(L^{-1/2}\, g\, R^{-1/2})
$$

With $p = \frac{1}{2}$ and the trace it is Adagrad's full matrix exactly. $p = \frac{1}{4}$ goes half the way: if $A$
and $B$ have a condition of 100 each, that of $M$ is 10 000, of the steps' covariance 100 for $p = \frac{1}{4}$, and 1
for $p = \frac{1}{2}$. Dividing by the diagonal alone leaves 4500 ($8 \times 6$, median of 20 random turns).

Morwani et al. (2024, arXiv 2406.17748) show that $L \otimes R$ is one step of a power iteration for the best
product, begun with the identity, and measured that it comes near. It does here too. For the $16 \times 24$ layer of a
196-24-16-10 network on MNIST images of half size these are cosines with $M$, of the gradients of 400 batches of 64
(pixels from 0 to 1, one seed):

| | at the start | after 300 steps of AdamW at 0.001 |
|---|---:|---:|
| the best product | 0.50 | 0.94 |
| $L \otimes R$ | 0.47 | 0.94 |
| $L^{1/2} \otimes R^{1/2}$ | 0.41 | 0.84 |
| the diagonal of $M$ | 0.25 | 0.19 |

`exponent=0.5` asks for it. The scale of a step is then the inverse of the gradient's, so it wants grafting.

## A length from elsewhere

Let all gradients be noise of size $\sigma$. Then $\hat L \approx c\, \sigma^2 I$ and $\hat R \approx r\, \sigma^2 I$,
and an element of $\hat L^{-1/4}\, g\, \hat R^{-1/4}$ has the root mean square $(r c)^{-1/4}$, where Adam's has 1.
That is 0.05 for $384 \times 384$, 0.02 for a kernel of $64 \times 64 \times 3 \times 3$, and 1 for a bias that has a
matrix. One $\alpha$ would make the bias's steps 50 times as large as the kernel's. No theorem says that they should be.
*Grafting* (Agarwal et al. 2020, arXiv 2002.11803) takes the direction of one rule and, tensor by tensor, the length of
another. Then Adam's learning rates and schedules fit.

It also covers for roots that are out of date. Let the gradients of a $16 \times 16$ matrix become ten times as large
just after the roots were found (no momentum, $\beta_2 = 0.99$). Without grafting steps are ten times as long until the
next roots. With Adam's length they are 6 times as long in the first step, 3 times in the tenth, 1.9 times in the
thirtieth.

Eschenhagen et al. (2025, arXiv 2506.03595) come to the same: grafting from Adam makes up for eigenvalues that are out
of date or of the wrong size. Whoever corrects them directly needs none. [SOAP](soap.py) does.

## What staleness costs

An eigendecomposition is the expensive part. Here is the training loss of a 196-128-64-10 network on 12 800 MNIST
images of half size, pixels brought to mean 0 and variance 1, after 300 steps with 64 random images each. $\alpha$ falls
on a line from 0.01 to 0, the best of five rates for each (medians of three seeds, with the range):

| | $f = 1$ | $f = 10$ | $f = 100$ |
|---|---:|---:|---:|
| $p = 1/4$ | 0.070 (0.068 to 0.072) | 0.083 (0.080 to 0.088) | 0.109 (0.106 to 0.109) |
| $p = 1/2$ | 0.057 (0.055 to 0.060) | 0.091 (0.087 to 0.094) | 0.130 (0.128 to 0.136) |

AdamW has 0.131 at its best, SOAP 0.071 with $f = 10$ and 0.095 with $f = 100$. Sums in place of averages change
nothing here: 0.084.

## Conventions

- **Sums or averages.** `accumulate=True` is the paper's sum.
- **$\varepsilon I$** is the start of the sum in the paper. Here it is added when a root is taken, which is the same
  for sums. Google's code multiplies it by the largest eigenvalue.
- **The first roots** are found in step $f$. Until then a step is the graft's. pytorch_optimizer does not move at all
  before: with `preconditioning_compute_steps=3` steps 1 and 2 are zero.
- **Momentum.** pytorch_optimizer mixes the gradient with its last preconditioned step, and writes that into `p.grad`.
  Here momentum comes before the roots.
- **Large dimensions.** Meta's code (Shi et al. 2023, arXiv 2309.06497) cuts a large matrix into blocks with roots of
  their own. Here a dimension above `max_precond_dim` has no matrix: by default $384 \times 1536$ has one, on its
  short side, with $p = 1/2$.
- **Kernels** have a matrix for each dimension, $64 \times 64 \times 3 \times 3$ four, with $p = 1/8$.
- **Defaults.** $\beta_1, \beta_2$ are those of the examples in Meta's README for Adam, $\varepsilon$ is Adam's. Those
  examples have $\varepsilon = 10^{-12}$ and $f = 100$; Meta's code sums ($\beta_2 = 1$) with $f = 1$ unless told
  otherwise.

## What comparisons found

- AlgoPerf (Kasimbeg et al. 2025, arXiv 2502.15015) compared 18 submissions by the time to a result on fixed hardware.
  With tuning, Distributed Shampoo came first, about 28 % faster than the baseline, NAdamW.
- Shi et al. lose at most 10 % of a step's time to Shampoo when many GPUs share the roots.
- Eschenhagen et al. (2026, arXiv 2602.09314) find that it needs fewer tokens than Muon on language models,
  as Adam needs fewer than Signum. A race on one small GPT
  ([results 21, 35 and 36](https://github.com/KellerJordan/modded-nanogpt/tree/master/records/track_3_optimization))
  says otherwise: 4100 steps with $p = \frac14$ and $f = 5$, 3375 with a matrix on one side, Adam's length and $f = 1$
  (two runs), 3250 with Muon.
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


# ## Choosing, and when not to
#
# - `lr`: Adam's, with `grafting="adam"`.
# - `precondition_frequency`: as low as you can pay for, see the table above. 10 is a start.
# - `exponent`: try 0.5 where roots are renewed often, and with grafting.
# - `betas`: $1 / (1 - \beta_2)$ should be well above $f$, so that a root knows more than the steps it is used for.
# - `max_precond_dim`: a matrix of 4096 has 17 million numbers, is stored twice, and its decomposition grows with the
#   third power.
#
# It costs time. With matrices of $384 \times 384$, $384 \times 1536$ and $1536 \times 384$ and all roots
# (`max_precond_dim=2000`, $f = 10$) a step took 141 ms of one CPU thread, AdamW's 2.2 ms. That does not depend on the
# batch: with a small one, or a layer that is cheap to run, leave it. Nor is it for embeddings: a long dimension has
# no matrix, and what is left is a root for the short side.
#
# ## Traps
#
# - **Matrices without full rank.** A direction that no gradient has had is worth $\varepsilon^{-p}$, 100 for each
#   side. With $f = 1$ that does no harm, as the gradient is in its own matrix. With $f = 10$ the next gradient's new
#   directions are multiplied by it. Take $64 \times 64$ gradients of rank 4, products of two factors, each a mean
#   plus noise of the same size. The cosine of a step with the product of the means is 0.7 in step 10, 0.0 in the
#   steps 11 to 19, and 0.7 again in step 20, when the matrices have full rank. With $f = 1$ it is 0.7 throughout. So
#   $f$ times the rank of a gradient, which is at most the number of rows of input, has to exceed the longest dimension
#   that has a matrix, at the least.
# - **Vectors** have rank 1: with `precondition_1d=True` the cosine with the mean, for 64 elements and noise twice as
#   large, is 0.2 in step 11, Adam's 0.8. So they have no matrix by default and make the graft's steps.
# - **The scale of the loss.** $\varepsilon$ is compared with squares. Take a $16 \times 16$ matrix whose gradients are
#   noise, scaled from 1 to $10^{-3}$ along the rows and along the columns. Dividing the loss by 10 000 turns a step to a
#   cosine of 0.9 with what it was. Do not lower $\varepsilon$ without end: below $10^{-7}$ of the largest, eigenvalues
#   are rounding error in float32.
# - **A NaN in a gradient** is an error of `eigh` in the next step that finds roots, not a NaN in the weights.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with every dimension of its weights below 1024 and so with a matrix:
# the search chose $\alpha = 0.003$, [Adam](adam.py)'s choice, with a held-out loss of 0.035, Adam's being 0.038 (one
# seed). Smaller rates cost Shampoo less, 0.133 at 0.0001 where Adam has 0.190. At 0.01 both learn nothing: with
# `grafting="adam"` the steps have Adam's length, and that is what is too long. The first update of each seed is as long
# as Adam's to the last digit of the record.
#
# The accuracies are 99.36, 99.41 and 99.41 %, Adam's 99.39 to 99.44 %, which is no difference. The training loss is
# lower: over the steps 2 to 112 its mean is 0.30 to 0.33, Adam's 0.34 to 0.36; over the third epoch 0.007, Adam's
# 0.011. [SOAP](soap.py) has 0.28 to 0.30 and 0.003 to 0.004.
#
# [On CIFAR-10](../../experiments/cifar.py) the accuracies differ, too. The search (one epoch, one seed) chose 0.003
# again: the held-out loss is 0.837 there, 8 % below Adam's best. From 0.0001 to 0.001 the two are within 3 % of each
# other, so what the matrices add shows at larger rates only. The accuracies of three seeds are 80.5, 81.1 and 81.4 %,
# all above Adam's 79.4 to 80.1 %. The mean training loss of the third epoch is 0.57 to 0.60, Adam's 0.62 to 0.63.
# [SOAP](soap.py) has 80.9 to 81.6 % and 0.55 to 0.57. All have the same number of steps, and those of Shampoo and SOAP
# cost more.
#
# ## Exercises
#
# **1.** Gradients of independent noise of size $\sigma$ meet the exponent $p$ on both sides. How long is an
# element of $\hat L^{-p}\, g\, \hat R^{-p}$, and for which $p$ does it not depend on $\sigma$?
#
# ::: solution
# $(c\, \sigma^2)^{-p}\, (r\, \sigma^2)^{-p}\, \sigma = (r c)^{-p}\, \sigma^{1 - 4p}$: for $p = 1/4$.
# :::
#
# **2.** Check the bound $M^{1/2} \le \sqrt \rho\, (L^{1/4} \otimes R^{1/4})$ on 40 random gradients.
#
# ::: solution
# ```python
# import torch
#
#
# def power(symmetric, exponent):
#     values, vectors = torch.linalg.eigh(symmetric)
#     return vectors * values.clamp_min(0) ** exponent @ vectors.T
#
#
# torch.manual_seed(0)
# gradients = torch.randn(40, 6, 5, dtype=torch.float64)
# flat = gradients.flatten(1)
# left = (gradients @ gradients.mT).sum(0)
# right = (gradients.mT @ gradients).sum(0)
# bound = 5**0.5 * torch.kron(power(left, 0.25), power(right, 0.25))
# assert torch.linalg.eigvalsh(bound - power(flat.T @ flat, 0.5)).min() > 0
# ```
# :::
#
# **3.** What is the first step of a vector with `precondition_1d=True`, $f = 1$ and no grafting?
#
# ::: solution
# $L_1 = g g^T$ has the eigenvector $g$ with the eigenvalue $\lVert g \rVert^2$, and $k = 1$, $p = 1/2$:
# the step is $g / \lVert g \rVert$.
#
# ```python
# import torch
# from labml_nn_optim import Shampoo
#
# theta = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
# theta.grad = torch.tensor([30.0, 40.0], dtype=torch.float64)
# Shampoo([theta], lr=1.0, grafting="none", precondition_frequency=1, precondition_1d=True).step()
# torch.testing.assert_close(theta.detach(), torch.tensor([-0.6, -0.8], dtype=torch.float64))
# ```
# :::

r"""
---
title: GaLore
summary: >-
  GaLore runs Adam on the part of a matrix's gradient that lies in a few directions, and chooses these
  directions anew now and then.
paper:
  title: "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection"
  authors: Jiawei Zhao, Zhenyu Zhang, Beidi Chen, Zhangyang Wang, Anima Anandkumar, Yuandong Tian
  year: 2024
  arxiv: "2403.03507"
  venue: ICML
chapter: "6.7"
needs: [stacks, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  P: directions
  R: projected
  m: exp_avg
  v: exp_avg_sq
  s: scale
verified_against:
  implementation: pytorch_optimizer.GaLore 4.1.0 with singular vectors in float64
  difference: 4e-16 over 100 noisy steps in float64, with directions renewed every 20
---

# Sixteen directions hold 95 % of a gradient

Take an MNIST network, 784-256-256-10, pixels from 0 to 1, a batch of 64, and the gradient of its first matrix,
$256 \times 784$.
Its 16 leading singular vectors hold 95 % of its square norm in the first step, and 98 % or more from step 50 on.
So why store an average for all 200 704 elements?

GaLore multiplies the gradient by these 16 vectors, which makes it a $16 \times 784$ matrix, and gives that to
[Adam](adam.py). The step is multiplied back. For a $768 \times 3072$ matrix, the state in bytes for a weight,
measured:

| | Adam | $r = 32$ | $r = 128$ | $r = 384$ | $r = 768$ |
|---|---:|---:|---:|---:|---:|
| directions and averages | 8 | 0.375 | 1.5 | 4.5 | 9 |

The weights keep their full size, and so does the gradient.

What does that cost? 600 steps, two seeds, a constant $\alpha$, the better of 0.004 and 0.01 (Adam has 0.001, and so
have the biases and the output layer):

| | bytes for a weight of the first matrix | test loss |
|---|---:|---:|
| Adam | 8 | 0.16, 0.17 |
| $r = 64$ | 2.3 | 0.18, 0.18 |
| $r = 16$ | 0.58 | 0.26, 0.24 |
| $r = 4$ | 0.15 | 0.40, 0.39 |

## The update rule

For an $m \times n$ gradient with $m < n$; a tall or square one is transposed. The directions are looked for in
steps 1, $T + 1$, $2 T + 1$, ... and used for $T = 200$ steps:

$$
\begin{aligned}
g_t &= U \Sigma V^T, \qquad P = (U_1, \dots, U_r) \qquad \text{if } T \text{ divides } t - 1 \\
R_t &= P^T g_t \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, R_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, R_t^2 \\
u_t &= \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m_t}{\sqrt{v_t} + \varepsilon} \\
\theta_t &= \theta_{t-1} - \alpha\, s\, P\, u_t, \qquad s = \tfrac14
\end{aligned}
$$

$P$ has $m r$ numbers, and $R$, $m$ and $v$ have $r n$ each. Projecting the longer side would store less,
$n r + 2\, m r$: 1.0 instead of 1.5 bytes for $768 \times 3072$ and $r = 128$. But 128 of 768 directions are a
sixth of the space, and 128 of 3072 a twenty-fourth. The gradients to come have to fit in, too.

Vectors get plain Adam.

## Why these directions, and why not for good

Among all matrices of rank $r$ the one that comes closest to $g_t$ is $P P^T g_t$. That is the theorem of Eckart
and Young, and it is a statement about one gradient. The next one is another. Shares of the square norm, first
matrix, $r = 16$, $\alpha = 0.004$, seed 0:

| step | its own best 16 | the 16 in use | hidden matrix, in use |
|---:|---:|---:|---:|
| 2 | 0.95 | 0.53 | 0.76 |
| 50 | 0.98 | 0.21 | 0.43 |
| 200 | 0.99 | 0.23 | 0.36 |
| 300 | 1.00 | 0.77 | 0.94 |
| 400 | 1.00 | 0.87 | 0.96 |

The directions of step 1 are those of a network that knows nothing. 50 steps later four fifths of the square norm
of the first matrix's gradient are thrown away. Those of step 201 last. The loss says the same: with $T = 50$ the
losses of the steps 51 to 100 average 0.87, with $T = 200$ 0.99. At the end $T = 50$ is no better.

Within $T$ steps a matrix moves in $r$ directions. Over a run it can move in all of them, as they change. That
is the difference from a low-rank adapter, which adds a matrix of rank $r$ and no more.

## How long is a step?

Adam's first step moves each of $m n$ elements by $\alpha$: a length of $\alpha \sqrt{m n}$. Here it is each of
$r n$ elements of $R$, and multiplying by the orthonormal columns of $P$ keeps the length:
$\alpha s \sqrt{r n}$. The ratio is

$$
s \sqrt{r / m}
$$

For $r = 128$ of $m = 768$ it is 0.102, and 0.102 was measured. So $\alpha = 0.01$, which the authors use, is
about as long as 0.001 is for Adam. With another rank the step has another length.

With all directions, $r = m$, and $s = 1$ this is Adam in rotated coordinates, which is not Adam: $v$ then
belongs to directions, not to weights.

## New directions, old averages

In step $T + 1$ row $i$ of $m$ belongs to the old direction $i$, and is used with the new direction $i$. Paper
and code leave it there. If the directions have hardly changed, nothing happens. But a singular vector has no
sign of its own: with $U_i$ and $V_i$, $-U_i$ and $-V_i$ are as good. Which of them comes out depends on the
library, and on rounding.

Until the next change that does not matter: $P$ appears twice, and a sign falls out. Across a change it does. A
steady gradient of rank 4 ($32 \times 64$, singular values 40, 30, 20 and 10, noise of 2 in each element), $r = 4$,
and the mean cosine, over five seeds, of the step with steepest descent, in the last step with old directions and
after the change:

| averages | before | step 1 | step 5 | step 10 | step 20 |
|---|---:|---:|---:|---:|---:|
| kept | 0.79 | 0.73 | 0.78 | 0.79 | 0.79 |
| kept, all signs turned | 0.79 | $-0.66$ | $-0.13$ | 0.57 | 0.75 |
| carried over | 0.79 | 0.78 | 0.78 | 0.78 | 0.78 |

With turned signs the optimizer climbs for five steps, on a slope that never changes. "Carried over" is
$m \leftarrow P_{\text{new}}^T P_{\text{old}}\, m$, which no sign can disturb (exercise 2). The authors were
asked for it, and answered that the paper has no such step (issue 54 of their repository, 2024).

## Conventions

- **Which steps look.** The authors count from 0: steps 1, 201, 401, as here. pytorch_optimizer counts from 1:
  steps 1, 200, 400.
- **Decay** comes before the step here, after it in both programs. Decay in the gradient, which they lack, is
  projected with it.
- $\varepsilon = 10^{-6}$ is added to $\sqrt{v}$ before the correction, as by the authors; torch's Adam adds it
  after.
- **Singular vectors** are found in the data type of the parameter, at least float32; in both programs in
  float32 always.
- **Kernels** are flattened here: a convolution is a matrix with a row for each output channel. The authors
  decompose them along each dimension, pytorch_optimizer gives them plain Adam.
- **A rank above the shorter side** is that side, as in both programs. The step is still multiplied by $s$.
- Both programs project only groups that name a rank. Here all matrices are projected unless a group says
  `rank=None`.

## What others found

The authors report that up to 65.5 % of the memory of the states is saved, at the performance of full rank, for
LLaMA models of 1 and 7 billion parameters and up to 19.7 billion tokens.

Glentis et al. (2025, arXiv 2506.16659), whose paper is about a method of their own, give perplexities on C4:

| parameters (tokens) | 60M (1.4B) | 130M (2.6B) | 350M (7.8B) | 1B (13.1B) |
|---|---:|---:|---:|---:|
| Adam | 30.05 | 23.13 | 18.77 | 16.52 |
| GaLore | 34.58 | 25.31 | 19.37 | 15.57 |
| Stable-SPAM, an Adam with gradients normalized and clipped | 28.77 | 22.20 | 16.80 | 13.97 |

GaLore loses to Adam at three sizes of four. Where it wins, Stable-SPAM beats both. How carefully each was tuned
we could not check. In a benchmark by the same group (arXiv 2505.22922), with many hyper-parameters tried for each
method and up to a billion parameters, training at full rank is best.
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
    vectors: Tensor = right.mT if matrices.size(-2) >= matrices.size(-1) else left
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
    update: Tensor = exp_avg.div(exp_avg_sq.sqrt().add_(group["eps"]))
    return update


# ## Choosing, and when not to
#
# Take it if the states do not fit and the matrices are large: rank 128 of 768 and more.
# [8-bit Adam](adam_8bit.py) costs 2 bytes a weight and stays near Adam; try it first. Below that, GaLore has
# room for the rest.
#
# - `rank`: a quarter of the shorter side or less, if that side is long. Of 64 and 128 a quarter was too little on
#   CIFAR-10 (below). A square matrix costs $12\, r / n$ bytes a weight: more than Adam from $r = \tfrac23 n$ on.
# - `lr`: about Adam's, divided by $s \sqrt{r / m}$. Groups with `rank=None` want Adam's own.
# - `update_proj_gap`: 200, and less at the start of a run if you can afford it.
#
# A singular value decomposition of the $768 \times 3072$ matrix takes 1.0 s of one CPU thread, a step between two
# of them 0.02 s for $r = 128$, Adam's 0.008 s.
#
# ## Traps
#
# - **A first gradient of zero.** A matrix behind which a matrix of zeros stands, as in an adapter at the start,
#   has no directions. The decomposition returns unit vectors, and for $T$ steps the first $r$ rows move and no
#   others.
# - **A batch that is smaller than the rank.** The gradient of a linear layer for 64 examples has rank 64 at
#   most. The directions after the 64th are arbitrary.
# - **A gradient that is not finite** raises an error if it comes in a step that looks. In others it makes NaN,
#   as ever.
# - **Embeddings and the output layer.** A row of an embedding has a gradient if its word was there, so
#   directions found in one batch know nothing of other words. Give them `rank=None`.
# - **Gradients stay.** The saving is in the state alone, unless each parameter is moved and its gradient
#   dropped as soon as it is there.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py) with $r = 16$, which leaves 0.15 numbers of state for a weight where
# Adam has 2. The search (one epoch, one seed) chose $\alpha = 0.03$, and the rule multiplies it by $s = 0.25$. The
# held-out loss is 0.041; it is 36 % higher at 0.01, 45 % at 0.1. [Adam](adam.py)'s at its best rate is 0.038, and one
# point beyond that rate Adam learns nothing.
#
# The accuracies of three seeds are 99.26, 99.29 and 99.34 %. Adam's, 99.39 to 99.44 %, are all above,
# [AdamW](adamw.py)'s, 99.30 to 99.40 %, overlap. At first sixteen directions cost little: over the steps 2 to 112 the
# mean training loss is 0.35 to 0.39, Adam's 0.34 to 0.36. In the third epoch it is 0.021 to 0.022, Adam's 0.011.
#
# [On CIFAR-10](../../experiments/cifar.py) $r = 16$ is a quarter of the shorter side of the convolutions with 64
# channels, an eighth with 128, and leaves 0.33 numbers for a weight. There it is too little. The search chose 0.03
# again, with a held-out loss of 1.119 where Adam has 0.914. The accuracies are 72.2, 72.2 and 72.4 %, Adam's 79.4 to
# 80.1 %. It is the rank that costs, not the rotated coordinates: with the default of 128, which no shorter side of
# this network exceeds, the same search chose 0.01, with 0.911, and three seeds have 79.9, 80.3 and 80.5 %
# (`--optimizer galore --lr 0.01 --epochs 3 --dtype mixed`; no record is kept). But then the state is larger than
# Adam's.
#
# ## Exercises
#
# **1.** How many numbers does the state of a convolution of 64 channels on 64, $3 \times 3$, have with rank 16?
#
# ::: solution
# It is a $64 \times 576$ matrix: $64 \cdot 16$ for the directions and $2 \cdot 16 \cdot 576$ for the averages,
# 0.53 for each weight.
#
# ```python
# import torch
# from labml_nn_optim import GaLore
#
# weight = torch.nn.Conv2d(64, 64, 3).weight
# weight.grad = torch.randn_like(weight)
# optimizer = GaLore([weight], rank=16)
# optimizer.step()
# state = optimizer.state[weight]
# stored = sum(value.numel() for name, value in state.items() if name != "step")
# assert stored == 64 * 16 + 2 * 16 * 576
# assert round(stored / weight.numel(), 2) == 0.53
# ```
# :::
#
# **2.** Carry $m$ over when the directions change. Check it where the new direction has nothing to do with the
# old one.
#
# ::: solution
# $P_{\text{old}}\, m$ is the momentum in the coordinates of the weights. Project it anew. $v$ holds squares,
# which cannot be turned so; it stays.
#
# ```python
# import torch
# from labml_nn_optim import GaLore
# from labml_nn_optim.optimizers.galore import leading_directions
#
#
# class Carried(GaLore):
#     def step_param(self, state, group, grad, param):
#         if group["looks"] and "directions" in state:
#             old = state["directions"].clone()
#             new = leading_directions(grad.flatten(2), old.size(-1))
#             state["directions"].copy_(new)
#             state["exp_avg"].copy_(new.mT @ old @ state["exp_avg"])
#             group = {**group, "looks": False}
#         super().step_param(state, group, grad, param)
#
#
# def second_row(kind):
#     theta = torch.nn.Parameter(torch.zeros(2, 3))
#     optimizer = kind([theta], lr=1.0, rank=1, update_proj_gap=10)
#     for step in range(11):
#         # The first row has the gradient for 10 steps, then the second.
#         theta.grad = torch.zeros(2, 3)
#         theta.grad[int(step == 10)] = 1.0
#         optimizer.step()
#     return theta[1, 0].item()
#
#
# # A first step of momentum is a tenth of a gradient; old momentum makes it seven times as long.
# assert -0.05 < second_row(Carried) < -0.03
# assert abs(second_row(GaLore)) > 0.1
# ```
# :::
#
# **3.** Show that turning the sign of a direction changes nothing before the next change.
#
# ::: solution
# Let $D$ be diagonal with entries $\pm 1$, and $P D$ the directions. Then $R$ becomes $D R$, so does $m$, and
# $v$ stays. The step $P D \cdot D\, m / (\sqrt v + \varepsilon)$ is what it was, as $D$ acts on rows and the
# division on elements. After a change with another $D$ it would be $P' D' D\, m$.
# :::

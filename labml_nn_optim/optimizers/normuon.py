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
needs: [orthogonal, optimizers/muon]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
  v: second_momentum_buffer
verified_against:
  implementation: pytorch_optimizer.NorMuon 4.1.0, orthogonalized in float64, both ways of scaling
  difference: 9e-16 over 100 noisy steps in float64
---

# Orthogonal columns, uneven rows

A layer of 512 neurons that each see 128 inputs has a weight of $512 \times 128$. [Muon](muon.py) makes its update
orthogonal: all 128 singular values are about 1. A row of the update is the step of one neuron. How long are the 512
rows?

A network with three hidden layers learns MNIST, shrunk to $14 \times 14$ pixels. In step 90 of 100 with Muon:

| weight | 80 % of the rows are between | the median |
|---|---:|---:|
| $512 \times 196$ | 0.34 and 0.59 | 0.48 |
| $512 \times 128$ | 0.26 and 0.58 | 0.46 |
| $128 \times 512$ | 0.88 and 1.01 | 0.93 |

The longest rows of the two tall weights have 0.71 and 0.73. Some neurons move several times as far as others, and
nothing but the matrix decides which.

## What orthogonality says about rows

Let $O = U V^T$ be exactly orthogonal, of $m$ rows and $n$ columns.

If $m \le n$ and no row is a combination of others, then $O O^T = I$: every row has length 1. There is nothing to
repair.

If $m > n$, then only $O^T O = I$. The squared lengths of the rows are the diagonal of $O O^T = U U^T$, a projection
onto $n$ of $m$ directions. Each lies between 0 and 1, and their sum is $n$. So they are $n / m$ on average, and nothing
makes them equal. A neuron whose gradient is large, or unlike all others, gets a row of nearly 1.

Five Newton-Schulz steps are not exact either. With Gaussian gradients whose rows have sizes of $e^z$, $z$ standard
Gaussian, the shortest, the median and the longest row of $O$ are (one draw)

| shape | exact | five steps |
|---|---:|---:|
| $512 \times 128$ | 0.01, 0.38, 0.99 | 0.01, 0.36, 1.09 |
| $256 \times 256$ | 1, 1, 1 | 0.32, 0.90, 1.01 |
| $128 \times 512$ | 1, 1, 1 | 0.72, 0.93, 1.19 |

In a square or wide matrix NorMuon mends the approximation, in a tall one it changes the rule.

## The update rule

$$
\begin{aligned}
O_t &\approx U V^T \quad \text{for} \quad \mu B_t + (1 - \mu)\, g_t = U \Sigma V^T, \quad \text{as in Muon} \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, \operatorname{mean}_j\, O_{t,ij}^2, \qquad \text{one number a row} \\
\hat O_t &= O_t / \sqrt{v_t} \\
\theta_t &= (1 - \alpha\lambda)\, \theta_{t-1} - \alpha\, \ell\, \frac{\hat O_t}{\lVert \hat O_t \rVert}
\end{aligned}
$$

The paper's length is $\ell = 0.2 \sqrt{m n}$, for a mean square of $0.2^2$ as in [Muon's](muon.py)
`"match_rms_adamw"`. The authors' code has $\ell = \lVert O_t \rVert$ times Muon's factor for the shape.

$v$ is not corrected for its start at 0. In step $t$ all rows lack the same factor $1 - \beta_2^t$, and the
division by $\lVert \hat O_t \rVert$ removes it. In the first step all rows are equally long.

It is [Adam's](adam.py) second moment, taken after the orthogonalization and one for a neuron. It costs 768 numbers
for a weight of $768 \times 3072$, whose momentum is 2,359,296.

**What is lost.** Rows of one length are not orthogonal columns. For the Gaussian gradients above, $512 \times 128$ and
$\ell = \lVert O \rVert$, the singular values lie between 0.7 and 1.1 with Muon, between 0.4 and 1.6 with NorMuon. The
cosine of the two updates is 0.86. For the other two shapes it is 0.99.

## Conventions

- **The length.** `"match_rms_adamw"` is exact here: the RMS of a step is $0.2\,\alpha$. Muon's depends on the
  singular values that five steps leave, and is $0.17$ to $0.185\,\alpha$ for Gaussian gradients of these shapes. At the
  same $\alpha$ NorMuon's steps are 8 to 16 % longer. In the records on MNIST they are 1.5 to 3 times as long:
  momentum [does not fill its directions](muon.py).
- **The authors' code** is `"original"`, with $\alpha = 0.02$ and no decay by default. pytorch_optimizer calls the two
  `match_rms` and `preserve_norm`.
- **Kernels** of convolutions are flattened to rows here and in pytorch_optimizer. The authors' code takes means along
  the last dimension, a row of the $3 \times 3$, and keeps the length of each of these by itself. The cosine of the two
  updates is 0.94 for a random kernel of $32 \times 16 \times 3 \times 3$.
- **Which rows.** In the [speed run](https://github.com/KellerJordan/modded-nanogpt/pull/144) $v$ has one number a row
  for tall and square matrices, one a column for wide ones. The paper and this file always look at rows.

## What comparisons have found

The paper reports a training efficiency that is 21.7 % better than Adam's and 11.3 % better than Muon's, for a model
of 1.1 billion parameters. These are the authors' own runs.

In the speed run on a small GPT NorMuon took 2315 steps instead of 2330 for the same loss, and 0.7 of 141 seconds
less, over 20 runs each and with the numbers tuned for Muon
([#144](https://github.com/KellerJordan/modded-nanogpt/pull/144), by an author of the paper). In its track for
optimizers NorMuon needed 3250 steps
([#276](https://github.com/KellerJordan/modded-nanogpt/pull/276), by two of the authors) where Muon needed 3375, 3325
with NorMuon's $\alpha$, and 3250 when it and AdamW's part were tuned again
([results 6, 12 and 36](https://github.com/KellerJordan/modded-nanogpt/tree/master/records/track_3_optimization)). We
know of no comparison outside of language models.
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
from labml_nn_optim.optimizers.muon import Muon, shape_scale
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, Coefficients
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
        second_momentum_buffer = state["second_momentum_buffer"]
        grad = self.weight_decay(param, grad, group)
        # $O_t$, as in [Muon](muon.py)
        orthogonal = self._orthogonal(state["momentum_buffer"], group, grad).to(param.dtype)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \operatorname{mean}_j O_{ij}^2$, one for every row
        squares = orthogonal.square().mean(dim=-1, keepdim=True)
        second_momentum_buffer.lerp_(squares, 1 - group["beta2"])
        # $\hat O_t = O_t / \sqrt{v_t}$
        update = orthogonal.div(second_momentum_buffer.sqrt().add_(FLOOR))
        # $\theta_t = \theta_{t-1} - \alpha\, \ell\, \hat O_t / \lVert \hat O_t \rVert$
        rows, columns = update.shape[-2:]
        if group["adjust_lr_fn"] == "match_rms_adamw":
            length: Tensor | float = 0.2 * math.sqrt(rows * columns)
        else:
            length = norm_of_each(orthogonal).mul_(
                shape_scale(rows, columns, group["adjust_lr_fn"])
            )
        update = update.mul(norm_of_each(update).add_(FLOOR).reciprocal_().mul_(length))
        param.sub_(update.mul_(group["lr"]).view_as(param))


# ## Choosing, and when not to
#
# - `lr` and all else: Muon's. Expect the best rate a little lower, for the steps are longer.
# - `beta2`: 0.95, a memory of 20 steps. 0 makes all rows equal in every step.
#
# Take it where Muon is taken and weights are taller than wide, as the first half of a feed-forward layer is. Leave it
# where weights are wide, for there it is Muon and a scale, and where Muon should not be taken.
#
# ## Traps
#
# - **Small rows become large.** 64 rows of 16 have noise for gradients, one of them a thousandth of the size. Muon
#   moves that row by less than 0.01 times as much as the others. NorMuon moves it as far as they go, and all of it is
#   noise. When its gradients grow to the size of the others, its first three steps are 4.3, 3.1 and 2.7 times as long
#   as theirs: $v$ has to learn first. With Muon they are 0.6 times as long.
# - **Two second decay rates.** `beta2` is the rows', `betas` is AdamW's for vectors.
# - **Rows are neurons** in `nn.Linear`, and channels in `nn.Conv2d`. A weight that is stored as inputs by outputs has
#   them the other way round.
# - **Decay and momentum** are Muon's, and so is the list of what is no matrix: embeddings and the output layer belong
#   in a group with `matrices=False`.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), whose matrices are all wider than tall. The search chose
# $\alpha = 0.003$, as for [Muon](muon.py). At 0.001 the held-out loss is 25 % higher, Muon's 48 %; at 0.01 it is
# 52 %, Muon's 44 %. The valley lies a little lower, as it should for longer steps. They are $131\, \alpha$ long, as
# the rule says: 1.6 times Muon's in the first epoch, 2.3 times in the third (medians).
#
# The accuracies are 99.39, 99.41 and 99.48 %. Muon's 99.41 to 99.51 % and AdamW's 99.30 to 99.40 % overlap with
# them. The test loss is 0.0190 to 0.0207, Muon's 0.0158 to 0.0188: a hint, no more, for ranges of equals miss each
# other once in ten times. The training loss is lower at first, 0.43 to 0.46 over the steps 2 to 112 and Muon's
# 0.53 to 0.56, and higher in the third epoch, 0.009 to 0.010 and 0.007. What is due to the length and what to even
# rows these runs do not say.
#
# [On CIFAR-10](../../experiments/cifar.py), where all matrices are wider than tall, too, the two cannot be told apart.
# Both searches (one epoch, one seed) chose 0.01. The accuracies of three seeds are 82.71, 83.03 and 83.50 %, Muon's
# 82.84 to 83.26 %; the test losses are 0.481 to 0.497 and 0.479 to 0.495. Both are three points above AdamW, which has
# 79.3 to 80.3 %. A network with tall matrices, where NorMuon is another rule, has not been tried.
#
# ## Exercises
#
# **1.** The squared lengths of the rows of an exactly orthogonal tall matrix add up to $n$. When is one of them 1?
#
# ::: solution
# The diagonal of the projection $U U^T$ is 1 in place $i$ if the axis $i$ lies in the space that the columns of $U$
# span: some input moves this neuron alone.
#
# ```python
# import torch
#
# generator = torch.Generator().manual_seed(0)
# gradient = torch.randn(6, 3, generator=generator)
# gradient[0, 0], gradient[0, 1:], gradient[1:, 0] = 1.0, 0.0, 0.0
# u, _, v = torch.linalg.svd(gradient, full_matrices=False)
# squares = (u @ v).square().sum(dim=1)
# torch.testing.assert_close(squares[0], torch.tensor(1.0))
# torch.testing.assert_close(squares.sum(), torch.tensor(3.0))
# ```
# :::
#
# **2.** Check that bias correction would change nothing.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import NorMuon
#
# weight = torch.nn.Parameter(torch.zeros(8, 3, dtype=torch.float64))
# optimizer = NorMuon([weight], lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False)
# generator = torch.Generator().manual_seed(0)
# for step in range(1, 4):
#     before = weight.detach().clone()
#     weight.grad = torch.randn(8, 3, generator=generator, dtype=torch.float64)
#     optimizer.step()
#     made = before - weight.detach()
# v = optimizer.state[weight]["second_momentum_buffer"]
# # Undo the division to get back the direction of $O$, and divide by the corrected root.
# corrected = made * v.sqrt() / (v / (1 - 0.95**step)).sqrt()
# corrected = corrected * made.norm() / corrected.norm()
# torch.testing.assert_close(corrected, made)
# ```
# :::
#
# **3.** How long is a row of a $4n \times n$ update with Muon on average, and with NorMuon, if
# $\ell = \lVert O \rVert$?
#
# ::: solution
# $\lVert O \rVert^2 = n$ in both cases, over $4n$ rows: the root of the mean square is $\frac12$. With NorMuon every
# row has about this length.
# :::

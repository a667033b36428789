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
needs: [orthogonal, optimizers/muon, optimizers/signum]
symbols:
  \theta: param
  g: grad
  B: average
  \rho: scale
  \mu: momentum
verified_against:
  implementation: pytorch_optimizer.SCION 4.1.0, orthogonalized in float64, all norms and both forms
  difference: 1e-15 over 100 noisy steps in float64
---

# The same learning rate for a wider network

A network of three layers with ReLU and torch's initialization learns 256 Gaussian examples of a fixed one, 16-16-4 with
tanh: 16 inputs, 4 outputs brought to mean 0 and variance 1, and between them a square weight of some width. Its mean
squared error after 120 steps with all examples, on a line to 0, Scion without decay, all layers spectral, with
$\rho = 1$ and 4 for the last one (means of two seeds):

| | $\alpha$ | width 32 | 128 | 512 |
|---|---:|---:|---:|---:|
| Adam | 0.03 | 0.007 | 0.001 | 0.017 |
| | 0.01 | 0.013 | 0.002 | 0.003 |
| | 0.003 | 0.037 | 0.007 | 0.001 |
| | 0.001 | 0.46 | 0.022 | 0.003 |
| Scion | 0.3 | 0.81 | 0.053 | 0.014 |
| | 0.1 | 0.005 | 0.0004 | 0.0007 |
| | 0.03 | 0.005 | 0.0001 | 0.00007 |
| | 0.01 | 0.044 | 0.008 | 0.0002 |

Adam's best rate for width 32 is ten times its best for 512. Scion's 0.03 is the best or nearly so for all three.

Why? Let a step be for one example. The gradient of an $m \times n$ weight is $\delta x^T$, with an input $x$ of root
mean square 1. How much does the first step with $\alpha = 1$ change the output, as a root mean square?

| $m \times n$ | Adam | Muon, `"match_rms_adamw"` | Muon, `"original"` | Scion |
|---|---:|---:|---:|---:|
| $64 \times 64$ | 51 | 1.1 | 0.70 | 0.70 |
| $256 \times 256$ | 202 | 2.2 | 0.70 | 0.70 |
| $1024 \times 1024$ | 809 | 4.5 | 0.70 | 0.70 |
| $1024 \times 64$ | 51 | 1.1 | 0.70 | 0.70 |
| $64 \times 1024$ | 809 | 18 | 2.8 | 0.70 |

Adam moves every weight by $\alpha$, each with the sign that suits it, and $n$ of them add up. Scion's change would be
1 at any shape. Five Newton-Schulz steps make 0.70 of it.

## A ball instead of a rate

Let $\lVert \cdot \rVert$ be any norm of weights. Ask for the point of its unit ball where a linear function is
largest:

$$
s(B) = \underset{\lVert s \rVert \le 1}{\arg\max}\; \langle B, s \rangle
$$

With a minus sign it is the minimum: the *linear minimization oracle* of the paper's title. In the Euclidean norm $s$
is $B / \lVert B \rVert$. In the largest-entry norm every entry is chosen by itself, and $s = \operatorname{sign} B$:
that is [Signum](signum.py).

In the spectral norm, for $B = U \Sigma V^T$,

$$
\langle B, s \rangle = \sum_i \sigma_i\, u_i^T s\, v_i \le \sum_i \sigma_i \lVert s \rVert_2
$$

since no $u^T s\, v$ of unit vectors exceeds the largest singular value of $s$. At $s = U V^T$ all are 1 and both
sides agree. That is [Muon](muon.py).

So the question is which norm. A layer takes inputs of root mean square 1 to outputs that shall have it, too. The
factor by which $s$ enlarges a root mean square is at most

$$
\max_x \frac{\lVert s x \rVert / \sqrt m}{\lVert x \rVert / \sqrt n} = \sqrt{\frac nm}\, \lVert s \rVert_2
$$

It is 1 for $s = \sqrt{m / n}\; U V^T$. The first and the last layer have other inputs and outputs:

| layer | its input or output | `norm` | $s$ |
|---|---|---|---|
| hidden | root mean square 1 on both sides | `"spectral"` | $\sqrt{m / n}\; U V^T$ |
| kernel $k \times k$, $i$ channels | the same at every place | `"spectral"` | $\sqrt{m / i}\; U V^T / k^2$ |
| first, images | some input of root mean square 1 | `"spectral_clamped"` | $\max(1, \sqrt{m / n})\; U V^T$ |
| first, ones and zeros | an output is one column | `"column"` | columns of length $\sqrt m$ |
| embedding | an output is one row | `"embedding"` | rows of length $\sqrt n$ |
| last | the largest logit counts | `"row"` | rows of length $1 / \sqrt n$ |
| last | a smaller ball in that one | `"sign"` | $\operatorname{sign}(B) / n$ |
| vector | | any | root mean square 1 |

A row of length $1 / \sqrt n$ changes its logit by 1 at most, by Cauchy and Schwarz. So does a row of entries
$\pm 1/n$.

## The update rule

$$
\begin{aligned}
B_t &= \mu B_{t-1} + (1 - \mu)\, g_t \\
\theta_t &= (1 - \alpha\lambda)\, \theta_{t-1} - \alpha\, \rho\, s(B_t)
\end{aligned}
$$

Two values of the decay $\lambda$ have names of their own.

**$\lambda = 0$, unconstrained:** a step of length $\alpha\rho$ in the chosen norm, whatever the gradient's size.

**$\lambda = 1$, constrained,** the default. Now

$$
\theta_t = (1 - \alpha)\, \theta_{t-1} + \alpha \cdot \big( {-\rho}\, s(B_t) \big)
$$

is a point on the segment from $\theta_{t-1}$ to a point of the ball of radius $\rho$. A ball has all segments between
its points, so weights that start inside stay inside. This is the method of Frank and Wolfe, with noise. For
any other $\lambda$ the ball has the radius $\rho / \lambda$. That is what decoupled decay does in Muon, too.

With a Gaussian gradient of $64 \times 128$ that stays and $\alpha = 0.02$, the largest factor by which the weight
enlarges a root mean square, in multiples of $\rho$:

| step | 10 | 50 | 200 | 1000 |
|---|---:|---:|---:|---:|
| $\lambda = 1$ | 0.2 | 0.7 | 1.1 | 1.1 |
| $\lambda = \frac12$ | 0.2 | 0.9 | 2.0 | 2.3 |
| $\lambda = 0$ | 0.2 | 1.1 | 4.5 | 23 |

1.1 and not 1, as five Newton-Schulz steps make singular values between 0.7 and 1.2.

## Conventions

- **Momentum.** The paper and both public programs give the share of the *new* gradient, `momentum=0.1`. Here it is
  the share of the old average, 0.9, as everywhere. The authors' code has no momentum by default, their notes advise
  0.1, and 0.5 for short runs with little noise.
- **The form.** Constrained is the authors' default, unconstrained that of pytorch_optimizer, which has `constraint`
  besides its decay.
- **Muon.** With `momentum=0.95` and the same decay, `"spectral"` is Muon without Nesterov and with
  `"spectral_unclamped"`. `"sign"` with $\rho = n$ is Signum.
- **Kernels.** The authors' code takes every kernel for square, and its `Sign` and `max` refuse kernels. Here a kernel
  is a matrix with a row for each output channel.
- **Initialization.** The authors' `init()` replaces all weights by points of the ball's surface, and their networks
  multiply ReLU by $\sqrt 2$. Neither is done here.

## What comparisons have found

The paper reports faster training of small GPTs than with Adam, without Adam for any parameter, and learning rates
that carry over from narrow models to wide ones. These are the authors' runs. We found no comparison by others with
numbers that we could check.
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

    For a stack of $m \times n$ matrices, or of kernels with $n = i\, q$ for $i$ input channels and $q$
    places, and the `norm`

    - `"spectral"`: $\sqrt{m / i}\,/ q$ times the orthogonal matrix
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


# ## Choosing, and when not to
#
# - `scale`: $\rho$ says how large the weights may be. The authors have 50 for the blocks of a GPT and 3000 for its
#   last layer with `"sign"`, at $\alpha = 2^{-12}$; 8 and 128 at $2^{-4}$ for a small convolutional network; 1 and
#   1024 at $2^{-6}$ for a perceptron. The last layer has more, as logits must be able to grow. Tune it on a narrow
#   model.
# - `lr`: what counts without decay is $\alpha\rho$. With decay $\alpha$ alone is how fast the past is forgotten:
#   $1 / \alpha$ steps.
#
# ```python
# Scion(
#     [
#         {"params": embedding.parameters(), "norm": "embedding"},
#         {"params": blocks.parameters()},
#         {"params": head.parameters(), "norm": "sign", "scale": 3000.0},
#     ],
#     lr=2**-12,
#     scale=50.0,
# )
# ```
#
# Take it to tune a narrow model and train a wide one, and where no part shall be left to AdamW. Leave it for
# fine-tuning in the constrained form: weights that come from elsewhere lie outside of the ball, and are pulled in.
#
# ## Traps
#
# - **The default decay is 1.** That is no number to compare with AdamW's 0.01. It is multiplied by $\alpha$, and
#   $\rho$ is what it balances. A schedule that takes $\alpha$ to 0 ends both.
# - **The radius bounds the network.** In the constrained form each layer enlarges a root mean square by $\rho$ at
#   most. If the task needs more, the loss stays high and the gradient does not shrink.
# - **A step does not shrink near the minimum.** Its length is $\alpha\rho$ as long as there is any gradient. Let
#   $\alpha$ fall to 0.
# - **Gradient clipping** does nothing to the length. It only gives the clipped gradient less weight in $B$.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), all layers spectral and constrained. With the default radius of 1 it
# learns nothing: the held-out loss is 2.1 after an epoch. Of the radii that were tried, 50 with $\alpha = 0.001$ and 10
# with 0.01, the first was better, 98.98 against 98.76 %; so was the unconstrained form with 0.1, 98.98 %. With 50 the
# search then had three rates. It chose 0.001, with a held-out loss of 0.032, [AdamW](adamw.py)'s being 0.037 (one
# seed). At 0.0003 the loss is 64 % higher, at 0.003 29 %.
#
# The accuracies are 99.45, 99.45 and 99.56 %, the highest of this course; AdamW's are 99.30 to 99.40 %. But a radius was
# tuned here, for the others the rate alone, and 0.05 % are five of 10 000 images.
#
# It is not that the network fits the training images better. Over the steps 2 to 112 the mean training loss is 0.58 to
# 0.62, AdamW's 0.34 to 0.36; over the third epoch 0.014 to 0.015, AdamW's 0.010 to 0.012. The test loss is lower,
# 0.015 to 0.017, AdamW's 0.018 to 0.020. That is what bounded weights would do. Whether they are the cause, no run
# here has tested. The length of an update is that of the rate: 1.24 in the first step, at most 1.30, and 0.0004 in
# the last one, when $\alpha$ has come down.
#
# [On CIFAR-10](../../experiments/cifar.py) the same radius of 50, chosen on MNIST, brings no lead. The accuracies of
# three seeds are 78.5, 78.9 and 79.3 %, AdamW's 79.3 to 80.3 %, and [Muon](muon.py)'s 82.8 to 83.3 %. The search (one
# epoch, one seed) had three rates and chose 0.001. No other radius was tried there, so what Scion can do on that
# network is open.
#
# ## Exercises
#
# **1.** Find $s(B)$ for the norm that is the sum of all singular values.
#
# ::: solution
# $\langle B, s \rangle \le \sigma_1 \sum_i \sigma_i(s) = \sigma_1$, and $s = u_1 v_1^T$ reaches it: a step of rank
# one, along the strongest direction.
#
# ```python
# import torch
#
# generator = torch.Generator().manual_seed(0)
# b = torch.randn(5, 4, generator=generator)
# u, sigma, v = torch.linalg.svd(b, full_matrices=False)
# s = torch.outer(u[:, 0], v[0])
# torch.testing.assert_close((b * s).sum(), sigma[0])
# ```
# :::
#
# **2.** Check with random points that no point of the ball of `"sign"` beats the sign, and that all of them are in
# the ball of `"row"`.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.optimizers.scion import best_point
#
# generator = torch.Generator().manual_seed(0)
# b = torch.randn(1, 3, 8, generator=generator)
# best = best_point(b, {"norm": "sign", "eps": 0.0})
# for _ in range(100):
#     other = (2 * torch.rand(1, 3, 8, generator=generator) - 1) / 8
#     assert (b * other).sum() < (b * best).sum()
#     assert (other.norm(dim=-1) <= 1 / 8**0.5).all()
# ```
# :::
#
# **3.** How long does a weight that starts at the center need to come within 5 % of the surface of the ball, with
# $\lambda = 1$ and a gradient that does not change?
#
# ::: solution
# The distance to the point is multiplied by $1 - \alpha$ in each step: $(1 - \alpha)^t = 0.05$, and $t = 3 / \alpha$
# for a small $\alpha$.
# :::

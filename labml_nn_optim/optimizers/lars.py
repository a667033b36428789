r"""
---
title: LARS
summary: LARS scales the gradient of each tensor to the length of its weights, so that one learning rate fits all layers of a network.
paper:
  title: Large Batch Training of Convolutional Networks
  authors: Yang You, Igor Gitman, Boris Ginsburg
  year: 2017
  arxiv: "1708.03888"
chapter: "6.1"
needs: [optimizers/sgd, trust]
symbols:
  \theta: param
  g: grad
  r: ratio
  b: momentum_buffer
  \mu: momentum
  \lambda: weight_decay
  \eta: trust_coefficient
  \varepsilon: eps
verified_against:
  implementation: timm.optim.Lars 1.0.31 with momentum=0.9
  difference: 2e-16 over 100 noisy steps in float64
---

# One learning rate for layers that differ by a factor of 94

Take a plain network of six convolutions with 32 channels and two linear layers, on 8 by 8 images of digits. How long
are its weights before the first step, compared with their gradient?

| layer | $\lVert\theta\rVert / \lVert g \rVert$ of the weights | of the biases |
|---|---:|---:|
| first convolution | 22 261 | 9172 |
| third | 4609 | 472 |
| sixth | 2067 | 43 |
| last linear layer | 237 | 7.0 |

[SGD](sgd.py) with $\alpha = 2.37$ moves the last layer by 1 % of its length, the first convolution by 0.01 %, and the
last biases by 34 %. For their AlexNet You et al. print quotients from 5.8, for the first convolution, to 1345, for
the first large linear layer.

If the smallest quotient sets the $\alpha$ that a network bears, all other layers wait for it. That is worst where
steps are few: in batches $k$ times as large there are $k$ times fewer, and each would have to be $k$ times as long
(the rule of Goyal et al., 2017, arXiv 1706.02677).

Let us try. A plain network of five linear layers of width 64 (quotients from 101 to 390 for weights, from 6 for
biases) learns the digits in 40 epochs, with a linear warm-up over a tenth of the steps and a linear decline,
$\mu = 0.9$ and $\lambda = 0.0005$ for matrices, in SGD's rows as a term of the gradient. Images and test are those of
[LAMB's chapter](lamb.py). Accuracy in per cent on 360 test images, three seeds, the best $\alpha$ of a grid by factors
of 3:

| | batch | steps | $\alpha$ | accuracy |
|---|---:|---:|---:|---:|
| SGD | 32 | 1800 | 0.03 | 97.5, 98.6, 98.9 |
| SGD | 479 | 120 | 0.1 | 88.3, 87.8, 87.8 |
| SGD, 15 times the $\alpha$ of 32 | 479 | 120 | 0.45 | 59.2, 25.6, 24.4 |
| LARS, with 0.1 for biases | 479 | 120 | 30 | 97.5, 97.2, 97.8 |
| SGD, all gradients divided by the norm of all | 479 | 120 | 0.3 | 97.2, 97.8, 97.2 |

LARS makes up most of what the large batch has cost. So does the last row, with one divisor for the whole network.
What counts here is a step whose length does not depend on that of the gradient. Ratios for each layer add nothing
that three seeds would show.

## The update rule

$$
\begin{aligned}
r_t &= \frac{\eta\, \lVert \theta_{t-1} \rVert}{\lVert g_t \rVert + \lambda\, \lVert \theta_{t-1} \rVert + \varepsilon} \\
b_t &= \mu\, b_{t-1} + r_t\, (g_t + \lambda\, \theta_{t-1}) \\
\theta_t &= \theta_{t-1} - \alpha\, b_t
\end{aligned}
$$

The norms are those of a whole tensor. $\eta = 0.001$ is the *trust coefficient*. $r = 1$ if the weights are all zero,
and for a tensor without decay. That is meant for biases and scales, which then follow SGD with momentum.

## What the ratio promises

By the triangle inequality $\lVert g + \lambda\theta \rVert \le \lVert g \rVert + \lambda \lVert\theta\rVert$. So
without momentum

$$
\alpha\, r\, \lVert g + \lambda\theta \rVert \le \alpha\, \eta\, \lVert\theta\rVert
$$

whatever the gradient. $\alpha = 10$ and $\eta = 0.001$ mean at most 1 % per step. With momentum the steps add
up, to ten times that if they all agree, and to 2.3 times on pure noise.

The size of the loss does not matter: twice the loss is twice $g$, and the same step. The price is that small
gradients near a minimum make no small steps. $\alpha$ has to fall to zero by a schedule.

The $\lambda$ in the denominator is a guard for dying gradients. As $g \to 0$, $r$ tends to $\eta / \lambda$, the
largest ratio there is (2 for the defaults), and decay shortens $\theta$ by the part $\alpha\eta$ a step. Where a
normalization layer follows, $\lambda$ bounds the length of the weights, and no more: see
[Trust ratios](../trust.py).

## Who has no ratio

Tensors without decay follow SGD with LARS's $\alpha$. SGD wants 0.1 here, LARS wants 30. On the network above,
$\alpha$ chosen anew for each row:

| the biases, which have no decay | $\alpha$ | accuracy |
|---|---:|---:|
| follow SGD with the same $\alpha$ | 3 | 86.1, 82.8, 79.4 |
| follow SGD with $\alpha = 0.1$, a group of their own | 30 | 97.5, 97.2, 97.8 |
| have decay and a ratio as well | 30 | 97.2, 97.2, 97.5 |

The first row is the convention of most programs, and here it undoes LARS: the biases bear no $\alpha$ above 3. With
batch normalization it does less harm.

## Does it beat a tuned SGD?

Put batch normalization behind the first four layers, and SGD has no trouble, not even with a tenfold $\alpha$:

| batch normalization, batch 479 | $\alpha$ | accuracy |
|---|---:|---:|
| SGD | 0.1 | 98.3, 98.6, 98.6 |
| SGD | 1 | 97.5, 98.1, 97.8 |
| LARS | 3 | 98.3, 98.6, 98.3 |
| LARS, biases and scales with 0.1 | 3 | 98.9, 98.6, 98.9 |

With normalization the layers are alike to begin with. In the network of six convolutions the quotients of the weights
are then 4.7 to 21, instead of 237 to 22 261.

With LARS, You et al. went from batches of 1024 to 8192 for AlexNet and from 8192 to 32 768 for ResNet-50. Nado et al.
(2021, arXiv 2102.06356) tuned SGD with Nesterov's momentum with the same care, its schedule and its regularization
too. A ResNet-50 reached 75.9 % in the 2512 steps of a benchmark for speed (MLPerf 0.7). They conclude that generic
optimizers match or exceed LARS and LAMB at large batches. Whether LARS takes less tuning is open.

## Conventions

- **$\alpha$ and the momentum.** The paper has $\alpha$ inside $b$. timm, pytorch_optimizer and this course have it
  outside, as torch's SGD does, so a step falls as soon as $\alpha$ does.
- **Who is left out.** timm: groups without decay, as here. pytorch_optimizer: every tensor with fewer than two
  dimensions, which then does not decay either. Matrices are $6 \cdot 10^{-10}$ apart after 100 noisy steps
  ($\alpha = 2$, $\lambda = 0.1$), vectors 0.98.
- **A gradient of exactly zero.** Here $r$ is $\eta / \lambda$, its limit. timm has $r = 1$ there: a weight of length
  5 with $\lambda = 0.1$ and $\alpha = 1$ loses 0.5 in such a step, and 0.005 with a gradient of $10^{-12}$.
- **LARC** (`trust_clip` in timm) replaces $\alpha\, r$ by $\min(\alpha, r)$. It is not built in.
- **Defaults.** $\mu = 0.9$ (0 in timm), $\alpha = 1$ as in timm. $\lambda = 0.0005$, as in Paddle's LARS. With 0,
  which others have, it would be SGD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.trust import decay_inside, quotient
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["LARS"]


class LARS(GenericAdaptiveOptimizer):
    r"""SGD with momentum whose gradients are scaled, tensor by tensor, to the norm of the weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$, the part of the velocity that a step keeps
    - `weight_decay`: a number, $\lambda$ of a term of the gradient, or a
      [WeightDecay](../weight_decay.py#WeightDecay); a group with 0 has no ratio
    - `trust_coefficient`: $\eta > 0$, the part of its norm that a tensor moves, for $\alpha = 1$
    - `eps`: $\varepsilon$, added to the norms that $\lVert\theta\rVert$ is divided by
    - `always_adapt`: whether groups without decay have a ratio, too
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: one tensor of the parameter's shape with momentum, none without.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    You, Gitman and Ginsburg (2017).
    """

    elementwise = False
    beta_count = 0
    momentum_state = "momentum_buffer"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 5e-4,
        trust_coefficient: float = 1e-3,
        eps: float = 1e-8,
        always_adapt: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "trust_coefficient": trust_coefficient,
            "always_adapt": always_adapt,
        }
        super().__init__(
            params,
            own | dict(defaults or {}),
            lr,
            eps=eps,
            weight_decay=decay_inside(weight_decay),
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        require_number("trust_coefficient", group["trust_coefficient"], above=0.0)
        require_flag("always_adapt", group["always_adapt"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the velocity at zero, if there is momentum."""
        if not is_zero(group["momentum"]):
            state["momentum_buffer"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each with a ratio of its own."""
        # $d = g + \lambda \theta$, or $g$ where decay is decoupled or 0
        direction = self.weight_decay(param, grad, group)
        if group["always_adapt"] or not is_zero(group["weight_decay"]):
            # $\lVert g \rVert + \lambda \lVert\theta\rVert + \varepsilon$, for any kind of decay
            size, length = norm_of_each(param), norm_of_each(grad).add_(group["eps"])
            if direction is not grad:
                penalty = self.weight_decay.gradient(param, group)
                pull = size if penalty is param else norm_of_each(penalty)
                length.add_(pull, alpha=group["weight_decay"])
            # $r = \eta\, \lVert\theta\rVert / (\lVert g \rVert + \lambda \lVert\theta\rVert + \varepsilon)$
            ratio = quotient(size.mul(group["trust_coefficient"]), length)
        else:
            ratio = grad.new_ones(())
        if is_zero(group["momentum"]):
            param.addcmul_(direction, ratio, value=-group["lr"])
            return
        # $b_t = \mu\, b_{t-1} + r\, d$
        velocity = state["momentum_buffer"].mul_(group["momentum"]).addcmul_(direction, ratio)
        # $\theta_t = \theta_{t-1} - \alpha\, b_t$
        param.add_(velocity, alpha=-group["lr"])


# ## Choosing, and when not to
#
# - `lr`: start with 10, a step of 1 %, and try 3 and 30. With a warm-up, and down to 0 at the end.
# - `trust_coefficient`: leave it. Only the product $\alpha\eta$ counts for tensors with a ratio.
# - The group without decay: give it an `lr` of its own, that of SGD, or `always_adapt=True`.
# - `weight_decay`: keep it above 0 with normalization layers. Otherwise lengths grow without limit.
#
# LARS is for networks that learn with SGD, in so few and so large batches that a tuned SGD no longer does. With small
# batches we know of no gain over SGD but the one below, which may be the doing of SGD's rate. For transformers take
# [LAMB](lamb.py), or AdamW.
#
# ## Traps
#
# - **Weights that start at zero** are thrown by their first gradient, for $r = 1$. A pair of zeros with the gradient
#   $(3, 4)$, $\alpha = 1$ and $\mu = 0$ makes a first step of 5 and a second one of 0.005. With $\mu = 0.9$ it flies
#   on by 4.5, 4.1 and so on. A warm-up from $\alpha \approx 0$ helps.
# - **Numbers for SGD do not carry over.** $\alpha = 0.1$ moves nothing here: 0.01 % a step. A checkpoint of torch's
#   SGD loads without a word, and brings its $\alpha$ along.
# - **A bias before batch normalization** has no gradient but rounding errors. With a ratio they become a step of full
#   length. Such a bias changes nothing. Leave it out.
# - **Clipping the norm of the gradient** does next to nothing for tensors with a ratio.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), biases with decay and a ratio, too. The search chose
# $\alpha = 10$, the advice above. The held-out loss is 4 % higher at 3, 255 % at 30, and 86 % at 1, the default.
# The accuracies are 99.28, 99.29 and 99.24 %. [SGD](sgd.py) with momentum, 98.83 to 99.22 %, is below all three;
# [AdamW](adamw.py)'s 99.30 to 99.40 % are above them, by a single image at the closest.
#
# Not all of that need be the ratio's. SGD's 0.1 is the last rate before a cliff and cost one seed its start: over
# the steps 2 to 112 its mean training loss is 0.65 to 1.05, that of LARS 0.46 to 0.47. In the search their losses
# were alike, 0.0453 and 0.0468. SGD with 0.03, as good there, has no three seeds.
#
# The first update of seed 0 is 0.138 long, 1 % of the weights' 13.92. Such steps need the falling rate: after one
# epoch LARS reads 96.07 to 97.78 %, SGD 97.37 to 98.21 %.
#
# [On CIFAR-10](../../experiments/cifar.py) the gain over SGD is four points. The search (one epoch, one seed) chose 10
# again; the held-out loss is 11 % higher at 3, 25 % at 30, and 41 % at 1, the default. The accuracies of three seeds
# are 79.3, 79.6 and 80.2 %, SGD's 75.1 to 75.8 %; AdamW's 79.3 to 80.3 % cannot be told from LARS's. The gain comes
# late: after one epoch LARS reads 55.7 to 63.8 %, SGD 60.4 to 64.4 %, after two 70.7 to 74.3 and 70.9 to 71.4 %. What
# tuning SGD's momentum or decay would gain was not tried.
#
# ## Exercises
#
# **1.** A weight of 1 is a tensor of its own. How many steps does LARS with $\alpha = 10$, $\mu = 0$ and no decay
# need to bring it below $1/2$ if its gradient is 1000 throughout? And if it is $0.001$?
#
# ::: solution
# Each step takes 1 % of what is left, whatever the gradient: $0.99^n < 1/2$ for $n = 69$.
#
# ```python
# import torch
# from labml_nn_optim import LARS
#
#
# def steps(gradient):
#     weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = LARS([weight], lr=10.0, momentum=0.0, weight_decay=0.0, eps=0.0, always_adapt=True)
#     count = 0
#     while weight.item() >= 0.5:
#         weight.grad = torch.full_like(weight, gradient)
#         optimizer.step()
#         count += 1
#     return count
#
#
# assert steps(1000.0) == steps(0.001) == 69
# ```
#
# It never gets to the other side of 0.
# :::
#
# **2.** A loss is multiplied by 100. What changes for SGD with decay in the gradient, and what for LARS?
#
# ::: solution
# Under both, decay counts for a hundredth beside the gradient. SGD's step is 100 times as long, that of LARS is as
# long as before. With $100 \lambda$ LARS does the same as before:
#
# ```python
# import torch
# from labml_nn_optim import LARS
#
#
# def end(scale):
#     weight = torch.nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
#     optimizer = LARS([weight], lr=10.0, weight_decay=0.01 * scale)
#     for _ in range(20):
#         weight.grad = scale * torch.tensor([1.0, -2.0], dtype=torch.float64)
#         optimizer.step()
#     return weight.detach()
#
#
# torch.testing.assert_close(end(1.0), end(100.0), rtol=1e-6, atol=0)
# ```
# :::

r"""
---
title: RMSprop
summary: RMSprop divides the gradient by the root of a running average of its square, so that old gradients are forgotten and steps do not die out.
paper:
  title: "Lecture 6.5 - rmsprop: Divide the gradient by a running average of its recent magnitude"
  authors: Tijmen Tieleman, Geoffrey Hinton
  year: 2012
  url: https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
  venue: "COURSERA: Neural Networks for Machine Learning"
chapter: "2.2"
needs: [optimizers/adagrad]
symbols:
  \theta: param
  g: grad
  v: square_avg
  \bar g: grad_avg
  b: momentum_buffer
  \alpha: lr
  \beta_2: alpha
  \mu: momentum
  \varepsilon: eps
verified_against:
  implementation: torch.optim.RMSprop 2.14.1
  difference: 8e-16 over 100 noisy steps in float64, with momentum and centered as well
---

# Adagrad never forgives

A weight starts on a cliff: for 100 steps its gradient is 100.
Then the ground is gentle, with a gradient of 1, and there is a distance of 1 left to walk.
With $\alpha = 0.01$, [Adagrad](adagrad.py) needs 102 501 steps for that, and RMSprop 748.

Adagrad divides by the root of the sum of all squares.
The cliff put $10^6$ into that sum, so each gentle step is $0.01 / 1000$ long, and nothing ever takes the
million out again.
RMSprop replaces the sum by a running average.
It is slow as well at first, while it forgets the cliff: 500 steps later its step is 0.0015 long, and
1000 steps later 0.0089.

## The update rule

With $v_0 = 0$, and all operations element by element:

$$
\begin{aligned}
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
\theta_t &= \theta_{t-1} - \alpha\, \frac{g_t}{\sqrt{v_t} + \varepsilon}
\end{aligned}
$$

$\beta_2$ is called `alpha` in torch, and therefore here; the learning rate $\alpha$ is `lr`.
$v$ averages over about $1 / (1 - \beta_2)$ steps: 100 with the default $\beta_2 = 0.99$, 10 with 0.9, the
number in the lecture.

## Why not the sign alone

While gradients keep their size, $g / \sqrt{v}$ is near $\pm 1$. So why not take the sign, as
[Rprop](rprop.py) does?
The lecture answers with a weight whose gradient is $+0.1$ in nine batches and $-0.9$ in the tenth.
They sum to zero; the weight should stay where it is.
Signs move it by eight step lengths in every round of ten, all in the direction of the nine.

RMSprop divides all ten by nearly the same number, 0.3. A sum of gradients divided by one number
keeps its sign, and here it stays near zero.
Nearly: the large gradient is divided by a $v$ that holds its own square already, and counts a little
less.
What is left of the drift is $0.68\, \alpha$ a round with $\beta_2 = 0.9$, $0.067\, \alpha$ with 0.99 and
$0.0067\, \alpha$ with 0.999.
A rare gradient that is outvoted in this way is the whole complaint of [AMSGrad](amsgrad.py).

## The first steps are long

Nothing corrects $v$ for its start at zero.
For a constant gradient $v_t = (1 - \beta_2^t)\, g^2$, by the geometric series in [Adam](adam.py), and the
step is $\alpha / \sqrt{1 - \beta_2^t}$ long:

| $\beta_2$ | step 1 | step 10 | step 100 | within 1 % of $\alpha$ from step |
|---|---:|---:|---:|---:|
| 0.9 | 3.2 | 1.24 | 1.00 | 38 |
| 0.99 | 10.0 | 3.2 | 1.26 | 391 |
| 0.999 | 31.6 | 10.0 | 3.2 | 3925 |

With 0.99 the first hundred steps go as far as 203 steps of length $\alpha$.
Divide $v$ by $1 - \beta_2^t$, and this becomes Adam with $\beta_1 = 0$: exercise 1.

## Momentum

With `momentum` $\mu$ the divided gradients are summed up, and the sum is the step:

$$
b_t = \mu\, b_{t-1} + \frac{g_t}{\sqrt{v_t} + \varepsilon},
\qquad \theta_t = \theta_{t-1} - \alpha\, b_t
$$

Divide first, then average: Adam does it the other way round, and [LaProp](laprop.py) comes back to this
order.
The sum is not damped. Where gradients agree it grows to $1 / (1 - \mu)$, ten steps in one for
$\mu = 0.9$; in independent noise to $1 / \sqrt{1 - \mu^2} = 2.3$. So `lr` has to come down when momentum
goes up.

## Centered

`centered=True` subtracts the square of the mean gradient and divides by the spread that is left:

$$
\bar g_t = \beta_2\, \bar g_{t-1} + (1 - \beta_2)\, g_t,
\qquad v_t - \bar g_t^2 \ \text{ in place of } \ v_t
$$

Graves (2013, arXiv 1308.0850) used it for his recurrent networks.
For Gaussian gradients with spread 1, the mean step is:

| mean gradient | 0 | 1 | 3 | 10 |
|---|---:|---:|---:|---:|
| plain, in $\alpha$ | 0 | 0.71 | 0.95 | 0.995 |
| centered, in $\alpha$ | 0 | 1.01 | 3.0 | 10.1 |

The plain step ends at $\alpha$. The centered one is $\alpha$ times the ratio of signal to noise, and has
no end.
For a constant gradient both averages carry the weight $W = 1 - \beta_2^t$, so
$v_t - \bar g_t^2 = W (1 - W)\, g^2$, which falls like $\beta_2^t$.
The step is $12\, \alpha$ long at step 500, $152\, \alpha$ at 1000, and only $\varepsilon$ or rounding
stops it.

## Conventions

| | divides by | $v_0$ | $\beta_2$ | $\varepsilon$ | $\alpha$ enters |
|---|---|---:|---:|---:|---|
| torch, and here | $\sqrt{v} + \varepsilon$ | 0 | 0.99 | $10^{-8}$ | with the step |
| Keras 3 | $\sqrt{v + \varepsilon}$ | 0 | 0.9 | $10^{-7}$ | the buffer |
| optax | $\sqrt{v + \varepsilon}$ | 0 | 0.9 | $10^{-8}$ | the buffer |
| TensorFlow 1, timm's `RMSpropTF` | $\sqrt{v + \varepsilon}$ | 1 | 0.9 | $10^{-10}$ | the buffer |

- **$\varepsilon$ inside the root** acts like its own root outside. For gradients of $10^{-4}$ Keras's
  settled step is $0.30\, \alpha$ long, optax's $0.71\, \alpha$, torch's $\alpha$.
- **$v_0 = 1$** is a warm-up for small gradients: the first step for a gradient of 0.01 is
  $0.01\, \alpha$ with $\beta_2 = 0.99$, where torch's is $10\, \alpha$.
- **$\alpha$ inside the buffer** makes no difference while it is constant. After a cut to a tenth, the
  old rate lives on in the buffer, and it takes 21 steps with $\mu = 0.9$ until a step is less than
  twice as long as it should be.

There is no switch for these here. 100 noisy steps of `RMSpropTF` with $\alpha = 0.02$ end up 0.6 away from
ours. Start our $v$ at 1, too, set $\varepsilon = 0$, and the two agree to $8 \cdot 10^{-16}$.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["RMSprop"]


class RMSprop(GenericAdaptiveOptimizer):
    r"""RMSprop, with momentum on the divided gradient and a centered form.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `alpha`: the decay rate $\beta_2$ of the average of squares, in $[0, 1)$; the name is torch's
    - `eps`: $\varepsilon$, added outside of the root; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](weight_decay.py#WeightDecay) (torch's `RMSprop` means decay in the gradient)
    - `momentum`: $\mu$, in $[0, 1)$
    - `centered`: whether to divide by the root of the variance instead of the mean square
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](base.py#RunOptions)

    State: one tensor of the parameter's shape, one more with momentum, one more if centered.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Tieleman and Hinton (2012), lecture 6.5.
    """

    beta_count = 0
    momentum_state = "momentum_buffer"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"alpha": alpha, "momentum": momentum, "centered": centered}
        super().__init__(
            params, own | dict(defaults or {}), lr, eps=eps, weight_decay=weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("alpha", group["alpha"], below=1.0)
        require_number("momentum", group["momentum"], below=1.0)
        require_flag("centered", group["centered"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        """Start all averages at zero; what is not used is not stored."""
        state["square_avg"] = torch.zeros_like(param)
        if not is_zero(group["momentum"]):
            state["momentum_buffer"] = torch.zeros_like(param)
        if group["centered"]:
            state["grad_avg"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        lr, alpha, momentum = group["lr"], group["alpha"], group["momentum"]
        square_avg = state["square_avg"]
        grad = self.weight_decay(param, grad, group)
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        square_avg.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        # Centered, $v_t - \bar g_t^2$. It is never negative, but its rounded value may be.
        if group["centered"]:
            grad_avg = state["grad_avg"].lerp_(grad, 1 - alpha)
            square_avg = square_avg.addcmul(grad_avg, grad_avg, value=-1).clamp_min_(0)
        denominator = square_avg.sqrt().add_(group["eps"])
        # $\theta_t = \theta_{t-1} - \alpha\, g_t / (\sqrt{v_t} + \varepsilon)$
        if is_zero(momentum):
            param.addcdiv_(grad, denominator, value=-lr)
            return
        # $b_t = \mu b_{t-1} + g_t / (\sqrt{v_t} + \varepsilon)$ and
        # $\theta_t = \theta_{t-1} - \alpha b_t$
        buffer = state["momentum_buffer"].mul_(momentum).addcdiv_(grad, denominator)
        param.sub_(buffer.mul(lr))


# ## Choosing the numbers
#
# - `lr`: the length of a settled step, as in Adam; the first one is ten times longer. The default 0.01 is
#   torch's and too much for many networks: begin with Keras's 0.001, and with a tenth of that if
#   `momentum=0.9`.
# - `alpha`: 0.99 unless gradients change their size faster than in a hundred steps.
# - `centered`: off, unless a recipe asks for it. With it, $\varepsilon$ is what bounds the step: Graves
#   took $10^{-4}$ inside the root, which acts like 0.01 outside. Without it $10^{-8}$ is fine.
#
# Without momentum RMSprop needs one tensor of state where Adam needs two, and that is its case today. With
# momentum it needs two as well, and Adam has the safer start. Recipes that name RMSprop mean a certain one:
# check $\varepsilon$, $v_0$ and the place of $\alpha$ before you compare.
#
# It does not come to rest. In a bowl without noise, $\sqrt{v}$ shrinks along with $g$, and the step stays
# $\alpha$ long: on $\frac{1}{2} \theta^2$ with $\alpha = 0.01$ it ends by jumping between $\pm 0.005$
# for ever. Let `lr` fall.
#
# ## Traps
#
# - **A variance below zero.** $v_t - \bar g_t^2$ is never negative (exercise 2), but its rounded value can
#   be, and its root is NaN. Give each of 10 000 float32 weights a constant gradient, drawn from a Gaussian:
#   within 1500 steps `torch.optim.RMSprop` turns 297 of them into NaN, whatever $\varepsilon$ is, as it stands
#   outside. Here the variance is cut off at 0, and the step is at most $\alpha |g| / \varepsilon$ long. With
#   $\varepsilon = 10^{-8}$ that still throws the weight away.
# - **`alpha` is not the learning rate.** `RMSprop(params, 0.99)` has a learning rate of 0.99.
# - **Momentum from the middle of a run.** A schedule may raise `momentum` from 0: the buffer is made then.
#   torch makes it at the first step or never, and its step fails with a `KeyError`.
# - **Decay.** A number is decoupled here, and goes into the gradient in `torch.optim.RMSprop`:
#   [Weight decay](weight_decay.py).
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.001$; at 0.003 the held-out
# loss is the same within 1 %, at 0.0003 24 % higher. From 0.01 on, the default, nothing is learned. The
# accuracies are 99.19, 99.17 and 99.27 %, like the better ones of SGD, 98.83 to 99.22 %. AdamW has 99.30
# to 99.40 % and Adam 99.39 to 99.44 %, which is more by twice the spread of the seeds.
#
# The missing correction stands in the first row. The first update of seed 0 is 6.12 long, 9.98 times as
# long as Adam's with the same $\alpha$, for weights of length 13.9. Over the steps 2 to 16 the mean loss is
# 2.0 to 2.4, Adam's 1.2 or 1.3. Nor does momentum smooth what follows. In the first epoch the logarithms of
# $\lVert g \rVert$ and of the update's length in $\alpha$ have a correlation of 0.88 to 0.94. For Adam it
# is 0.22 to 0.46. Each step is that of its batch.
#
# ## Exercises
#
# **1.** Give RMSprop the learning rate that makes it Adam with $\beta_1 = 0$ and $\varepsilon = 0$.
#
# ::: solution
# Adam divides by $\sqrt{v_t / (1 - \beta_2^t)}$, so $\alpha_t = \alpha \sqrt{1 - \beta_2^t}$.
#
# ```python
# import torch
# from labml_nn_optim import Adam, RMSprop
#
# torch.manual_seed(0)
# left, right = (torch.nn.Parameter(torch.zeros(3, dtype=torch.float64)) for _ in range(2))
# adam = Adam([left], lr=0.01, betas=(0.0, 0.99), eps=0.0)
# rmsprop = RMSprop([right], alpha=0.99, eps=0.0)
# for step in range(1, 201):
#     left.grad = torch.randn(3, dtype=torch.float64)
#     right.grad = left.grad.clone()
#     rmsprop.param_groups[0]["lr"] = 0.01 * (1 - 0.99**step) ** 0.5
#     adam.step()
#     rmsprop.step()
# torch.testing.assert_close(left, right, rtol=1e-12, atol=0.0)
# ```
# :::
#
# **2.** Show that $v_t - \bar g_t^2$ is never negative, and is at least $\beta_2^t\, v_t$.
#
# ::: solution
# Both are sums with the same weights $w_i = (1 - \beta_2)\, \beta_2^{t-i}$, and
# $\sum w_i = 1 - \beta_2^t$. By the Cauchy-Schwarz inequality
# $\bar g_t^2 = \left(\sum \sqrt{w_i} \sqrt{w_i}\, g_i\right)^2 \le \sum w_i \sum w_i\, g_i^2
# = (1 - \beta_2^t)\, v_t$. Equality holds for a constant gradient: the case that rounds below zero.
# :::

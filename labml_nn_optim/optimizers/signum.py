r"""
---
title: Signum
summary: Signum moves every parameter by exactly the learning rate, along the sign of its averaged gradient; signSGD does so along the sign of the gradient.
paper:
  - title: "signSGD: Compressed Optimisation for Non-Convex Problems"
    authors: Jeremy Bernstein, Yu-Xiang Wang, Kamyar Azizzadenesheli, Anima Anandkumar
    year: 2018
    arxiv: "1802.04434"
    venue: ICML
  - title: Error Feedback Fixes SignSGD and other Gradient Compression Schemes
    authors: Sai Praneeth Karimireddy, Quentin Rebjock, Sebastian U. Stich, Martin Jaggi
    year: 2019
    arxiv: "1901.09847"
    venue: ICML
chapter: "1.2"
needs: [optimizers/sgd]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  \alpha: lr
  \beta: momentum
verified_against:
  implementation: pytorch_optimizer.SignSGD 4.1.0
  difference: 0 over 100 noisy steps in float64, with and without momentum, with either kind of decay
---

# The gradient's size is in the way

Gradient descent needs 232 steps down the bowl $f(x, y) = \frac{1}{2}(100\,x^2 + y^2)$ from $(1, 1)$, with
the best learning rate there is ([SGD](sgd.py)). Make the steep side a million times as steep as the
shallow one, and it needs more than two million.

Now use only the sign of each gradient, and go 0.01 along it. The point is at the bottom after 100 steps,
with either bowl: 1 divided by 0.01. How steep a side is no longer enters.
Nor does how large the gradient of one odd batch is. It moves each weight by 0.01 like any other.

The price is just as plain. With steps of 0.007, which do not divide 1, $x$ ends by jumping between 0.006
and $-0.001$ for ever: a step is never shorter than $\alpha$.

And the axes must fit. Turn the first bowl by 45 degrees, with its starting point. Steps of 0.01 then
jump to and fro across the valley, and the point stays 0.41 from the bottom for good. The average of the
gradient, which the rule below takes first, cancels such jumps: with it the point comes within 0.025.

## The update rule

$$
\begin{aligned}
m_t &= \beta\, m_{t-1} + (1 - \beta)\, g_t \\
\theta_t &= \theta_{t-1} - \alpha \operatorname{sign}(m_t)
\end{aligned}
$$

with $\operatorname{sign}(0) = 0$. For $\beta = 0$ it is *signSGD*, with the default $\beta = 0.9$ it is
*Signum*. No average needs a correction for its start at zero here: a positive factor does not change a
sign. For the same reason $m = \beta m + g$, the velocity of SGD, would give the same steps.

## Why the sign is a steepest descent

Which step $d$ lowers a loss most? To first order it changes by $\sum_i g_i d_i$, and that has no lowest
value until you say how long a step may be. Bound its Euclidean length, $\lVert d \rVert \le \alpha$: the
best is $d = -\alpha\, g / \lVert g \rVert$, along the gradient. Bound each coordinate, $|d_i| \le \alpha$,
and every term has its own minimum:

$$d_i = -\alpha \operatorname{sign}(g_i), \qquad \sum_i g_i d_i = -\alpha \sum_i |g_i|$$

Neither bound is the natural one. The first asks how far the point moves in space, the second how far any
weight moves. [Adam](adam.py), with its steps of about $\alpha$ in every coordinate, is near the second.

## What noise does to a sign

Let a gradient have the mean $\bar g$ and Gaussian noise of standard deviation $\sigma$, and write
$S = |\bar g| / \sigma$. With $\Phi$, the probability that a standard Gaussian lies below its argument, the
sign is wrong with probability $\Phi(-S)$. In the mean,

$$
\mathbb E[\operatorname{sign}(g)] = \bigl(1 - 2\, \Phi(-S)\bigr) \operatorname{sign}(\bar g)
\approx \sqrt{\tfrac{2}{\pi}}\; \frac{\bar g}{\sigma}
\qquad \text{for small } S
$$

Where noise dominates, as it does with small batches, the mean step is proportional to the gradient after
all, and divided by the noise: it is gradient descent with a learning rate of $0.8\, \alpha / \sigma$ for
each parameter. With $S = 0.1$ a step of $\alpha$ makes $0.08\, \alpha$ of progress.

Averaging before taking the sign divides $\sigma$ by $\sqrt{(1 + \beta) / (1 - \beta)} = 4.4$ for
$\beta = 0.9$. Now $0.34\, \alpha$ of each step is progress. Part of that is bought: successive signs
agree, and so errors do too. After 2000 steps of pure noise with $\alpha = 0.001$ a weight has strayed by
$0.001 \sqrt{2000} = 0.045$ with signSGD, and by 0.16 with Signum.

With noise, more than $\alpha$ remains in the end. Let the mean gradient be $h\, \theta$. Each step of
signSGD multiplies the variance $V$ of $\theta$ by about $1 - 1.6\, \alpha h / \sigma$ and adds $\alpha^2$,
so $V = \alpha\, \sigma / (1.6\, h)$. For $\alpha = 0.001$ and $h = \sigma = 1$ that is 0.025 in the root mean
square, the length of 25 steps. Signum keeps 0.044.

All this holds for noise that is symmetric. If it is not, the sign of the mean and the mean of the sign can
differ. Let a gradient be $+1$ in nine batches of ten, and $-10$ in the tenth, at random. Its mean is
$-0.1$, so the weight should rise. Steps of $\alpha = 0.001$, mean of 4000 runs:

| $\beta$ | where the weight is after 2000 steps |
|---:|---:|
| 0 | -1.60 |
| 0.9 | -0.01 |
| 0.95 | 0.14 |
| 0.99 | 0.58 |

signSGD goes the wrong way in nine steps of ten. The average has to span many of the rare batches before
its sign is right. Karimireddy and others make a proof of failure from such a case. Their repair multiplies
the signs by the mean size of the gradient, and adds what that still leaves out to the next gradient.

## One bit for each weight

The name of the paper is about messages. A worker that sends gradients of ResNet-18 sends 47 MB a step;
signs are 1.5 MB. A server adds the signs up, and sends the majority back, which is one bit again. If each
worker is wrong in 40 % of all cases, independently, the majority of 25 is wrong in 15 %, that of 101 in
2 %. A worker that sends the opposite of what it found has one vote.

## How others write it

The paper averages with $1 - \beta$, as here. pytorch_optimizer does so too, and takes the sign of a
complex number as $z / |z|$. Here, as in all of this library, real and imaginary part are two numbers, and
a step is $\sqrt 2\, \alpha$ long. Lion (Chen et al., 2023, arXiv 2302.06675) is Signum with two decay
rates, one for the step and one for the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Signum"]


class Signum(GenericAdaptiveOptimizer):
    r"""The sign of the averaged gradient.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, the length of a step in every coordinate, a number or a tensor of one element
    - `momentum`: $\beta$ in $[0, 1)$, the decay rate of the average; with 0 it is signSGD
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](base.py#RunOptions)

    State: one tensor of the parameter's shape with momentum, none without.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Bernstein et al. (2018), algorithms 1 and 2.
    """

    beta_count = 0
    has_eps = False
    momentum_state = "exp_avg"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.9,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"momentum": momentum} | dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the average at zero, if there is one."""
        if not is_zero(group["momentum"]):
            state["exp_avg"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        direction = self.weight_decay(param, grad, group)
        if not is_zero(group["momentum"]):
            # $m_t = m_{t-1} + (1 - \beta)(g_t - m_{t-1})$
            direction = state["exp_avg"].lerp_(direction, 1 - group["momentum"])
        # $\theta_t = \theta_{t-1} - \alpha \operatorname{sign}(m_t)$
        param.add_(direction.sign(), alpha=-group["lr"])


# ## Choosing the numbers
#
# - `lr` is the length of a step. It has to fall during training, for what remains of the distance falls
#   with it. Begin well below Adam's: on noise, Adam's steps are $0.23\, \alpha$ long, these $\alpha$.
# - `momentum`: 0.9 to 0.99. More is needed where single batches are rare and large.
# - `weight_decay`, decoupled, keeps each weight within $1 / \lambda$: beyond it the decay
#   $\alpha \lambda |\theta|$ is longer than a step.
#
# Use it when memory or bandwidth is short, or when gradients come in sizes that mean nothing. Leave it
# where gradients are rare and large, as those of words are, and where the last digit of the loss counts.
#
# ## Traps
#
# - **It never stands still.** After one gradient of 1 and zeros from then on, a weight is 4.0 away after
#   4000 steps of 0.001. $m$ shrinks but keeps its sign; in float32 not even underflow ends that, since nine
#   tenths of the smallest numbers round to themselves. The row of an embedding that occurs once walks on
#   until it occurs again. signSGD stops at once: its gradient is 0.
# - **Decay in the gradient is no decay.** It can flip a sign, and else it does nothing. With
#   $\lambda = 0.5$, $\alpha = 0.001$ and pure noise of size 10 or 0.1, 2000 steps leave 0.71 and 0.00 of a
#   weight; decoupled, 0.37 of both. Compare [Weight decay](../weight_decay.py).
# - **With momentum, size matters a little.** After one gradient of 1000, ones of $-1$ need 44 steps until
#   $m$ has their sign. Clip, or take $\beta = 0$.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.001$, and 0.0003 is as
# good: the held-out losses differ by 1 %. At 0.003 the loss is 42 % higher, at 0.0001 111 %, and at 0.01
# nothing is learned. [Adam](adam.py)'s best is 0.003. The accuracies are 99.30, 99.21 and 99.12 %: below
# [AdamW](adamw.py), 99.30 to 99.40 %, and about as good as SGD with momentum, 98.83 to 99.22 %. The loss
# on the test images shows it better: 0.028 to 0.036, AdamW's 0.018 to 0.020.
#
# The length of an update tells how many weights have moved. That of the first one is 0.6135 in seed 0:
# $(0.6135 / \alpha)^2 / 431\,080 = 87.3$ %. The others have a gradient of exactly zero. From step 32 to
# the end it is 98.1 %, whatever the gradients do: a weight that has had one gradient never stands still
# again. Adam's update, with three times the rate, is 0.205 long in step 96, and Signum's 0.628. That it
# comes to rest at all is the work of the falling rate.
#
# ## Exercises
#
# **1.** Show that every weight ends within $1 / \lambda$ of zero with decoupled decay, if
# $\alpha \lambda < 1$, whatever the gradients are.
#
# ::: solution
# $|\theta_t| \le (1 - \alpha \lambda)\, |\theta_{t-1}| + \alpha$. Subtract $1 / \lambda$ from both sides:
# $|\theta_t| - 1 / \lambda \le (1 - \alpha \lambda)\, (|\theta_{t-1}| - 1 / \lambda)$. What is beyond the
# bound shrinks by the same factor in each step.
# :::
#
# **2.** Three workers have the gradients $+1$, $+1$ and $-5$ for a weight. Where do the majority of their
# signs and the sign of their mean send it?
#
# ::: solution
# The majority is positive, so the vote lowers the weight. The mean is $-1$, so SGD raises it. It is the
# table above once more, across workers instead of steps.
# :::
#
# **3.** Compare the mean step of signSGD with the formula above for $\bar g = 0.1$ and $\sigma = 1$.
#
# ::: solution
# ```python
# import math
#
# import torch
# from labml_nn_optim import Signum
#
# torch.manual_seed(0)
# theta = torch.nn.Parameter(torch.zeros(100_000))
# theta.grad = 0.1 + torch.randn(100_000)
# Signum([theta], lr=1.0, momentum=0.0).step()
# expected = math.sqrt(2 / math.pi) * 0.1
# assert abs(-theta.mean().item() - expected) < 0.01
# ```
# :::

r"""
---
title: Grams
summary: Grams goes as far as Adam would, and the way that the newest gradient points.
paper:
  title: "Grams: Gradient Descent with Adaptive Momentum Scaling"
  authors: Yang Cao, Xiaoyu Li, Zhao Song
  year: 2024
  arxiv: "2412.17107"
chapter: "4.7"
needs: [optimizers/adam, caution]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \beta_1, \beta_2: betas
  \varepsilon: eps
verified_against:
  implementation: pytorch_optimizer.Grams 4.1.0
  difference: 1e-15 over 100 noisy steps in float64
---

# Turn at once, at full speed

For a hundred steps a gradient is $+1$. Then it is $-1$. These are the steps that follow, in units of $\alpha$; a
positive one goes where the old gradients pointed:

| step after the turn | Adam | [cautious](../caution.py) Adam | Grams |
|---:|---:|---:|---:|
| before | 1.000 | 1.000 | 1.000 |
| 1 | 0.800 | 0 | $-0.800$ |
| 2 | 0.620 | 0 | $-0.620$ |
| 4 | 0.312 | 0 | $-0.312$ |
| 6 | 0.063 | 0 | $-0.063$ |
| 7 | $-0.043$ | $-0.043$ | $-0.043$ |
| 11 | $-0.372$ | $-0.372$ | $-0.372$ |

[Adam](adam.py) rolls on until its momentum is used up. With caution it waits. Grams takes the size of Adam's step
and the sign of the newest gradient. So it goes back at once: fast, slowly where $m$ passes through 0, fast again.

On the loss $\frac{1}{2} \theta^2$ from 1, with $\alpha = 0.05$, Adam rolls to $-0.130$, cautious Adam to $-0.001$
and Grams to $-0.018$. For good they are within 0.01 of the minimum after 78, 24 and 32 steps.

## The update rule

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
\theta_t &= \theta_{t-1} - \alpha\, \operatorname{sign}(g_t)\, \frac{|\hat m_t|}{\sqrt{\hat v_t} + \varepsilon}
\end{aligned}
$$

with Adam's corrections $\hat m_t = m_t / (1 - \beta_1^t)$ and $\hat v_t = v_t / (1 - \beta_2^t)$. Where $m$ and $g$
agree this is Adam. Where they do not, the step is turned round. There is no mask and no mean over a tensor, so each
element is a case by itself: Grams compiles, and it runs on parts of a tensor. Decay is decoupled, as in AdamW.

## What is promised

To first order a step changes the loss by $-\alpha \sum_i |g_i|\, |u_i|$, where $u$ is Adam's update. With the sizes
$|u_i|$ given, no other choice of signs brings it down further. Adam's is another choice; so is cautious Adam's, which
puts 0 where the signs disagree, before it rescales. That holds for the loss whose gradient is $g$: one batch. It is a
statement about one step; it does not say that many such steps arrive sooner.

## What noise does to it

Adam's momentum is an average, and averages are what takes noise away. Grams averages the size and not the sign.
Take 20 000 weights with Gaussian gradients of size 1 and $\alpha = 1$. The length of a step is the root of its mean
square. The spread is that of the sum of many steps, divided by the root of their number; the drift is the mean step
for gradients with a mean of 0.05:

| | length of a step | spread | drift | drift / spread |
|---|---:|---:|---:|---:|
| Adam | 0.229 | 1.00 | 0.050 | 0.050 |
| cautious Adam | 0.312 | 1.11 | 0.055 | 0.050 |
| Grams | 0.229 | 0.44 | 0.021 | 0.048 |

The steps are as long as Adam's. But their signs change from step to step, and more of them cancel. It is Adam with
0.4 times the learning rate.

Noise that is not symmetric is worse. Where a gradient is 9 in a tenth of the steps and $-1$ otherwise, plus
$\theta$, Adam rests at the minimum, 0. Grams rests at 1, where $-1 + \theta$ is 0: the majority votes, as in
descent along the sign (exercise 3).

## What comparisons found

The paper reports that it beats Adam, Lion and their cautious variants. We know of no comparison by others in which
every optimizer had its own learning rate.

scikit-learn's digits, pixels divided by 16, a network with two hidden layers of 128, 1200 steps with batches of 32,
$\alpha$ falling along a cosine, all else by default, the mean of four seeds. A quarter of the images, another for each
seed, is for the test.

| $\alpha$ | 0.001 | 0.002 | 0.003 | 0.006 | 0.01 |
|---|---:|---:|---:|---:|---:|
| training loss, AdamW | 0.051 | 0.017 | 0.0076 | 0.0016 | 0.0006 |
| training loss, Grams | 0.121 | 0.063 | 0.040 | 0.014 | 0.0055 |
| test loss, AdamW | 0.107 | 0.097 | 0.097 | 0.100 | 0.092 |
| test loss, Grams | 0.147 | 0.112 | 0.103 | 0.100 | 0.107 |

At 2.5 times the rate, $1 / 0.4$ as the noise says, Grams has about AdamW's training loss: 0.049 for 0.051 and 0.019
for 0.017, interpolated. At the best rate of each in the table its test loss is higher, 0.100 for 0.092, but only with
three of the four seeds. It is one small network.

## Conventions

- **$\varepsilon$** is $10^{-6}$ in the authors' code and here, Adam's is $10^{-8}$. The authors add it to
  $\sqrt{v_t}$ before the correction. For a first gradient of $10^{-6}$ their step is $0.031\, \alpha$, ours and
  pytorch_optimizer's $0.5\, \alpha$. For gradients that are much larger there is no difference.
- **Decay in the gradient.** pytorch_optimizer adds it when the gradient has been used already: its
  `weight_decouple=False` is no decay at all.
- **The authors' code writes into `param.grad`.** After a step it holds $\operatorname{sign}(g_t)\, |m_t|$.
- **A gradient of 0** has the sign 0. The weight does not move, where Adam would go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Grams"]


class Grams(GenericAdaptiveOptimizer):
    r"""The sign of the gradient, and the size of Adam's update.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, which keeps the division finite; with 0 a gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Cao, Li and Song (2024), with the defaults of the authors' code.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, eps, weight_decay, **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Fold both corrections into two numbers, as in [Adam](adam.py)."""
        beta1, beta2 = group["betas"]
        root = math.sqrt(1 - beta2**step)
        return {
            "step_size": group["lr"] * root / (1 - beta1**step),
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = m_{t-1} + (1 - \beta_1)(g_t - m_{t-1})$ and $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $s_t = \operatorname{sign}(g_t)\, |m_t|$
        turned = exp_avg.abs().mul_(grad.sign())
        # $\theta_t = \theta_{t-1} - \text{step size} \cdot s_t / (\sqrt{v_t} + \hat\varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(turned, denominator, value=-group["step_size"])


# ## Choosing the numbers
#
# - `lr`: search from Adam's up to three times that.
# - `weight_decay`: decay is times $\alpha$. With three times Adam's $\alpha$ take a third of its $\lambda$.
# - `betas`: $\beta_1$ sets how long the size remembers, and nothing of the direction.
#
# Take it where gradients are nearly exact and the path bends: large batches, or a loss that is known in closed form.
# Leave it where batches are small, for it averages no noise out of the direction.
#
# ## Traps
#
# - **It is no momentum method.** In a valley whose gradients are 1.1 and $-0.9$ in turn, momentum cancels the swings,
#   and Adam goes $0.0995\, \alpha$ in a step on average. Grams follows every swing with what is left after
#   cancelling, and goes $0.052\, \alpha$.
# - **Rows that are not used** in an embedding do not move. Adam moves them on for some steps.
# - **It resumes from Adam's state**, in name and in meaning. Nothing warns that a checkpoint came from the other.
# - **Caution on top** changes nothing where all have gradients: the update never disagrees with them.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose [Adam](adam.py)'s $\alpha = 0.003$. At
# 0.001 the held-out loss is 56 % higher, at 0.0003 3.3 times as high. At 0.01, where Adam learns nothing, it
# is 25 % higher. At 0.0003 and 0.001 the loss is Adam's at 0.47 and 0.45 times the rate, interpolated; the
# noise says 0.4.
#
# The accuracies are 99.03, 99.03 and 99.20 % (median 99.03). Adam's, 99.39 to 99.44 %, and AdamW's, 99.30 to
# 99.40 %, lie above all of them; those of SGD with momentum, 98.83 to 99.22 %, overlap. In the first epoch
# nothing is lost: the mean training loss is 0.100 to 0.105, Adam's 0.104 to 0.108. In the third it is 0.029
# to 0.030, Adam's 0.011. There Adam's gradient has a norm of 0.07 to 0.21, Grams' of 0.55 to 0.91, and the
# updates are 1.6 to 2.1 times as long as Adam's (medians). That fits a direction which nothing averages, and
# does not prove it.
#
# [On CIFAR-10](../../experiments/cifar.py), where three epochs are far from fitting the images, Grams keeps up. The
# search (one epoch, one seed) chose 0.01, Adam's being 0.003; at 0.003 the held-out loss is 5 % higher, at 0.03 18 %.
# At 0.0003 and 0.001 the loss is Adam's at 0.45 and 0.47 times the rate (interpolated, loss and rate as logarithms),
# about as on MNIST. The accuracies of three seeds are 80.0, 80.2 and 80.5 %; Adam's, 79.4 to 80.1 %, and AdamW's,
# 79.3 to 80.3 %, overlap with them. The mean training loss of the third epoch is 0.60 to 0.62, Adam's 0.62 to 0.63.
# At 3.3 times Adam's rate the median update is 3.1 times as long. So what Grams lost on MNIST, where little is left
# to fit, it does not lose here; that the direction is the reason remains a guess.
#
# ## Exercises
#
# **1.** Grams and cautious Adam agree on some weights of a tensor. On which, and by which factor do they differ
# there?
#
# ::: solution
# Where $m g > 0$ both go the way of Adam. Caution divides by the share of such weights: $1 / 0.644 = 1.55$ in noise
# with $\beta_1 = 0.9$. Where $m g < 0$ one stands still and the other goes against $m$.
#
# ```python
# import torch
# from labml_nn_optim import Adam, Grams
#
# first, second = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([1.0, 0.5, 0.2, -0.3])
# moved = []
# for kind, options in ((Adam, {}), (Adam, {"cautious": True}), (Grams, {"eps": 1e-8})):
#     weights = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
#     optimizer = kind([weights], lr=0.1, **options)
#     for gradient in (first, second):
#         before = weights.detach().clone()
#         weights.grad = gradient.double()
#         optimizer.step()
#     moved.append(weights.detach() - before)
# adam, cautious, grams = moved
# torch.testing.assert_close(cautious[:3], adam[:3] / 0.75)
# torch.testing.assert_close(grams[:3], adam[:3])
# torch.testing.assert_close(grams[3], -adam[3])
# assert cautious[3] == 0
# ```
# :::
#
# **2.** Show that with $\beta_1 = 0$ Grams is RMSprop with a correction.
#
# ::: solution
# Then $\hat m_t = g_t$, and $\operatorname{sign}(g_t)\, |g_t| = g_t$. What is left is
# $\alpha\, g_t / (\sqrt{\hat v_t} + \varepsilon)$, which is Adam with $\beta_1 = 0$ as well.
# :::
#
# **3.** Where does a weight come to rest under Grams if its gradient is $\theta + 9$ with probability 0.1 and
# $\theta - 1$ otherwise?
#
# ::: solution
# As long as $\theta < 1$, nine of ten gradients are negative and push it up. Above 1 all are positive. So it rests
# at 1, although the mean gradient is 0 at 0.
#
# ```python
# import torch
# from labml_nn_optim import Grams
#
# torch.manual_seed(0)
# weights = torch.nn.Parameter(torch.zeros(500))
# optimizer = Grams([weights], lr=0.02)
# for _ in range(2000):
#     rare = torch.rand(500) < 0.1
#     weights.grad = weights.detach() + torch.where(rare, 9.0, -1.0)
#     optimizer.step()
# assert abs(weights.mean().item() - 1) < 0.1
# ```
# :::

r"""
---
title: NAdam
summary: NAdam takes Adam's step with the momentum that the next step will use, so that the gradient of now acts at once.
paper:
  title: Incorporating Nesterov Momentum into Adam
  authors: Timothy Dozat
  year: 2016
  url: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
  venue: ICLR Workshop
chapter: "3.2"
needs: [optimizers/sgd, optimizers/adam]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \mu_t: momentum
  \mu_{t+1}: next_momentum
  P_t: product
  \psi: momentum_decay
verified_against:
  implementation: torch.optim.NAdam 2.14.1
  difference: 2.4e-10 over 100 noisy steps in float64, because torch keeps the product of the momenta in float32; 1.4e-15 where it does not
---

# Momentum notices a turn late

The gradient of a parameter is $+1$ for a hundred steps, then $-1$. [Adam](adam.py) goes on in the old
direction for six more steps, the first of them $0.8\,\alpha$ long: in its average the new gradient counts
for a tenth. NAdam turns at once, with a step of $0.18\,\alpha$ the new way.

On the bowl of Adam's chapter, $f(x, y) = \frac{1}{2}(100\,x^2 + y^2)$ from $(1, 1)$, the late turn shows as
a swing to the other side. Steps until the point stays within 0.01 for the rest of 1000 steps, and how far
it swings beyond the bottom:

| $\alpha$ | Adam | NAdam |
|---:|---|---|
| 0.01 | 223 steps, 0.000 | 255 steps, 0.000 |
| 0.03 | 84 steps, 0.044 | 69 steps, 0.004 |
| 0.1 | 92 steps, 0.273 | 42 steps, 0.066 |
| 0.2 | 91 steps, 0.409 | 28 steps, 0.086 |
| 0.3 | 91 steps, 0.481 | arrives, and is thrown out again |

The last line is no accident. What NAdam gains in damping it pays for in the largest step that it bears.

## Nesterov's step, told from where the gradient is taken

A step of momentum has two parts,
$-\alpha\, (\mu_t m_{t-1} + (1 - \mu_t)\, g_t)$,
and the first of them is known before the gradient is. Nesterov makes it first, and asks for the gradient
where it leads:

$$
\begin{aligned}
g_t &= \nabla f(\theta_{t-1} - \alpha \mu_t m_{t-1}) \\
m_t &= \mu_t m_{t-1} + (1 - \mu_t)\, g_t \\
\theta_t &= \theta_{t-1} - \alpha\, m_t
\end{aligned}
$$

A training program takes the gradient where the parameters are, not where they will be. So store the
looked-ahead point, $\varphi_{t-1} = \theta_{t-1} - \alpha \mu_t m_{t-1}$, as the parameters. How does it
move?

$$
\begin{aligned}
\varphi_t &= \theta_t - \alpha \mu_{t+1} m_t
= \underbrace{\varphi_{t-1} + \alpha \mu_t m_{t-1}}_{\theta_{t-1}}
- \alpha \bigl( \mu_t m_{t-1} + (1 - \mu_t)\, g_t \bigr) - \alpha \mu_{t+1} m_t \\
&= \varphi_{t-1} - \alpha \bigl( (1 - \mu_t)\, g_t + \mu_{t+1} m_t \bigr)
\end{aligned}
$$

A step consists of the gradient of now and the momentum part of the *next* step. Nothing was left out.
[SGD](sgd.py) has the same form for a velocity that is no average.

## Into Adam

Dozat puts this sum in the place of $m_t$ in Adam's step. Here the derivation has a gap: the part made in
advance is divided by $\sqrt{\hat v_t}$, and the next step would divide it by $\sqrt{\hat v_{t+1}}$.

**The corrections.** An average with changing rates has weights that sum to
$s_t = \mu_t s_{t-1} + (1 - \mu_t)$. So $1 - s_t = \mu_t (1 - s_{t-1})$, and with $s_0 = 0$

$$s_t = 1 - P_t, \qquad P_t = \mu_1 \mu_2 \cdots \mu_t$$

The gradient of now belongs to step $t$, the momentum to step $t + 1$, and each is divided by the sum of its
step:

$$
\theta_t = \theta_{t-1} - \frac{\alpha}{\sqrt{\hat v_t} + \varepsilon}
\left( \frac{1 - \mu_t}{1 - P_t}\, g_t + \frac{\mu_{t+1}}{1 - P_{t+1}}\, m_t \right)
$$

$v_t$ and its correction $\hat v_t$ are [Adam](adam.py)'s.

**The schedule.** The first gradients are soon out of date. So the momentum starts at half of $\beta_1$ and
rises to all of it; such schedules come from Sutskever et al. (2013).

$$\mu_t = \beta_1 \left( 1 - \tfrac{1}{2} \cdot 0.96^{\,t \psi} \right), \qquad \psi = 0.004$$

For $\beta_1 = 0.9$ it is 0.45 in step 1, 0.52 in step 1000, 0.81 in step 10 000, and passes 0.89 in step
23 313.

So in a run of some thousand steps NAdam is far from Adam. The gradient of now counts for
$1 - \mu_t + \mu_{t+1} (1 - \beta_1)$, which is 0.59 in step 1 and 0.53 in step 1000. In Adam it is 0.1.

## What the libraries make of it

- **The average.** The paper averages $m_t$ with $\mu_t$. For a constant gradient its steps are 1.31, 1.08,
  1.03 $\alpha$ long and so on: the looked-ahead point gets one momentum part ahead of Adam.
- torch and Keras average with the constant $\beta_1$ and still correct with the product of the $\mu$, which
  does not fit: 1.06, 0.78, 0.73, 0.73 $\alpha$, and 0.99 not before step 37. Here it is torch's.
- **The schedule.** Keras 3 has $0.96^{\,t}$, that is $\psi = 1$: $\mu$ passes 0.89 in step 94. optax has
  $\mu_t = \beta_1$ throughout, with the two corrections above. timm's and AlgoPerf's
  [NAdamW](nadamw.py) has that and one correction.
- **$\varepsilon$** is added to the corrected $\sqrt{\hat v_t}$: $10^{-8}$ in torch, $10^{-7}$ in Keras.

## The price

Hold $\sqrt{\hat v}$ and $\mu$ still, on a parabola of curvature $k$, and write
$h = \alpha k / \sqrt{\hat v}$ and $u = \alpha m / \sqrt{\hat v}$. Without corrections a step is

$$
u' = \beta_1 u + (1 - \beta_1)\, h\, \theta, \qquad
\theta' = \theta - (1 - \mu)\, h\, \theta - \mu u'
$$

a matrix of trace $1 + \beta_1 - (1 - \mu \beta_1) h$ and determinant $\beta_1 - \beta_1 (1 - \mu) h$. It
throws the point out when an eigenvalue passes $-1$, that is, when $1 + \text{trace} + \text{determinant}$ is
negative:

$$
h > \frac{2\,(1 + \beta_1)}{1 + \beta_1 - 2 \mu \beta_1}
$$

That is 3.5 for $\mu = 0.45$ and 13.6 for $\mu = 0.9$. For Adam it is $2 (1 + \beta_1) / (1 - \beta_1) = 38$.

On the bowl $\sqrt{\hat v}$ falls as the gradients do, and $h$ grows. With $\alpha = 0.2$ NAdam is nearest
to the bottom in step 767, at $h = 4.1$ (its limit there is 3.8), then moves away; Adam with $\alpha = 0.5$
in step 3040, at $h = 38$.

Adam trained on all data at once works right at its limit (Cohen et al. 2022, arXiv 2207.14484). A learning
rate that suits it there may be several times too large for NAdam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["NAdam"]


class NAdam(GenericAdaptiveOptimizer):
    r"""Adam with Nesterov's momentum, whose strength follows a schedule.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to the corrected $\sqrt{\hat v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](weight_decay.py#WeightDecay) (torch's `NAdam` means decay in the gradient instead)
    - `momentum_decay`: $\psi \ge 0$, how fast $\mu_t$ grows from $\beta_1 / 2$ to $\beta_1$; with 0 it
      stays at $\beta_1 / 2$
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](base.py#RunOptions)

    State: two tensors of the parameter's shape, and one number.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Dozat (2016), algorithm 2, in torch's form.
    """

    scalar_state: ClassVar[tuple[str, ...]] = ("mu_product",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        momentum_decay: float = 4e-3,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"momentum_decay": momentum_decay} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum_decay", group["momentum_decay"])

    def init_state(
        self,
        state: dict[str, Any],
        group: Mapping[str, Any],
        param: Tensor,
    ) -> None:
        r"""Start both averages at zero and the product of all $\mu_i$, of none as yet, at one."""
        state["mu_product"] = torch.ones((), dtype=torch.float64)
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    @staticmethod
    def momentum(beta1: float, momentum_decay: float, step: int) -> float:
        r"""Return $\mu_t = \beta_1 (1 - \frac{1}{2} \cdot 0.96^{t \psi})$ for step `step`."""
        return beta1 * (1 - 0.5 * math.pow(0.96, step * momentum_decay))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the schedule, and fold all corrections into three numbers.

        The large bracket above is its first factor times $g_t + \text{ratio} \cdot m_t$, with

        $$
        \text{ratio} = \frac{\mu_{t+1}}{1 - P_{t+1}} \bigg/ \frac{1 - \mu_t}{1 - P_t}
        $$

        That factor joins the step size, and so does $\sqrt{1 - \beta_2^t}$, as in
        [Adam](adam.py#Adam.scalars). `mu_product` is $P_t$; what is returned under that name is stored.
        """
        beta1, beta2 = group["betas"]
        momentum = self.momentum(beta1, group["momentum_decay"], step)
        next_momentum = self.momentum(beta1, group["momentum_decay"], step + 1)
        product = group["mu_product"] * momentum
        root = math.sqrt(1 - beta2**step)
        grad_share = (1 - momentum) / (1 - product)
        return {
            "mu_product": product,
            "step_size": group["lr"] * root * grad_share,
            "ratio": next_momentum / (1 - product * next_momentum) / grad_share,
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $g_t + \text{ratio} \cdot m_t$
        look_ahead = exp_avg.mul(group["ratio"]).add_(grad)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(look_ahead, denominator, value=-group["step_size"])


# ## Choosing the numbers
#
# - `lr`: torch's default is 0.002, twice Adam's. Do not read that as advice. On pure noise NAdam's step is
#   $0.59\,\alpha$ long in step 200 (root of the mean square), Adam's $0.23\,\alpha$: divide a rate that
#   was tuned for Adam by two or three.
# - `momentum_decay`: what counts is $T \psi$ for a run of $T$ steps. $T \psi = 93$ ends at $\mu = 0.89$;
#   with the default that takes 23 000 steps. For a run of 3000 steps set $\psi = 0.03$ if you want it to end
#   there.
# - `betas`, `eps`: as for [Adam](adam.py).
#
# Take it where Adam swings and gradients are nearly exact. Where batches are small, momentum is there to
# average noise away, and a gradient that counts for a half does not average. If you want Nesterov without
# a schedule, take [NAdamW](nadamw.py).
#
# ## Traps
#
# - **Decay.** A number is decoupled here. `torch.optim.NAdam(weight_decay=...)` puts it into the gradient
#   unless `decoupled_weight_decay=True`.
# - **State that is a number.** The product has no closed form, so it is stored, one number for each
#   parameter. Lose it, and the corrections start again. `load_state_dict` of torch casts it to the data type
#   of the parameter: for bfloat16, 0.4501 comes back as 0.4492. Here it stays float64.
# - **The schedule counts steps of a parameter.** A layer that is unfrozen in step 10 000 starts at
#   $\mu = 0.45$ while the others are at 0.81.
# - **A name for several optimizers.** A result for "NAdam" says little without the name of the library.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.003$, Adam's rate and not a
# half or a third of it. At 0.001 the held-out loss is 31 % higher. At 0.01 it is 82 % higher, where Adam
# learns nothing, but that hangs by a thread: after 28 steps 3 of the 50 channels of the second convolution
# answer to any of 2000 images. At 0.03 nothing is learned. The accuracies, 99.34, 99.34 and 99.37 %, are
# Adam's 99.39 to 99.44 % or a trifle less. AdamW has 99.30 to 99.40 %, SGD with momentum 98.83 to 99.22 %.
#
# The formulas can be found in the record. The first update is 1.056 times as long as Adam's, with every
# seed: the sum of exercise 3. In the first epoch updates are 2.4 to 2.6 times as long as Adam's (medians);
# on noise it is $0.59 / 0.23 = 2.6$. And they follow the gradient of their own batch: the logarithms of
# both lengths have a correlation of 0.85 to 0.90, with Adam 0.22 to 0.46.
#
# ## Exercises
#
# **1.** Run Nesterov's momentum in both forms on $f = \frac{1}{2} \theta^2$ with a momentum that changes
# from step to step, and compare where the gradients are taken.
#
# ::: solution
# They are the same numbers. The substitution needs nothing of $\mu_t$ but that it is known in advance.
#
# ```python
# alpha, mu = 0.3, [0.5 + 0.4 * t / 50 for t in range(52)]
# theta, m, asked = 1.0, 0.0, []
# for t in range(1, 51):
#     ahead = theta - alpha * mu[t] * m
#     asked.append(ahead)
#     m = mu[t] * m + (1 - mu[t]) * ahead
#     theta -= alpha * m
#
# phi, m = 1.0, 0.0
# for t in range(1, 51):
#     assert abs(phi - asked[t - 1]) < 1e-15
#     g = phi
#     m = mu[t] * m + (1 - mu[t]) * g
#     phi -= alpha * ((1 - mu[t]) * g + mu[t + 1] * m)
# ```
# :::
#
# **2.** Derive the limit of $h$ for Adam, and check both limits.
#
# ::: solution
# Adam has the same $u'$, and $\theta' = \theta - u'$. The trace is $1 + \beta_1 - (1 - \beta_1) h$, the
# determinant $\beta_1$, and $2 + 2 \beta_1 - (1 - \beta_1) h < 0$ for $h > 38$.
#
# ```python
# import torch
#
#
# def radius(h, now, later, beta=0.9):
#     # theta' = theta - now * h * theta - later * u', with u' as above
#     row = [1 - now * h - later * (1 - beta) * h, -later * beta]
#     return torch.linalg.eigvals(torch.tensor([row, [(1 - beta) * h, beta]])).abs().max()
#
#
# assert radius(37.9, 0, 1) < 1 < radius(38.1, 0, 1)
# assert radius(3.48, 0.55, 0.45) < 1 < radius(3.49, 0.55, 0.45)
# assert radius(13.5, 0.1, 0.9) < 1 < radius(13.6, 0.1, 0.9)
# ```
# :::
#
# **3.** With torch's form, how long are the first two steps for a constant gradient? Do it by hand, with
# $\mu = 0.45$ throughout.
#
# ::: solution
# $m_1 = 0.1\, g$, $P_1 = 0.45$, $P_2 = 0.2025$. The sum is
# $\frac{0.55}{0.55} + \frac{0.45}{0.7975} \cdot 0.1 = 1.056$. Then $m_2 = 0.19\, g$, $P_3 = 0.0911$, and
# $\frac{0.55}{0.7975} + \frac{0.45}{0.9089} \cdot 0.19 = 0.784$. $P_t$ is soon next to nothing and
# corrects nothing, while $m_t$ is still far from $g$.
# :::

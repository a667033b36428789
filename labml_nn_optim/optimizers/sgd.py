r"""
---
title: SGD
summary: SGD steps down the gradient of one batch; momentum lets the steps add up where they agree, and Nesterov's form looks where that leads.
paper:
  - title: A Stochastic Approximation Method
    authors: Herbert Robbins, Sutton Monro
    year: 1951
    doi: 10.1214/aoms/1177729586
  - title: Some methods of speeding up the convergence of iteration methods
    authors: Boris T. Polyak
    year: 1964
    doi: 10.1016/0041-5553(64)90137-5
  - title: On the importance of initialization and momentum in deep learning
    authors: Ilya Sutskever, James Martens, George Dahl, Geoffrey Hinton
    year: 2013
    url: https://proceedings.mlr.press/v28/sutskever13.html
    venue: ICML
chapter: "1.1"
needs: [base]
symbols:
  \theta: param
  g: grad
  b: velocity
  \alpha: lr
  \mu: momentum
  \tau: dampening
verified_against:
  implementation: torch.optim.SGD 2.14.1
  difference: 7e-16 over 100 noisy steps in float64, with momentum, dampening or Nesterov's form
---

# A gradient of 64 images

The gradient of a loss over 60 000 images costs 938 times as much as that over 64 of them. It is more
accurate by the factor $\sqrt{938} = 31$ only, since the error of a mean falls with the root of their
number. 938 rough steps take you further than one exact step, as a rule. That is why *stochastic* gradient
descent takes the gradient of one batch.

The other trouble has nothing to do with noise.
Take the bowl $f(x, y) = \frac{1}{2}(100\,x^2 + y^2)$ and start at $(1, 1)$. How many steps does it take
until the point stays within 0.01 of the bottom?

| $\alpha$ | gradient descent | heavy ball, $\mu = 0.9$ | Nesterov, $\mu = 0.9$ |
|---:|---:|---:|---:|
| 0.002 | 2301 | 187 | 192 |
| 0.005 | 919 | 94 | 90 |
| 0.01 | 459 | 91 | 82 |
| 0.02 | never | 97 | diverges |

The steep side keeps the first column from steps above 0.02, and the shallow side pays for it.
A memory of the last steps helps more than any choice of $\alpha$: the best one from this start, 0.0197,
needs 232 steps.

## Three rules in one

With the velocity $b_0 = 0$, the momentum $\mu$ and the dampening $\tau$, which is 0 unless said otherwise:

$$
\begin{aligned}
b_t &= \mu\, b_{t-1} + (1 - \tau)\, g_t, \qquad b_1 = g_1 \\
\theta_t &= \theta_{t-1} - \alpha \cdot
\begin{cases}
g_t & \mu = 0, \text{ gradient descent} \\
b_t & \text{heavy ball} \\
g_t + \mu\, b_t & \text{Nesterov}
\end{cases}
\end{aligned}
$$

## Step one: gradient descent

Near a minimum a loss is nearly a quadratic, and along each of its principal axes the gradient is
$h\, \theta$ with the curvature $h$ of that axis. A step multiplies the distance there by $1 - \alpha h$.
All axes get closer if $\alpha < 2 / h_{\max}$. The slowest is either the flattest or the steepest one, so
the best $\alpha$ makes these two equal:

$$
1 - \alpha\, h_{\min} = -(1 - \alpha\, h_{\max})
\quad\Rightarrow\quad
\alpha = \frac{2}{h_{\min} + h_{\max}},
\qquad
\text{factor a step} = \frac{\kappa - 1}{\kappa + 1} = 1 - \frac{2}{\kappa + 1}
$$

with the condition number $\kappa = h_{\max} / h_{\min}$. Steps are needed in proportion to $\kappa$. The
bowl has $\kappa = 100$: 0.980 a step with $\alpha = 2 / 101 = 0.0198$. (From $(1, 1)$ that takes 247 steps,
as both sides are slow then. With 0.0197 only the shallow one is.)

## Step two: the heavy ball

On one axis, write $b$ in terms of two steps, $\alpha b_t = \theta_{t-1} - \theta_t$:

$$\theta_t = (1 + \mu - \alpha h)\, \theta_{t-1} - \mu\, \theta_{t-2}$$

Solutions are $z^t$ with $z^2 - (1 + \mu - \alpha h)\, z + \mu = 0$. The product of the two roots is $\mu$.
If they are complex, both have the modulus $\sqrt\mu$: the axis converges at that rate, *whatever its
curvature*. They are complex, or just equal, when $(1 + \mu - \alpha h)^2 \le 4\mu$, that is

$$(1 - \sqrt\mu)^2 \le \alpha h \le (1 + \sqrt\mu)^2$$

Put $h_{\min}$ and $h_{\max}$ on the two edges, and divide:

$$
\frac{1 + \sqrt\mu}{1 - \sqrt\mu} = \sqrt\kappa
\quad\Rightarrow\quad
\sqrt\mu = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1},
\qquad
\alpha = \left(\frac{2}{\sqrt{h_{\min}} + \sqrt{h_{\max}}}\right)^2
$$

Now it is $\sqrt\kappa$ that counts. For the bowl, $\mu = 0.67$ and $\alpha = 0.033$ give 0.82 a step, and
the point is there after 45. (At the edges the two roots coincide, which adds a factor $t$.)

There is a simpler reading. A gradient that arrives once moves $\theta$ by
$\alpha (1 + \mu + \mu^2 + \dots) = \alpha / (1 - \mu)$ times itself in the long run. With $\mu = 0.9$,
gradients that agree act ten times, and ones that alternate in sign act $1 / (1 + \mu) = 0.53$ times. Along
the shallow side of the valley they agree.

## Step three: Nesterov

The ball will travel by $-\alpha \mu b_{t-1}$ in any case. Why not take the gradient where it will be?
Sutskever's form, for a point $\phi$:

$$
b_t = \mu\, b_{t-1} + \nabla f(\phi_{t-1} - \alpha \mu\, b_{t-1}),
\qquad
\phi_t = \phi_{t-1} - \alpha\, b_t
$$

A training loop has the gradient at the weights, not ahead of them. So let the weights *be* the point ahead,
$\theta_t = \phi_t - \alpha \mu\, b_t$. Then $g_t$ is the gradient that is asked for, and

$$
\theta_t - \theta_{t-1} = (\phi_t - \phi_{t-1}) - \alpha \mu\, (b_t - b_{t-1})
= -\alpha\, b_t - \alpha \mu\, b_t + \alpha\, (b_t - g_t) = -\alpha\, (g_t + \mu\, b_t)
$$

which is the rule above. That takes $\alpha$ as constant. What you evaluate and save is the point ahead;
when steps are short, near the end of training, the two hardly differ.

On an axis, $z^2 - (1 + \mu)(1 - \alpha h)\, z + \mu (1 - \alpha h) = 0$: complex roots have the modulus
$\sqrt{\mu (1 - \alpha h)}$. Steep axes are damped more than by the heavy ball.

The price is the range. A rule is at its limit when $z = -1$ solves its equation. For the heavy ball that
is $\alpha h = 2 (1 + \mu)$, 3.8 for $\mu = 0.9$; for Nesterov's form $(2 + 2\mu) / (1 + 2\mu)$, 1.36. The
last row of the table has $\alpha h = 2$.

## What noise leaves

Add noise of variance $\sigma^2$ to the gradient of one axis. Each step multiplies the variance $V$ of
$\theta$ by $(1 - \alpha h)^2$ and adds $\alpha^2 \sigma^2$. Where both balance,

$$
V = (1 - \alpha h)^2\, V + \alpha^2 \sigma^2
\quad\Rightarrow\quad V = \frac{\alpha\, \sigma^2}{h\, (2 - \alpha h)}
$$

A constant $\alpha$ stops there, however long you train. With $h = \sigma = 1$ and $\alpha = 0.1$, $\theta$
stays 0.23 away in the root mean square; with $\alpha = 0.01$, 0.07. Momentum does not lower that floor:
$\alpha = 0.01$ with $\mu = 0.9$ acts like $\alpha = 0.1$, and ends at 0.22.

The rate has to fall. Robbins and Monro ask for two things: $\sum \alpha_t = \infty$, so that any distance
can be gone, and $\sum \alpha_t^2 < \infty$, so that the variance added in all is finite.

One such rate is $\alpha_t = 1 / (h t)$. The rule becomes
$t\, \theta_t = (t - 1)\, \theta_{t-1} - \xi_t / h$ with the noise $\xi_t$ of step $t$. So
$\theta_t$ is minus the mean of all noise so far, divided by $h$, and $V = \sigma^2 / (h^2 t)$: 0.03 in the
root mean square after 1000 steps, wherever $\theta$ started. No unbiased estimate from $t$ such gradients
has less variance, if the noise is Gaussian.

## How others write it

- **torch** and **optax** multiply the whole velocity by $\alpha$, as here. Sutskever and **Keras** put it
  inside, $b_t = \mu\, b_{t-1} - \alpha\, g_t$, and add $b_t$ to $\theta$. That is the same until $\alpha$
  changes. Divide $\alpha$ by ten after a long slope, $\mu = 0.9$: here the next step is a tenth as long.
  Inside it is 0.91 as long, and the weights coast for as far as 81 of the new steps.
- **Weight decay.** In `torch.optim.SGD` it is part of the gradient; a number is decoupled here. Without
  momentum that is the same. With $\mu = 0.9$, $\alpha = 0.1$, $\lambda = 0.01$ and no other gradient, 1000
  steps leave 0.37 of a weight when decay is decoupled, and 0.00002 when it goes through the velocity.
- **Dampening.** $\tau = \mu$ makes $b$ an average instead of a sum. The first gradient enters whole, as in
  torch: with 0.9 for both, after ten steps it still has a weight of 0.39, and the newest has 0.1.
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

__all__ = ["SGD"]


class SGD(GenericAdaptiveOptimizer):
    r"""Gradient descent, heavy ball and Nesterov's momentum.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$, the part of the velocity that a step keeps
    - `dampening`: $\tau$ in $[0, 1)$, the part of a gradient that does not enter the velocity
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](weight_decay.py#WeightDecay) (torch's `SGD` means decay in the gradient instead)
    - `nesterov`: whether the gradient counts as that of the point ahead; needs `momentum` and no
      `dampening`
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](base.py#RunOptions)

    State: one tensor of the parameter's shape with momentum, none without.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Robbins and Monro (1951), Polyak (1964), Sutskever et al. (2013).
    """

    beta_count = 0
    has_eps = False
    momentum_state = "momentum_buffer"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: WeightDecay | float = 0.0,
        nesterov: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        super().__init__(
            params, own | dict(defaults or {}), lr, weight_decay=weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        momentum, dampening = group["momentum"], group["dampening"]
        require_number("momentum", momentum, below=1.0)
        require_number("dampening", dampening, below=1.0)
        require_flag("nesterov", group["nesterov"])
        if group["nesterov"] and (float(momentum) == 0 or float(dampening) != 0):
            raise ValueError(
                "nesterov must be False unless momentum > 0 and dampening = 0, got True with "
                f"momentum={float(momentum):g} and dampening={float(dampening):g}"
            )

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the velocity at zero, if there is momentum."""
        if not is_zero(group["momentum"]):
            state["momentum_buffer"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Return the share of the gradient that enters the velocity: all of the first one."""
        return {"share": 1.0 if step == 1 else 1 - group["dampening"]}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        direction = grad = self.weight_decay(param, grad, group)
        if not is_zero(group["momentum"]):
            # $b_t = \mu\, b_{t-1} + (1 - \tau)\, g_t$
            fresh = grad if is_zero(group["dampening"]) else grad.mul(group["share"])
            velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(fresh)
            direction = velocity
            # $g_t + \mu\, b_t$
            if group["nesterov"]:
                direction = velocity.mul(group["momentum"]).add_(grad)
        # $\theta_t = \theta_{t-1} - \alpha \cdot \text{direction}$
        param.add_(direction, alpha=-group["lr"])


# ## Choosing the numbers
#
# - `momentum=0.9`, and 0.1 for `lr` with batches of 256, are those of the residual networks (He et al.,
#   2016, arXiv 1512.03385). There is no reason why 0.1 should suit another model: try powers of three.
# - What acts in the long run is $\alpha / (1 - \mu)$. If you go from $\mu = 0.9$ to 0.99, divide $\alpha$
#   by ten.
# - If the batch gets $k$ times larger, multiply $\alpha$ by $k$, and start with a warm-up (Goyal et al.,
#   2017, arXiv 1706.02677). The rule ends where noise is no longer what limits $\alpha$.
# - Let $\alpha$ fall towards the end: at a constant one, noise keeps the weights away.
# - `nesterov=True` needs no more memory, and damps steep directions more. With $\mu = 0.9$ it bears about
#   a third of the heavy ball's largest $\alpha$.
#
# Use something else when one $\alpha$ cannot suit all parameters: rare features ([Adagrad](adagrad.py)),
# transformers ([Adam](adam.py)), gradients whose size tells nothing ([Signum](signum.py)).
#
# ## Traps
#
# - **The number of torch's weight decay is coupled.** Write `WeightDecay(1e-4, weight_decouple=False)` for
#   it.
# - **A bad batch acts for long.** With $\mu = 0.9$ it pushes ten times in all. Clip gradients before the
#   step.
# - **A tuned heavy ball may never arrive.** Its rate is derived for quadratics. Exercise 2 has a convex
#   loss on which it runs in a circle.
# - **Momentum that begins late.** Where a schedule raises $\mu$ from 0, the velocity is made at the first step with
#   $\mu > 0$, as in torch. With dampening that step is damped like the others; in torch its gradient enters whole.
#   Where $\mu$ has been 0 for a while, the velocity from before waits, and acts again.
# - **torch's checkpoints of SGD count no steps.** When one is loaded, each velocity counts as having made
#   its first, undamped step.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), $\mu = 0.9$. The search chose $\alpha = 0.1$, and 0.03 is
# as good: held-out losses of 0.0453 and 0.0455. At 0.01 the loss is 45 % higher. At 0.3, one point up, it
# is 2.6 million on average over the steps 15 to 28, and nothing is learned after that. So the chosen point
# is the last before a cliff. The seeds show it: 99.09, 98.83 and 99.22 %. [AdamW](adamw.py) with 99.30 to
# 99.40 % is above all three.
#
# Seed 1 lost its start. Over the steps 2 to 16 its mean loss is 2.30, that of a network that knows nothing;
# seed 2 has 1.81. Its first update is 0.120 long, $\alpha$ times the gradient. That of step 16 is 0.979
# long, 14 times $\alpha$ times the gradient of that step: the velocity still holds longer ones. Later the
# ratio settles. Up to step 938 its median is 2.4. Independent gradients of one size would give
# $1 / \sqrt{1 - \mu^2} = 2.3$, and agreeing ones 10: these steps mostly add up noise.
#
# ## Exercises
#
# **1.** The loss of a sample $x$ is $\frac{1}{2}(\theta - x)^2$. Show that SGD with $\alpha_t = 1 / t$
# computes the mean of all samples so far.
#
# ::: solution
# $\theta_t = \theta_{t-1} - (\theta_{t-1} - x_t) / t$, so $t\, \theta_t = (t - 1)\, \theta_{t-1} + x_t$,
# and $t\, \theta_t$ is the sum of the samples.
#
# ```python
# import torch
# from labml_nn_optim import SGD
#
# samples = torch.randn(50, dtype=torch.float64)
# theta = torch.nn.Parameter(torch.tensor(7.0, dtype=torch.float64))
# optimizer = SGD([theta])
# for t, sample in enumerate(samples, start=1):
#     optimizer.param_groups[0]["lr"] = 1 / t
#     theta.grad = theta.detach() - sample
#     optimizer.step()
# torch.testing.assert_close(theta.detach(), samples.mean())
# ```
# :::
#
# **2.** A convex function has the slope $25\, \theta$ up to 1, $\theta + 24$ from there to 2, and
# $25\, \theta - 24$ beyond (Lessard, Recht and Packard, 2016, arXiv 1408.3595). Its curvature lies between
# 1 and 25. Run the tuned heavy ball from 3.3, and gradient descent.
#
# ::: solution
# $\kappa = 25$ gives $\alpha = (2 / 6)^2 = 1/9$ and $\mu = (4 / 6)^2 = 4/9$. The heavy ball ends in a
# circle of three points, 2.12, 0.65 and -1.80. Gradient descent with $\alpha = 1/25$ arrives.
#
# ```python
# import torch
# from labml_nn_optim import SGD
#
#
# def run(**arguments):
#     theta = torch.nn.Parameter(torch.tensor(3.3, dtype=torch.float64))
#     optimizer = SGD([theta], **arguments)
#     places = []
#     for _ in range(300):
#         x = theta.detach()
#         theta.grad = torch.where(x < 1, 25 * x, torch.where(x < 2, x + 24, 25 * x - 24))
#         optimizer.step()
#         places.append(round(theta.item(), 2))
#     return places
#
#
# assert sorted(run(lr=1 / 9, momentum=4 / 9)[-3:]) == [-1.8, 0.65, 2.12]
# assert run(lr=1 / 25)[-1] == 0
# ```
# :::
#
# **3.** The gradient is 1 in the first step, and 0 ever after. How far does the weight travel with
# $\mu = 0.9$, by the heavy ball and in Nesterov's form? Which of them is ahead after the first step?
#
# ::: solution
# By the heavy ball $\alpha\, (1 + 0.9 + 0.81 + \dots) = 10\, \alpha$. In Nesterov's form the steps are
# $1.9\, \alpha$, $0.81\, \alpha$, $0.729\, \alpha$, …, again $10\, \alpha$ in all. After each step it
# stands where the ball stands one step later.
# :::

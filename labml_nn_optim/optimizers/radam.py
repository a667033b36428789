r"""
---
title: RAdam
summary: RAdam shortens Adam's first steps by itself, the more so the fewer gradients the second moment has seen.
paper:
  title: On the Variance of the Adaptive Learning Rate and Beyond
  authors: Liyuan Liu, Haoming Jiang, Pengcheng He, Weizhu Chen, Xiaodong Liu, Jianfeng Gao, Jiawei Han
  year: 2020
  arxiv: "1908.03265"
  venue: ICLR
chapter: "3.4"
needs: [optimizers/adam]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \beta_1: beta1
  \beta_2: beta2
  \rho_\infty: rho_inf
  \rho_t: rho
verified_against:
  implementation: torch.optim.RAdam 2.14.1
  difference: 3e-16 over 200 noisy steps in float64
---

# Adam is boldest when it knows least

Let the gradients be pure noise, $g \sim \mathcal N(0, 1)$. There is nothing to learn, and a step should be
short. 100 000 such runs of Adam with the default `betas` give:

| step | root mean square of the step, in $\alpha$ | 99th percentile of $1 / \sqrt{\hat v}$, in medians |
|---:|---:|---:|
| 1 | 1.00 | 55 |
| 2 | 0.71 | 8.2 |
| 4 | 0.50 | 3.4 |
| 6 | 0.41 | 2.4 |
| 30 | 0.24 | 1.4 |
| 1000 | 0.23 | 1.06 |

The first step is $\alpha$ long for every parameter, noise or not. It takes some thirty steps until the
averages have settled.
The last column is the paper's explanation. $\psi_t = 1 / \sqrt{\hat v_t}$ is the factor by which Adam
multiplies a gradient, and with few gradients it is a matter of luck. A parameter whose first gradients
happen to be small gets a factor many times too large, and keeps it for the next ones, which are not
small.

People tame this with a warm-up of the learning rate, whose length is one more number to tune.
RAdam computes a warm-up from the spread of $\psi$.

## How many gradients has $v$ seen?

$v_t$ is an average with weights that decay. A plain average of $\rho$ gradients would be easier to
reason about, so ask which $\rho$ has the same mean age.

A plain average of $\rho$ gradients has ages $0, 1, \dots, \rho - 1$, and their mean is
$(\rho - 1) / 2$.
The decaying average, with its weights made to sum to 1, has

$$
\frac{1 - \beta_2}{1 - \beta_2^t} \sum_{i=0}^{t-1} i\, \beta_2^i
= \frac{\beta_2}{1 - \beta_2} - \frac{t\, \beta_2^t}{1 - \beta_2^t}
$$

Set them equal and solve for $\rho$:

$$
\rho_t = \rho_\infty - \frac{2 t\, \beta_2^t}{1 - \beta_2^t},
\qquad \rho_\infty = \frac{2}{1 - \beta_2} - 1
$$

For $\beta_2 = 0.999$, $\rho_\infty = 1999$. In the first steps $\rho_t$ is close to $t$.

## The variance of the step

Now treat $\hat v_t$ as the plain average of $\rho$ squares of Gaussian noise of variance $\sigma^2$.
Then $\rho\, \hat v_t / \sigma^2$ is chi-squared with $\rho$ degrees of freedom, and
$\psi^2 = 1 / \hat v_t$ is scaled inverse chi-squared, whose moments are known:

$$
\mathbb E[\psi^2] = \frac{\rho}{(\rho - 2)\, \sigma^2},
\qquad
\operatorname{Var}[\psi^2] = \frac{2 \rho^2}{(\rho - 2)^2 (\rho - 4)\, \sigma^4}
$$

The second exists for $\rho > 4$ only.
(The variance of $\psi$ itself exists for $\rho > 2$. RAdam goes by way of $\psi^2$, and takes over its
condition.)

For the root use the first-order rule $\operatorname{Var}[\psi^2] \approx 4\, \mathbb E[\psi^2]
\operatorname{Var}[\psi]$:

$$
\operatorname{Var}[\psi] \approx \frac{\operatorname{Var}[\psi^2]}{4\, \mathbb E[\psi^2]}
= \frac{\rho}{2 (\rho - 2)(\rho - 4)\, \sigma^2}
$$

The rule is rough where it matters most: at $\rho = 6$ it gives a standard deviation of 0.61, and the true
one is 0.42. At $\rho = 30$ it is 0.144 against 0.138.

The variance falls as $\rho$ grows, and is smallest at $\rho_\infty$.
Multiply $\psi_t$ by the factor $r_t$ that brings its variance down to that smallest value,
$r_t^2 \operatorname{Var}[\psi]_{\rho_t} = \operatorname{Var}[\psi]_{\rho_\infty}$, and $\sigma$ drops
out:

$$
r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\, \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\, \rho_t}}
$$

## The update rule

While $\rho_t \le 5$ the formula for $r_t$ cannot be used, and the step is momentum alone:

$$
\theta_t = \theta_{t-1} - \alpha \cdot
\begin{cases}
\hat m_t & \rho_t \le 5 \\[4pt]
r_t\, \hat m_t\, \dfrac{\sqrt{1 - \beta_2^t}}{\sqrt{v_t} + \varepsilon} & \rho_t > 5
\end{cases}
$$

with $\hat m_t = m_t / (1 - \beta_1^t)$ and $v_t$ as in [Adam](adam.py).
With the default $\beta_2 = 0.999$ the first five steps are of the first kind. Then
$r_6 = 0.026$, $r_{100} = 0.215$, $r_{1000} = 0.645$, and 0.99 is passed at step 5654.
With $\beta_2 = 0.99$ the five steps of momentum stay, and $r_t$ rises ten times faster: it passes 0.99 at
step 567. For $\beta_2 \le 2/3$, $\rho_\infty \le 5$, and RAdam is momentum for the whole run.

Where the code bases differ:

- **The threshold.** The paper switches at $\rho_t > 4$, torch and the authors' code at 5, as a margin for
  the approximation. With the usual $\beta_2$ that is step 5 or step 6.
- **$\varepsilon$** is added to the uncorrected $\sqrt{v_t}$ in torch, and here unless
  `optimized_update=False`. [Adam](adam.py) adds it to the corrected one.
- **The first steps.** `degenerated_to_sgd=False` leaves them out, the default of some packages. Then only
  weight decay moves the parameters.
- **Decay.** A number is decoupled here, and decay in the gradient in `torch.optim.RAdam`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_flag
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["RAdam"]


class RAdam(Adam):
    r"""Adam with a rectified step.

    - `optimized_update`: whether $\varepsilon$ is added to the uncorrected $\sqrt{v_t}$, as in torch
    - `degenerated_to_sgd`: whether the first steps, without a usable second moment, are steps of
      momentum; otherwise nothing but weight decay moves the parameters
    - all others: as in [Adam](optimizers/adam#Adam)

    State: two tensors of the parameter's shape.
    Liu et al. (2019), algorithm 2, with the threshold 5.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = True,
        degenerated_to_sgd: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"degenerated_to_sgd": degenerated_to_sgd} | dict(defaults or {})
        super().__init__(
            params, lr, betas, eps, weight_decay, optimized_update, defaults=own, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_flag("degenerated_to_sgd", group["degenerated_to_sgd"])

    @staticmethod
    def calc_rectification_term(beta2: float, step: int) -> float | None:
        r"""Return $r_t$ for step `step`, or `None` while $\rho_t \le 5$."""
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / (1 - beta2**step)
        if rho <= 5:
            return None
        return math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Write both cases as one formula, so that a compiled rule has no branch.

        Divide by $s \sqrt{v_t} + e$: with the slope $s = 1$ and $e = \varepsilon$ that is the adaptive
        step, with $s = 0$ and $e = 1$ it is the step of momentum.
        """
        beta1, beta2 = group["betas"]
        adaptive = super().scalars(group, step) | {"slope": 1.0}
        rectification = self.calc_rectification_term(beta2, step)
        if rectification is not None:
            return adaptive | {"step_size": rectification * adaptive["step_size"]}
        plain = group["lr"] / (1 - beta1**step) if group["degenerated_to_sgd"] else 0.0
        return {"step_size": plain, "eps_hat": 1.0, "slope": 0.0}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $s \sqrt{v_t} + e$
        denominator = exp_avg_sq.sqrt().mul_(group["slope"]).add_(group["eps_hat"])
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])


# ## Choosing, and when not to
#
# - If you use a warm-up already, RAdam adds little: your warm-up keeps the first steps short. Its use is
#   that there is one number less to choose.
# - $r_t$ is a statement about Gaussian noise around zero. A gradient with a strong mean is less
#   uncertain than it assumes, and RAdam is then slower than need be.
# - For $\beta_2 = 0.95$, as in language models, $\rho_\infty = 39$, and the warm-up is over after some
#   hundred steps; such runs use an explicit warm-up of thousands.
# - A fixed linear warm-up over $2 / (1 - \beta_2)$ steps behaves much the same (Ma and Yarats, 2019,
#   arXiv 1910.04209).
#
# ## Traps
#
# - The first five steps of momentum are $\alpha \hat m_t$ long: their length scales with the gradient.
#   A learning rate that is right for Adam can be far too large there when gradients are large. Clip
#   them, or set `degenerated_to_sgd=False`.
# - `step` counts for each parameter. One that first gets a gradient late in training warms up then.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.01$, where Adam learns
# nothing. At 0.03 the held-out loss is 20 % higher, at 0.003 39 %, and no rate up to 0.03 failed. Adam's
# best is 0.003, one point before its cliff. The accuracies are 99.37, 99.32 and 99.40 %; AdamW has 99.30
# to 99.40 %, Adam 99.39 to 99.44 %, SGD with momentum 98.83 to 99.22 %. RAdam ends about where Adam does,
# and bears more.
#
# The start shows why. The first update of seed 0 is 0.0107 long, $\alpha$ times the gradient. With this
# $\alpha$ Adam's would be 6.1 long, and the weights are 13.9. In step 16, at $r_t = 0.07$, the update is
# $22\, \alpha$ long, and Adam's $144\, \alpha$. The price is a slow start: the mean loss of the steps 2 to
# 16 is 2.1, Adam's 1.2 or 1.3. After one epoch RAdam reads 97.8 to 98.3 %, Adam 98.5 to 98.9 %. Most of
# that is made up for in the third.
#
# ## Exercises
#
# **1.** Show that $\rho_1 = 1$ for every $\beta_2$, and that $r_t \to 1$ for $\beta_2 > 2/3$.
#
# ::: solution
# $\rho_1 = \frac{2}{1 - \beta_2} - 1 - \frac{2 \beta_2}{1 - \beta_2} = 2 - 1 = 1$. For
# $t \to \infty$, $t \beta_2^t \to 0$, so $\rho_t \to \rho_\infty$, and numerator and denominator of
# $r_t$ become equal.
# :::
#
# **2.** In which step does $r_t$ pass one half for $\beta_2 = 0.999$?
#
# ::: solution
# ```python
# from labml_nn_optim import RAdam
#
# step = 6
# while RAdam.calc_rectification_term(0.999, step) <= 0.5:
#     step += 1
# assert step == 556
# ```
# :::
#
# **3.** How long is RAdam's step in step 6 of the table, and in step 1000?
#
# ::: solution
# The length of Adam's step times $r_t$: $0.41 \cdot 0.026 = 0.011\, \alpha$ and
# $0.23 \cdot 0.645 = 0.15\, \alpha$. On noise RAdam's steps grow from short to long, and Adam's shrink
# from long to short.
# :::

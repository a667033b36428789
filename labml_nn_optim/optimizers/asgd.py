r"""
---
title: ASGD
summary: ASGD lets the rate of gradient descent fall slowly, and keeps the average of all weights beside the last ones.
paper:
  - title: Acceleration of Stochastic Approximation by Averaging
    authors: Boris T. Polyak, Anatoli B. Juditsky
    year: 1992
    doi: 10.1137/0330046
    venue: SIAM Journal on Control and Optimization 30 (4)
  - title: Regularizing and Optimizing LSTM Language Models
    authors: Stephen Merity, Nitish Shirish Keskar, Richard Socher
    year: 2017
    arxiv: "1708.02182"
    venue: ICLR
chapter: "8.6"
needs: [optimizers/sgd, averaging]
symbols:
  \theta: param
  g: grad
  \bar\theta: ax
  \eta: rate
  \mu: weight
verified_against:
  implementation: torch.optim.ASGD 2.14.1
  difference: 3e-8 over 100 noisy steps in float64, for torch keeps the rate in float32; 3e-16 with that in float64
---

# Three thousand gradients, and how much they can say

The loss is $\frac12 h \theta^2$, gradients have noise of variance 1, and the start is at 10. Let
[gradient descent](sgd.py) run for 3000 steps. How far from the minimum are the last weights, their average over all
steps, and the average from step 301 on? (Means of $\theta^2$ over 2000 runs. The best possible is
$1 / (3000\, h^2)$, as derived below.)

| $h$ | $\alpha$ | the last | average of all | average from 301 on | the best possible |
|---:|---:|---:|---:|---:|---:|
| 1 | 0.3 | 0.178 | 0.00036 | 0.00038 | 0.00033 |
| 1 | 0.1 | 0.052 | 0.00104 | 0.00037 | 0.00033 |
| 1 | 0.03 | 0.015 | 0.0112 | 0.00037 | 0.00033 |
| 0.1 | 0.3 | 1.53 | 0.043 | 0.037 | 0.033 |
| 0.1 | 0.1 | 0.52 | 0.135 | 0.036 | 0.033 |
| 0.1 | 0.03 | 0.15 | 1.24 | 0.28 | 0.033 |

The last weights depend on $\alpha$. The average hardly does, once the start is left out and the walk has had time to
arrive. It is nearly as good as an estimate from 3000 noisy gradients can be. The last row has not arrived: $\alpha h$
is 0.003, and after 300 steps $e^{-0.9}$ of the way is still there.

## The update rule

$$
\begin{aligned}
\eta_t &= \frac{\alpha}{(1 + \lambda \alpha\, (t - 1))^{p}}, \qquad
\mu_t = \frac{1}{\max(1,\; t - 1 - t_0)} \\
\theta_t &= (1 - \lambda \eta_t)\, \theta_{t-1} - \eta_t\, g_t \\
\bar\theta_t &= \bar\theta_{t-1} + \mu_t\, (\theta_t - \bar\theta_{t-1})
\end{aligned}
$$

As long as $\mu_t = 1$ the average is a copy of the weights. From $\theta_{t_0 + 2}$ on it counts all of them alike.
The gradient is taken at $\theta$; nothing in the run knows of $\bar\theta$.

## Why the rate drops out

Take a constant rate and $\lambda = 0$. A step is $\theta_t = \theta_{t-1} - \eta\, (h\, \theta_{t-1} + \xi_t)$ with
noise $\xi_t$. Solve it for $\theta_{t-1}$ and sum over $n$ steps. The differences cancel:

$$
\frac1n \sum_{t=1}^n \theta_{t-1} = -\frac1h \cdot \frac1n \sum_{t=1}^n \xi_t
\;+\; \frac{\theta_0 - \theta_n}{\eta\, h\, n}
$$

The first term is a mean of $n$ independent numbers, with the variance $\sigma^2 / (h^2 n)$ if that of the noise is
$\sigma^2$. It is the error of an estimate that knew $h$ and averaged the gradients themselves. $\eta$ is not in it.
The square of the second falls like $1 / n^2$. Only there does the rate count, and the start: that is why
$\alpha = 0.03$ is late in the table.

In many dimensions $h$ is the Hessian $H$, and the first term is $-H^{-1}$ times the mean noise. This is Newton's step
from the mean gradient, and nobody has inverted a matrix. Polyak and Juditsky proved
that the average has the least variance that is possible in the long run, for losses that are no bowl too.

Without an average you need to know $h$. Let the rate fall like $c / (t + 10)$ and keep the last weights:

| mean of $\theta^2$ after 3000 steps | $c = 1$ | $c = 3$ | $c = 10$ | average, $\alpha = 0.3$ |
|---|---:|---:|---:|---:|
| $h = 1$ | 0.0014 | 0.00058 | 0.0017 | 0.00036 |
| $h = 0.1$ | 32.3 | 3.40 | 0.034 | 0.043 |

$c = 1 / h$ is right in the long run, when the start is forgotten, and no $c$ is right for both.

## Why the rate falls at all, and how fast

In a bowl it need not. Elsewhere a wide walk is pulled to the flatter side in proportion to its variance, and that is
in proportion to $\eta$. If the rate falls like $t^{-p}$, so does this bias, and it is less than the noise of the
average, $n^{-1/2}$, if $p > \frac12$.

It must not fall too fast, either. The second term above is now about
$\theta_n / (\eta_n\, n)$. $\theta_n$ shrinks like $\sqrt{\eta_n} = n^{-p/2}$, which makes $n^{p/2 - 1}$, and that is
less than $n^{-1/2}$ if $p < 1$. So $p$ lies between $\frac12$ and 1. The default is $\frac34$.

## Nothing is averaged unless you say so

$t_0$ is $10^6$ by default. In a run of fewer steps $\mu = 1$ throughout: the average is a copy of the last
weights, and takes a tensor of memory for it. And $\lambda = 10^{-4}$ with $\alpha = 0.01$ is slow: the rate has
fallen by 0.7 % after ten thousand steps and by 41 % after a million. With its defaults ASGD is SGD for most runs,
with a decay of $10^{-4}$.

**$\lambda$ is two things.** It sets how fast the rate falls, and it decays the weights. You cannot have one without
the other. Let the minimum be at 1, $\alpha = 0.3$, and 3000 steps with $t_0 = 1000$:

| $\lambda$ | $\eta$ at the end | mean of $\bar\theta$, $h = 1$ | mean of $\bar\theta$, $h = 0.1$ |
|---:|---:|---:|---:|
| 0 | 0.3 | 1.00 | 0.99 |
| 0.01 | 0.053 | 0.99 | 0.90 |
| 0.1 | 0.010 | 0.91 | 0.50 |
| 1 | 0.0018 | 0.50 | 0.09 |

The walk ends where $h\, (\theta - 1) + \lambda \theta = 0$, at $h / (h + \lambda)$. A rate that falls noticeably in a
run of some thousand steps costs a bias that no average removes. Set $\lambda = 0$, and let a
[schedule](../schedules/power.py) lower the rate.

## Conventions

- **torch** stores $\eta$ and $\mu$ for the next step. A schedule that writes `lr` is therefore heard one step late:
  where ours makes steps of 1, 1, 0.1, 0.1, torch's are 1, 1, 1, 0.1. The names `lambd`, `alpha`, `t0`, `eta`, `mu`
  and `ax` are torch's, so that checkpoints load either way.
- **`alpha`** is the power $p$ here, as in torch. Everywhere else in this course $\alpha$ is the learning rate, `lr`.
- **Decay.** `weight_decay` is one more, beside $\lambda$: torch's in the gradient, ours
  [decoupled](../weight_decay.py) and times $\eta_t$. With $\lambda = 0$ these are the same, since the step is
  linear in the gradient.

## What others have found

Merity et al. (2017) trained LSTM language models to perplexities of 57.3 on Penn Treebank and 65.8 on WikiText-2,
with averaged SGD and several regularizers. Their public program starts with SGD. When the validation loss is worse
than the best of all but the last five epochs, it makes `torch.optim.ASGD(..., t0=0, lambd=0.)` anew, and puts `ax`
into the model for each evaluation. So the start of averaging is measured, and the rate is constant.

Xu (2011, arXiv 1107.2490) found for linear classifiers that an average needs a huge number of samples until it pays,
unless the learning rate is chosen for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ASGD"]


class ASGD(GenericAdaptiveOptimizer):
    r"""Gradient descent with a falling rate, and the average of its weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$ of the first step, a number or a tensor of one element
    - `lambd`: $\lambda$, how fast the rate falls, and a decay of the weights times the rate
    - `alpha`: $p$, the power with which it falls
    - `t0`: $t_0$, the step after which weights are averaged
    - `weight_decay`: a number, decoupled and times the rate of the step, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: one tensor of the parameter's shape, the average `ax`, and two numbers.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Polyak and Juditsky (1992), in the form of `torch.optim.ASGD`.
    """

    beta_count = 0
    has_eps = False
    scalar_state = ("eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"lambd": lambd, "alpha": alpha, "t0": t0} | dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        for name in ("lambd", "alpha", "t0"):
            require_number(name, group[name])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start with an average that the first step replaces."""
        state["eta"] = torch.zeros((), dtype=torch.float64)
        state["mu"] = torch.ones((), dtype=torch.float64)
        state["ax"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the rate and the weight of this step, and those of the next, which torch stores.

        The rate takes the place of $\alpha$, so that a decay of the weights falls with it.
        """
        # $\eta_t = \alpha / (1 + \lambda \alpha\, (t - 1))^p$ and $\mu_t = 1 / \max(1, t - 1 - t_0)$
        rate, weight = self._numbers(group, step)
        eta, mu = self._numbers(group, step + 1)
        shrink = 1 - group["lambd"] * rate
        return {"lr": rate, "weight": weight, "shrink": shrink, "eta": eta, "mu": mu}

    @staticmethod
    def _numbers(group: Mapping[str, Any], step: int) -> tuple[float, float]:
        lr = group["lr"]
        eta = lr / (1 + group["lambd"] * lr * (step - 1)) ** group["alpha"]
        return eta, 1 / max(1, step - 1 - group["t0"])

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        grad = self.weight_decay(param, grad, group)
        # $\theta_t = (1 - \lambda \eta_t)\, \theta_{t-1} - \eta_t\, g_t$
        param.mul_(group["shrink"]).sub_(grad.mul(group["lr"]))
        # $\bar\theta_t = \bar\theta_{t-1} + \mu_t\, (\theta_t - \bar\theta_{t-1})$
        state["ax"].lerp_(param, group["weight"])


# ## Choosing, and when not to
#
# - `t0`: where the loss has stopped falling fast. A tenth to a half of the run, never the default.
# - `lr`: as high as is stable. The average does not mind the noise, and the walk arrives sooner.
# - `lambd`: 0, unless you want exactly this decay.
#
# An equal average is right where the weights walk around one place for a long time: convex problems, one pass over
# many data. In a network they are still on their way when training ends, and the average lags. There take an average
# that forgets, [EMA](../wrappers/ema.py) around any optimizer, or one that the gradients know of,
# [schedule-free learning](../schedule_free.py). [Averages of weights](../../docs_src/averaging.md) compares
# them with a falling rate.
#
# ## Traps
#
# - **The model does not use the average.** It lies in `optimizer.state[param]["ax"]`. To evaluate with it, exchange:
#
#   ```python
#   held = {param: param.detach().clone() for param in optimizer.state}
#   with torch.no_grad():
#       for param, state in optimizer.state.items():
#           param.copy_(state["ax"])
#   ...                         # evaluate, save
#   with torch.no_grad():
#       for param, weights in held.items():
#           param.copy_(weights)
#   ```
#
#   Parameters that never had a gradient have no state, and no average.
# - **BatchNorm.** Its statistics are those of the last weights. `torch.optim.swa_utils.update_bn` makes those of the
#   average, after the exchange.
# - **Early stopping by the last weights.** They stop getting better while the average still does: 0.178 and 0.178
#   after 300 and 3000 steps of the first row, and 0.0062 and 0.00036 for the average.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), all but $\alpha$ at its default: nothing is averaged, and
# $\lambda$ takes at most 1.6 % off a rate that falls to 0 anyway. This is descent without momentum.
# [Averages of weights](../../docs_src/averaging.md) measures averages.
#
# The search chose $\alpha = 0.3$, as high as is stable: at 1 the run diverges. At 0.1 the held-out loss is 32 %
# higher, at the default of 0.01 five times as high. From 0.001 to 0.3 the losses are within 12 % of those of
# [SGD](sgd.py) with $\mu = 0.9$ at a tenth of the rate, as $1 / (1 - \mu) = 10$ says. But SGD still learns at 0.1,
# which stands for 1.
#
# The accuracies are 99.25, 99.20 and 99.16 %. SGD's 98.83 to 99.22 % overlap, [AdamW](adamw.py)'s 99.30 to 99.40 %
# are higher. After one epoch they are 98.61 to 98.95 % and SGD's 97.37 to 98.21 %, but SGD's rate stands for three
# times as much.
#
# [On CIFAR-10](../../experiments/cifar.py) a tenfold rate stands for momentum at one pair of rates and not at the
# next. The search (one epoch, one seed) chose 0.03; the held-out loss is 4 % higher at 0.1, 17 % at 0.01. At 0.03 it
# is 1.215, that of SGD with momentum at 0.003 is 1.219. But SGD is better still at 0.01, with 1.066, and plain
# descent at 0.1 is worse, with 1.269. The accuracies of three seeds are 69.0, 69.2 and 69.3 %, SGD's at 0.01 75.1 to
# 75.8 %. Plain descent could not use the rate that momentum could.
#
# ## Exercises
#
# **1.** How many of the first weights does the average still hold after 5000 steps with the defaults, and with
# `t0=0`?
#
# ::: solution
# With the defaults none: it is the last point. With `t0=0` all but one, each with a weight of 1 / 4999: step 2 still
# has $\mu_2 = 1$ and replaces $\theta_1$.
#
# ```python
# import torch
# from labml_nn_optim import ASGD
#
# torch.manual_seed(0)
# noise = torch.randn(200, dtype=torch.float64)
#
#
# def run(**arguments):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = ASGD([theta], lr=0.1, **arguments)
#     points = []
#     for xi in noise:
#         theta.grad = theta.detach() + xi
#         optimizer.step()
#         points.append(theta.item())
#     return points, optimizer.state[theta]["ax"].item()
#
#
# points, average = run()
# assert average == points[-1]
# points, average = run(t0=0)
# assert abs(average - sum(points[1:]) / 199) < 1e-12
# ```
# :::
#
# **2.** Check the formula of the first derivation on one run, to rounding.
#
# ::: solution
# The left side is the mean of $\theta_0, \dots, \theta_{n-1}$.
#
# ```python
# import torch
# from labml_nn_optim import ASGD
#
# torch.manual_seed(0)
# h, eta, n = 0.5, 0.2, 1000
# noise = torch.randn(n, dtype=torch.float64)
# theta = torch.nn.Parameter(torch.full((1,), 3.0, dtype=torch.float64))
# optimizer = ASGD([theta], lr=eta, lambd=0.0)
# points = [theta.item()]
# for xi in noise:
#     theta.grad = h * theta.detach() + xi
#     optimizer.step()
#     points.append(theta.item())
# right = -noise.mean().item() / h + (points[0] - points[-1]) / (eta * h * n)
# assert abs(sum(points[:-1]) / n - right) < 1e-12
# ```
# :::
#
# **3.** Which $\lambda$ halves a rate of $\alpha = 0.1$ in a thousand steps, and where does it move the minimum of a
# direction with $h = 0.1$ that lies at 1?
#
# ::: solution
# $(1 + 100\, \lambda)^{3/4} = 2$ gives $\lambda = (2^{4/3} - 1) / 100 = 0.0152$. The walk ends at
# $0.1 / 0.1152 = 0.868$.
# :::

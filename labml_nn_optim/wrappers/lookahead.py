r"""
---
title: Lookahead
summary: Lookahead lets an optimizer run some steps ahead, then moves a second set of weights half of the way and starts from there.
paper:
  title: "Lookahead Optimizer: k steps forward, 1 step back"
  authors: Michael R. Zhang, James Lucas, Geoffrey Hinton, Jimmy Ba
  year: 2019
  arxiv: "1907.08610"
  venue: NeurIPS
chapter: "8.3"
needs: [wrappers/wrapper, optimizers/sgd, averaging]
symbols:
  \theta: param
  \phi: slow
verified_against:
  implementation: pytorch_optimizer.Lookahead 4.1.0 around torch.optim.AdamW and SGD
  difference: 4e-16 over 100 noisy steps in float64
---

# A learning rate that is too large for one direction

Take a bowl with a steep and a flat direction, and [gradient descent](../optimizers/sgd.py) with $\alpha$. What
counts in a direction of curvature $h$ is $\alpha h$: a step multiplies the distance to the minimum by
$1 - \alpha h$. With $\alpha h = 2.1$ that is $-1.1$, so the weights jump across the valley and land higher each
time. After 60 steps they are 300 times as far away.

Now let every fifth step be followed by a step back: go half of the way to where the five steps began.

| $\alpha h$ | quantity | 0.1 | 1 | 1.9 | 2.1 |
|---|---|---:|---:|---:|---:|
| SGD | factor per step | 0.900 | 0 | 0.900 | 1.100 |
| | mean of $\theta^2$ at rest | 0.0526 | 0.0100 | 0.0526 | none |
| Lookahead, $k = 5$ | factor per step | 0.955 | 0.871 | 0.728 | 0.789 |
| | mean of $\phi^2$ at rest | 0.0233 | 0.0033 | 0.0089 | 0.0209 |
| Lookahead, $k = 6$ | factor per step | 0.956 | 0.891 | 0.956 | 1.056 |
| | mean of $\phi^2$ at rest | 0.0228 | 0.0033 | 0.0228 | none |

The rows at rest have noise of variance 1 on the gradient and $\alpha = 0.1$; runs of 20 000 walks agree with
them to 2 %. Two things happen. Where steps do not overshoot, $\alpha h \le 1$, Lookahead is slower and quieter. In
steep directions, where they jump to and fro, it is quieter and *faster*, if $k$ is odd.

## The update rule

The optimizer moves the fast weights $\theta$. After every $k$ of its steps

$$
\phi \leftarrow \phi + a\, (\theta - \phi), \qquad \theta \leftarrow \phi
$$

with $\phi_0 = \theta_0$. The paper calls $a$ by the name $\alpha$, which is the learning rate here. The argument is
`alpha`, as everywhere. What the optimizer has stored, momentum and all, stays as it is.

$a = 1$ is the optimizer alone.

## The eigen-picture

In one direction of a bowl $k$ steps multiply by $\rho^k$, with $\rho = 1 - \alpha h$. A round of Lookahead
multiplies the slow weights by

$$
c = 1 - a + a\, \rho^k
$$

For a flat direction, $0 < \rho < 1$, this is an average of 1 and $\rho^k$. It is closer to 1: slower. For
$\rho < 0$ and odd $k$ the two have different signs and cancel in part. With $\rho = -0.9$ and $k = 5$ it is
$0.5 - 0.295 = 0.205$ for five steps, where SGD has $-0.59$.

A round is stable if $|c| < 1$. For $\rho < -1$ and odd $k$ that means $a\, (1 + |\rho|^k) < 2$, and for $a = 0.5$

$$
|\rho|^k < 3 \quad\Leftrightarrow\quad \alpha h < 1 + 3^{1/k}
$$

which is 2.25 for $k = 5$ instead of 2. For even $k$ the limit stays 2, since five jumps land on the other side
of the valley, and six on the same.

**Noise.** Let the gradient be $h\theta + \sigma\xi$. $k$ steps add the variance
$\alpha^2 \sigma^2 (1 + \rho^2 + \dots + \rho^{2k - 2}) = (1 - \rho^{2k})\, V$, where
$V = \alpha^2 \sigma^2 / (1 - \rho^2)$ is what SGD has [at rest](../../docs_src/averaging.md) for $|\rho| < 1$. The step
back takes $a^2$ of that, and multiplies what was there by $c^2$. At rest the two are in balance:

$$
V_\phi = c^2\, V_\phi + a^2 (1 - \rho^{2k})\, V
\quad\Rightarrow\quad
\frac{V_\phi}{V} = \frac{a^2 (1 - \rho^{2k})}{1 - (1 - a + a \rho^k)^2}
$$

With $a = \frac12$ this is 0.44 for $\rho = 0.9$ and $k = 5$. It is below 1 for every $a < 1$ and $|\rho| < 1$.

## Is it more than a smaller learning rate?

In flat directions, hardly. Ask which rate gives SGD the same speed, and what noise it leaves
($\alpha h = 0.1$):

| $k$, $a$ | factor per step | $V_\phi$ | SGD of the same speed: $V$ |
|---|---:|---:|---:|
| 5, 0.2 | 0.983 | 0.0087 | 0.0085 |
| 5, 0.5 | 0.955 | 0.0233 | 0.0229 |
| 5, 0.8 | 0.924 | 0.0400 | 0.0397 |
| 20, 0.5 | 0.971 | 0.0189 | 0.0145 |
| 50, 0.5 | 0.986 | 0.0176 | 0.0069 |

SGD is a little better in each row, and much better for large $k$. What Lookahead adds is in directions that
oscillate. There are more of them than steep ones: momentum makes flat ones oscillate too. In the bowl without
noise, from a distance of 1, with momentum 0.9, the largest distance in the steps 56 to 65:

| $\alpha h$ | SGD with momentum | Lookahead, $k = 5$ | the same, momentum set to 0 in each round |
|---|---:|---:|---:|
| 0.01 | 0.0185 | 0.0162 | 0.4772 |
| 0.1 | 0.0463 | 0.0008 | 0.0003 |
| 1 | 0.0532 | 0.0051 | 0.2860 |

It damps. Whether to keep the momentum at a step back is a choice: `pullback_momentum` in the authors' code and in
pytorch_optimizer, with `"none"` as default, and here it is always kept. Setting it to 0 costs the speed that momentum
is for. At rest, with the noise and $\alpha$ of the first table and $\alpha h = 0.1$, the mean square is 0.51 for SGD
with momentum, 0.13 for the slow weights, 0.075 if momentum is reset.

## Evidence

The paper's own accuracies (as collected by Papers with Code): CIFAR-10, ResNet-18, 200 epochs, 95.27 % against
95.23 % for SGD and 94.84 % for Adam; ImageNet, ResNet-50, 60 epochs, 75.49 % against 75.15 % for SGD. We have found
no comparison by others that tunes the rates of both sides alike, so we do not know what is left of these small
differences. By the second table, the SGD to compare with has a rate of its own, not that of the fast weights.

## Conventions

- **Where $\phi$ starts.** At the first weights, in the paper's code, in pytorch_optimizer and here. timm starts
  it at the first synchronization, so the first step back does not happen: 0.044 apart after 100 noisy
  steps of AdamW with $\alpha = 0.02$ and $k = 6$.
- **Defaults.** $k = 5$ and $a = 0.8$ in the authors' code, 5 and 0.5 in pytorch_optimizer, 6 and 0.5 in timm. Here
  5 and 0.5: an even $k$ gives away what the first table shows.
- **What is saved.** The authors' `state_dict` is that of the optimizer inside; here $\phi$ and the count are in it.
  [Wrappers](wrapper.py) has the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.wrappers.wrapper import Wrapper

__all__ = ["Lookahead"]


class Lookahead(Wrapper):
    r"""Slow weights that follow those of an optimizer, and call them back every `k` steps.

    - `optimizer`: any `torch.optim.Optimizer`
    - `k`: how many steps it makes between two of the slow weights, at least 1, better odd
    - `alpha`: $a$, how far the slow weights go towards the fast ones, from 0 to 1

    Raises `TypeError` or `ValueError` for an argument of the wrong kind or out of its range.
    Zhang et al. (2019), algorithm 1.
    """

    kept = ("count", "slow")

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        require_count("k", k, minimum=1)
        require_number("alpha", alpha, maximum=1.0)
        super().__init__(optimizer)
        self.k = k
        self.alpha = alpha

    def _start_anew(self) -> None:
        self.count = 0
        self.slow: dict[Tensor, Tensor] = {}

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step with the fast weights, and one with the slow ones if it is the k-th."""
        self._keep_start()
        loss = self.optimizer.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            self.synchronize()
        return loss

    def _keep_start(self) -> None:
        # Not when the wrapper is made: the weights may be loaded after that.
        for param in self.params():
            if param not in self.slow:
                self.slow[param] = param.detach().clone()

    @torch.no_grad()
    def synchronize(self) -> None:
        r"""Move the slow weights, $\phi \leftarrow \phi + a\,(\theta - \phi)$, and set the fast ones to them.

        To be called at the end of training, if that is between two of their steps. The next one comes
        when it would have come.
        """
        for param, slow in self.slow.items():
            slow.lerp_(param, self.alpha)
            param.copy_(slow)

    def applied(self) -> AbstractContextManager[None]:
        """Put the slow weights into the parameters for an evaluation, and bring the fast ones back."""
        return self._exchanged(self.slow)


# ## Choosing, and when not to
#
# - `alpha`: 0.5. With 0.8 less is lost in flat directions, and the limit of stability falls to
#   $\alpha h < 1 + 1.5^{1/5} = 2.08$.
# - `k`: 5. For 20, SGD of the same speed leaves three quarters of the noise.
# - `lr`: larger than without. Flat directions are at most half as fast, so a rate that was right is too small now.
#
# Take it where the rate is at the edge of stability and you would rather not lower it. Leave it where a schedule
# brings the rate to zero anyway: at the end of such a run no noise is left to average. For the
# noise alone an [average of the weights](ema.py) does the same and slows nothing down.
#
# It costs one copy of the weights, in their data type, and every `k` steps one pass over them.
#
# ## Traps
#
# - **Evaluate with the slow weights.** Between two synchronizations the fast ones are in the model, and they are
#   noisier: just before a synchronization their mean square is 0.042 where that of the slow ones is 0.023
#   (first column of the first table). `with optimizer.applied():` puts the slow ones in and brings the fast ones
#   back, and the run does not notice.
# - **The last step.** If $k$ does not divide the number of steps, call
#   [synchronize](#Lookahead.synchronize) at the end. In the middle of a run it is a change of the run.
# - **Schedules count steps of the optimizer**, not rounds.
# - **A [schedule-free](../schedule_free.py) optimizer inside.** The step back moves $y$ by some $d$ and leaves $z$.
#   Then the average $x = y + (1 - 1/\beta)(z - y)$ jumps by $d / \beta$. Do not combine the two.
# - **Weights that are set by hand**, by clamping or a re-initialization, come back in part from $\phi$. So
#   load weights before the first step, not after.
#
# ## Exercises
#
# **1.** For which $a$ and $k$ does a round of Lookahead reach the minimum of a bowl with $\alpha h = 1.5$ at once?
#
# ::: solution
# $c = 1 - a + a \rho^k = 0$ means $a = 1 / (1 - \rho^k)$ with $\rho = -0.5$. For $k = 1$ that is $a = 2/3$, for
# $k = 3$ it is $8/9$. For even $k$ it would have to be above 1.
#
# ```python
# import torch
# from labml_nn_optim import SGD, Lookahead
#
# for k, alpha in ((1, 2 / 3), (3, 8 / 9)):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
#     optimizer = Lookahead(SGD([theta], lr=1.5), k=k, alpha=alpha)
#     for _ in range(k):
#         theta.grad = theta.detach().clone()
#         optimizer.step()
#     assert theta.abs() < 1e-15
# ```
# :::
#
# **2.** Show that $V_\phi < V$ for $0 < a < 1$ and $|\rho| < 1$.
#
# ::: solution
# Let $r = \rho^k$. $1 - (1 - a + a r)^2 - a^2 (1 - r^2) = 2a (1 - r) - a^2 (1 - r)^2 - a^2 (1 - r)(1 + r)$, and that
# is $(1 - r)(2a - a^2 (1 - r) - a^2 (1 + r)) = 2a\,(1 - r)(1 - a)$, which is positive. So the denominator is
# larger than the numerator.
# :::
#
# **3.** Lookahead around an optimizer is put into an [EMA](ema.py). Which weights does the EMA average, and what
# changes when it is the other way round?
#
# ::: solution
# `EMA(Lookahead(...))` averages what is in the model after the whole step. Every fifth time these are slow
# weights. In `Lookahead(EMA(...))` the EMA is told of the fast weights before they are called back, and its
# average holds points that training has left. Put the EMA outside.
# :::

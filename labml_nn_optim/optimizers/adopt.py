r"""
---
title: ADOPT
summary: ADOPT divides a gradient by the second moment of those before it, so that the divisor knows nothing of what it divides.
paper:
  title: "ADOPT: Modified Adam Can Converge with Any β2 with the Optimal Rate"
  authors: Shohei Taniguchi, Keno Harada, Gouki Minegishi, Yuta Oshima, Seong Cheol Jeong, Go Nagahara, Tomoshi Iiyama, Masahiro Suzuki, Yusuke Iwasawa, Yutaka Matsuo
  year: 2024
  arxiv: "2411.02853"
  venue: NeurIPS
chapter: "3.7"
needs: [optimizers/adam, optimizers/amsgrad]
symbols:
  \theta: param
  g: grad
  n: normed
  m: exp_avg
  v: exp_avg_sq
  b_t: bound
  c: clip_exponent
verified_against:
  implementation: timm.optim.Adopt 1.0.31 with clip_exp=0.25
  difference: 4e-16 over 100 noisy steps in float64
---

# Adam divides a large gradient by itself

[AMSGrad](amsgrad.py) begins with a problem on which Adam walks the wrong way: one gradient of 1010, then a
hundred of $-10$, again and again. Let both optimizers run on it without momentum, with $\beta_2 = 0.99$,
until rounds repeat. What do the gradients count, in steps of $\alpha$? (The bound that ADOPT has, too, is
left out here, and comes below.)

| | 1010 is divided by | and counts | the hundred $-10$ count | together |
|---|---:|---:|---:|---:|
| Adam | 127 | 8.0 | $-10.2$ | $-2.3$ |
| ADOPT | 77 | 13.1 | $-10.2$ | $+2.9$ |

Adam puts the 1010 into $v_t$ and then divides it by $\sqrt{v_t}$. That cuts down large gradients and no
others, and the hundred small ones win. ADOPT divides by the $v_{t-1}$ of the gradients before.

A positive sum moves to the left, where the best point is. With $\beta_2 = 0.9$ Adam's sum is $-44$, and
ADOPT's $+53$.

AMSGrad mends the problem from the other end: it never lets $v$ fall again. That is slow. When the large
gradient comes last in each round, AMSGrad stands at 0.77 after 200 rounds, and the best point is $-1$.

## What dividing by the past repairs

Let the gradient of a step be random, with the mean $\bar g$ that we would like to follow, and think of
momentum later. Adam's step is, up to a constant,

$$
\frac{g_t}{\sqrt{v_t}} = \frac{g_t}{\sqrt{\beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2}}
$$

As a function of $g_t$ this is an S-curve: a straight line for small gradients, and never more than
$1 / \sqrt{1 - \beta_2}$. The mean of an S-curve is not the S-curve of the mean. If rare large values make up
$\bar g$, it can have the other sign.

For $\beta_2 = 0$ nothing is left but the sign of $g_t$, and the mean is the majority's vote.

Divide by $\sqrt{v_{t-1}}$, and the divisor is a known number before $g_t$ is drawn:

$$
\mathbb E \left[ \frac{g_t}{\sqrt{v_{t-1}}} \,\middle|\, g_1, \dots, g_{t-1} \right]
= \frac{\bar g}{\sqrt{v_{t-1}}}
$$

The mean step has the sign of $\bar g$ for every $\beta_2$. That is what the paper's theorem rests on:
for a smooth loss and gradients of bounded second moment ADOPT converges at the optimal rate
$O(1 / \sqrt T)$ with any $\beta_2$. Adam needs a $\beta_2$ that is close enough to 1 for the problem.

Momentum has to come after the division. An average $m_t$ holds $g_{t-1}$, which is in $v_{t-1}$: divide $m_t$
by its root, and the two are dependent again.

The diagnosis is older: AdaShift (Zhou et al. 2019, arXiv 1810.00143) divides by a $v$ of some steps ago.

## The update rule

$$
\begin{aligned}
v_1 &= g_1^2, \qquad m_1 = 0, \qquad \theta_1 = \theta_0 \\
n_t &= \operatorname{clip}\left( \frac{g_t}{\max(\sqrt{v_{t-1}},\, \varepsilon)},\; -b_t,\; b_t \right),
\qquad b_t = (t - 1)^c, \quad c = \tfrac{1}{4} \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, n_t \\
\theta_t &= \theta_{t-1} - \alpha\, m_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2
\end{aligned}
$$

for $t = 2, 3, \dots$ The first step has no past to divide by. It only looks.

No average is corrected. $v$ needs no correction, as it starts at the first square: its weights sum to 1.
$m$ starts at zero, so for a constant gradient the steps are 0, 0.1, 0.19, 0.27 $\alpha$ long: a warm-up
over some twenty steps.

## Why there is a bound, and what it costs

The divisor may be tiny by chance. A weight whose first gradient is zero has $v_1 = 0$, so its next one is
divided by $\varepsilon = 10^{-6}$. Let its gradients be $10^{-3}$ from there on. Without a bound, steps 2 and
3 are $100\,\alpha$ long each. In [Adam's experiment](adam.py) 13 to 16 % of the first gradients are exactly zero.

The authors added the bound 17 days after the paper, when runs turned out to be unstable at the start. With it,
steps 2 and 3 are 0.1 and $0.21\,\alpha$ long, and no step is longer than $b_t\, \alpha$: $5.6\,\alpha$ in
step 1000.

A bound is an S-curve again. On the problem above, with $\beta_1 = 0.9$, $\beta_2 = 0.99$,
$\alpha_t = 0.5 / \sqrt t$ and the large gradient first, they stand here:

| after round | Adam | AMSGrad | ADOPT, no bound | ADOPT |
|---:|---:|---:|---:|---:|
| 10 | $-0.29$ | $-0.81$ | $-0.11$ | 0.55 |
| 100 | 0.96 | $-0.90$ | $-0.97$ | 1.00 |
| 200 | 1.00 | $-0.94$ | $-0.98$ | 0.66 |
| 500 | 1.00 | $-0.99$ | $-0.98$ | $-0.98$ |

ADOPT as it is used goes the wrong way for 107 rounds. Then $b_t$ passes 10.2, which is what the hundred small
gradients count, and it turns round. The bound grows without limit, so the promise is kept for any $\beta_2$ in
the end. For $\beta_2 = 0.9$ the hundred count 46.5, and $b_t$ passes that after $46.5^4$ steps, or 46 000 rounds.

## Conventions

- **The bound.** The authors' code counts steps from 0, so its `step**0.25` is $(t - 1)^{1/4}$. timm has the
  exponent 0.333: after 100 noisy steps with $\alpha = 0.02$ it is 0.31 from here. pytorch_optimizer has
  $t^{1/4}$: 0.009.
- **$\varepsilon$** is the smallest divisor, not added to it.
- **Decay in step 1.** Decoupled decay waits for the second step in the authors' code, in timm and here.
  pytorch_optimizer decays at once. Decay in the gradient is in $v_1$ everywhere.
- **Defaults** are the authors': $\beta_2 = 0.9999$ and $\varepsilon = 10^{-6}$, unlike Adam's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ADOPT"]


class ADOPT(GenericAdaptiveOptimizer):
    r"""Momentum of gradients that are divided by the second moment of earlier ones.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, the smallest divisor; with 0 a gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](weight_decay.py#WeightDecay) (the authors' default is decay in the gradient)
    - `clip_exponent`: $c \ge 0$, by which the bound $(t - 1)^c$ of a divided gradient grows, or `None`
      for no bound
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](base.py#RunOptions)

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Taniguchi et al. (2024), with the bound of the authors' code.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.9999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 0.0,
        clip_exponent: float | None = 0.25,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"clip_exponent": clip_exponent} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["clip_exponent"] is not None:
            require_number("clip_exponent", group["clip_exponent"])

    def init_state(
        self,
        state: dict[str, Any],
        group: Mapping[str, Any],
        param: Tensor,
    ) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Make the first step one that only looks.

        With a bound of 0 and a rate of 0 neither momentum nor weights move in it, and without memory
        $v_1 = 0 \cdot v_0 + 1 \cdot g_1^2$. So the rule below has no branch. The bound of 0 also
        turns $g_1 / \varepsilon$ into 0 where it overflows; a factor of 0 would give NaN.
        """
        if step == 1:
            return {"lr": 0.0, "memory": 0.0, "bound": 0.0}
        exponent = group["clip_exponent"]
        return {
            "lr": group["lr"],
            "memory": group["betas"][1],
            "bound": math.inf if exponent is None else (step - 1) ** exponent,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $n_t = g_t / \max(\sqrt{v_{t-1}}, \varepsilon)$, between $-b_t$ and $b_t$
        normed = grad.div(exp_avg_sq.sqrt().clamp_min_(group["eps"]))
        normed.clamp_min_(-group["bound"]).clamp_max_(group["bound"])
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, n_t$
        exp_avg.lerp_(normed, 1 - group["betas"][0])
        # $\theta_t = \theta_{t-1} - \alpha\, m_t$
        param.sub_(exp_avg.mul(group["lr"]))
        # Only now does $g_t$ join the second moment, for the steps to come.
        memory = group["memory"]
        exp_avg_sq.mul_(memory).addcmul_(grad, grad, value=1 - memory)


# ## Choosing the numbers
#
# - `lr`: Adam's is a good first try. On noise of one size, though, ADOPT's steps are longer than Adam's:
#   $0.41\,\alpha$ in step 1000 (root of the mean square), against $0.23\,\alpha$.
# - `betas`: with $\beta_2 = 0.9999$, $v$ remembers the first gradient for a long time: it still has
#   90 % of the weight in step 1000. In a run of a few thousand steps take 0.999.
# - `clip_exponent`: leave it at 0.25. `None` is the rule of the theorem's first version, and wants gradients
#   that are never near zero at the start.
#
# Take it where $\beta_2$ is hard to choose and the run is long enough for the bound to grow out of the way.
# Leave it in short runs, and where many weights start without a gradient.
#
# ## Traps
#
# - **The first batch decides.** $\sqrt{v}$ is $|g_1|$ at first, of one batch. For Gaussian gradients the 99th
#   percentile of $1 / \sqrt{v_t}$ is 42 times the median after two steps, 6.9 times in step 100 and still
#   2.3 times in step 1000. Adam is down to 1.06 there ([RAdam](radam.py) has that table).
# - **The first step does not move anything.** A test that makes one step and looks for a change fails. With
#   `WeightDecay(..., absolute=True)` the decay acts in it all the same.
# - **It cannot resume from Adam's state.** The names are the same, the meaning is not: this `exp_avg` holds
#   divided gradients.
# - **An infinite gradient** is cut by the bound and moves a weight like any other, once. It stays in $v$ for
#   good: later gradients count 0, and a second infinite one makes NaN.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), $\alpha = 0.003$. At 0.001 the held-out loss is 4 %
# higher, at 0.01 46 % and at 0.0003 51 %. That is a wide valley: Adam learns nothing at 0.01, and its loss
# is 1.5 times ADOPT's at 0.0003. The accuracies are 99.33, 99.31 and 99.23 %; AdamW has 99.30 to 99.40 %,
# SGD with momentum 98.83 to 99.22 %. At its best ADOPT is no better than AdamW, rather a little less.
#
# The first update is 0, as it should be, and $m$ starts from nothing: the mean loss of the steps 2 to 16 is
# 1.54 to 1.57, Adam's 1.18 to 1.27. By step 16 the updates have become 1.3 to 1.5 times as long as Adam's,
# divided by what few batches have shown. In the third epoch it is the other way round, 0.65 to 0.78 times
# Adam's length (medians). With $\beta_2 = 0.9999$ the divisor still holds the large gradients of the start.
#
# ## Exercises
#
# **1.** A gradient is $a > 0$ with probability $p$ and $-b < 0$ otherwise. When does Adam without momentum
# go the wrong way for $\beta_2 = 0$, and when does ADOPT, without a bound, on average?
#
# ::: solution
# Adam moves by the sign: $p - (1 - p)$ on average, to be compared with the sign of $p a - (1 - p)\, b$. It is
# wrong when $p < 1/2$ and $p a > (1 - p)\, b$, or the other way round: when the minority is the stronger side.
# ADOPT's mean step is $(p a - (1 - p)\, b) / \sqrt{v_{t-1}}$ whatever was drawn before: never.
# :::
#
# **2.** Run 50 rounds of the problem with Adam and with ADOPT without a bound.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import ADOPT, Adam
#
#
# def end(kind, **arguments):
#     theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
#     optimizer = kind([theta], betas=(0.9, 0.99), **arguments)
#     for step in range(1, 50 * 101 + 1):
#         optimizer.param_groups[0]["lr"] = 0.5 / step**0.5
#         theta.grad = torch.full_like(theta, 1010.0 if step % 101 == 1 else -10.0)
#         optimizer.step()
#         theta.data.clamp_(-1, 1)
#     return theta.item()
#
#
# assert end(ADOPT, clip_exponent=None) < -0.9
# assert end(Adam) > 0.4
# ```
# :::
#
# **3.** Which $\beta_2$ leaves the first gradient 5 % of the weight in $v$ at the end of 2814 steps?
#
# ::: solution
# Its weight is $\beta_2^{t-1}$. $0.05^{1/2813} = 0.99894$. With 0.9999 it is 75 %.
# :::

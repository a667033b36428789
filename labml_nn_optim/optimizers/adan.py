r"""
---
title: Adan
summary: >-
  Adan adds to the average of the gradients an average of their changes, which is Nesterov's step without
  looking ahead, and divides by the squares of both together.
paper:
  title: "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models"
  authors: Xingyu Xie, Pan Zhou, Huan Li, Zhouchen Lin, Shuicheng Yan
  year: 2022
  arxiv: "2208.06677"
chapter: "4.2"
needs: [optimizers/sgd, optimizers/nadamw, decays/proximal]
symbols:
  \theta: param
  g: grad
  \Delta: difference
  m: exp_avg
  d: exp_avg_diff
  v: exp_avg_sq
  \beta_1: beta1
  \beta_3: beta3
verified_against:
  implementation: timm.optim.Adan 1.0.31
  difference: 2e-15 over 100 noisy steps in float64
---

# A long memory swings

A weight lies on a parabola, and its gradient is its distance $\theta$ from the bottom plus Gaussian noise of size
100. $v$ and the last gradient come from 500 steps at the bottom. Then the weight is put to $\theta = 20$, at rest, with
$\alpha = \sqrt v$. For 200 000 such weights, where does their mean swing to, when is it within 2 of the bottom for
good, and how far are they spread in the end?

| | swings to | within 2 after | spread |
|---|---:|---:|---:|
| [Adam](adam.py), $\beta_1 = 0.9$ | $-12.0$ | 41 steps | 68 |
| Adam, $\beta_1 = 0.98$ | $-15.8$ | 221 steps | 66 |
| Adan | $-7.9$ | 55 steps | 37 |

An average of fifty gradients rolls through the valley like a ball with hardly any friction. Adan has the
same $\beta_1 = 0.98$ and brakes.

What brakes is the change of the gradient. When the weight moves, its gradient changes in each step by its speed times
the curvature. Add that change to the gradient, and you have a friction that grows with both.

Adam's lines are a warning: on a single parabola the longer memory buys nothing. The weights arrive later and spread
as much.

## Nesterov's step without the look-ahead

Nesterov's momentum asks for the gradient where the momentum will lead. The chapter on [SGD](sgd.py) moves the
weights to that point, and arrives at

$$
b_t = \beta\, b_{t-1} + g_t, \qquad \theta_t = \theta_{t-1} - \alpha\, (g_t + \beta\, b_t)
$$

Call the bracket $c_t$ and look for a rule in $c$ alone. Once with $b_t$ written out, once a step earlier:

$$
c_t = g_t + \beta\, g_t + \beta^2\, b_{t-1}, \qquad
\beta\, c_{t-1} = \beta\, g_{t-1} + \beta^2\, b_{t-1}
$$

The difference of the two holds no $b$:

$$
c_t = \beta\, c_{t-1} + g_t + \beta\, \Delta_t, \qquad \Delta_t = g_t - g_{t-1}
$$

So Nesterov's momentum is plain momentum with $g_t + \beta \Delta_t$ in the place of $g_t$. The look-ahead has
become a guess: the gradient will go on changing as it just did.

The average of that sum is the average of $g$ plus $\beta$ times the average of $\Delta$. Adan gives each a rate of
its own. Unless the two are equal, this is no longer Nesterov's method.

## The update rule

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
d_t &= \beta_2 d_{t-1} + (1 - \beta_2)\, \Delta_t, \qquad \Delta_1 = 0 \\
v_t &= \beta_3 v_{t-1} + (1 - \beta_3)\, (g_t + \beta_2 \Delta_t)^2 \\
\theta_t &= \frac{1}{1 + \alpha\lambda} \left( \theta_{t-1}
- \alpha\, \frac{\hat m_t + \beta_2\, \hat d_t}{\sqrt{\hat v_t} + \varepsilon} \right)
\end{aligned}
$$

All three averages start at zero and are corrected as in Adam, each with its own rate:
$\hat d_t = d_t / (1 - \beta_2^t)$. The fraction in front is [proximal decay](../decays/proximal.py).

There is no $g_0$. With $g_0 = 0$ the first difference would be all of $g_1$, and stay in the squares for long: a
constant gradient would make steps of 1, 0.94, 0.93 $\alpha$, and of 0.97 $\alpha$ still in step 30. With
$\Delta_1 = 0$ all are $\alpha$ long.

## What the average of differences holds

Changes add up: the sum of the last few is the gradient of now less that of then. So their average says how far the
gradient is from what it has been lately. With $h_t$, an average of gradients with the rate $\beta_2$ that starts at
$g_1$,

$$
\beta_2\, d_t = (1 - \beta_2)\, (g_t - h_t)
$$

(exercise 1). So without corrections the direction is $m_t + 0.08\, (g_t - h_t)$. The gradient of now counts
$0.02 + 0.08 \cdot 0.92 = 0.094$, and a part of the last dozen is taken back.

For $\beta_2 = \beta_1$ the average $h$ is $m$, but for the start, and the direction is
$\beta_1 m_t + (1 - \beta_1)\, g_t$. That is [NAdamW](nadamw.py)'s, which keeps two tensors and not four. Two things
are new in Adan: the faster rate 0.92, and the squares.

**The faster rate** makes the second part four times as heavy, 0.08 in place of 0.02. Hold $\sqrt v$ still on a
parabola of curvature $k$, without noise. The eigenvalues of a step say in how many steps a distance falls to a tenth:

| $\alpha k / \sqrt v$ | Adam, 0.9 | Adam, 0.98 | NAdamW, 0.98 | Adan |
|---:|---:|---:|---:|---:|
| 0.1 | 44 | 228 | 207 | 208 |
| 0.3 | 44 | 228 | 176 | 148 |
| 1 | 44 | 228 | 114 | 60 |
| 3 | 44 | 228 | 56 | 19 |
| 10 | 44 | 228 | 19 | 15 |
| stable up to | 38 | 198 | 67 | 23 |

Too much friction throws the weight back farther than it was: beyond 23 it diverges. Where the curvature is low,
nothing brakes.

**The squares.** On noise of size 1 what is squared is $1.92\, g_t - 0.92\, g_{t-1}$, and $\sqrt v$ is 2.13 in
place of 1. A step on noise is then $0.060\, \alpha$ long; Adam's is $0.227\, \alpha$ (step 1000, root of the
mean square). For a constant gradient both make steps of $\alpha$.

The authors use learning rates five to ten times those of AdamW. A factor of 3.8 only makes up for these shorter
steps. In the first table, too, $\alpha$ is 2.13 times as large for Adan, as $\sqrt v$ is.

## Conventions

- **Rates.** The paper writes $1 - \beta$: (0.02, 0.08, 0.01), and so does lucidrains' package. The authors' code,
  timm, pytorch_optimizer and this class take the rates that are kept, (0.98, 0.92, 0.99).
- **The factor of $\Delta$** is $\beta_2 = 0.92$. optax (August 2026) takes rates that are kept and multiplies by the
  paper's $1 - \beta_2$ all the same, which is 0.08 then. Written out here, that is 0.37 away after 100 noisy steps
  with $\alpha = 0.02$.
- **Names.** The paper's $m$, $v$, $n$ are $m$, $d$, $v$ here.
- **The start.** The paper's algorithm, as optax prints it, starts at $m_0 = g_0$ and $n_0 = g_0^2$ with
  $v_1 = g_1 - g_0$, and corrects nothing: 0.68 away. lucidrains' package lets the first gradient into no average:
  0.10.
- **Decay.** A number is proximal decay, as in the paper, the authors' code and timm. `WeightDecay(0.1)` is
  AdamW's, timm's `no_prox=True`. At $\lambda = 0.1$ the two are 0.0014 apart, and no decay is 0.21 from either.
- **Steps** are counted for each parameter. The authors and timm count them for a group. A layer that joins in
  step 1001 makes a first step of $0.2\, \alpha$ there, and of $\alpha$ here.
- **Restarts.** The paper sets the averages back when a condition holds. All its experiments but one table do without
  (README of sail-sg/Adan), and so does this class.
- **Caution.** timm's `caution=True` masks $m$ and not $d$; `cautious=True` here masks the whole update.
- **The gradient.** pytorch_optimizer with `foreach=False` leaves $-g$ in `.grad` after a step.

## What comparisons found

All numbers that we could find are the authors' (repository sail-sg/Adan). Losses of language models with eight
experts, AdamW's and Adan's: 2.427 and 2.404 for 0.1B each and 100B tokens, 2.023 and 2.010 for 0.6B each and 300B
tokens. Transformer-XL on WikiText-103: a perplexity of 24.2 for Adam and 23.5 for Adan after 200 000 steps; Adan has
24.2 after half of them. There Adam has $\alpha = 0.00025$ and no warm-up, Adan 0.0015 and 5000 steps of it. That
matters: a better rate for AdamW alone was worth a factor of two in steps (Wen et al., 2025, arXiv 2509.02046). We
know of no comparison by others in which both were tuned with equal care.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.decays.proximal import ProximalWeightDecay
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adan"]


class Adan(GenericAdaptiveOptimizer):
    r"""Averages of gradients and of their differences, divided by the root of the squares of both.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2, \beta_3)$ of gradients, differences and squares, each in
      $[0, 1)$; the paper's numbers are 1 minus these
    - `eps`: $\varepsilon$, added to the corrected $\sqrt{\hat v_t}$
    - `weight_decay`: a number, which means
      [ProximalWeightDecay](../decays/proximal.py#ProximalWeightDecay) here, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: four tensors of the parameter's shape, twice what Adam has.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Xie et al. (2022), in the form of the authors' code.
    """

    beta_count: ClassVar[int] = 3

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        if not isinstance(weight_decay, WeightDecay):
            weight_decay = ProximalWeightDecay(weight_decay)
        super().__init__(params, defaults, lr, betas, eps, weight_decay, **options)

    def init_state(
        self,
        state: dict[str, Any],
        group: Mapping[str, Any],
        param: Tensor,
    ) -> None:
        r"""Start three averages at zero, and keep room for the gradient of the step before."""
        for name in ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"):
            state[name] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Fold all corrections into three numbers, and let the first difference count nothing.

        The direction is $\hat m_t$ times $1 - \beta_1^t$, that is $m_t + \text{ratio} \cdot d_t$, with
        $\text{ratio} = \beta_2\, (1 - \beta_1^t) / (1 - \beta_2^t)$. The step size makes up for the
        factor, and $\sqrt{1 - \beta_3^t}$ joins it as in [Adam](adam.py#Adam.scalars).

        In step 1 both weights of the difference are 0, and so $\Delta_1$ is 0 without a branch in the rule.
        """
        beta1, beta2, beta3 = group["betas"]
        is_first = step == 1
        correction = 1 - beta1**step
        root = math.sqrt(1 - beta3**step)
        return {
            "diff_weight": 0.0 if is_first else 1 - beta2,
            "reach": 0.0 if is_first else beta2,
            "ratio": beta2 * correction / (1 - beta2**step),
            "step_size": group["lr"] * root / correction,
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, _, beta3 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        exp_avg_diff, previous_grad = state["exp_avg_diff"], state["previous_grad"]
        # Proximal decay takes note here, and acts after the update.
        grad = self.weight_decay(param, grad, group)
        # $\Delta_t = g_t - g_{t-1}$
        difference = grad.sub(previous_grad)
        previous_grad.copy_(grad)
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$ and $d_t = \beta_2 d_{t-1} + (1 - \beta_2)\, \Delta_t$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_diff.lerp_(difference, group["diff_weight"])
        # $v_t = \beta_3 v_{t-1} + (1 - \beta_3)\, (g_t + \beta_2 \Delta_t)^2$
        ahead = difference.mul_(group["reach"]).add_(grad)
        exp_avg_sq.mul_(beta3).addcmul_(ahead, ahead, value=1 - beta3)
        # $\theta - \alpha\, (\hat m_t + \beta_2 \hat d_t) / (\sqrt{\hat v_t} + \varepsilon)$
        direction = exp_avg_diff.mul(group["ratio"]).add_(exp_avg)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(direction, denominator, value=-group["step_size"])


# ## Choosing, and when not to
#
# - `lr`: 3.8 times a rate of AdamW gives steps as long on noise. The authors use five to ten times. Without a warm-up
#   begin the search at AdamW's own: the first step is as long as Adam's, see below.
# - `betas`: the authors find it robust, most of all to $\beta_2$. They tune $\beta_3$ first, then $\beta_1$.
# - `weight_decay`: 0.02 in most of their recipes. The product with $\alpha$ is what counts, and $\alpha$ is larger.
# - Their vision transformers: $\alpha = 0.015$, $\lambda = 0.02$, batches of 2048, a warm-up over 60 of 150 or 300
#   epochs.
# - Their GPT-2 with 345 million weights: $\alpha = 0.0025$, $\lambda = 0.05$, $\beta_3 = 0.95$, batches of 400 times
#   2048 tokens, a warm-up over 4000 of 150 000 steps.
#
# Take it where a loss swings and there is memory for four tensors. If you want only the look-ahead,
# [NAdamW](nadamw.py) has it for two. If you want only less swinging, try a lower $\beta_1$ first.
#
# ## Traps
#
# - **The paper's rates pass.** `betas=(0.02, 0.08, 0.01)` is in range and nothing is refused. A step on noise is then
#   $0.94\, \alpha$ long, 16 times what it should be.
# - **Memory.** Four tensors in float32 are 16 bytes for each weight, Adam's are 8.
# - **Time.** A step takes 1.8 times Adam's on one CPU thread, 1.2 times with `compile=True`.
# - **It sees two batches.** $\Delta_t$ holds what the last step has changed and what differs between two batches.
#   With small batches most of it is the second. Gradients in bfloat16 are rounded by up to 0.4 %, and a smaller
#   change is lost in that, though the state is float32.
# - **Rare rows move less.** After 2000 steps without a gradient, a single one moves a weight by $0.49\, \alpha$ at
#   once and by $6.3\, \alpha$ in all. With Adam's (0.9, 0.999) that is 2.9 and $30\, \alpha$.
# - **A gap.** A parameter whose `grad` is `None` for a while has an old $g_{t-1}$. Its next difference spans the gap.
# - **Checkpoints** hold `previous_grad`. One of AdamW is refused for its two rates.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.003$, [AdamW](adamw.py)'s
# rate. At 0.001 the held-out loss is 52 % higher, at 0.0003 3.5 times as high, and at 0.01 nothing is
# learned. At the same $\alpha$ the median update is 0.34 to 0.43 times as long as AdamW's in the first two epochs,
# and 0.47 to 0.58 times in the third (on even noise 0.26). Its loss at 0.0003, 0.001 and 0.003 is AdamW's at
# rates 2.0 to 2.5 times smaller, interpolated. But the first updates are equally long, 1.840 with seed 0, and
# no warm-up softens them. Both fail at the same point of the grid.
#
# The accuracies are 99.36, 99.35 and 99.40 % (median 99.36). AdamW's, 99.30 to 99.40 %, and Adam's, 99.39 to
# 99.44 %, overlap with them: three seeds do not tell the three apart. The training loss differs. In the first
# epoch it is 0.095 to 0.102, AdamW's 0.104 to 0.108, and in the third 0.0129, AdamW's 0.0105 to 0.0122.
#
# [On CIFAR-10](../../experiments/cifar.py) the search (one epoch, one seed) chose 0.003 again; at 0.01 the held-out
# loss is 18 % higher. Adan begins sooner than AdamW and ends behind it. After the first epoch three seeds have 66.8 to
# 68.1 %, AdamW's 65.0 to 66.4 %; after the third 76.5, 76.5 and 77.8 %, AdamW's 79.3 to 80.3 %. The mean training loss
# of the third is 0.67 to 0.70, AdamW's 0.61 to 0.64. The median update is a third of AdamW's, 0.06 and 0.19. Whether
# that or the memory of fifty steps is the reason was not tried. The authors train networks for images for 100 epochs
# and more, not for three.
#
# ## Exercises
#
# **1.** Show that $\beta_2 d_t = (1 - \beta_2)(g_t - h_t)$. Could Adan store $h$ and drop the previous gradient?
#
# ::: solution
# By induction. In step 1 both sides are 0, as $h_1 = g_1$. Let it hold for $t - 1$. With
# $h_t = \beta_2 h_{t-1} + (1 - \beta_2)\, g_t$,
#
# $$
# \begin{aligned}
# \beta_2 d_t &= \beta_2\, (1 - \beta_2)(g_{t-1} - h_{t-1}) + \beta_2\, (1 - \beta_2)(g_t - g_{t-1}) \\
# &= (1 - \beta_2)(\beta_2 g_t - \beta_2 h_{t-1}) = (1 - \beta_2)(g_t - h_t)
# \end{aligned}
# $$
#
# For the direction $h$ is enough. The squares need $g_{t-1}$ itself, so four tensors remain.
#
# ```python
# import torch
# from labml_nn_optim import Adan
#
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# optimizer = Adan([theta])
# torch.manual_seed(0)
# h = None
# for _ in range(20):
#     theta.grad = torch.randn(1, dtype=torch.float64)
#     h = theta.grad.clone() if h is None else 0.92 * h + 0.08 * theta.grad
#     optimizer.step()
#     left = 0.92 * optimizer.state[theta]["exp_avg_diff"]
#     assert (left - 0.08 * (theta.grad - h)).abs() < 1e-15
# ```
# :::
#
# **2.** Run SGD with Nesterov's momentum, and the rule in $c$. Which $g_0$ makes them the same?
#
# ::: solution
# $c_1 = g_1 + \beta b_1 = (1 + \beta)\, g_1$, so $\Delta_1 = g_1$ and $g_0 = 0$. Here Adan leaves Nesterov's path.
#
# ```python
# import torch
# from labml_nn_optim import SGD
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = SGD([theta], lr=0.1, momentum=0.9, nesterov=True)
# other, c, before = 1.0, 0.0, 0.0
# for _ in range(50):
#     theta.grad = theta.detach().clone()
#     optimizer.step()
#     g = other
#     c = 0.9 * c + g + 0.9 * (g - before)
#     other, before = other - 0.1 * c, g
#     assert abs(other - theta.item()) < 1e-14
# ```
# :::

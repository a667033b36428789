r"""
---
title: AdEMAMix
summary: AdEMAMix adds to Adam's average of gradients a second one that remembers thousands of steps.
paper:
  title: "The AdEMAMix Optimizer: Better, Faster, Older"
  authors: Matteo Pagliardini, Pierre Ablin, David Grangier
  year: 2024
  arxiv: "2409.03137"
  venue: ICLR
chapter: "4.3"
needs: [optimizers/adam, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  s: exp_avg_slow
  v: exp_avg_sq
  \alpha: lr
  a: alpha
  W: t_alpha_beta3
  h: half_life
verified_against:
  implementation: pytorch_optimizer.AdEMAMix 4.1.0, with and without warm-up
  difference: 6e-16 over 100 noisy steps in float64
---

# One average cannot be quick and patient

An average with the decay rate $\beta$ gives the gradient of $i$ steps ago the weight $(1 - \beta)\, \beta^i$.

| | $\beta = 0.9$ | $\beta = 0.9999$ | the first plus 5 times the second |
|---|---:|---:|---:|
| weight of the newest gradient | 0.1 | 0.0001 | 0.1005 |
| weight of the one 5000 steps ago | $10^{-230}$ | 0.00006 | 0.0003 |
| half of its weight lies in the last | 6.6 steps | 6931 steps | |

[Adam](adam.py) has the first column, and has forgotten the step of 5000 steps ago. The second column remembers, and
does not react. Let the gradient of a weight be 1 for 300 steps and $-0.2$ from then on. Adam turns round 18 steps
after the change. With $\beta_1 = 0.9999$ it goes on for 1379 steps, and $498\, \alpha$.

AdEMAMix keeps both averages and adds them.

## The update rule

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, & \hat m_t &= m_t / (1 - \beta_1^t) \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, & \hat v_t &= v_t / (1 - \beta_2^t) \\
s_t &= \beta_{3,t}\, s_{t-1} + (1 - \beta_{3,t})\, g_t \\
\theta_t &= \theta_{t-1} - \alpha \left( \frac{\hat m_t + a_t\, s_t}{\sqrt{\hat v_t} + \varepsilon}
+ \lambda\, \theta_{t-1} \right)
\end{aligned}
$$

$s$ is the slow average, and $a$ says how much it counts. The paper calls it $\alpha$, here the learning rate. Without
a warm-up $a_t = a$ and $\beta_{3,t} = \beta_3$, by default 5 and 0.9999. With $a = 0$ this is [AdamW](adamw.py).

## Six times the signal, hardly more noise

Let a gradient be a mean $\bar g$ that stays, plus independent noise of size $\sigma$. Each average passes $\bar g$
on whole, so $m + a s$ holds $(1 + a)\, \bar g$. Of the noise's variance an average with the rate $\beta$ leaves

$$
(1 - \beta)^2 \sum_{i \ge 0} \beta^{2i} = \frac{1 - \beta}{1 + \beta}
$$

That is 0.0526 for 0.9, and 0.00005 for 0.9999. Times $a^2 = 25$ the latter is 0.00125, and what the two averages
share adds $2a \cdot 0.0001 = 0.001$. The signal grows by a factor of 6, the noise from $0.229\, \sigma$ to
$0.234\, \sigma$.

Run it with $\bar g = 0.1$ and $\sigma = 1$: Adam drifts by $0.099\, \alpha$ a step, AdEMAMix in the end by
$0.588\, \alpha$, and the spread of a step is $0.23\, \alpha$ for both. A larger $\alpha$ gives Adam the same drift,
and multiplies the noise as well.

All of this rests on a mean that stays for $1 / (1 - \beta_3) = 10\,000$ steps. Why a network's should is not known.

## Why the slow average is not corrected

$s_t$ starts at 0 and needs 10 000 steps to fill. For a constant gradient the step is $1 + 5\, (1 - 0.9999^t)$ in
units of $\alpha$: 1.0 at first, 1.5 in step 1000, 4.2 in step 10 000.

Adam's correction would divide by $1 - \beta_3^t$, and make the slow average a plain mean of the few gradients there
are, counted five times. Lengths of steps and of the way on pure noise (root mean square, in $\alpha$):

| | Adam | AdEMAMix | if $s$ were corrected |
|---|---:|---:|---:|
| step 1 | 1.00 | 1.00 | 6.00 |
| step 10 | 0.33 | 0.33 | 1.92 |
| way after 1000 | 32 | 40 | 250 |

A memory that is not there yet should not count.

## Why $\beta_3$ and $a$ rise

Early gradients turn soon, and $s$ remembers them. Here is the weight of the beginning again, whose gradient changes
from 1 to $-0.2$ after step 300. The run has 3000 steps, and $\beta_3 = 0.9967$:

| | turns after | goes on for |
|---|---:|---:|
| Adam | 18 steps | $6\, \alpha$ |
| AdEMAMix, no warm-up | 376 steps | $535\, \alpha$ |
| only $a$ rises | 188 steps | $24\, \alpha$ |
| only $\beta_3$ rises | 68 steps | $129\, \alpha$ |
| both rise, $W = 3000$ | 36 steps | $15\, \alpha$ |

Over the first $W$ steps, with $p = \min(1, t / W)$,

$$
a_t = p\, a, \qquad
h_t = (1 - p)\, h(\beta_1) + p\, h(\beta_3), \qquad
h(\beta) = \frac{\ln \tfrac{1}{2}}{\ln \beta}, \qquad
\beta_{3,t} = 2^{-1 / h_t}
$$

What rises in a straight line with $a$ is the half-life $h$, the number of steps with $\beta^h = \frac{1}{2}$: 6.6 for
0.9, 6931 for 0.9999. On a straight line of $\beta$ itself nearly all of the warm-up would have no memory to speak of.
Half-way, at $p = 0.5$, the half-life would be 13 steps; here it is 3469.

The two schedules need each other. While $\beta_{3,t}$ is small, $s$ fills quickly: for $W = 100\,000$ it has 90 % of
its weight after 25 steps. With $a = 5$ from the start a step could be $5.5\, \alpha$ long by then. In the paper a
model of 1.3 billion parameters diverged where only $\beta_3$ rose. Smaller ones with $a = 10$ diverged or ended worse
where $W$ was too short.

## A run that is too short for its memory

What is in $s$ at the end of the warm-up? The gradient of step $t$ comes in with the weight
$1 - \beta_{3,t} \approx \ln 2 / h_t$, and is then multiplied by all later rates. Their logarithms are
$-\ln 2 / h_i$, and $h$ grows by $k = (h(\beta_3) - h(\beta_1)) / W$ a step. Turn the sum of these into an integral:

$$
w_t \approx \frac{\ln 2}{h_t} \exp\left( -\frac{\ln 2}{k} \ln \frac{h_W}{h_t} \right)
\;\propto\; h_t^{\,c - 1},
\qquad c = \frac{\ln 2}{k} \approx W\, (1 - \beta_3)
$$

$c$ is the length of the warm-up in units of the memory $1 / (1 - \beta_3)$. If $c = 1$, all steps count alike. If
$c > 1$, newer ones count more. If $c < 1$, the oldest do: they came in while the average was quick, and were then
locked in. Exact sums for $\beta_3 = 0.9999$:

| $W$, the length of the run | $c$ | share of the first tenth of the run in $s$ |
|---:|---:|---:|
| 3000 | 0.30 | 43 % |
| 10 000 | 1.0 | 10 % |
| 30 000 | 3.0 | 0.1 % |
| 100 000 | 10 | $10^{-10}$ |

The weight of the last section, with $\beta_3 = 0.9999$ and $W = 3000$, never turns round. In the last step it moves
$4.9\, \alpha$ the wrong way.

So choose $\beta_3$ by the length $T$ of the run, with $c$ about 10 or more: $1 - \beta_3 = 10 / T$. The paper's own
runs agree. A model of 110 million parameters saw 17 billion tokens in 256 000 steps, or in fewer with larger batches.
$\beta_3 = 0.9999$ was better than 0.999 at 256 000 and 128 000 steps, where its $c$ is 26 and 13, and worse at
64 000 and 32 000, where it is 6.4 and 3.2.

A small network shows the same. It has layers of 16, 64, 64 and 8 units and sees 3000 batches of 32 with labels of a
noisy teacher. $\alpha$ rises for 100 steps and falls along a cosine; there is no decay. The test loss against clean
labels, as the mean of three seeds that lie within 0.03 of each other:

| $\alpha$ | 0.001 | 0.003 | 0.01 | 0.02 |
|---|---:|---:|---:|---:|
| AdamW | 0.747 | 0.702 | 0.675 | 0.706 |
| $\beta_3 = 0.9999$, no warm-up | 0.733 | 0.694 | 0.682 | 0.729 |
| $\beta_3 = 0.9999$, $W = 3000$ | 0.728 | 0.717 | 0.775 | 0.855 |
| $\beta_3 = 0.9967$, no warm-up | 0.692 | 0.672 | 0.741 | 0.821 |
| $\beta_3 = 0.9967$, $W = 3000$ | 0.711 | 0.654 | 0.712 | 0.751 |

With the default $\beta_3$ the warm-up does harm in three columns of four. With a memory that fits the run, it helps
in three, and AdEMAMix is ahead by 0.02, at a third of AdamW's $\alpha$.

## What others measured

- **The paper**: language models of 110 million to 1.3 billion parameters, both sides tuned. The largest reaches with
  101 billion tokens the loss that AdamW reaches with 197 billion. No $\beta_1$ above 0.9 helped AdamW, with or
  without a warm-up of it. A vision transformer of 86 million parameters gains nothing in 320 epochs of ImageNet-1k.
- **Eleven optimizers** on 124 to 720 million parameters (Semenov, Pagliardini and Jaggi, 2025, arXiv 2509.01440):
  the best overall, they say. MARS comes close at 720 million; D-Muon wins the shortest runs with small batches, SOAP
  the longest one of a mixture of experts. Pagliardini is the first author of AdEMAMix.
- **Apertus**, of 8 and 70 billion parameters, was trained with it (2025, arXiv 2509.14233). In a trial at 1.5
  billion the training loss after 100 billion tokens was 2.002, and AdamW's 2.037. They clip the norm at 0.1, which
  acts in nearly every step.
- **Morwani et al.** (2025, arXiv 2502.02431) get as far at 150 million parameters with one average less: a slow one,
  to which the plain gradient is added.

Such claims have shrunk before when others tuned the baseline, to 1.4 times AdamW's speed at most, and 1.1 at 1.2
billion parameters (arXiv 2509.02046). AdEMAMix is missing in that comparison.

## Conventions

- **The name `t_alpha_beta3`** is the paper's $T_{\alpha,\beta_3}$ and pytorch_optimizer's argument. The authors'
  code and bitsandbytes have two numbers, one for each schedule; the paper sets them equal.
- **The first step** has $p = 1 / W$ here, in pytorch_optimizer and in the authors' code for torch. Their code for
  optax begins with $p = 0$, and the first gradient comes into $s$ with the weight 0.1. Counted so, 100 noisy steps
  with $\alpha = 0.02$ end 1.5 from here for $W = 40$, and 0.04 for $W = 1000$.
- **Decay** is AdamW's. pytorch_optimizer puts it into the gradient unless `weight_decouple=True`; with
  $\lambda = 0.1$ that makes 0.14.
- **$a$** is 5 by default in pytorch_optimizer, bitsandbytes and here, 2 in the authors' code for torch. The paper
  recommends 4 to 10. timm and torch do not have the optimizer.
- **$\beta_1 = 0$** is allowed. With a warm-up pytorch_optimizer stops with a `math domain error`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdEMAMix"]


class AdEMAMix(GenericAdaptiveOptimizer):
    r"""Adam with a fast and a slow average of the gradients in its numerator.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2, \beta_3)$ of the fast average, of the squares and of the
      slow average, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `alpha`: $a \ge 0$, how much the slow average counts; the paper calls it $\alpha$
    - `t_alpha_beta3`: $W$, the number of steps in which $a$ and $\beta_3$ rise to their values, at least 1,
      or `None` for no warm-up
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: three tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Pagliardini, Ablin and Grangier (2024), algorithm 1.
    """

    beta_count = 3

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        alpha: float = 5.0,
        t_alpha_beta3: int | None = None,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"alpha": alpha, "t_alpha_beta3": t_alpha_beta3} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("alpha", group["alpha"])
        if group["t_alpha_beta3"] is not None:
            require_count("t_alpha_beta3", group["t_alpha_beta3"], minimum=1)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start all three averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["exp_avg_slow"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections and where the two schedules stand.

        A kernel gets $1 - \beta_{3,t}$ as it is, for the difference of two numbers near 1 loses digits.
        """
        beta1, beta2, beta3 = group["betas"]
        warmup = group["t_alpha_beta3"]
        # How far the warm-up has come: 1 once it is over
        progress = 1.0 if warmup is None else min(1.0, step / warmup)
        if progress < 1:
            life = (1 - progress) * half_life(beta1) + progress * half_life(beta3)
            beta3 = decay_rate(life)
        root = (1 - beta2**step) ** 0.5
        rate = group["lr"] * root
        return {
            "fast_rate": rate / (1 - beta1**step),
            "slow_rate": rate * progress * group["alpha"],
            "slow_weight": 1 - beta3,
            "eps_hat": group["eps"] * root,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2, _ = group["betas"]
        exp_avg, exp_avg_sq, slow = state["exp_avg"], state["exp_avg_sq"], state["exp_avg_slow"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = m_{t-1} + (1 - \beta_1)(g_t - m_{t-1})$ and $s_t = s_{t-1} + (1 - \beta_{3,t})(g_t - s_{t-1})$
        exp_avg.lerp_(grad, 1 - beta1)
        slow.lerp_(grad, group["slow_weight"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $\theta_t = \theta_{t-1} - \alpha\, (\hat m_t + a_t s_t) / (\sqrt{\hat v_t} + \varepsilon)$, with the
        # corrections in the two rates and in $\hat\varepsilon$
        mixed = exp_avg.mul(group["fast_rate"]).add_(slow.mul(group["slow_rate"]))
        param.addcdiv_(mixed, exp_avg_sq.sqrt().add_(group["eps_hat"]), value=-1.0)


def half_life(beta: float) -> float:
    r"""Return after how many steps an average with the decay rate `beta` has forgotten half: $h$.

    0 if it forgets everything at once.
    """
    return math.log(0.5) / math.log(beta) if beta > 0 else 0.0


def decay_rate(life: float) -> float:
    r"""Return $\beta = 2^{-1/h}$, the decay rate with the half-life `life`."""
    return 0.5 ** (1 / life) if life > 0 else 0.0


# ## Choosing, and when not to
#
# - `t_alpha_beta3`: the length of the run, as the paper does. The default is `None`, for an optimizer does not know
#   the length.
# - `betas`: $\beta_3 = 1 - 10 / T$, up to 0.9999. In the paper 0.99999 was worse for 256 000 steps, and still better
#   than AdamW.
# - `alpha`: 4 to 10, says the paper. With more the loss falls faster at first and ends higher.
# - `lr`: where gradients agree, steps are up to $1 + a$ times as long, so search from AdamW's downwards.
# - Semenov et al. have, at 124 and 720 million parameters, AdamW's $\alpha = 0.001$ and $\lambda = 0.1$, $a = 8$,
#   $W$ the whole run of 128 000 and 48 000 steps, and $\beta_3 = 0.999$, less than the rule above gives.
#
# Take it for long runs on more data than the model can learn by heart. Leave it where the same data come hundreds of
# times, or change on the way: the old ones pull for another $1 / (1 - \beta_3)$ steps. It stores 12 bytes for each
# parameter, AdamW 8.
#
# ## Traps
#
# - **No warm-up is the default**, the riskier choice in a long run. If the run is shorter than the memory,
#   $1 / (1 - \beta_3)$ steps, a warm-up over all of it tends to be worse than none.
# - **$W$ is counted by each parameter's own step.** A layer that is unfrozen in the middle starts its warm-up there.
# - **Rows without gradients run away.** When gradients stop, $s$ shrinks by 0.9999 a step and $\sqrt v$ by 0.9995,
#   so steps grow. After 2000 steps of zeros comes one gradient of 1, then zeros again: 1000, 10 000 and 20 000 steps
#   later a step is 0.02, 0.9 and $47\, \alpha$ long. Adam walks $30\, \alpha$ in all. For rare rows of an embedding
#   keep $\beta_3 < \sqrt{\beta_2}$: with 0.999 the steps shrink, and the way is $338\, \alpha$ in all.
# - **`param_groups[0]["alpha"]` is $a$**, at its final value. The learning rate is `lr`.
# - **It refuses AdamW's checkpoint**, for `betas` has two numbers there. Exercise 2 shows how to switch in the middle
#   of a run, which the paper found to help.
# - **A slow average in half precision stands still.** In bfloat16 the average of the constant 1 comes to 0.031 with
#   $\beta_3 = 0.9999$, and stays there. Here the state of half-precision weights is float32. Elsewhere, look.
# - **One huge gradient stays.** With $\beta_3 = 0.9999$ half of it is left after 6931 steps. Clip.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py) with the defaults: no warm-up, 2814 steps, a memory
# of 10 000. In the last step $s$ has 25 % of its weight, so a steady gradient moves a weight by $2.2\, \alpha$. The
# search is [AdamW](adamw.py)'s: it chose $\alpha = 0.003$, at 0.001 the held-out loss is 19 % higher, at
# 0.0003 2.2 times as high, and at 0.01 nothing is learned.
#
# The accuracies are 99.27, 99.37 and 99.35 % (median 99.35). AdamW's, 99.30 to 99.40 %, overlap with them.
# The losses part. In the third epoch the training loss is 0.0086 to 0.0091, AdamW's 0.0105 to 0.0122. After
# it the loss on the test images is 0.0227 to 0.0239, AdamW's 0.0183 to 0.0200. An epoch earlier the test
# losses overlapped. So AdEMAMix ends with a better fit to images that it has seen, and a worse one to others.
# (Ranges of equals lie apart in [one of ten pairs](../../experiments/comparison.py#chance_apart).) A
# $\beta_3$ that fits the run was not tried.
#
# [On CIFAR-10](../../experiments/cifar.py), in 1173 steps, the losses do not part. The search (one epoch, one seed)
# chose 0.003 again. With three seeds the mean training loss of the third epoch is 0.62 to 0.65, AdamW's 0.61 to 0.64;
# the test loss is 0.584 to 0.613 and 0.565 to 0.595; the accuracies are 78.3, 79.2 and 79.5 %, AdamW's 79.3 to 80.3 %.
# In the last step $s$ has 11 % of its weight, so these runs cannot show what a memory of 10 000 is worth.
#
# ## Exercises
#
# **1.** Which share of the weights in $s$ belongs to the first tenth of the run, if $W = T$ and $c = 2$? Neglect
# $h(\beta_1)$.
#
# ::: solution
# $h_t$ is proportional to $t$ then, and $w_t$ to $t^{c-1} = t$. The share is
# $\int_0^{0.1} x\, dx \,/ \int_0^1 x\, dx = 0.1^2$, one percent. In general it is $0.1^c$.
# :::
#
# **2.** Switch from AdamW to AdEMAMix after 1000 steps. Why is no warm-up needed?
#
# ::: solution
# Keep the step, $m$ and $v$, and begin with $s = 0$. It is not corrected, so it comes in slowly by itself, and what
# it takes in are no longer the gradients of the beginning.
#
# ```python
# import torch
# from labml_nn_optim import AdamW, AdEMAMix
#
# theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
# theta.grad = torch.ones_like(theta)
# adamw = AdamW([theta], lr=1.0, weight_decay=0.0)
# for _ in range(1000):
#     adamw.step()
#
# optimizer = AdEMAMix([theta], lr=1.0)
# for param, state in adamw.state.items():
#     optimizer.state[param] = {**state, "exp_avg_slow": torch.zeros_like(param)}
# for steps in (1, 999):
#     for _ in range(steps):
#         before = theta.item()
#         optimizer.step()
#     print(f"{before - theta.item():.4f}")  # 1.0005, then 1.4758
# assert abs(before - theta.item() - (1 + 5 * (1 - 0.9999**1000))) < 1e-6
# ```
# :::

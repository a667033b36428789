r"""
---
title: LAMB
summary: LAMB takes Adam's direction and makes the step of each tensor a part of the tensor's own length.
paper:
  title: "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes"
  authors: Yang You, Jing Li, Sashank Reddi, Jonathan Hseu, Sanjiv Kumar, Srinadh Bhojanapalli, Xiaodan Song, James Demmel, Kurt Keutzer, Cho-Jui Hsieh
  year: 2019
  arxiv: "1904.00962"
  venue: ICLR
chapter: "6.2"
needs: [optimizers/adam, optimizers/lars, trust]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  u: update
  r: ratio
  \beta_1: beta1
  \beta_2: beta2
  \lambda: weight_decay
  \varepsilon: eps
verified_against:
  implementation: timm.optim.Lamb 1.0.31 with max_grad_norm=None
  difference: 3e-16 over 100 noisy steps in float64
---

# Adam moves one tensor by 0.1 % and another by 5.5 %

[Adam](adam.py) moves every element by about $\alpha$, however large the element is. A block of a transformer of
width 256, as torch initializes it and with a first linear layer of 1024, makes its first step with $\alpha = 0.001$:

| tensor | size of its weights | step |
|---|---:|---:|
| scale of a normalization | 1 | 0.10 % |
| queries, keys and values | 0.044 | 2.3 % |
| first linear layer | 0.036 | 2.8 % |
| word embedding, drawn with 0.02 | 0.020 | 5.0 % |
| second linear layer | 0.018 | 5.5 % |

Raise $\alpha$ tenfold, as large batches ask for, and a step is half of the second linear layer, and still 1 % of the
scale. LAMB is [LARS](lars.py) for Adam: it makes every step $\alpha$ times as long as the tensor.

## The update rule

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, & v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
u_t &= \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\, \theta_{t-1}, &
r_t &= \frac{\phi(\lVert \theta_{t-1} \rVert)}{\lVert u_t \rVert} \\
\theta_t &= \theta_{t-1} - \alpha\, r_t\, u_t
\end{aligned}
$$

$\hat m$ and $\hat v$ are corrected as in Adam. The norms are those of a whole tensor. $\phi(z) = z$ unless you set a
bound: `max_norm` makes it $\min(z, \cdot)$. $r = 1$ if a norm is 0, and for tensors without decay.

## What is left of Adam, and what is not

The direction is Adam's. The length is $\lVert \alpha\, r\, u \rVert = \alpha\, \lVert\theta\rVert$ in every step,
with any gradient. Adam's steps shrink where gradients disagree: on pure noise to $0.23\, \alpha$, by
$\sqrt{(1 - \beta_1) / (1 + \beta_1)}$. LAMB scales them up again. So it does not slow down by itself as signal
turns to noise, and $\alpha$ must fall by a schedule.

Nor can a step be too long, only wrong. A tensor of 1000 Gaussian weights of size 1 has had 499 gradients of norm 0.5,
all the same. The next one is 100 times as long and points anywhere, then all is as before. The cosine between the
step and the good gradient, and AdamW's length in units of $\alpha \lVert\theta\rVert$:

| steps after the bad gradient | LAMB | LAMB, `max_grad_norm=1` | AdamW's length |
|---:|---:|---:|---:|
| before | 0.79 | 0.79 | 0.90 |
| 0 | 0.11 | 0.66 | 1.66 |
| 1 | 0.13 | 0.69 | 1.51 |
| 10 | 0.37 | 0.80 | 0.66 |
| 20 | 0.67 | 0.82 | 0.40 |
| 50 | 0.79 | 0.82 | 0.36 |

(One draw, $\alpha = 0.001$. 0.79 is the cosine between a vector and its signs. In eight others the 0.11 is 0.12 to
0.20.) AdamW goes in the same directions as LAMB, at first too far and then not far enough, for $v$ remembers. LAMB
keeps the length, and loses ten to twenty steps. It helps to shorten the gradient before it enters $m$ and $v$.
NVIDIA's version, NVLAMB, does: if the norm of all gradients of the model together is above 1, all are divided by it.
That is `max_grad_norm`, off here as in the paper.

## Decay under a ratio

The decay is a term of $u$, so $r$ scales it too: per step, $\theta$ loses $\alpha\, r\, \lambda$ of itself, not
$\alpha\lambda$. For a linear layer with weights of 0.02 and $u$ of size 1, $r = 0.02$: a fiftieth of AdamW's decay at
the same $\alpha$, and the same decay at the same length of steps. A scale of size 1 has $r = 1$ and decays fifty
times as fast. [Trust ratios](../trust.py) works out where the length of a weight then comes to rest.

## 76 minutes, and who else can do it

You et al. trained BERT-Large in 8599 steps and 76 minutes, with batches of 65 536 and then 32 768, without loss of
quality. Three days had been usual. LARS, they write, does poorly on models with attention.

The hardware explains the minutes: those three days were on 16 chips, and a TPUv3 pod has 1024. LAMB's part in it was
that such batches worked at all, and that is in dispute. Nado et al. (2021, arXiv 2102.06356) took the same task with
batches of 32k and an Adam whose hyper-parameters and regularization were tuned: F1 of 91.58 on SQuAD 1.1, which they
count as matching or exceeding LAMB. Nobody, they say, had compared the two with equal care before.

We can look at a small thing only, [the plain network of LARS's chapter](lars.py) with batches of 479, 120 steps,
linear warm-up and decline. Pixels are divided by 16. The test is on the last 360 images of one permutation, the same
for all seeds. $\lambda = 0.01$, but 0 for biases and scales: they follow Adam with the same $\alpha$. Accuracy in per
cent for three seeds:

| $\alpha$ | AdamW | LAMB |
|---:|---:|---:|
| 0.001 | 82.5, 82.5, 83.6 | |
| 0.003 | 93.3, 93.6, 93.1 | 49.7, 48.1, 53.6 |
| 0.01 | 95.8, 96.4, 96.4 | 80.0, 81.9, 83.1 |
| 0.03 | 94.4, 95.6, 97.2 | 97.2, 96.4, 96.7 |
| 0.1 | | 7.8, 14.7, 9.4 |

At its best LAMB is level with AdamW. Its best point is one step from a cliff, and AdamW's valley is the wider one.
With batch normalization in the network both have 98.6, 98.9, 98.6, at $\alpha = 0.01$, and LAMB at 0.1 still 98.1,
97.5, 97.8.

## Conventions

Differences are after 100 noisy steps with $\alpha = 0.02$, $\lambda = 0.01$.

- **Clipping.** timm is NVLAMB, with `max_grad_norm=1.0`: 0.05 from here. With the same bound the two agree.
- **Correction.** pytorch_optimizer follows a version of the paper without the corrections of $m$ and $v$: 0.34 from
  here. The ratio would divide the missing factor out, were it not for $\lambda\theta$ and for tensors with $r = 1$.
- **$\phi$.** The paper leaves it open. pytorch_optimizer bounds $\lVert\theta\rVert$ by 10, here that is
  `max_norm=10`. An embedding of 30 000 words of width 1024 has a norm of 111 with weights of 0.02. It would move by a
  tenth of what $\alpha$ says.
- **A bound of the ratio.** timm's `trust_clip` is `max_ratio=1`.
- **Decay.** A number is a term of $u$, as in the paper and timm. pytorch_optimizer's number is decoupled.
- **Defaults** are the paper's $\varepsilon = 10^{-6}$ and $\lambda = 0.01$.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.pieces import Member, working_dtype
from labml_nn_optim.stacks import norm_of_each
from labml_nn_optim.trust import decay_inside, decay_update, quotient
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["LAMB"]


class LAMB(GenericAdaptiveOptimizer):
    r"""Adam whose steps are scaled, tensor by tensor, to the norm of the weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$; with 0 a first gradient of zero gives NaN
    - `weight_decay`: a number, $\lambda$ of a term of the update, or a
      [WeightDecay](../weight_decay.py#WeightDecay); a group with 0 has no ratio
    - `max_norm`: the largest $\phi(\lVert\theta\rVert)$, or `None` for no bound
    - `max_ratio`: the largest ratio, or `None` for no bound
    - `max_grad_norm`: the norm of all gradients together from which on they are shortened, or `None`
    - `always_adapt`: whether groups without decay have a ratio, too
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`: it
      needs whole tensors

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    You et al. (2019), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: WeightDecay | float = 1e-2,
        max_norm: float | None = None,
        max_ratio: float | None = None,
        max_grad_norm: float | None = None,
        always_adapt: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "max_norm": max_norm,
            "max_ratio": max_ratio,
            "max_grad_norm": max_grad_norm,
            "always_adapt": always_adapt,
            "divisor": 1.0,
        }
        decay = decay_inside(weight_decay)
        super().__init__(params, own | dict(defaults or {}), lr, betas, eps, decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        for name in ("max_norm", "max_ratio", "max_grad_norm"):
            if group[name] is not None:
                require_number(name, group[name], above=0.0)
        require_flag("always_adapt", group["always_adapt"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Find by what all gradients are divided, if their norm is bounded: one number for all groups.

        On a GPU the step waits for it.
        """
        bounds = [group["max_grad_norm"] for group, _ in work]
        if all(bound is None for bound in bounds):
            return
        total = norm_of_all(member.grad for _, members in work for member in members)
        for (group, _), bound in zip(work, bounds, strict=True):
            group["divisor"] = 1.0 if bound is None else max(1.0, total / float(bound))

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections, $1 - \beta_1^t$ and $\sqrt{1 - \beta_2^t}$."""
        beta1, beta2 = group["betas"]
        return {"correction1": 1 - beta1**step, "correction2": math.sqrt(1 - beta2**step)}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape, each with a ratio of its own."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        if group["max_grad_norm"] is not None:
            grad = grad.div(group["divisor"])
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$ and $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # $u_t = \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$
        denominator = exp_avg_sq.sqrt().div_(group["correction2"]).add_(group["eps"])
        update = exp_avg.div(group["correction1"]).div_(denominator)
        # $u_t + \lambda \theta_{t-1}$, or a decoupled decay of $\theta$
        update = decay_update(self.weight_decay, param, grad, update, group)
        if group["always_adapt"] or not is_zero(group["weight_decay"]):
            # $r = \phi(\lVert\theta\rVert) / \lVert u \rVert$
            norm = norm_of_each(param)
            if group["max_norm"] is not None:
                norm = norm.clamp_max(group["max_norm"])
            ratio = quotient(norm, norm_of_each(update))
            if group["max_ratio"] is not None:
                ratio = ratio.clamp_max(group["max_ratio"])
            update.mul_(ratio)
        # $\theta_t = \theta_{t-1} - \alpha\, r\, u$
        param.sub_(update.mul_(group["lr"]))


def norm_of_all(tensors: Iterable[Tensor]) -> float:
    """Return the Euclidean norm of all tensors together, which may lie on several devices."""
    found = defaultdict(list)
    for each in tensors:
        norm = torch.linalg.vector_norm(each, dtype=working_dtype(each.dtype))
        found[norm.device, norm.dtype].append(norm)
    return math.hypot(*(float(torch.stack(norms).norm()) for norms in found.values()))


# ## Choosing, and when not to
#
# - `lr`: the part of its length that a tensor moves in a step, so 0.001 to 0.03, with a warm-up. AdamW's number
#   divided by the size of the weights is a first guess: $0.0003 / 0.02 = 0.015$.
# - `betas`, `eps`: Adam's.
# - Put biases and scales into a group with `weight_decay=0`. They follow Adam then. Give them Adam's `lr` if LAMB's
#   is above 0.01.
# - `max_grad_norm=1.0` is worth it wherever you would clip for Adam.
#
# Take it for very large batches if you have numbers for LAMB from somewhere. If you start from nothing, tune AdamW.
#
# ## Traps
#
# - **Tensors of zeros.** $r = 1$ for the first step, which is Adam's: every element moves by $\alpha$. From then on
#   the tensor grows by the part $\alpha$ a step at most.
# - **$\lambda = 0$ is Adam.** A sweep over $\lambda$ that includes 0 wants `always_adapt=True`.
# - **One tensor or three.** Queries, keys and values in one matrix share a ratio.
# - **A checkpoint of AdamW** loads without a word, and brings along its $\alpha$, its $\varepsilon$ and its decoupled
#   decay.
# - **Gradients that have died out.** Below $\varepsilon = 10^{-6}$ Adam's quotient shrinks, but $r$ makes up for it:
#   the tensor goes on moving by $\alpha$, driven by what is left, which may be rounding errors.
# - **With `max_grad_norm` a GPU waits once in a step** for the norm of all gradients. Under a loss scale, unscale
#   first.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), biases with decay and a ratio, too. The search chose $\alpha = 0.01$.
# Both neighbours have about twice the held-out loss, 96 % more at 0.003 and 100 % more at 0.03, and the default of
# 0.001 has 6.3 times as much. [AdamW](adamw.py)'s loss is only 25 % higher at a third of its best rate, but three
# times that rate learns nothing. So LAMB's valley is narrow on both sides, as on the plain network above, and its
# walls are no cliffs.
#
# The accuracies are 99.36, 99.33 and 99.44 %, AdamW's 99.30 to 99.40 %: not to be told apart. [LARS](lars.py), with
# 99.24 to 99.29 %, is below all three.
#
# The first update is 0.139 long in all seeds, 1 % of the weights' length, and the 16th still 0.140. AdamW's are 1.8 and
# 0.4. LAMB begins slower: the mean training loss of the steps 2 to 112 is 0.56, AdamW's 0.34 to 0.36. In the
# third epoch it still moves twice as far in a step (median length 0.055, AdamW 0.023 to 0.027), and has a higher
# training loss (0.015 to 0.016; 0.011 to 0.012).
#
# [On CIFAR-10](../../experiments/cifar.py) the search (one epoch, one seed) chose 0.01 again, and the valley is wide
# on the right: the held-out loss is 2 % higher at 0.03, 29 % at 0.003, and 61 % at 0.001, the default. The accuracies
# of three seeds are 79.0, 79.0 and 79.5 %, which just overlap with AdamW's 79.3 to 80.3 %. A batch is 128 images
# there. LAMB is made for batches of thousands, and neither experiment has any.
#
# ## Exercises
#
# **1.** Two layers, each a vector of two numbers: $(3, 4)$ and $(0.03, 0.04)$. Both have a gradient whose signs are
# $(+, -)$. How far do they go in the first step with $\alpha = 0.1$ and no decay, under Adam and under LAMB?
#
# ::: solution
# Adam: $0.1 \sqrt 2 = 0.14$ both. LAMB: a tenth of their lengths, 0.5 and 0.005.
#
# ```python
# import torch
# from labml_nn_optim import LAMB, Adam
#
#
# def lengths(kind, **arguments):
#     large = torch.nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
#     small = torch.nn.Parameter(torch.tensor([0.03, 0.04], dtype=torch.float64))
#     before = [large.detach().clone(), small.detach().clone()]
#     large.grad, small.grad = large.new_tensor([1.0, -2.0]), small.new_tensor([50.0, -7.0])
#     kind([large, small], lr=0.1, weight_decay=0.0, **arguments).step()
#     return [(now - then).norm().item() for now, then in zip([large, small], before)]
#
#
# assert all(abs(length - 0.1414) < 1e-3 for length in lengths(Adam))
# large, small = lengths(LAMB, always_adapt=True)
# assert abs(large - 0.5) < 1e-9 and abs(small - 0.005) < 1e-9
# ```
# :::
#
# **2.** All gradients of a run are multiplied by 1000. What changes for LAMB with $\varepsilon = 0$? And with
# `max_grad_norm=1`?
#
# ::: solution
# Nothing without the bound: Adam divides the factor out. With it, gradients whose norm was below 1 are now above, and
# are cut to 1. Long and short gradients then count the same in $m$ and $v$.
# :::

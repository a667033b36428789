r"""
---
title: Adafactor
summary: >-
  Adafactor keeps the second moments of a matrix as one number a row and one a column, takes steps relative to
  the size of the weights, and needs next to no memory.
paper:
  title: "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost"
  authors: Noam Shazeer, Mitchell Stern
  year: 2018
  arxiv: "1804.04235"
  venue: ICML
chapter: "6.4"
needs: [stacks, optimizers/adam, optimizers/stable_adamw]
symbols:
  \theta: param
  g: grad
  R: row_var
  C: col_var
  V: variance
  u: update
  \rho_t: relative
  d: d
verified_against:
  implementation: torch.optim.Adafactor 2.14.1
  difference: 4e-16 over 100 noisy steps in float64
---

# Adam remembers twice what it trains

A model of 7 billion weights takes 28 GB in float32. [Adam](adam.py) adds two numbers a weight: 56 GB more. The state
of one $768 \times 3072$ matrix:

| | bytes | bytes a weight | for 7 billion weights |
|---|---:|---:|---:|
| Adam | 18 874 368 | 8.000 | 56 GB |
| SGD with momentum | 9 437 184 | 4.000 | 28 GB |
| [Adam-mini](adam_mini.py) | 9 440 256 | 4.001 | 28 GB |
| Adafactor | 15 360 | 0.0065 | 0.05 GB |

Adafactor drops $m$, and keeps of $v$ the means of its rows and of its columns: $768 + 3072$ numbers in the place
of 2.4 million. From these it guesses the rest.

## The update rule

For a matrix, with $w_t = t^{-0.8}$:

$$
\begin{aligned}
R_t &= (1 - w_t)\, R_{t-1} + w_t \operatorname{mean}_{\text{columns}} g_t^2, &
C_t &= (1 - w_t)\, C_{t-1} + w_t \operatorname{mean}_{\text{rows}} g_t^2 \\
V_t &= \frac{R_t\, C_t^\top}{\max(\operatorname{mean} R_t,\, \varepsilon_1)}, &
u_t &= \frac{g_t}{\max(\sqrt{V_t},\, \varepsilon_1)} \\
\alpha_t &= \max(\varepsilon_2,\, \operatorname{RMS} \theta_{t-1})\, \rho_t, &
\rho_t &= \min\left(\alpha, \frac{1}{\sqrt t}\right) \\
\theta_t &= \theta_{t-1} - \alpha_t\, \frac{u_t}{\max(1,\, \operatorname{RMS}(u_t) / d)}
\end{aligned}
$$

A vector keeps all of $V_t$, as an average of $g_t^2$ with the same weights. $\operatorname{RMS}$ is the root mean
square of a tensor, $\alpha = 0.01$, $d = 1$, $\varepsilon_2 = 0.001$, and $\varepsilon_1$ is tiny.

## A matrix from its margins

Which $V_{ij} = r_i c_j$ is closest to a matrix $S$ of mean squares? By squared differences it is given by singular
vectors, and finding those takes all of $S$. The paper takes the generalized Kullback-Leibler divergence,

$$
D(r, c) = \sum_{ij} \left( S_{ij} \log \frac{S_{ij}}{r_i c_j} - S_{ij} + r_i c_j \right)
$$

Set the derivatives by $r_i$ and by $c_j$ to zero:

$$
-\frac{1}{r_i} \sum_j S_{ij} + \sum_j c_j = 0, \qquad -\frac{1}{c_j} \sum_i S_{ij} + \sum_i r_i = 0
$$

So $r_i$ is a row sum over $\sum_j c_j$, and $c_j$ a column sum over $\sum_i r_i$. Sum the first equation times
$r_i$ over all rows: $\sum_i r_i \sum_j c_j = \sum_{ij} S_{ij}$. Then

$$
r_i c_j = \frac{\sum_j S_{ij}\, \sum_i S_{ij}}{\sum_{ij} S_{ij}}
= \frac{R_i\, C_j}{\operatorname{mean} R}
$$

with means for sums. (In $\log r_i$ and $\log c_j$ the divergence is convex, so this is the minimum.) Row and column
means are linear in $S$, so the two lists can be averaged over time, and $S$ itself is never built.

If $S$ is of rank one, nothing is lost. From $\begin{pmatrix} 1 & 4 \\ 9 & 36 \end{pmatrix}$ the lists are
$(2.5, 22.5)$ and $(5, 20)$, the mean is 12.5, and $2.5 \cdot 5 / 12.5 = 1$. From
$\begin{pmatrix} 101 & 1 \\ 1 & 101 \end{pmatrix}$ the lists say 51 everywhere.

## What the lists lose

Real second moments lie between the two. A network of the sizes 64, 128, 128, 10 learns scikit-learn's digits, all
pixels divided by 16, with Adam, $\alpha = 0.001$, in batches of 64. How far is Adam's $v$ from the matrix $V$ that its
margins give, $\lVert V - v \rVert / \lVert v \rVert$? And how many weights get a divisor within a factor of 2 of
Adam's? (Medians of three seeds; weights that never had a gradient are left out.)

| | first layer | second | third |
|---|---:|---:|---:|
| error in step 1 | 0.65 | 0.64 | 0.63 |
| in step 20 | 0.48 | 0.37 | 0.50 |
| in step 200 | 0.18 | 0.17 | 0.39 |
| of the best rank-one matrix, step 200 | 0.18 | 0.17 | 0.38 |
| divisors within a factor of 2, step 200 | 94 % | 93 % | 90 % |
| with one number a row | 63 % | 82 % | 77 % |
| with one number a column | 89 % | 86 % | 79 % |
| with one number for all | 58 % | 75 % | 69 % |

The squares of one gradient are far from rank one, and the average of many is closer to it. In step 1 only 60 to 64 %
of the divisors are within a factor of 2. What is lost in step 200 sits in a few weights: in the second layer the
worst $\sqrt V$ is 49 to 68 times too small, and that weight's steps are as many times too long.

## A memory that grows

$w_1 = 1$: the first squares are taken as they are, and no correction is needed. Then $w_t$ falls, and $V$ remembers
about $1 / w_t$ steps: 6 in step 10, 40 in step 100, 251 in step 1000. Adam's 1000 are reached in step 5623. A short
memory is up to date but noisy. This one is short while gradients change fast, and long when they settle.

## Steps relative to the weights

Without $\operatorname{RMS} \theta$ a step would move every weight by about $\rho_t$, as Adam's do. With it,
$\rho_t = 0.01$ means 1 % of the tensor's size. These are first steps, of Gaussian gradients:

| | size | moves by |
|---|---:|---:|
| `Linear(768, 3072).weight` | 0.0208 | 0.000 208 |
| scale of a LayerNorm | 1 | 0.01 |
| `Embedding`, torch's initialization | 1 | 0.01 |
| bias of zeros | 0 | 0.000 01 |

If somebody initializes an embedding ten times larger and multiplies its output by 0.1, the steps grow along. Adam's
would not. The price is that a small tensor grows like a bank account. Weights that start at 0, pushed the same way in
each step, reach 0.001 after 100 steps, 0.01 after 332, 0.1 after 563 and 1 after 795.

## Why there is a limit

Without momentum the update is $g_t / \sqrt{V_t}$, and nothing smooths it. When gradients jump from 0.01 to 1 after
3000 steps, the experiment of [StableAdamW](stable_adamw.py), the next step is 23.9 times as long as usual. With
$d = 1$ it is 1.0 times as long, and so are all that follow.

Even on noise of one size the limit is in use in about half of the steps of a matrix (138 to 142 of the first 300 for
$64 \times 64$, three seeds). The RMS of the step is then $\alpha_t$.

## Conventions

- **$\alpha$.** The paper has $\rho_t = \min(0.01, 1 / \sqrt t)$ and no learning rate. torch puts `lr` in the place
  of 0.01, and so does this. timm and Transformers have the paper's $\rho_t$ if `lr` is `None`. A number timm uses
  without $\operatorname{RMS} \theta$: after 100 noisy steps with 0.01 the weights are 0.07 apart. In Transformers
  `scale_parameter` and `relative_step` are two switches. For fine-tuning T5 the advice there is to turn both off and
  take a constant $10^{-3}$. `warmup_init` puts $10^{-6}\, t$ for 0.01.
- **$\varepsilon_1$.** The paper and the others add $10^{-30}$ to each square. torch floors $\sqrt V$ and the mean of
  $R$, with the spacing of numbers at 1, $1.2 \cdot 10^{-7}$ in float32. See the traps. On gradients of size 1 that
  makes no difference: timm with `lr=None` and this are $4 \cdot 10^{-16}$ apart after 100 steps in float64.
- **What is a matrix.** torch takes the last two dimensions of everything that has two. So a kernel of
  $512 \times 512 \times 3 \times 3$ becomes 262 144 matrices of $3 \times 3$, with 6 numbers for 9. A
  $1 \times 1$ kernel has two numbers for each weight, twice Adam's $v$. timm takes the first two dimensions of a
  kernel if both are over 16, its AdafactorBigVision the two largest. State of ResNet-18 in bytes a weight: 2.63 here
  and in torch, 0.03 in timm.
- **Momentum.** None in torch and here. timm and Transformers have it as `beta1`, off by default, over updates that
  include $\alpha_t$; it costs 4 bytes a weight. pytorch_optimizer has $\beta_1 = 0.9$ in bfloat16: 0.06 from here
  after 100 steps, and $4 \cdot 10^{-16}$ with `lr=None, betas=(None, 0.999)`. timm's AdafactorBigVision keeps it in
  bfloat16, too, and has no $\operatorname{RMS} \theta$, no limit unless asked, and a memory of at most 1000 steps.
- **Decay** is times `lr` in torch and here, before the step, whatever $\rho_t$ is. In timm and Transformers it is
  times $\alpha_t$, size of the tensor included: with $\lambda = 0.1$ a tensor of size 0.1 loses a share of $10^{-4}$
  in the first step there, and $10^{-3}$ here.
- **Half precision.** Here it is computed in float32, and $\varepsilon_1$ is float32's. torch works in bfloat16, where
  $\varepsilon_1 = 0.0078$: a first step with gradients of $10^{-4}$ has 0.011 of its length.

## What comparisons found

The authors trained a Transformer on WMT 2014 English to German for 100 000 steps. Replacing Adam's second moment
by the lists gave similar results in all cases that they tried. Without momentum, with the limit and the growing
memory, they were comparable to Adam's.

Zhao et al. (arXiv 2407.07972) tuned SGD, Adafactor, Adam and Lion for language models of several sizes. Except for
SGD all were comparable, in the best loss and in how much a wrong learning rate costs. Adafactors differ, as listed
above, so look up which one a comparison has used. What relative steps contribute and what the lists cost is not told
apart.
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
from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adafactor"]


class Adafactor(GenericAdaptiveOptimizer):
    r"""Steps relative to the size of the weights, with a second moment of rank one.

    - `params`: parameters or groups of them
    - `lr`: the most that $\rho_t = \min(\alpha, 1 / \sqrt t)$ may be, a number or a tensor of one
      element
    - `beta2_decay`: the power $c \le 0$ in the weight $t^c$ of the newest square
    - `eps`: $(\varepsilon_1, \varepsilon_2)$. The first is the least $\sqrt V$ and the least mean of $R$,
      `None` is the spacing of numbers at 1; the second is the least size of a tensor
    - `d`: the largest root mean square of an update, over 0
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: a number for each row and each column of a matrix, one tensor of its shape for a vector or a
    complex parameter.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Shazeer and Stern (2018), algorithms 4 and 5, in the form of `torch.optim.Adafactor`.
    """

    elementwise = False
    beta_count = 0
    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"beta2_decay": beta2_decay, "eps": eps, "d": d} | dict(defaults or {})
        super().__init__(params, own, lr, weight_decay=weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("beta2_decay", group["beta2_decay"], minimum=None, maximum=0.0)
        require_number("d", group["d"], above=0.0)
        eps = group["eps"]
        if not isinstance(eps, tuple | list) or len(eps) != 2:
            raise TypeError(f"eps must be two numbers, the first may be None, got {eps!r}")
        if eps[0] is not None:
            require_number("eps[0]", eps[0])
        require_number("eps[1]", eps[1])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start $R$ and $C$ at zero, or all of $V$ for what is no matrix."""
        if param.dim() > 1 and not param.is_complex():
            state["row_var"] = param.new_zeros(*param.shape[:-1], 1)
            state["col_var"] = param.new_zeros(*param.shape[:-2], 1, param.shape[-1])
        else:
            state["variance"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the weight of the newest squares and the relative step $\rho_t$."""
        return {
            "weight": step ** group["beta2_decay"],
            "relative": min(group["lr"], 1 / math.sqrt(step)),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        least, least_size = group["eps"]
        least = torch.finfo(param.dtype).eps if least is None else least
        # $\alpha_t = \rho_t \max(\varepsilon_2, \operatorname{RMS}(\theta_{t-1}))$
        size = mean_of_each(param.square()).sqrt_().clamp_min_(least_size)
        grad = self.weight_decay(param, grad, group)
        # $V_t$, and the update before it is shortened: $g_t / \sqrt{V_t}$
        variance = _second_moment(state, grad, group["weight"], least)
        update = variance.clamp_min(least * least).rsqrt_().mul_(grad)
        # $u_t / \max(1, \operatorname{RMS}(u_t) / d)$
        excess = mean_of_each(update.square()).sqrt_().div_(group["d"]).clamp_min_(1.0)
        param.sub_(update.mul_(size.div_(excess).mul_(group["relative"])))


def _second_moment(state: dict[str, Any], grad: Tensor, weight: float, least: float) -> Tensor:
    square = grad.square()
    if "variance" in state:
        variance: Tensor = state["variance"]
        return variance.lerp_(square, weight)
    rows: Tensor = state["row_var"]
    columns: Tensor = state["col_var"]
    rows.lerp_(square.mean(dim=-1, keepdim=True), weight)
    columns.lerp_(square.mean(dim=-2, keepdim=True), weight)
    # $V_{ij} = R_i C_j / \operatorname{mean}(R)$
    return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_min(least))


# ## Choosing, and when not to
#
# - `lr`: 0.01 is the paper's, and means 1 % of a tensor's size. A warm-up and a schedule multiply it. In the short runs
#   below 0.1 was best.
# - `weight_decay`: it is times $\alpha$, which is ten times AdamW's or more. Divide $\lambda$ by as much.
# - `d`: 1. A larger limit lets jumps through.
# - `beta2_decay`: $-0.8$. Nearer to 0 the memory is shorter.
# - `eps`: `(1e-15, 1e-3)` for models with small gradients, see below. Lower the second number if a tensor has to stay
#   smaller than 0.001 for long.
#
# Take it if the state of Adam does not fit. If 4 bytes a weight do fit, [Lion](lion.py) and [Adam-mini](adam_mini.py)
# spend them on momentum. If 8 do, there is no reason to guess second moments. Of $3 \times 3$ convolutions this keeps
# two thirds of $v$: take timm's Adafactor there.
#
# ## Traps
#
# - **Small gradients lose their size.** $\varepsilon_1$ floors the mean of $R$, which is a mean of squares. In
#   float32 that begins at gradients of $3.5 \cdot 10^{-4}$. $V$ is then too small, every $u_t$ too large, and the
#   limit cuts each step to the same length. (A gradient clipped to norm 1 in a model of a billion weights has
#   elements of $3 \cdot 10^{-5}$.) Gradients half as large as in the 299 steps before should make a step of
#   $0.5\, \alpha_t$. In units of $\alpha_t$ it is
#
#   | size of the gradients | 0.001 | $10^{-4}$ | $10^{-6}$ | $10^{-8}$ |
#   |---|---:|---:|---:|---:|
#   | default | 0.50 | 1.00 | 1.00 | 0.04 |
#   | `eps=(1e-15, 1e-3)` | 0.50 | 0.50 | 0.50 | 1.00 |
#
#   With the default and $10^{-8}$ the floor of $\sqrt V$ shortens the steps before it, too, to 0.08. torch's default
#   does the same. With `eps=(1e-30, 1e-3)`, the number from the paper, $\varepsilon_1^2$ is 0 in
#   float32, and a gradient of zero gives NaN, in torch as well.
# - **A large `lr` is cut.** $1 / \sqrt t$ is below 0.1 from step 101 on, and below 0.01 from step 10 001 on, whatever
#   a schedule wants.
# - **Tensors of zeros start slowly**: gates, and the last layer of a residual branch if it starts at 0. A tensor of
#   one weight crosses zero in steps of 0.00001.
# - **Clipping the norm of the gradient** does nothing to a tensor if every batch is cut to the same norm:
#   $u$ does not depend on a constant factor.
# - **Room for a step.** $V$ and $u$ are built for one stack at a time, so the largest tensor decides how much it is.
# - **A checkpoint of Adam** lacks `row_var` and `col_var` and is refused. One of torch's Adafactor goes on as it was.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.1$, ten times the default,
# which has 2.2 times the held-out loss. At 0.03 the loss is 15 % higher, at 0.3 19 %. That is a wide valley,
# in part because large rates are cut: $1 / \sqrt t$ is below the schedule, a straight line from $\alpha$ to
# 0, in 29 % of the search's 782 steps with 0.1, and in 86 % with 0.3. Of the 2814 steps of the runs it is
# 75 % with 0.1.
#
# The accuracies are 99.35, 99.39 and 99.39 % (median 99.39). [AdamW](adamw.py)'s, 99.30 to 99.40 %, overlap
# with them. The losses on the test images do not: 0.0207 to 0.0217, AdamW's 0.0183 to 0.0200. Nor does the
# training loss of the third epoch, 0.0153 to 0.0155 and 0.0105 to 0.0122. The state is 12 590 numbers, Adam's
# 862 160. Whether the lists or the missing momentum cost this, the runs do not show.
#
# [On CIFAR-10](../../experiments/cifar.py) the search (one epoch, one seed) chose 0.1 again; at the default, 0.01, the
# held-out loss is 38 % higher. With three seeds Adafactor begins slowly: the mean training loss of the steps 2 to 112
# is 1.87 to 1.89, AdamW's 1.57 to 1.63, and after the first epoch it has 56.2 to 60.0 %, AdamW 65.0 to 66.4 %. It ends
# nearer, but still behind, with 77.8, 78.3 and 78.7 %, AdamW with 79.3 to 80.3 %. Nearly all weights are in kernels of
# $3 \times 3$, so the state is still a third of Adam's.
#
# ## Exercises
#
# **1.** After how many steps does a bias that starts at 0 reach 0.1, if its gradient is $-1$ in every step?
#
# ::: solution
# Below 0.001 a step is $0.01 \cdot 0.001$ long, so that takes 100 steps. From there each step is 1 % of what is
# there: $100 + \ln 100 / \ln 1.01 = 562.8$.
#
# ```python
# import torch
# from labml_nn_optim import Adafactor
#
# bias = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
# optimizer = Adafactor([bias])
# steps = 0
# while bias[0].item() < 0.1:
#     bias.grad = -torch.ones_like(bias)
#     optimizer.step()
#     steps += 1
# assert steps == 563
# ```
# :::
#
# **2.** Check with random factors that no rank-one matrix has a smaller divergence from $S$ than the one that the
# margins give.
#
# ::: solution
# ```python
# import torch
#
# torch.manual_seed(0)
# squares = torch.rand(5, 7, dtype=torch.float64)
#
#
# def divergence(matrix):
#     return (squares * (squares / matrix).log() - squares + matrix).sum()
#
#
# rows, columns = squares.mean(1), squares.mean(0)
# best = torch.outer(rows, columns) / rows.mean()
# for _ in range(1000):
#     rows_factor, columns_factor = torch.rand(5).double() + 0.5, torch.rand(7).double() + 0.5
#     other = torch.outer(rows * rows_factor, columns * columns_factor) / rows.mean()
#     assert divergence(best) < divergence(other)
# ```
# :::
#
# **3.** A tensor of a thousand weights has $|u| = 1$ everywhere but in one weight, where it is 40. How far does that
# weight move, and how far do the others, in units of $\alpha_t$?
#
# ::: solution
# $\operatorname{RMS} u = \sqrt{(999 + 1600) / 1000} = 1.61$. The others move by $1 / 1.61 = 0.62$, this one by 24.8.
# The limit holds for the tensor as a whole. A single weight may move up to $\sqrt{1000} = 31.6$.
# :::

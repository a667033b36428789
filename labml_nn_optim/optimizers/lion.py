r"""
---
title: Lion
summary: Lion moves every weight by exactly the learning rate, along the sign of a mixture of its momentum and its newest gradient.
paper:
  title: Symbolic Discovery of Optimization Algorithms
  authors: Xiangning Chen, Chen Liang, Da Huang, Esteban Real, Kaiyuan Wang, Yao Liu, Hieu Pham, Xuanyi Dong, Thang Luong, Cho-Jui Hsieh, Yifeng Lu, Quoc V. Le
  year: 2023
  arxiv: "2302.06675"
  venue: NeurIPS
chapter: "4.1"
needs: [optimizers/signum, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  c: mixture
  \beta_1: beta1
  \beta_2: beta2
  \alpha: lr
verified_against:
  implementation: timm.optim.Lion 1.0.31
  difference: 0 over 100 noisy steps in float64
---

# A rule found by search

Write AdamW, without its corrections and $\varepsilon$, as a program of nine statements. Insert one at random, or
delete or change one, train a small network with what comes out, and go on from the better programs. The authors did
that, with 45 functions to choose from, for three days on 100 chips and some 250 000 programs. They chose this one, in
which $v$ is the memory and $m$ a mixture:

| twelve statements | what they do | in Lion |
|---|---|---|
| clip the gradient, take its arcsine | change $g$ | gone: no worse without |
| $m \leftarrow 0.101\, g + 0.899\, v$ | mix gradient and memory | $\beta_1 = 0.9$ |
| $v \leftarrow -0.109\, g + 1.109\, m$ | renew the memory | $\beta_2 = 0.99$ |
| square $m$, take the root, divide $m$ by it | $m / \lvert m \rvert$ | a sign |
| add $0.4602\, \theta$, multiply by 0.0002 and the rate | decay and step | $\lambda$ and $\alpha$ |
| put the hyperbolic cosine of the step into $m$ | nothing, $m$ is overwritten | gone |

Put the second line into the third:

$$
v \leftarrow -0.109\, g + 1.109\, (0.101\, g + 0.899\, v) = 0.003\, g + 0.997\, v
$$

The memory is an average with a slow decay. The paper rounds it, $0.9 \cdot 1.1 = 0.99$.

Winning on a small network means little, so programs had to win again on tasks 10 and 100 times as large.

## The update rule

$$
\begin{aligned}
c_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
\theta_t &= (1 - \alpha \lambda)\, \theta_{t-1} - \alpha \operatorname{sign}(c_t) \\
m_t &= \beta_2 m_{t-1} + (1 - \beta_2)\, g_t
\end{aligned}
$$

with $m_0 = 0$, $\beta_1 = 0.9$ and $\beta_2 = 0.99$. From here on $m$ is the memory and $c$ the mixture. There is no
$\varepsilon$, and one tensor of state: 4 MB for a million weights, where AdamW has 8. $m$ is not corrected for its
start.

## One average has two jobs

[Signum](signum.py) takes the sign of $m_t$ itself. Its one $\beta$ decides how long gradients are remembered and
how much the newest one counts. Lion parts the two. Put $m_{t-1} = (m_t - (1 - \beta_2)\, g_t) / \beta_2$ into $c_t$:

$$
c_t = \frac{\beta_1}{\beta_2}\, m_t + \left( 1 - \frac{\beta_1}{\beta_2} \right) g_t
$$

Lion is Signum with the long memory $\beta_2$, and 9 % of the newest gradient mixed in, as in Nesterov's momentum.
For $\beta_1 = \beta_2$ it is Signum. What does that change?

| | progress in noise | overshoot | swing | swing in noise |
|---|---:|---:|---:|---:|
| Signum, $\beta = 0.9$ | 0.34 | 10 | 2.1 | 44 |
| Signum, $\beta = 0.99$ | 0.84 | 99 | 3.9 | 78 |
| Lion | 0.60 | 90 | 1.2 | 57 |

All in units of $\alpha$. *Progress* is the mean step for gradients of mean 0.1 with Gaussian noise of size 1. For the
rest, a weight comes down $\frac{1}{2} \theta^2$ with $\alpha = 0.001$. It runs past the bottom by the overshoot, and
swings to and fro for good: so far in the end without noise (mean of 4000 starts), and with noise of size 1 (root
of the mean square).

Memory averages noise away: $c_t$ has 8.4 times less of it than a gradient, $m_t$ 4.4 times with 0.9 and 14.1 times
with 0.99. Memory also overshoots. Near the bottom the newest gradient tells the sides apart, and without noise Lion
swings least. On vision transformers the authors tried Signum with either $\beta$, and both did worse than Lion and
than Adam's relatives.

## The first steps are signSGD

$m$ starts at zero and fills slowly. The share of the newest gradient in $c_t$ is 100 % in step 1, 56 % in step 10,
and 15 % in step 100. Progress, in the noise of the table, is 0.08, 0.14 and 0.43 there. All these steps are $\alpha$
long, so warm up $\alpha$ over some hundred of them.

## A smaller rate, a larger decay

A step of Lion is $\alpha$ long. Adam's depends on the noise. Let a gradient be $S$ plus noise of size 1 (steps are
root mean squares, in $\alpha$):

| $S$ | Adam's step | Adam's progress | Lion's step | Lion's progress |
|---:|---:|---:|---:|---:|
| 0.03 | 0.23 | 0.03 | 1 | 0.20 |
| 0.1 | 0.25 | 0.10 | 1 | 0.60 |
| 0.3 | 0.36 | 0.29 | 1 | 0.99 |
| 1 | 0.73 | 0.71 | 1 | 1.00 |

Where noise dominates, Lion's steps are 4 times as long with the same $\alpha$, make 6 times the progress, and in pure
noise stray 6.5 times as far in 2000 steps. The authors advise an $\alpha$ 3 to 10 times smaller than AdamW's. At
$S = 1$ the steps differ by a factor of 1.4, so no number fits a whole run.

Decay is multiplied by $\alpha$, so $\lambda$ has to grow by the factor by which $\alpha$ shrinks. In 2000 steps AdamW
with $\alpha = 0.001$ and $\lambda = 0.1$ takes a weight from 1 to 0.82. So does Lion with 0.0001 and 1. With 0.0001
and 0.1 it leaves 0.98.

## The decay is a wall

Write the update as

$$
\theta_t = (1 - \alpha\lambda)\, \theta_{t-1} + \alpha\lambda\, z_t,
\qquad z_t = -\frac{\operatorname{sign}(c_t)}{\lambda}
$$

Each step goes a fraction $\alpha \lambda$ of the way to $z_t$, a corner of the box
$\lvert \theta_i \rvert \le 1 / \lambda$. No weight leaves it from inside. From outside, the distance shrinks at
least by the factor $1 - \alpha\lambda$ in each step. Of all points in the box, $z_t$ is the one where
$\sum_i c_{t,i}\, \theta_i$ is least: this is the method of Frank and Wolfe (arXiv 2506.04192). Chen, Liu and others
(2023, arXiv 2310.05898) show that Lion minimizes the loss inside the box.

Let the loss pull a weight to 3, with $\lambda = 1$ and $\alpha = 0.001$. After 20 000 steps Lion and AdamW stand at
1.00. Add noise of size 10 to the gradient: Lion stays at 0.92, AdamW at 0.26. AdamW's steps have become short, and
the decay has not.

## Batches

Does a sign need large batches? With Gaussian noise it does not: after 2000 steps the ratio of progress to spread is
Adam's at $S = 0.01$, and a better one at $S = 0.1$. With noise that leans to one side it does. Let nine examples of
ten have the gradient 1 and the tenth $-10$: the mean is $-0.1$. Progress per step, for batches of $B$ examples:

| $B$ | Adam | Lion | Lion, were the noise Gaussian |
|---:|---:|---:|---:|
| 1 | 0.03 | 0.03 | 0.20 |
| 4 | 0.06 | 0.28 | 0.39 |
| 16 | 0.12 | 0.69 | 0.69 |
| 64 | 0.24 | 0.97 | 0.96 |

Lion loses 85 % with single examples. Means over a batch are nearly Gaussian, and from 16 on nothing is lost. Whether
this is the reason in real networks is not known.

## Fair comparisons

Wen et al. (2025, arXiv 2509.02046) tuned each optimizer for itself. Best losses of language models on C4, from the
results beside their code, after $20\, n$ tokens for each weight:

| weights, $n$ | AdamW | Lion |
|---|---:|---:|
| 130M, 1 | 3.529 | 3.549 |
| 130M, 8 | 3.261 | 3.251 |
| 520M, 1 | 3.104 | 3.108 |
| 520M, 8 | 2.913 | 2.915 |

The best rates were 0.004 to 0.008 for AdamW with $\lambda$ of 0.1 or 0.2, and 0.0005 to 0.002 for Lion with 0.6 or
0.7. From $\lambda = 0.4$ to 1 Lion's loss varied by 0.01 at most. With a warm-up of only 500 steps, Lion learned
nothing in three of six settings, and AdamW in four.

Semenov et al. (2025, arXiv 2509.01440) vary the batch. With 124M weights Lion is behind AdamW at 16 000 tokens a
batch, and ahead at 262 000. With 720M and a million tokens it is behind again. There $\alpha$ is 0.0002 for Lion and
0.001 for AdamW in their scripts, and $\lambda$ is 0.1 for both. Zhao et al. (2024, arXiv 2407.07972) see no winner
among Adam, Lion and Signum.

The authors report more. With ViT-B/16 on ImageNet the best batch is 256 for AdamW and 4096 for Lion, and at 32 000
the accuracies are 75.4 and 77.9 %. They name cases without gain: ResNets, very large data sets, batches under 64.

## Conventions

- The authors' formula, timm and pytorch_optimizer make the same steps as this class, to the last bit.
  pytorch_optimizer agrees on decay in the gradient, too. That is 0.40 from decoupled decay after 100 noisy steps
  with $\alpha = 0.02$ and $\lambda = 0.1$.
- **bitsandbytes** had the decay in the gradient in its 32-bit kernels, and outside in its 8-bit ones, until July 2026
  (issue 1992).
- **lion-pytorch** has a flag `decoupled_weight_decay`, which divides $\lambda$ by the first rate.
- **Defaults** are those of the authors' code. Keras starts from $\alpha = 0.001$, ten times as much.
- `cautious=True` is timm's `caution=True`: [Cautious updates](../caution.py).
- A complex weight is two numbers here and in timm, so its step is $\sqrt 2\, \alpha$ long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Lion"]


class Lion(GenericAdaptiveOptimizer):
    r"""The sign of a mixture of momentum and gradient.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, how far every weight moves in a step, a number or a tensor of one element
    - `betas`: $(\beta_1, \beta_2)$, each in $[0, 1)$: the share of the momentum in the mixture, and the decay
      rate of the momentum
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    State: one tensor of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Chen et al. (2023), with the defaults of the authors' code.
    """

    has_eps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: WeightDecay | float = 0.0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        super().__init__(params, defaults, lr, betas, weight_decay=weight_decay, **options)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the momentum at zero, with the shape of the parameter."""
        state["exp_avg"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg = state["exp_avg"]
        # Decoupled decay shrinks the weight here and leaves the gradient alone, so no sign sees it.
        grad = self.weight_decay(param, grad, group)
        # $c_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t$, from the momentum of the step before
        mixture = exp_avg.lerp(grad, 1 - beta1)
        # $\theta_t = \theta_{t-1} - \alpha \operatorname{sign}(c_t)$
        param.add_(mixture.sign_(), alpha=-group["lr"])
        # $m_t = \beta_2 m_{t-1} + (1 - \beta_2)\, g_t$
        exp_avg.lerp_(grad, 1 - beta2)


# ## Choosing, and when not to
#
# - `lr`: a fifth of AdamW's for a first try, then a factor of 2 to either side. Divide the whole schedule, its last
#   value too: what remains at the end is as large as the last steps.
# - `weight_decay`: five times AdamW's then. The default is none.
# - `betas`: the authors have $(0.95, 0.98)$ for language models. A smaller $\beta_2$ forgets sooner, and their runs
#   were more stable.
# - A vision transformer (ViT-B/16 on ImageNet, strong augmentation): the authors have $\alpha = 0.0001$ and
#   $\lambda = 10$, for AdamW 0.001 and 1.
# - A language model of 130 to 520 million weights: $\alpha = 0.001$, $\lambda = 0.7$, $\beta = (0.9, 0.95)$ and 2000
#   steps of warm-up were as good as anything in the comparison above for $n = 1$. $\beta_2 = 0.98$ gained 0.011 for
#   130 million and $n = 8$, and broke a run of 520 million. $\beta_1 = 0.98$ failed in five settings of six.
# - Clip the norm of the gradient. Without, those runs lost up to 0.08.
#
# Take it where the second tensor of AdamW does not fit into memory, with large batches. Do not expect a lower loss
# than a tuned AdamW's. Leave it where batches are small and large gradients rare, and where weights are stored in
# bfloat16.
#
# ## Traps
#
# - **Decay in the gradient is another rule.** All it can do is flip a sign. With $\lambda = 0.5$, $\alpha = 0.001$
#   and pure noise of size 10, 1 and 0.1, 2000 steps leave 0.51, 0.00 and 0.00 of a weight. Decoupled, 0.36 to 0.37
#   of each.
# - **Weights in bfloat16 stand still.** Between 0.03125 and 0.0625 neighbours are 0.00024 apart, and a step of
#   0.0001 is rounded away. None above 0.03125 ever moves. Of weights with a standard deviation of 0.02 a step moves
#   88 %, of 0.1 25 %. Decay alone moves none, not even with $\lambda = 10$. timm does the same. Keep the weights in
#   float32, or choose another [rounding](../rounding.py).
# - **A large $\lambda$ is a low wall.** With the $\lambda = 10$ above no weight stays over 0.1. The scale of a
#   normalization layer, 1 at the start, is at 0.43 after 1000 steps of $\alpha = 0.0001$, though each of its
#   gradients says up. Put scales and biases into a group without decay.
# - **It never stands still.** After one gradient of 1 and then zeros, as for a rare row of an embedding, 20 000 steps
#   of 0.0001 carry a weight 2.0 away, for $m$ keeps its sign. The rate has to fall to 0.
# - **The size of a gradient matters for the memory.** After one gradient of 1000, ones of $-1$ need 230 steps
#   until the weight turns.
# - **A checkpoint of AdamW loads without a word.** It brings its `lr`, `weight_decay` and $\beta_2 = 0.999$, to be
#   set again, and leaves its `exp_avg_sq` in memory.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose $\alpha = 0.0003$, a tenth of
# [AdamW](adamw.py)'s 0.003. At 0.001, a third of AdamW's, the held-out loss is 13 % higher; at the default of
# 0.0001 it is 77 %. The authors advise a rate 3 to 10 times smaller than AdamW's; here it is 10. [Signum](signum.py)
# has the lower loss at 0.0003 and 0.001, 0.0389 and 0.0385; Lion has 0.0428 and 0.0482 (one seed).
#
# The accuracies are 99.28, 99.31 and 99.32 % (median 99.31). Signum's, 99.12 to 99.30 %, and AdamW's, 99.30
# to 99.40 %, overlap with them. The losses on the test images do not: 0.0206 to 0.0233, AdamW's 0.0183 to
# 0.0200, Signum's 0.0281 to 0.0358. Lion begins later. The mean loss of the steps 2 to 16 is 1.88 to 2.00,
# Signum's 1.25 to 1.33; in the third epoch it is 0.015 to 0.016, Signum's 0.020 to 0.022. Signum ran with
# three times the rate, so the runs do not show whether rule or rate makes the difference.
#
# [On CIFAR-10](../../experiments/cifar.py) the search (one epoch, one seed) chose 0.001 for Lion and for Signum, a
# third of AdamW's, and the median update of both is 0.341 long. So the rates do not differ there, only the rules.
# After three epochs with three seeds Signum reads 78.9 to 79.1 % of the test images, Lion 76.3 to 77.2 %; AdamW has
# 79.3 to 80.3 %. Lion learns faster at first: over the steps 2 to 112 its mean training loss is 1.53 to 1.55, Signum's
# 1.60 to 1.64. In the third epoch it is behind, with 0.69 to 0.71 and 0.62 to 0.63. Lion's momentum remembers a
# hundred steps, Signum's ten, and a run has 1173. Whether that is the reason was not tried.
#
# ## Exercises
#
# **1.** Run the found program without its clip and its arcsine beside Lion, with the decay rates that follow
# from 0.899 and 1.109.
#
# ::: solution
# $\beta_1 = 0.899$ and $\beta_2 = 0.899 \cdot 1.109$. The program's $v$ is Lion's $m$.
#
# ```python
# import torch
# from labml_nn_optim import Lion
#
# torch.manual_seed(0)
# found = torch.zeros(100, dtype=torch.float64)
# memory = torch.zeros_like(found)
# theta = torch.nn.Parameter(found.clone())
# optimizer = Lion([theta], lr=1.0, betas=(0.899, 0.899 * 1.109))
# for _ in range(200):
#     theta.grad = torch.randn_like(found)
#     mixture = 0.101 * theta.grad + 0.899 * memory
#     memory = -0.109 * theta.grad + 1.109 * mixture
#     found -= mixture / mixture.square().sqrt()
#     optimizer.step()
# torch.testing.assert_close(theta.detach(), found)
# torch.testing.assert_close(optimizer.state[theta]["exp_avg"], memory)
# ```
# :::
#
# **2.** For a long time every gradient was 1. From now on it is $-1$. In which step does the weight turn round?
#
# ::: solution
# After $k$ of the new gradients $m = 2 \cdot 0.99^k - 1$. The next mixture is $0.9\, m - 0.1$, negative as soon as
# $0.99^k < 5/9$. That is $k = 59$, so the weight turns in step 60. Signum needs 69 steps with 0.99, and 7 with 0.9.
#
# ```python
# import torch
# from labml_nn_optim import Lion, Signum
#
#
# def turn(kind, **arguments):
#     theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
#     optimizer = kind([theta], lr=1.0, **arguments)
#     for step in range(-1000, 1000):
#         before = theta.item()
#         theta.grad = torch.full_like(theta, 1.0 if step < 0 else -1.0)
#         optimizer.step()
#         if theta.item() > before:
#             return step + 1
#
#
# assert turn(Lion) == 60
# assert turn(Signum, momentum=0.99) == 69
# assert turn(Signum, momentum=0.9) == 7
# ```
# :::

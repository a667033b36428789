r"""
---
title: CautiousAdamW
summary: CautiousAdamW is AdamW without those parts of its update that point uphill, by the gradient of the moment.
paper:
  title: "Cautious Optimizers: Improving Training with One Line of Code"
  authors: Kaizhao Liang, Lizhang Chen, Bo Liu, Qiang Liu
  year: 2024
  arxiv: "2411.16085"
chapter: "4.6"
needs: [caution, optimizers/adamw]
symbols:
  \lambda: weight_decay
  \alpha: lr
  \beta_1, \beta_2: betas
  \varepsilon: eps
verified_against:
  implementation: timm.optim.adamw.AdamWLegacy 1.0.31 with caution=True
  difference: 5e-15 over 100 noisy steps in float64
---

# Half the loss, at the same learning rate

scikit-learn's digits, pixels divided by 16, a network with two hidden layers of 128, 1200 steps with batches of 32,
$\alpha$ falling along a cosine, all else by default. Each of four seeds draws three quarters of the images to train on.
The mean of their training losses at the end:

| $\alpha$ | 0.0003 | 0.001 | 0.003 |
|---|---:|---:|---:|
| AdamW | 0.187 | 0.051 | 0.0076 |
| CautiousAdamW | 0.129 | 0.026 | 0.0022 |
| AdamW with $2 \alpha$ | 0.091 | 0.017 | 0.0016 |

The second line beats the first at every rate. And the third beats the second. By interpolation (of logarithms),
CautiousAdamW goes like AdamW with 1.4 to 1.7 times the rate.

So the first two lines do not say that caution is better. To find out, search $\alpha$ for each of the two.

## The update rule

[AdamW](adamw.py)'s update, masked and divided by the share that is left, after AdamW's decay:

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, & \hat m_t &= m_t / (1 - \beta_1^t) \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, & \hat v_t &= v_t / (1 - \beta_2^t) \\
u_t &= \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}, & \phi_t &= \mathbb 1[u_t\, g_t > 0] \\
\theta_t &= (1 - \alpha\lambda)\, \theta_{t-1} - \alpha\, \frac{u_t\, \phi_t}{\max(\operatorname{mean} \phi_t,\, 10^{-3})}
\end{aligned}
$$

$\phi_t$ is 1 where the update goes down by the newest gradient, and 0 where momentum would go on against it. Such a
weight stands still, and its momentum goes on being averaged. The mean is over one tensor: those that move go farther
for those that do not.

It is what `AdamW(params, cautious=True)` does, and the class is a name for it. [Cautious updates](../caution.py)
has the proof that the loss falls along a path of small steps, what noise does to the rule, and what comparisons found.

## What it does to AdamW's numbers

For $\beta_1 = 0.9$ and Gaussian noise, 64.4 % of the weights move in a step, and

| | AdamW | CautiousAdamW |
|---|---:|---:|
| length of a step, in $\alpha$ | 0.229 | 0.312 |
| mean step for gradients with a mean of 0.05 | 0.050 | 0.055 |
| size of a weight at rest, $\alpha = 0.01$, $\lambda = 0.1$ | 0.22 | 0.25 |

The last line is [AdamW](adamw.py)'s $\sqrt{\alpha / 2 \lambda}$ with 1.1 times the noise. To keep it, take
$1.2\, \lambda$.

## Conventions

- timm calls it `cadamw`. Its defaults are AdamW's, and so are ours.
- The authors' code has $\varepsilon = 10^{-6}$ and no decay by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["CautiousAdamW"]


class CautiousAdamW(AdamW):
    r"""AdamW with [cautious updates](../caution.py).

    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`;
      `cautious` is `True` and cannot be otherwise
    - all others: as in [AdamW](adamw.py#AdamW)

    State: AdamW's.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Liang et al. (2024), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 1e-2,
        optimized_update: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        if options.setdefault("cautious", True) is False:
            raise ValueError(
                "cautious must be True for CautiousAdamW, got False; AdamW is without it"
            )
        super().__init__(
            params, lr, betas, eps, weight_decay, optimized_update, defaults=defaults, **options
        )


# ## Choosing the numbers
#
# - `lr`: search from half of AdamW's up.
# - `betas`: $\beta_1$ may be higher than without caution; [Cautious updates](../caution.py) cites runs with 0.98.
# - `weight_decay`: as in AdamW, times 1.2 to have weights of the same size.
#
# Take it where AdamW's loss swings, as with large batches or much momentum. Leave it with small batches, where a
# larger $\alpha$ does the same: a cautious step takes 2 to 3 times as long.
#
# ## Traps
#
# - **An embedding** of which few rows are used gets steps of a hundred times $\alpha$: see the traps of
#   [Cautious updates](../caution.py#traps).
# - **A checkpoint** of AdamW loads, and the other way round. The moments mean the same.
# - **No `compile`, no `flat`**, and no sharded parameters.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py). The search chose [AdamW](adamw.py)'s $\alpha = 0.003$, and
# 0.001 is as good: the held-out loss is 0.4 % higher. At 0.0003 it is 85 % higher, at 0.01 nothing is
# learned. From 0.0001 to 0.001 it is 11 to 15 % below AdamW's, as if AdamW had 1.25 to 1.76 times the rate
# (interpolated). Best against best it is 11 % above.
#
# The accuracies are 99.16, 99.31 and 99.18 % (median 99.18). AdamW's, 99.30 to 99.40 %, just overlap with
# them. The losses on the test images do not: 0.0283 to 0.0314, AdamW's 0.0183 to 0.0200. The training loss is
# lower in the steps 17 to 32, 0.28 to 0.33 (AdamW 0.36 to 0.46), and higher in the third epoch, 0.017 to
# 0.019 (0.011 to 0.012). The median update of an epoch is 2.7 to 3.8 times as long as AdamW's, in noise 1.36
# times. A gradient of zero counts as disagreeing: the first update is already $1 / 0.873$ times as long (seed
# 0). At 0.001 there is one seed only.
#
# [On CIFAR-10](../../experiments/cifar.py) caution costs no accuracy. The search chose 0.003 for both, and at each of
# five rates the held-out loss is below AdamW's, by 2 to 7 % (one epoch, one seed). With three seeds the median update
# is 1.33 times as long. Over the steps 2 to 112 the mean training loss is 1.51 to 1.56 (AdamW 1.57 to 1.63), in the
# third epoch 0.60 to 0.62 (0.61 to 0.64). But the accuracies overlap: 79.6, 80.4 and 80.5 %, AdamW's 79.3 to 80.3 %.
# Three seeds show no gain there.
#
# ## Exercises
#
# **1.** Check that the class is AdamW with the option, and that a checkpoint goes from one to the other.
#
# ::: solution
# ```python
# import copy
# import torch
# from labml_nn_optim import AdamW, CautiousAdamW
#
#
# def step(optimizer, seed):
#     (weights,) = optimizer.param_groups[0]["params"]
#     generator = torch.Generator().manual_seed(seed)
#     weights.grad = torch.randn(50, generator=generator)
#     optimizer.step()
#     return weights.detach().clone()
#
#
# one = AdamW([torch.nn.Parameter(torch.ones(50))], cautious=True)
# two = CautiousAdamW([torch.nn.Parameter(torch.ones(50))])
# for seed in range(5):
#     assert torch.equal(step(one, seed), step(two, seed))
# plain = AdamW([torch.nn.Parameter(two.param_groups[0]["params"][0].detach().clone())])
# plain.load_state_dict(copy.deepcopy(two.state_dict()))
# assert not torch.equal(step(plain, 5), step(two, 5))
# ```
# :::
#
# **2.** A weight at rest is 1.1 times as large as under AdamW. Why does $1.2\, \lambda$ bring it back?
#
# ::: solution
# Its size is $\kappa \sqrt{\alpha / 2 \lambda}$ with $\kappa = 1.1$, the factor of the spread. It stays if
# $\lambda$ grows with $\kappa^2 = 1.21$.
# :::

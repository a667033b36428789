r"""
---
title: AdamW
summary: AdamW is Adam with decoupled weight decay on by default, so that the size of the weights depends on the learning rate and the decay, and not on the size of the gradients.
paper:
  title: Decoupled Weight Decay Regularization
  authors: Ilya Loshchilov, Frank Hutter
  year: 2019
  arxiv: "1711.05101"
  venue: ICLR
chapter: "2.6"
needs: [optimizers/adam, weight_decay]
symbols:
  \lambda: weight_decay
  \alpha: lr
  \beta_1, \beta_2: betas
  \varepsilon: eps
verified_against:
  implementation: torch.optim.AdamW 2.14.1
  difference: 6e-16 over 100 noisy steps in float64, with and without decay
---

# The decay that runs is not the one you typed

A logistic regression with 20 weights makes 3000 steps with batches of 20, $\alpha = 0.01$ and $\lambda = 0.3$.
Its 200 examples have Gaussian inputs, and the label says whether their sum, plus Gaussian noise of size 4, is
above 0. Multiply the loss by a constant. The mean length of the weights over the second half of the run:

| loss times | 0.01 | 1 | 100 |
|---|---:|---:|---:|
| Adam, decay in the gradient | 0.019 | 0.57 | 2.01 |
| AdamW | 1.50 | 1.50 | 1.50 |

Without decay it is 2.13.
Nobody multiplies a loss by 100 on purpose. But a sum over the batch in place of a mean does it, and so
does a second term in the loss, and from layer to layer gradients differ by such factors anyway.
[Adam](adam.py) itself does not see a factor in the loss.
Decay that goes through the gradient makes it see one.

[Weight decay](weight_decay.py) shows where the difference comes from.
This chapter is about what decoupled decay does to a run.

## The update rule

Adam's step, from a gradient without decay, after the weight has been shrunk:

$$
\theta_t = (1 - \alpha \lambda)\, \theta_{t-1} - \alpha\, u_t,
\qquad u_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}
$$

In this library that is also what `Adam(params, weight_decay=0.01)` means, to the last bit.
The class below is a name, and torch's default of 0.01.

## Where the weights come to rest

Let the gradients be pure noise of size $\sigma$. Each one enters $m$ with weights that sum to 1 and is
divided by $\sigma$, so in the end it has moved the weight by $\alpha$ times standard noise. That takes some
ten steps, a moment beside the $1 / (\alpha\lambda)$ steps of the decay. So for the variance $s^2$ of a
weight

$$
s^2 = (1 - \alpha\lambda)^2\, s^2 + \alpha^2
\qquad \Rightarrow \qquad
s = \sqrt{\frac{\alpha}{2 \lambda - \alpha \lambda^2}} \approx \sqrt{\frac{\alpha}{2 \lambda}}
$$

$\sigma$ has dropped out. With decay in the gradient $\lambda\theta$ is divided by $\sigma$ as well, the
effective decay is $\lambda / \sigma$, and $s = \sqrt{\alpha\sigma / 2\lambda}$.
20 000 weights with $\alpha = 0.01$ and $\lambda = 0.1$ measure:

| noise $\sigma$ | 0.01 | 1 | 10 |
|---|---:|---:|---:|
| AdamW; $\sqrt{\alpha / 2 \lambda} = 0.224$ | 0.222 | 0.222 | 0.222 |
| decay in the gradient | 0.022 | 0.222 | 0.706 |

So where noise rules, AdamW gives every layer the same size of weight, and with it the same relative change in
a step. Kosson, Messmer and Jaggi (2023, arXiv 2305.17212) find that in networks with normalization layers.

## A weight is an average

Write the rule in another way:

$$
\theta_t = (1 - \alpha\lambda)\, \theta_{t-1} + \alpha\lambda \left( -\frac{u_t}{\lambda} \right)
$$

A weight is a running average of $-u / \lambda$ over about $1 / (\alpha\lambda)$ steps.

**A bound.** Where gradients agree, $u = \pm 1$, and the average ends at $1 / \lambda$: with
$\lambda = 0.1$ a gradient of constant sign drives its weight to 10 and no farther. In the long run AdamW
looks for the best point with no weight larger than $1 / \lambda$ (Xie and Li, 2024, arXiv 2404.04454).

**A memory.** A weight that gets no gradient is halved in $\ln 2 / (\alpha\lambda)$ steps:

| | $\alpha$ | $\lambda$ | half-life in steps |
|---|---:|---:|---:|
| torch's defaults | 0.001 | 0.01 | 69 315 |
| many language models | 0.0003 | 0.1 | 23 105 |
| many vision transformers | 0.001 | 0.05 | 13 863 |

With torch's defaults and an $\alpha$ that falls linearly to 0, three epochs of MNIST in batches of 64 (2814
steps) lose 1.4 % to decay.
To compare runs, count the memory $1 / (\alpha\lambda)$ in epochs. Wang and Aitchison (2024, arXiv
2405.13698) find that the best value in epochs stays about the same when the data set grows: twice the
batches in an epoch, half the $\lambda$.

## A schedule moves the resting point

Take a layer that is followed by a normalization. The length of its weights $w$ has no effect on the loss, so
the gradient is at right angles to $w$, and doubles when $w$ is halved: it goes with $1 / \lVert w \rVert$.
$d$ such weights rest at $\lVert w \rVert^2 = d\, \alpha / 2 \lambda$. Let $\alpha$ fall: the weights shrink
after it, and the gradients grow.
Take $d = 1000$, $\alpha = 0.01$ falling along a cosine over 20 000 steps, $\lambda = 0.1$, and standard noise,
made orthogonal to $w$ and divided by $\lVert w \rVert$, for the gradient: its norm grows from 4.5 to 9.4.

Defazio (2025, arXiv 2506.02285) sees this at the end of long runs. For the layers that a normalization follows
he multiplies the decay by one more factor of $\alpha_t / \alpha_{\max}$, and leaves the others alone:

$$
\theta_t = \left(1 - \frac{\alpha_t^2}{\alpha_{\max}}\, \lambda\right) \theta_{t-1} - \alpha_t\, u_t
$$

The resting point then contains $\alpha_t / \lambda_t = \alpha_{\max} / \lambda$, which stands still. In the
same run the norm stays at 4.5. The paper calls it AdamC; timm's `adamc` does it to all layers. Here it is a line
beside the scheduler: exercise 2.

## Conventions

- **The paper** multiplies $\lambda$ by the schedule's factor and not by $\alpha$;
  `WeightDecay(..., absolute=True)` is that without the factor. torch, timm, optax and Keras multiply by
  $\alpha$. Then a search over $\alpha$ moves the memory and the resting point as well.
- **Order.** Shrink first and step then, or both from the old weight, is the same thing. The AdamW that
  Hugging Face's transformers once had shrinks after the step, and so shrinks the step, too, by the factor
  $1 - \alpha\lambda$: one part in 10 000 for $\alpha = 0.001$ and $\lambda = 0.1$.
- **The default** is $\lambda = 0.01$ in torch, timm and here, $10^{-4}$ in optax and 0.004 in Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdamW"]


class AdamW(Adam):
    r"""Adam that decays weights unless told not to.

    - `weight_decay`: $\lambda$, 0.01 by default; decoupled and times `lr`
    - all others: as in [Adam](optimizers/adam#Adam)

    Loshchilov and Hutter (2017), algorithm 2, with $\lambda$ times the learning rate.
    """

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
        super().__init__(
            params, lr, betas, eps, weight_decay, optimized_update, defaults=defaults, **options
        )


# ## Choosing the numbers
#
# - `weight_decay`: from the memory that you want. $\lambda = 1 / (\alpha\, n)$ with $n$ between the steps of one
#   epoch and those of the run. Much less does nothing; much more forgets data that was seen once.
# - `lr`, `betas` ($\beta_1, \beta_2$), `eps`: as in [Adam](adam.py).
#
# Leave decay off in short runs, and for a network that underfits. Leave it off for biases and for the scales
# of normalization layers, always: exercise 1.
#
# ## Traps
#
# - **The default does next to nothing in a short run**: see the half-lives above. A comparison of Adam with
#   AdamW at 0.01 over a few thousand steps compares two seeds.
# - **bfloat16.** A factor of $1 - 10^{-4}$ on a weight of 1 rounds back to 1. Without a gradient nothing
#   decays, whatever the number of steps. Keep a float32 copy: [AdamFP16](adam_fp16.py).
# - **Rows that are not used.** An embedding has a gradient of zero for a word that does not occur, and its row
#   decays all the same.
# - **The name does not decide.** `AdamW(params, weight_decay=WeightDecay(0.01, weight_decouple=False))`
#   decays in the gradient, and `torch.optim.Adam` has a switch that makes it AdamW. Look at the
#   group.
# - **The sixth argument** is `amsgrad` in torch, and `optimized_update` here. Give it by name.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), $\alpha = 0.003$: 99.36, 99.40 and 99.30 %, and Adam,
# with the same seeds, 99.39, 99.44 and 99.41 %. SGD with momentum, 98.83 to 99.22 %, is behind both. The
# search is Adam's as well: at 0.001 the held-out loss is 25 % higher, at 0.0003 2.4 times as high, and at
# 0.01 nothing is learned.
#
# It is the comparison that the first trap warns of. With $\lambda = 0.01$ and this $\alpha$, falling to 0,
# a weight without a gradient loses 4.1 % in the whole run. The two runs of seed 0 begin as one: over the
# steps 2 to 16 their mean losses are 1.2683 and 1.2684, and the update of step 16 is 0.429 long in both. By
# step 96 the losses are 0.120 and 0.127. Such differences come from rounding just as well. What the decay
# of 0.01 does cannot be seen among them; for that the run would have to be longer or $\lambda$ larger.
#
# ## Exercises
#
# **1.** Decay the matrices of a network, and nothing else.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import AdamW
#
# model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
# matrices = [param for param in model.parameters() if param.ndim >= 2]
# others = [param for param in model.parameters() if param.ndim < 2]
# optimizer = AdamW(
#     [{"params": matrices}, {"params": others, "weight_decay": 0.0}], lr=0.01, weight_decay=0.1
# )
# before = [param.detach().clone() for param in model.parameters()]
# for param in model.parameters():
#     param.grad = torch.zeros_like(param)
# optimizer.step()
# for old, new in zip(before, model.parameters(), strict=True):
#     torch.testing.assert_close(new.detach(), old * (0.999 if old.ndim >= 2 else 1.0))
# ```
# :::
#
# **2.** Make AdamC from AdamW and a scheduler of torch.
#
# ::: solution
# Set $\lambda_t = \lambda\, \alpha_t / \alpha_{\max}$ after each step of the scheduler, for the group of the
# normalized layers. With a gradient of zero the product of all factors is left.
#
# ```python
# import torch
# from labml_nn_optim import AdamW
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = AdamW([theta], lr=0.1, weight_decay=0.5)
# scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=50)
# expected = 1.0
# for _ in range(50):
#     lr = optimizer.param_groups[0]["lr"]
#     expected *= 1 - lr * lr / 0.1 * 0.5
#     theta.grad = torch.zeros_like(theta)
#     optimizer.step()
#     scheduler.step()
#     for group in optimizer.param_groups:
#         group["weight_decay"] = 0.5 * group["lr"] / 0.1
# assert abs(theta.item() - expected) < 1e-12
# ```
# :::
#
# **3.** You double $\alpha$. Which $\lambda$ keeps the memory, and which the resting point? What if decay is
# absolute?
#
# ::: solution
# The memory is $1 / (\alpha\lambda)$: halve $\lambda$. The resting point is $\sqrt{\alpha / 2\lambda}$: double
# it. Both at once cannot be had. With absolute decay the memory is $1 / \lambda$ whatever $\alpha$ is, and the
# resting point $\alpha / \sqrt{2\lambda}$ is doubled, unless $\lambda$ is four times as large.
# :::

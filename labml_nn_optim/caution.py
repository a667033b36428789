r"""
---
title: Cautious updates
summary: A cautious optimizer leaves out those parts of its update that the gradient of the moment contradicts.
paper:
  title: "Cautious Optimizers: Improving Training with One Line of Code"
  authors: Kaizhao Liang, Lizhang Chen, Bo Liu, Qiang Liu
  year: 2024
  arxiv: "2411.16085"
chapter: "4.5"
needs: [base, stacks, optimizers/adam]
symbols:
  \theta: param
  g: grad
  u: update
  \phi: mask
verified_against:
  implementation: timm.optim.adamw.AdamWLegacy 1.0.31 with caution=True
  difference: 5e-15 over 100 noisy steps in float64
---

# A ball that rolls up the other side

The loss is $\frac{1}{2} \theta^2$, the weight starts at 1, and the best place is 0. Momentum does not stop there.
A thousand steps:

| | lowest point | steps away from 0 | within 0.01 for good after |
|---|---:|---:|---:|
| SGD, momentum 0.9, $\alpha = 0.01$ | $-0.153$ | 327 | 85 steps |
| the same, cautious | $-0.016$ | 11 | 62 |
| Adam, $\alpha = 0.05$ | $-0.130$ | 408 | 78 |
| the same, cautious | $-0.001$ | 13 | 24 |

On the far side the gradient says back, and what momentum has gathered says on. A cautious optimizer looks at
each weight before it moves. Where update and gradient disagree, it leaves the weight where it is.

## The rule

Let $u$ be what the optimizer is about to subtract from $\theta_{t-1}$, learning rate and all. For one tensor

$$
\phi = \mathbb 1[u\, g_t > 0], \qquad
\theta_t = \theta_{t-1} - \frac{u\, \phi}{\max(\operatorname{mean} \phi,\; 10^{-3})}
$$

$\phi$ is 1 or 0, weight by weight. The mean is the share of the tensor that moves. Dividing by it makes up for those
that wait: if half of the weights stand still, the others go twice as far, and the distances that the tensor's weights
go have about the same sum. The floor keeps the factor at or under 1000.

Nothing else changes: no state is added, and the averages go on as if no mask were there. So there is a cost of
waiting. The ball of SGD stands still at $-0.016$ for 27 steps, because its velocity points the wrong way and the
small gradient there takes that long to turn it.

Others use that time. Let two weights share a tensor, with curvatures 1 and 0.01. While the steep one waits, the flat
one goes at double speed. After 100 steps it stands at 0.867, without caution at 0.912.

## What can be proved

Take steps so small that the path is a flow. For SGD with momentum it is $\dot\theta = -\phi\, m$ and
$\dot m = g - \gamma m$, with a friction $\gamma$. Along it

$$
\dot L = g \cdot \dot\theta = -\sum_i \phi_i\, m_i\, g_i \le 0
$$

Each term that is left has $m_i g_i > 0$, so the loss never rises. Without the mask there is no such sign.
What does fall without it is the energy $H = L + \frac{1}{2} \lVert m \rVert^2$, and it still does:

$$
\dot H = -\sum_i \phi_i\, m_i\, g_i + \sum_i m_i\, g_i - \gamma \lVert m \rVert^2
= \sum_{m_i g_i \le 0} m_i\, g_i - \gamma \lVert m \rVert^2 \le 0
$$

The terms in the sum are negative or 0, and without caution they are not there. So at every point $H$ falls at least
as fast with the mask. A factor over 1 in front of $\phi$ makes it fall faster still. The paper shows it for a family
of such flows, Adam's among them.

Two things are not in it. A step of finite length can jump over the valley: those are the 11 steps of the table.
And $g$ is the gradient of one batch. What goes uphill on this batch may go downhill on the rest.

## What it does to noise

Let gradients be pure noise. The newest one is a part of $m$, so they agree more often than not. Their correlation is
$\rho = \sqrt{1 - \beta_1^2}$ (exercise 1), and two Gaussian numbers with the correlation $\rho$ have the same sign with
the probability

$$
\Pr(m\, g > 0) = \frac{1}{2} + \frac{\arcsin \rho}{\pi} = 0.644 \quad \text{for } \beta_1 = 0.9
$$

So a third of the weights is held back in each step, whatever the loss. The table is made with 20 000 weights, Gaussian
noise of size 1 and $\alpha = 1$. The length of a step is the root of its mean square. The spread is that of the sum of
many steps, divided by the root of their number. The drift is the mean step when every gradient has a mean of 0.05:

| | share that agrees | length of a step | spread | drift | drift / spread |
|---|---:|---:|---:|---:|---:|
| Adam | 0.644 | 0.229 | 1.00 | 0.050 | 0.050 |
| Adam, cautious | 0.644 | 0.312 | 1.11 | 0.055 | 0.050 |
| NAdamW, cautious | 0.754 | 0.337 | 1.08 | 0.054 | 0.050 |
| Lion | 0.819 | 1.00 | 6.6 | 0.33 | 0.050 |
| Lion, cautious | 0.819 | 1.10 | 4.5 | 0.23 | 0.052 |

The last column says how well an optimizer hears the signal through the noise, whatever its rate: caution changes
nothing there. Cautious Adam is Adam with a learning rate that is 1.11 times as large, and SGD's momentum gives the
same factor. The steps are 1.36 times as long, because they have more zigzag in them. Cautious Lion is Lion with 0.7
times the rate, for its steps cancel more.

In a network some gradients agree with momentum for longer, and there the factor is larger.
[CautiousAdamW](optimizers/cautious_adamw.py) has an experiment in which it is 1.4 to 1.7. So a comparison at equal
$\alpha$ compares two learning rates.

## Where it rests

At a minimum the gradients are noise with a mean of 0, and momentum averages them to 0. The mask does not: it looks
at each before the average is made. Let the noise be 9 in a tenth of the steps and $-1$ otherwise, on the loss
$\frac{1}{2} \theta^2$:

| | rests at |
|---|---:|
| SGD with momentum 0.9, Adam | 0.0 |
| the same two, cautious | 0.33 |
| [Grams](optimizers/grams.py) | 1.0 |

Momentum pays out a rare large gradient over the next ten steps or more. But the next ones are $-1$, they disagree, and
the mask holds back the rest: the majority gets a larger say. Where noise is symmetric nothing of this is seen.

## What it can be put on

Every rule here that asks for its decay in each step takes `cautious=True`; all others refuse it. The mask needs
$u$ and $g$ and nothing of the rule, so [Caution](#Caution) reads the update off the parameter, after the rule has
run. Without momentum $u$ and $g$ agree wherever there is a gradient. SGD without it and RMSprop do not change, then,
unless some gradients are exactly 0: exercise 2.

It refuses `compile=True`, `flat=True` and [sharded parameters](sharded.py). The rule itself may work element by
element; the share does not. A piece of a tensor has another share than the tensor, so rules run on
[stacks](stacks.py) of whole ones.

## What comparisons found

- The paper reports up to 1.47 times AdamW's speed, for LLaMA models and masked autoencoders.
- A small ViT on 100 classes of ImageNet for 200 epochs, in the
  [tables](https://huggingface.co/rwightman/timm-optim-caution) of timm's author: LaProp reads 71.2 and 71.7 %
  correctly with $\alpha = 10^{-3}$ and $5 \cdot 10^{-4}$, with caution 73.9 and 73.8 %. One run each.
- Marin's speedruns (github.com/marin-community/marin) train LLaMA models, AdamW and cautious AdamW each with
  hyper-parameters of its own. Bits per byte on C4, one run each:

| parameters | AdamW | $\alpha$, $\beta_1$ | cautious | $\alpha$, $\beta_1$ |
|---:|---:|---|---:|---|
| 130 M | 1.1862 | 0.008, 0.9 | 1.1882 | 0.008, 0.95 |
| 300 M | 1.0691 | 0.008, 0.9 | 1.0714 | 0.008, 0.98 |
| 520 M | 0.9990 | 0.004, 0.9 | 0.9973 | 0.008, 0.98 |
| 1.2 B | 0.9442 | 0.002, 0.9 | 0.9379 | 0.006, 0.98 |

AdamW is better at two sizes, caution at two, and no difference is over 0.7 %. Wen, Hall, Ma and Liang (2025, arXiv
2509.02046) tune ten optimizers on models of these sizes, cautious AdamW among them. They find that many are less
fast than was claimed, and that the fastest all multiply by matrices.

## Conventions

- **$>$, not $\ge$**, in the paper's algorithm 1, timm and here: a weight whose gradient is 0 does not move, and counts
  as one that disagrees.
- **The share.** $\max(\operatorname{mean}, 10^{-3})$ is timm's and that of the authors' AdamW; the paper's algorithm 1
  adds a small number to the mean. The authors' Lion and pytorch_optimizer divide by the number that agree, plus 1,
  over the size: where all of four weights agree their step is 0.8 as long, and that of a single weight 0.5.
- **Decay is not masked** where it is decoupled. Decay in the gradient is part of $u$ and of $g$.
- **Which gradient.** The one that the rule has averaged, negated for `maximize`.
- **[Cautious weight decay](decays/cautious.py)** is another thing. It masks the decay, by comparing the update with
  the weight. With both, a weight that is held back has an update of 0, which counts as agreement there, and decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import DecayInRule

__all__ = ["Caution"]

LEAST_SHARE = 1e-3


class Caution(DecayInRule):
    r"""What a rule calls as `self.weight_decay` if its updates are to be cautious.

    The call comes after the decay and before the update. It notes the parameters and the gradient, and
    `finish` makes the update again, masked.
    """

    def begin(self, state: Mapping[str, Any]) -> None:
        """Start a run of the rule."""
        super().begin(state)
        self.start: tuple[Any, Any, Any] | None = None

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        """Decay, and take note of what the update starts from and of its gradient."""
        grad = super().__call__(param, grad, group)
        self.start = param, param.clone(), grad
        return grad

    def finish(self, param: Any) -> None:
        r"""Keep of the update $u$ what has the sign of $g$, and then decay if that comes after the update.

        Raises `TypeError` for a rule that has not called its decay.
        """
        if self.start is None:
            raise TypeError(
                "cautious must be False for a rule that does not call self.weight_decay"
            )
        moved, before, grad = self.start
        update = before.sub(moved)
        # $\phi = \mathbb 1[u\, g > 0]$
        mask = update.mul(grad).gt_(0)
        # $\theta_t = \theta - u\, \phi / \max(\operatorname{mean} \phi,\, 10^{-3})$
        mask.div_(mean_of_each(mask).clamp_min_(LEAST_SHARE))
        moved.copy_(before.addcmul_(update, mask, value=-1))
        if self.noted is None and moved is not param:
            param.copy_(moved)
        super().finish(param)


# ## Choosing, and when not to
#
# - `lr`: search it again, from half of the old one up. If the plain rule with $1.1\, \alpha$ to $2\, \alpha$ does
#   as well, it was not the caution.
# - Momentum: rolling too far costs less, so more of it may do. Of the runs above most have $\beta_1 = 0.98$ with
#   caution, and all 0.9 without.
#
# Take it where a run oscillates: large $\alpha$, much momentum, batches so large that $g$ is nearly the true
# gradient. Leave it where gradients are noise, mostly, for there it is a factor on $\alpha$; and where few weights
# of a tensor have a gradient.
#
# ## Traps
#
# - **Embeddings.** Rows that are not in the batch have a gradient of 0 and count as standing still. With 10 of 1000
#   rows in each batch the mean is at most 0.01, so the rows that are used go a hundred times as far as without
#   caution. timm does the same. Give such a table to an optimizer of its own: exercise 3.
# - **Small tensors.** In a bias of four weights, in noise, now and then a single one agrees, and goes four times as
#   far. In 300 steps of 50 such biases the longest step of AdamW was over $3\, \alpha$, without caution about
#   $\alpha$. A scale of one weight moves as ever or not at all.
# - **Check that it does something.** In the authors' `c_adamw.py` of August 2025 the branch without `capturable`
#   multiplies momentum by itself instead of the gradient. That is never negative, and the mask is 1.
# - **It is an option of the optimizer**, not of a group, and no checkpoint holds it. Give it again when you
#   resume.
# - **It costs time**: 2 to 3 times AdamW's step on one CPU thread, for the copy, the mask and the whole tensors.
#
# ## Exercises
#
# **1.** Derive the correlation $\sqrt{1 - \beta_1^2}$, and measure the share.
#
# ::: solution
# $m = \sum_k (1 - \beta_1)\, \beta_1^k\, g_{t-k}$ has the variance
# $(1 - \beta_1)^2 / (1 - \beta_1^2) = (1 - \beta_1) / (1 + \beta_1)$, and its covariance with $g_t$ is
# $1 - \beta_1$. The quotient of the latter and the root of the former is $\sqrt{(1 - \beta_1)(1 + \beta_1)}$.
#
# ```python
# import math
# import torch
# from labml_nn_optim import Adam
#
# torch.manual_seed(0)
# weights = torch.nn.Parameter(torch.zeros(50_000))
# optimizer = Adam([weights], lr=1.0, cautious=True)
# for _ in range(100):
#     before = weights.detach().clone()
#     weights.grad = torch.randn(50_000)
#     optimizer.step()
# share = (weights != before).float().mean().item()
# assert abs(share - (0.5 + math.asin(math.sqrt(1 - 0.9**2)) / math.pi)) < 0.01
# ```
# :::
#
# **2.** Is the first step of an optimizer ever changed by caution?
#
# ::: solution
# Momentum is a multiple of the first gradient, so all that have a gradient agree. Where some gradients are exactly
# 0, those weights do not move anyway, but they lower the share: the others go farther.
#
# ```python
# import torch
# from labml_nn_optim import Adam
#
# weights = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
# weights.grad = torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64)
# Adam([weights], lr=0.1, cautious=True).step()
# torch.testing.assert_close(weights.detach(), torch.tensor([-0.2, 0.2, 0, 0], dtype=torch.float64))
# ```
# :::
#
# **3.** Train an embedding and a linear layer, with caution for the layer only.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import AdamW
#
# torch.manual_seed(0)
# table, layer = torch.nn.Embedding(1000, 8), torch.nn.Linear(8, 3)
# optimizers = [AdamW(table.parameters(), lr=0.1), AdamW(layer.parameters(), lr=0.1, cautious=True)]
# before = table.weight.detach().clone()
# layer(table(torch.arange(10))).square().sum().backward()
# for optimizer in optimizers:
#     optimizer.step()
# assert (table.weight - before).abs().max() < 0.11
# ```
# :::

r"""
---
title: Noam
summary: After its warm-up the learning rate falls like one over the root of the step, which needs no end of the run to be known.
paper:
  title: Attention Is All You Need
  authors: Ashish Vaswani, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones, Aidan N. Gomez, Łukasz Kaiser, Illia Polosukhin
  year: 2017
  arxiv: "1706.03762"
  venue: NeurIPS
chapter: "3.12"
needs: [optimizers/adam_warmup]
symbols:
  \alpha: lr
  W: warmup
  d: d_model
  t: step
verified_against:
  implementation: torch.optim.Adam 2.14.1 with a LambdaLR
  difference: 6e-16 over 100 noisy steps in float64
---

# A constant rate stops getting better

A thousand weights start at 1. The loss of each is $\frac{1}{2} \theta^2$, and its gradient carries Gaussian
noise of size 1. [AdamWarmup](adam_warmup.py) with $\alpha = 0.01$ and $W = 100$ soon arrives, and then
stays where it is. The same peak with a rate that falls like $1 / \sqrt t$, all else equal, goes on:

| root mean square of $\theta$ after | constant | falling |
|---:|---:|---:|
| 1000 steps | 0.069 | 0.043 |
| 4000 steps | 0.067 | 0.027 |
| 16 000 steps | 0.070 | 0.020 |
| 64 000 steps | 0.069 | 0.014 |

The constant rate shakes the weights as much as it pulls them back.
Each fourfold number of steps halves the falling rate, and the distance goes down by about $\sqrt 2$.
A schedule that ends, like the [cosine](adam_warmup_cosine_decay.py), can do better at its end, but has to
be told where that is. This one can be stopped at any time.

## The update rule

The rule is [Adam's](adam.py), with $\beta_2 = 0.98$, so that $v$ remembers 50 steps and not 1000, and
$\varepsilon = 10^{-9}$; the paper gives no reasons for either. Its learning rate is

$$\alpha_t = \alpha\, d^{-1/2} \min\left(t^{-1/2},\; t\, W^{-3/2}\right)$$

with the width $d$ of the model. $\alpha$ is 1 in the paper, and no learning rate by itself.

The two branches meet where $t^{-1/2} = t\, W^{-3/2}$, that is at $t = W$. Before, the second is smaller and
rises on a line. Afterwards the first is smaller. So the peak is in step $W$:

$$\alpha_W = \frac{\alpha}{\sqrt{d\, W}}, \qquad
\alpha_t = \alpha_W \min\left(\frac{t}{W},\; \sqrt{\frac{W}{t}}\right)$$

For the paper's base model, $d = 512$ and $W = 4000$, the peak is $7.0 \cdot 10^{-4}$.
The first step has $1.7 \cdot 10^{-7}$, and the last one, step 100 000, $1.4 \cdot 10^{-4}$: a fifth of the
peak.

The second form is easier to think in, and most libraries use it: fairseq's and Hugging Face's
`inverse_sqrt` take $\alpha_W$ as the learning rate.
The first form ties things together that the second keeps apart. Four times the warm-up halves the peak.
After the warm-up its length has no influence at all: $\alpha\, d^{-1/2}\, t^{-1/2}$ does not contain $W$.

This is no exponential decay, as labml's page calls it. That would halve the rate every so many
steps. Here the first halving takes $3\, W$ steps, from $W$ to $4\, W$, and the next one four times as many.

## Why the root

Take plain gradient descent on a convex $f$ with the minimum $f^*$ at $\theta^*$. Let the gradient $g_t$ at
$\theta_{t-1}$ be right on average, with $\mathbb E \lVert g_t \rVert^2 \le G^2$, and let
$D = \lVert \theta_0 - \theta^* \rVert$ be the distance at the start. Then

$$
\lVert \theta_t - \theta^* \rVert^2 = \lVert \theta_{t-1} - \theta^* \rVert^2
- 2 \alpha_t\, g_t \cdot (\theta_{t-1} - \theta^*) + \alpha_t^2 \lVert g_t \rVert^2
$$

Take the mean. The average gradient is at least as steep as the line from $\theta^*$, since $f$ is convex:
$\mathbb E\, g_t \cdot (\theta_{t-1} - \theta^*) \ge \mathbb E f(\theta_{t-1}) - f^*$. Sum over $T$ steps. The
squared distances cancel but for the first and the last, and the last is not negative:

$$
\frac{\sum_t \alpha_t\, \bigl(\mathbb E f(\theta_{t-1}) - f^*\bigr)}{\sum_t \alpha_t}
\le \frac{D^2 + G^2 \sum_t \alpha_t^2}{2 \sum_t \alpha_t}
$$

The left side is a weighted average of the heights above the minimum. On the right, the first term wants
large steps, the second small ones.

- A constant $\alpha$ gives $D^2 / (2 \alpha T) + \alpha G^2 / 2$. The second part does not go away: this is
  the shaking of the table. The best constant is $D / (G \sqrt T)$, with the bound $D G / \sqrt T$. It has
  to know $T$.
- $\alpha_t = c / \sqrt t$ has $\sum \alpha_t \ge 2 c\, (\sqrt{T + 1} - 1)$ and
  $\sum \alpha_t^2 \le c^2 (1 + \ln T)$. The bound falls like $\ln T / \sqrt T$ for every $T$ at once.

For $D = G = c = 1$ and $T = 10\,000$ the constant made for this $T$ has the bound 0.010, and $1 / \sqrt t$
has 0.028. That is the price of not knowing the end.
(Adam is not gradient descent, and networks are not convex. This is where the exponent comes from.)

## Why the width

The paper gives no reason for $d^{-1/2}$. One step of Adam moves the $d$ weights of a unit by about $\alpha_t$
each. If the signs of these moves have nothing to do with its inputs, its output moves by about
$\alpha_t \sqrt d$ times their size, and $d^{-1/2}$ keeps that the same for all widths.

If the moves agree with the inputs, which is what a gradient is for, it is $\alpha_t\, d$. Later theory
therefore scales the rate of hidden layers like $1 / d$ (Yang et al., 2022, arXiv 2203.03466).

## Conventions

- **The defaults** are the paper's, so that `Noam(params)` is the optimizer of its base model. labml's class
  has $\alpha = 0.001$, a peak of $7 \cdot 10^{-7}$ at $W = 4000$, and a default warm-up of 0, with which it
  divides by zero.
- **tensor2tensor**, the code of the paper's authors, later used $\alpha = 2$, $W = 8000$ and
  $\beta_2 = 0.997$: a peak of $9.9 \cdot 10^{-4}$ for the base model.
- **`warmup=0`** leaves the rising branch out: $\alpha_t = \alpha\, d^{-1/2}\, t^{-1/2}$, the limit of the
  formula for $W \to 0$.
- **Weight decay** that is decoupled and not absolute is multiplied by $\alpha_t$. With $\lambda = 0.1$ the
  first step takes $1.7 \cdot 10^{-8}$ of a weight. In labml's class it takes a tenth: the decay there is
  multiplied by $\alpha = 1$.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.optimizers.adam_warmup import AdamWarmup
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Noam"]


class Noam(AdamWarmup):
    r"""Adam with the learning rate of the first transformer.

    - `lr`: the factor $\alpha$ on the whole schedule
    - `warmup`: $W$, the number of steps until the peak; 0 leaves the rising branch out
    - `d_model`: $d$, the width of the model, at least 1
    - all others: as in [Adam](optimizers/adam#Adam), with other defaults for `betas` and `eps`

    State: two tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Vaswani et al. (2017), section 5.3.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-9,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        warmup: float = 4000,
        d_model: float = 512,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"d_model": d_model} | dict(defaults or {})
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            optimized_update,
            warmup,
            defaults=own,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("d_model", group["d_model"], minimum=1)

    def get_lr(self, group: Mapping[str, Any], step: int) -> Any:
        r"""Return $\alpha_t = \alpha\, d^{-1/2} \min(t^{-1/2},\, t\, W^{-3/2})$."""
        factor = step**-0.5
        if step < group["warmup"]:
            factor = step * group["warmup"] ** -1.5
        return group["lr"] * (group["d_model"] ** -0.5 * factor)


# ## Choosing the numbers
#
# - Choose the peak $\alpha_W$ first, as for Adam, and $W$ like any warm-up. Then set `d_model=1` and
#   `lr` to $\alpha_W \sqrt W$, or leave `d_model` at the width and set `lr` to $\alpha_W \sqrt{d W}$.
# - The run should be several times $W$ long: after $25\, W$ steps the rate is at a fifth of its peak. For
#   the 2814 steps of [the MNIST experiment](../../experiments/mnist.py) the default of 4000 would still
#   be rising at the end.
# - Use it when you do not know how long a run will be. Where the end is known, a schedule that goes to a
#   tenth or to zero by then is the better choice. A constant rate with a short decay, begun when you want
#   to stop, needs no known end either, and matches the cosine (Hägele et al., 2024, arXiv 2405.18392).
# - As a [schedule](../schedules/power.py) it fits any optimizer, and there it is easier to log and to change.
#
# ## Traps
#
# - **`lr` is a factor.** `lr=1e-3`, a habit from Adam, makes all steps a thousand times too short, and the
#   loss falls so slowly that it looks like a bug elsewhere.
# - **A longer warm-up lowers the peak.** To keep the peak, multiply `lr` by
#   $\sqrt{W_{\text{new}} / W_{\text{old}}}$. All later rates then rise by that factor, too.
# - **The batch size is not in the formula.** The paper's numbers belong to batches of about 25 000 source
#   and as many target tokens. With smaller batches the same schedule can be too fast.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), $W = 200$, $d = 512$, and no other schedule. The search
# chose $\alpha = 0.3$, a peak of 0.00094; 1.0, a peak of 0.0031, is as good within 4 %. At 0.1 the
# held-out loss is 67 % higher, at 3 61 %. At 10 the peak is 0.031, and 96.7 % are still read correctly.
# There is no cliff on this grid: a warm-up, and a rate that falls right after it.
#
# The accuracies are 99.18, 99.14 and 99.34 %. [AdamW](adamw.py) has 99.30 to 99.40 %, [Adam](adam.py) on
# a line to zero 99.39 to 99.44 %: both are ahead, and SGD with momentum, 98.83 to 99.22 %, is about as
# good. Noam does not land. In step 2814 its rate is still $\sqrt{200 / 2814} = 0.27$ of the peak, and the
# last updates are 0.022 to 0.032 long. Those of the second epoch are 0.043 to 0.045 (medians). Adam's
# shrink to less than 0.0001. That may be why the search prefers a rate whose peak is a third of Adam's
# best: the peak has to serve as the end.
#
# ## Exercises
#
# **1.** Which $\alpha$ gives a peak of 0.001 at $d = 768$ and $W = 10\,000$?
#
# ::: solution
# $\alpha = 0.001 \sqrt{768 \cdot 10\,000} = 2.77$.
#
# ```python
# import torch
# from labml_nn_optim import Noam
#
# optimizer = Noam([torch.nn.Parameter(torch.zeros(1))], lr=2.77, d_model=768, warmup=10_000)
# rates = [optimizer.get_lr(optimizer.defaults, step) for step in (9_999, 10_000, 10_001)]
# assert max(rates) == rates[1]
# assert abs(rates[1] - 0.001) < 1e-6
# ```
# :::
#
# **2.** How many steps at the peak rate is a run of $T \ge W$ steps worth, that is, what is
# $\sum_t \alpha_t / \alpha_W$? And for $W = 4000$ and $T = 100\,000$?
#
# ::: solution
# About $\frac{W}{2} + \int_W^T \sqrt{W / t}\, dt = \frac{W}{2} + 2 \sqrt{W T} - 2 W = 2 \sqrt{W T} - 1.5\, W$.
# For the paper's run that is $40\,000 - 6000 = 34\,000$ steps, a third of the run.
# :::
#
# **3.** In the bound above put $\alpha_t = c\, t^{-p}$. Why is $p = \frac{1}{2}$ the best power?
#
# ::: solution
# For $p < \frac{1}{2}$, $\sum \alpha_t$ grows like $T^{1 - p}$ and $\sum \alpha_t^2$ like $T^{1 - 2 p}$, so the
# bound falls like $T^{-p}$. For $\frac{1}{2} < p < 1$ the sum of squares stays finite and the bound falls like
# $T^{-(1 - p)}$. Both are slower than $T^{-1/2}$, by more than any logarithm.
# :::

r"""
---
title: Adam with warm-up
summary: The learning rate rises in a straight line over the first steps, so that a fresh network is not broken before it has learned anything.
paper:
  title: "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour"
  authors: Priya Goyal, Piotr Dollár, Ross Girshick, Pieter Noordhuis, Lukasz Wesolowski, Aapo Kyrola, Andrew Tulloch, Yangqing Jia, Kaiming He
  year: 2017
  arxiv: "1706.02677"
chapter: "3.11"
needs: [optimizers/adam, optimizers/radam]
symbols:
  \alpha: lr
  W: warmup
  t: step
verified_against:
  implementation: torch.optim.Adam 2.14.1 with a LambdaLR
  difference: 7e-16 over 100 noisy steps in float64
---

# Nine steps that break a network

A transformer is to reverse sequences of eight random symbols from an alphabet of sixteen. It has twelve layers,
32 numbers wide, each normalized at its output (*post-LN*, the form of 2017). Guessing has a loss of
$\ln 16 = 2.773$. [Adam](adam.py), 400 steps of 32 sequences, mean loss of the last 20 steps for three seeds:

| $\alpha$ | no warm-up | warm-up of 100 steps |
|---:|---:|---:|
| 0.003 | 0.003, 2.777, 1.072 | 0.002, 0.002, 0.002 |
| 0.006 | 2.777, 2.776, 2.778 | 0.001, 0.001, 0.001 |

Without warm-up one seed of three has learned the task at 0.003, and none anything at 0.006.

Seed 0 at 0.006 shows when that is decided. After nine steps the parameters have moved by 17 % of their
length, and the last layer gives nearly the same vector for every symbol of every sequence: all its numbers lie
within 0.005 of their means, where some were 2.5 away at the start. The norm of the embedding's gradient has
fallen from 0.035 to $4 \cdot 10^{-5}$. Next to nothing of the error reaches the lower layers, and no later
step repairs that.

With warm-up the same nine steps move the parameters by 1 %, that norm is still 0.024, and after 100 steps, at
the full $\alpha$, the loss is 0.05.

## The update rule

The rule is Adam's. Its learning rate is

$$\alpha_t = \alpha \min\left(1, \frac{t}{W}\right)$$

Weight decay that is decoupled and not absolute is multiplied by the same $\alpha_t$.

## Three reasons why it helps

**The first steps know least.** [RAdam](radam.py) has the numbers: on pure noise Adam's first step is
$\alpha$ long in every coordinate, and settled ones $0.23\, \alpha$. After ten steps on noise of size 1 the
root mean square of the distance from the start is $3.8\, \alpha$, and with $W = 100$ it is $0.18\, \alpha$.

**A fresh network is steep.** Along a direction of curvature $h$ Adam sees the curvature
$s = h / \sqrt v$. While $v$ stands still, Adam is descent with an averaged gradient:

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, s\, \theta_{t-1}, \qquad \theta_t = \theta_{t-1} - \alpha\, m_t \\
\theta_t &= \bigl(1 + \beta_1 - \alpha (1 - \beta_1)\, s\bigr)\, \theta_{t-1} - \beta_1 \theta_{t-2}
\end{aligned}
$$

The second line is the first with $\alpha\, m_{t-1} = \theta_{t-2} - \theta_{t-1}$ put in. Its solutions are
sums of $z^t$ with

$$z^2 - \bigl(1 + \beta_1 - \alpha (1 - \beta_1)\, s\bigr)\, z + \beta_1 = 0$$

The product of both roots is $\beta_1 < 1$. If they are complex, each has the size $\sqrt{\beta_1}$, and
$\theta$ shrinks. If they are real, one can leave the interval from $-1$ to 1 only at its ends. At $z = 1$ the
equation reads $\alpha s = 0$. At $z = -1$ it reads

$$\alpha\, s = \frac{2\, (1 + \beta_1)}{1 - \beta_1} = 38 \quad \text{for } \beta_1 = 0.9$$

Above that Adam diverges: with $\alpha s = 37.9$, $\theta$ goes to zero, with $38.1$ it grows without end.

So an $\alpha$ needs a place where $s < 38 / \alpha$, and a random start can be steeper than that. Where
$\alpha_t s$ is a little too large, the weights swing across the steep direction until the swings have carried
them to a flatter place. A warm-up raises $\alpha_t s$ in small portions, and each swing stays small (Gilmer et
al., 2021, arXiv 2110.04369; Kalra and Barkeshli, 2024, arXiv 2406.09405).

**Some networks are fragile at the start only.** In a post-LN transformer gradients near the output are
large at initialization (Xiong et al., 2020, arXiv 2002.04745). Their answer is to change the network:
normalize the input of each layer instead. Twelve such *pre-LN* layers, on the task above with $\alpha = 0.003$,
need no warm-up: with seed 0 the mean loss of steps 91 to 110 is 0.001 without one, and 0.08 with one.

## What it costs

The steps of the warm-up count less. Against a constant $\alpha$ a run loses

$$\sum_{t=1}^{W} \left(1 - \frac{t}{W}\right) = W - \frac{W + 1}{2} = \frac{W - 1}{2}$$

steps at full rate. $W = 2000$ costs 1000 steps: 1 % of a run of 100 000 steps, and 36 % of the 2814 steps of
[the MNIST experiment](../../experiments/mnist.py).

## Conventions

- **The first rate** is $\alpha / W$ here, and $\alpha$ is reached in step $W$. Hugging Face's schedules
  count from 0: their first step has the rate 0 and moves nothing. torch's `LinearLR` begins at a third of
  $\alpha$ and takes five steps unless told otherwise.
- **The paper** is about SGD with batches of 8192. It starts from the rate for a batch of 256, not from 0, and
  takes five epochs.
- **labml's class** adds $10^{-8}$ to the rate during the warm-up. With `lr=0` it moves the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_number
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdamWarmup", "require_steps"]


class AdamWarmup(Adam):
    r"""Adam with a linear warm-up inside.

    - `lr`: the learning rate $\alpha$ after the warm-up
    - `warmup`: $W$, the number of steps until then; 0, the default, gives [Adam](optimizers/adam)
    - all others: as in [Adam](optimizers/adam#Adam)

    Raises `ValueError` for a `warmup` that is no whole number, such as a fraction of the run.
    State: two tensors of the parameter's shape.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        warmup: float = 0,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"warmup": warmup} | dict(defaults or {})
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            optimized_update,
            defaults=own,
            **options,
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_steps("warmup", group["warmup"])

    def get_lr(self, group: Mapping[str, Any], step: int) -> Any:
        r"""Return $\alpha_t$, the learning rate of step `step` for the hyper-parameters `group`."""
        if step < group["warmup"]:
            return group["lr"] * (step / group["warmup"])
        return group["lr"]

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Let Adam compute with $\alpha_t$, and hand it to the weight decay as `lr`."""
        lr = self.get_lr(group, step)
        return super().scalars({**group, "lr": lr}, step) | {"lr": lr}


def require_steps(name: str, value: Any, minimum: float = 0.0) -> None:
    """Raise unless `value` is a whole number of steps, at least `minimum`.

    Raises:
        TypeError: `value` is no number.
        ValueError: it is under `minimum`, not whole, or not finite.
    """
    require_number(name, value, minimum=minimum)
    if not float(value).is_integer():
        raise ValueError(f"{name} must be a whole number of steps, got {value!r}")


# ## Inside the optimizer or outside?
#
# Outside, almost always: in a [schedule](../schedules/warmup.py).
# torch's `LambdaLR(optimizer, lambda done: min(1, (done + 1) / W))` gives the same
# numbers to the last digits, for every optimizer. (`done` counts from 0: without the $+ 1$ the first step is
# lost.) Any curve may follow the warm-up, and a logger finds $\alpha_t$ in `param_groups`. Here
# `param_groups[0]["lr"]` holds $\alpha$; ask [get_lr](#AdamWarmup.get_lr) for $\alpha_t$.
#
# Two things speak for a schedule inside. The step is counted for each parameter, so a layer that is unfrozen in
# the middle of a run has a warm-up of its own. And nothing is to be stored or stepped beside the
# optimizer: its checkpoint is all.
#
# ## Choosing the numbers
#
# - `warmup`: $2 / (1 - \beta_2)$ steps, 2000 for the defaults, make a warm-up about as long as RAdam's (Ma
#   and Yarats, 2019, arXiv 1910.04209). With $\beta_2 = 0.95$ that is 40. Language models use some hundred
#   to some thousand steps.
# - A longer warm-up allows a larger `lr`, up to a point. Choose both together.
# - For a small network, a pre-LN transformer or $\alpha$ well below the largest that works, leave it out.
#
# ## Traps
#
# - `warmup` is a number of steps. A fraction, such as 0.05 for 5 % of the run, would end before the first
#   step; it is refused.
# - A step is a call of `step`, not a batch: gradients summed over four batches make a warm-up four times as
#   long.
# - A scheduler of torch on top is multiplied with this one. Two warm-ups make a rate that grows with the square
#   of $t$.
# - Absolute weight decay does not know $\alpha$ and is at its full strength from the first step on.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), $W = 200$. Adam learns nothing at $\alpha = 0.01$. With
# the warm-up the search chose just that: the held-out loss after one epoch is 0.032, and Adam's at its
# best rate, 0.003, is 0.038. At 0.003 it is 16 % higher than at 0.01. At 0.03 it is 74 % higher, but the
# network learns: the cliff has moved by more than a factor of three.
#
# In the end nothing is won. The accuracies are 99.23, 99.30 and 99.25 %, [Adam](adam.py)'s 99.39 to
# 99.44 % and [AdamW](adamw.py)'s 99.30 to 99.40 %; SGD with momentum has 98.83 to 99.22 %. The search
# looks at one epoch, at whose end the rate is zero. Three epochs give a smaller rate time enough.
#
# The first update of seed 0 is 0.0307 long, $1/200$ of what it would be without warm-up. Adam's, with a
# third of the rate, is 1.840. In the steps 192 and 208, when the warm-up ends, updates are 0.55 to 0.70
# long. In the third epoch updates are 0.050 to 0.062 long, Adam's 0.024 to 0.030 (medians). The warm-up
# changes the start only; the larger rate stays.
#
# ## Exercises
#
# **1.** Which $\alpha$ can Adam with $\beta_1 = 0$ use where $s = 1000$, and which with $\beta_1 = 0.9$?
#
# ::: solution
# $2 (1 + \beta_1) / (1 - \beta_1)$ is 2 without averaging, so $\alpha < 0.002$, the bound of gradient descent.
# With $\beta_1 = 0.9$ it is 38, and $\alpha < 0.038$. The average lets a zigzag cancel before it is
# stepped.
# :::
#
# **2.** How many steps at full rate does a warm-up cost that rises like $\sqrt{t / W}$?
#
# ::: solution
# About $W - \int_0^W \sqrt{t / W}\, dt = W - \frac{2}{3} W = W / 3$, instead of $W / 2$.
# :::
#
# **3.** Repeat the nine steps of the first section, with and without warm-up, and look at the gradient of
# the embedding. (The solution is the network of this page; `norm_first=True` makes it pre-LN.)
#
# ::: solution
# ```python
# import torch
# from torch import nn
# from labml_nn_optim import AdamWarmup
#
#
# def gradient_of_embedding(warmup):
#     torch.manual_seed(0)
#     embedding, place = nn.Embedding(16, 32), nn.Parameter(torch.randn(8, 32))
#     layers = nn.Sequential(
#         *(nn.TransformerEncoderLayer(32, 4, 128, 0.0, batch_first=True) for _ in range(12))
#     )
#     output = nn.Linear(32, 16)
#     params = [*embedding.parameters(), place, *layers.parameters(), *output.parameters()]
#     optimizer = AdamWarmup(params, lr=0.006, warmup=warmup)
#     for _ in range(10):
#         symbols = torch.randint(16, (32, 8))
#         logits = output(layers(embedding(symbols) + place))
#         optimizer.zero_grad()
#         nn.functional.cross_entropy(logits.flatten(0, 1), symbols.flip(1).flatten()).backward()
#         norm = embedding.weight.grad.norm().item()
#         optimizer.step()
#     return norm
#
#
# assert gradient_of_embedding(warmup=0) < 1e-4
# assert gradient_of_embedding(warmup=100) > 1e-2
# ```
# :::

r"""
---
title: Weight decay
summary: Weight decay pulls every weight towards zero; whether it does so through the gradient or beside it decides what it means under Adam.
paper:
  title: Decoupled Weight Decay Regularization
  authors: Ilya Loshchilov, Frank Hutter
  year: 2017
  arxiv: "1711.05101"
  venue: ICLR 2019
chapter: "0.5"
needs: [base]
symbols:
  \lambda: weight_decay
  \theta: param
  g: grad
---

# The same decay, twice, with two results

Two weights start at 1. Their gradients are pure noise, of size 10 for the first and 0.1 for the second.
Adam with $\alpha = 0.001$ makes 2000 steps, with a decay of $\lambda = 0.5$, fifty times over:

| decay | first weight | second weight |
|---|---:|---:|
| none | 1.00 | 1.00 |
| decoupled | 0.37 | 0.37 |
| in the gradient | 0.90 | 0.03 |

Decoupled, both weights shrink as asked: $(1 - \alpha\lambda)^{2000} = 0.368$.
In the gradient, the weight with the large gradients is hardly touched, and the other one is wiped out.

## Where the difference comes from

*Coupled* decay, or $L_2$ regularization, adds $\frac{\lambda}{2} \lVert\theta\rVert^2$ to the loss, so
its gradient joins the other one:

$$g \leftarrow g + \lambda\, \theta$$

*Decoupled* decay leaves the gradient alone and shrinks the weight by itself:

$$\theta \leftarrow (1 - \alpha\lambda)\, \theta$$

Under plain gradient descent both are the same:
$\theta - \alpha (g + \lambda\theta) = (1 - \alpha\lambda)\, \theta - \alpha g$.
Adam divides $g + \lambda\theta$ by $\sqrt{v}$. With gradients of size 10 the decay is divided by about
10, with gradients of size 0.1 by about $0.5$, which is then mostly the decay itself.
The weights that move least are decayed most.

*Absolute* decay is decoupled and does not multiply by the learning rate:

$$\theta \leftarrow (1 - \lambda)\, \theta$$

Loshchilov and Hutter wrote it so, with a schedule of its own for $\lambda$. torch and nearly everyone
since multiply by $\alpha$. A $\lambda$ from one convention is a thousand times off in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labml_nn_optim.checks import is_zero, require_flag, require_number

__all__ = ["WeightDecay"]


@dataclass(frozen=True)
class WeightDecay:
    r"""A kind of weight decay, given to an optimizer as `weight_decay`.

    - `weight_decay`: $\lambda$, at least 0
    - `weight_decouple`: beside the gradient (`True`) or in it
    - `absolute`: $\lambda$ alone (`True`) or $\alpha \lambda$; for decoupled decay only

    A plain number in its place means `WeightDecay(number)`.
    Raises `TypeError` or `ValueError` for anything else.
    """

    weight_decay: float = 0.0
    weight_decouple: bool = True
    absolute: bool = False

    def __post_init__(self) -> None:
        require_number("weight_decay", self.weight_decay)
        require_flag("weight_decouple", self.weight_decouple)
        require_flag("absolute", self.absolute)
        if self.absolute and not self.weight_decouple:
            raise ValueError("absolute must be False when weight_decouple is False, got True")

    def defaults(self) -> dict[str, Any]:
        """Return what a parameter group stores, so that groups may differ.

        `decoupled_weight_decay` is torch's name: a checkpoint of `torch.optim.AdamW` says what it means.
        """
        return {
            "weight_decay": self.weight_decay,
            "decoupled_weight_decay": self.weight_decouple,
            "absolute_weight_decay": self.absolute,
        }

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        r"""Decay `param` in place, or return a gradient that does; `grad` itself is not changed.

        `param` and `grad` are tensors of one shape, or lists of such. `group` holds
        [defaults](#WeightDecay.defaults) and `lr`, the learning rate that this very step has: an
        optimizer with a schedule inside puts the scheduled one there.
        """
        weight_decay = group["weight_decay"]
        # No decay costs no pass over the parameters.
        if is_zero(weight_decay):
            return grad
        # Coupled: $g + \lambda \theta$
        if not group.get("decoupled_weight_decay", self.weight_decouple):
            return param.mul(weight_decay).add_(grad)
        # Decoupled: $(1 - \lambda)\, \theta$ or $(1 - \alpha\lambda)\, \theta$
        absolute = group.get("absolute_weight_decay", self.absolute)
        param.mul_(1 - (weight_decay if absolute else group["lr"] * weight_decay))
        return grad


# ## What to decay, and how much
#
# - Weights of linear and convolutional layers: yes. Biases and the scales of normalization layers: no;
#   they are few, and pulling them to zero switches layers off. Give them a group with
#   `weight_decay=0`.
# - $\lambda = 0.01$ is torch's default for AdamW, 0.1 is common for language models, 0.05 for vision
#   transformers, all to be multiplied by $\alpha$.
# - What counts is the product: a weight without gradient forgets its past over $1 / (\alpha\lambda)$
#   steps. For $\alpha = 3 \cdot 10^{-4}$ and $\lambda = 0.1$ that is 33 000 steps. In a run of 1000 steps
#   such a decay does nothing.
#
# ## Traps
#
# - `torch.optim.Adam(weight_decay=...)` is coupled, `AdamW` decoupled. Here a number is decoupled for
#   every optimizer; say `WeightDecay(0.01, weight_decouple=False)` for the other one.
# - Decoupled decay comes before the step, as in torch. It is not divided by $\sqrt{v}$ and not averaged
#   into $m$.
# - A schedule that takes $\alpha$ to 0 takes decoupled decay to 0 as well, but not absolute decay: that
#   one goes on pulling when the optimizer has stopped.
#
# ## Exercises
#
# **1.** Under SGD with momentum 0.9, are coupled and decoupled decay still the same?
#
# ::: solution
# No. Coupled decay enters the velocity and acts ten times in the long run, since each gradient does:
# its effect is close to that of decoupled decay with $10\, \lambda$, delayed by about ten steps.
# :::
#
# **2.** Check the first row of numbers: after how many steps has a weight without gradient halved, for
# $\alpha = 0.001$ and $\lambda = 0.5$?
#
# ::: solution
# $n = \ln 2 / (\alpha\lambda) \approx 1386$.
#
# ```python
# import torch
# from labml_nn_optim import Adam
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = Adam([theta], lr=0.001, weight_decay=0.5)
# steps = 0
# while theta.item() > 0.5:
#     theta.grad = torch.zeros_like(theta)
#     optimizer.step()
#     steps += 1
# assert steps == 1386
# ```
# :::

r"""
---
title: Adam for half precision
summary: AdamFP16 steps on float32 copies of half-precision weights, so that updates below their last digit add up.
paper:
  title: Mixed Precision Training
  authors: Paulius Micikevicius, Sharan Narang, Jonah Alben, Gregory Diamos, Erich Elsen, David Garcia, Boris Ginsburg, Michael Houston, Oleksii Kuchaiev, Ganesh Venkatesh, Hao Wu
  year: 2018
  arxiv: "1710.03740"
  venue: ICLR
chapter: "3.14"
needs: [optimizers/adam]
symbols:
  \theta: param
  \bar\theta: master
  g: grad
verified_against:
  implementation: torch.optim.Adam 2.14.1 on float32 copies
  difference: 5e-7 over 100 noisy steps in float32, 9e-16 in float64
---

# A weight of 1 that nothing moves

A weight is 1, its gradient is 1 in every step, and [Adam](adam.py) takes 1000 steps with
$\alpha = 0.001$. It should arrive at 0. In bfloat16 it is still 1.

The number below 1 is 0.9961 there. $1 - 0.001$ is nearer to 1, and is rounded to it, a thousand times.
Float16 has three bits more: the steps are seen, each is rounded, and the weight ends at 0.022. With
$\alpha = 0.0001$ it stands still in float16, too.

So it goes with real weights. A network with 128 hidden units, on scikit-learn's digits, 3000 batches of 64
with $\alpha$ falling to 0; the loss on all images, medians of three seeds, from 2.3 at the start:

| | $\alpha = 0.001$ | $\alpha = 0.0001$ |
|---|---:|---:|
| float32, Adam | 0.032 | 0.44 |
| bfloat16, Adam | 0.16 | 2.14 |
| bfloat16, AdamFP16 | 0.032 | 0.44 |

It was not the forward pass, nor the gradients: the last row computes both in bfloat16. It was not the
moments: all rows keep $m$ and $v$ in float32. It was the sum.

## Why it is the sum

A format with $b$ bits of precision spaces the numbers between $2^e$ and $2^{e+1}$ by $2^{e+1-b}$.
bfloat16 has $b = 8$, float16 has 11, float32 has 24.
An update smaller than half the spacing is lost. Adam's updates are about $\alpha$ long, so a weight is
stuck when

$$
|\theta| \ge 2^e, \qquad 2^{e-b} > \alpha
$$

For $\alpha = 0.001$ in bfloat16 these are the weights from 0.5 on, for $\alpha = 0.0003$ those from
0.125 on. [Decay](../weight_decay.py) alone is lost earlier still: it takes $\alpha\lambda$ of a weight,
often $10^{-4}$ or less, and none notices less than $2^{-9} = 0.002$ of itself.

Products do not suffer so. A gradient that is right to 8 bits points the right way. It is the small
number added to a large one, again and again, that needs more.

## The update rule

Keep a copy $\bar\theta$ in float32, with $\bar\theta_0 = \theta_0$, and step there:

$$
\begin{aligned}
\bar\theta_t &= \operatorname{Adam}(\bar\theta_{t-1}, g_t) \\
\theta_t &= \operatorname{round}(\bar\theta_t)
\end{aligned}
$$

The model computes with $\theta$ and sees a step when enough of them have added up. Rounding errors no
longer add up, for the next step starts from $\bar\theta_t$.

## Gradients that vanish

bfloat16 has the range of float32. Float16 has not: its smallest number is $2^{-24} = 6 \cdot 10^{-8}$,
half of that rounds to zero, and gradients of activations can be smaller. What becomes zero in the
middle of the backward pass is lost for all layers before it.

So multiply the loss by a scale $S$, and all gradients with it. The scaler starts with $S = 65536$,
which moves the limit from $3 \cdot 10^{-8}$ to $5 \cdot 10^{-13}$. Before the step, divide by $S$. If a
gradient has overflowed to infinity, skip the step and halve $S$; after 2000 good steps, double it.
(The paper chose a constant $S$ by hand.)

Dividing in float16 would lose the small ones after all: $10^{-8} S$ is $0.00066$, a good float16
number, and divided by $S$ it is 0. That is why torch's `GradScaler` refuses: "Attempting to unscale
FP16 gradients". [GradScalerFP16](#GradScalerFP16) first lets the parameter have a float32 gradient.

```python
scaler = GradScalerFP16()
optimizer.zero_grad()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
clip_grad_norm_(model.parameters(), 1.0)
scaler.step(optimizer)
scaler.update()
```

Without clipping leave `unscale_` out as well; `step` does it then. Every optimizer of this course takes
such gradients, not only this one.

## When to use it

Bytes for each weight:

| | weight | gradient | copy | $m$, $v$ | sum |
|---|---:|---:|---:|---:|---:|
| Adam in float32 | 4 | 4 | | 8 | 16 |
| the same under `torch.autocast` | 4 + 2 | 4 | | 8 | 18 |
| AdamFP16, bfloat16 | 2 | 2 | 4 | 8 | 16 |
| AdamFP16, float16 with the scaler | 2 | 4 | 4 | 8 | 18 |

The copy is no way to save memory.
`torch.autocast` keeps the weights in float32, where they are their own copy, casts them to half
precision for the products, and leaves what is delicate in float32. With a model in float32 that is the
better choice, with any optimizer.
AdamFP16 is for a model whose weights are in half precision already: a checkpoint loaded in bfloat16, or
code that casts the whole model. (NVIDIA's Apex called the two ways `O1` and `O2`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim.optimizer import Optimizer

from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.pieces import working_dtype

__all__ = ["AdamFP16", "GradScalerFP16"]


class AdamFP16(Adam):
    r"""Adam on float32 copies of float16 and bfloat16 parameters.

    All arguments are those of [Adam](adam.py#Adam). Parameters of other data types have no copy, and
    move as with Adam.

    State: two tensors of the parameter's shape, and for half precision a third, `master`; all three are
    float32 then.
    Micikevicius et al. (2018), section 3.1.
    """

    def _init(self, group: Mapping[str, Any], param: Tensor) -> None:
        # A checkpoint of Adam has no copy: then it starts from the parameter, too.
        super()._init(group, param)
        if working_dtype(param.dtype) != param.dtype:
            self.state[param].setdefault("master", param.detach().float())

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move the float32 copy, and let the parameter be its rounded value."""
        master = state.get("master", param)
        # By its name, since a compiled rule has no `super()`.
        Adam.step_param(self, state, group, grad, master)
        if master is not param:
            param.copy_(master)

    @torch.no_grad()
    def reload_params(self) -> None:
        """Take over parameters that were changed by others since the last step."""
        for param, state in self.state.items():
            if "master" in state:
                state["master"].copy_(param)


class GradScalerFP16(GradScaler):
    """A gradient scaler for float16 parameters, whose gradients it unscales in float32.

    Arguments and scaling are those of `torch.amp.GradScaler`. `Tensor.grad_dtype`, on which this
    stands, is in torch since 2.10.
    """

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of `optimizer` by the scale, those of float16 in float32.

        They stay float32 in `param.grad`, where they can be clipped, until `zero_grad` drops them.

        Raises `ValueError` if the optimizer keeps float16 gradients in a buffer of its own.
        """
        if self.is_enabled():
            groups = [group["params"] for group in optimizer.param_groups]
            halves = list(filter(has_float16_gradient, chain.from_iterable(groups)))
            if halves and getattr(optimizer, "flat", False):
                allowed = "flat must be False for float16 with GradScalerFP16"
                raise ValueError(f"{allowed}, got True")
            for param in halves:
                widen_gradient(param)
        super().unscale_(optimizer)


def has_float16_gradient(param: Tensor) -> bool:
    return param.grad is not None and param.grad.dtype == torch.float16


def widen_gradient(param: Tensor) -> None:
    """Make the gradient of `param` float32, and those that will be added to it."""
    assert param.grad is not None
    wide = param.grad.float()
    param.grad = None
    param.grad_dtype = torch.float32
    param.grad = wide


# ## Traps
#
# - **Weights changed from outside come back.** Clamp, prune or load a weight in the middle of a run,
#   and the next step overwrites it from its copy. Finding that out by itself would cost a pass over all
#   weights in every step. Call [reload_params](#AdamFP16.reload_params) after the change.
# - **The copy belongs in the checkpoint.** Saved in half precision it would lose what it is for, and
#   torch casts all state to the data type of the parameter on loading; labml's class left it at that. Here
#   copy and moments come back as float32, bit for bit. A checkpoint of Adam, without a copy, is taken, too.
# - **The parameter stays where it is.** The result is written into its storage. Weights that share it,
#   such as an embedding and an output layer, go on sharing it. labml's class gave the parameter new storage.
# - **$\varepsilon = 10^{-8}$** is 0 in float16, and a zero gradient would give NaN. All of the rule
#   runs in float32, where it is not.
# - **Gradients of the scaler** stay float32 until `zero_grad`, and so are those that a further backward
#   pass adds. A gradient that you set yourself must be float32 from then on.
# - **`flat=True`** keeps gradients in a buffer of the weights' data type. The scaler refuses it.
# - **Normalization layers** should stay in float32: their sums are delicate. Their parameters have no
#   copy.
#
# Two other repairs do without float32. Kahan's summation keeps what rounding took in a second
# half-precision number. Stochastic rounding goes up or down by chance, so that it is right on average:
# see the third exercise.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py) in bfloat16: parameters, images and gradients. The
# held-out loss after one epoch, beside Adam in float32:
#
# | $\alpha$ | 0.0001 | 0.0003 | 0.001 | 0.003 | 0.01 |
# |---|---:|---:|---:|---:|---:|
# | float32, Adam | 0.190 | 0.089 | 0.046 | 0.038 | 2.302 |
# | bfloat16, Adam | 0.375 | 0.135 | 0.050 | 0.038 | 2.302 |
# | bfloat16, AdamFP16 | 0.191 | 0.089 | 0.045 | 0.038 | 2.302 |
#
# Rounding nearly doubles the loss at 0.0001, and the copy gives all of it back. At 0.003, which all three
# searches chose, it costs nothing that can be seen. The three runs end at 99.35, 99.32 and 99.47 %, Adam
# in bfloat16 at 99.40, 99.35 and 99.34 %, in float32 at 99.39 to 99.44 %; [AdamW](adamw.py) in float32
# has 99.30 to 99.40 %, SGD with momentum 98.83 to 99.22 %.
#
# The updates show what is lost. In the third epoch they are 52 to 55 $\alpha$ long in float32 and 40 to
# 44 $\alpha$ with Adam in bfloat16 (medians): the short ones are gone. With the copy they are 93 $\alpha$
# long, more than in float32. A weight waits while the copy moves, and then jumps a whole spacing.
#
# ## Exercises
#
# **1.** Which weights between $2^{-20}$ and 1 are stuck in bfloat16 at $\alpha = 0.0003$? Test 1.25
# times the powers of two, and 0.125 itself.
#
# ::: solution
# Those from 0.125 up. A power of two itself has closer neighbours below than above: 0.125 moves down,
# and does not move up.
#
# ```python
# import torch
#
# powers = torch.tensor([2.0**-e for e in range(21)], dtype=torch.bfloat16)
# above = (powers * 1.25).bfloat16()
# stuck = above[(above.float() - 0.0003).bfloat16() == above]
# assert stuck.min() == 0.125 * 1.25
# eighth = torch.tensor(0.125)
# assert (eighth - 0.0003).bfloat16() < eighth == (eighth + 0.0003).bfloat16()
# ```
# :::
#
# **2.** Show that the order of dividing and widening matters.
#
# ::: solution
# ```python
# import torch
#
# scale = 65536.0
# gradient = torch.tensor(1e-8 * scale, dtype=torch.float16)
# assert (gradient / scale).item() == 0.0
# assert abs(gradient.float() / scale - 1e-8) < 1e-11
# ```
# :::
#
# **3.** Round $1 - 0.001$ in bfloat16 up or down by chance, with probabilities that make the mean
# right. Where does the weight of the beginning arrive?
#
# ::: solution
# At 0 on average, with a spread: a single weight takes a random walk of few large steps.
#
# ```python
# import torch
#
#
# def stochastic_round(x):
#     noise = torch.randint(0, 1 << 16, x.shape, dtype=torch.int32)
#     bits = (x.view(torch.int32) + noise) & -(1 << 16)
#     return bits.view(torch.float32)
#
#
# torch.manual_seed(0)
# weights = torch.ones(10_000)
# for _ in range(1000):
#     weights = stochastic_round(weights - 0.001)
# assert abs(weights.mean()) < 0.003
# assert 0.02 < weights.std() < 0.06
# assert torch.equal(weights, weights.bfloat16().float())
# ```
# :::

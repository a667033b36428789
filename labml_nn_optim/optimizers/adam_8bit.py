r"""
---
title: 8-bit Adam
summary: >-
  Adam8bit is Adam that stores its two averages in a byte each, and reads them back only for the moment of a
  step.
paper:
  title: 8-bit Optimizers via Block-wise Quantization
  authors: Tim Dettmers, Mike Lewis, Sam Shleifer, Luke Zettlemoyer
  year: 2021
  arxiv: "2110.02861"
  venue: ICLR
chapter: "6.6"
needs: [quantize, optimizers/adam]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
verified_against:
  implementation: >-
    a program of our own that reads each number off its bits; in float32 bitsandbytes.optim.Adam8bit 0.50.2
  difference: 1.2e-15 over 100 noisy steps in float64; 0.004 in float32, where Adam is 0.04 away
---

# Adam's memory, divided by four

A $768 \times 3072$ matrix, the largest of a small transformer's block, has 2.36 million weights. Measured, with
its averages:

| | bytes for a weight | for this matrix |
|---|---:|---:|
| the matrix, float32 | 4 | 9.4 MB |
| [Adam](adam.py) | 8 | 18.9 MB |
| Adam8bit | 2.031 | 4.8 MB |

Two bytes are the codes of $m$ and $v$; 0.031 are two scales for 256 weights. How a byte stands for a number is
told in [Eight bits for a state](../quantize.py). What it does to training is told here.

An MNIST network (pixels from 0 to 1, 784-256-256-10), 600 steps with batches of 64, $\alpha = 0.001$, the same
batches for both:

| seed | Adam: last 50 losses, test loss, longest step | Adam8bit |
|---:|---:|---:|
| 0 | 0.161, 0.162, 3.6 $\alpha$ | 0.165, 0.165, 360 $\alpha$ |
| 1 | 0.152, 0.166, 3.5 $\alpha$ | 0.154, 0.168, 470 $\alpha$ |
| 2 | 0.167, 0.175, 3.7 $\alpha$ | 0.169, 0.172, 360 $\alpha$ |

The losses are those of Adam, within 4 %, and the accuracy (95.1 and 95.2 % with seed 0) cannot be told apart.
Look at the longest step of a single weight, though. In the first layer the two networks are about three times as
far apart as Adam's weights are long. This page explains both: why rounding hurts so little, and where it
explodes.

## The update rule

$Q$ stores numbers in bytes and $Q^{-1}$ reads them, with signs for $m$ and without for $v$:

$$
\begin{aligned}
m_t &= \beta_1\, Q_\pm^{-1}(c^m_{t-1}) + (1 - \beta_1)\, g_t \\
v_t &= \beta_2\, Q_+^{-1}(c^v_{t-1}) + (1 - \beta_2)\, g_t^2 \\
\theta_t &= \theta_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \varepsilon} \\
c^m_t &= Q_\pm(m_t), \qquad c^v_t = Q_+(v_t)
\end{aligned}
$$

The step is made with what has not been rounded yet: the first one is Adam's to the last bit. The float32
tensors $m_t$ and $v_t$ exist while one large parameter is being moved, and for all others there are bytes.

A parameter with fewer than 4096 elements keeps float32 averages: biases and scales weigh nothing. So does a
group with `quantize=False`.

## Why the errors of $m$ do not pile up

Each step rounds again what was rounded before. If rounding adds $\delta_t$, the error follows

$$
e_t = \beta_1 e_{t-1} + \delta_t
$$

which is an average like $m$ itself, and forgets like it. Errors with random signs add up to
$\delta / \sqrt{1 - \beta_1^2} = 2.3\, \delta$. Measured on Gaussian gradients: 1.1 % of the norm of $m$ after
one rounding, 2.5 % ever after. The steps of Adam and Adam8bit have a cosine of more than 0.999 there.

Errors of one sign add up to $\delta / (1 - \beta_1) = 10\, \delta$. The map has no $-1$, so the largest $m$ of
a block is stored exactly if it is positive, and 0.7 % too small if it is negative. With a constant gradient the
positive one settles at 1.000 of it, and the negative one at 0.940.

## Why $v$ is slow to fall

With $\beta_2 = 0.999$ a step changes $v$ by a thousandth of itself on the way down. The numbers that a byte can
hold are farther apart: in the upper decade by 0.7 % of $v$ at its top, by 7 % at its bottom. A change of less
than half of that rounds back to where it was. So a code never falls as long as its scale stays, whatever the
gradient. It can rise: a square that is several times $v$ gets through.

Let the gradients of every second weight fall to a hundredth after step 2000, while their neighbours go on:

| step | $\sqrt v$ of the small ones, Adam | Adam8bit | length of their steps, Adam | Adam8bit |
|---:|---:|---:|---:|---:|
| 2000 | 0.93 | 0.94 | 0.23 $\alpha$ | 0.22 $\alpha$ |
| 3000 | 0.56 | 0.84 | 0.004 $\alpha$ | 0.003 $\alpha$ |
| 5000 | 0.21 | 0.78 | 0.011 $\alpha$ | 0.003 $\alpha$ |
| 12000 | 0.012 | 0.67 | 0.19 $\alpha$ | 0.003 $\alpha$ |

Adam has forgotten after some thousand steps. Adam8bit has not, and its steps are more than 50 times too short.
If the gradients of the *whole* block fall, the scale, which is a float, takes everything down with it, and
nothing of this happens. Nor is it seen on gradients that keep their size: after 6000 steps $v$ is 6.5 % too
large and the steps 3 % too short. With $\beta_2 = 0.99$ $v$ is 0.1 % too large.

## Where it explodes: $v$ is stored as zero, and $m$ is not

A gradient that is 2500 times smaller than the largest of its block has a $v$ that is stored as 0. Its $m$
survives, down to 3.6 million times smaller. Now divide. Of 256 gradients 255 are 1 in every step, and here is
the step of the last one, in units of $\alpha$ (in the last column the longest):

| its gradient | constant, step 10 | step 1200 | non-zero in steps 5, 10, 15, ..., after step 1000 |
|---:|---:|---:|---:|
| Adam, any | 1 | 1 | 0.55 |
| $10^{-2}$ | 1.00 | 1.00 | 0.61 |
| $5 \cdot 10^{-4}$ | 0.88 | 0.87 | 14 060 |
| $4 \cdot 10^{-4}$ | 3.0 | 25 | 14 060 |
| $3 \cdot 10^{-4}$ | 2.9 | 24 | 7990 |
| $10^{-5}$ | 2.5 | 21 | 290 |

If the gradient is there in every step, $v_t$ is $0 + 0.001\, g^2$ each time, so the division is by
$0.03\, |g|$. If it pauses, $v_t$ is 0 and $m_t$ is not: the division is by $\varepsilon = 10^{-8}$.

That is what happens to the first layer above: a pixel that is 0 gives its weights a gradient of 0. After 300
steps 1.3 % of that layer's weights have $v = 0$ and $m \ne 0$ (seed 0). At the end 2.8 % of them are more than 0.1
away from Adam's. Their pixels are on in less than 1 % of the images, all pixels together in 19 %. So the loss
hardly notices.

The cure costs nothing here: $\varepsilon = 10^{-6}$ brings the longest step of seed 0 down to 3.9 $\alpha$, the
distance in the first layer from 3.4 to 0.23 of its length, and the test loss to 0.161, which is Adam's.

An embedding is made for this trap, too: rows of rare words have gradients seldom, and share blocks with frequent
ones. The paper gives embeddings float32 averages, and a layer normalization behind them. Only the first part is
the optimizer's business: put them into a group with `quantize=False`. On a small bigram model we could not make
it fail.

## Conventions

- **Decay** comes before the step here and in bitsandbytes on CPUs, after it in its kernel for GPUs. torchao's
  `Adam8bit` adds it to the gradient, and stores in bytes only what can be divided by 256.
- **Blocks** have 2048 elements in the paper and 256 in both libraries. All other defaults are Adam's.
- **Rounding on a CPU** goes through a table of 65 536 places in bitsandbytes. It may take the neighbour of the
  nearest code, and it does not round a small $v$ to 0, so the last column of the trap is harmless there.
- **The sign of $m$.** Its kernel for GPUs moves a code to its neighbour if rounding has changed the sign.
  Neither its code for CPUs nor this rule does.

## What others found

The authors report the results of 32-bit states for language models up to 1.5 billion parameters, GLUE,
translation, ImageNet and more, with hyper-parameters left as they were. We know of no comparison in which both
were tuned anew.

Li et al. (2023, arXiv 2309.01507) go down to 4 bits. There the zero of $v$ is what stands in the way, and their
map for $v$ does without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_count, require_flag
from labml_nn_optim.quantize import count_blocks, dequantize, quantize
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Adam8bit"]

# Which average has a sign.
SIGNED = {"exp_avg": True, "exp_avg_sq": False}


class Adam8bit(GenericAdaptiveOptimizer):
    r"""Adam that keeps its two averages in a byte a number.

    - `params`: parameters or groups of them; a group with `quantize=False`, for embeddings, keeps its
      averages whole
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{\hat v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `quantize`: whether large parameters have their averages in bytes
    - `min_8bit_size`: how many elements a parameter needs for that
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: two tensors of bytes of the parameter's shape and two of one number for 256 bytes, or Adam's.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Dettmers et al. (2021), with the numbers of the authors' library.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        quantize: bool = True,
        min_8bit_size: int = 4096,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"quantize": quantize, "min_8bit_size": min_8bit_size} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_flag("quantize", group["quantize"])
        require_count("min_8bit_size", group["min_8bit_size"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero: every scale is 0, and a byte means nothing yet."""
        real = torch.view_as_real(param) if param.is_complex() else param
        size = real.numel()
        is_small = size < max(1, group["min_8bit_size"])
        for name in SIGNED:
            if is_small or not group["quantize"]:
                state[name] = torch.zeros_like(param)
            else:
                state[f"{name}_codes"] = torch.zeros_like(real, dtype=torch.uint8)
                state[f"{name}_scales"] = real.new_zeros(count_blocks(size))

    def _needed(self, group: Mapping[str, Any], param: Tensor) -> Sequence[str]:
        # A checkpoint of Adam has neither, and goes on in float32.
        own = super()._needed(group, param)
        return [name for name in own if not name.endswith(("_codes", "_scales"))]

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's step size and the root of its second correction."""
        beta1, beta2 = group["betas"]
        return {
            "step_size": group["lr"] / (1 - beta1**step),
            "correction": math.sqrt(1 - beta2**step),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        beta1, beta2 = group["betas"]
        grad = self.weight_decay(param, grad, group)
        exp_avg, exp_avg_sq = _read(state, "exp_avg"), _read(state, "exp_avg_sq")
        # [Adam](adam.py), on numbers that have just been read
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        # The step is made before anything is rounded.
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])
        _write(state, "exp_avg", exp_avg)
        _write(state, "exp_avg_sq", exp_avg_sq)


def _read(state: Mapping[str, Any], name: str) -> Tensor:
    if name in state:
        whole: Tensor = state[name]
        return whole
    return dequantize(state[f"{name}_codes"], state[f"{name}_scales"], SIGNED[name])


def _write(state: Mapping[str, Any], name: str, values: Tensor) -> None:
    if name not in state:
        codes, scales = quantize(values, SIGNED[name])
        state[f"{name}_codes"].copy_(codes)
        state[f"{name}_scales"].copy_(scales)


# ## Choosing, and when not to
#
# Take it when the averages are what does not fit: large matrices, few of them small. The gain is 6 bytes a
# weight. Where activations fill the memory, as in convolutional networks, there is little to gain.
#
# - `eps`: $10^{-6}$ is safer than the default, if gradients are not that small themselves.
# - `betas`: with $\beta_2 \le 0.99$, $v$ follows. With 0.999 it follows up and not down.
# - `lr`: Adam's.
#
# Do not take it to be fast. This is plain torch: a step of the matrix above takes 0.04 s of one CPU
# thread, Adam's 0.008 s. The authors' kernels read, move and write in one pass, and are the reason to use their
# library on a GPU.
#
# ## Traps
#
# - **The loss does not show steps of hundreds of $\alpha$.** With sparse inputs watch the longest step.
# - **Clipping does not help.** The gradients are small; the division makes the step.
# - **An infinite gradient** spoils the 256 weights of its block for good, Adam's only its own.
# - **The order of the elements.** A transposed matrix has other blocks, so it trains a little differently.
# - **Checkpoints** hold bytes. torch casts state to the data type of its parameter when it loads, bytes as
#   well; this library takes them from the checkpoint as they are. A checkpoint of Adam can be loaded and goes
#   on with float32 averages.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), where two layers of 25 000 and 400 000 weights and the last one have
# bytes. It walks into the trap. The search on held-out images, with $\varepsilon = 10^{-8}$ and with the cure (no record
# of its runs is kept):
#
# | $\alpha$ | Adam | Adam8bit | Adam8bit, $\varepsilon = 10^{-6}$ |
# |---:|---:|---:|---:|
# | 0.0003 | 0.089 | 0.088 | |
# | 0.001 | 0.046 | 0.069 | 0.046 |
# | 0.003 | 0.038 | not finite | 0.038 |
#
# With 0.003 the mean training loss of the steps 2 to 14 is $3.6 \cdot 10^6$, and then it is no number. With 0.001 the
# run comes back from a mean of 7 in the steps 85 to 98. The search chose that, a third of Adam's rate.
#
# The accuracies are then 99.23, 99.27 and 99.26 %. [Adam](adam.py)'s, 99.39 to 99.44 %, are all above. The cause can
# be seen in the lengths of the updates: 3.5 to 5.4 in step 16, where Adam's are 0.4 with three times the rate, and one
# of 12.4 in step 112 of seed 1. All weights together are 13.9 long at the start. Behind a ReLU a unit is often 0, and
# the gradients of its weights pause.
#
# In this network $\varepsilon = 10^{-6}$ is no matter of taste. With it the losses of the table are Adam's to 1 %, no
# update after the first is longer than it, and with $\alpha = 0.003$ all three seeds have 99.41 %. `--set eps=1e-6`
# makes these runs again. The small network at the top shows the same cure.
#
# [On CIFAR-10](../../experiments/cifar.py), with $\varepsilon = 10^{-8}$ again, it does not walk into the trap. In the
# search (one epoch, one seed) the held-out losses at four of five rates are within 2 % of Adam's; that at 0.01 is 6 %
# below, which may be luck. The search chose 0.003, Adam's rate, and the accuracies of three seeds are 79.0, 80.0 and
# 80.6 %, Adam's 79.4 to 80.1 %. No update in the records is longer than the first; whether the batch norm before every
# ReLU prevents it was not tried. Yet the bytes leave a trace: the median update is 14 to 20 % longer than Adam's with
# the same seed.
#
# ## Exercises
#
# **1.** What does a matrix of $n \times n$ weights cost in bytes, and from which $n$ on is it less than Adam's?
#
# ::: solution
# $2 n^2 + 8 \lceil n^2 / 256 \rceil$ from 4096 elements on, so from $n = 64$: 8320 bytes instead of 32 768.
#
# ```python
# import torch
# from labml_nn_optim import Adam8bit
#
#
# def cost(n):
#     theta = torch.nn.Parameter(torch.zeros(n, n))
#     theta.grad = torch.ones_like(theta)
#     optimizer = Adam8bit([theta])
#     optimizer.step()
#     state = optimizer.state[theta]
#     return sum(value.nbytes for name, value in state.items() if name != "step")
#
#
# assert cost(63) == 8 * 63 * 63
# assert cost(64) == 8320
# assert cost(100) == 2 * 10_000 + 8 * 40
# ```
# :::
#
# **2.** Let $v$ never be stored as 0. Does the last column of the trap's table change?
#
# ::: solution
# Yes, it goes below 2. Code 0 is the number 0 and code 1 the smallest other one, $3.25 \cdot 10^{-7}$ of the
# largest. A $v$ that is too large makes a step too short, which is the harmless side. In the MNIST network above,
# seed 0, the longest step is then 3.7 $\alpha$.
#
# ```python
# import torch
# from labml_nn_optim import Adam8bit
#
#
# class NeverZero(Adam8bit):
#     def step_param(self, state, group, grad, param):
#         super().step_param(state, group, grad, param)
#         if "exp_avg_sq_codes" in state:
#             state["exp_avg_sq_codes"].clamp_(min=1)
#
#
# def longest(kind):
#     theta = torch.nn.Parameter(torch.zeros(256))
#     optimizer = kind([theta], lr=1.0, min_8bit_size=1)
#     found = 0.0
#     for step in range(300):
#         theta.grad = torch.ones(256)
#         theta.grad[0] = 3e-4 if step % 5 == 0 else 0.0
#         before = theta[0].item()
#         optimizer.step()
#         found = max(found, abs(theta[0].item() - before))
#     return found
#
#
# assert longest(Adam8bit) > 1000
# assert longest(NeverZero) < 2
# ```
# :::
#
# **3.** Above which ratio $g^2 / v$ does $v$ rise by one code, at the top of its block, where codes are 0.7 %
# apart?
#
# ::: solution
# The step changes $v$ by $0.001\, (g^2 - v)$, which has to be more than half of $0.007\, v$: $g^2 > 4.5\, v$.
# Of Gaussian gradients 3.4 % are that large. At the bottom of the decade, where codes are 7 % apart,
# $g^2 > 36\, v$, and next to none are.
# :::

r"""
---
title: Rounding half precision
summary: A half-precision weight is rounded by chance, or keeps what rounding takes away, so that small updates are not lost.
paper:
  title: Revisiting BFloat16 Training
  authors: Pedram Zamirai, Jian Zhang, Christopher R. Aberger, Christopher De Sa
  year: 2020
  arxiv: "2010.06192"
chapter: "6.8"
needs: [base, pieces, optimizers/adam_fp16, optimizers/lion]
symbols:
  \theta: values
  s: spacing
  c: compensation
---

# A step that is rounded away

A weight is 1, all its gradients say down, and [Lion](optimizers/lion.py) goes down by $\alpha = 0.0001$ in each of
1000 steps. It should arrive at 0.9. In bfloat16 it is still 1. The number below 1 is 0.9961 there, 0.9999 is nearer
to 1, and so it is rounded back a thousand times.

[AdamFP16](optimizers/adam_fp16.py) steps on a copy in float32, which costs 4 bytes for each weight. Two ways cost
less, and every optimizer of this course takes them as an option:

| `rounding=` | bytes more | the weight after 1000 steps |
|---|---:|---|
| `"nearest"`, the default | 0 | 1 |
| `"stochastic"` | 0 | 0.900 on average, with a spread of 0.020 |
| `"kahan"` | 2 | 0.9023, and with what is kept 0.9006 |
| a weight in float32 | 2, and 2 for the gradient | 0.89998 |

```python
optimizer = AdamW(model.bfloat16().parameters(), lr=1e-4, rounding="kahan")
```

The rule runs in float32 in all four, with moments in float32. Only what happens at the end of a step differs. For
parameters in float32 or float64 the option does nothing and costs nothing.

## Eight bits

bfloat16 has 8 bits of precision, float16 has 11, float32 has 24. So this far apart are neighbours:

| weights | bfloat16 | float16 | float32 |
|---|---:|---:|---:|
| 0.5 to 1 | 0.0039 | 0.00049 | $6.0 \cdot 10^{-8}$ |
| 0.0625 to 0.125 | 0.00049 | 0.000061 | $7.5 \cdot 10^{-9}$ |
| 0.0156 to 0.0313 | 0.00012 | 0.000015 | $1.9 \cdot 10^{-9}$ |

An update under half a spacing is lost. It is lost for good: the next step starts from the same weight. Of weights
that are normal with standard deviation $\sigma$, this share moves in a step of length $\alpha$:

| $\sigma$ | $\alpha = 0.001$ | $0.0001$ | $0.00001$ |
|---:|---:|---:|---:|
| 0.02 | 100 % | 88 % | 16 % |
| 0.1 | 100 % | 25 % | 3 % |
| 0.3 | 91 % | 8 % | 1 % |

The small weights train, and the large ones stand still.

[Decoupled decay](weight_decay.py) takes $\alpha\lambda$ of a weight, the same share of each, and no bfloat16 number
notices less than $2^{-9} = 0.002$ of itself. With $\alpha = 0.001$ and $\lambda = 0.1$, 2000 steps without a
gradient should leave 0.819 of every weight. They leave all of it, also with $\lambda = 1$. By chance it is 0.819,
with Kahan's sum 0.8185.

## By chance

Let $\theta$ lie between the neighbours $a$ and $a + s$. *Stochastic rounding* goes up with a probability:

$$
\operatorname{round}(\theta) =
\begin{cases}
a + s & \text{with probability } p = (\theta - a) / s \\
a & \text{otherwise}
\end{cases}
$$

The mean is $a + s p = \theta$. So no update is lost on average, however small it is. A step of 0.0001 moves a
weight of 1 by 0.0039, once in 39 steps.

The price is noise. One rounding has the variance $s^2 p (1 - p)$, at most $s^2 / 4$, and the errors of different
steps are independent: variances add up. Start from a number that bfloat16 has, and go down by $\alpha < s$ in every
step. Each step starts on such a number again, so $p = 1 - \alpha / s$ every time, and after $n$ steps

$$
\operatorname{Var} = n\, \alpha\, (s - \alpha), \qquad
\text{spread} = \sqrt{D\, (s - \alpha)} \quad \text{for the distance } D = n \alpha
$$

20 000 weights that start at 1 (4000 in the last row):

| $\alpha$ | steps | should be | mean | spread | by the formula |
|---:|---:|---:|---:|---:|---:|
| $10^{-3}$ | 100 | 0.9 | 0.8998 | 0.0171 | 0.0170 |
| $10^{-4}$ | 1000 | 0.9 | 0.9002 | 0.0195 | 0.0195 |
| $10^{-5}$ | 10 000 | 0.9 | 0.8996 | 0.0196 | 0.0197 |

What counts is the way, not the number of steps. But a way to and fro counts in full: on pure noise the spread grows
as if all steps had led in one direction. In training the loss pulls the weights back.

## What is lost can be kept

After rounding to the nearest number, the error is known. *Kahan's summation* stores it, $c$, in the data type of
the parameter, and adds it before the next step:

$$
\begin{aligned}
\bar\theta &= \operatorname{rule}(\theta_{t-1} + c_{t-1}) \quad \text{in float32} \\
\theta_t &= \operatorname{round}(\bar\theta), \qquad c_t = \operatorname{round}(\bar\theta - \theta_t)
\end{aligned}
$$

The model computes with $\theta$ alone. Its 8 bits are what the forward pass sees in any case, also with a copy in
float32.

How exact is the pair? Let $2^e \le \lvert \theta \rvert < 2^{e+1}$. Neighbours are $2^{e-7}$ apart, so $c$ is at most
$2^{e-8}$. Being so much smaller, it has neighbours within $2^{e-16}$, and rounding it costs $2^{e-17}$ at most:

$$
\lvert \text{error of a step} \rvert \le 2^{-17} \lvert \theta \rvert
$$

The pair is a number of 17 bits. That is often said to be as good as float32, which has 24, and there is a threshold
as ever, $2^9$ times lower. At a weight of 1, steps of $2^{-17}$ all get through. Steps of $2^{-18}$ walk 0.00098 and
stop: there the spacing of $c$ is $2^{-17}$. Steps a little longer get through, and round to the same side for a
long time: 10 000 of $10^{-5}$ lead from 1 to 0.912 instead of 0.9.

So which is closer? Lion, 1000 steps, weights with $\sigma = 0.02$, gradients with mean 0.1 and noise of size 1. The
error against float64, root mean square, divided by that of the movement (for Kahan that of the pair):

| $\alpha$ | nearest | stochastic | Kahan | float32 |
|---:|---:|---:|---:|---:|
| $10^{-4}$ | 0.62 | 0.054 | 0.0003 | 0.0000 |
| $10^{-5}$ | 0.94 | 0.16 | 0.0016 | 0.0001 |
| $10^{-6}$ | 0.99 | 0.51 | 0.024 | 0.0006 |
| $10^{-7}$ | 1.00 | 1.6 | 0.34 | 0.0045 |

The error by chance is noise, that of the other two a lag: in the last row the mean movement is 1.01 of what it
should be by chance, 0.84 with Kahan and 0.0005 with nearest.

## Bytes

For each weight, as measured on AdamW, between two steps:

| | weight | gradient | kept | $m$, $v$ | sum |
|---|---:|---:|---:|---:|---:|
| float32 | 4 | 4 | | 8 | 16 |
| bfloat16 with a copy, AdamFP16 | 2 | 2 | 4 | 8 | 16 |
| bfloat16, Kahan | 2 | 2 | 2 | 8 | 14 |
| bfloat16, nearest or stochastic | 2 | 2 | | 8 | 12 |

With Lion each sum is 4 less. A weight and its $c$ have 4 bytes together, like a weight in float32. What is saved is
half of the gradient, and the model computes in half precision without making copies.

Moments in bfloat16 would save 4 bytes more. That is not done here, and it is not harmless. In torch's AdamW they
have the data type of the weights: after 1000 gradients of 1, $v$ is 0.5 instead of 0.632, and 5000 gradients of
0.01 later it is still 0.5 instead of 0.004. A factor of 0.999 changes no bfloat16 number. Moments want another
format ([8-bit Adam](optimizers/adam_8bit.py)), or their own rounding by chance, as in llm.c (pull request 772).

## Dice that everyone has

Two copies of a model on two GPUs get the same gradients and must make the same step. If each rounds with random
numbers of its own, they part, and nothing reports it. OneTrainer met this and now seeds by the step (pull request
804).

Here there is no generator. The 16 random bits of a weight are a hash of two numbers: the step that it makes, and
its *place*, the count of elements before it through all groups. What holds, then:

- A run that is resumed rounds as if it had not stopped. The step is in the checkpoint; there is no seed to keep.
- Pieces, `per_tensor=True` and `flat=True` give the same weights, to the last bit. A compiled kernel computes other
  last bits in float32, and those turn a die now and then.
- All replicas round alike. [Sharded](sharded.py) by rows, a parameter is rounded as it would be in one piece; cut
  otherwise, some elements share their dice with others, and each is still rounded fairly.
- No two weights of one process share a die in a step.
- Parameters in another order, or another one in front of them, mean other dice. A group added at the end does not.

For bfloat16 the hash makes an exact coin. float32 has 16 bits more, so $p$ is a multiple of $2^{-16}$. bfloat16 is
the upper half of float32: add the 16 random bits to the lower half, and they carry with probability $p$. float16
has another exponent, and there the two neighbours are computed.

## What it does for a network

64 inputs, 128 hidden units, scikit-learn's digits, 3000 batches of 64 with $\alpha$ falling to 0, everything but
the moments in bfloat16. The loss on all images, medians of three seeds, from 2.3 at the start:

| | $\alpha$ | float32 | nearest | stochastic | Kahan |
|---|---:|---:|---:|---:|---:|
| AdamW | 0.001 | 0.032 | 0.152 | 0.032 | 0.032 |
| | 0.0001 | 0.445 | 2.140 | 0.445 | 0.445 |
| Lion | 0.0001 | 0.201 | 2.173 | 0.202 | 0.201 |

From seed to seed the loss differs by 6 to 19 %. The medians of float32, stochastic and Kahan differ by 0.6 % at
most, so the noise of the dice is not seen here.

## Who does it

- Zamirai et al. (2020) name the cause, the rounding of the update, and propose both remedies. They report up to 7 %
  more accuracy than with nearest, and that of float32 within 0.2 %, on seven tasks.
- Ozkara, Yu and Park (2025, arXiv 2502.20566) train language models of up to 6.7 billion weights in bfloat16 with
  stochastic rounding, and report a better perplexity than mixed precision, at up to 1.54 times the speed and with
  30 % less memory.
- **optimi** has `kahan_sum`, on for half precision by default; **pytorch_optimizer** has it in StableAdamW. Their
  moments are in half precision as well.
- **torchao** has `bf16_stochastic_round` for AdamW and its low-bit optimizers, for bfloat16 only; llm.c has it in its
  AdamW.
- **Transformer Engine** has `store_param_remainders`: the 16 bits that a bfloat16 weight lacks to be a float32 one.
  That costs 2 bytes like $c$, and loses nothing. It is not built in here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labml_nn_optim.pieces import Operands, Piece, TensorList, working_dtype

__all__ = [
    "COMPENSATION",
    "ROUNDINGS",
    "Kahan",
    "Rounding",
    "Stochastic",
    "dice",
    "is_half",
    "round_by_chance",
]

COMPENSATION = "compensation"


def is_half(dtype: torch.dtype) -> bool:
    """Whether parameters of `dtype` are rounded after a step."""
    return working_dtype(dtype) != dtype


class Rounding:
    """To the nearest number, which is what a piece does by itself."""

    def __init__(self, step: int) -> None:
        self.step = step

    def load(self, piece: Piece) -> Operands:
        """Return what the rule is to run on."""
        return piece.load()

    def store(self, piece: Piece, operands: Operands) -> None:
        """Write back what the rule has made of it."""
        piece.store(operands)


class Stochastic(Rounding):
    """Up or down by chance, so that the mean is right."""

    def store(self, piece: Piece, operands: Operands) -> None:
        """Round, and write back what needs no more rounding."""
        if is_half(piece.stored):
            pairs = zip(tensors_of(operands.param), piece.places(), strict=True)
            for values, places in pairs:
                values.copy_(round_by_chance(values, places, self.step, piece.stored))
        piece.store(operands)


class Kahan(Rounding):
    """To the nearest number, with what is lost kept for the next step."""

    def load(self, piece: Piece) -> Operands:
        """Return the parameter and what was lost, in one; the rule does not see the latter alone."""
        operands = piece.load()
        if not is_half(piece.stored):
            return operands
        operands.param.add_(piece.state[COMPENSATION])
        state = {name: value for name, value in operands.state.items() if name != COMPENSATION}
        return operands._replace(state=state)

    def store(self, piece: Piece, operands: Operands) -> None:
        """Write back the rounded parameter, and what it has lost."""
        if is_half(piece.stored):
            pairs = zip(
                tensors_of(operands.param), tensors_of(piece.state[COMPENSATION]), strict=True
            )
            for values, compensation in pairs:
                # An infinite number has lost nothing that could be brought back.
                lost = values.sub(values.to(piece.stored))
                compensation.copy_(lost.nan_to_num_(0.0, 0.0, 0.0))
        piece.store(operands)


ROUNDINGS: dict[str, type[Rounding]] = {
    "nearest": Rounding,
    "stochastic": Stochastic,
    "kahan": Kahan,
}


def tensors_of(each: Tensor | TensorList) -> list[Tensor]:
    return each.tensors if isinstance(each, TensorList) else [each]


# ## The dice
MASK = 2**64 - 1
FIRST, SECOND, THIRD = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def signed(number: int) -> int:
    """See the lowest 64 bits of `number` as int64 does."""
    return (number & MASK ^ 1 << 63) - (1 << 63)


def key_of(step: int) -> int:
    """Return 64 bits that look random, of the number of a step."""
    mixed = (step + 1) * FIRST & MASK
    mixed = (mixed ^ mixed >> 30) * SECOND & MASK
    mixed = (mixed ^ mixed >> 27) * THIRD & MASK
    return mixed ^ mixed >> 31


def dice(places: Tensor, step: int) -> Tensor:
    """Return a whole number from 0 to 65535 for each place, as if drawn anew in every step.

    It depends on the place and on the step alone.
    """
    mixed = places.mul(signed(FIRST)).add_(signed(key_of(step)))
    mixed.bitwise_xor_(mixed >> 32)
    return mixed.mul_(signed(SECOND)).bitwise_right_shift_(48).bitwise_and_(0xFFFF)


def round_by_chance(values: Tensor, places: Tensor, step: int, dtype: torch.dtype) -> Tensor:
    """Return one of the two neighbours in `dtype` of each float32 number, as float32.

    The nearer one is the likelier: the mean is the number. What is not finite stays as it is.
    """
    drawn = dice(places, step)
    if dtype == torch.bfloat16:
        # bfloat16 is the upper half of float32. Random bits added to the lower half carry into the upper
        # one as often as the lower half is large.
        bits = values.view(torch.int32).add(drawn.to(torch.int32)).bitwise_and_(-0x10000)
        rounded = bits.view(torch.float32)
    else:
        # $2^e$, as the bits of the exponent alone, and the spacing of float16 there
        power = values.view(torch.int32).bitwise_and(0x7F800000).view(torch.float32)
        spacing = power.mul_(2.0**-10).clamp_min_(2.0**-24)
        scaled = values.div(spacing)
        lower = scaled.floor()
        up = drawn.add(0.5).mul_(2.0**-16).lt(scaled.sub_(lower))
        rounded = lower.add_(up).mul_(spacing)
    return torch.where(values.isfinite(), rounded, values)


# ## Choosing, and when not to
#
# - Keep weights in float32, under autocast, if they fit. Nothing here is better than that.
# - `"kahan"` if 2 bytes are to be had. It adds no noise, and a step costs little more.
# - `"stochastic"` if they are not, or if a step is under $2^{-17} = 8 \cdot 10^{-6}$ of the large weights. It has no
#   threshold.
#
# By chance a step takes several times as long on a CPU: the dice are whole numbers of 8 bytes, and they are hashed.
#
# Leave both with [AdamFP16](optimizers/adam_fp16.py): its copy has lost nothing. With Kahan's sum it makes the same
# steps, and by chance worse ones.
#
# ## Traps
#
# - **Gradients add up in bfloat16, too.** Accumulated over micro-batches, a thousand gradients of 1 are 256. No
#   rounding of the weights repairs that.
# - **It is an option of the optimizer**, and no checkpoint holds it. Give it again when you resume. $c$ is saved, and
#   is dropped where another rounding loads it.
# - **A weight that somebody writes to keeps its $c$.** Set a weight of 1 to zero for good, and after the next step it
#   is $-0.0015$. Delete `compensation` from the optimizer's state then.
# - **Who else reads a weight does not see $c$.** [Schedule-free](schedule_free.py) optimizers change their mode from
#   rounded weights, and [sums over all parameters](totals.py) are made of them.
# - **The short trick eats NaN.** To add 16 random bits and cut the rest is one line. The NaN of NVIDIA's GPUs has all
#   bits set below its sign, and the sum runs over into $-0$: 99 997 of 100 000 became zeros, and a run that had
#   failed looks fine. Here what is not finite stays as it is.
# - **A step needs room.** On a CPU pieces are brought to float32 one after the other. On a GPU all parameters of a
#   group are, with their gradients: 8 bytes for each weight, for the length of the step.
#
# ## Exercises
#
# **1.** Which is the smallest step that moves a bfloat16 weight of 1 down, which is the smallest that moves it up?
#
# ::: solution
# Below 1 the spacing is $2^{-8}$, above $2^{-7}$. Half of that is lost as well, since a tie goes to the even number,
# and that is 1. So it takes more than $2^{-9}$ downwards and more than $2^{-8}$ upwards.
#
# ```python
# import torch
# from labml_nn_optim import SGD
#
#
# def after(step):
#     theta = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
#     theta.grad = torch.ones_like(theta)
#     SGD([theta], lr=abs(step), maximize=step > 0).step()
#     return theta.item()
#
#
# assert after(-(2**-9)) == 1 and after(-1.01 * 2**-9) == 1 - 2**-8
# assert after(2**-8) == 1 and after(1.01 * 2**-8) == 1 + 2**-7
# ```
# :::
#
# **2.** A bfloat16 weight between 0.5 and 1 makes $n$ steps of $\alpha = s / 2$ in random directions, rounded by
# chance. How large is the spread of what rounding adds, beside that of the walk itself?
#
# ::: solution
# Every step ends half-way between two neighbours: $p = 1/2$, and the variance of rounding is $s^2 / 4$ for each step.
# The walk has $\alpha^2 = s^2 / 4$ as well. Together that is $n s^2 / 2$.
#
# ```python
# import torch
# from labml_nn_optim import SGD
#
# torch.manual_seed(0)
# spacing, steps = 2.0**-8, 100
# theta = torch.nn.Parameter(torch.full((20_000,), 0.75, dtype=torch.bfloat16))
# optimizer = SGD([theta], lr=spacing / 2, rounding="stochastic")
# for _ in range(steps):
#     theta.grad = torch.randn(20_000).sign().bfloat16()
#     optimizer.step()
# moved = theta.detach().double() - 0.75
# assert abs(moved.mean()) < 5e-4
# assert abs(moved.square().mean() / (steps * spacing**2 / 2) - 1) < 0.05
# ```
# :::
#
# **3.** Write Kahan's sum for plain descent in six lines, and check it against the option.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
#
# torch.manual_seed(0)
# weight = torch.randn(100).bfloat16()
# kept = torch.zeros_like(weight)
# theta = torch.nn.Parameter(weight.clone())
# optimizer = SGD([theta], lr=2**-10, rounding="kahan")
# for _ in range(200):
#     theta.grad = torch.randn(100).bfloat16()
#     optimizer.step()
#     full = weight.float() + kept.float()
#     full -= 2**-10 * theta.grad.float()
#     weight = full.bfloat16()
#     kept = (full - weight.float()).bfloat16()
# assert torch.equal(weight, theta.detach())
# assert torch.equal(kept, optimizer.state[theta]["compensation"])
# ```
# :::

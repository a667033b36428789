r"""
---
title: Eight bits for a state
summary: >-
  A byte stands for one of 256 numbers that lie closer together near 0, times the largest of the 256
  elements around it.
chapter: "0.16"
needs: [stacks]
---

# 256 evenly spaced numbers lose a fifth of a second moment

Train a network on MNIST (pixels from 0 to 1, 784-256-256-10) with [Adam](optimizers/adam.py) for 300 steps, and
store the second moments $v$ of its $256 \times 256$ layer in one byte each. The obvious way is 256 evenly
spaced numbers from 0 to the largest $v$. Then 18.8 % of those that are not 0 become 0, and Adam divides by their
roots.

Second moments are squares. A gradient that is a hundred times smaller than its neighbour has a $v$ that is ten
thousand times smaller, and whatever is less than 1/510 of the largest, half a spacing, is rounded to 0.

Two changes help, and both are needed. The mean relative error of that $v$, and the share that becomes 0 (an error
of 1):

| | one scale for the layer | blocks of 2048 | blocks of 256 |
|---|---:|---:|---:|
| evenly spaced | 0.21, 18.8 % | 0.20, 18.4 % | 0.057, 4.1 % |
| dynamic | 0.058, 2.5 % | 0.051, 2.0 % | 0.015, 0.3 % |

## A number of eight bits, most of them movable

A float has a fixed number of bits for its power and a fixed number for its fraction. In the *dynamic* numbers
of Dettmers (2015, arXiv 1511.04561) zeros count the power of ten, a 1 ends the counting, and whatever bits are
left are the fraction $f$. A byte with a sign looks like this:

| bits | $k$ | bits of $f$ | it stands for |
|---|---:|---:|---|
| `0 1 ffffff` | 0 | 6 | 0.1 to 1, 64 numbers |
| `0 0001 fff` | 3 | 3 | 0.0001 to 0.001, 8 numbers |
| `0 0000001` | 6 | 0 | $10^{-7}$ to $10^{-6}$, one number |

The fraction cuts the decade into $2^{6-k}$ cells of one width, and the middle of its cell is what is read back:

$$
\pm 10^{-k} \left( 0.1 + 0.9\, \frac{f + \tfrac12}{2^{6-k}} \right), \qquad k = 0, \dots, 6
$$

That makes $64 + 32 + \dots + 1 = 127$ numbers of each sign. Two patterns have no 1 in them: they are 0 and
$+1$. Squares need no sign, so each decade has one more bit, $2^{7-k}$ cells: $128 + 64 + \dots + 2 = 254$, and
again 0 and 1.

The largest numbers are the most exact, and each decade down has twice the error. Mean relative error of numbers
that are spread evenly in a decade, without signs:

| from | 0.1 | 0.01 | $10^{-3}$ | $10^{-4}$ | $10^{-5}$ | $10^{-6}$ | $10^{-7}$ |
|---|---:|---:|---:|---:|---:|---:|---:|
| dynamic | 0.0045 | 0.0089 | 0.018 | 0.035 | 0.067 | 0.13 | 0.28 |
| evenly spaced | 0.0025 | 0.025 | 0.29 | 1 | 1 | 1 | 1 |

The smallest number is $3.25 \cdot 10^{-7}$, or $5.5 \cdot 10^{-7}$ with signs, and what is less than half of it
is rounded to 0. Do not store in bytes what small elements are divided by, unless their 0 is harmless.

## A scale for every block

All that is relative to the largest number. One outlier in a tensor makes everything else small, so each *block*
of 256 elements, in the order of their indices, has a scale of its own, the largest size in it. An outlier of
$10^5$ among numbers of $10^{-3}$ then wipes out 255 others and no more. A scale costs 4 bytes for 256. Smaller
blocks would be more exact and cost more.

The paper on [8-bit optimizers](optimizers/adam_8bit.py) used blocks of 2048. Its authors' library, bitsandbytes,
has 256 today, and the same map.

## Finding the nearest

The codes are numbered in the order of the numbers they stand for, so rounding is a search: which two middles
between neighbours does it lie between? `torch.bucketize` answers that in 8 comparisons, and each waits for the
one before it: 55 ns a number on one thread of a CPU.

The upper half of a float32 already says almost everything. Its sign, power and seven bits of fraction leave a
span so narrow that at most one middle lies in it. So a table of $2^{16}$ places has the lower of two codes, and
one comparison decides: 5 ns, and the same code for every number. Other data types are searched.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional
from torch import Tensor

__all__ = ["BLOCK", "count_blocks", "dequantize", "dynamic_map", "quantize"]

# Elements that share a scale, as in the authors' library.
BLOCK = 256
DECADES = 7


def dynamic_map(signed: bool) -> Tensor:
    r"""Return the 256 numbers that a byte can stand for, sorted, in float64.

    Decade $k = 0, \dots, 6$ is the interval from $10^{-k-1}$ to $10^{-k}$. It is cut into $2^{6-k}$ cells of
    one width, $2^{7-k}$ without signs, and the middle of a cell stands for it.
    """
    finest = 6 if signed else 7
    decades = []
    for decade in range(DECADES):
        cells = 2 ** (finest - decade)
        middles = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
        decades.append((0.1 + 0.9 * middles) / 10**decade)
    sizes = torch.cat(decades)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return torch.cat([sizes, -sizes, ends] if signed else [sizes, ends]).sort().values


@functools.cache
def _table(signed: bool, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the map, and the middles between its neighbours, as tensors of this kind."""
    values = dynamic_map(signed)
    middles = (values[1:] + values[:-1]) / 2
    return values.to(device, dtype), middles.to(device, dtype)


@functools.cache
def _by_upper_half(signed: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the lower code of the float32 numbers with each upper half, and where the next code begins."""
    _, middles = _table(signed, torch.float32, device)
    upper = torch.arange(2**16, dtype=torch.int32, device=device) << 16
    ends = torch.stack([upper, upper | 0xFFFF]).view(torch.float32)
    codes = torch.bucketize(ends, middles, out_int32=True).amin(dim=0)
    # What has the highest code is below no middle.
    beyond = middles.new_tensor([torch.inf])
    return codes.to(torch.uint8), torch.cat([middles, beyond]).index_select(0, codes)


def _nearest(relative: Tensor, signed: bool) -> Tensor:
    """Return the codes of the numbers that are nearest to those of `relative`, from -1 to 1."""
    if relative.dtype != torch.float32:
        _, middles = _table(signed, relative.dtype, relative.device)
        return torch.bucketize(relative, middles, out_int32=True).to(torch.uint8)
    lower, next_begins = _by_upper_half(signed, relative.device)
    numbers = relative.flatten()
    upper = (numbers.view(torch.int32) >> 16).bitwise_and_(0xFFFF)
    codes = lower.index_select(0, upper)
    return codes.add_(numbers > next_begins.index_select(0, upper)).view(relative.shape)


def count_blocks(size: int, block: int = BLOCK) -> int:
    """Return how many blocks a tensor of `size` elements has; the last one may be shorter."""
    return -(-size // block)


def _in_blocks(stack: Tensor, block: int) -> Tensor:
    """See every tensor of `stack` as blocks: shape (k, blocks, block), filled up with zeros."""
    rows = stack.flatten(1) if stack.dim() > 1 else stack[:, None]
    missing = -rows.size(1) % block
    if missing:
        rows = torch.nn.functional.pad(rows, (0, missing))
    return rows.view(rows.size(0), -1, block)


def quantize(stack: Tensor, signed: bool, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """Return codes of the shape of `stack`, and the scales of its blocks, of shape (k, blocks).

    - `stack`: k tensors of one shape, each of which is cut into blocks of its own
    - `signed`: whether there are negative numbers
    - `block`: how many elements share a scale
    """
    blocks = _in_blocks(stack, block)
    scales = blocks.abs().amax(dim=-1)
    # A block of zeros has the scale 0, and is divided by something else.
    relative = blocks / scales.clamp_min(torch.finfo(stack.dtype).tiny)[..., None]
    codes = _nearest(relative, signed)
    size = stack[0].numel()
    return codes.flatten(1)[:, :size].reshape(stack.shape), scales


def dequantize(codes: Tensor, scales: Tensor, signed: bool, block: int = BLOCK) -> Tensor:
    """Return the numbers that `codes` stand for, in the data type of `scales`."""
    values, _ = _table(signed, scales.dtype, scales.device)
    blocks = _in_blocks(codes, block)
    found = values.index_select(0, blocks.flatten().int()).view(blocks.shape)
    size = codes[0].numel()
    return found.mul_(scales[..., None]).flatten(1)[:, :size].reshape(codes.shape)


# ## Traps
#
# - **There is no $-1$.** The largest number in size is read back exactly if it is positive, and as $-0.993$ of
#   itself if it is negative. For [a momentum](optimizers/adam_8bit.py) that is stored again and again this adds
#   up to 6 %.
# - **One NaN makes 256.** The scale of its block is NaN, and so is everything that is read back. An infinite
#   number does the same.
# - **A block is no row.** It takes 256 elements as they come, across rows and channels. Rows of very different
#   size in one block spoil each other.
# - **Equal codes do not compare.** A code says nothing without its scale.
#
# ## Exercises
#
# **1.** The largest $v$ of a block belongs to a gradient of 1. How small may another gradient be before its $v$
# is 0, and how small before its $m$ is?
#
# ::: solution
# $v$ becomes 0 below half of $3.25 \cdot 10^{-7}$, so the gradient may go down to
# $\sqrt{1.6 \cdot 10^{-7}} = 4 \cdot 10^{-4}$. $m$ becomes 0 below half of $5.5 \cdot 10^{-7}$. Between the
# two, $m$ lives and $v$ does not.
#
# ```python
# import torch
# from labml_nn_optim.quantize import dequantize, quantize
#
# gradients = torch.tensor([[1.0, 4.1e-4, 3.9e-4, 3e-7, 2.6e-7]])
# v = dequantize(*quantize(gradients.square(), signed=False), signed=False)
# m = dequantize(*quantize(gradients, signed=True), signed=True)
# assert v.ne(0).tolist() == [[True, True, False, False, False]]
# assert m.ne(0).tolist() == [[True, True, True, True, False]]
# ```
# :::
#
# **2.** Rounding to the nearest is the same error every time. Write a rounding that is right on average, for
# numbers between 0 and 1.
#
# ::: solution
# Take the upper neighbour with the probability of how far the number has come from the lower one.
#
# ```python
# import torch
# from labml_nn_optim.quantize import dynamic_map
#
# torch.manual_seed(0)
# table = dynamic_map(signed=False)
#
#
# def at_random(x):
#     above = torch.searchsorted(table, x).clamp_min(1)
#     low, high = table[above - 1], table[above]
#     return torch.where(torch.rand_like(x) < (x - low) / (high - low), high, low)
#
#
# x = torch.full((100_000,), 0.5031, dtype=torch.float64)
# assert abs(at_random(x).mean() - 0.5031) < 1e-4
# nearest = table[(table - 0.5031).abs().argmin()]
# assert abs(nearest - 0.5031) > 5e-4
# ```
# :::

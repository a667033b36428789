r"""
---
title: Eight bits for a state
summary: TODO.
chapter: "0.16"
needs: [stacks]
---

# TODO
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
    _, middles = _table(signed, stack.dtype, stack.device)
    blocks = _in_blocks(stack, block)
    scales = blocks.abs().amax(dim=-1)
    # A block of zeros has the scale 0, and is divided by something else.
    relative = blocks / scales.clamp_min(torch.finfo(stack.dtype).tiny)[..., None]
    codes = torch.bucketize(relative, middles, out_int32=True).to(torch.uint8)
    size = stack[0].numel()
    return codes.flatten(1)[:, :size].reshape(stack.shape), scales


def dequantize(codes: Tensor, scales: Tensor, signed: bool, block: int = BLOCK) -> Tensor:
    """Return the numbers that `codes` stand for, in the data type of `scales`."""
    values, _ = _table(signed, scales.dtype, scales.device)
    blocks = _in_blocks(codes, block)
    found = values.index_select(0, blocks.flatten().int()).view(blocks.shape)
    size = codes[0].numel()
    return found.mul_(scales[..., None]).flatten(1)[:, :size].reshape(codes.shape)

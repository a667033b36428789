r"""
---
title: Rounding half precision
summary: A half-precision weight is rounded by chance, or keeps what rounding takes away, so that small updates are not lost.
chapter: "6.8"
needs: [base, pieces, optimizers/adam_fp16]
---

# A step that is rounded away
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
            pairs = zip(tensors_of(operands.param), tensors_of(piece.places()), strict=True)
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

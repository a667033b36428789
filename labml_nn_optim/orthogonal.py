r"""
---
title: Newton-Schulz and Polar Express
summary: A few matrix products make all singular values of a matrix nearly 1, without computing any of them.
chapter: "7.1"
needs: [stacks]
---

# Newton-Schulz and Polar Express
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["NEWTON_SCHULZ", "Coefficients", "orthogonalize", "polar_express"]

Coefficients: TypeAlias = tuple[float, float, float]

NEWTON_SCHULZ: Coefficients = (3.4445, -4.7750, 2.0315)

# What the authors of Polar Express chose: the part of the interval that a polynomial need not serve, and
# how much larger than 1 rounding may make a singular value.
CUSHION = 0.02407327424182761
SAFETY = 1.01

# How large an error of rounding in a Gram matrix may grow, next to singular values of 1.
WORST_ROUNDING = 0.025


def orthogonalize(
    matrices: Tensor, coefficients: Sequence[Coefficients], eps: float = 1e-7
) -> Tensor:
    r"""Return $U f(\Sigma) V^T$ for every $U \Sigma V^T$ in `matrices`, where $f$ makes all of $\Sigma$ nearly 1.

    - `matrices`: shape (..., rows, columns), of any real floating-point type, in which all is computed
    - `coefficients`: $(a, b, c)$ of each step $X \leftarrow a X + (b\, X X^T + c\, (X X^T)^2)\, X$
    - `eps`: the least Frobenius norm that a matrix is divided by

    Jordan et al. (2024) for fixed coefficients, Amsel et al. (2025), algorithm 1, for others.
    """
    # The smaller Gram matrix is the one of the rows of a wide matrix.
    is_tall = matrices.size(-2) > matrices.size(-1)
    wide = matrices.mT if is_tall else matrices
    # The largest singular value is at most the Frobenius norm.
    norm = torch.linalg.vector_norm(wide, dim=(-2, -1), keepdim=True).clamp_min(eps)
    wide = wide / norm
    for part in _parts(wide, coefficients):
        wide = _take(wide, part)
    return wide.mT if is_tall else wide


def _parts(wide: Tensor, coefficients: Sequence[Coefficients]) -> list[list[Coefficients]]:
    """Cut the steps into parts that are taken on one Gram matrix."""
    if wide.size(-1) < 2 * wide.size(-2):
        return [[coefficient] for coefficient in coefficients]
    rounding = torch.finfo(wide.dtype).eps
    parts: list[list[Coefficients]] = []
    growth = math.inf
    for coefficient in coefficients:
        if growth * rounding > WORST_ROUNDING:
            parts.append([])
            growth = 1.0
        parts[-1].append(coefficient)
        growth *= coefficient[0] ** 2
    return parts


def _take(wide: Tensor, coefficients: Sequence[Coefficients]) -> Tensor:
    # All factors are polynomials of one matrix and commute: $(F X)(F X)^T = F^2\, X X^T$.
    gram = wide @ wide.mT
    factor = product = _factor(gram, coefficients[0])
    for coefficient in coefficients[1:]:
        gram = factor @ gram @ factor
        factor = _factor(gram, coefficient)
        product = factor @ product
    return product @ wide


def _factor(gram: Tensor, coefficients: Coefficients) -> Tensor:
    r"""Return $a I + b G + c\, G^2$."""
    a, b, c = coefficients
    flat = gram.reshape(-1, *gram.shape[-2:])
    factor = torch.baddbmm(flat, flat, flat, beta=b, alpha=c)
    factor.diagonal(dim1=-2, dim2=-1).add_(a)
    return factor.view_as(gram)


@functools.cache
def polar_express(steps: int, lower: float = 1e-3) -> tuple[Coefficients, ...]:
    r"""Return the coefficients of `steps` steps that serve singular values from `lower` to 1 best.

    Every step is the odd polynomial of degree 5 that comes closest to 1 on the interval which the one
    before it has left. Amsel et al. (2025), algorithm 2, with the authors' cushion and safety factor.
    """
    found = []
    upper = 1.0
    for step in range(1, steps + 1):
        a, b, c = _closest_to_one(max(lower, CUSHION * upper), upper)
        # With the cushion it has served another interval. Center it for this one.
        ends = [_value((a, b, c), end) for end in (lower, upper)]
        a, b, c = (2 / sum(ends) * each for each in (a, b, c))
        lower = _value((a, b, c), lower)
        upper = 2 - lower
        safe = SAFETY if step < steps else 1.0
        found.append((a / safe, b / safe**3, c / safe**5))
    return tuple(found)


def _value(coefficients: Coefficients, x: float) -> float:
    a, b, c = coefficients
    return x * (a + x**2 * (b + x**2 * c))


def _closest_to_one(lower: float, upper: float) -> Coefficients:
    # Remez: the error takes its largest size at both ends and at the two extrema between them, with
    # alternating sign. Guess the extrema, solve for the coefficients and the error, and look again.
    if lower > (1 - 5e-6) * upper:
        return 15 / 8 / upper, -10 / 8 / upper**3, 3 / 8 / upper**5
    inner = (3 * lower + upper) / 4, (lower + 3 * upper) / 4
    error, before = math.inf, 0.0
    while abs(error - before) > 1e-15:
        before = error
        points = (lower, *inner, upper)
        rows = [[x, x**3, x**5, (-1.0) ** place] for place, x in enumerate(points)]
        system = torch.tensor(rows, dtype=torch.float64)
        a, b, c, error = torch.linalg.solve(system, torch.ones(4, dtype=torch.float64)).tolist()
        # Where $a + 3 b x^2 + 5 c x^4 = 0$
        root = math.sqrt(9 * b * b - 20 * a * c)
        inner = (
            math.sqrt((-3 * b - root) / (10 * c)),
            math.sqrt((-3 * b + root) / (10 * c)),
        )
    return a, b, c

r"""
---
title: Newton-Schulz and Polar Express
summary: A few matrix products make all singular values of a matrix nearly 1, without computing any of them.
paper:
  title: "The Polar Express: Optimal Matrix Sign Methods and Their Application to the Muon Algorithm"
  authors: Noah Amsel, David Persson, Christopher Musco, Robert M. Gower
  year: 2025
  arxiv: "2505.16932"
  venue: ICLR
chapter: "7.1"
needs: [stacks]
symbols:
  X: matrices
  G: gram
  U: last
  T: total
  s: slope
  \ell: lower
  u: upper
verified_against:
  implementation: the coefficients that Amsel et al. print
  difference: 1e-14 in the first six of eight steps
---

# Five steps instead of a decomposition

A $256 \times 256$ matrix of Gaussian numbers, divided by its Frobenius norm, has singular values from about
$10^{-4}$ to 0.124, with a median of 0.050. After five steps that multiply matrices and do nothing else:

| | least | median | largest |
|---|---:|---:|---:|
| before | 0.00016 | 0.050 | 0.124 |
| 5 steps of Newton and Schulz, degree 3 | 0.001 | 0.37 | 0.76 |
| 5 steps, degree 5 | 0.004 | 0.86 | 1.00 |
| 5 steps with Jordan's coefficients | 0.08 | 0.86 | 1.20 |
| 5 steps of Polar Express | 0.16 | 0.99 | 1.12 |
| 12 steps of $2x - 1.5 x^3 + 0.5 x^5$ | 0.59 | 1.00 | 1.00 |
| 8 steps of Polar Express | 0.79 | 1.00 | 1.00 |

These are medians of ten matrices. Medians and largest values hardly differ between them. The least ones do, up to
fiftyfold: the least singular value of a square Gaussian matrix varies that much.

[Muon](optimizers/muon.py) does this to every matrix in every step. It wants all singular values at 1 and is content
with nearly.

## What is approximated

Let $G = U \Sigma V^T$ with $r$ rows and at least as many columns. Its *polar factor* is $U V^T$: the same
directions, all of the same strength. Among all $O$ with $O O^T = I$ it is the nearest to $G$. For

$$
\lVert G - O \rVert_F^2 = \lVert G \rVert_F^2 - 2 \langle G, O \rangle + r, \qquad
\langle G, O \rangle = \sum_i \sigma_i\, u_i^T O v_i \le \sum_i \sigma_i
$$

since $u_i^T O v_i \le 1$ for unit vectors, and $U V^T$ has equality in all terms. "Orthogonalize" means this, not
the method of Gram and Schmidt, whose result depends on the order of the rows.

A singular value decomposition gives $U V^T$ exactly. On one CPU thread in float32 it is hardly slower: 22 ms for
$384 \times 384$ and 130 ms for $768 \times 768$, where five steps take 15 and 118 ms. The steps are for GPUs.
Products of matrices are what these do best, above all in half precision. Amsel et al. call a decomposition
prohibitively expensive there, and torch has none for bfloat16. We measured no GPU.

## Odd polynomials act on singular values

A product of $X = U \Sigma V^T$ with its transpose and itself loses the $V$ in the middle:

$$
X X^T X = U \Sigma V^T\, V \Sigma U^T\, U \Sigma V^T = U \Sigma^3 V^T
$$

In the same way $(X X^T)^2 X = U \Sigma^5 V^T$. So

$$
a X + b\, X X^T X + c\, (X X^T)^2 X = U p(\Sigma) V^T, \qquad p(x) = a x + b x^3 + c x^5
$$

and no $U$ or $V$ was computed. All that is left is a question about numbers: which few polynomials, one after the
other, take everything in $(0, 1]$ to 1? Even powers are not on offer. $U \Sigma^2 V^T$ is no product of $X$ and
$X^T$.

Before the first step $X$ is divided by its Frobenius norm, the root of $\sum_i \sigma_i^2$. No singular value is
larger than that.

## Polynomials that converge, and the start that they lack

Newton's and Schulz's cubic is $p(x) = \frac{3}{2} x - \frac{1}{2} x^3$. Near 1 it squares the error, and the
quintic $(15 x - 10 x^3 + 3 x^5) / 8$ takes its third power:

$$
1 - p(1 - e) = \tfrac{3}{2} e^2 - \tfrac{1}{2} e^3, \qquad
1 - p(1 - e) = \tfrac{5}{2} e^3 - \tfrac{15}{8} e^4 + \tfrac{3}{8} e^5
$$

But a small singular value knows only the slope at 0. It grows by 1.5 a step, or by 1.875. From 0.001 upwards, the
cubic needs 18 steps to come within 0.15 of 1, and the quintic 12.

Jordan's coefficients $(3.4445, -4.7750, 2.0315)$ buy slope at 0 and pay at 1. Five steps multiply a tiny value by
$3.4445^5 = 485$. The price: $p(1) = 0.701$. There is a fixed point, at 0.868, and the slope there is $-1.58$: what
comes near it is thrown out again, however many steps follow. No harm is done, as nothing escapes. The local maximum
of $p$ is 1.202, its local minimum 0.682, and after five steps all that began between 0.0015 and 1 lies between the
two. That is enough for Muon:

| begins at | cubic | quintic | Jordan's | Polar Express |
|---:|---:|---:|---:|---:|
| 0.0001 | 0.001 | 0.002 | 0.05 | 0.10 |
| 0.001 | 0.008 | 0.023 | 0.47 | 0.85 |
| 0.01 | 0.076 | 0.23 | 0.70 | 1.06 |
| 0.1 | 0.66 | 1.00 | 0.71 | 0.88 |
| 0.3 | 1.00 | 1.00 | 1.08 | 0.90 |
| 1 | 1.00 | 1.00 | 0.70 | 1.02 |

## Polar Express: the best polynomial for what is left

Jordan repeats one polynomial. The first step and the last have different jobs: at first all values are small, in
the end they are close to 1. So let each step have its own.

Suppose the values lie in $[\ell, u]$. Take the odd quintic with the smallest largest error there. It takes the
interval to $[1 - E, 1 + E]$, which is the interval for the next. Amsel et al. prove that this greedy choice is the
best possible: no other sequence of as many quintics has a smaller error at the end.

The best quintic is known by its error curve. It reaches the largest error four times with alternating signs, at
$\ell$, at the two extrema between, and at $u$. Given the four points, $a$, $b$, $c$ and $E$ solve four linear
equations. Given the coefficients, the extrema solve a quadratic. A few rounds of both are enough
([_closest_to_one](#_closest_to_one)).

The authors made two changes to what is optimal, and both are needed.

- **A cushion.** The best polynomial for $[0.001, 1]$ is 0.0085 at 0.82. Large values would be thrown back to where
  small ones are, and their digits lost. So find the best one for $[0.024, 1]$ instead, and scale it so that the
  image of the true interval is centred at 1 again. That dip is then 0.20; the slope at 0 falls from 8.47 to 8.29.
- **A safety factor.** This polynomial has the slope 24 at 1. Rounding makes values a little larger than $u$, and they
  grow: 1.005 would become more than $10^{50}$ in five steps. So each step but the last is made for an interval that
  is 1 % longer. 1.005 becomes 0.89 and 1.01 becomes 1.09. 1.02 is still lost.

With both, five steps take $[0.001, 1]$ to $[0.85, 1.12]$, and the slopes multiply to 986, twice Jordan's. Six leave
an error of 0.004, seven $4 \cdot 10^{-7}$.

The interval begins at 0.001 for all matrices. That is a guess, and a harmless one: smaller values still grow by
986.

## Wide matrices: stay with the Gram matrix

Of the three products in a step two have the long side in them. Their result is needed only at the end. Call
$F_k = a I + b\, G_k + c\, G_k^2$ the factor of step $k$, with $G_k = X_k X_k^T$. Then

$$
X_{k+1} = F_k X_k, \qquad G_{k+1} = F_k G_k F_k, \qquad X_n = (F_{n-1} \cdots F_0)\, X_0
$$

Everything between the first $X_0 X_0^T$ and the last product is $r \times r$. For $c = \rho\, r$ columns and five
steps, in units of $r^3$ multiplications:

| | step by step | Gram matrix |
|---|---:|---:|
| in general | $10 \rho + 5$ | $2 \rho + 17$ |
| $384 \times 384$ | 15 | 19 |
| $384 \times 768$ | 25 | 21 |
| $384 \times 1536$ | 45 | 25 |
| $256 \times 2304$ | 95 | 35 |

Kernels of convolutions are such matrices, $r \times 9 r$ for $3 \times 3$. From $\rho = 2$ on the Gram matrix is
used here.

It has a catch. $X X^T$ has no negative eigenvalue. $F G F$, computed from a rounded $G$, can have one: a zero
eigenvalue becomes $-\delta$. Each step multiplies it by at least $a^2$, and a negative one is not caught by the
bend of $p$. For a $128 \times 512$ matrix of rank 8 in float32, Jordan's coefficients and all steps on one Gram
matrix, 8 steps are fine, the largest singular value after 10 is more than $10^{10}$, and after 12 there are NaN.

So the steps are cut into parts, and each part begins with a new $X X^T$. A part ends when $\varepsilon \prod a_k^2$
passes 0.1, where $\varepsilon$ is the distance from 1 to the next number: how much of a rounding error would be
left beside values of 1. In float32 that allows six of Jordan's steps and five of Polar Express, in float64 12 and
more. In bfloat16, with $\varepsilon = 2^{-7}$, it is two of Jordan's, and five of them cost $6 \rho + 11$; the first
three of Polar Express are parts of their own.
Zhang, Amsel, Chen and Dao published the [same idea](https://dao-lab.ai/blog/2026/gram-newton-schulz) with kernels
for GPUs, in float16 with one new start after two steps.

Half precision has one more trap. $a I + b\, G + c\, G^2$, rounded to eight digits, has lost what is small beside $a$ on
its diagonal. So a factor is kept as $a I + U$, and $a$ is added inside a product, which sums in float32.

## What half precision does

Compared with the same steps in float64, relative in the Frobenius norm:

| five steps with Jordan's coefficients | float32 | bfloat16 | cosine, bfloat16 |
|---|---:|---:|---:|
| Gaussian, $256 \times 256$ | $2 \cdot 10^{-6}$ | 1.2 % | 0.9999 |
| the momentum of [Muon](optimizers/muon.py)'s example, $128 \times 128$ | $8 \cdot 10^{-6}$ | 19 % | 0.983 |
| rank 8, $128 \times 512$ | $7 \cdot 10^{-5}$ | 37 % | 0.94 |

The Gaussian matrix flatters. bfloat16 has eight binary digits, and what is less than 1/256 of the largest values is
lost in their rounding. The steps cannot tell noise from a rare direction, and amplify both. The matrix of rank 8
comes back with a ninth singular value of 0.19. Polar Express amplifies noise more: to 0.4 in five steps, to 1.0 in
eight. Models are trained this way all the same, so "orthogonal" is meant loosely.

## Conventions

- **Coefficients.** [polar_express](#polar_express) gives those that the authors print; their eighth triple is the
  limit of all that follow. They cut their table to the number of steps; here the last step has no safety factor
  whatever its number. They also divide the matrix by 1.01 times its norm.
- Tables called `polar_express` elsewhere are others: the first $a$ is 8.205 here, 8.237 in timm 1.0.31.
- **$\varepsilon$.** Jordan adds $10^{-7}$ to the norm, torch and this file divide by at least $10^{-7}$. A zero
  matrix stays zero, and one with a norm far below $10^{-7}$ comes back small.
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
WORST_ROUNDING = 0.1


def orthogonalize(
    matrices: Tensor, coefficients: Sequence[Coefficients], eps: float = 1e-7
) -> Tensor:
    r"""Return $U f(\Sigma) V^T$ for every $U \Sigma V^T$ in `matrices`, where $f$ makes all of $\Sigma$ nearly 1.

    - `matrices`: shape (..., rows, columns), of any real floating-point type, in which all is computed
    - `coefficients`: $(a, b, c)$ of each step $X \leftarrow a X + (b\, X X^T + c\, (X X^T)^2)\, X$
    - `eps`: the least Frobenius norm that a matrix is divided by

    Jordan et al. (2024) for fixed coefficients, Amsel et al. (2025), algorithm 1, for others.
    """
    if matrices.dim() > 2 and math.prod(matrices.shape[:-2]) == 1:
        # A product of two matrices is faster than one of two stacks of one.
        return orthogonalize(matrices.view(matrices.shape[-2:]), coefficients, eps).view_as(
            matrices
        )
    # The largest singular value is at most the Frobenius norm.
    norm = torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True).clamp_min(eps)
    found = torch.div(matrices, norm)
    for part in _parts(found, coefficients):
        found = _take(found, part)
    return found


def _parts(matrices: Tensor, coefficients: Sequence[Coefficients]) -> list[list[Coefficients]]:
    """Cut the steps into parts that are taken on one Gram matrix."""
    short, long = sorted(matrices.shape[-2:])
    if long < 2 * short:
        return [[coefficient] for coefficient in coefficients]
    rounding = torch.finfo(matrices.dtype).eps
    parts: list[list[Coefficients]] = []
    growth = math.inf
    for coefficient in coefficients:
        if growth * rounding > WORST_ROUNDING:
            parts.append([])
            growth = 1.0
        parts[-1].append(coefficient)
        growth *= coefficient[0] ** 2
    return parts


def _take(matrices: Tensor, coefficients: Sequence[Coefficients]) -> Tensor:
    # The smaller Gram matrix is that of the rows of a wide matrix, of the columns of a tall one.
    is_tall = matrices.size(-2) > matrices.size(-1)
    gram = matrices.mT @ matrices if is_tall else matrices @ matrices.mT
    # All factors are polynomials of one matrix and commute: $(F X)(F X)^T = F^2\, X X^T$. Each is kept as
    # $F = a I + U$, and $a$ is added inside a product, where half precision is not rounded.
    (a, b, c), *others = coefficients
    last = total = _add_product(gram, gram, gram, b, c)
    slope = a
    for coefficient in others:
        half = _add_product(gram, last, gram, a)
        gram = _add_product(half, half, last, a)
        a, b, c = coefficient
        last = _add_product(gram, gram, gram, b, c)
        # $(s I + T)(a I + U) = s a I + (s U + a T + T U)$
        total = _add_product(total, total, last, a).add_(last, alpha=slope)
        slope *= a
    if is_tall:
        return _add_product(matrices, matrices, total, slope)
    return _add_product(matrices, total, matrices, slope)


def _add_product(
    base: Tensor, left: Tensor, right: Tensor, beta: float, alpha: float = 1.0
) -> Tensor:
    r"""Return $\beta\, B + \alpha\, L R$."""
    if base.dim() == 2:
        return torch.addmm(base, left, right, beta=beta, alpha=alpha)
    stacks = [each.reshape(-1, *each.shape[-2:]) for each in (base, left, right)]
    return torch.baddbmm(*stacks, beta=beta, alpha=alpha).view_as(base)


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


# ## Choosing
#
# - Jordan's five steps are the default of his code, torch, optax and pytorch_optimizer.
# - Amsel et al. compare Muon on a GPT-2 Large with 774 million parameters and a billion tokens, each with its best
#   rate: a validation loss of 3.340 for Polar Express, 3.398 for Jordan's. Liu et al. (2025, arXiv 2502.16982) found
#   ten of Jordan's steps more exact and no better for training than five.
# - Outside of a training, when you want the polar factor itself in float32: eight steps of Polar Express, which leave
#   nothing to do above 0.001, or `torch.linalg.svd`.
#
# ## Traps
#
# - **A matrix of low rank has no unique polar factor.** Where $\sigma_i = 0$ any direction would do. Exact zeros stay
#   zeros here; rounded ones are noise that grows with every step.
# - **More steps are not more exact** if the matrix is nearly singular: they amplify rounding until it counts. In
#   float32 and with rank 8, the error is $7 \cdot 10^{-5}$ after 5 of Jordan's steps and more than 0.1 after 12.
# - **One NaN or infinity** makes the whole matrix NaN: the norm sees to that.
# - **Numbers near $10^{-20}$ can make a CPU crawl.** Their products, near $10^{-40}$, are too small for float32's full
#   precision, and many processors compute with such numbers by a slow way: three calls for a $128 \times 1000$ matrix
#   took 0.43 s with half of the columns at $10^{-20}$, 0.009 s without (Intel Xeon, one thread). Momentum of 0.9 brings
#   a weight there in 440 steps without a gradient. `torch.set_flush_denormal(True)` takes them for zero.
# - **Coefficients of your own** may diverge beyond 1, where rounding leads. Look at $p(1.01)$.
#
# ## Exercises
#
# **1.** For which $\rho = c / r$ do $n$ steps on one Gram matrix cost fewer multiplications than $n$ plain steps?
#
# ::: solution
# Plain: $n\,(2 \rho + 1)$. Gram: $2 \rho + 1$ for the first product, the first square and the last product, and 4 for
# each further step: two for $F G F$, one for the square, one for the product of factors. The difference is
# $(n - 1)(2 \rho - 3)$, so it is $\rho > 1.5$ for every $n \ge 2$.
# :::
#
# **2.** Compute the polar factor of a random matrix with eight steps of Polar Express and with `torch.linalg.svd`.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.orthogonal import orthogonalize, polar_express
#
# torch.manual_seed(0)
# matrix = torch.randn(40, 60, dtype=torch.float64)
# u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
# torch.testing.assert_close(orthogonalize(matrix, polar_express(8)), u @ vt)
# ```
# :::
#
# **3.** $p(x) = a x + b x^3 + c x^5$ shall have $p(1) = 1$ and $p'(1) = 0$. Which freedom is left? Which choice is
# the quintic of Newton and Schulz, and what do the coefficients $(2, -1.5, 0.5)$ gain?
#
# ::: solution
# $a + b + c = 1$ and $a + 3 b + 5 c = 0$ leave one number: $b = (5 - 4a) / 2$ and $c = (2a - 3) / 2$.
# $p''(1) = 6 b + 20 c = 8 a - 15$, so $a = 15/8$ makes the error cubic. $a = 2$ gives $(2, -1.5, 0.5)$. The slope at
# 0 is a little larger, and the error is squared near 1. Values below 1 pass it, by at most 0.0018, as
# $p(1 - e) \approx 1 + e^2 / 2$. With $a = 3.4445$ there is no such $p$ that stays below 1.2: $b = -4.39$,
# $c = 1.94$, and the maximum is 1.27.
# :::

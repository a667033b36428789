"""Decompositions of the small matrices that two parameters make, in closed form.

torch calls LAPACK for them. A basis is unique up to the signs of its vectors; no rule depends on those.
"""

from __future__ import annotations

from typing import Any

from experiments.playground.symbols import UntraceableError
from experiments.playground.tensors import SymbolicTensor, divide, sqrt, where


def _matrix(matrices: SymbolicTensor, rows: int, columns: int) -> Any:
    if matrices.numel() != rows * columns or matrices.shape[-2:] != (rows, columns):
        raise UntraceableError(f"a decomposition of the shape {tuple(matrices.shape)}")
    return matrices.elements.reshape(rows, columns)


def _like(matrices: SymbolicTensor, values: Any) -> SymbolicTensor:
    found = SymbolicTensor(values)
    return found.reshape(*matrices.shape[:-2], *found.shape)


def eigh(matrices: SymbolicTensor) -> tuple[SymbolicTensor, SymbolicTensor]:
    """Return the eigenvalues in rising order and the eigenvectors, as columns, of symmetric matrices."""
    if matrices.shape[-2:] == (1, 1):
        return matrices.squeeze(-1), matrices.new_full(matrices.shape, 1.0)
    (a, _), (b, c) = _matrix(matrices, 2, 2)
    # Jacobi's rotation: the tangent is the smaller root of t^2 + 2 tau t = 1.
    is_diagonal = (b == 0) * 1.0
    tau = divide(c - a, 2 * where(is_diagonal, 1.0, b))
    positive = where((tau < 0) * 1.0, -1.0, 1.0)
    tangent = where(is_diagonal, 0.0, divide(positive, abs(tau) + sqrt(1 + tau * tau)))
    cosine = divide(1.0, sqrt(1 + tangent * tangent))
    sine = tangent * cosine
    first, second = a - tangent * b, c + tangent * b
    swap = (first > second) * 1.0
    values = [where(swap, second, first), where(swap, first, second)]
    vectors = [
        [where(swap, sine, cosine), where(swap, cosine, sine)],
        [where(swap, cosine, -sine), where(swap, -sine, cosine)],
    ]
    return SymbolicTensor(values).reshape(*matrices.shape[:-1]), _like(matrices, vectors)


def qr(matrices: SymbolicTensor) -> tuple[SymbolicTensor, None]:
    """Return orthogonal matrices whose first columns span the same; no rule reads the second factor."""
    if matrices.shape[-2:] == (1, 1):
        return matrices.new_full(matrices.shape, 1.0), None
    (a, _), (b, _) = _matrix(matrices, 2, 2)
    length = sqrt(a * a + b * b)
    is_zero = (length == 0) * 1.0
    cosine = where(is_zero, 1.0, divide(a, length))
    sine = where(is_zero, 0.0, divide(b, length))
    return _like(matrices, [[cosine, -sine], [sine, cosine]]), None


def svd(
    matrices: SymbolicTensor, full_matrices: bool
) -> tuple[SymbolicTensor, SymbolicTensor, SymbolicTensor]:
    """Return the decomposition of matrices of one column, without what is not needed for their size."""
    rows = matrices.size(-2)
    if matrices.size(-1) != 1 or full_matrices:
        raise UntraceableError("a singular value decomposition of more than a vector")
    column = [element for (element,) in _matrix(matrices, rows, 1)]
    length = sqrt(sum(element * element for element in column))
    left = [[divide(element, length)] for element in column]
    right = matrices.new_full((*matrices.shape[:-2], 1, 1), 1.0)
    return _like(matrices, left), SymbolicTensor([length]), right


def solve_triangular(factors: SymbolicTensor, right: SymbolicTensor, upper: bool) -> SymbolicTensor:
    """Return the solution of lower triangular systems of two equations or one."""
    if upper:
        raise UntraceableError("an upper triangular system")
    size = factors.size(-1)
    lower = _matrix(factors, size, size)
    rows: list[list[Any]] = []
    for place, given in enumerate(right.elements.reshape(size, -1)):
        solved = []
        for column, value in enumerate(given):
            for other, known in enumerate(rows):
                value = value - lower[place][other] * known[column]
            solved.append(divide(value, lower[place][place]))
        rows.append(solved)
    return SymbolicTensor(rows).reshape(*right.shape)

r"""
---
title: Checks of hyper-parameters
summary: A bad hyper-parameter is refused where it is given, in one line that names it, its value and what is allowed.
chapter: "0.8"
needs: [base]
---

# A learning rate of NaN trains without complaint

No exception, no warning: after one step every weight is NaN, and the message, if any comes, points to
the loss. A learning rate of $-0.001$ is worse: it climbs, slowly, and looks like a bad seed.

Both are typed in one place, when the optimizer is made. That is where they are easy to refuse.
The checks here do it in one line each, and every optimizer calls them from
[check_group](base.py#GenericAdaptiveOptimizer.check_group), so that groups added later pass through
them as well.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

import torch

__all__ = [
    "is_zero",
    "require_choice",
    "require_count",
    "require_flag",
    "require_fractions",
    "require_number",
]


def require_number(
    name: str,
    value: Any,
    *,
    minimum: float | None = 0.0,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> None:
    """Raise unless `value` is a finite real number, or a one-element tensor, within bounds.

    Raises:
        TypeError: `value` is no number.
        ValueError: `value` is NaN, infinite, under `minimum`, not over `above`, over `maximum`, or not
            under `below`.
    """
    bounds = {">": above, ">=": None if above is not None else minimum, "<=": maximum, "<": below}
    named = [f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None]
    allowed = " ".join(["a finite number", " and ".join(named)]).strip()
    is_tensor = isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex()
    if isinstance(value, bool) or not (is_tensor or isinstance(value, int | float)):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    number = float(value)
    within = {
        ">": above is None or number > above,
        ">=": above is not None or minimum is None or number >= minimum,
        "<=": maximum is None or number <= maximum,
        "<": below is None or number < below,
    }
    if not math.isfinite(number) or not all(within.values()):
        raise ValueError(f"{name} must be {allowed}, got {number!r}")


def require_count(name: str, value: Any, minimum: int = 0) -> None:
    """Raise unless `value` is a whole number, at least `minimum`.

    Raises:
        TypeError: `value` is no whole number; `2.0` is none.
        ValueError: it is under `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number >= {minimum}, got {value!r}")
    if int(value) < minimum:
        raise ValueError(f"{name} must be a whole number >= {minimum}, got {value!r}")


def require_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if value not in list(choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def require_fractions(name: str, value: Any, length: int) -> None:
    """Raise unless `value` is a tuple or list of `length` numbers in [0, 1).

    Raises:
        TypeError: `value` is no such sequence, or an element is no number.
        ValueError: an element lies outside [0, 1).
    """
    if not isinstance(value, tuple | list) or len(value) != length:
        raise TypeError(f"{name} must be {length} numbers in [0, 1), got {value!r}")
    for index, element in enumerate(value):
        require_number(f"{name}[{index}]", element, below=1.0)


def require_flag(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def is_zero(number: Any) -> bool:
    """Whether `number` is a plain 0; one that enters a compiled kernel is a tensor, and is not."""
    return not isinstance(number, torch.Tensor) and bool(number == 0)

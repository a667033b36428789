"""Checks of hyper-parameters: one line that names the argument, the value and what is allowed."""

from __future__ import annotations

import math
from typing import Any

import torch

__all__ = ["is_zero", "require_flag", "require_fractions", "require_number"]


def require_number(
    name: str, value: Any, *, minimum: float | None = 0.0, below: float | None = None
) -> None:
    """Raise unless ``value`` is a finite real number, or a one-element tensor, within bounds.

    Raises:
        TypeError: ``value`` is no number.
        ValueError: ``value`` is NaN, infinite, under ``minimum``, or not under ``below``.
    """
    allowed = "a finite number"
    if minimum is not None:
        allowed += f" >= {minimum:g}"
    if below is not None:
        allowed += f" and < {below:g}"
    is_tensor = isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex()
    if isinstance(value, bool) or not (is_tensor or isinstance(value, int | float)):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    number = float(value)
    too_small = minimum is not None and number < minimum
    too_large = below is not None and number >= below
    if not math.isfinite(number) or too_small or too_large:
        raise ValueError(f"{name} must be {allowed}, got {number!r}")


def require_fractions(name: str, value: Any, length: int) -> None:
    """Raise unless ``value`` is a tuple or list of ``length`` numbers in [0, 1).

    Raises:
        TypeError: ``value`` is no such sequence, or an element is no number.
        ValueError: an element lies outside [0, 1).
    """
    if not isinstance(value, tuple | list) or len(value) != length:
        raise TypeError(f"{name} must be {length} numbers in [0, 1), got {value!r}")
    for index, element in enumerate(value):
        require_number(f"{name}[{index}]", element, below=1.0)


def require_flag(name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def is_zero(number: Any) -> bool:
    """Whether ``number`` is a plain 0; one that enters a compiled kernel is a tensor, and is not."""
    return not isinstance(number, torch.Tensor) and bool(number == 0)

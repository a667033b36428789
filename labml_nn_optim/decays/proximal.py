r"""
---
title: Proximal decay
summary: Proximal decay goes to the best point between the update and zero, and never past zero, however strong it is.
paper:
  title: Understanding AdamW through Proximal Methods and Scale-Freeness
  authors: Zhenxun Zhuang, Mingrui Liu, Ashok Cutkosky, Francesco Orabona
  year: 2022
  arxiv: "2202.00089"
  venue: TMLR
chapter: "10.5"
needs: [weight_decay]
symbols:
  \theta: param
  \alpha\lambda: amount
  \lambda: weight_decay
verified_against:
  implementation: torch.optim.Adam 2.14.1 and a division, written out in the test
  difference: 3e-16 over 100 noisy steps in float64
---
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ProximalWeightDecay"]


class ProximalWeightDecay(WeightDecay):
    r"""Decoupled decay that divides by $1 + \alpha\lambda$ after the update.

    - `weight_decay`: $\lambda$, at least 0
    - `absolute`: $\lambda$ alone (`True`) or $\alpha\lambda$

    Raises `ValueError` for `weight_decouple=False`: in the gradient there is nothing left to divide.
    """

    after_step = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight_decouple:
            raise ValueError(
                "weight_decouple must be True for ProximalWeightDecay, got False; "
                "in the gradient it would be plain decay"
            )

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Divide by $1 + \text{amount}$, which is positive for whatever amount."""
        param.div_(1 + amount)

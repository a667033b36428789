r"""
---
title: L1 decay
summary: L1 decay takes the same amount from every weight, large or small, and sets those to zero that are smaller.
chapter: "10.4"
needs: [weight_decay]
symbols:
  \theta: param
  \lambda: weight_decay
---

# The same from every weight

$$\theta \leftarrow \operatorname{sign}(\theta)\, \max(|\theta| - \alpha\lambda, 0)$$
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["L1WeightDecay"]


class L1WeightDecay(WeightDecay):
    r"""Decay by the same amount for all weights; decoupled, it comes after the update and gives zeros.

    Fields and errors are those of [WeightDecay](../weight_decay.py#WeightDecay).
    """

    after_step = True

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return $\operatorname{sign}(\theta)$, the gradient of $|\theta|$; it is 0 at 0."""
        return param.sign()

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Take `amount` from $|\theta|$, but not more than there is."""
        # $\theta - \operatorname{clip}(\theta)$ is exactly 0 where the clip does nothing.
        param.sub_(param.clamp_min(-amount).clamp_max_(amount))

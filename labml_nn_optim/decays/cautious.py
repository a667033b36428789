r"""
---
title: Cautious weight decay
summary: Cautious weight decay pulls only those weights that the update moves towards zero anyway.
paper:
  title: Cautious Weight Decay
  authors: Lizhang Chen, Jonathan Li, Kaizhao Liang, Baiyu Su, Cong Xie, Nuo Wang Pierse, Chen Liang, Ni Lao, Qiang Liu
  year: 2025
  arxiv: "2510.12402"
chapter: "10.2"
needs: [weight_decay]
symbols:
  \theta: before
  \lambda: weight_decay
---

# Decay where the update agrees

$$\theta_{t+1} = \theta_t - \alpha u_t - \alpha\lambda\, \mathbb 1[u_t\, \theta_t \ge 0]\, \theta_t$$
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["CautiousWeightDecay"]


class CautiousWeightDecay(WeightDecay):
    r"""Decoupled decay of those weights whose update does not point away from zero.

    - `weight_decay`: $\lambda$, at least 0
    - `absolute`: $\lambda$ alone (`True`) or $\alpha\lambda$

    Raises `ValueError` for `weight_decouple=False`: in the gradient, the update is not known yet.
    Chen et al. (2025), equation 2.
    """

    after_step = True
    needs_before = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight_decouple:
            raise ValueError(
                "weight_decouple must be True for CautiousWeightDecay, got False; "
                "before the step there is no update to agree with"
            )

    def finish(self, before: Any, param: Any, group: Mapping[str, Any]) -> None:
        r"""Decay by $\lambda\, \theta_t$ where the update $\theta_t - \theta_{t+1}$ has its sign, or is 0."""
        # Signs are multiplied, since a product of small numbers may be rounded to 0, which would agree.
        agreement = before.sub(param).sign_().mul_(before.sign())
        # 1 and 0 become 1, $-1$ becomes 0.
        mask = agreement.clamp_max_(0).add_(1)
        param.sub_(mask.mul_(before).mul_(self.amount(group)))

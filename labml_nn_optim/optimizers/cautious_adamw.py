r"""
---
title: CautiousAdamW
summary: CautiousAdamW is AdamW without those parts of its update that point uphill, by the gradient of the moment.
paper:
  title: "Cautious Optimizers: Improving Training with One Line of Code"
  authors: Kaizhao Liang, Lizhang Chen, Bo Liu, Qiang Liu
  year: 2024
  arxiv: "2411.16085"
chapter: "4.6"
needs: [caution, optimizers/adamw]
symbols:
  \lambda: weight_decay
  \alpha: lr
  \beta_1, \beta_2: betas
  \varepsilon: eps
---

# CautiousAdamW
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["CautiousAdamW"]


class CautiousAdamW(AdamW):
    r"""AdamW with [cautious updates](../caution.py).

    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor `flat`;
      `cautious` is `True` and cannot be otherwise
    - all others: as in [AdamW](adamw.py#AdamW)

    State: AdamW's.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Liang et al. (2024), algorithm 2.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 1e-2,
        optimized_update: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        if options.setdefault("cautious", True) is False:
            raise ValueError(
                "cautious must be True for CautiousAdamW, got False; AdamW is without it"
            )
        super().__init__(
            params, lr, betas, eps, weight_decay, optimized_update, defaults=defaults, **options
        )


# ## Exercises
